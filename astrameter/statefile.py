"""A small JSON file that survives a crash while it is written."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_SIZE = 1 << 20


class StateError(Exception):
    """The file could not be read or written; the text names it and says why."""


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


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty when there is no file.

    :raises StateError: it cannot be read, is too large, or holds no JSON object.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        if len(content) > MAX_SIZE:
            raise StateError(f"{path} is larger than {MAX_SIZE} bytes; move it away")
        found = json.loads(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StateError(f"{path} cannot be used: {error}") from None
    if not isinstance(found, dict):
        raise StateError(f"{path} holds no JSON object; move it away")
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file as a whole: after a crash it is the old one or the new one.

    :raises StateError: it cannot be written; the old one stays.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise StateError(f"{path} cannot be written: {error}") from None
