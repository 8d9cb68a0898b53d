"""Which cryptography is spoken: what OpenSSH 7.4 (2016) and later have, and nothing older."""

from __future__ import annotations

from twisted.conch.ssh._kex import getSupportedKeyExchanges

SIGNATURES = {
    b"ssh-ed25519": (b"ssh-ed25519",),
    b"ecdsa-sha2-nistp256": (b"ecdsa-sha2-nistp256",),
    b"ecdsa-sha2-nistp384": (b"ecdsa-sha2-nistp384",),
    b"ecdsa-sha2-nistp521": (b"ecdsa-sha2-nistp521",),
    b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256"),
}
"""Kinds of keys, and with which algorithms they may sign. ssh-dss, and RSA with SHA-1 (which is
also called ssh-rsa), are broken; certificates and security keys are not supported."""

RSA_BITS = 2048
"""The smallest RSA key (NIST SP 800-57)."""

_MODERN = (
    b"mlkem768x25519-sha256",
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
    b"ecdh-sha2-nistp256",
    b"ecdh-sha2-nistp384",
    b"ecdh-sha2-nistp521",
)

KEY_EXCHANGES = [name for name in getSupportedKeyExchanges() if name in _MODERN]
"""None of them needs a file of primes (moduli)."""

CIPHERS = [b"aes256-ctr", b"aes192-ctr", b"aes128-ctr"]
MACS = [b"hmac-sha2-512", b"hmac-sha2-256"]
"""Conch has neither AEAD ciphers nor encrypt-then-MAC, so Terrapin (CVE-2023-48795), which needs
one of them, finds nothing to work on."""

COMPRESSIONS = [b"none"]
"""A few kilobytes of zlib become as many megabytes here."""
