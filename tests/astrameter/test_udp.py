"""A UDP port as a service."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.udp import UdpService
from tests.doubles import FakeUDPReactor

PORT = 12345


class Recorder(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.lived: list[str] = []

    def startProtocol(self) -> None:
        self.lived.append("start")

    def stopProtocol(self) -> None:
        self.lived.append("stop")


class Binding(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeUDPReactor()
        self.protocol = Recorder()
        self.service = UdpService(self.reactor, PORT, self.protocol, "127.0.0.1")

    def stop(self) -> None:
        stopped = self.service.stopService()
        self.reactor.advance(0)
        self.assertIsNone(self.successResultOf(stopped))

    def test_it_is_a_service(self) -> None:
        verifyObject(IService, self.service)

    def test_it_is_bound_while_it_runs(self) -> None:
        self.assertFalse(self.service.listening)
        self.service.startService()
        self.assertTrue(self.service.listening)
        self.assertEqual(self.reactor.ports[PORT].getHost().host, "127.0.0.1")
        self.stop()
        self.assertFalse(self.service.listening)
        self.assertEqual(self.reactor.ports, {})
        self.assertEqual(self.protocol.lived, ["start", "stop"])

    def test_it_is_bound_once_however_it_is_started(self) -> None:
        family = MultiService()
        self.service.setServiceParent(family)
        family.privilegedStartService()
        bound = self.reactor.ports[PORT]
        family.startService()
        self.assertIs(self.reactor.ports[PORT], bound)
        self.assertTrue(self.service.running)

    def test_it_can_be_started_again(self) -> None:
        for _ in range(3):
            self.service.startService()
            self.stop()
        self.assertEqual(self.protocol.lived, ["start", "stop"] * 3)

    def test_stopping_what_was_not_started_or_stopped_already_does_nothing(self) -> None:
        self.stop()
        self.service.startService()
        self.stop()
        self.stop()
        self.assertEqual(self.protocol.lived, ["start", "stop"])

    def test_it_can_be_stopped_between_the_two_starts(self) -> None:
        self.service.privilegedStartService()
        self.stop()
        self.assertEqual(self.reactor.ports, {})

    def test_a_busy_port_is_an_error_and_the_service_does_not_run(self) -> None:
        self.reactor.refused.add(PORT)
        for start in (self.service.privilegedStartService, self.service.startService):
            error = self.assertRaises(CannotListenError, start)
            self.assertEqual(error.port, PORT)
            self.assertFalse(self.service.running)
        self.reactor.refused.clear()
        self.service.startService()
        self.assertTrue(self.service.listening)


class RealPort(TestCase):
    async def test_a_second_one_cannot_be_bound_to_the_same_port(self) -> None:
        real: Any = reactor
        first = UdpService(real, 0, Recorder(), "127.0.0.1")
        first.startService()
        self.addCleanup(first.stopService)
        protocol: Any = first._protocol
        port = protocol.transport.getHost().port
        second = UdpService(real, port, Recorder(), "127.0.0.1")
        self.assertRaises(CannotListenError, second.startService)
        self.assertFalse(second.listening)
