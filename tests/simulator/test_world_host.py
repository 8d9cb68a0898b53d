"""A host as a reactor: its life, its events, its names; and what a world refuses."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import TimerService, UDPServer
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionLost,
    DNSLookupError,
    ReactorAlreadyRunning,
    ReactorNotRunning,
)
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorCore,
    IReactorFromThreads,
    IReactorPluggableNameResolver,
    IReactorTime,
    IResolutionReceiver,
)
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from simulator.world import World


class HostCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.host = self.world.host("192.168.1.10")
        self.ran: list[Any] = []


class Addresses(HostCase):
    def test_a_host_is_one_for_each_address(self) -> None:
        self.assertIs(self.world.host("192.168.1.10"), self.host)
        self.assertIsNot(self.world.host("192.168.1.11"), self.host)
        self.assertEqual(self.host.address, "192.168.1.10")

    def test_addresses_no_host_can_have_are_refused(self) -> None:
        for address in (
            "meter.local",
            "192.168.1",
            "192.168.1.256",
            "192.168.1.255",
            "192.168.1.0",
            "0.0.0.1",
            "127.0.0.1",
            "239.0.0.1",
            "::1",
            "",
        ):
            error = self.assertRaises(ValueError, self.world.host, address)
            self.assertIn(repr(address), str(error))
            self.assertRaises(ValueError, self.world.name, "x", address)


class Events(HostCase):
    def note(self, what: object) -> None:
        self.ran.append(what)

    def test_reactor_keeps_twisteds_contracts(self) -> None:
        for interface in (
            IReactorCore,
            IReactorFromThreads,
            IReactorPluggableNameResolver,
            IReactorTime,
        ):
            verifyObject(interface, self.host)

    def test_it_runs_from_the_beginning_and_cannot_be_run(self) -> None:
        self.assertTrue(self.host.running)
        self.assertRaises(RuntimeError, self.host.run)
        self.assertRaises(RuntimeError, self.host.iterate)
        self.assertRaises(ReactorAlreadyRunning, self.host.boot)

    def test_what_waits_for_running_is_called_at_once(self) -> None:
        self.assertIsNone(self.host.callWhenRunning(self.note, "now"))
        self.assertEqual(self.ran, ["now"])

    def test_stop_fires_before_during_and_after_shutdown(self) -> None:
        gate: Deferred[None] = Deferred()
        self.host.addSystemEventTrigger("after", "shutdown", self.note, "after")
        self.host.addSystemEventTrigger("during", "shutdown", self.note, "during")
        self.host.addSystemEventTrigger("before", "shutdown", lambda: gate)
        self.host.addSystemEventTrigger("before", "shutdown", self.note, "before")
        self.host.stop()
        self.assertEqual(self.ran, [])
        self.world.advance(5)
        self.assertEqual(self.ran, ["before"])
        self.assertTrue(self.host.running)
        gate.callback(None)
        self.assertEqual(self.ran, ["before", "during", "after"])
        self.assertFalse(self.host.running)

    def test_a_trigger_that_fails_is_logged_and_holds_up_nothing(self) -> None:
        failing: Deferred[None] = Deferred()
        self.host.addSystemEventTrigger("before", "shutdown", lambda: 1 / 0)
        self.host.addSystemEventTrigger("before", "shutdown", lambda: failing)
        self.host.addSystemEventTrigger("during", "shutdown", self.note, "during")
        self.host.stop()
        self.world.advance(1)
        failing.errback(Failure(KeyError("x")))
        self.assertEqual(self.ran, ["during"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, KeyError)), 2)
        self.assertEqual(self.world.errors, 2)

    def test_a_trigger_can_be_taken_back(self) -> None:
        trigger = self.host.addSystemEventTrigger("before", "shutdown", self.note, "x")
        self.host.removeSystemEventTrigger(trigger)
        self.assertRaises(ValueError, self.host.removeSystemEventTrigger, trigger)
        self.host.stop()
        self.world.advance(1)
        self.assertEqual(self.ran, [])

    def test_an_unknown_phase_is_refused(self) -> None:
        self.assertRaises(
            KeyError, self.host.addSystemEventTrigger, "meanwhile", "shutdown", self.note
        )

    def test_other_events_can_be_fired_and_fire_once(self) -> None:
        self.host.addSystemEventTrigger("during", "persist", self.note, "persist")
        self.host.fireSystemEvent("persist")
        self.host.fireSystemEvent("persist")
        self.assertEqual(self.ran, ["persist"])

    def test_stopping_twice_is_refused(self) -> None:
        self.host.stop()
        self.assertRaises(ReactorNotRunning, self.host.stop)
        self.world.advance(1)
        self.assertRaises(ReactorNotRunning, self.host.stop)

    def test_what_waits_for_running_is_called_after_booting(self) -> None:
        self.host.crash()
        self.host.callWhenRunning(self.note, "later")
        self.assertEqual(self.ran, [])
        self.host.boot()
        self.assertEqual(self.ran, ["later"])

    def test_a_crash_during_an_orderly_stop_ends_that_too(self) -> None:
        gate: Deferred[None] = Deferred()
        self.host.addSystemEventTrigger("before", "shutdown", lambda: gate)
        self.host.addSystemEventTrigger("during", "shutdown", self.note, "during")
        self.host.stop()
        self.world.advance(1)
        self.host.crash()
        self.host.boot()
        gate.callback(None)
        self.world.advance(1)
        self.assertEqual(self.ran, [])
        self.assertTrue(self.host.running)

    def test_it_can_boot_again_when_the_shutdown_is_over(self) -> None:
        self.host.addSystemEventTrigger("after", "shutdown", self.host.boot)
        self.host.stop()
        self.world.advance(1)
        self.host.callLater(1, self.note, "new life")
        self.world.advance(1)
        self.assertTrue(self.host.running)
        self.assertEqual(self.ran, ["new life"])

    def test_a_service_tree_lives_and_ends_on_it(self) -> None:
        heard: list[bytes] = []

        class Ear(DatagramProtocol):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                heard.append(datagram)

        services = MultiService()
        udp = UDPServer(12345, Ear())
        udp.reactor = self.host
        udp.setServiceParent(services)
        timer = TimerService(1.0, self.note, "tick")
        timer.clock = self.host
        timer.setServiceParent(services)
        self.host.addSystemEventTrigger("before", "shutdown", services.stopService)
        services.startService()
        mouth = DatagramProtocol()
        self.world.host("192.168.1.20").listenUDP(0, mouth)
        assert mouth.transport is not None
        mouth.transport.write(b"hello", ("192.168.1.10", 12345))
        self.world.advance(3.5)
        self.assertEqual((heard, self.ran), ([b"hello"], ["tick"] * 4))
        self.host.stop()
        self.world.advance(10)
        self.assertEqual(self.ran, ["tick"] * 4)
        self.assertEqual(self.host.getDelayedCalls(), [])


class Ends(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.lost: list[Any] = []
        case = self

        class Talker(Protocol):
            def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:  # noqa: B008
                case.lost.append((self.factory, reason.type))

        class Ear(DatagramProtocol):
            def stopProtocol(self) -> None:
                case.ran.append("stopped")

        self.factory = Factory.forProtocol(Talker)
        self.factory.noisy = False
        self.dialling = ClientFactory()
        self.dialling.noisy = False
        self.dialling.protocol = Talker
        self.host.listenTCP(80, self.factory)
        self.host.listenUDP(12345, Ear())
        self.client = self.world.host("192.168.1.20")
        self.client.connectTCP("192.168.1.10", 80, self.dialling)
        self.host.callLater(10, self.ran.append, "timer")
        self.world.advance(1)

    def test_an_orderly_stop_closes_everything_and_tells_everybody(self) -> None:
        failures: list[Any] = []
        pending = ClientFactory()
        pending.noisy = False
        pending.clientConnectionFailed = lambda _, reason: failures.append(reason.type)
        self.host.connectTCP("192.168.1.99", 80, pending)
        self.world.advance(1)
        self.host.stop()
        self.world.advance(20)
        self.assertEqual(self.ran, ["stopped"])
        self.assertEqual(self.lost[0], (self.factory, ConnectionLost))
        self.assertEqual(self.lost[1][0], self.dialling)
        self.assertEqual(failures, [ConnectionLost])
        self.assertEqual(self.world.errors, 0)
        self.assertEqual(self.world.getDelayedCalls(), [])

    def test_a_crash_closes_everything_and_tells_nobody_on_it(self) -> None:
        self.host.crash()
        self.world.advance(20)
        self.assertFalse(self.host.running)
        self.assertEqual(self.ran, [])
        self.assertEqual(self.lost, [(self.dialling, ConnectionLost)])
        self.assertEqual(self.host.getDelayedCalls(), [])

    def test_after_a_crash_it_can_start_afresh(self) -> None:
        self.host.crash()
        self.host.boot()
        self.host.listenTCP(80, self.factory)
        self.host.listenUDP(12345, DatagramProtocol())
        self.host.callLater(1, self.ran.append, "new life")
        self.world.advance(1)
        self.assertEqual(self.ran, ["new life"])

    def test_an_end_that_was_under_way_does_not_touch_the_next_life(self) -> None:
        self.host.stop()
        self.host.crash()
        self.host.boot()
        self.host.callLater(1, self.ran.append, "new life")
        self.world.advance(1)
        self.assertTrue(self.host.running)
        self.assertEqual(self.ran, ["new life"])


@implementer(IResolutionReceiver)
class Receiver:
    """Notes what a resolver answers."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self.resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        self.answers.append(address)

    def resolutionComplete(self) -> None:
        self.answers.append("complete")


