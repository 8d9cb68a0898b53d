"""UDP in the world: delivery, binding, broadcast, connected sockets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import (
    CannotListenError,
    InvalidAddressError,
    MessageLengthError,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorUDP,
    IUDPTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from simulator.world import World, datagrams, ports, udp
from tests.simulator.udp_rig import Ear, UdpCase


class Delivery(UdpCase):
    def test_reactor_and_transport_keep_twisteds_contracts(self) -> None:
        verifyObject(IReactorUDP, self.meter)
        ear = self.ear(self.meter, 12345)
        verifyObject(IUDPTransport, ear.transport)
        verifyObject(IListeningPort, ear.transport)

    def test_a_datagram_arrives_after_the_latency_with_its_source(self) -> None:
        ear = self.ear(self.meter, 12345)
        mouth = self.ear(self.battery, 22222)
        mouth.transport.write(b"hello", ("192.168.1.10", 12345))
        self.assertEqual(ear.heard, [])
        self.world.advance(0.0019)
        self.assertEqual(ear.heard, [])
        self.world.advance(0.0002)
        self.assertEqual(ear.heard, [(b"hello", ("192.168.1.20", 22222))])

    def test_the_answer_finds_its_way_back(self) -> None:
        ear = self.ear(self.meter, 12345)
        mouth = self.ear(self.battery, 0)
        mouth.transport.write(b"poll", ("192.168.1.10", 12345))
        self.world.advance(1)
        ear.transport.write(b"answer", ear.heard[0][1])
        self.world.advance(1)
        self.assertEqual(mouth.heard, [(b"answer", ("192.168.1.10", 12345))])

    def test_the_content_is_what_it_was_when_sent(self) -> None:
        ear = self.ear(self.meter, 12345)
        buffer = bytearray(b"abc")
        mouth = self.ear(self.battery, 0)
        for _ in range(2):  # the first time a way is looked up, the second it is known
            buffer[:] = b"abc"
            mouth.transport.write(buffer, ("192.168.1.10", 12345))
            buffer[:] = b"xyz"
            self.world.advance(1)
        self.assertEqual([data for data, _ in ear.heard], [b"abc", b"abc"])
        self.assertIsInstance(ear.heard[0][0], bytes)

    def test_a_host_reaches_itself_at_its_address_and_at_loopback(self) -> None:
        ear = self.ear(self.meter, 12345)
        mouth = self.ear(self.meter, 22222)
        mouth.transport.write(b"lan", ("192.168.1.10", 12345))
        mouth.transport.write(b"loop", ("127.0.0.1", 12345))
        self.world.advance(0)
        self.assertEqual(
            ear.heard, [(b"lan", ("192.168.1.10", 22222)), (b"loop", ("127.0.0.1", 22222))]
        )

    def test_loopback_is_each_hosts_own(self) -> None:
        inner = self.ear(self.meter, 12345, "127.0.0.1")
        outer = self.ear(self.meter, 12345, "192.168.1.10")
        self.ear(self.battery, 22222).transport.write(b"x", ("127.0.0.1", 12345))
        self.ear(self.battery, 22223).transport.write(b"y", ("192.168.1.10", 12345))
        self.ear(self.meter, 22222).transport.write(b"z", ("127.0.0.1", 12345))
        self.world.advance(1)
        self.assertEqual([data for data, _ in inner.heard], [b"z"])
        self.assertEqual([data for data, _ in outer.heard], [b"y"])

    def test_a_datagram_longer_than_the_receiver_takes_is_cut(self) -> None:
        ear = self.ear(self.meter, 12345, maxPacketSize=10)
        self.ear(self.battery, 0).transport.write(b"0123456789abc", ("192.168.1.10", 12345))
        self.world.advance(1)
        self.assertEqual(ear.heard[0][0], b"0123456789")

    def test_the_largest_datagram_passes_and_a_longer_one_is_refused(self) -> None:
        ear = self.ear(self.meter, 12345, maxPacketSize=65536)
        mouth = self.ear(self.battery, 0)
        for _ in range(2):
            mouth.transport.write(bytes(65507), ("192.168.1.10", 12345))
            self.assertRaises(
                MessageLengthError, mouth.transport.write, bytes(65508), ("192.168.1.10", 12345)
            )
        self.world.advance(1)
        self.assertEqual([len(data) for data, _ in ear.heard], [65507, 65507])

    def test_addresses_that_are_none_are_refused(self) -> None:
        mouth = self.ear(self.battery, 0)
        self.assertRaises(InvalidAddressError, mouth.transport.write, b"", ("meter.local", 1))
        self.assertRaises(InvalidAddressError, mouth.transport.write, b"", ("::1", 1))
        self.assertRaises(ValueError, mouth.transport.write, b"")

    def test_nobody_there_is_silence_and_is_counted(self) -> None:
        mouth = self.ear(self.battery, 0)
        mouth.transport.write(b"x", ("192.168.1.10", 999))
        mouth.transport.write(b"x", ("192.168.1.99", 999))
        self.world.advance(1)
        counts = self.world.counts
        self.assertEqual((counts.sent, counts.refused, counts.unreachable), (2, 1, 1))
        self.assertEqual(counts.in_flight, 0)
        self.assertEqual(mouth.events, ["start"])

    def test_a_receiver_that_raises_is_logged_and_hears_the_next(self) -> None:
        ear = self.ear(self.meter, 12345)
        mouth = self.ear(self.battery, 0)
        mouth.transport.write(b"x", ("192.168.1.10", 12345))
        self.patch(ear, "datagramReceived", lambda data, addr: 1 / 0)
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.world.errors, 1)

    def test_what_is_under_way_is_bounded(self) -> None:
        for module in (datagrams, udp):
            self.patch(module, "IN_FLIGHT_MAX", 10)
        mouth = self.ear(self.battery, 0)
        ear = self.ear(self.meter, 12345)
        for number in range(15):
            mouth.transport.write(b"%d" % number, ("192.168.1.10", 12345))
        self.world.advance(1)
        self.assertEqual(len(ear.heard), 10)
        self.assertEqual(self.world.counts.overflowed, 5)


class Binding(UdpCase):
    def test_a_taken_port_cannot_be_bound_again(self) -> None:
        self.ear(self.meter, 12345)
        for interface in ("", "0.0.0.0", "192.168.1.10", "127.0.0.1"):
            error = self.assertRaises(CannotListenError, self.ear, self.meter, 12345, interface)
            self.assertIn("12345", str(error))
        self.ear(self.battery, 12345)

    def test_an_address_of_another_host_cannot_be_bound(self) -> None:
        self.assertRaises(CannotListenError, self.ear, self.meter, 12345, "192.168.1.20")
        self.assertRaises(CannotListenError, self.ear, self.meter, 65536)
        self.assertRaises(CannotListenError, self.ear, self.meter, -1)

    def test_port_0_gives_a_free_port_each_time_another(self) -> None:
        self.ear(self.meter, 49153)
        numbers = [self.ear(self.meter, 0).transport.getHost().port for _ in range(3)]
        self.assertEqual(numbers, [49152, 49154, 49155])

    def test_when_all_ports_are_taken_there_is_none(self) -> None:
        self.patch(ports, "EPHEMERAL", range(49152, 49154))
        self.ear(self.meter, 0)
        self.ear(self.meter, 0)
        self.assertRaises(CannotListenError, self.ear, self.meter, 0)

    def test_a_socket_knows_where_it_is_bound(self) -> None:
        everywhere = self.ear(self.meter, 12345).transport.getHost()
        self.assertEqual(
            (everywhere.type, everywhere.host, everywhere.port), ("UDP", "0.0.0.0", 12345)
        )
        self.assertEqual(
            self.ear(self.meter, 1, "192.168.1.10").transport.getHost().host, "192.168.1.10"
        )

    def test_a_stopped_socket_is_deaf_at_once_and_free_in_the_next_turn(self) -> None:
        ear = self.ear(self.meter, 12345)
        self.ear(self.battery, 0).transport.write(b"x", ("192.168.1.10", 12345))
        stopped = ear.transport.stopListening()
        self.assertNoResult(stopped)
        self.assertRaises(CannotListenError, self.ear, self.meter, 12345)
        self.world.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(ear.events, ["start", "stop"])
        second = self.ear(self.meter, 12345)
        self.world.advance(1)
        self.assertEqual((len(ear.heard), len(second.heard)), (0, 1))

    def test_a_closed_socket_can_be_stopped_but_not_written_to(self) -> None:
        mouth = self.ear(self.battery, 0)
        port = mouth.transport
        port.write(b"x", ("192.168.1.10", 12345))
        port.stopListening()
        self.world.advance(1)
        self.assertIsNone(port.stopListening())
        self.assertRaises(OSError, port.write, b"x", ("192.168.1.10", 12345))

    def test_stopping_twice_waits_for_the_same_end(self) -> None:
        port = self.ear(self.meter, 12345).transport
        first, second = port.stopListening(), port.stopListening()
        self.world.advance(0)
        self.assertIs(first, second)
        self.successResultOf(first)

    def test_a_socket_for_each_poll_costs_nothing_in_the_end(self) -> None:
        ear = self.ear(self.meter, 12345)
        for _ in range(200):
            mouth = self.ear(self.battery, 0)
            mouth.transport.write(b"poll", ("192.168.1.10", 12345))
            self.world.advance(1)
            mouth.transport.stopListening()
        self.world.advance(1)
        self.assertEqual(len(ear.heard), 200)
        self.assertEqual(len({source for _, source in ear.heard}), 200)
        self.assertEqual(len(self.world._datagrams.sockets_of("192.168.1.20")), 0)
        self.assertEqual(len(self.world._datagrams.ports.sockets), 2)


class Broadcast(UdpCase):
    def setUp(self) -> None:
        super().setUp()
        self.mouth = self.ear(self.battery, 12345)
        self.mouth.transport.setBroadcastAllowed(True)

    def test_it_reaches_all_hosts_of_the_subnet_that_listen_there(self) -> None:
        third = self.world.host("192.168.1.30")
        foreign = self.world.host("192.168.2.30")
        ears = [self.ear(host, 12345) for host in (self.meter, third, foreign)]
        other_port = self.ear(self.meter, 999)
        for address in ("255.255.255.255", "192.168.1.255", "<broadcast>"):
            self.mouth.transport.write(address.encode(), (address, 12345))
        self.world.advance(1)
        self.assertEqual([len(ear.heard) for ear in ears], [3, 3, 0])
        self.assertEqual(ears[0].heard[0], (b"255.255.255.255", ("192.168.1.20", 12345)))
        self.assertEqual(other_port.heard, [])

    def test_the_sender_hears_itself(self) -> None:
        self.mouth.transport.write(b"x", ("255.255.255.255", 12345))
        self.world.advance(1)
        self.assertEqual(self.mouth.heard, [(b"x", ("192.168.1.20", 12345))])

    def test_a_socket_bound_to_one_address_hears_none(self) -> None:
        ear = self.ear(self.meter, 12345, "192.168.1.10")
        self.mouth.transport.write(b"x", ("255.255.255.255", 12345))
        self.world.advance(1)
        self.assertEqual(ear.heard, [])

    def test_it_must_be_allowed_first(self) -> None:
        self.mouth.transport.setBroadcastAllowed(False)
        self.assertFalse(self.mouth.transport.getBroadcastAllowed())
        for address in ("255.255.255.255", "192.168.1.255"):
            self.assertRaises(PermissionError, self.mouth.transport.write, b"x", (address, 12345))

    def test_each_receiver_counts(self) -> None:
        self.ear(self.meter, 12345)
        self.mouth.transport.write(b"x", ("255.255.255.255", 12345))
        self.world.advance(1)
        self.assertEqual((self.world.counts.sent, self.world.counts.delivered), (2, 2))

    def test_one_who_stops_listening_meanwhile_hears_nothing(self) -> None:
        ear = self.ear(self.meter, 12345)
        self.mouth.transport.write(b"x", ("255.255.255.255", 12345))
        ear.transport.stopListening()
        self.world.advance(1)
        self.assertEqual(ear.heard, [])
        self.assertEqual((self.world.counts.refused, self.world.counts.in_flight), (1, 0))


class Connected(UdpCase):
    def setUp(self) -> None:
        super().setUp()
        self.near = self.ear(self.battery, 22222)
        self.near.transport.connect("192.168.1.10", 12345)

    def test_it_sends_without_an_address_and_to_no_other(self) -> None:
        ear = self.ear(self.meter, 12345)
        self.near.transport.write(b"x")
        self.near.transport.write(b"y", ("192.168.1.10", 12345))
        self.assertRaises(ValueError, self.near.transport.write, b"z", ("192.168.1.10", 1))
        self.world.advance(1)
        self.assertEqual([data for data, _ in ear.heard], [b"x", b"y"])

    def test_it_hears_its_peer_only(self) -> None:
        self.ear(self.meter, 12345).transport.write(b"right", ("192.168.1.20", 22222))
        self.ear(self.meter, 12346).transport.write(b"wrong", ("192.168.1.20", 22222))
        self.world.advance(1)
        self.assertEqual([data for data, _ in self.near.heard], [b"right"])

    def test_it_learns_that_nobody_listens_after_a_round_trip(self) -> None:
        self.near.transport.write(b"x")
        self.world.advance(0.0039)
        self.assertEqual(self.near.events, ["start"])
        self.world.advance(0.0002)
        self.assertEqual(self.near.events, ["start", "refused"])

    def test_it_learns_it_on_loopback_too(self) -> None:
        near = self.ear(self.meter, 1)
        near.transport.connect("127.0.0.1", 2)
        near.transport.write(b"x")
        self.world.advance(0)
        self.assertEqual(near.events, ["start", "refused"])

    def test_it_cannot_be_connected_twice_or_to_a_name(self) -> None:
        self.assertRaises(RuntimeError, self.near.transport.connect, "192.168.1.10", 1)
        fresh = self.ear(self.meter, 0)
        self.assertRaises(InvalidAddressError, fresh.transport.connect, "meter.local", 1)


class WithoutFaults(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0, 1, 3]))))
    def test_everything_arrives_once_and_in_order(
        self, sendings: list[tuple[int, int, int]]
    ) -> None:
        world = World()
        hosts = [world.host(f"10.0.0.{n + 1}") for n in range(3)]
        ears = [Ear() for _ in hosts]
        for host, ear in zip(hosts, ears, strict=True):
            host.listenUDP(5000, ear)
        for number, (origin, target, pause_ms) in enumerate(sendings):
            ears[origin].transport.write(b"%d" % number, (hosts[target].address, 5000))
            world.advance(pause_ms / 1000)
        world.advance(1)
        for origin in range(3):
            for target in range(3):
                sent = [b"%d" % n for n, s in enumerate(sendings) if s[:2] == (origin, target)]
                heard = [
                    d for d, source in ears[target].heard if source == (hosts[origin].address, 5000)
                ]
                self.assertEqual(heard, sent)
        self.assertEqual(world.counts.delivered, len(sendings))
        self.assertEqual(world.errors, 0)
