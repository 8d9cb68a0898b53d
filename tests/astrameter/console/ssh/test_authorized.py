"""The file of authorised keys."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.session import Role
from astrameter.console.ssh import authorized
from astrameter.console.ssh.authorized import AuthorizedKeys, parse
from tests.astrameter.console.ssh.rig import ed25519
from tests.logged import logged


def public(key: Key) -> str:
    return key.public().toString("OPENSSH").decode()


ONE = public(ed25519())
OTHER = public(ed25519())


class Lines(SynchronousTestCase):
    def one(self, line: str) -> authorized.AuthorizedKey:
        found, wrong = parse(line.encode())
        self.assertEqual(wrong, [])
        (only,) = found.values()
        return only

    def wrong(self, line: str) -> str:
        found, wrong = parse(line.encode())
        self.assertEqual(found, {})
        (only,) = wrong
        return only

    def test_a_plain_key_may_look(self) -> None:
        key = self.one(f"{ONE} eve@home")
        self.assertEqual((key.role, key.name), (Role.VIEW, "eve@home"))

    def test_a_key_may_have_blanks_in_its_comment_and_around_it(self) -> None:
        self.assertEqual(self.one(f"  {ONE}   eve at home \r").name, "eve at home")

    def test_a_key_without_a_comment_is_named_after_its_line(self) -> None:
        self.assertEqual(self.one(f"# keys\n\n{ONE}").name, "the key of line 3")

    def test_the_role_is_an_option_in_front(self) -> None:
        for option in ('role="steer"', "role=steer", 'ROLE="Steer"', 'restrict,role="steer"'):
            self.assertIs(self.one(f"{option} {ONE} x").role, Role.STEER, option)
        self.assertIs(self.one(f'role="view" {ONE} x').role, Role.VIEW)

    def test_options_that_forbid_what_is_never_allowed_are_fine(self) -> None:
        key = self.one(f"no-port-forwarding,no-X11-forwarding,no-agent-forwarding {ONE} x")
        self.assertIs(key.role, Role.VIEW)

    def test_an_option_that_limits_a_key_makes_it_no_key(self) -> None:
        for option in (
            'from="10.0.0.1"',
            'command="x, y"',
            'expiry-time="20300101"',
            "no-pty",
            "restrict=x",
        ):
            told = self.wrong(f"{option} {ONE} x")
            self.assertIn("line 1: the option", told)
            self.assertIn("is not supported here, so the key is left out", told)

    def test_an_unknown_role_makes_it_no_key(self) -> None:
        self.assertIn(
            'role="admin" is unknown; it is view or steer', self.wrong(f'role="admin" {ONE}')
        )

    def test_every_kind_that_is_strong_enough_is_taken(self) -> None:
        keys = (ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1))
        for key in (*map(Key, keys), Key(rsa.generate_private_key(65537, 2048))):
            self.assertEqual(self.one(public(key)).key, key.public())

    def test_kinds_that_are_too_weak_are_named(self) -> None:
        self.assertIn(
            "ssh-dss keys are too weak", self.wrong(public(Key(dsa.generate_private_key(1024))))
        )
        short = public(Key(rsa.generate_private_key(65537, 1024)))
        self.assertIn("an RSA key has at least 2048 bits, this one 1024", self.wrong(short))

    def test_kinds_that_are_not_supported_are_named(self) -> None:
        for kind in ("sk-ssh-ed25519@openssh.com", "ssh-ed25519-cert-v01@openssh.com"):
            self.assertIn("security keys and certificates", self.wrong(f"{kind} AAAA x"))

    def test_damage_is_told(self) -> None:
        kind, encoded = ONE.split()[:2]
        for line in (
            f"{kind} {encoded[:-8]} x",
            f"{kind} {encoded}AAAA x",
            f"{kind} !!!! x",
            f"{kind}",
            f"{kind} AAAA",
            f"ssh-rsa {encoded}",
        ):
            self.assertIn("the key is damaged", self.wrong(line), line)

    def test_a_private_key_in_the_file_is_no_key(self) -> None:
        found, wrong = parse(ed25519().toString("OPENSSH", subtype="v1"))
        self.assertEqual(found, {})
        self.assertTrue(wrong)

    def test_a_bad_line_spoils_no_other(self) -> None:
        found, wrong = parse(f"{ONE} a\nnonsense\n\xff\n{OTHER} b\n".encode("latin-1"))
        self.assertEqual([key.name for key in found.values()], ["a", "b"])
        self.assertEqual([line.split(":")[0] for line in wrong], ["line 2", "line 3"])

    def test_of_two_lines_for_one_key_the_first_counts(self) -> None:
        found, wrong = parse(f'{ONE} a\nrole="steer" {ONE} b'.encode())
        self.assertEqual([key.role for key in found.values()], [Role.VIEW])
        self.assertEqual(wrong, ["line 2: this key is there already; the first line counts"])

    def test_the_name_cannot_carry_control_characters(self) -> None:
        name = self.one(f"{ONE} \x1b]0;x\x07{'y' * 200}").name
        self.assertTrue(name.isprintable() and len(name) == 64)

    def test_too_many_keys_are_told_once(self) -> None:
        self.patch(authorized, "MAX_KEYS", 1)
        found, wrong = parse(f"{ONE} a\n{OTHER} b\n{public(ed25519())} c".encode())
        self.assertEqual((len(found), len(wrong)), (1, 1))

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=300))
    def test_no_file_breaks_it(self, content: bytes) -> None:
        found, wrong = parse(content)
        self.assertEqual(found, {})
        self.assertLessEqual(len(wrong), content.count(b"\n") + 1)

    @settings(deadline=None, derandomize=True)
    @given(st.text(max_size=40), st.text(max_size=40))
    def test_no_line_with_a_key_breaks_it(self, before: str, after: str) -> None:
        parse(f"{before} {ONE} {after}".encode("utf-8", "replace"))


class File(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(mode=0o755)
        self.path = directory / "keys"
        self.keys = AuthorizedKeys(self.path)

    def write(self, *lines: str, mode: int = 0o600) -> None:
        self.path.write_text("\n".join(lines))
        self.path.chmod(mode)

    def blob(self, line: str) -> bytes:
        (blob,) = parse(line.encode())[0]
        return blob

    def test_a_change_is_seen_at_the_next_login(self) -> None:
        self.write(ONE)
        self.assertIsNotNone(self.keys.find(self.blob(ONE)))
        self.write(OTHER)
        self.assertIsNone(self.keys.find(self.blob(ONE)))
        self.assertIsNotNone(self.keys.find(self.blob(OTHER)))

    def test_a_file_that_stays_is_read_and_told_once(self) -> None:
        self.write(ONE, "nonsense")
        with logged() as lines:
            for _ in range(3):
                self.keys.find(b"")
        self.assertEqual(len(lines), 2)
        self.assertIn("keys line 2: ", lines[0])
        self.assertIn("1 keys may log in to the console over SSH, 0 of them may steer", lines[1])

    def test_a_file_that_others_may_write_lets_nobody_in(self) -> None:
        for mode in (0o620, 0o602, 0o666):
            self.write(ONE, mode=mode)
            with logged() as lines:
                self.assertIsNone(self.keys.find(self.blob(ONE)), oct(mode))
            self.assertIn(f"is open to others (mode {mode:o}): chmod go-w {self.path}", lines[0])
        self.path.chmod(0o644)
        self.assertIsNotNone(self.keys.find(self.blob(ONE)))

    def test_a_file_that_becomes_open_to_others_lets_nobody_in_any_more(self) -> None:
        self.write(ONE)
        self.assertIsNotNone(self.keys.find(self.blob(ONE)))
        self.path.chmod(0o666)
        self.assertIsNone(self.keys.find(self.blob(ONE)))

    def test_a_directory_that_others_may_write_lets_nobody_in(self) -> None:
        self.write(ONE)
        self.path.parent.chmod(0o777)
        self.addCleanup(self.path.parent.chmod, 0o755)
        with logged() as lines:
            self.assertIsNone(self.keys.find(self.blob(ONE)))
        self.assertIn("can be written by others", lines[0])

    def test_no_file_lets_nobody_in_until_there_is_one(self) -> None:
        with logged() as lines:
            self.assertIsNone(self.keys.find(self.blob(ONE)))
            self.assertIsNone(self.keys.find(self.blob(ONE)))
        self.assertEqual(len(lines), 1)
        self.assertIn("nobody can log in", lines[0])
        self.assertIn("does not exist", lines[0])
        self.write(ONE)
        self.assertIsNotNone(self.keys.find(self.blob(ONE)))

    def test_what_is_no_file_lets_nobody_in_and_does_not_wait(self) -> None:
        os.mkfifo(self.path)
        with logged() as lines:
            self.assertIsNone(self.keys.find(b""))
        self.assertIn("is no ordinary file", lines[0])

    def test_a_file_that_is_too_large_lets_nobody_in(self) -> None:
        self.write("#" * (authorized.MAX_BYTES + 1))
        with logged() as lines:
            self.assertIsNone(self.keys.find(b""))
        self.assertIn("is larger than", lines[0])

    def test_a_file_full_of_nonsense_is_told_in_a_few_lines(self) -> None:
        self.write(*["nonsense"] * 1000)
        with logged() as lines:
            self.keys.refresh()
        self.assertEqual(len(lines), 22)
        self.assertIn("and 980 more lines", lines[20])

    def test_a_file_of_somebody_else_lets_nobody_in(self) -> None:
        self.write(ONE)
        self.patch(os, "geteuid", lambda: os.stat(self.path).st_uid + 1)
        if os.stat(self.path).st_uid == 0:
            os.chown(self.path, 4711, -1)
        with logged() as lines:
            self.assertIsNone(self.keys.find(self.blob(ONE)))
        self.assertIn("belongs to another user", lines[0])
