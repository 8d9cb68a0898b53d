"""The server's own key."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.ssh.hostkey import (
    HostKeyError,
    fingerprint,
    host_key_path,
    load_or_make,
)
from tests.astrameter.console.ssh.rig import ed25519


class HostKey(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.path = self.directory / "host_key"

    def write(self, content: bytes, mode: int = 0o600) -> None:
        self.directory.mkdir(mode=0o755, exist_ok=True)
        self.path.write_bytes(content)
        self.path.chmod(mode)

    def refused(self) -> str:
        before = self.path.read_bytes()
        error = self.assertRaises(HostKeyError, load_or_make, self.path)
        self.assertEqual(self.path.read_bytes(), before, "the file was changed")
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_it_is_made_once_and_kept_to_itself(self) -> None:
        key = load_or_make(self.path)
        self.assertEqual(key.type(), "Ed25519")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(load_or_make(self.path), key)
        self.assertEqual([one.name for one in self.directory.iterdir()], ["host_key"])

    def test_the_fingerprint_is_the_one_that_ssh_shows(self) -> None:
        key = load_or_make(self.path)
        self.assertRegex(fingerprint(key), r"^SHA256:[A-Za-z0-9+/]{43}$")

    def test_a_key_of_ssh_keygen_is_taken(self) -> None:
        for key in (ed25519(), Key(rsa.generate_private_key(65537, 2048))):
            self.write(key.toString("OPENSSH", subtype="v1"))
            self.assertEqual(load_or_make(self.path), key)

    def test_a_key_that_others_may_read_is_refused_with_the_mend(self) -> None:
        self.write(ed25519().toString("OPENSSH"), 0o640)
        self.assertIn(f"is open to others (mode 640): chmod 600 {self.path}", self.refused())

    def test_what_is_no_key_is_refused_and_left(self) -> None:
        for content in (b"", b"nonsense", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"):
            self.write(content)
            self.assertIn("cannot be understood", self.refused())

    def test_the_public_half_is_refused(self) -> None:
        self.write(ed25519().public().toString("OPENSSH"))
        self.assertIn("is only the public half", self.refused())

    def test_a_key_with_a_passphrase_is_refused_with_the_mend(self) -> None:
        self.write(ed25519().toString("OPENSSH", subtype="v1", passphrase=b"secret"))
        self.assertIn(f"ssh-keygen -p -f {self.path}", self.refused())

    def test_a_weak_key_is_refused(self) -> None:
        for weak in (dsa.generate_private_key(1024), rsa.generate_private_key(65537, 1024)):
            self.write(Key(weak).toString("OPENSSH", subtype="PEM"))
            self.assertIn("too weak", self.refused())

    def test_a_place_that_cannot_be_written_is_told(self) -> None:
        self.directory.write_text("a file where the directory should be")
        error = self.assertRaises(HostKeyError, load_or_make, self.path)
        self.assertIn(str(self.path), str(error))

    def test_where_it_is(self) -> None:
        self.assertEqual(host_key_path("/x/key", None), Path("/x/key"))
        kept = host_key_path("", Path("/var/lib/astrameter"))
        self.assertEqual(kept, Path("/var/lib/astrameter/ssh_host_ed25519_key"))
        error = self.assertRaises(HostKeyError, host_key_path, "", None)
        self.assertIn("set HOST_KEY", str(error))
