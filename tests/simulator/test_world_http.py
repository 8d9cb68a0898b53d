"""Twisted's web server and treq, unmodified, in the world."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import treq
from treq.client import HTTPClient
from twisted.application.internet import StreamServerEndpointService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Cooperator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from simulator.world import Link, World

SERVER, CLIENT = "192.168.1.5", "192.168.1.10"


class Power(Resource):
    """A meter's answer; echoes what is posted; streams on request; or never answers."""

    isLeaf = True

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.requests: list[str] = []

    def render_GET(self, request: Any) -> Any:
        self.requests.append(request.getClientAddress().host)
        if request.path == b"/silent":
            return NOT_DONE_YET
        if request.path == b"/stream":
            self.streaming = Streaming(request)
            return NOT_DONE_YET
        return b'{"power": %d}' % len(self.requests)

    def render_POST(self, request: Any) -> Any:
        return request.content.read()


class Streaming:
    """A push producer of a long answer."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.left = 100
        self.paused = False
        self.pauses = 0
        request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.paused = False
        while self.left and not self.paused:
            self.request.write(bytes([self.left]) * 10_000)
            self.left -= 1
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.left = 0


class Web(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(link=Link(latency_s=0.005))
        self.world.name("meter.local", SERVER)
        self.server = self.world.host(SERVER)
        self.client = self.world.host(CLIENT)
        self.power = Power(self.world)
        self.site = Site(self.power, reactor=self.server)
        self.site.noisy = False
        self.port = self.server.listenTCP(80, self.site)
        self.pool = HTTPConnectionPool(self.client)
        self.pool._factory.noisy = False
        self.treq = HTTPClient(Agent(self.client, pool=self.pool))

    def tearDown(self) -> None:
        self.world.wait(self.pool.closeCachedConnections())
        self.port.stopListening()
        self.world.advance(120)
        self.assertEqual(self.world.getDelayedCalls(), [])
        self.assertEqual(self.client.connections + self.server.connections, [])
        self.assertEqual(self.world.errors, 0)

    def get(self, url: str) -> bytes:
        answer: bytes = self.world.wait(self.treq.get(url).addCallback(treq.content))
        return answer

    def test_a_request_is_answered(self) -> None:
        self.assertEqual(self.get(f"http://{SERVER}/"), b'{"power": 1}')
        self.assertEqual(self.power.requests, [CLIENT])

    def test_it_takes_two_round_trips_at_first_and_one_when_kept_alive(self) -> None:
        self.get("http://meter.local/")
        self.assertAlmostEqual(self.world.seconds(), 1000.02)
        self.get("http://meter.local/")
        self.assertAlmostEqual(self.world.seconds(), 1000.03)

    def test_two_requests_share_one_connection(self) -> None:
        answers = [self.get("http://meter.local/") for _ in range(2)]
        self.assertEqual(answers, [b'{"power": 1}', b'{"power": 2}'])
        self.assertEqual(self.world.connections_opened, 1)
        self.assertEqual(len(self.client.connections), 1)

    def test_two_requests_at_once_need_two(self) -> None:
        waiting = [self.treq.get("http://meter.local/").addCallback(treq.content) for _ in "ab"]
        self.assertEqual(len([self.world.wait(one) for one in waiting]), 2)
        self.assertEqual(self.world.connections_opened, 2)

    def test_an_idle_connection_is_closed_in_time(self) -> None:
        self.get("http://meter.local/")
        self.world.advance(600)
        self.assertEqual(self.client.connections, [])
        self.assertEqual(self.get("http://meter.local/"), b'{"power": 2}')

    def test_a_connection_lost_while_idle_is_replaced(self) -> None:
        self.get("http://meter.local/")
        self.server.connections[0].abortConnection()
        self.assertEqual(self.get("http://meter.local/"), b'{"power": 2}')
        self.assertEqual(self.world.connections_opened, 2)

    def test_a_long_answer_of_a_producer_arrives_whole(self) -> None:
        answer = self.get("http://meter.local/stream")
        self.assertEqual(answer, b"".join(bytes([n]) * 10_000 for n in range(100, 0, -1)))
        self.assertGreater(self.power.streaming.pauses, 5)

    def test_a_long_request_of_a_producer_arrives_whole(self) -> None:
        data = bytes(range(256)) * 4000
        cooperator = Cooperator(scheduler=lambda turn: self.client.callLater(0, turn))
        body = FileBodyProducer(BytesIO(data), cooperator=cooperator)
        posted = self.treq.post("http://meter.local/", data=body).addCallback(treq.content)
        self.assertEqual(self.world.wait(posted), data)

    def test_nobody_listening_and_unknown_names_fail(self) -> None:
        for url, reason in (
            ("http://meter.local:81/", Refused),
            ("http://no.local/", DNSLookupError),
        ):
            self.assertRaises(reason, self.get, url)

    def test_a_server_that_does_not_answer_can_be_given_up(self) -> None:
        waiting: Deferred[Any] = self.treq.get("http://meter.local/silent")
        waiting.addTimeout(10, self.client)
        self.assertRaises(ResponseNeverReceived, self.world.wait, waiting)
        self.assertEqual(self.world.seconds(), 1010.0)

    def test_a_server_cut_off_between_two_requests_can_be_given_up(self) -> None:
        self.get("http://meter.local/")
        self.server.down()
        waiting: Deferred[Any] = self.treq.get("http://meter.local/").addTimeout(10, self.client)
        self.assertRaises(ResponseNeverReceived, self.world.wait, waiting)
        self.server.up()
        self.world.advance(30)
        self.assertEqual(self.get("http://meter.local/"), b'{"power": 2}')

    def test_a_service_from_an_endpoint_string_works(self) -> None:
        endpoint = serverFromString(self.server, "tcp:8080")
        service = StreamServerEndpointService(endpoint, self.site)
        service.startService()
        self.assertEqual(self.get("http://meter.local:8080/"), b'{"power": 1}')
        self.world.wait(service.stopService())
        self.world.wait(self.pool.closeCachedConnections())
        self.assertRaises(Refused, self.get, "http://meter.local:8080/")
