"""The file that survives a crash, and where it lives."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from astrameter import statefile
from astrameter.statefile import MAX_SIZE, StateError, read_file, replace_file, state_directory


class Directory(SynchronousTestCase):
    def test_systemd_says_where(self) -> None:
        environ = {"STATE_DIRECTORY": "/var/lib/astrameter", "HOME": "/root"}
        self.assertEqual(state_directory(environ), Path("/var/lib/astrameter"))

    def test_of_several_directories_the_first(self) -> None:
        self.assertEqual(state_directory({"STATE_DIRECTORY": "/a:/b"}), Path("/a"))

    def test_the_users_own(self) -> None:
        found = state_directory({"HOME": "/home/me"})
        self.assertEqual(found, Path("/home/me/.local/state/astrameter"))
        found = state_directory({"HOME": "/home/me", "XDG_STATE_HOME": "/s"})
        self.assertEqual(found, Path("/s/astrameter"))

    def test_nowhere(self) -> None:
        self.assertIsNone(state_directory({}))


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "below" / "state.json"

    def test_what_is_written_is_read(self) -> None:
        self.assertIsNone(read_file(self.path))
        replace_file(self.path, b"one")
        replace_file(self.path, b"two")
        self.assertEqual(read_file(self.path), b"two")
        self.assertEqual(os.listdir(self.path.parent), ["state.json"])

    def test_only_its_owner_may_read_it(self) -> None:
        replace_file(self.path, b"")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_file_and_name_are_durable_before_it_returns(self) -> None:
        synced = []

        def fsync(handle: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{handle}"))

        self.patch(statefile.os, "fsync", fsync)
        replace_file(self.path, b"one")
        folder = str(self.path.parent.absolute())
        self.assertEqual(synced, [f"{folder}/state.json.new", folder])

    def test_what_a_crash_left_behind_is_overwritten(self) -> None:
        replace_file(self.path, b"one")
        self.path.with_name("state.json.new").write_bytes(b"half of someth")
        replace_file(self.path, b"two")
        self.assertEqual(read_file(self.path), b"two")
        self.assertEqual(os.listdir(self.path.parent), ["state.json"])

    def test_a_link_is_not_followed(self) -> None:
        replace_file(self.path, b"one")
        victim = self.path.with_name("passwd")
        victim.write_bytes(b"root")
        self.path.with_name("state.json.new").symlink_to(victim)
        self.assertRaises(StateError, replace_file, self.path, b"two")
        self.assertEqual(victim.read_bytes(), b"root")

    def test_a_full_disk_leaves_the_old_file_and_is_told_with_the_mend(self) -> None:
        """The kernel itself says that there is no space: that is what /dev/full is for."""
        replace_file(self.path, b"one")
        really_open = os.open

        def on_a_full_disk(path: Path, flags: int, *more: int) -> int:
            written = str(path).endswith(".new")
            return really_open("/dev/full" if written else path, flags, *more)

        self.patch(statefile.os, "open", on_a_full_disk)
        for content in (b"two", b"x" * 300_000):
            error = self.assertRaises(StateError, replace_file, self.path, content)
            self.assertEqual(
                str(error),
                f"{self.path} cannot be written: No space left on device: make room there",
            )
        self.assertEqual(read_file(self.path), b"one")

    def test_a_disk_that_cannot_make_it_durable_leaves_the_old_file(self) -> None:
        replace_file(self.path, b"one")

        def broken(_handle: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        self.patch(statefile.os, "fsync", broken)
        error = self.assertRaises(StateError, replace_file, self.path, b"two")
        self.assertIn("Input/output error: look after that disk", str(error))
        self.assertEqual(read_file(self.path), b"one")

    def test_each_trouble_is_told_with_its_mend(self) -> None:
        for number, mend in (
            (errno.EACCES, "let the user of the daemon do that"),
            (errno.EROFS, "mount it writable"),
            (errno.EDQUOT, "make room"),
        ):

            def refuse(*_arguments: object, number: int = number) -> int:
                raise OSError(number, os.strerror(number))

            self.patch(statefile.os, "open", refuse)
            error = self.assertRaises(StateError, replace_file, self.path, b"two")
            self.assertIn(f"{os.strerror(number)}: {mend}", str(error))

    def test_a_place_below_a_file_is_told_with_the_mend(self) -> None:
        self.path.parent.parent.write_bytes(b"a file")
        for place in (self.path, self.path.parent):
            error = self.assertRaises(StateError, replace_file, place, b"two")
            self.assertIn("set STATE_DIRECTORY to a directory", str(error))

    def test_a_file_that_is_too_large_is_not_read(self) -> None:
        replace_file(self.path, b"x" * (MAX_SIZE + 1))
        self.assertRaises(StateError, read_file, self.path)

    def test_what_is_no_file_is_not_read(self) -> None:
        self.path.mkdir(parents=True)
        error = self.assertRaises(StateError, read_file, self.path)
        self.assertIn("Is a directory", str(error))
