"""Where the control socket is, and whether it may be put there.

Nothing is removed that is not a socket of ours which nobody listens on any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from astrameter.options import Kind
from astrameter.statefile import state_directory

NAME = "control.sock"
OFF = "off"
SYSTEM = Path("/run/astrameter", NAME)
"""Where the daemon of the system has it (etc/systemd/astrameter.service)."""

_LONGEST = 107
"""What fits into ``sun_path`` (unix(7))."""


class PlaceError(Exception):
    """The socket cannot be there; the text says why, and how to mend it."""


def place() -> Kind[str]:
    """The kind of the option that says where: an absolute path, ``off``, or nothing."""

    def parse(raw: str) -> str:
        if raw.lower() == OFF:
            return OFF
        if raw and (not raw.startswith("/") or not _fits(raw)):
            raise ValueError(f"this is an absolute path of at most {_LONGEST} bytes, or {OFF}")
        return raw

    return Kind(parse, f"absolute path or {OFF}", inline_comments=False)


def socket_path(configured: str, environ: Mapping[str, str]) -> Path | None:
    """Where a daemon with this environment puts it; None: nowhere.

    What is configured, else ``$RUNTIME_DIRECTORY`` (systemd), else where its state is kept.
    """
    if configured:
        return None if configured == OFF else Path(configured)
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    directory = Path(runtime) if runtime else state_directory(environ)
    return None if directory is None else directory / NAME


def likely_paths(configured: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where whoever looks for a running daemon should try, the likeliest first."""
    mine = socket_path(configured, environ)
    if configured:
        return () if mine is None else (mine,)
    return tuple(dict.fromkeys(one for one in (mine, SYSTEM) if one is not None))


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """While this lasts, nobody else claims ``path``, and a socket can be bound there.

    A socket that a killed daemon has left behind is removed.

    :raises PlaceError: it cannot be there.
    """
    if not _fits(str(path)):
        raise PlaceError(f"{path} is longer than {_LONGEST} bytes: set [GENERAL] CONTROL_SOCKET")
    directory = path.parent
    handle = -1
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _check_directory(directory, os.fstat(handle))
        # Two daemons that start at once would both find a dead socket, and the second would
        # remove the living one of the first.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _make_room(path)
        yield
    except BlockingIOError:
        raise PlaceError(f"{directory} is in use by another daemon that starts") from None
    except OSError as error:
        raise PlaceError(f"{path} cannot be made: {error.strerror or error}") from None
    finally:
        if handle >= 0:
            os.close(handle)


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None when there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= _LONGEST


def _check_directory(directory: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise PlaceError(f"{directory} belongs to another user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PlaceError(
            f"others may write to {directory}: chmod go-w it, or set [GENERAL] CONTROL_SOCKET"
        )


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise PlaceError(f"{path} is no socket: remove it, or set [GENERAL] CONTROL_SOCKET")
    if found.st_uid != os.geteuid():
        raise PlaceError(f"{path} belongs to another user")
    if _is_alive(path):
        raise PlaceError(
            f"another daemon listens at {path}: stop it, or set [GENERAL] CONTROL_SOCKET"
        )
    path.unlink()


def _is_alive(path: Path) -> bool:
    """Whether somebody listens; a daemon that has just no time to answer does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        return sock.connect_ex(os.fsencode(path)) != errno.ECONNREFUSED
