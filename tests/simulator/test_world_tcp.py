"""TCP in the world: connecting, data, producers, closing, and connections that fall silent."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IConnector,
    IConsumer,
    IHalfCloseableProtocol,
    IListeningPort,
    IPushProducer,
    IReactorTCP,
    ITCPTransport,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from simulator.world import HostReactor, Link, World

SERVER, CLIENT = "192.168.1.5", "192.168.1.10"


class Talker(Protocol):
    """Notes what happens to it, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.data = b""
        self.chunks = 0
        self.made_at: float | None = None
        self.lost_at: float | None = None
        self.lost: type[BaseException] | None = None

    def connectionMade(self) -> None:
        self.made_at = self.world.seconds()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.chunks += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost_at = self.world.seconds()
        self.lost = reason.type


@implementer(IHalfCloseableProtocol)
class HalfTalker(Talker):
    """Notes the ends of the two directions one by one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.halves: list[str] = []

    def readConnectionLost(self) -> None:
        self.halves.append("read")

    def writeConnectionLost(self) -> None:
        self.halves.append("write")


class Listening(Factory[Talker]):
    """Makes talkers and keeps them."""

    noisy = False

    def __init__(self, world: World, kind: type[Talker] = Talker) -> None:
        self.world = world
        self.kind = kind
        self.talkers: list[Talker] = []
        self.events: list[str] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")

    def buildProtocol(self, addr: Any) -> Talker | None:
        self.talkers.append(self.kind(self.world))
        return self.talkers[-1]


class Dialling(ClientFactory[Talker]):
    """Notes the fate of its connection."""

    noisy = False

    def __init__(self, world: World, kind: type[Talker] = Talker) -> None:
        self.talker = kind(world)
        self.world = world
        self.events: list[Any] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.events.append("connecting")

    def buildProtocol(self, addr: Any) -> Talker | None:
        self.events.append(addr)
        return self.talker

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.events.append((reason.type, self.world.seconds()))

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.events.append(reason.type)


class TcpCase(SynchronousTestCase):
    kind: type[Talker] = Talker

    def setUp(self) -> None:
        self.world = World(link=Link(latency_s=0.01))
        self.server = self.world.host(SERVER)
        self.client = self.world.host(CLIENT)
        self.listening = Listening(self.world, self.kind)
        self.port = self.server.listenTCP(80, self.listening)

    def dial(self, host: str = SERVER, port: int = 80, **options: Any) -> Any:
        self.dialling = Dialling(self.world, self.kind)
        return self.client.connectTCP(host, port, self.dialling, **options)

    def connect(self) -> tuple[Any, Any]:
        """Both ends of a new connection."""
        self.dial()
        self.world.advance(0.1)
        return self.dialling.talker, self.listening.talkers[-1]


class Connecting(TcpCase):
    def test_reactor_and_its_parts_keep_twisteds_contracts(self) -> None:
        verifyObject(IReactorTCP, self.server)
        verifyObject(IListeningPort, self.port)
        verifyObject(IConnector, self.dial())
        self.world.advance(1)
        for interface in (ITCPTransport, IConsumer, IPushProducer):
            verifyObject(interface, self.dialling.talker.transport)

    def test_it_takes_a_round_trip_and_the_server_knows_half_a_one_later(self) -> None:
        near, far = self.connect()
        self.assertAlmostEqual(near.made_at, 1000.02)
        self.assertAlmostEqual(far.made_at, 1000.03)
        self.assertEqual(
            self.dialling.events, ["start", "connecting", IPv4Address("TCP", SERVER, 80)]
        )
        self.assertEqual(self.world.connections_opened, 1)

    def test_both_ends_know_both_addresses(self) -> None:
        near, far = self.connect()
        server, client = IPv4Address("TCP", SERVER, 80), IPv4Address("TCP", CLIENT, 49152)
        self.assertEqual((near.transport.getHost(), near.transport.getPeer()), (client, server))
        self.assertEqual((far.transport.getHost(), far.transport.getPeer()), (server, client))
        self.assertEqual(self.port.getHost(), IPv4Address("TCP", "0.0.0.0", 80))

    def test_each_connection_has_its_own_port_or_the_one_asked_for(self) -> None:
        first, second = self.connect()[0], self.connect()[0]
        self.assertNotEqual(first.transport.getHost(), second.transport.getHost())
        self.dial(bindAddress=("", 4711))
        self.world.advance(1)
        self.assertEqual(self.dialling.talker.transport.getHost().port, 4711)

    def test_nobody_listening_is_a_refusal_after_a_round_trip(self) -> None:
        connector = self.dial(port=81)
        self.assertEqual(connector.getDestination(), IPv4Address("TCP", SERVER, 81))
        self.world.advance(1)
        kind, at = self.dialling.events[2]
        self.assertIs(kind, error.ConnectionRefusedError)
        self.assertAlmostEqual(at, 1000.02)
        self.assertEqual(self.dialling.events[-1], "stop")
        self.assertEqual(self.client.getDelayedCalls(), [])

    def test_a_host_that_does_not_exist_is_a_timeout(self) -> None:
        self.dial("192.168.1.99", timeout=5.0)
        self.world.advance(60)
        self.assertEqual(self.dialling.events[2], (error.TimeoutError, 1005.0))
        self.assertEqual(self.world.getDelayedCalls(), [])

    def test_without_a_timeout_the_kernel_gives_up(self) -> None:
        self.dial("192.168.1.99", timeout=None)
        self.world.advance(300)
        kind, at = self.dialling.events[2]
        self.assertIs(kind, error.TCPTimedOutError)
        self.assertEqual(at, 1127.0)

    def test_a_host_that_is_down_is_a_timeout_too(self) -> None:
        self.server.down()
        self.dial(timeout=5.0)
        self.world.advance(60)
        self.assertEqual(self.dialling.events[2], (error.TimeoutError, 1005.0))

    def test_a_host_that_comes_up_in_time_is_reached(self) -> None:
        self.server.down()
        self.dial()
        self.world.advance(5)
        self.server.up()
        self.world.advance(5)
        self.assertAlmostEqual(self.dialling.talker.made_at, 1007.02)
        self.assertEqual(self.world.connections_opened, 1)

    def test_a_slow_way_makes_no_second_connection(self) -> None:
        self.world.set_link(Link(latency_s=3.0))
        self.dial()
        self.world.advance(60)
        self.assertEqual(self.dialling.talker.made_at, 1006.0)
        self.assertEqual(self.world.connections_opened, 1)

    def test_an_acceptance_that_does_not_get_through_is_asked_for_again(self) -> None:
        self.dial()
        self.world.advance(0.015)
        self.world.cut(SERVER, CLIENT)
        self.world.advance(0.1)
        self.world.join(SERVER, CLIENT)
        self.world.advance(0.5)
        self.assertIsNone(self.dialling.talker.made_at)
        self.world.advance(1)
        self.assertAlmostEqual(self.dialling.talker.made_at, 1001.02)

    def test_names_are_resolved(self) -> None:
        self.world.name("meter.local", SERVER)
        self.dial("Meter.local")
        self.world.advance(1)
        self.assertIsNotNone(self.dialling.talker.made_at)

    def test_a_name_nobody_knows_fails(self) -> None:
        self.dial("nowhere.local")
        self.world.advance(1)
        self.assertEqual(self.dialling.events[2][0], error.DNSLookupError)

    def test_a_host_connects_to_itself_by_address_and_loopback(self) -> None:
        for address, source in ((SERVER, SERVER), ("127.0.0.1", "127.0.0.1")):
            factory = Dialling(self.world)
            self.server.connectTCP(address, 80, factory)
            self.world.advance(0)
            self.assertEqual(factory.talker.transport.getHost().host, source)
            self.assertEqual(self.listening.talkers[-1].transport.getPeer().host, source)

    def test_a_port_on_loopback_is_not_seen_from_outside(self) -> None:
        self.server.listenTCP(81, self.listening, interface="127.0.0.1")
        self.dial(port=81)
        self.world.advance(1)
        self.assertEqual(self.dialling.events[2][0], error.ConnectionRefusedError)

    def test_an_attempt_can_be_stopped(self) -> None:
        for wait_s in (0.0, 0.005, 0.015):
            connector = self.dial()
            self.world.advance(wait_s)
            connector.stopConnecting()
            self.world.advance(1)
            self.assertEqual(self.dialling.events[2][0], error.UserError)
            self.assertEqual(self.listening.talkers, [])
        self.assertEqual(self.client.getDelayedCalls(), [])
        self.assertEqual(self.client.connections, [])

    def test_a_connector_can_connect_again(self) -> None:
        connector = self.dial()
        self.world.advance(1)
        connector.disconnect()
        self.world.advance(1)
        self.assertEqual(self.dialling.events[-2:], [error.ConnectionDone, "stop"])
        connector.connect()
        self.world.advance(1)
        self.assertEqual(self.world.connections_opened, 2)

    def test_a_server_that_wants_no_protocol_closes(self) -> None:
        self.patch(self.listening, "buildProtocol", lambda addr: None)
        self.dial()
        self.world.advance(1)
        self.assertIs(self.dialling.talker.lost, error.ConnectionDone)
        self.assertEqual(self.server.connections, [])

    def test_a_client_that_wants_no_protocol_closes(self) -> None:
        self.dial()
        self.patch(self.dialling, "buildProtocol", lambda addr: None)
        self.world.advance(1)
        self.assertIs(self.listening.talkers[0].lost, error.ConnectionDone)
        self.assertEqual(self.client.connections, [])

    def test_a_server_factory_that_raises_costs_one_connection(self) -> None:
        self.patch(self.listening, "buildProtocol", lambda addr: 1 / 0)
        self.dial()
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(self.dialling.talker.lost, error.ConnectionDone)

    def test_a_client_factory_that_raises_costs_its_connection(self) -> None:
        self.dial()
        self.patch(self.dialling, "buildProtocol", lambda addr: 1 / 0)
        self.world.advance(200)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.dialling.events[2][0], ZeroDivisionError)
        self.assertIs(self.listening.talkers[0].lost, error.ConnectionDone)
        self.assertEqual(self.server.connections, [])

    def test_twisteds_endpoints_work(self) -> None:
        self.world.wait(TCP4ServerEndpoint(self.server, 81).listen(self.listening))
        endpoint = TCP4ClientEndpoint(self.client, SERVER, 81)
        talker = self.world.wait(endpoint.connect(Dialling(self.world)))
        talker.transport.write(b"hello")
        self.world.advance(1)
        self.assertEqual(self.listening.talkers[-1].data, b"hello")

    def test_twisteds_endpoint_can_be_cancelled(self) -> None:
        waiting = TCP4ClientEndpoint(self.client, "192.168.1.99", 80).connect(Dialling(self.world))
        self.world.advance(1)
        waiting.cancel()
        self.failureResultOf(waiting, error.ConnectingCancelledError)
        self.assertEqual(self.client.getDelayedCalls(), [])


class ListeningPorts(TcpCase):
    def test_a_taken_port_cannot_be_bound_again(self) -> None:
        again = Listening(self.world)
        self.assertRaises(error.CannotListenError, self.server.listenTCP, 80, again)
        self.assertEqual(again.events, [])

    def test_udp_and_tcp_ports_do_not_collide(self) -> None:
        self.assertEqual(self.server.listenTCP(0, self.listening).getHost().port, 49152)
        self.assertEqual(self.client.listenTCP(80, self.listening).getHost().port, 80)

    def test_a_stopped_port_refuses_and_is_free_in_the_next_turn(self) -> None:
        stopped = self.port.stopListening()
        self.assertRaises(error.CannotListenError, self.server.listenTCP, 80, self.listening)
        self.world.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.listening.events, ["start", "stop"])
        self.assertIsNone(self.port.stopListening())
        self.dial()
        self.world.advance(1)
        self.assertEqual(self.dialling.events[2][0], error.ConnectionRefusedError)

    def test_connections_outlive_their_port(self) -> None:
        near, far = self.connect()
        self.port.stopListening()
        near.transport.write(b"still there")
        self.world.advance(1)
        self.assertEqual(far.data, b"still there")

    def test_a_port_that_stops_during_the_handshake_resets(self) -> None:
        self.dial()
        self.world.advance(0.025)
        self.port.stopListening()
        self.world.advance(1)
        self.assertEqual(self.listening.talkers, [])
        self.assertIs(self.dialling.talker.lost, error.ConnectionLost)


class Data(TcpCase):
    def test_what_is_written_in_one_turn_arrives_together_after_the_latency(self) -> None:
        near, far = self.connect()
        near.transport.write(b"one ")
        near.transport.writeSequence([b"two ", b"three"])
        self.world.advance(0.0099)
        self.assertEqual(far.data, b"")
        self.world.advance(0.0002)
        self.assertEqual((far.data, far.chunks), (b"one two three", 1))

    def test_the_server_may_speak_first(self) -> None:
        self.patch(Talker, "connectionMade", lambda talker: talker.transport.write(b"hi"))
        near, far = self.connect()
        self.assertEqual((near.data, far.data), (b"hi", b"hi"))

    def test_jitter_does_not_reorder(self) -> None:
        near, far = self.connect()
        self.world.set_link(Link(jitter_s=1.0, loss=0.9, duplicate=0.9, reorder=0.9))
        for number in range(100):
            near.transport.write(b"%d " % number)
            self.world.advance(0.01)
        self.world.advance(10)
        self.assertEqual(far.data, b"".join(b"%d " % n for n in range(100)))

    def test_a_lot_of_data_arrives_whole_in_bounded_pieces(self) -> None:
        near, far = self.connect()
        data = bytes(range(256)) * 4096
        near.transport.write(data)
        self.world.advance(10)
        self.assertEqual(far.data, data)
        self.assertGreaterEqual(far.chunks, 16)

    def test_a_receiver_that_pauses_holds_up_the_sender(self) -> None:
        near, far = self.connect()
        far.transport.pauseProducing()
        producer = Pushing(near.transport)
        self.world.advance(10)
        self.assertEqual(far.data, b"")
        self.assertLess(producer.written, 200_000)
        self.assertTrue(producer.paused)
        far.transport.resumeProducing()
        self.world.advance(1)
        self.assertFalse(producer.paused)
        near.transport.unregisterProducer()
        self.world.advance(10)
        self.assertEqual(len(far.data), producer.written)

    def test_a_pull_producer_is_asked_when_there_is_room(self) -> None:
        near, far = self.connect()
        producer = Pulling(near.transport, 50)
        self.world.advance(10)
        self.assertEqual(len(far.data), 50 * 10_000)
        self.assertEqual(producer.left, 0)

    def test_a_second_producer_is_refused(self) -> None:
        near, _ = self.connect()
        Pushing(near.transport)
        self.assertRaises(RuntimeError, near.transport.registerProducer, object(), True)

    def test_a_producer_is_stopped_with_the_connection(self) -> None:
        near, far = self.connect()
        producer = Pushing(near.transport)
        far.transport.abortConnection()
        self.world.advance(1)
        self.assertTrue(producer.stopped)

    def test_a_receiver_that_raises_loses_its_connection(self) -> None:
        near, far = self.connect()
        self.patch(far, "dataReceived", lambda data: 1 / 0)
        near.transport.write(b"x")
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.world.errors, 1)
        self.assertIs(far.lost, ZeroDivisionError)
        self.assertIs(near.lost, error.ConnectionDone)

    def test_a_producer_that_raises_loses_its_connection(self) -> None:
        near, far = self.connect()
        producer = Pulling(near.transport, 2)
        producer.left = -1
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIs(near.lost, ValueError)
        self.assertIs(far.lost, error.ConnectionDone)

    def test_options_of_the_socket_are_kept(self) -> None:
        transport = self.connect()[0].transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(1)
        self.assertIs(transport.getTcpNoDelay(), True)
        self.assertIs(transport.getTcpKeepAlive(), True)

    @settings(deadline=None, derandomize=True, max_examples=50)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["near", "far", "pause", "resume"]),
                st.integers(0, 150_000),
                st.sampled_from([0.0, 0.005, 0.5]),
            ),
            max_size=12,
        )
    )
    def test_whatever_is_written_arrives_whole_and_in_order(
        self, steps: list[tuple[str, int, float]]
    ) -> None:
        self.setUp()
        self.world.set_link(Link(latency_s=0.01, jitter_s=0.05))
        near, far = self.connect()
        self.world.advance(1)
        sent = {"near": b"", "far": b""}
        for number, (what, size, pause_s) in enumerate(steps):
            if what in sent:
                data = bytes([number]) * size
                sent[what] += data
                (near if what == "near" else far).transport.write(data)
            elif what == "pause":
                far.transport.pauseProducing()
            else:
                far.transport.resumeProducing()
            self.world.advance(pause_s)
        far.transport.resumeProducing()
        near.transport.loseConnection()
        self.world.advance(60)
        self.assertEqual(far.data, sent["near"])
        self.assertIs(far.lost, error.ConnectionDone)
        self.assertTrue(sent["far"].startswith(near.data))
        self.assertEqual(self.world.errors, 0)


@implementer(IPushProducer)
class Pushing:
    """Writes every millisecond unless paused."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0
        self.paused = self.stopped = False
        transport.registerProducer(self, True)
        self.push()

    def push(self) -> None:
        if not self.stopped and self.written < 1_000_000:
            self.transport.reactor.callLater(0.001, self.push)
            if not self.paused:
                self.transport.write(bytes(10_000))
                self.written += 10_000

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class Pulling:
    """Writes once each time it is asked."""

    def __init__(self, transport: Any, left: int) -> None:
        self.transport = transport
        self.left = left
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        if self.left < 0:
            raise ValueError("nothing there")
        self.transport.write(bytes(10_000))
        self.left -= 1
        if self.left == 0:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.left = 0


