"""The daemon's pid file: a lock, not a number."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from simulator.commands.pidfile import PidFile, PidFileError, open_guarded
from simulator.commands.readiness import READY, Readiness


class Locks(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.held: list[PidFile] = []

    def tearDown(self) -> None:
        for one in self.held:
            if one.descriptor >= 0:
                one.hand_over()

    def file(self) -> PidFile:
        self.held.append(PidFile(self.path))
        return self.held[-1]

    def test_one_holds_it_at_a_time(self) -> None:
        first, second = self.file(), self.file()
        self.assertTrue(first.acquire())
        first.write(4711)
        self.assertFalse(second.acquire())
        self.assertEqual(second.pid(), 4711)
        self.assertEqual(self.path.read_text(), "4711")
        first.hand_over()
        self.assertTrue(second.acquire())

    def test_it_is_free_when_its_holder_has_gone(self) -> None:
        first, second = self.file(), self.file()
        first.acquire()
        self.assertFalse(second.wait_free(0.1))
        first.hand_over()
        self.assertTrue(second.wait_free(0.1))

    def test_a_removed_file_is_made_anew(self) -> None:
        first, second = self.file(), self.file()
        first.acquire()
        first.remove()
        self.assertFalse(self.path.exists())
        self.assertTrue(second.acquire())
        second.remove()

    def test_a_file_that_is_removed_in_between_is_not_taken_for_the_new_one(self) -> None:
        taken: list[int] = []
        flock = fcntl.flock

        def slow(descriptor: int, operation: int) -> None:
            flock(descriptor, operation)
            if not taken:
                self.path.unlink()
            taken.append(descriptor)

        self.patch(fcntl, "flock", slow)
        one = self.file()
        self.assertTrue(one.acquire())
        self.assertEqual(len(taken), 2)
        self.assertTrue(self.path.exists())

    def test_only_its_holder_removes_it(self) -> None:
        first, second = self.file(), self.file()
        first.acquire()
        second.acquire()
        second.remove()
        self.assertTrue(self.path.exists())

    def test_what_is_no_pid(self) -> None:
        for text in ("", "x", "-5", "0", "1", "\xff"):
            self.path.write_text(text)
            self.assertIsNone(self.file().pid())

    def test_nobody_else_can_read_it(self) -> None:
        self.path.write_text("5")
        self.path.chmod(0o666)
        self.file().acquire()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_links_and_directories_are_refused(self) -> None:
        other = Path(self.mktemp()).absolute()
        other.write_text("precious")
        self.path.symlink_to(other)
        with self.assertRaisesRegex(PidFileError, "cannot be opened"):
            self.file().acquire()
        self.assertEqual(other.read_text(), "precious")
        directory = Path(self.mktemp())
        directory.mkdir()
        with self.assertRaises(PidFileError):
            open_guarded(directory, os.O_RDWR)

    def test_pipes_are_refused(self) -> None:
        os.mkfifo(self.path)
        with self.assertRaisesRegex(PidFileError, "no file of this user"):
            open_guarded(self.path, os.O_RDWR)


class ReadinessPipe(SynchronousTestCase):
    def test_it_tells_once(self) -> None:
        reading, writing = os.pipe()
        readiness = Readiness(writing)
        readiness.ready()
        readiness.ready()
        self.assertEqual(os.read(reading, 100), READY)
        self.assertEqual(os.read(reading, 100), b"")
        os.close(reading)

    def test_it_tells_what_went_wrong(self) -> None:
        reading, writing = os.pipe()
        self.assertEqual(Readiness(writing).failed("no\nway"), 1)
        self.assertEqual(os.read(reading, 100), b"no\nway")
        os.close(reading)
