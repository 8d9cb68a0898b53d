"""The documents themselves, in memory: which there are, and which of two is the newer one.

Each has the time of its last change. Where two copies meet, in a file and in Redis, the newer
one counts; so a change that was made while Redis was away is not undone when it is back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, ItemsView, Mapping
from dataclasses import dataclass
from typing import Any

from astrameter.statefile import StateError

Document = dict[str, Any]
"""A JSON object."""

MAX_KEY = 200
MAX_DOCUMENT = 8 << 10
MAX_TOTAL = 512 << 10
"""Characters: of one key, of one document, of all together. A house needs some kilobytes."""

_FARTHEST_MS = 1 << 43  # the year 2248


@dataclass(frozen=True, slots=True)
class Entry:
    """One document.

    :ivar changed_ms: when it was last changed, Unix milliseconds.
    :ivar text: the document as compact JSON.
    """

    changed_ms: int
    text: str

    @property
    def document(self) -> Document:
        """A copy of the document."""
        found: Document = json.loads(self.text)
        return found


class Entries:
    """All documents by key.

    :param now_ms: the present time, Unix milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._entries: dict[str, Entry] = {}
        self._latest_ms = 0
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def items(self) -> ItemsView[str, Entry]:
        return self._entries.items()

    def put(self, key: str, document: Mapping[str, Any]) -> bool:
        """Change a document; False when it is the same already.

        :raises StateError: it is no JSON, or too long.
        """
        text = text_of(document)
        before = self._entries.get(key)
        if before is not None and before.text == text:
            return False
        # Later than anything known, also when the clock of the wall was put back.
        now_ms = self._now_ms()
        changed_ms = max(now_ms if now_ms < _FARTHEST_MS else 0, self._latest_ms + 1)
        self._set(key, Entry(changed_ms, text))
        return True

    def take(self, key: str, entry: Entry) -> bool:
        """Take an entry from another copy if it is newer than ours; tells whether it was.

        :raises StateError: it is too long.
        """
        before = self._entries.get(key)
        if before is not None and before.changed_ms >= entry.changed_ms:
            return False
        self._set(key, entry)
        return before is None or before.text != entry.text

    def _set(self, key: str, entry: Entry) -> None:
        try:
            key.encode()
        except UnicodeEncodeError:
            raise StateError(f"{key!r} is no text") from None
        before = self._entries.get(key)
        size = self._size + len(entry.text)
        size += len(key) if before is None else -len(before.text)
        if len(key) > MAX_KEY or len(entry.text) > MAX_DOCUMENT or size > MAX_TOTAL:
            raise StateError(f"{key[:MAX_KEY]!r} is not kept: that would be too much")
        self._size = size
        self._latest_ms = max(self._latest_ms, entry.changed_ms)
        self._entries[key] = entry


def text_of(document: Mapping[str, Any]) -> str:
    """A document as compact JSON.

    :raises StateError: it is none.
    """
    try:
        return json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StateError(f"this is no JSON document: {error}") from None


def entry_of(changed_ms: object, document: object) -> Entry | None:
    """What somebody else has written, as an entry; None when it is none.

    A time of the far future would win for ever, so it counts as none: the oldest.
    """
    if isinstance(changed_ms, bool) or not isinstance(changed_ms, int):
        return None
    if not isinstance(document, dict):
        return None
    known_ms = changed_ms if 0 <= changed_ms < _FARTHEST_MS else 0
    try:
        return Entry(known_ms, text_of(document))
    except StateError:
        return None
