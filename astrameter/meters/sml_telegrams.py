"""Cuts SML telegrams out of a stream of bytes (meters.md section 20.1).

A telegram begins with an escape sequence and a start mark, ends with an escape sequence, an end
mark, the number of fill bytes and a checksum; in between four 1B are doubled.
"""

from __future__ import annotations

import re

from smllib.crc import kermit, x25

MAX_TELEGRAM = 50 * 1024
"""Bytes; the predecessor's limit. Telegrams of meters have a few hundred."""

_ESCAPE = b"\x1b\x1b\x1b\x1b"
_START = _ESCAPE + b"\x01\x01\x01\x01"
_TAIL = 3
"""Bytes behind the end mark: number of fill bytes, checksum."""

# Doubled, an end or start mark is content.
_END = re.compile(rb"(?<!\x1b{4})\x1b{4}\x1a")
_END_LENGTH = 5
_REAL_START = re.compile(rb"(?<!\x1b{4})\x1b{4}\x01{4}")


class Telegrams:
    """Collects bytes until telegrams are complete; finds the next one after any garbage.

    :ivar damaged: how many ends arrived without a telegram in front of them that was whole.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; returns the contents of the telegrams that it completes.

        A content is what stands between the marks, without fill bytes and with nothing doubled.
        """
        found = []
        self._buffer += data
        while (end := self._next_end()) is not None:
            content = content_of(bytes(self._buffer[:end]))
            if content is None:
                self.damaged += 1
                # It may have broken off here, and what follows be the next one.
                self._drop(end - _TAIL)
            else:
                found.append(content)
                self._drop(end)
        self._bound()
        return found

    def _next_end(self) -> int | None:
        """Where the first telegram ends; None when that is still to come."""
        found = _END.search(self._buffer, self._searched)
        if found is None:
            self._searched = max(0, len(self._buffer) - _END_LENGTH + 1)
            return None
        end = found.end() + _TAIL
        self._searched = found.start()
        return end if end <= len(self._buffer) else None

    def _bound(self) -> None:
        excess = len(self._buffer) - MAX_TELEGRAM
        if excess > 0:
            self._drop(excess)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = max(0, self._searched - count)


def content_of(ended: bytes) -> bytes | None:
    """The content of the telegram that ends with ``ended``; None when there is none intact.

    Behind a telegram that broke off, or behind noise that looks doubled, there may be several
    start marks; the checksum decides.
    """
    for start in _starts(ended):
        telegram = ended[start:]
        if len(telegram) >= len(_START) + _END_LENGTH + _TAIL and _is_intact(telegram):
            filled = telegram[-_TAIL]
            content = telegram[len(_START) : -(_END_LENGTH + _TAIL + filled)]
            return content.replace(_ESCAPE + _ESCAPE, _ESCAPE)
    return None


def _starts(ended: bytes) -> list[int]:
    marks = [found.start() for found in _REAL_START.finditer(ended)]
    starts = {ended.rfind(_START), *marks[-1:]}
    return sorted(starts - {-1}, reverse=True)


def _is_intact(telegram: bytes) -> bool:
    """Whether the checksum is right: X-25, or Kermit's as some meters of Holley have it."""
    body, sent = telegram[:-2], int.from_bytes(telegram[-2:], "big")
    return sent in (x25.get_crc(body), kermit.get_crc(body))
