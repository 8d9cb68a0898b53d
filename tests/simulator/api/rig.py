"""The API of a simulation in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from simulator.api.server import ApiServer
from simulator.configuration.model import Simulation
from simulator.running.local import LocalControl
from simulator.running.simulation import RunningSimulation
from tests.simulator.running.rig import MAC, OTHER, battery, setup

__all__ = ["MAC", "OTHER", "Answer", "ApiCase"]


class ClosableTransport(StringTransport):
    """Notes being cut."""

    def abortConnection(self) -> None:
        self.aborting = True
        self.loseConnection()


class Answer:
    """What came back.

    :ivar code: of HTTP.
    :ivar json: the body; None when it is no JSON.
    """

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.code = int(lines[0].split()[1])
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.decode("latin-1").partition(":") for line in lines[1:])
        }
        try:
            self.json: Any = json.loads(self.body)
        except ValueError:
            self.json = None


class ApiCase(SynchronousTestCase):
    host = "127.0.0.1"

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.ended = 0
        self.simulation = RunningSimulation(self.site(), self.reactor)
        self.control = LocalControl(self.simulation, self.reactor, self.end)
        self.server = ApiServer(
            self.control,
            self.simulation.power_now,
            self.simulation.status,
            self.reactor,
            self.host,
            8080,
        )
        self.control.startService()
        self.server.startService()
        self.addCleanup(self.close)

    def site(self) -> Simulation:
        return setup(battery(), battery(OTHER, max_dc_input_w=800.0), ct_host="127.0.0.1")

    def close(self) -> None:
        self.control.stopService()
        self.server.stopService()
        self.reactor.advance(2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def end(self) -> None:
        self.ended += 1

    def connect(self) -> tuple[Any, ClosableTransport]:
        """A connection, to be fed with bytes."""
        factory = self.reactor.tcpServers[0][1]
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000))
        transport = ClosableTransport()
        protocol.makeConnection(transport)
        self.addCleanup(self.hang_up, protocol)
        return protocol, transport

    def hang_up(self, protocol: Any) -> None:
        from twisted.internet.error import ConnectionDone  # noqa: PLC0415
        from twisted.python.failure import Failure  # noqa: PLC0415

        protocol.connectionLost(Failure(ConnectionDone()))

    def raw(self, request: bytes) -> bytes:
        protocol, transport = self.connect()
        protocol.dataReceived(request)
        return transport.value()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request and its answer."""
        given = {"host": "localhost:8080", **{k.replace("_", "-"): v for k, v in headers.items()}}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in given.items()
        )
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        return Answer(self.raw(head.encode() + b"\r\n" + (body or b"")))

    def post(self, path: str, body: object = None) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        return self.ask("POST", path, content)
