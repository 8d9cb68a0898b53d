"""Server-sent events as a client reads them: bytes in, the data of each event out."""

from __future__ import annotations

LONGEST_EVENT = 4 << 20
"""Bytes; a thousand batteries take half a megabyte."""


class EventTooLongError(Exception):
    """More came than any event has."""


class EventParser:
    """Keeps what is not yet complete, and no more of it than :data:`LONGEST_EVENT`."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._kept = 0

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that are complete now; comments and other fields are left out.

        :raises EventTooLongError: when one does not end.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        found = []
        for line in lines:
            text = line.rstrip(b"\r")
            if not text:
                if self._data:
                    found.append(b"\n".join(self._data))
                self._data, self._kept = [], 0
            elif text.startswith(b"data:"):
                self._data.append(text[5:].removeprefix(b" "))
                self._kept += len(text)
        if self._kept + len(self._rest) > LONGEST_EVENT:
            raise EventTooLongError(f"an event is longer than {LONGEST_EVENT} bytes")
        return found
