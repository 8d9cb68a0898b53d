"""Virtual time: a queue of events that run in the order of time, ties in the order scheduled."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

INSTANT_MAX = 1_000_000
"""So many events without time moving on are an endless loop, not a busy moment."""

_CALLED = -1
_CANCELLED = -2
_COMPACT_FROM = 64


class StalledError(Exception):
    """Something schedules itself at the present instant for ever."""


@implementer(IDelayedCall)
class DelayedCall:
    """A timer, made by :meth:`Timeline.call_later`.

    It is represented in the queue by one entry. Moving it later leaves the entry where it is
    until its time has come; moving it earlier or cancelling it makes the entry stale.
    """

    __slots__ = (
        "_args",
        "_at",
        "_func",
        "_kwargs",
        "_order",
        "_queued",
        "_queued_at",
        "_timeline",
        "owner",
    )

    def __init__(
        self,
        timeline: Timeline,
        owner: object,
        at: float,
        order: int,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.owner = owner
        self._timeline = timeline
        self._at = self._queued_at = at
        self._order = self._queued = order
        self._func: Callable[..., object] | None = func
        self._args = args
        self._kwargs = kwargs

    def getTime(self) -> float:
        """When it runs, seconds of virtual time."""
        return self._at

    def active(self) -> bool:
        return self._order >= 0

    def cancel(self) -> None:
        self._check()
        self._order = _CANCELLED
        self._func = None
        self._args = ()
        self._kwargs = {}
        self._timeline.note_stale()

    def reset(self, secondsFromNow: float) -> None:
        """Run so many seconds from now instead; negative means as soon as possible."""
        self._check()
        self._timeline.move(self, self._timeline.now + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        """Run so many seconds later than planned; negative means earlier."""
        self._check()
        self._timeline.move(self, self._at + secondsLater)

    def _check(self) -> None:
        if self._order == _CALLED:
            raise AlreadyCalled
        if self._order == _CANCELLED:
            raise AlreadyCancelled

    def __repr__(self) -> str:
        state = {_CALLED: "called", _CANCELLED: "cancelled"}.get(self._order, "pending")
        what = getattr(self._func, "__qualname__", repr(self._func))
        return f"<DelayedCall at {self._at:.3f} s {state}: {what}>"


class Timeline:
    """The present, and all that is still to happen.

    Its queue has two kinds of entries: ``(time, order, DelayedCall)``, which can be cancelled
    and moved, and ``(time, order, None, function, arguments)``, which is lighter.

    :ivar now: seconds of virtual time; read only.
    :ivar errors: how many callbacks have raised.
    """

    _log = Logger()

    def __init__(self, start_s: float) -> None:
        self.now = start_s
        self.errors = 0
        self._queue: list[tuple[Any, ...]] = []
        self._order = count()
        self._stale = 0
        self._running = False

    def call_later(
        self,
        owner: object,
        delay_s: float,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> DelayedCall:
        """Schedule a call that can be cancelled.

        :raises ValueError: when the delay is negative or not finite.
        :raises TypeError: when ``func`` cannot be called.
        """
        if not 0.0 <= delay_s < math.inf:
            raise ValueError(f"a delay is 0 or more seconds, not {delay_s}")
        if not callable(func):
            raise TypeError(f"{func!r} cannot be called")
        at = self.now + delay_s
        order = next(self._order)
        call = DelayedCall(self, owner, at, order, func, args, kwargs)
        heappush(self._queue, (at, order, call))
        return call

    def post(self, delay_s: float, func: Callable[..., object], *args: Any) -> None:
        """Schedule what is never cancelled: the world's own events."""
        heappush(self._queue, (self.now + delay_s, next(self._order), None, func, args))

    def post_at(self, at: float, func: Callable[..., object], *args: Any) -> None:
        """As :meth:`post`, at a time that is not in the past."""
        heappush(self._queue, (at, next(self._order), None, func, args))

    def move(self, call: DelayedCall, at: float) -> None:
        """Give a pending call another time; it queues up behind what that time already has."""
        at = max(at, self.now)
        call._at = at
        call._order = next(self._order)
        if at < call._queued_at:
            self._enqueue(call)
            self.note_stale()

    def pending(self, owner: object | None = None) -> list[DelayedCall]:
        """The calls that are still to run, the next first; of all owners or of one."""
        calls = [
            entry[2]
            for entry in self._queue
            if entry[2] is not None
            and entry[2]._queued == entry[1]
            and entry[2]._order >= 0
            and (owner is None or entry[2].owner is owner)
        ]
        return sorted(calls, key=lambda call: (call._at, call._order))

    def run(self, until: float, limit: int = -1) -> int:
        """Run the events up to and including the time ``until``, or ``limit`` of them.

        Time is left at the last event. Returns how many ran.

        :raises StalledError: when events at one instant do not come to an end.
        """
        if self._running:
            raise RuntimeError("time is already running: it cannot be advanced from an event")
        self._running = True
        try:
            return self._run(until, limit)
        finally:
            self._running = False

    def run_until(self, until: float) -> None:
        """Run all events up to and including the time ``until``, and leave time there.

        :raises ValueError: when that is in the past or not finite.
        """
        if not self.now <= until < math.inf:
            raise ValueError(f"cannot go from {self.now} s to {until} s")
        self.run(until)
        self.now = until

    def _run(self, until: float, limit: int) -> int:
        queue = self._queue
        ran = started = 0
        while ran != limit and queue and queue[0][0] <= until:
            entry = heappop(queue)
            call = entry[2]
            if call is not None:
                if call._order != entry[1]:
                    self._skip(call, entry[1])
                    continue
                call._order = _CALLED
            if entry[0] != self.now:
                self.now = entry[0]
                started = ran
            elif ran - started > INSTANT_MAX:
                raise StalledError(
                    f"no end of events at {self.now} s; the last was {call or entry[3]}"
                )
            ran += 1
            try:
                if call is None:
                    entry[3](*entry[4])
                else:
                    call._func(*call._args, **call._kwargs)
            except Exception:  # noqa: BLE001  as in a reactor, no callback may stop time
                self.note_error()
        return ran

    def note_error(self, failure: Failure | None = None) -> None:
        """Log and count a failure; None means the exception that is being handled."""
        self.errors += 1
        self._log.failure("Unhandled error at {now:.3f} s of virtual time", failure, now=self.now)

    def note_stale(self) -> None:
        """One more entry of the queue is void; throw such entries out when they dominate."""
        self._stale += 1
        queue = self._queue
        if self._stale > _COMPACT_FROM and self._stale * 2 > len(queue):
            queue[:] = [
                entry
                for entry in queue
                if entry[2] is None or (entry[2]._queued == entry[1] and entry[2]._order >= 0)
            ]
            heapify(queue)
            self._stale = 0

    def _skip(self, call: DelayedCall, order: int) -> None:
        if call._order >= 0 and call._queued == order:
            self._enqueue(call)
        else:
            self._stale -= 1

    def _enqueue(self, call: DelayedCall) -> None:
        call._queued = call._order
        call._queued_at = call._at
        heappush(self._queue, (call._at, call._order, call))
