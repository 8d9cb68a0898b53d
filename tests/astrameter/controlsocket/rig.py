"""What the tests of the control socket stand on: the daemon, with sockets of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from astrameter.appliance import Appliance
from astrameter.config import load_text
from astrameter.controlsocket.connection import Connection
from astrameter.controlsocket.server import ControlFactory
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.options import Section
from astrameter.reading import Sample, sample_of
from tests.astrameter.ct.rig import BATTERY, Caller
from tests.doubles import FakeUDPReactor, StubMeter

CT_PORT = 12345
DEVICE = "house"
SECTION = "METER"

_CONFIG = """
[GENERAL]
DEVICE_TYPE = {devices}
DEVICE_IDS = house, shop
SKIP_POWERMETER_TEST = yes
ENABLE_WEB_SERVER = no
[CT002]
{ct}
[CT003]
UDP_PORT = 12346
[METER]
"""


class Meter(StubMeter):
    """Its samples are as old as the test says."""

    def __init__(self, clock: FakeUDPReactor) -> None:
        super().__init__([0.0], SECTION)
        self.age_s = 0.4
        self._clock = clock

    def _result(self, reading: Any) -> Deferred[Sample]:
        if isinstance(reading, Exception) or reading == "error":
            return super()._result(reading)
        return succeed(sample_of(list(reading), self._clock.seconds() - self.age_s))


@dataclass(frozen=True)
class _Options(MeterOptions):
    """None of its own."""


class Transport(StringTransport):
    """A client's end that knows whether it was thrown out."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True


class Client:
    """One connection to the daemon."""

    def __init__(self, factory: ControlFactory) -> None:
        self.protocol: Connection = factory.buildProtocol(None)
        self.transport = Transport()
        self.protocol.makeConnection(self.transport)

    def take(self) -> list[dict[str, Any]]:
        """What came since the last call."""
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    def say(self, line: bytes) -> list[dict[str, Any]]:
        """Send a line; what came since the last call."""
        self.protocol.dataReceived(line + b"\n")
        return self.take()

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        """The whole answer to a request."""
        (answer,) = self.say(json.dumps({"id": 7, "verb": verb, "args": args}).encode())
        assert answer["id"] == 7
        return answer

    def result(self, verb: str, **args: Any) -> Any:
        """What a request that is followed gives."""
        answer = self.ask(verb, **args)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, verb: str, **args: Any) -> tuple[str, str]:
        """Kind and text of the refusal of one that is not."""
        error = self.ask(verb, **args)["error"]
        return error["kind"], error["text"]

    def leave(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class Daemon:
    """The appliance on a clock of its own."""

    def __init__(
        self,
        ct: str = "",
        devices: str = "ct002",
        uid_of: Callable[[Any], int] = lambda _transport: os.geteuid(),
    ) -> None:
        self.clock = FakeUDPReactor(1000.0)
        self.meter = Meter(self.clock)
        section = Section(SECTION, _Options, help="The test's.")
        kind = MeterKind(section, lambda _reactor, _section, _options: self.meter)
        text = _CONFIG.format(ct=ct, devices=devices)
        settings = load_text(text, "config.ini", extra_kinds=[kind])
        self.appliance = Appliance(self.clock, settings)
        desk = self.appliance.control.factory._desk
        self.factory = ControlFactory(self.clock, desk, uid_of)
        self.appliance.startService()

    def client(self) -> Client:
        """One that has been greeted."""
        client = Client(self.factory)
        client.take()
        return client

    def poll(self, caller: Caller = BATTERY, seconds: float = 1.0, port: int = CT_PORT) -> None:
        """A battery asks, ``seconds`` after what was before."""
        self.clock.advance(seconds)
        self.clock.deliver(port, caller.datagram, caller.address)

    def stop(self) -> None:
        done = self.appliance.stopService()
        self.clock.advance(0)
        self.clock.advance(0)
        assert done.called
