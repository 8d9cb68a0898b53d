"""Reading files that decide who may come in: only when nobody else could have written them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileRefusedError(Exception):
    """A file is not to be trusted or cannot be read; the text says which, why and the mend."""


class FileMissingError(FileRefusedError):
    """There is no such file."""


def read_guarded(path: Path, forbidden: int, mend: str, limit: int) -> bytes:
    """What the file holds.

    :param forbidden: bits of the mode that must not be set.
    :param mend: the mode that is right, as chmod wants it.
    :param limit: bytes.
    :raises FileMissingError: there is no such file.
    :raises FileRefusedError: it is too open, somebody else's, no ordinary file, or too large.
    """
    try:
        # A pipe under this name would otherwise hold up the whole daemon.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise FileMissingError(f"{path} does not exist") from None
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise FileRefusedError(f"{path} is no ordinary file")
        _check_owner(path, status)
        if status.st_mode & forbidden:
            raise FileRefusedError(
                f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):o}): "
                f"chmod {mend} {path}"
            )
        _check_directory(path)
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise FileRefusedError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise FileRefusedError(f"{path} is larger than {limit} bytes")
    return content


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise FileRefusedError(
            f"{path} belongs to another user (id {status.st_uid}): chown it to root or to the "
            f"user that this runs as (id {os.geteuid()})"
        )


def _check_directory(path: Path) -> None:
    """Whoever may write the directory may put another file in this one's place."""
    directory = path.resolve().parent
    try:
        mode = directory.stat().st_mode
    except OSError as error:
        raise FileRefusedError(f"{directory} cannot be examined: {error.strerror}") from None
    if mode & WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
        raise FileRefusedError(
            f"the directory {directory} can be written by others "
            f"(mode {stat.S_IMODE(mode):o}): chmod go-w {directory}"
        )
