"""The server's own key: made once, kept to itself, never replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import EncryptedKeyError, FingerprintFormats, Key

from astrameter.console.ssh.algorithms import RSA_BITS, SIGNATURES
from astrameter.console.ssh.guarded import (
    OF_OTHERS,
    FileMissingError,
    FileRefusedError,
    read_guarded,
)
from astrameter.statefile import StateError, replace_file

NAME = "ssh_host_ed25519_key"
_LIMIT = 65536


class HostKeyError(Exception):
    """There is no host key that can be used; the text says which file, why and the mend."""


def host_key_path(configured: str, state_directory: Path | None) -> Path:
    """Where the host key is.

    :raises HostKeyError: nothing says where.
    """
    if configured:
        return Path(configured)
    if state_directory is None:
        raise HostKeyError(
            "there is no place to keep the SSH host key: set HOST_KEY in [CONSOLE], or the "
            "environment variable STATE_DIRECTORY"
        )
    return state_directory / NAME


def load_or_make(path: Path) -> Key:
    """The key in ``path``, which is made when there is none.

    :raises HostKeyError: it cannot be read, used, trusted or written. It is left as it is.
    """
    try:
        return _parsed(path, read_guarded(path, OF_OTHERS, "600", _LIMIT))
    except FileMissingError:
        return _make(path)
    except FileRefusedError as error:
        raise HostKeyError(f"the SSH host key {error}") from None


def fingerprint(key: Key) -> str:
    """As ``ssh`` shows it when it meets a host for the first time."""
    return f"SHA256:{key.fingerprint(FingerprintFormats.SHA256_BASE64).rstrip('=')}"


def _parsed(path: Path, content: bytes) -> Key:
    mend = "put a private key of ssh-keygen there, or move the file away for a new one"
    try:
        key: Any = Key.fromString(content)
    except EncryptedKeyError:
        raise HostKeyError(
            f"the SSH host key {path} has a passphrase, and nobody is there to type it: take it "
            f"off with ssh-keygen -p -f {path}"
        ) from None
    except Exception:  # noqa: BLE001  Conch's parsers raise whatever they stumble over
        raise HostKeyError(f"the SSH host key {path} cannot be understood: {mend}") from None
    if key.isPublic():
        raise HostKeyError(f"the SSH host key {path} is only the public half: {mend}")
    kind = key.sshType()
    if kind not in SIGNATURES or (key.type() == "RSA" and key.size() < RSA_BITS):
        raise HostKeyError(
            f"the SSH host key {path} is of a kind that is too weak ({kind.decode()}): {mend}"
        )
    found: Key = key
    return found


def _make(path: Path) -> Key:
    key = Key(Ed25519PrivateKey.generate())
    try:
        replace_file(path, key.toString("OPENSSH", subtype="v1", comment=b"astrameter"))
    except StateError as error:
        raise HostKeyError(
            f"the SSH host key cannot be kept, and without one nobody could recognise this "
            f"server: {error}"
        ) from None
    return key
