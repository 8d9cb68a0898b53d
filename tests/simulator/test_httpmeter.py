"""The simulated meter over HTTP: simulator.md section 7."""

from __future__ import annotations

import json

from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, readBody
from zope.interface.verify import verifyObject

from simulator.gridmeter import GridMeter
from simulator.httpmeter import HttpMeter

POWER = (120.04, -120.0, 60.0)


class Abortable(StringTransport):
    def abortConnection(self) -> None:
        self.loseConnection()


class InMemory(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(100.0)
        self.meter = HttpMeter(GridMeter(lambda _now: POWER), self.reactor, 8080)

    def exchange(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer."""
        factory = self.reactor.tcpServers[0][1]
        channel: Protocol = factory.buildProtocol(None)
        transport = Abortable()
        channel.makeConnection(transport)
        channel.dataReceived(request)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head, body

    def start(self) -> None:
        self.reactor.listenTCP = self.listen
        self.meter.startService()
        self.addCleanup(self.stop)

    def listen(self, port: int, factory: object, interface: str = "") -> object:
        return MemoryReactorClock.listenTCP(self.reactor, port, factory, interface=interface)

    def stop(self) -> None:
        if self.meter.running:
            self.successResultOf(self.meter.stopService())
