"""Typed events and the one bus they travel on.

The control path publishes; MQTT, web, metrics, journal and console subscribe. Publishing only
appends to bounded queues: no subscriber's code runs before the reactor's next turn, so none can
delay, break or re-enter an answer to a battery.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from astrameter.steering.trace import Decision, Outcome

E = TypeVar("E")

DELIVERIES_PER_TURN = 50
"""Events one subscriber is given before the reactor may do other work."""


class Subscription:
    """One subscriber: its queue, and what was lost because it was slow.

    :ivar dropped: events thrown away, oldest first, because the queue was full.
    :ivar failed: events whose handler raised or whose Deferred failed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        name: str,
        handler: Callable[[Any], Deferred[Any] | None],
        limit: int,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.failed = 0
        self._clock = clock
        self._handler = handler
        self._queue: deque[Any] = deque(maxlen=limit)
        self._scheduled: IDelayedCall | None = None
        self._busy = False
        self._closed = False

    def put(self, event: object) -> None:
        """Queue one event; the oldest makes room when the queue is full."""
        if len(self._queue) == self._queue.maxlen:
            if self.dropped == 0:
                self._log.warn("{name} is too slow: events are dropped", name=self.name)
            self.dropped += 1
        self._queue.append(event)
        self._wake()

    def close(self) -> None:
        """No more events; what is queued is thrown away."""
        self._closed = True
        self._queue.clear()
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _wake(self) -> None:
        if self._scheduled is None and not self._busy and self._queue:
            self._scheduled = self._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = None
        for _ in range(DELIVERIES_PER_TURN):
            if not self._queue or self._busy or self._closed:
                break
            self._hand_over(self._queue.popleft())
        self._wake()

    def _hand_over(self, event: object) -> None:
        try:
            result = self._handler(event)
        except Exception:  # noqa: BLE001  whatever an observer raises stays with the observer
            self._note_failure(Failure())
            return
        if isinstance(result, Deferred):
            self._busy = True
            result.addErrback(self._note_failure).addBoth(self._handled)

    def _handled(self, _result: object) -> None:
        self._busy = False
        self._wake()

    def _note_failure(self, failure: Failure) -> None:
        self.failed += 1
        if self.failed == 1:
            self._log.failure("{name} failed on an event", failure=failure, name=self.name)


class Bus:
    """Carries events from the control path to whoever observes it."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._by_type: dict[type[Any], tuple[Subscription, ...]] = {}

    def subscribe(
        self,
        event_type: type[E],
        handler: Callable[[E], Deferred[Any] | None],
        *,
        name: str,
        limit: int = 1000,
    ) -> Subscription:
        """Hand every event of exactly ``event_type`` to ``handler``, in order.

        A handler that returns a Deferred gets the next event when it has fired. ``limit``
        bounds the queue; when it is full the oldest event is dropped and counted.
        """
        subscription = Subscription(self._clock, name, handler, limit)
        self._by_type[event_type] = (*self._by_type.get(event_type, ()), subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop delivery; unknown subscriptions are ignored."""
        subscription.close()
        for event_type, subscriptions in self._by_type.items():
            self._by_type[event_type] = tuple(s for s in subscriptions if s is not subscription)

    @property
    def dropped(self) -> dict[str, int]:
        """Events thrown away because a subscriber was too slow, by its name."""
        found: dict[str, int] = {}
        for subscriptions in self._by_type.values():
            for one in subscriptions:
                found[one.name] = found.get(one.name, 0) + one.dropped
        return found

    def wants(self, event_type: type[Any]) -> bool:
        """Whether anybody listens: spares the control path from building the event."""
        return bool(self._by_type.get(event_type))

    def publish(self, event: object) -> None:
        """Queue ``event`` for its subscribers. Never raises, never runs their code."""
        for subscription in self._by_type.get(type(event), ()):
            subscription.put(event)


@dataclass(frozen=True, slots=True)
class MeterChanged:
    """A meter went from working to failed or back.

    :ivar error: why it failed; None when it works again.
    """

    section: str
    error: str | None


@dataclass(frozen=True, slots=True)
class MeterSwitched:
    """Of meters that stand in for each other, another one is used now.

    :ivar why: the error of the one before; empty when a better one is used again.
    """

    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class MetersDisagree:
    """Two meters of the same house have been showing different totals for a while.

    :ivar difference_w: how much more ``other`` shows than ``used``.
    """

    used: str
    other: str
    difference_w: float


@dataclass(frozen=True, slots=True)
class FailsafeChanged:
    """A meter has been away for so long that the fail-safe took over, or it is back.

    :ivar stage: ``power``, ``silent`` or ``hold``; None when the meter works again.
    """

    device_id: str
    section: str
    stage: str | None


@dataclass(frozen=True, slots=True)
class PollHeard:
    """A datagram that is to be answered came to the port of an emulated meter.

    For diagnosis: one for each poll, and for each search of a battery for a CT.
    """

    device_id: str
    port: int
    ip: str
    datagram: bytes


@dataclass(frozen=True, slots=True)
class PollRejected:
    """A datagram came to the port of an emulated meter and gets no answer.

    Rare in a healthy house, but anybody in the network can send any number of them.

    :ivar reason: one stable word. CT: a kind of :class:`~astrameter.ct.wire.FrameError`, or one
        of those in :mod:`astrameter.ct.emulator`. Shelly: a name of
        :class:`~astrameter.shelly.rpc.Rejection` in lower case, or one of those in
        :mod:`astrameter.shelly.responder`.
    :ivar datagram: its beginning, :data:`REJECTED_BYTES` at most.
    """

    device_id: str
    port: int
    ip: str
    datagram: bytes
    reason: str


REJECTED_BYTES = 512
"""A poll of a battery is far shorter; what is longer is not kept in queues."""


@dataclass(frozen=True, slots=True)
class CtAnswered:
    """A CT002/CT003 poll was answered (ct-protocol.md section 11.1).

    :ivar grid_power: the three readings before steering, watts.
    :ivar target: the three values sent, before rounding, watts.
    :ivar data: everything else of the table, by its names there.
    """

    device_id: str
    consumer_id: str
    grid_power: tuple[float, float, float]
    target: tuple[float, float, float]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SteeringDecided:
    """A battery was given an answer of its own, and why.

    :ivar before: what became of the answer before; None when there was none.
    """

    device_id: str
    consumer_id: str
    decision: Decision
    before: Outcome | None


@dataclass(frozen=True, slots=True)
class CtRemoved:
    """A battery fell silent and its record was swept."""

    device_id: str
    consumer_id: str


@dataclass(frozen=True, slots=True)
class ShellyAnswered:
    """A Shelly poll was answered (shelly.md section 6).

    :ivar grid_power: L1, L2, L3 of the unformatted reading, watts.
    :ivar poll_interval_s: smoothed gap between datagrams; None until the second.
    """

    device_id: str
    battery_ip: str
    grid_power: tuple[float, float, float]
    poll_interval_s: float | None
    battery_count: int
    last_seen: str


@dataclass(frozen=True, slots=True)
class ShellyRemoved:
    """A battery at a Shelly port has been silent for 120 s."""

    device_id: str
    battery_ip: str
