"""Ways to a broker, and what it means when they fail."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from OpenSSL.SSL import Error as OpenSSLError
from OpenSSL.SSL import SysCallError, ZeroReturnError
from service_identity import VerificationError
from twisted.internet import defer, error
from twisted.internet._resolver import HostResolution
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from astrameter.mqtt import MqttSettings
from astrameter.mqtt.endpoints import broker_endpoint, why_lost, why_unreachable

PLAIN = MqttSettings("h")
TLS = MqttSettings("h", 8883, tls=True)


class Endpoints(SynchronousTestCase):
    def connect(self, settings: MqttSettings) -> MemoryReactorClock:
        reactor = MemoryReactorClock()
        broker_endpoint(reactor, settings).connect(Mock())
        return reactor

    def test_addresses_are_connected_to_without_asking_a_resolver(self) -> None:
        for host in ("192.0.2.1", "2001:db8::1"):
            (client,) = self.connect(MqttSettings(host, 1884)).tcpClients
            self.assertEqual(client[:2], (host, 1884))
            self.assertEqual(client[3], 10.0)

    def test_tls_runs_over_tcp(self) -> None:
        (client,) = self.connect(MqttSettings("192.0.2.1", 8883, tls=True)).tcpClients
        self.assertEqual(client[:2], ("192.0.2.1", 8883))
        self.assertIn("TLS", repr(vars(client[2])))

    def test_names_go_through_the_reactors_resolver(self) -> None:
        endpoint = broker_endpoint(MemoryReactorClock(), PLAIN)
        self.assertIsInstance(endpoint, HostnameEndpoint)

    def test_a_name_that_nobody_knows_is_named(self) -> None:
        reactor = MemoryReactorClock()
        reactor.installNameResolver(KnowsNobody())
        failing = broker_endpoint(reactor, PLAIN).connect(Mock())
        trouble = why_unreachable(self.failureResultOf(failing), PLAIN)
        self.assertIn("the name is not known here", trouble.text)


@implementer(IHostnameResolver)
class KnowsNobody:
    def resolveHostName(self, resolutionReceiver: Any, hostName: str, *_: Any, **__: Any) -> Any:
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.resolutionComplete()
        return resolution


class Reasons(SynchronousTestCase):
    def test_why_it_cannot_be_reached(self) -> None:
        for exception, words in (
            (error.ConnectionRefusedError(), "it refuses connections; is it running?"),
            (error.TimeoutError(), "no answer within 10 s"),
            (error.TCPTimedOutError(), "no answer within 10 s"),
            (defer.TimeoutError(), "no answer within 10 s"),
            (error.ConnectingCancelledError(Mock()), "no answer within 10 s"),
            (error.DNSLookupError("x"), "the name is not known here"),
            (error.NoRouteError(113, "No route to host"), "No route to host"),
            (ZeroDivisionError(), "ZeroDivisionError"),
        ):
            trouble = why_unreachable(Failure(exception), PLAIN)
            self.assertTrue(
                trouble.text.startswith("the broker at h:1883 cannot be reached: "), trouble
            )
            self.assertIn(words, trouble.text)
            self.assertFalse(trouble.patient)

    def test_what_was_wrong_with_tls(self) -> None:
        for exception, words in (
            (
                OpenSSLError([("SSL routines", "", "certificate verify failed")]),
                "no authority known to this system",
            ),
            (OpenSSLError([("SSL routines", "", "wrong version number")]), "does not speak TLS"),
            (OpenSSLError([("SSL routines", "", "no shared cipher")]), "no shared cipher"),
            (OpenSSLError(), "no reason given"),
            (VerificationError(errors=[]), "another name"),
        ):
            trouble = why_lost(Failure(exception), TLS, established=False)
            self.assertEqual((trouble.kind, trouble.patient), ("tls", True))
            self.assertTrue(trouble.text.startswith("the broker at h:8883 "))
            self.assertIn(words, trouble.text)
            self.assertNotIn("\n", trouble.text)

    def test_a_server_that_hangs_up_amid_tls_is_no_matter_of_trust(self) -> None:
        for exception in (
            OpenSSLError([("SSL routines", "", "unexpected eof while reading")]),
            SysCallError(-1, "Unexpected EOF"),
            ZeroReturnError(),
            error.ConnectionLost(),
        ):
            trouble = why_lost(Failure(exception), TLS, established=False)
            self.assertEqual((trouble.kind, trouble.patient), ("unanswered", False))
            self.assertIn("is this its port for TLS?", trouble.text)

    def test_why_an_established_connection_ended(self) -> None:
        closed = why_lost(Failure(error.ConnectionDone()), PLAIN, established=True)
        self.assertEqual(closed.text, "the broker at h:1883 closed the connection")
        broke = why_lost(Failure(error.ConnectionLost("reset")), PLAIN, established=True)
        self.assertIn("broke", broke.text)
        self.assertIn("reset", broke.text)
