"""Makes the emulated meters of their specifications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.responder import CtResponder
from astrameter.devices import DeviceSpec
from astrameter.events import Bus, SteeringDecided
from astrameter.routing import Routes
from astrameter.steering.controller import Steering
from astrameter.steering.trace import Trace
from astrameter.web.status import BatteryStatus

if TYPE_CHECKING:
    from astrameter.metrics.figures import DeviceFigures
    from astrameter.shelly.responder import ShellyResponder


class Emulator(Protocol):
    """One emulated meter on its UDP port, whatever its kind."""

    spec: DeviceSpec

    @property
    def service(self) -> CtResponder | ShellyResponder: ...

    def accepts(self, spec: DeviceSpec) -> bool:
        """Whether :meth:`configure` can turn it into ``spec``: same kind, same port."""

    def configure(self, spec: DeviceSpec) -> None:
        """Become ``spec`` from the next datagram on; socket and batteries stay."""

    def batteries(self, now: float) -> Sequence[BatteryStatus]:
        """Who polls it."""

    def figures(self, now: float) -> DeviceFigures:
        """What there is to count and measure."""


class CtEmulator:
    """An emulated CT002 or CT003 with its controller.

    :ivar trace: why it answers what it answers.
    """

    def __init__(
        self,
        reactor: Any,
        spec: DeviceSpec,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
        debug_status: bool,
    ) -> None:
        options = _ct_options(spec)
        self.spec = spec
        self._debug_status = debug_status
        self._bus = bus
        self.trace = Trace(told=self._decided)
        self._controller = Steering(options, self.trace)
        self.ct = EmulatedCt(spec.ct_type, options, spec.dedupe_window_s, self._controller)
        self.service = CtResponder(
            reactor, spec.device_id, spec.udp_port, self.ct, routes, bus, wall_clock
        )
        self._configure_protocol(spec)

    def accepts(self, spec: DeviceSpec) -> bool:
        return spec.ct is not None and spec.udp_port == self.spec.udp_port

    def configure(self, spec: DeviceSpec) -> None:
        options = _ct_options(spec)
        self._controller.configure(options)
        self.ct.configure(spec.ct_type, options, spec.dedupe_window_s)
        self._configure_protocol(spec)
        self.spec = spec

    def batteries(self, now: float) -> Sequence[BatteryStatus]:
        return [
            {
                "id": c.consumer_id,
                "type": c.device_type,
                "phase": c.phase if c.phase in "ABCD" else "",
                "power_w": c.power_w,
                "reading_w": self._controller.last_reading_w(c.consumer_id),
                "age_s": now - c.reported_at,
            }
            for c in self.ct.fleet
        ]

    def figures(self, now: float) -> DeviceFigures:
        from astrameter.metrics.figures import BatteryFigures, DeviceFigures  # noqa: PLC0415

        controller = self._controller
        batteries = [
            BatteryFigures(
                c.consumer_id,
                c.power_w,
                controller.intent_w(c.consumer_id),
                controller.last_reading_w(c.consumer_id),
                controller.saturation(c.consumer_id),
                now - c.reported_at,
            )
            for c in self.ct.fleet
            if c.poll_interval_s is not None  # a single stray poll is no battery yet
        ]
        counts = self.service.protocol.counts
        spec, steers = self.spec, self.ct.active_control
        return DeviceFigures(spec.type, spec.device_id, counts, batteries, steers)

    def _decided(self, consumer_id: str) -> None:
        if self._bus.wants(SteeringDecided) and (latest := self.trace.latest(consumer_id)):
            self._bus.publish(SteeringDecided(self.spec.device_id, consumer_id, *latest))

    def _configure_protocol(self, spec: DeviceSpec) -> None:
        protocol = self.service.protocol
        protocol.device_id = spec.device_id
        protocol.debug_status = _ct_options(spec).debug_status or self._debug_status


class ShellyEmulator:
    """An emulated Shelly meter."""

    def __init__(
        self,
        reactor: Any,
        spec: DeviceSpec,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
    ) -> None:
        # A house whose batteries ask a CT is spared it.
        from astrameter.shelly.responder import ShellyResponder  # noqa: PLC0415

        self.spec = spec
        self.service = ShellyResponder(
            reactor, spec.device_id, spec.udp_port, spec.dedupe_window_s, routes, bus, wall_clock
        )

    def accepts(self, spec: DeviceSpec) -> bool:
        return spec.ct is None and spec.udp_port == self.spec.udp_port

    def configure(self, spec: DeviceSpec) -> None:
        self.service.reconfigure(device_id=spec.device_id, dedupe_window_s=spec.dedupe_window_s)
        self.spec = spec

    def batteries(self, now: float) -> Sequence[BatteryStatus]:
        return [
            {
                "id": one.ip,
                "type": "",
                "phase": "",
                "power_w": None,
                "reading_w": None,
                "age_s": now - one.seen_at,
            }
            for one in self.service.protocol.presence.active()
        ]

    def figures(self, now: float) -> DeviceFigures:
        from astrameter.metrics.figures import BatteryFigures, DeviceFigures  # noqa: PLC0415

        protocol = self.service.protocol
        batteries = [
            BatteryFigures(one.ip, None, None, None, None, now - one.seen_at)
            for one in protocol.presence.active()
        ]
        return DeviceFigures(self.spec.type, self.spec.device_id, protocol.counts, batteries)


def _ct_options(spec: DeviceSpec) -> CtOptions:
    if spec.ct is None:
        raise ValueError(f"{spec.type} is no CT")
    return spec.ct
