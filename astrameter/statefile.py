"""A small file that survives a crash while it is written, and where such files may live."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

MAX_SIZE = 1 << 20

_READABLE_BY_OWNER = 0o600

_PERMIT = "let the user of the daemon do that, or set STATE_DIRECTORY to a directory of its own"
_ELSEWHERE = "set STATE_DIRECTORY to a directory"
_MENDS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EFBIG: "make room there",
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.EROFS: "mount it writable, or set STATE_DIRECTORY to a directory elsewhere",
    errno.ENOTDIR: _ELSEWHERE,
    errno.EEXIST: _ELSEWHERE,
    errno.EISDIR: "move that directory away",
    errno.EIO: "look after that disk",
}
"""What its owner can do about the commonest troubles."""


class StateError(Exception):
    """Something could not be kept or read back; the text says what and why."""


def state_directory(environ: Mapping[str, str]) -> Path | None:
    """Where the daemon may keep what survives a restart; None when there is no such place.

    ``$STATE_DIRECTORY`` (systemd), else ``$XDG_STATE_HOME`` or ``~/.local/state``.
    """
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    base = environ.get("XDG_STATE_HOME") or ""
    if not base and environ.get("HOME"):
        base = os.path.join(environ["HOME"], ".local", "state")
    return Path(base, "astrameter") if base else None


def read_file(path: Path) -> bytes | None:
    """What the file holds; None when there is no file.

    :raises StateError: it cannot be read or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {_said(error)}") from None
    if len(content) > MAX_SIZE:
        raise StateError(f"{path} is larger than {MAX_SIZE} bytes")
    return content


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file as a whole: after a crash or a power cut it is the old one or the new one.

    Returns when the new one is durable, which on an SD card takes a tenth of a second.

    :raises StateError: it cannot be written; the old one stays.
    """
    # One name for all attempts: what a crash leaves behind is overwritten, and never piles up.
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, _READABLE_BY_OWNER)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {_said(error)}") from None


def _said(error: OSError) -> str:
    mend = _MENDS.get(error.errno or 0)
    return f"{error.strerror}: {mend}" if mend else f"{error.strerror}"


def _sync_directory(directory: Path) -> None:
    """Make the new name durable; without this a power cut brings the old file back."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