class Closing(TcpCase):
    def test_what_was_written_before_arrives_first(self) -> None:
        near, far = self.connect()
        near.transport.write(bytes(200_000))
        near.transport.loseConnection()
        near.transport.write(b"too late?")
        self.world.advance(5)
        self.assertGreaterEqual(len(far.data), 200_000)
        self.assertEqual((near.lost, far.lost), (error.ConnectionDone, error.ConnectionDone))
        self.assertEqual(self.dialling.events[-2:], [error.ConnectionDone, "stop"])
        self.assertEqual((self.client.connections, self.server.connections), ([], []))

    def test_the_other_end_hears_of_it_after_the_latency(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        self.assertIsNone(near.lost)
        self.world.advance(0)
        self.assertIs(near.lost, error.ConnectionDone)
        self.world.advance(1)
        self.assertAlmostEqual(far.lost_at, near.lost_at + 0.01)

    def test_both_may_close_at_once(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.lost, far.lost), (error.ConnectionDone, error.ConnectionDone))
        self.assertEqual(self.world.errors, 0)

    def test_a_registered_producer_keeps_it_open_until_it_is_done(self) -> None:
        near, far = self.connect()
        Pulling(near.transport, 30)
        near.transport.loseConnection()
        self.world.advance(5)
        self.assertEqual(len(far.data), 300_000)
        self.assertIs(far.lost, error.ConnectionDone)

    def test_an_abort_is_a_reset_for_the_other_end(self) -> None:
        near, far = self.connect()
        near.transport.write(b"never sent")
        near.transport.abortConnection()
        near.transport.abortConnection()
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionAborted)
        self.assertIs(far.lost, error.ConnectionLost)
        self.assertEqual(far.data, b"")

    def test_an_aborted_end_hears_nothing_more(self) -> None:
        near, far = self.connect()
        far.transport.write(b"x")
        self.world.advance(0.005)
        near.transport.abortConnection()
        near.transport.resumeProducing()
        near.transport.write(b"y")
        self.world.advance(1)
        self.assertEqual((near.data, far.data), (b"", b""))

    def test_one_who_aborts_between_two_pieces_does_not_hear_the_second(self) -> None:
        near, far = self.connect()
        near.transport.pauseProducing()
        for _ in range(3):
            far.transport.write(b"x")
            self.world.advance(0.1)
        self.patch(near, "dataReceived", lambda data: self.heard_and_aborted(near))
        near.transport.resumeProducing()
        self.world.advance(1)
        self.assertEqual(near.chunks, 1)

    def heard_and_aborted(self, talker: Any) -> None:
        talker.chunks += 1
        talker.transport.abortConnection()

    def test_nothing_can_be_written_after_the_end(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        self.world.advance(1)
        far.transport.write(b"x")
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.data, self.world.errors), (b"", 0))

    def test_writing_to_one_who_has_closed_is_a_reset(self) -> None:
        near, far = self.connect()
        far.transport.pauseProducing()
        near.transport.loseConnection()
        self.world.advance(1)
        self.assertIsNone(far.lost)
        far.transport.write(b"are you there?")
        self.world.advance(1)
        self.assertIs(far.lost, error.ConnectionLost)


