"""The servers under load: ``echo PORT``, ``pushed CONFIG``, ``http PORT``, ``modbus PORT``,
``publish PORT``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource
from twisted.web.server import Site

from astrameter.appliance import Appliance
from astrameter.config import load_file
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter
from astrameter.monotonic import use_monotonic_time
from astrameter.options import Section
from astrameter.services import start

PUSH_EVERY_S = 1.0

TOPIC = "home/power"
MESSAGES = 40_000
LAST_W = -77.0


class Echo(DatagramProtocol):
    """The least that Twisted can do with a datagram."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


@dataclass(frozen=True)
class BenchOptions(MeterOptions):
    """No options but those of every meter."""


class Ticking(PushedMeter):
    """Pushes a reading of its own making once a second."""

    def startService(self) -> None:
        super().startService()
        self._count = 0
        LoopingCall(self._tick).start(PUSH_EVERY_S)

    def _tick(self) -> None:
        self._count += 1
        self.arrived([300.0 + self._count % 50, -120.0, 80.0])


TICKING = MeterKind(
    Section("TICKING", BenchOptions, help="A meter for benches.", many=True),
    lambda clock, section, _options: Ticking(clock, section),
)


class Power(Resource):
    """A meter on HTTP."""

    isLeaf = True
    body = json.dumps({"watts": [300.0, -120.0, 80.0]}).encode()

    def render_GET(self, request: Any) -> bytes:
        return self.body


class Registers(Protocol):
    """A meter on Modbus TCP; requests of the bench come whole and one at a time."""

    def dataReceived(self, data: bytes) -> None:
        count = int.from_bytes(data[10:12], "big")
        body = bytes([data[6], data[7], 2 * count]) + b"\x00\x64" * count
        self.transport.write(data[:4] + len(body).to_bytes(2, "big") + body)


def publish(port: int) -> None:
    """Send messages to a broker as fast as it takes them; LAST_W is in the last one."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    print("connected", flush=True)
    for number in range(MESSAGES - 1):
        client.publish(TOPIC, str(100.0 + number % 50))
    client.publish(TOPIC, str(LAST_W), qos=1).wait_for_publish(30)
    client.loop_stop()


def main(what: str, argument: str) -> None:
    """Serve until killed."""
    if what == "publish":
        publish(int(argument))
        return
    use_monotonic_time(reactor)
    if what == "echo":
        reactor.listenUDP(int(argument), Echo(), interface="127.0.0.1")
    elif what == "http":
        reactor.listenTCP(int(argument), Site(Power()), interface="127.0.0.1")
    elif what == "modbus":
        reactor.listenTCP(int(argument), Factory.forProtocol(Registers), interface="127.0.0.1")
    else:
        start(Appliance(reactor, load_file(argument, extra_kinds=[TICKING])))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
