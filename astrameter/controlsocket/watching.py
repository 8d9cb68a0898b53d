"""What clients that watch are told: the status when it has changed, and events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from astrameter.controlsocket import wire
from astrameter.controlsocket.connection import Connection
from astrameter.controlsocket.wire import ControlError
from astrameter.events import (
    Bus,
    CtRemoved,
    FailsafeChanged,
    MeterChanged,
    MetersDisagree,
    MeterSwitched,
    ShellyRemoved,
    SteeringDecided,
    Subscription,
)

EVERY_S = 1.0

EVENTS: Mapping[type[Any], str] = {
    MeterChanged: "meter_changed",
    MeterSwitched: "meter_switched",
    MetersDisagree: "meters_disagree",
    FailsafeChanged: "failsafe_changed",
    CtRemoved: "battery_removed",
    ShellyRemoved: "battery_removed",
}
"""The events of the bus that are passed on, by their names on the socket."""

Handler = Callable[[Any], None]

_KINDS = ("status", "events", "decisions")


@dataclass
class _Wish:
    """What one client watches.

    :ivar shown: what was the same in the last status it was sent.
    """

    status: bool = True
    events: bool = True
    decisions: bool = False
    shown: object = None


class Watching:
    """All clients that watch; costs nothing while there are none.

    :param status: the document, as it is now.
    """

    def __init__(
        self,
        clock: IReactorTime,
        bus: Bus,
        status: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._status = status
        self._wishes: dict[Connection, _Wish] = {}
        self._call: IDelayedCall | None = None
        self._subscriptions: dict[str, list[Subscription]] = {}

    def __len__(self) -> int:
        return len(self._wishes)

    def begin(self, connection: Connection, args: Mapping[str, Any]) -> None:
        """From now on; a second time replaces what it watches.

        :raises ControlError: there is no such thing to watch.
        """
        for name, value in args.items():
            if name not in _KINDS or not isinstance(value, bool):
                wanted = ", ".join(_KINDS)
                raise ControlError("bad_request", f"watch takes {wanted}: each true or false")
        self._wishes[connection] = _Wish(**args)
        connection.keep()
        self._listen()
        if self._call is None:
            self._call = self._clock.callLater(0, self._tick)

    def end(self, connection: Connection) -> None:
        """No more."""
        if self._wishes.pop(connection, None) is not None:
            self._listen()
        if not self._wishes and self._call is not None:
            self._call.cancel()
            self._call = None

    def _listen(self) -> None:
        """Have of the bus what somebody watches, and nothing else."""
        wishes = self._wishes.values()
        events = any(wish.events for wish in wishes)
        self._observe("events", events, dict.fromkeys(EVENTS, self._tell_event))
        decisions = any(wish.decisions for wish in wishes)
        self._observe("decisions", decisions, {SteeringDecided: self._tell_decision})

    def _observe(self, what: str, wanted: bool, handlers: Mapping[type[Any], Handler]) -> None:
        if wanted == (what in self._subscriptions):
            return
        if wanted:
            self._subscriptions[what] = [
                self._bus.subscribe(kind, told, name="control socket")
                for kind, told in handlers.items()
            ]
            return
        for one in self._subscriptions.pop(what):
            self._bus.unsubscribe(one)

    def _tell_event(self, happened: Any) -> None:
        line = wire.encode(wire.event(EVENTS[type(happened)], dataclasses.asdict(happened)))
        self._tell(line, [c for c, wish in self._wishes.items() if wish.events])

    def _tell_decision(self, happened: SteeringDecided) -> None:
        from astrameter.controlsocket.explaining import decided  # noqa: PLC0415  memory

        line = wire.encode(wire.event("decision", decided(happened)))
        self._tell(line, [c for c, wish in self._wishes.items() if wish.decisions])

    def _tell(self, line: bytes, connections: Sequence[Connection]) -> None:
        for connection in connections:
            connection.tell(line)

    def _tick(self) -> None:
        self._call = self._clock.callLater(EVERY_S, self._tick)
        wanting = [(c, w) for c, w in self._wishes.items() if w.status and not c.full]
        if not wanting:
            return
        document = self._status()
        shown = _lasting(document, self._clock.seconds())
        line = b""
        for connection, wish in wanting:
            if wish.shown != shown:
                wish.shown = shown
                line = line or wire.encode(wire.event("status", document))
                connection.tell(line)


def _lasting(document: Any, now: float) -> Any:
    """The same without the passing of time: ages become the moments that they count from."""
    if isinstance(document, Mapping):
        return {
            key: round(now - value, 1)
            if key.endswith("age_s") and isinstance(value, int | float)
            else _lasting(value, now)
            for key, value in document.items()
            if key != "uptime_s"
        }
    if isinstance(document, list | tuple):
        return [_lasting(one, now) for one in document]
    return document