class HalfClosing(TcpCase):
    kind = HalfTalker

    def test_one_direction_can_end_before_the_other(self) -> None:
        near, far = self.connect()
        near.transport.write(b"question")
        near.transport.loseWriteConnection()
        self.world.advance(1)
        self.assertEqual((near.halves, far.halves, far.data), (["write"], ["read"], b"question"))
        near.transport.write(b"not sent")
        far.transport.write(b"answer")
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.data, far.data), (b"answer", b"question"))
        self.assertEqual((near.halves, near.lost), (["write", "read"], None))
        near.transport.loseConnection()
        self.assertIs(near.lost, error.ConnectionDone)

    def test_one_who_does_not_know_of_halves_closes_altogether(self) -> None:
        self.listening.kind = Talker
        near, far = self.connect()
        near.transport.loseWriteConnection()
        self.world.advance(1)
        self.assertIs(far.lost, error.ConnectionDone)
        self.assertEqual(near.halves, ["write", "read"])


class HalfOpen(TcpCase):
    def test_a_short_gap_is_survived_and_nothing_is_lost(self) -> None:
        near, far = self.connect()
        self.server.down()
        for number in range(30):
            near.transport.write(b"%d " % number)
            self.world.advance(1)
        self.assertEqual((far.data, near.lost), (b"", None))
        self.server.up()
        self.world.advance(120)
        self.assertEqual(far.data, b"".join(b"%d " % n for n in range(30)))
        near.transport.write(b"on it goes")
        self.world.advance(1)
        self.assertTrue(far.data.endswith(b"on it goes"))

    def test_what_is_under_way_when_the_gap_begins_comes_later(self) -> None:
        near, far = self.connect()
        near.transport.write(b"first")
        self.world.advance(0.005)
        near.transport.write(b"second")
        self.world.cut(SERVER, CLIENT)
        self.world.advance(10)
        near.transport.write(b"third")
        self.world.advance(10)
        self.assertEqual(far.data, b"")
        self.world.join(SERVER, CLIENT)
        self.world.advance(120)
        self.assertEqual(far.data, b"firstsecondthird")

    def test_what_was_under_way_does_not_come_before_it_is_tried_again(self) -> None:
        near, far = self.connect()
        near.transport.write(b"first")
        self.world.advance(0.005)
        near.transport.write(b"second")
        self.world.advance(0.002)
        self.world.cut(SERVER, CLIENT)
        self.world.advance(0.005)
        self.world.join(SERVER, CLIENT)
        self.world.advance(0.5)
        self.assertEqual(far.data, b"")
        self.world.advance(1)
        self.assertEqual(far.data, b"firstsecond")

    def test_two_gaps_are_survived_too(self) -> None:
        near, far = self.connect()
        for number in range(2):
            self.world.cut(SERVER, CLIENT)
            near.transport.write(b"%d" % number)
            self.world.advance(2)
            self.world.join(SERVER, CLIENT)
            self.world.advance(60)
        self.assertEqual(far.data, b"01")

    def test_a_long_gap_ends_the_connection_of_one_who_writes(self) -> None:
        near, far = self.connect()
        self.server.down()
        near.transport.write(b"x")
        self.world.advance(900)
        self.assertIsNone(near.lost)
        self.world.advance(300)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertIsNone(far.lost)
        self.assertEqual(self.client.connections, [])

    def test_a_reset_that_does_not_get_through_is_not_repeated(self) -> None:
        for wait_s in (0.0, 0.005, 30.0):
            near, far = self.connect()
            self.world.cut(SERVER, CLIENT)
            near.transport.write(b"x")
            self.world.advance(wait_s)
            near.transport.abortConnection()
            self.world.advance(200)
            self.assertFalse(self.world.step())
            self.world.join(SERVER, CLIENT)
            self.world.advance(2000)
            self.assertIs(near.lost, error.ConnectionAborted)
            self.assertEqual((far.data, far.lost), (b"", None))

    def test_one_who_only_listens_never_hears_of_it(self) -> None:
        near, far = self.connect()
        near.transport.setTcpKeepAlive(True)
        self.server.down()
        self.world.advance(100_000)
        self.assertEqual((near.lost, far.lost), (None, None))

    def test_writing_into_the_gap_is_bounded_for_a_producer(self) -> None:
        near, _ = self.connect()
        self.server.down()
        producer = Pushing(near.transport)
        self.world.advance(60)
        self.assertTrue(producer.paused)
        self.assertLess(producer.written, 200_000)

    def test_a_server_that_crashes_resets_its_connections(self) -> None:
        near, far = self.connect()
        self.server.crash()
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertIsNone(far.lost)

    def test_a_server_that_lost_power_resets_when_written_to_after_it_is_back(self) -> None:
        near, far = self.connect()
        self.server.down()
        self.server.crash()
        self.world.advance(60)
        self.server.up()
        self.server.boot()
        self.world.advance(60)
        self.assertIsNone(near.lost)
        near.transport.write(b"are you there?")
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertEqual(far.data, b"")

    def test_a_client_that_crashes_while_connecting_never_connects(self) -> None:
        for wait_s in (0.0, 0.005, 0.015, 0.025):
            self.dial()
            self.world.advance(wait_s)
            self.client.crash()
            self.world.advance(60)
            self.assertEqual(self.world.getDelayedCalls(), [])
            self.assertEqual(self.client.connections, [])
            self.assertEqual([t for t in self.listening.talkers if t.lost is None], [])
            self.client.boot()


class Several(SynchronousTestCase):
    def test_connections_of_a_host_are_listed_oldest_first(self) -> None:
        world = World()
        hosts: list[HostReactor] = [world.host(f"192.168.1.{n}") for n in (5, 10, 11)]
        listening = Listening(world)
        hosts[0].listenTCP(80, listening)
        for host in hosts[1:]:
            host.connectTCP("192.168.1.5", 80, Dialling(world))
            world.advance(1)
        peers = [end.getPeer().host for end in hosts[0].connections]
        self.assertEqual(peers, ["192.168.1.10", "192.168.1.11"])
        self.assertEqual([len(host.connections) for host in hosts], [2, 1, 1])
