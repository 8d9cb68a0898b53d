"""One client at the control socket, as the daemon sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.controlsocket import wire
from astrameter.controlsocket.wire import MAX_REQUEST, ControlError, Lines, Request

STUCK_S = 20.0
"""How long a client may leave what it was sent unread; Twisted holds 64 KiB back by then."""

IDLE_S = 900.0
"""How long a client that does not watch may be silent."""

MOST_EVENTS = 200
"""How many events wait for a client that reads slowly; the oldest are dropped and counted."""


class House(Protocol):
    """What a connection needs of the daemon."""

    @property
    def verbs(self) -> tuple[str, ...]: ...
    @property
    def version(self) -> str: ...

    def refusal(self, connection: Connection) -> ControlError | None:
        """Why this client is not served; None when it is."""

    def answer(self, request: Request, connection: Connection) -> Mapping[str, Any]:
        """Do what it wants; raises ControlError."""

    def settled(self, verb: str) -> Deferred[bool] | None:
        """Fires when what was just ordered survives a crash; None when nothing was ordered."""

    def left(self, connection: Connection) -> None:
        """It is gone."""

    def stuck(self, connection: Connection) -> None:
        """It is about to be thrown out because it does not read."""


@implementer(IPushProducer)
class Connection(StreamProtocol):
    """Answers the requests of one client, and sends it what it watches.

    :ivar missed: events that were dropped because it reads slowly.
    """

    transport: Any
    _log = Logger()

    def __init__(self, clock: IReactorTime, house: House) -> None:
        self.missed = 0
        self._clock = clock
        self._house = house
        self._lines = Lines(MAX_REQUEST)
        self._greeted = False
        self._full = False
        self._holding = False
        self._ended = False
        self._asked: deque[bytes] = deque()
        self._events: deque[bytes] = deque()
        self._told_missed = 0
        self._call: IDelayedCall | None = None
        self._idle: IDelayedCall | None = None

    # ------------------------------------------------------------------------ the stream

    def connectionMade(self) -> None:
        refused = self._house.refusal(self)
        if refused is not None:
            self._end(wire.refusal(None, refused))
            return
        self._greeted = True
        self.transport.registerProducer(self, True)
        self._idle = self._clock.callLater(IDLE_S, self._bored)
        self._send(wire.encode(wire.hello(self._house.version, self._house.verbs)))

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        if self._idle is not None:
            self._idle.reset(IDLE_S)
        try:
            self._asked.extend(self._lines.feed(data))
        except ControlError as error:
            self._end(wire.refusal(None, error))
            return
        self._work()

    def _work(self) -> None:
        """Answer what was asked, as long as the answers are read: they are longer."""
        while self._asked and not (self._full or self._holding or self._ended):
            line = self._asked.popleft()
            answer = self._answered(line) if line.strip() else None
            if answer is not None:
                self._send(answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ended = True
        self._events.clear()
        self._asked.clear()
        for call in (self._call, self._idle):
            if call is not None and call.active():
                call.cancel()
        self._house.left(self)

    # ------------------------------------------------------------------------- requests

    def _answered(self, line: bytes) -> bytes | None:
        """The answer; None when it is held back until what was ordered survives a crash."""
        number = None
        try:
            document = wire.decode(line)
            number = wire.number_of(document)
            request = wire.request_of(document)
            found = self._house.answer(request, self)
            settled = self._house.settled(request.verb)
            if settled is None or getattr(settled, "result", None) is True:
                return wire.encode(wire.result(number, found))
            self._holding = True
            settled.addCallback(self._settled, number, found)
            return None
        except ControlError as error:
            return wire.encode(wire.refusal(number, error))
        except Exception:  # noqa: BLE001  a defect costs one answer, not the daemon
            self._log.failure("a request at the control socket failed")
            broken = ControlError("broken", "the daemon could not do it: see its log")
            return wire.encode(wire.refusal(number, broken))

    def _settled(self, durable: bool, number: int | str | None, found: Mapping[str, Any]) -> None:
        self._holding = False
        if self._ended:
            return
        told = found if durable else {**found, "durable": False}
        self._send(wire.encode(wire.result(number, told)))
        self._work()

    # ---------------------------------------------------------------------- what it watches

    @property
    def full(self) -> bool:
        """It does not read at present: a status for it would be stale when it does."""
        return self._full

    def tell(self, line: bytes) -> None:
        """Send it an event, at once or when it reads again."""
        if not self._full:
            self._send(line)
            return
        if len(self._events) >= MOST_EVENTS:
            self._events.popleft()
            self.missed += 1
        self._events.append(line)

    def pauseProducing(self) -> None:
        """What was written piles up: wait until it has been read, and take nothing more."""
        if self._full:
            return
        self._full = True
        self.transport.pauseProducing()
        self._call = self._clock.callLater(STUCK_S, self._throw_out)

    def resumeProducing(self) -> None:
        self._full = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.transport.resumeProducing()
        if self.missed > self._told_missed:
            missed, self._told_missed = self.missed - self._told_missed, self.missed
            self._send(wire.encode(wire.event("missed", {"events": missed})))
        while self._events and not self._full:
            self._send(self._events.popleft())
        self._work()

    def stopProducing(self) -> None:
        """The connection is lost; connectionLost follows."""

    # ------------------------------------------------------------------------- the end

    def close(self) -> None:
        """The daemon stops."""
        if not self._ended:
            self._ended = True
            if self._greeted:
                self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _throw_out(self) -> None:
        self._call = None
        self._house.stuck(self)
        self._abort()

    def _bored(self) -> None:
        self._idle = None
        self._abort()

    def _abort(self) -> None:
        self._ended = True
        self.transport.abortConnection()

    def keep(self) -> None:
        """It watches: its silence is no reason to close."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end(self, document: dict[str, Any]) -> None:
        self._send(wire.encode(document))
        self.close()

    def _send(self, line: bytes) -> None:
        self.transport.write(line)
