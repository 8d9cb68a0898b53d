"""The daemon's pid file: a lock that the daemon holds for as long as it lives.

A pid alone proves nothing: it may be stale, and belong to somebody else by now. The lock is of the
open file, which the daemon inherits, so the kernel takes it back whatever the daemon dies of.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

_POLL_S = 0.05
_LONGEST_PID = 20


class PidFileError(Exception):
    """A file cannot be used; ``str()`` says which, why and what to do."""


def open_guarded(path: Path, flags: int) -> int:
    """Open a file that nobody else can read or has put there; made when it is missing.

    :raises PidFileError: when it is a link, no file, or somebody else's.
    """
    guarded = flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, guarded, 0o600)
    except OSError as error:
        raise PidFileError(f"{path} cannot be opened: {error.strerror}; remove it") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise PidFileError(f"{path} is no file of this user; remove it")
    os.fchmod(descriptor, 0o600)
    return descriptor


class PidFile:
    """One pid file.

    :ivar descriptor: of the open file, to be inherited by the daemon.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self._path = path

    def acquire(self) -> bool:
        """Take the lock; False when a daemon holds it.

        :raises PidFileError: when the file cannot be used.
        """
        while True:
            descriptor = open_guarded(self._path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self._is_at_path(descriptor):
                self.descriptor = descriptor
                return True
            os.close(descriptor)  # somebody has removed it in between

    def pid(self) -> int | None:
        """What it says; None when that is no pid."""
        with suppress(OSError, ValueError):
            with open(self._path, encoding="ascii") as file:
                pid = int(file.read(_LONGEST_PID))
            return pid if pid > 1 else None
        return None

    def write(self, pid: int) -> None:
        """Note the pid of the daemon, which has inherited the lock."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(pid).encode(), 0)

    def hand_over(self) -> None:
        """From now on only the daemon holds it."""
        os.close(self.descriptor)
        self.descriptor = -1

    def wait_free(self, timeout_s: float) -> bool:
        """Wait for the daemon to end; whether it has."""
        deadline = time.monotonic() + timeout_s
        while not self.acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def remove(self) -> None:
        """Remove the file; to be called with the lock only."""
        if self.descriptor >= 0:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self.hand_over()

    def _is_at_path(self, descriptor: int) -> bool:
        with suppress(FileNotFoundError):
            ours, there = os.fstat(descriptor), os.lstat(self._path)
            return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
        return False
