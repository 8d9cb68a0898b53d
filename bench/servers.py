"""The servers under load: ``echo PORT``, ``pushed CONFIG``, ``http PORT``."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol
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


def main(what: str, argument: str) -> None:
    """Serve until killed."""
    use_monotonic_time(reactor)
    if what == "echo":
        reactor.listenUDP(int(argument), Echo(), interface="127.0.0.1")
    elif what == "http":
        reactor.listenTCP(int(argument), Site(Power()), interface="127.0.0.1")
    else:
        start(Appliance(reactor, load_file(argument, extra_kinds=[TICKING])))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
