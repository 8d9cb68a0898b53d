"""What the file of the store looks like: JSON that its owner can read and mend."""

from __future__ import annotations

import json
from collections.abc import Iterable

from astrameter.statefile import StateError
from astrameter.store.entries import Entry, entry_of

VERSION = 1
"""Raised whenever an older release would misread the file."""

_FORMAT = "astrameter_state"


class NewerFileError(StateError):
    """A later release has written the file."""


class BrokenFileError(StateError):
    """The file is not what we write."""


def encode(entries: Iterable[tuple[str, Entry]]) -> bytes:
    """The content of the file."""
    listed = {
        key: {"changed_ms": entry.changed_ms, "value": entry.document}
        for key, entry in sorted(entries)
    }
    content = {_FORMAT: VERSION, "entries": listed}
    return json.dumps(content, indent=1).encode("ascii") + b"\n"


def decode(content: bytes) -> tuple[dict[str, Entry], int]:
    """The entries of a file, and how many were left out because they are none.

    :raises NewerFileError: a later release has written it.
    :raises BrokenFileError: it is something else.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(f"it is no JSON ({error})") from None
    version = found.get(_FORMAT) if isinstance(found, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BrokenFileError(f"it has no {_FORMAT!r}")
    if version > VERSION:
        raise NewerFileError(f"it has version {version}, and this release knows {VERSION}")
    listed = found.get("entries")
    if not isinstance(listed, dict):
        raise BrokenFileError("it has no 'entries'")
    entries = {}
    for key, one in listed.items():
        if isinstance(one, dict):
            entry = entry_of(one.get("changed_ms"), one.get("value"))
            if entry is not None:
                entries[key] = entry
    return entries, len(listed) - len(entries)
