"""Where the control socket is, and what is left alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from astrameter.controlsocket.places import (
    SYSTEM,
    PlaceError,
    claimed,
    likely_paths,
    place,
    socket_path,
)


class Finding(SynchronousTestCase):
    def test_what_is_configured_counts_most(self) -> None:
        environ = {"RUNTIME_DIRECTORY": "/run/astrameter", "STATE_DIRECTORY": "/var/lib/a"}
        self.assertEqual(socket_path("/tmp/mine", environ), Path("/tmp/mine"))
        self.assertIsNone(socket_path("off", environ))

    def test_then_the_directory_of_systemd_then_that_of_the_state(self) -> None:
        environ = {"RUNTIME_DIRECTORY": "/run/a:/run/b", "STATE_DIRECTORY": "/var/lib/a"}
        self.assertEqual(socket_path("", environ), Path("/run/a/control.sock"))
        del environ["RUNTIME_DIRECTORY"]
        self.assertEqual(socket_path("", environ), Path("/var/lib/a/control.sock"))
        self.assertIsNone(socket_path("", {}))

    def test_who_looks_for_a_daemon_tries_that_of_the_system_too(self) -> None:
        mine = Path("/home/x/.local/state/astrameter/control.sock")
        self.assertEqual(likely_paths("", {"HOME": "/home/x"}), (mine, SYSTEM))
        self.assertEqual(likely_paths("", {}), (SYSTEM,))
        self.assertEqual(likely_paths("/tmp/mine", {}), (Path("/tmp/mine"),))
        self.assertEqual(likely_paths("off", {}), ())

    def test_the_option_is_an_absolute_path_or_off(self) -> None:
        parse = place().parse
        self.assertEqual([parse(raw) for raw in ("", "/a/b", "OFF")], ["", "/a/b", "off"])
        for wrong in ("a/b", "no", "/" + 107 * "a"):
            self.assertRaises(ValueError, parse, wrong)


class Claiming(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="astrameter-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "control.sock"

    def bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.bind(str(self.path))
        return sock

    def refused(self, path: Path | None = None) -> str:
        with self.assertRaises(PlaceError) as caught, claimed(path or self.path):
            self.fail("it was claimed")
        return str(caught.exception)

    def test_a_directory_that_is_missing_is_made_for_us_alone(self) -> None:
        path = self.directory / "a" / "b" / "control.sock"
        with claimed(path):
            self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)

    def test_what_a_killed_daemon_left_behind_is_removed(self) -> None:
        self.bound().close()
        with claimed(self.path):
            self.assertFalse(self.path.exists())

    def test_a_daemon_that_listens_is_left_alone(self) -> None:
        self.bound().listen()
        self.assertIn("another daemon listens", self.refused())
        self.assertTrue(self.path.exists())

    def test_one_that_has_no_time_to_answer_listens_too(self) -> None:
        self.bound().listen(0)
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(str(self.path))
        self.assertIn("another daemon listens", self.refused())

    def test_what_is_no_socket_is_left_alone(self) -> None:
        self.path.write_text("precious")
        self.assertIn("is no socket", self.refused())
        self.path.unlink()
        self.path.symlink_to(self.directory / "elsewhere")
        self.assertIn("is no socket", self.refused())
        self.path.unlink()
        self.path.mkdir()
        self.assertIn("is no socket", self.refused())

    def test_what_belongs_to_another_user_is_left_alone(self) -> None:
        self.bound().close()
        self.patch(os, "geteuid", lambda: 4711)
        self.assertIn("belongs to another user", self.refused())
        self.assertTrue(self.path.exists())

    def test_a_link_to_a_dead_socket_is_no_socket(self) -> None:
        other = self.directory / "other.sock"
        self.bound().close()
        self.path.rename(other)
        self.path.symlink_to(other)
        self.assertIn("is no socket", self.refused())
        self.assertTrue(other.exists())

    def test_a_directory_that_others_may_write_to_is_none_for_it(self) -> None:
        for mode in (0o770, 0o707, 0o1777):
            self.directory.chmod(mode)
            self.assertIn("chmod go-w", self.refused())

    def test_a_path_that_no_socket_can_have_is_refused(self) -> None:
        self.assertIn("longer than 107 bytes", self.refused(self.directory / (100 * "x")))

    def test_two_daemons_that_start_at_once_do_not_rob_each_other(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY)
        self.addCleanup(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.assertIn("another daemon that starts", self.refused())

    def test_it_is_free_again_afterwards(self) -> None:
        for _ in range(2):
            with claimed(self.path):
                pass

    def test_a_directory_that_cannot_be_made_is_told(self) -> None:
        (self.directory / "file").write_text("")
        said = self.refused(self.directory / "file" / "control.sock")
        self.assertIn("cannot be made: File exists", said)

    def test_what_goes_wrong_inside_is_told_the_same_way(self) -> None:
        with self.assertRaises(PlaceError), claimed(self.path):
            raise PermissionError(13, "Permission denied")
