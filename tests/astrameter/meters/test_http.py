from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from OpenSSL.crypto import FILETYPE_PEM, dump_certificate
from treq.testing import RequestTraversalAgent, StringStubbingResource
from twisted.internet import error as network
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from astrameter.meters import http_agent
from astrameter.meters.http import HttpClient, Request, basic_authorization, prepare
from astrameter.meters.http_agent import MAX_BODY
from astrameter.meters.urls import parse_url
from astrameter.reading import MeterError
from tests.astrameter.meters.http_rig import (
    Device,
    Script,
    answer,
    reactor,
    say_nothing,
    self_signed,
    then_close,
    then_reset,
)


async def failure_of(work: Deferred[Any]) -> tuple[str, str]:
    try:
        result = await work
    except MeterError as error:
        return error.kind, str(error)
    raise AssertionError(f"no MeterError but {result!r}")


class Loopback(TestCase):
    """A client and a device over real sockets."""

    timeout = 240

    def device(self, *scripts: Script, tls: Any = None) -> Device:
        return Device(self, *scripts, tls=tls)

    def client(self, **arguments: Any) -> HttpClient:
        client = HttpClient(reactor, **arguments)
        self.addCleanup(client.close)
        return client

    async def failure(self, device: Device, **arguments: Any) -> tuple[str, str]:
        """How one request fails, the device's address shown as ``DEVICE``."""
        request = prepare(parse_url(device.url))
        kind, text = await failure_of(self.client(**arguments).send(request))
        return kind, text.replace(device.url, "DEVICE")


