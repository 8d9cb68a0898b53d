"""The UDP service that answers batteries as a Shelly meter (shelly.md section 5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.events import (
    REJECTED_BYTES,
    Bus,
    PollHeard,
    PollRejected,
    ShellyAnswered,
    ShellyRemoved,
)
from astrameter.metrics.counts import PollCounts
from astrameter.reading import NO_POWER, Sample
from astrameter.routing import Routes, ServingRoute
from astrameter.shelly import rpc
from astrameter.shelly.complaints import Complaints
from astrameter.shelly.presence import Arrival, Battery, Presence, Sighting
from astrameter.udp import Address, TimeAndUdp, UdpService

MAX_READING_PER_BATTERY = 16
MAX_READING = 1024
"""Requests that may wait for a meter at once; those above are dropped like lost datagrams."""

DUPLICATE = "duplicate"
OVERLOAD = "overload"
NO_METER = "no_meter"
METER_FAILED = "meter_failed"
"""Why a datagram gets no answer, besides the names of :class:`~astrameter.shelly.rpc.Rejection`."""

_CHECK_EVERY_S = 1.0


class ShellyProtocol(DatagramProtocol):
    """Answers the datagrams of one emulated meter.

    Never raises out of :meth:`datagramReceived`, and never answers what it cannot answer truly:
    a battery takes a made-up zero for real zero grid power.

    :ivar presence: the batteries that poll.
    :ivar counts: what became of the polls.
    """

    _log = Logger()
    noisy = False

    def __init__(
        self,
        clock: TimeAndUdp,
        device_id: str,
        port: int,
        dedupe_window_s: float,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self.device_id = device_id
        self.dedupe_window_s = dedupe_window_s
        self._clock = clock
        self._port = port
        self._routes = routes
        self._bus = bus
        self._wall_clock = wall_clock
        self.presence = Presence()
        self.counts = PollCounts()
        self._silence_check: IDelayedCall | None = None
        self._reading: set[Deferred[Any]] = set()
        self._complaints = Complaints(clock, port)

    def startProtocol(self) -> None:
        self._schedule_check()

    def stopProtocol(self) -> None:
        """The socket is closed: abandon what is under way."""
        if self._silence_check is not None:
            self._silence_check.cancel()
            self._silence_check = None
        for reading in list(self._reading):
            reading.cancel()

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        now = self._clock.seconds()
        sighting = self.presence.seen(addr[0], now)
        if sighting.arrival is not None:
            self._arrived(sighting, sighting.arrival)
        battery = sighting.battery
        if now - battery.handled_at < self.dedupe_window_s:
            self._tell_rejected(DUPLICATE, datagram, addr)
            return
        request = rpc.parse(datagram)
        if isinstance(request, rpc.Rejection):
            self._complaints.rejected(battery.ip, request)
            self._tell_rejected(request.name.lower(), datagram, addr)
            if request not in rpc.WELL_FORMED:
                return
        if battery.reading >= MAX_READING_PER_BATTERY or len(self._reading) >= MAX_READING:
            self._complaints.overloaded(battery.ip, len(self._reading))
            self._tell_rejected(OVERLOAD, datagram, addr)
            return
        if isinstance(request, rpc.Request):
            battery.handled_at = now
        route = self._routes.find(battery.ip)
        if route is None:
            if battery.served and self._complaints.not_served(battery.ip):
                battery.served = False
            if isinstance(request, rpc.Request):
                self._tell_rejected(NO_METER, datagram, addr)
            return
        battery.served = True
        if isinstance(request, rpc.Request) and self._bus.wants(PollHeard):
            self._bus.publish(PollHeard(self.device_id, self._port, addr[0], datagram))
        self._read(route, request, battery, addr, now)

    def _read(
        self,
        route: ServingRoute,
        request: rpc.Request | rpc.Rejection,
        battery: Battery,
        addr: Address,
        received_at: float,
    ) -> None:
        def failed(failure: Failure) -> None:
            if failure.check(CancelledError) is None:
                self.counts.drop(METER_FAILED)
                self._complaints.meter_failed(route.section, failure)

        def ended(_result: object) -> None:
            battery.reading -= 1
            self._reading.discard(reading)

        reading: Deferred[Any] = maybeDeferred(route.read)
        battery.reading += 1
        self._reading.add(reading)
        reading.addCallback(self._answer, route.section, request, battery, addr, received_at)
        reading.addErrback(failed).addBoth(ended)

    def _answer(
        self,
        sample: Sample,
        section: str,
        request: rpc.Request | rpc.Rejection,
        battery: Battery,
        addr: Address,
        received_at: float,
    ) -> None:
        """Raises MeterError when the sample cannot be shown."""
        if isinstance(request, rpc.Rejection):
            return
        reply = rpc.reply(request, self.device_id, sample)
        self._complaints.meter_works(section)
        if self.transport is None:
            return
        try:
            self.transport.write(reply, addr)
        except OSError as error:
            self._complaints.cannot_send(battery.ip, error)
            return
        self.counts.answered.add(self._clock.seconds() - received_at)
        if self._bus.wants(ShellyAnswered):
            self._bus.publish(
                ShellyAnswered(
                    self.device_id,
                    battery.ip,
                    NO_POWER if len(sample.watts) in (0, 2) else sample.phases,
                    battery.poll_interval_s,
                    self.presence.count,
                    self._wall_clock().isoformat(),
                )
            )

    def _tell_rejected(self, reason: str, datagram: bytes, addr: Address) -> None:
        self.counts.drop(reason)
        if self._bus.wants(PollRejected):
            kept = datagram[:REJECTED_BYTES]
            self._bus.publish(PollRejected(self.device_id, self._port, addr[0], kept, reason))

    def _arrived(self, sighting: Sighting, arrival: Arrival) -> None:
        displaced = sighting.displaced
        if displaced is not None and displaced.active:
            self._bus.publish(ShellyRemoved(self.device_id, displaced.ip))
        if displaced is None or self._complaints.crowded():
            self._log.info(
                "battery {ip} {arrival} at Shelly port {port}",
                ip=sighting.battery.ip,
                arrival=arrival.value,
                port=self._port,
            )
        if self._silence_check is None:
            self._schedule_check()

    def _schedule_check(self) -> None:
        silent_at = self.presence.next_silent_at()
        if silent_at is None:
            self._silence_check = None
            return
        wait_s = max(_CHECK_EVERY_S, silent_at - self._clock.seconds())
        self._silence_check = self._clock.callLater(wait_s, self._check_silence)

    def _check_silence(self) -> None:
        self.check_presence()
        self._schedule_check()

    def check_presence(self) -> None:
        """Report the batteries that have fallen silent, each once."""
        for battery in self.presence.sweep(self._clock.seconds()):
            self._log.info(
                "battery {ip} at Shelly port {port} is inactive", ip=battery.ip, port=self._port
            )
            self._bus.publish(ShellyRemoved(self.device_id, battery.ip))


class ShellyResponder(UdpService):
    """One emulated Shelly meter: a UDP port that batteries poll.

    :param device_id: what batteries see as ``src``, like ``shellypro3em-ec4609c439c1``.
    :param dedupe_window_s: requests of one IP closer than this are ignored; 0, negative or not
        finite is off.
    :param wall_clock: the present time, aware, in UTC.
    """

    def __init__(
        self,
        reactor: TimeAndUdp,
        device_id: str,
        port: int,
        dedupe_window_s: float,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
        interface: str = "0.0.0.0",
    ) -> None:
        self.protocol = ShellyProtocol(
            reactor, device_id, port, _window(dedupe_window_s), routes, bus, wall_clock
        )
        super().__init__(reactor, port, self.protocol, interface)

    def reconfigure(
        self, *, device_id: str | None = None, dedupe_window_s: float | None = None
    ) -> None:
        """Change what is given from the next datagram on; socket and batteries stay."""
        if device_id is not None:
            self.protocol.device_id = device_id
        if dedupe_window_s is not None:
            self.protocol.dedupe_window_s = _window(dedupe_window_s)


def _window(seconds: float) -> float:
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
