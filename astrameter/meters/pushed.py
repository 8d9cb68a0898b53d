"""What all meters that push share: they keep what came last, and wake who waits for more."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Sequence
from operator import itemgetter

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from astrameter.meters.interface import IMeter
from astrameter.reading import MeterError, Sample, sample_of

MAX_WAITING = 1000
"""Readers that may wait for one meter; more are answered at once with what is known."""

_by_deadline = itemgetter(0)


class Waiters:
    """Those who wait for the same event, each with its own patience, all on a single timer.

    The timer is set for the earliest deadline and left alone when the event comes: with a reading
    every second and a patience of two, it fires once in two seconds however many wait.
    """

    def __init__(self, clock: IReactorTime, limit: int = MAX_WAITING) -> None:
        self._clock = clock
        self._limit = limit
        self._waiting: deque[tuple[float, Deferred[None]]] = deque()
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0

    def wait(self, timeout_s: float) -> Deferred[None]:
        """Fire at the next event or quietly after ``timeout_s``; at once when too many wait."""
        if timeout_s <= 0 or len(self._waiting) >= self._limit:
            return succeed(None)
        deadline = self._clock.seconds() + timeout_s
        waiter: Deferred[None] = Deferred()
        if not self._waiting or deadline >= self._waiting[-1][0]:
            self._waiting.append((deadline, waiter))
        else:
            insort(self._waiting, (deadline, waiter), key=_by_deadline)
        if self._timer is None or deadline < self._timer_at:
            self._set_timer(deadline)
        return waiter

    def release(self) -> None:
        """The event has come: everybody who waits now goes on."""
        if self._waiting:
            waiting, self._waiting = self._waiting, deque()
            for _, waiter in waiting:
                waiter.callback(None)

    def stop(self) -> None:
        """Let everybody go and take the timer off the clock."""
        self._stop_timer()
        self.release()

    def _set_timer(self, deadline: float) -> None:
        self._stop_timer()
        self._timer_at = deadline
        self._timer = self._clock.callLater(
            max(0.0, deadline - self._clock.seconds()), self._time_out
        )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(self._waiting.popleft()[1])
        if self._waiting:
            self._set_timer(self._waiting[0][0])
        for waiter in due:
            waiter.callback(None)


class Values:
    """The last value of each of several streams, one a phase, with the time of its arrival."""

    def __init__(self, names: Sequence[str]) -> None:
        """:param names: of the streams, for messages."""
        self._names = tuple(names)
        self._values: list[tuple[float, float] | None] = [None] * len(self._names)

    def put(self, index: int, value: float, at: float) -> None:
        """Stream ``index`` brought ``value``, monotonic seconds ``at``."""
        self._values[index] = (value, at)

    def drop(self, index: int) -> None:
        """Stream ``index`` has no value any more."""
        self._values[index] = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the streams without a value."""
        return tuple(
            name for name, value in zip(self._names, self._values, strict=True) if value is None
        )

    def sample(self) -> Sample | None:
        """All values, as old as the oldest of them; None while one is missing.

        :raises MeterError: ``not_numeric`` when a value is not finite.
        """
        known = [value for value in self._values if value is not None]
        if len(known) < len(self._values) or not known:
            return None
        return sample_of([value for value, _ in known], min(at for _, at in known))


@implementer(IMeter)
class PushedMeter(Service):
    """Base of the meters that push (meters.md section 1).

    A subclass sets :attr:`connected`, and calls :meth:`arrived` for each complete reading; or
    :meth:`store` and :meth:`wake` where knowing and hearing of it are not the same.

    :ivar section: the configuration section.
    :ivar connections: how often the stream has come up.
    """

    def __init__(self, clock: IReactorTime, section: str, max_age_s: float | None = None) -> None:
        """:param max_age_s: older readings are refused; None: a reading is good until the next."""
        self.section = section
        self.connections = 0
        self._connected = False
        self._clock = clock
        self._max_age_s = max_age_s
        self._sample: Sample | None = None
        self._next = Waiters(clock)
        self._first = Waiters(clock)

    @property
    def connected(self) -> bool:
        """The stream is up."""
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        if connected and not self._connected:
            self.connections += 1
        self._connected = connected

    @property
    def online(self) -> bool | None:
        """The stream is up, every value has arrived, and none is too old."""
        return self.connected and self._sample is not None and not self._is_stale(self._sample)

    def read(self) -> Deferred[Sample]:
        sample = self._sample
        if sample is None:
            return fail(MeterError("no_data", self.absence()))
        if self._max_age_s is not None and self._is_stale(sample):
            age_s = self._clock.seconds() - sample.measured_at
            return fail(MeterError("stale", f"the last reading is {age_s:.0f} s old"))
        return succeed(sample)

    def first_sample(self, timeout_s: float) -> Deferred[None]:
        if self._sample is not None:
            return succeed(None)
        if not self.running:
            return fail(MeterError("no_data", self.absence()))
        return self._first.wait(timeout_s).addCallback(self._expect_sample)

    def next_sample(self, timeout_s: float) -> Deferred[None]:
        return self._next.wait(timeout_s) if self.running else succeed(None)

    def stopService(self) -> Deferred[None] | None:
        Service.stopService(self)
        self.connected = False
        self._first.stop()
        self._next.stop()
        return None

    # ------------------------------------------------------------------ for the subclasses

    def arrived(self, watts: Sequence[float], measured_at: float | None = None) -> None:
        """A complete reading came, watts; measured now unless the source knows better.

        :raises MeterError: ``not_numeric`` when a value is not finite; the old reading stays.
        """
        at = self._clock.seconds() if measured_at is None else measured_at
        self.store(sample_of(watts, at))
        self.wake()

    def store(self, sample: Sample | None) -> None:
        """What reads bring from now on; None: nothing is known."""
        self._sample = sample
        if sample is not None:
            self._first.release()

    def wake(self) -> None:
        """Something came that a waiting reader should not wait past."""
        self._next.release()

    def absence(self) -> str:
        """Why there is no reading, for the owner."""
        return "the meter has not sent anything yet"

    # ------------------------------------------------------------------ inside

    def _is_stale(self, sample: Sample) -> bool:
        limit_s = self._max_age_s
        return limit_s is not None and self._clock.seconds() - sample.measured_at > limit_s

    def _expect_sample(self, _waited: None) -> None:
        if self._sample is None:
            raise MeterError("no_data", self.absence())
