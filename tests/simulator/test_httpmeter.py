"""The simulated meter over HTTP: simulator.md section 7."""

from __future__ import annotations

import json

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from simulator.gridmeter import GridMeter
from simulator.httpmeter import HttpMeter

POWER = (120.04, -120.0, 60.0)
SHOWN = {"phase_a": 120.0, "phase_b": -120.0, "phase_c": 60.0}


class InMemory(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.advance(100.0)
        self.asked_at: list[float] = []
        meter = HttpMeter(GridMeter(self.truth), self.reactor, 8080)
        meter.startService()
        self.addCleanup(meter.stopService)

    def truth(self, now: float) -> tuple[float, float, float]:
        self.asked_at.append(now)
        return POWER

    def exchange(self, method: bytes, path: bytes) -> tuple[list[bytes], bytes]:
        """Status line and headers, and the body of the answer."""
        port, factory, _, interface = self.reactor.tcpServers[0]
        self.assertEqual((port, interface), (8080, "127.0.0.1"))
        connection = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50_000))
        transport = StringTransport()
        connection.makeConnection(transport)
        request = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (method, path)
        connection.dataReceived(request)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head.split(b"\r\n"), body

    def test_power_is_json_with_a_number_for_each_phase(self) -> None:
        head, body = self.exchange(b"GET", b"/power")
        self.assertEqual(head[0], b"HTTP/1.1 200 OK")
        self.assertIn(b"Content-Type: application/json; charset=utf-8", head)
        self.assertEqual(json.loads(body), SHOWN)

    def test_it_is_read_at_the_time_of_the_injected_clock(self) -> None:
        self.exchange(b"GET", b"/power")
        self.reactor.advance(7.0)
        self.exchange(b"GET", b"/power?again")
        self.assertEqual(self.asked_at, [100.0, 107.0])

    def test_other_paths_do_not_exist(self) -> None:
        for path in (b"/", b"/status", b"/power.json"):
            self.assertEqual(self.exchange(b"GET", path)[0][0], b"HTTP/1.1 404 Not Found")

    def test_other_methods_are_not_allowed(self) -> None:
        head, _ = self.exchange(b"POST", b"/power")
        self.assertEqual(head[0], b"HTTP/1.1 405 Method Not Allowed")
        self.assertTrue(any(line.startswith(b"Allow: ") for line in head), head)


class OverSockets(TestCase):
    async def test_served_while_it_runs_and_then_no_more(self) -> None:
        meter = HttpMeter(GridMeter(lambda _now: POWER), reactor)
        meter.startService()
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        url = b"http://127.0.0.1:%d/power" % meter.port
        agent = Agent(reactor, pool=pool)
        for _ in range(3):
            response = await agent.request(b"GET", url).addTimeout(10, reactor)
            self.assertEqual(json.loads(await readBody(response)), SHOWN)
        await meter.stopService()  # the connection is kept alive by the client
        await self.assertFailure(agent.request(b"GET", url).addTimeout(10, reactor), Exception)