class AnswerTests(Loopback):
    async def test_a_request_carries_what_it_was_prepared_with(self) -> None:
        device = self.device(answer(b"hello"))
        request = prepare(
            parse_url(device.url + "?a=b c"), headers=[("X-Test", "a:b")], login=("user", "pass")
        )
        result = await self.client().send(request)
        self.assertEqual((result.status, result.phrase, result.body), (200, "OK", b"hello"))
        [received] = device.received
        self.assertEqual((received.method, received.target), ("GET", "/api?a=b+c"))
        self.assertEqual(received.headers["host"], device.address)
        self.assertEqual(received.headers["x-test"], "a:b")
        self.assertEqual(received.headers["authorization"], "Basic dXNlcjpwYXNz")

    async def test_a_body_is_posted_with_its_length(self) -> None:
        device = self.device(answer(b"thanks"))
        headers = [("Content-Type", "application/json")]
        request = prepare(parse_url(device.url), method="POST", headers=headers, body=b'{"a":1}')
        await self.client().send(request)
        [received] = device.received
        self.assertEqual((received.method, received.body), ("POST", b'{"a":1}'))
        self.assertEqual(received.headers["content-length"], "7")

    async def test_a_body_that_ends_with_the_connection_is_complete(self) -> None:
        device = self.device(then_close(answer(b"all of it", length=-1)))
        result = await self.client().send(prepare(parse_url(device.url)))
        self.assertEqual(result.body, b"all of it")

    async def test_a_chunked_body(self) -> None:
        chunked = answer(
            b"2\r\n[4\r\n2\r\n2]\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}
        )
        device = self.device(chunked.replace(b"Content-Length: 17\r\n", b""))
        result = await self.client().send(prepare(parse_url(device.url)))
        self.assertEqual(result.json(), [42])

    async def test_every_status_is_an_answer_until_it_is_checked(self) -> None:
        device = self.device(answer({"power": 1}, "500 Internal Server Error"))
        result = await self.client().send(prepare(parse_url(device.url + "?token=secret")))
        self.assertEqual(result.json(), {"power": 1})
        error = self.assertRaises(MeterError, result.checked)
        self.assertEqual(
            (error.kind, str(error)),
            ("http_status", f"{device.url} answered 500 Internal Server Error"),
        )

    async def test_a_refused_login_says_so(self) -> None:
        device = self.device(answer(b"", "401 Unauthorized", {"WWW-Authenticate": "Basic"}))
        result = await self.client().send(prepare(parse_url(device.url)))
        error = self.assertRaises(MeterError, result.checked)
        self.assertEqual(
            str(error), f"{device.url} answered 401 Unauthorized: check user name and password"
        )
        self.assertEqual(result.header("www-authenticate"), "Basic")
        self.assertIsNone(result.header("Location"))

    async def test_json_whatever_its_type_and_encoding(self) -> None:
        for body, expected in (
            (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
            ('{"name": "Küche"}'.encode("latin-1"), {"name": "Küche"}),
            (b'{"bad": NaN}', {"bad": "NaN"}),
            (b"", None),
            (b" \r\n", None),
        ):
            device = self.device(answer(body, headers={"Content-Type": "text/html"}))
            document = (await self.client().send(prepare(parse_url(device.url)))).json()
            self.assertEqual(str(document), str(expected).replace("'NaN'", "nan"))

    async def test_what_is_no_json_is_shown(self) -> None:
        for body, shown in (
            (b"power=1", "'power=1'"),
            (b"<!DOCTYPE html><title>Please log in</title> <body>", None),
            (b'{"cut": ', None),
            (b"\xff\xfe\xff", None),
            (b"[" * 100_000, None),
            (b"1" * 5000, None),
        ):
            device = self.device(answer(body))
            result = await self.client().send(prepare(parse_url(device.url)))
            error = self.assertRaises(MeterError, result.json)
            self.assertEqual(error.kind, "invalid_json")
            self.assertTrue(
                str(error).startswith(
                    f"{device.url} did not answer with JSON but with {shown or ''}"
                )
            )
            self.assertLess(len(str(error)), 200)


class FailureTests(Loopback):
    async def test_nobody_listens(self) -> None:
        device = self.device(answer())
        await device.stop()
        self.assertEqual(
            await self.failure(device),
            ("connect", "DEVICE refused the connection: is it the right address and port?"),
        )

    async def test_a_device_that_hangs(self) -> None:
        device = self.device(say_nothing)
        started = reactor.seconds()
        self.assertEqual(
            await self.failure(device, timeout_s=0.1),
            ("timeout", "DEVICE did not answer within 0.1 s"),
        )
        self.assertLess(reactor.seconds() - started, 1)
        await device.idle()

    async def test_a_device_that_hangs_in_its_body(self) -> None:
        device = self.device(answer(b"half", length=8))
        self.assertEqual(
            await self.failure(device, timeout_s=0.1),
            ("timeout", "DEVICE did not answer within 0.1 s"),
        )
        await device.idle()

    async def test_a_device_that_hangs_in_its_body_over_tls(self) -> None:
        device = self.device(answer(b"half", length=8), tls=self_signed("127.0.0.1"))
        self.assertEqual(
            await self.failure(device, timeout_s=0.3, verify_tls=False),
            ("timeout", "DEVICE did not answer within 0.3 s"),
        )
        await device.idle()

    async def test_a_truncated_body(self) -> None:
        device = self.device(then_close(answer(b"half", length=8)))
        self.assertEqual(
            await self.failure(device),
            ("connect", "DEVICE closed the connection before its answer was complete"),
        )

    async def test_a_reset_half_way(self) -> None:
        device = self.device(then_reset(answer(b"half", length=8)))
        self.assertEqual(
            await self.failure(device),
            ("connect", "DEVICE closed the connection before its answer was complete"),
        )

    async def test_a_reset_at_once(self) -> None:
        device = self.device(then_reset(b""))
        self.assertEqual(
            await self.failure(device),
            ("connect", "DEVICE closed the connection before its answer was complete"),
        )

    async def test_an_oversized_body(self) -> None:
        for length in (None, -1):
            device = self.device(answer(b"x" * (MAX_BODY + 1), length=length))
            self.assertEqual(
                await self.failure(device),
                ("bad_structure", "DEVICE answered with more than 1 MiB"),
            )
            await device.idle()

    async def test_a_body_of_exactly_the_limit(self) -> None:
        device = self.device(answer(b"x" * MAX_BODY))
        client, request = self.client(), prepare(parse_url(device.url))
        for _ in range(2):
            self.assertEqual(len((await client.send(request)).body), MAX_BODY)
        self.assertEqual(device.connections, 1)

    async def test_headers_without_end(self) -> None:
        device = self.device(b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 100_000)
        self.assertEqual(
            await self.failure(device), ("bad_structure", "DEVICE answered with more than 1 MiB")
        )
        await device.idle()

    async def test_an_answer_that_is_not_http(self) -> None:
        for garbage in (
            b"\x1b\x1b\x1b\x1b\x01\x01\n\n",
            b"220 ready\r\n\r\n",
            b"HTTP/1.1 xx\r\n\r\n",
        ):
            device = self.device(garbage)
            self.assertEqual(
                await self.failure(device),
                ("bad_structure", "DEVICE does not answer in proper HTTP"),
            )
            await device.idle()

    async def test_broken_framing(self) -> None:
        for headers in ({"Content-Length": "many"}, {"Transfer-Encoding": "cake"}):
            device = self.device(answer(b"x", headers=headers, length=-1))
            self.assertEqual(
                await self.failure(device),
                ("bad_structure", "DEVICE does not answer in proper HTTP"),
            )

    async def test_secrets_of_the_address_stay_out_of_the_text(self) -> None:
        device = self.device(say_nothing)
        url = device.url.replace("://", "://user:hunter2@") + "?password=hunter2"
        client = self.client(timeout_s=0.05)
        _, text = await failure_of(client.send(prepare(parse_url(url))))
        self.assertEqual(text, f"{device.url} did not answer within 0.05 s")
        self.assertEqual(
            device.received[0].headers["authorization"], basic_authorization("user", "hunter2")
        )

    async def test_a_cancelled_request_closes_its_connection(self) -> None:
        device = self.device(say_nothing)
        sending = self.client().send(prepare(parse_url(device.url)))
        while not device.received:
            await deferLater(reactor, 0.001)
        sending.cancel()
        await self.assertFailure(sending, CancelledError)
        await device.idle()


class TlsTests(Loopback):
    async def test_an_untrusted_certificate(self) -> None:
        device = self.device(answer(), tls=self_signed("127.0.0.1"))
        kind, text = await self.failure(device)
        self.assertEqual(kind, "tls_certificate")
        self.assertEqual(
            text,
            "the certificate of DEVICE is not trusted: use http://, or add it to this "
            "computer's trusted certificates",
        )
        await device.idle()

    async def test_a_certificate_for_another_name(self) -> None:
        tls = self_signed("elsewhere.example")
        self._trust(dump_certificate(FILETYPE_PEM, tls.certificate))
        device = self.device(answer(), tls=tls)
        self.assertEqual(
            await self.failure(device),
            ("tls_certificate", "the certificate of DEVICE is for another name than 127.0.0.1"),
        )
        await device.idle()

    def _trust(self, certificates: bytes) -> None:
        authorities = Path(self.mktemp())
        authorities.write_bytes(certificates)
        self.addCleanup(self._set_authorities, os.environ.get("SSL_CERT_FILE"))
        self._set_authorities(str(authorities))

    def _set_authorities(self, path: str | None) -> None:
        os.environ.pop("SSL_CERT_FILE", None)
        if path is not None:
            os.environ["SSL_CERT_FILE"] = path

    async def test_any_certificate_will_do_when_asked_for(self) -> None:
        device = self.device(answer(b"hello"), tls=self_signed("elsewhere.example"))
        client, request = self.client(verify_tls=False), prepare(parse_url(device.url))
        for _ in range(3):
            self.assertEqual((await client.send(request)).body, b"hello")
        self.assertEqual(device.connections, 1)
        await client.close()
        await device.idle()

    async def test_https_to_a_plain_port(self) -> None:
        device = self.device(answer())
        url = parse_url(device.url.replace("http:", "https:"))
        client = self.client(timeout_s=0.5)
        device.buildProtocol = lambda addr: _PlainAnswer()  # type: ignore[assignment, return-value]
        kind, text = await failure_of(client.send(prepare(url)))
        self.assertEqual(kind, "connect")
        self.assertTrue(text.startswith(f"{url.shown} does not speak TLS as expected ("), text)
        self.assertTrue(text.endswith("): is it http://?"), text)


class RedirectTests(Loopback):
    async def test_redirects_are_followed_on_the_same_connection(self) -> None:
        redirect = answer(b"moved", "302 Found", {"Location": "/b?x=1"})
        device = self.device(redirect, answer(b"there"))
        request = prepare(parse_url(device.url), login=("user", "pass"))
        result = await self.client().send(request)
        self.assertEqual(result.body, b"there")
        self.assertEqual(result.url.shown, f"http://{device.address}/b")
        self.assertEqual(device.received[1].target, "/b?x=1")
        self.assertIn("authorization", device.received[1].headers)
        self.assertEqual(device.connections, 1)

    async def test_another_origin_gets_no_secrets(self) -> None:
        other = self.device(answer(b"there"))
        device = self.device(answer(b"", "307 X", {"Location": other.url}))
        request = prepare(
            parse_url(device.url), headers=[("X-Key", "secret")], login=("user", "pass")
        )
        await self.client().send(request)
        self.assertEqual(set(other.received[0].headers), {"host", "accept", "user-agent"})
        self.assertEqual(other.received[0].headers["host"], other.address)

    async def test_another_origin_gets_no_body(self) -> None:
        other = self.device(answer(b"there"))
        for status in ("307 X", "308 X"):
            device = self.device(answer(b"", status, {"Location": other.url}))
            request = prepare(parse_url(device.url), method="POST", body=b"password=secret")
            error = await self.assertFailure(self.client().send(request), MeterError)
            self.assertEqual(error.kind, "http_status")
            self.assertIn(f"{device.url} redirects to {other.url}", str(error))
        self.assertEqual(other.received, [])

    async def test_an_address_that_is_no_text_is_refused(self) -> None:
        device = self.device(
            b"HTTP/1.1 302 X\r\nLocation: http://\xe4/\r\nContent-Length: 0\r\n\r\n"
        )
        kind, message = await self.failure(device)
        self.assertEqual(
            (kind, message), ("http_status", "DEVICE redirects to where no meter can be")
        )

    async def test_after_see_other_a_post_becomes_a_get(self) -> None:
        for status, method in (("303 X", "GET"), ("302 X", "GET"), ("307 X", "POST")):
            device = self.device(answer(b"", status, {"Location": "/b"}), answer(b""))
            await self.client().send(prepare(parse_url(device.url), method="POST", body=b"x"))
            self.assertEqual(device.received[1].method, method)

    async def test_endless_redirects(self) -> None:
        device = self.device(answer(b"", "301 X", {"Location": "/api"}))
        self.assertEqual(
            await self.failure(device), ("http_status", "DEVICE redirects more than 10 times")
        )
        self.assertEqual((len(device.received), device.connections), (11, 1))

    async def test_a_redirect_to_nowhere(self) -> None:
        for location in ("ftp://127.0.0.1/", "http://[", "mailto:x"):
            device = self.device(answer(b"", "302 X", {"Location": location}))
            self.assertEqual(
                await self.failure(device),
                ("http_status", "DEVICE redirects to where no meter can be"),
            )

    async def test_a_redirect_without_location_is_an_answer(self) -> None:
        device = self.device(answer(b"", "302 Found"))
        result = await self.client().send(prepare(parse_url(device.url)))
        self.assertEqual(result.status, 302)


class ConnectionTests(Loopback):
    async def test_connections_are_reused(self) -> None:
        device = self.device(answer(b"x"))
        client, request = self.client(), prepare(parse_url(device.url))
        for _ in range(20):
            await client.send(request)
        self.assertEqual((len(device.received), device.connections), (20, 1))

    async def test_a_connection_the_device_closed_meanwhile_costs_no_read(self) -> None:
        device = self.device(answer(b"x"))
        client, request = self.client(), prepare(parse_url(device.url))
        await client.send(request)
        for connection in tuple(device.open):
            connection.transport.abortConnection()
        await device.idle()
        self.assertEqual((await client.send(request)).body, b"x")

    async def test_a_connection_the_device_closes_at_the_next_request_costs_no_read(self) -> None:
        device = self.device(answer(b"1"), then_close(b""), answer(b"3"))
        client, request = self.client(), prepare(parse_url(device.url))
        await client.send(request)
        self.assertEqual((await client.send(request)).body, b"3")
        self.assertEqual(device.connections, 2)

    async def test_a_device_that_always_closes(self) -> None:
        device = self.device(then_close(answer(b"x", headers={"Connection": "close"})))
        client, request = self.client(), prepare(parse_url(device.url))
        for _ in range(3):
            self.assertEqual((await client.send(request)).body, b"x")
        self.assertEqual(device.connections, 3)

    async def test_a_device_that_was_restarted(self) -> None:
        device = self.device(answer(b"x"))
        client, request = self.client(), prepare(parse_url(device.url))
        await client.send(request)
        await device.stop()
        self.assertEqual((await failure_of(client.send(request)))[0], "connect")
        device.start()
        self.assertEqual((await client.send(request)).body, b"x")

    async def test_closing_leaves_nothing_and_the_client_usable(self) -> None:
        for tls in (None, self_signed("127.0.0.1")):
            device = self.device(answer(b"x"), tls=tls)
            client, request = self.client(verify_tls=False), prepare(parse_url(device.url))
            await gatherResults([client.send(request) for _ in range(3)])
            self.assertEqual(len(device.open), 3)
            await client.close()
            await device.idle()
            await client.send(request)
            await client.close()
            await device.idle()

    async def test_hosts_change_and_the_memory_of_them_stays_bounded(self) -> None:
        connections = http_agent.Connections(reactor, 1.0, True)
        for port in range(1, 100):
            uri = URI.fromBytes(b"http://127.0.0.1:%d/" % port)
            self.assertIs(connections.endpointForURI(uri), connections.endpointForURI(uri))
        self.assertLess(len(connections._endpoints), 20)

    async def test_cookies_only_when_asked_for_and_then_for_ip_hosts_too(self) -> None:
        for cookies, expected in ((False, None), (True, "sid=1")):
            device = self.device(answer(b"", headers={"Set-Cookie": "sid=1"}))
            client, request = self.client(cookies=cookies), prepare(parse_url(device.url))
            await client.send(request)
            await client.send(request)
            self.assertEqual(device.received[1].headers.get("cookie"), expected)


class _PlainAnswer(Protocol):
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(answer(b"", "400 Bad Request"))


@implementer(IHostnameResolver)
class _KnowsNoName:
    def resolveHostName(self, resolutionReceiver: Any, *_: Any, **__: Any) -> Any:
        resolutionReceiver.resolutionBegan(None)
        resolutionReceiver.resolutionComplete()


class VirtualTests(SynchronousTestCase):
    """Time and network are what was passed in."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(_KnowsNoName())
        self.client = HttpClient(self.reactor)

    def send(self, url: str) -> Deferred[Any]:
        return self.client.send(prepare(parse_url(url)))

    def failure(self, sending: Deferred[Any]) -> tuple[str, str]:
        error = self.failureResultOf(sending, MeterError).value
        return error.kind, str(error)

    def connect_fails(self, error: Exception) -> tuple[str, str]:
        sending = self.send("http://192.168.1.9/x")
        host, port, factory, timeout, _ = self.reactor.tcpClients.pop()
        connector: Any = None
        self.assertEqual((host, port, timeout), ("192.168.1.9", 80, 1.0))
        factory.clientConnectionFailed(connector, Failure(error))
        return self.failure(sending)

    def test_the_whole_exchange_has_two_seconds(self) -> None:
        sending = self.send("http://192.168.1.9/x?secret=1")
        self.reactor.advance(1.99)
        self.assertNoResult(sending)
        self.reactor.advance(0.01)
        self.assertEqual(
            self.failure(sending), ("timeout", "http://192.168.1.9/x did not answer within 2 s")
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_connecting_has_one_second(self) -> None:
        self.assertEqual(
            self.connect_fails(network.TimeoutError()),
            ("timeout", "http://192.168.1.9/x did not accept the connection in time"),
        )

    def test_connections_that_fail(self) -> None:
        self.assertEqual(self.connect_fails(network.ConnectionRefusedError())[0], "connect")
        kind, text = self.connect_fails(network.NoRouteError())
        self.assertEqual(kind, "connect")
        self.assertEqual(text, "http://192.168.1.9/x cannot be reached (No route to host.)")

    def test_a_name_that_nobody_knows(self) -> None:
        kind, text = self.failure(self.send("http://meter.local/x"))
        self.assertEqual(kind, "connect")
        self.assertEqual(
            text,
            "no device is known by the name meter.local: check the spelling, or use its IP address",
        )

    def test_names_with_underscores_and_ipv6_hosts_are_connected_to(self) -> None:
        for url, expected in (
            ("http://home_assistant:8123/x", ("home_assistant", 8123)),
            ("http://[fd00::1]/x", ("fd00::1", 80)),
        ):
            sending = self.send(url)
            self.assertEqual(self.reactor.tcpClients.pop()[:2], expected)
            sending.cancel()
            self.failureResultOf(sending, CancelledError)

    def test_endpoints_are_what_agents_want(self) -> None:
        connections = http_agent.Connections(self.reactor, 1.0, True)
        verifyObject(IAgentEndpointFactory, connections)

    def test_closing_does_not_wait_for_ever(self) -> None:
        sending = self.send("http://192.168.1.9/x")
        protocol: Any = self.reactor.tcpClients[0][2].buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = lambda: None  # type: ignore[method-assign]
        protocol.makeConnection(transport)
        closing = self.client.close()
        self.assertNoResult(closing)
        self.reactor.advance(1.0)
        self.successResultOf(closing)
        self.reactor.advance(1.0)
        self.assertEqual(self.failure(sending)[0], "timeout")

    def test_a_defect_is_not_taken_for_a_failing_device(self) -> None:
        class Broken:
            def request(self, *_: object) -> Any:
                raise LookupError("defect")

        broken: Any = Broken()
        client = HttpClient(self.reactor, agent=broken)
        self.failureResultOf(client.send(prepare(parse_url("http://device/x"))), LookupError)

    def test_an_agent_may_be_injected(self) -> None:
        def respond(*_: Any) -> Any:
            return 200, {}, b"[1]"

        agent = RequestTraversalAgent(StringStubbingResource(respond))
        client = HttpClient(self.reactor, agent=agent)
        result = self.successResultOf(client.send(prepare(parse_url("http://device/x"))))
        self.assertEqual(result.json(), [1])
        self.successResultOf(client.close())


class PrepareTests(SynchronousTestCase):
    def authorization(self, request: Request) -> str:
        [value] = request.headers.getRawHeaders("Authorization") or ["none"]
        return value

    def test_a_login_is_sent_at_once(self) -> None:
        plain, inside = parse_url("http://device/"), parse_url("http://u:p%40@device/")
        self.assertEqual(self.authorization(prepare(plain)), "none")
        self.assertEqual(self.authorization(prepare(inside)), basic_authorization("u", "p@"))
        self.assertEqual(
            self.authorization(prepare(inside, login=("x", ""))), basic_authorization("x", "")
        )

    def test_own_headers_replace_the_clients(self) -> None:
        headers = [("authorization", "Bearer 1"), ("accept", "a"), ("Accept", "b")]
        request = prepare(parse_url("http://device/"), headers=headers, login=("u", "p"))
        self.assertEqual(self.authorization(request), "Bearer 1")
        self.assertEqual(request.headers.getRawHeaders("Accept"), ["b"])

    def test_logins_are_latin_1_where_that_will_do(self) -> None:
        for password, encoded in (("ü", b"u:\xfc"), ("€", "u:€".encode())):
            value = basic_authorization("u", password)
            self.assertEqual(base64.b64decode(value.removeprefix("Basic ")), encoded)
