"""One link to one or several devices, shared by all who read through it.

There is one request on the link at a time, because a serial line bears no more and many devices
on TCP do not either; others wait their turn. While the link is down every read fails at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, fail, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.backoff import Backoff
from astrameter.modbus.framing import Frame
from astrameter.modbus.links import Link
from astrameter.modbus.pdu import ModbusError, ReadRequest
from astrameter.modbus.wires import Wire

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0

QUEUE_LIMIT = 32
"""Requests that may wait; each reader has one at a time, so this is a number of sections."""

SILENT_AFTER = 3
"""Requests in a row without an answer, after which the connection may be half open."""

UNASKED_BYTES = 1 << 16
"""What may arrive since the last request without answering it."""

_MEANINGLESS_UNITS = frozenset({0, 255})
"""On TCP they mean the device itself, which may answer with its own number (MBTCP 4.4.2.2)."""


@dataclass(eq=False, slots=True)
class _Reading:
    """One request: waiting, or on the link."""

    unit: int
    request: ReadRequest
    timeout_s: float
    done: Deferred[tuple[int, ...]]
    timer: IDelayedCall

    def succeed(self, registers: tuple[int, ...]) -> None:
        self.timer.cancel()
        if not self.done.called:  # who asked may have gone
            self.done.callback(registers)

    def fail(self, kind: str, text: str) -> None:
        if self.timer.active():
            self.timer.cancel()
        if not self.done.called:
            self.done.errback(ModbusError(kind, text))


class ModbusSession:
    """Keeps a link open while somebody uses it, and reads registers through it.

    :ivar link: where to.
    """

    _log = Logger()

    def __init__(self, reactor: Any, link: Link, backoff: Backoff | None = None) -> None:
        self.link = link
        self._reactor = reactor
        self._backoff = backoff or Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._users = 0
        self._wire: Wire | None = None
        self._framing = link.framing()
        self._opening: Deferred[Any] | None = None
        self._closing: set[Deferred[None]] = set()
        self._retry: IDelayedCall | None = None
        self._trouble: tuple[str, str] | None = None
        self._down_since: float | None = None
        self._queue: deque[_Reading] = deque()
        self._current: _Reading | None = None
        self._pause: IDelayedCall | None = None
        self._quiet_at = 0.0
        self._resting: dict[int, float] = {}
        self._unanswered = 0
        self._renew_at = 0.0
        self._unasked_bytes = 0
        self._other_unit: int | None = None

    # ------------------------------------------------------------------ what others use

    def acquire(self) -> None:
        """Begin to use the link; the first user opens it."""
        self._users += 1
        if self._users == 1:
            self._open()

    def release(self) -> Deferred[None]:
        """End using the link; the last user closes it, and the Deferred fires when it is gone."""
        self._users -= 1
        if self._users == 0:
            self._stop()
        return gatherResults(list(self._closing)).addCallback(lambda _: None)

    def read(self, unit: int, request: ReadRequest, timeout_s: float) -> Deferred[tuple[int, ...]]:
        """The registers of device ``unit``, 0..65535 each.

        Waits at most ``timeout_s`` for its turn and as long for the answer. Fails with
        :class:`~astrameter.modbus.pdu.ModbusError`: ``connect``, ``timeout``, ``no_data`` (not in
        use), ``undecodable`` (no Modbus at all), and what
        :meth:`~astrameter.modbus.pdu.ReadRequest.registers` raises. May be cancelled.
        """
        refusal = self._refusal(unit)
        if refusal is not None:
            return fail(ModbusError(*refusal))
        done: Deferred[tuple[int, ...]] = Deferred(self._withdraw)
        timer = self._reactor.callLater(timeout_s, self._expire, done)
        self._queue.append(_Reading(unit, request, timeout_s, done, timer))
        self._advance()
        return done

    # ------------------------------------------------------------------ requests

    def _refusal(self, unit: int) -> tuple[str, str] | None:
        if self._users == 0:
            return "no_data", f"{self.link.shown} is not in use"
        if self._trouble is not None:
            return self._trouble
        if self._resting.get(unit, 0.0) > self._reactor.seconds():
            return "timeout", f"unit {unit} at {self.link.shown} has just failed to answer"
        if len(self._queue) >= QUEUE_LIMIT:
            return "timeout", f"too many reads wait for {self.link.shown}"
        return None

    def _withdraw(self, done: Deferred[Any]) -> None:
        """Who asked has gone. A request on its way keeps the link until its answer has come."""
        for reading in self._queue:
            if reading.done is done:
                reading.timer.cancel()
                self._queue.remove(reading)
                return

    def _expire(self, done: Deferred[Any]) -> None:
        if self._current is not None and self._current.done is done:
            self._give_up(self._current)
            return
        for reading in self._queue:
            if reading.done is done:
                self._queue.remove(reading)
                reading.fail(*self._why_waiting(reading))
                return

    def _why_waiting(self, reading: _Reading) -> tuple[str, str]:
        within = f"within {reading.timeout_s:g} s"
        if self._wire is None:
            return "connect", f"{self.link.shown} could not be connected {within}"
        return "timeout", f"{self.link.shown} was busy with others and not free {within}"

    def _advance(self) -> None:
        """Send the next request, if there is one and the link is free."""
        if self._current is not None or not self._queue:
            return
        if self._wire is None:
            if self._opening is None and self._retry is None:
                self._open()
            return
        wait_s = self._quiet_at - self._reactor.seconds()
        if wait_s > 0:
            if self._pause is None:
                self._pause = self._reactor.callLater(wait_s, self._go_on)
            return
        reading = self._current = self._queue.popleft()
        reading.timer.reset(reading.timeout_s)
        self._framing.reset()
        self._unasked_bytes = 0
        self._other_unit = None
        self._wire.send(self._framing.request(reading.unit, reading.request.encoded))

    def _go_on(self) -> None:
        self._pause = None
        self._advance()

    # ------------------------------------------------------------------ answers

    def received(self, wire: Wire, data: bytes) -> None:
        """Bytes arrived on the link."""
        self._quiet_at = self._reactor.seconds() + self.link.silence_s
        self._unasked_bytes += len(data)
        for frame in self._framing.feed(data):
            if wire is not self._wire:
                return  # closed by who got the last answer
            self._take(frame)
        if wire is not self._wire:
            return
        if self._framing.broken:
            self._end("undecodable", f"{self._framing.broken}; {self.link.hint}")
        elif self._unasked_bytes > UNASKED_BYTES:
            self._end("undecodable", f"sends what nobody asked for; {self.link.hint}")

    def _take(self, frame: Frame) -> None:
        reading = self._current
        if reading is None or not self._answers(frame, reading):
            return
        self._current = None
        self._unasked_bytes = 0
        self._unanswered = 0
        self._resting.pop(reading.unit, None)
        self._works()
        try:
            registers = reading.request.registers(frame.pdu)
        except ModbusError as error:
            reading.fail(error.kind, f"{self._name(reading)}: {error}")
        else:
            reading.succeed(registers)
        self._advance()

    def _answers(self, frame: Frame, reading: _Reading) -> bool:
        numbered = frame.transaction is not None
        if frame.transaction != self._framing.transaction:
            return False
        if frame.unit != reading.unit and not (numbered and reading.unit in _MEANINGLESS_UNITS):
            self._other_unit = frame.unit
            return False
        return numbered or reading.request.fits(frame.pdu)

    def _give_up(self, reading: _Reading) -> None:
        """There was no answer in time."""
        now = self._reactor.seconds()
        self._current = None
        self._unanswered += 1
        if self._framing.transaction is None:
            # Nothing tells a late answer from that to the next request, so there is none for a
            # while; a late answer of this unit cannot be taken for one of another.
            self._resting[reading.unit] = now + reading.timeout_s
        if self._framing.partial:
            self._end("timeout", "stopped in the middle of an answer", reading)
            return
        text = f"{self._name(reading)} did not answer within {reading.timeout_s:g} s"
        if self._unanswered >= SILENT_AFTER and now >= self._renew_at:
            self._renew_at = now + self._backoff.next_wait_s()
            self._down("does not answer")
            self._drop()
        reading.fail("timeout", text + self._clue())
        self._advance()

    def _clue(self) -> str:
        if self._other_unit is not None:
            return f"; unit {self._other_unit} answered instead, is UNIT_ID right?"
        if self._unasked_bytes:
            return f"; what arrived was no answer, {self.link.hint}"
        return ""

    def _name(self, reading: _Reading) -> str:
        return f"unit {reading.unit} at {self.link.shown}"

    # ------------------------------------------------------------------ the link

    def _open(self) -> None:
        self._retry = None
        opening = self._opening = maybeDeferred(self.link.open, self._reactor, self)
        opening.addCallbacks(self._opened, self._not_opened)

    def _opened(self, wire: Wire) -> None:
        self._opening = None
        self._wire = wire
        self._framing = self.link.framing()
        self._trouble = None
        self._unanswered = 0
        self._advance()

    def _not_opened(self, failure: Failure) -> None:
        self._opening = None
        if self._users:
            self._fail("connect", self.link.why(failure))

    def lost(self, wire: Wire, why: str) -> None:
        """The link ended by itself."""
        if wire is self._wire:
            self._end("connect", why)

    def _end(self, kind: str, why: str, reading: _Reading | None = None) -> None:
        """The link is of no use any more, for ``reading`` or the request that is on its way.

        Between two requests that is nothing: many devices close what is idle. It is opened again
        when it is needed.
        """
        self._drop()
        reading = reading or self._current
        if reading is None:
            self._advance()
        else:
            self._fail(kind, why, reading)

    def _fail(self, kind: str, why: str, reading: _Reading | None = None) -> None:
        """Nobody can be served until another attempt to open the link; it comes in a while."""
        text = f"{self.link.shown} {why}"
        self._trouble = (kind, text)
        self._down(why)
        self._retry = self._reactor.callLater(self._backoff.next_wait_s(), self._open)
        self._fail_all(kind, text, reading)

    def _fail_all(self, kind: str, text: str, first: _Reading | None) -> None:
        waiting = [first] if first is not None else []
        waiting += self._queue
        self._current = None
        self._queue.clear()
        for reading in waiting:
            reading.fail(kind, text)

    def _drop(self) -> None:
        """Close the wire; whatever is still to come from it is of no interest."""
        wire, self._wire = self._wire, None
        if wire is not None:
            closing = wire.close()
            self._closing.add(closing)
            closing.addBoth(lambda _: self._closing.discard(closing))

    def _stop(self) -> None:
        for call in (self._retry, self._pause):
            if call is not None:
                call.cancel()
        self._retry = self._pause = None
        if self._opening is not None:
            self._opening.cancel()
        self._drop()
        self._trouble = self._down_since = None
        self._resting.clear()
        self._backoff.reset()
        self._fail_all("no_data", f"{self.link.shown} is not in use any more", self._current)

    # ------------------------------------------------------------------ what the log says

    def _down(self, why: str) -> None:
        # Whoever reads says the same as a warning, and with the section's name.
        if self._down_since is None:
            self._down_since = self._reactor.seconds()
            self._log.info("{link} {why}; trying again", link=self.link.shown, why=why)

    def _works(self) -> None:
        """An answer came. Being connected alone proves nothing."""
        self._backoff.reset()
        if self._down_since is not None:
            self._log.info(
                "{link} answers again after {seconds:.0f} s",
                link=self.link.shown,
                seconds=self._reactor.seconds() - self._down_since,
            )
            self._down_since = None


_sessions: WeakValueDictionary[tuple[int, Link], ModbusSession] = WeakValueDictionary()


def shared_session(reactor: Any, link: Link) -> ModbusSession:
    """The session of ``link`` in this reactor's world, for as long as somebody holds it."""
    key = (id(reactor), link)
    session = _sessions.get(key)
    if session is None:
        session = _sessions[key] = ModbusSession(reactor, link)
    return session
