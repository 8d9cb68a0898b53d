"""A simulation in a virtual world, and a CT that says what it is told to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import decode, encode
from simulator.batteries.config import BatteryConfig
from simulator.configuration.model import BatterySetup, LoadSetup, Simulation
from simulator.running.simulation import RunningSimulation
from simulator.world import World

MAC, OTHER = "02B250000001", "02B250000002"
SITE, CT = "192.168.1.2", "192.168.1.3"
LOADS = (LoadSetup("Kettle", 900, "A"), LoadSetup("Fridge", 120, "C"))


class ScriptedCt(DatagramProtocol):
    """A bare CT002 server: every request is answered with these watts on phase A.

    :ivar heard: the requests and where they came from.
    :ivar silent: it does not answer.
    """

    noisy = False

    def __init__(self, watts: int = 0) -> None:
        self.watts = watts
        self.silent = False
        self.raw: bytes | None = None
        self.heard: list[tuple[bytes, tuple[str, int]]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.heard.append((datagram, addr))
        if not self.silent and self.transport is not None:
            self.transport.write(self.raw or self.answer(datagram), addr)

    def answer(self, datagram: bytes) -> bytes:
        device_type, mac, ct_type, ct_mac = decode(datagram)[:4]
        numbers = [self.watts, 0, 0, self.watts, 1, 0, 0, 0, -50, 0, *[0] * 10]
        return encode([ct_type, ct_mac, device_type, mac, *map(str, numbers)])

    def requests(self) -> list[list[str]]:
        return [decode(datagram) for datagram, _ in self.heard]


def battery(mac: str = MAC, **more: Any) -> BatterySetup:
    values: dict[str, Any] = {
        "phase": "A",
        "poll_interval_s": 1.0,
        "inspection_polls": 0,
        "startup_delay_s": 0.0,
        "duplicate_drop": False,
        "law": "classic",
        **more,
    }
    return BatterySetup(BatteryConfig(mac=mac, **values))


def setup(*batteries: BatterySetup, **more: Any) -> Simulation:
    values: dict[str, Any] = {
        "ct_host": CT,
        "base_load_w": (100, 0, 50),
        "base_noise_w": 0,
        "loads": LOADS,
        "seed": 1,
        **more,
    }
    return replace(Simulation(), batteries=batteries, **values)


class SimulationCase(SynchronousTestCase):
    """:ivar ct: listens where the batteries ask."""

    def setUp(self) -> None:
        self.world = World()
        self.site: Any = self.world.host(SITE)
        self.ct = ScriptedCt()
        self.world.host(CT).listenUDP(12345, self.ct)

    def simulate(self, *batteries: BatterySetup, **more: Any) -> RunningSimulation:
        """A simulation that runs until the test ends."""
        simulation = RunningSimulation(setup(*batteries, **more), self.site)
        simulation.startService()
        self.addCleanup(lambda: self.world.wait(simulation.stopService()))
        return simulation
