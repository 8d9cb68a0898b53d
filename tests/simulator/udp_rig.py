"""Two hosts, and a UDP protocol that notes what happens to it."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase

from simulator.world import HostReactor, World

Datagram = tuple[bytes, tuple[str, int]]


class Ear(DatagramProtocol):
    """Notes what it hears, and what happens to it."""

    def __init__(self) -> None:
        self.heard: list[Datagram] = []
        self.events: list[str] = []

    def startProtocol(self) -> None:
        self.events.append("start")

    def stopProtocol(self) -> None:
        self.events.append("stop")

    def connectionRefused(self) -> None:
        self.events.append("refused")

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append((datagram, addr))


class UdpCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.meter = self.world.host("192.168.1.10")
        self.battery = self.world.host("192.168.1.20")

    def ear(self, host: HostReactor, port: int, interface: str = "", **options: Any) -> Ear:
        ear = Ear()
        host.listenUDP(port, ear, interface, **options)
        return ear
