"""``GET /events``: the status, pushed once a second and after each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from simulator.control import SiteControl

MOST_CLIENTS = 32

MOST_SKIPPED = 60
"""A client that has not read for so many events, about a minute, has gone without a word."""


@implementer(IPushProducer)
class EventStream:
    """One client. While it does not read, events are left out, and the newest follows later."""

    def __init__(self, request: Any, gone: Callable[[EventStream], None]) -> None:
        self._request = request
        self._gone = gone
        self._open = True
        self._paused = False
        self._missed: bytes | None = None
        self._skipped = 0

    def start(self) -> None:
        request = self._request
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-cache")
        request.notifyFinish().addBoth(self._finished)
        request.registerProducer(self, True)
        request.write(b": astra-sim\n\n")

    def send(self, event: bytes) -> None:
        """Push an event, or keep it until the client reads again."""
        if self._paused:
            self._missed = event
            self._skipped += 1
            if self._skipped > MOST_SKIPPED:
                self._request.channel.forceAbortClient()
        elif self._open:
            self._request.write(event)

    def close(self) -> None:
        """End the stream in an orderly way."""
        if self._open:
            self._open = False
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._skipped = 0
        missed, self._missed = self._missed, None
        if missed is not None:
            self.send(missed)

    def stopProducing(self) -> None:
        self._open = False

    def _finished(self, _result: Failure | None) -> None:
        self._open = False
        self._gone(self)


class Streams:
    """All clients of ``/events``; the status is written out once for all of them."""

    def __init__(self, control: SiteControl, encoded: Callable[[], bytes]) -> None:
        """:param encoded: the present status as one line of JSON."""
        self._control = control
        self._encoded = encoded
        self._clients: dict[EventStream, None] = {}
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        return len(self._clients) >= MOST_CLIENTS

    def add(self, request: http.Request) -> None:
        """Begin to push to a client."""
        stream = EventStream(request, self._gone)
        self._clients[stream] = None
        if self._unsubscribe is None:
            self._unsubscribe = self._control.subscribe(self._push)
        stream.start()

    def close(self) -> None:
        """End all streams."""
        for stream in list(self._clients):
            stream.close()

    def _gone(self, stream: EventStream) -> None:
        self._clients.pop(stream, None)
        if not self._clients and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _push(self) -> None:
        event = b"event: status\ndata: " + self._encoded() + b"\n\n"
        for stream in list(self._clients):
            stream.send(event)
