"""TCP in the world: how connections come about, or do not."""

from __future__ import annotations

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IConnector,
    IConsumer,
    IListeningPort,
    IPushProducer,
    IReactorTCP,
    ITCPTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from simulator.world import HostReactor, Link, World
from tests.simulator.tcp_rig import (
    CLIENT,
    SERVER,
    Dialling,
    Listening,
    TcpCase,
)


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
