"""Hears what comes to the emulated meters, and to the ports of those that are not emulated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol

from astrameter.ct.options import DEFAULT_PORT
from astrameter.devices import SHELLY_PORTS, DeviceSpec
from astrameter.doctor.datagrams import Speech
from astrameter.doctor.hearing import Hearing
from astrameter.doctor.ports import EVERYWHERE
from astrameter.events import Bus, CtAnswered, PollHeard, PollRejected, ShellyAnswered
from astrameter.udp import Address

KNOWN_PORTS = (*SHELLY_PORTS.values(), DEFAULT_PORT)
"""Where batteries look for a meter."""


class Ears:
    """Everything by which batteries are heard.

    :ivar hearing: what was heard.
    :ivar deaf: ports of meters that are not emulated, at which listening was not possible.
    """

    def __init__(self, reactor: Any, bus: Bus, devices: Sequence[DeviceSpec]) -> None:
        self.hearing = Hearing()
        self.deaf: list[int] = []
        self._reactor = reactor
        self._ports_of: dict[str, list[int]] = {}
        for device in devices:
            self._ports_of.setdefault(device.device_id, []).append(device.udp_port)
        self._others = [p for p in KNOWN_PORTS if p not in {d.udp_port for d in devices}]
        self._open: list[IListeningPort] = []
        bus.subscribe(PollHeard, self._heard, name="doctor")
        bus.subscribe(PollRejected, self._rejected, name="doctor")
        bus.subscribe(CtAnswered, self._ct_answered, name="doctor")
        bus.subscribe(ShellyAnswered, self._shelly_answered, name="doctor")

    def open(self) -> None:
        """Listen at the ports of the meters that are not emulated, without ever answering."""
        for port in self._others:
            protocol = _Silent(self._reactor, port, self.hearing)
            try:
                listening = self._reactor.listenUDP(port, protocol, interface=EVERYWHERE)
            except CannotListenError:
                self.deaf.append(port)
            else:
                self._open.append(listening)

    async def close(self) -> None:
        """Stop listening there."""
        closing, self._open = self._open, []
        for listening in closing:
            await maybeDeferred(listening.stopListening)

    def _heard(self, event: PollHeard) -> None:
        self.hearing.heard(event.port, event.ip, event.datagram, self._reactor.seconds())

    def _rejected(self, event: PollRejected) -> None:
        now = self._reactor.seconds()
        self.hearing.heard(event.port, event.ip, event.datagram, now, event.reason)

    def _ct_answered(self, event: CtAnswered) -> None:
        ip = event.data["battery_ip"]
        # A battery without a MAC is known by its address instead.
        mac = "" if event.consumer_id.startswith(f"{ip}:") else event.consumer_id
        self._answered(event.device_id, ip, Speech.CT, mac)

    def _shelly_answered(self, event: ShellyAnswered) -> None:
        self._answered(event.device_id, event.battery_ip, Speech.SHELLY, "")

    def _answered(self, device_id: str, ip: str, speech: Speech, mac: str) -> None:
        now = self._reactor.seconds()
        for port in self._ports_of.get(device_id, ()):
            self.hearing.answered(port, ip, speech, mac, now)


class _Silent(DatagramProtocol):
    """Listens at the port of a meter that is not emulated."""

    noisy = False

    def __init__(self, clock: Any, port: int, hearing: Hearing) -> None:
        self._clock = clock
        self._port = port
        self._hearing = hearing

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        self._hearing.heard(self._port, addr[0], datagram, self._clock.seconds())
