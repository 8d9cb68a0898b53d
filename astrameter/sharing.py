"""One read for any number of simultaneous readers."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from astrameter.reading import Sample


class SharedRead:
    """Joins readers that come while a read is under way; each gets the same result.

    A reader that is cancelled leaves; the read goes on for the others and is cancelled when
    the last one has left.
    """

    def __init__(self, start: Callable[[], Deferred[Sample]]) -> None:
        self._start = start
        self._running: Deferred[Sample] | None = None
        self._waiting: list[Deferred[Sample]] = []

    def read(self) -> Deferred[Sample]:
        reader: Deferred[Sample] = Deferred(self._leave)
        if self._running is None:
            running = self._running = self._start()
            self._waiting.append(reader)
            running.addBoth(self._deliver)
        else:
            self._waiting.append(reader)
        return reader

    def _deliver(self, result: Sample | Failure) -> None:
        readers, self._waiting = self._waiting, []
        self._running = None
        for reader in readers:
            if not reader.called:  # what one does with it may have cancelled another
                reader.callback(result)

    def _leave(self, reader: Deferred[Sample]) -> None:
        if reader in self._waiting:
            self._waiting.remove(reader)
        if not self._waiting and self._running is not None:
            self._running.cancel()
