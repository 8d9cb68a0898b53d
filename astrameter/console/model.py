"""What the console shows of the appliance, and what it needs of whoever connects the two.

The console reaches the daemon through a :class:`Link`: over the control socket
(:class:`astrameter.console.links.SocketLink`), or inside the daemon itself
(:class:`astrameter.console.links.InnerLink`). Both speak the verbs of
:mod:`astrameter.controlsocket`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred

_MOST = 300
"""More meters or batteries than this are not shown."""

_LONGEST = 120


class LinkError(Exception):
    """Something was not done; ``str()`` is one line for people."""


class Link(Protocol):
    """The way to one daemon."""

    def start(
        self, told: Callable[[str, Mapping[str, Any]], None], state: Callable[[str | None], None]
    ) -> None:
        """Connect, and connect again whenever that is lost.

        :param told: takes the name of an event and its data; ``status`` about once a second while
            it changes, and those of :data:`astrameter.controlsocket.watching.EVENTS`.
        :param state: takes why there is no connection, or None when there is one again.
        """

    def request(self, verb: str, **args: Any) -> Deferred[Mapping[str, Any]]:
        """Ask for something.

        :raises LinkError: (as failure) it is refused, or there is no answer.
        """

    def stop(self) -> None:
        """Hang up; twice is harmless."""


@dataclass(frozen=True, slots=True)
class MeterView:
    """A configured meter.

    :ivar watts: each phase, + import; None before the first reading and while it fails.
    :ivar state: ``works``, ``fails`` or ``unread``.
    """

    section: str
    watts: tuple[float, ...] | None
    age_s: float | None
    error: str | None
    state: str
    reads: int
    failures: int


@dataclass(frozen=True, slots=True)
class BatteryView:
    """A battery that polls; powers + discharge, None where nothing is known.

    :ivar reading_w: the grid power that it was told last.
    :ivar target_w: what it is meant to deliver.
    :ivar interval_s: smoothed time between its polls.
    :ivar mode: ``auto``, ``manual``, ``inactive``, or empty where there is no steering.
    :ivar meter: the section of the meter that serves it.
    """

    id: str
    device: str
    port: int
    ip: str
    type: str
    phase: str
    power_w: float | None
    target_w: float | None
    reading_w: float | None
    age_s: float | None
    interval_s: float | None
    alive: bool
    mode: str
    manual_target_w: float
    weight: float
    active: bool
    auto: bool
    saturation: float
    meter: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """An emulated meter.

    :ivar active_control: it steers; None where there is nothing to steer.
    """

    type: str
    id: str
    port: int
    active_control: bool | None
    batteries: int
    answered: int
    dropped: int


@dataclass(frozen=True, slots=True)
class View:
    """The whole daemon at one moment."""

    version: str
    uptime_s: float
    meters: tuple[MeterView, ...]
    devices: tuple[DeviceView, ...]
    batteries: tuple[BatteryView, ...]

    @property
    def fleet_w(self) -> float:
        """What all batteries report together."""
        return sum(one.power_w or 0.0 for one in self.batteries)

    @property
    def grid(self) -> MeterView | None:
        """The meter whose reading is shown as the grid power: that of most batteries, else the
        first that works."""
        served = [one.meter for one in self.batteries if one.meter]
        working = [meter for meter in self.meters if meter.watts]
        if not working:
            return None
        return max(working, key=lambda meter: served.count(meter.section))


def view_of(document: Mapping[str, Any]) -> View:
    """Understand a status document; what is missing or odd in it is left out."""
    devices, batteries = [], []
    for said in _objects(document.get("devices")):
        device_id, port = _text(said.get("id")), int(_number(said.get("port")) or 0)
        found = [_battery(one, device_id, port) for one in _objects(said.get("batteries"))]
        control = said.get("active_control")
        devices.append(
            DeviceView(
                type=_text(said.get("type")),
                id=device_id,
                port=port,
                active_control=control if isinstance(control, bool) else None,
                batteries=len(found),
                answered=int(_number(said.get("answered")) or 0),
                dropped=int(_number(said.get("dropped")) or 0),
            )
        )
        batteries += sorted(found, key=lambda one: one.id)
    return View(
        version=_text(document.get("version")),
        uptime_s=_number(document.get("uptime_s")) or 0.0,
        meters=tuple(map(_meter, _objects(document.get("meters")))),
        devices=tuple(devices),
        batteries=tuple(batteries[:_MOST]),
    )


def _meter(said: Mapping[str, Any]) -> MeterView:
    watts = said.get("watts")
    numbers = [_number(one) for one in watts[:3]] if isinstance(watts, list | tuple) else []
    error = said.get("error")
    state = "fails" if error else ("works" if numbers else "unread")
    return MeterView(
        section=_text(said.get("section")),
        watts=tuple(one or 0.0 for one in numbers) or None,
        age_s=_number(said.get("age_s")),
        error=_text(error) or None,
        state=_text(said.get("state")) or state,
        reads=int(_number(said.get("reads")) or 0),
        failures=int(_number(said.get("failures")) or 0),
    )


def _battery(said: Mapping[str, Any], device: str, port: int) -> BatteryView:
    settings = said.get("settings")
    if not isinstance(settings, Mapping):
        settings = {}
    weight = _number(settings.get("distribution_weight"))
    return BatteryView(
        id=_text(said.get("id")),
        device=device,
        port=port,
        ip=_text(said.get("ip")),
        type=_text(said.get("type")),
        phase=_text(said.get("phase")),
        power_w=_number(said.get("power_w")),
        target_w=_number(said.get("target_w")),
        reading_w=_number(said.get("reading_w")),
        age_s=_number(said.get("age_s")),
        interval_s=_number(said.get("poll_interval_s")),
        alive=said.get("alive") is not False,
        mode=_text(said.get("mode")),
        manual_target_w=_number(settings.get("manual_target")) or 0.0,
        weight=1.0 if weight is None else weight,
        active=settings.get("active") is not False,
        auto=settings.get("auto_target") is not False,
        saturation=_number(said.get("saturation")) or 0.0,
        meter=_text(said.get("meter")),
    )


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list | tuple):
        return ()
    return [one for one in value[:_MOST] if isinstance(one, Mapping)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else "?" for c in value[:_LONGEST])