class Names(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.name("Meter.local", "192.168.1.5")
        self.receiver = Receiver()

    def look_up(self, name: str, **options: Any) -> list[Any]:
        receiver = Receiver()
        self.host.nameResolver.resolveHostName(receiver, name, 80, **options)
        self.world.advance(0)
        return receiver.answers

    def test_the_resolver_keeps_twisteds_contracts(self) -> None:
        verifyObject(IHostnameResolver, self.host.nameResolver)
        resolution = self.host.nameResolver.resolveHostName(self.receiver, "meter.local")
        verifyObject(IHostResolution, resolution)

    def test_names_and_addresses_are_answered_in_the_next_turn(self) -> None:
        self.host.nameResolver.resolveHostName(self.receiver, "meter.local", 80)
        self.assertEqual(self.receiver.answers, [])
        self.world.advance(0)
        self.assertEqual(self.receiver.answers, [IPv4Address("TCP", "192.168.1.5", 80), "complete"])

    def test_case_and_a_final_dot_do_not_matter(self) -> None:
        self.assertEqual(self.look_up("METER.local.")[0].host, "192.168.1.5")

    def test_addresses_and_localhost_need_no_entry(self) -> None:
        self.assertEqual(self.look_up("10.1.2.3")[0].host, "10.1.2.3")
        self.assertEqual(self.look_up("localhost")[0].host, "127.0.0.1")

    def test_an_unknown_name_has_no_address(self) -> None:
        self.assertEqual(self.look_up("nowhere.local"), ["complete"])

    def test_there_are_ipv4_addresses_only(self) -> None:
        self.assertEqual(self.look_up("meter.local", addressTypes=[IPv6Address]), ["complete"])
        udp = self.look_up("meter.local", transportSemantics="UDP")
        self.assertEqual(udp[0], IPv4Address("UDP", "192.168.1.5", 80))

    def test_a_cancelled_look_up_is_not_answered(self) -> None:
        self.host.nameResolver.resolveHostName(self.receiver, "meter.local", 80)
        self.receiver.resolution.cancel()
        self.receiver.resolution.cancel()
        self.world.advance(1)
        self.assertEqual(self.receiver.answers, [])

    def test_resolve_gives_one_address_or_fails(self) -> None:
        self.assertEqual(self.world.wait(self.host.resolve("meter.local")), "192.168.1.5")
        self.assertEqual(self.successResultOf(self.host.resolve("10.1.2.3")), "10.1.2.3")
        self.assertRaises(DNSLookupError, self.world.wait, self.host.resolve("nowhere.local"))

    def test_resolve_can_be_cancelled(self) -> None:
        waiting = self.host.resolve("meter.local")
        waiting.cancel()
        self.world.advance(1)
        self.failureResultOf(waiting)
        self.assertEqual(self.world.errors, 0)

    def test_another_resolver_can_be_installed(self) -> None:
        other = self.world.host("192.168.1.11").nameResolver
        previous = self.host.nameResolver
        self.assertIs(self.host.installNameResolver(other), previous)
        self.assertIs(self.host.nameResolver, other)
