"""The routes of the health server (web.md section 9), in memory and over a real connection."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.web.health import HealthServer
from astrameter.web.site import IDLE_TIMEOUT_S, MAX_BODY_BYTES, MAX_CONNECTIONS
from astrameter.web.status import Status

ROOT = Path(__file__).parents[3]
HEALTHY = {"status": "healthy", "service": "astrameter"}


def a_status(**changes: Any) -> Any:
    status: Status = {
        "version": "3.0",
        "uptime_s": 3725.0,
        "meters": [
            {"section": "JSON_HTTP", "watts": [100.4, -20.0, 3.0], "age_s": 0.5, "error": None}
        ],
        "devices": [
            {
                "type": "ct002",
                "id": "device-1",
                "port": 12345,
                "batteries": [
                    {
                        "id": "aabbccddeeff",
                        "type": "HMG-50",
                        "phase": "A",
                        "power_w": 250.0,
                        "reading_w": 83.0,
                        "age_s": 1.0,
                    }
                ],
            }
        ],
    }
    return {**status, **changes}


def failing_meter(error: str) -> dict[str, Any]:
    return {"section": "JSON_HTTP", "watts": None, "age_s": 9.0, "error": error}


class Transport(StringTransportWithDisconnection):
    """Tells its protocol when it is cut, as a real one does."""

    protocol: Any = None

    def abortConnection(self) -> None:
        self.loseConnection()


class Case(SynchronousTestCase):
    commit: str | None = None

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.status = a_status()
        self.server = HealthServer(
            self.reactor, 52500, status=lambda: self.status, commit=self.commit
        )
        self.server.startService()

    def connect(self) -> Transport:
        _port, factory, _backlog, _interface = self.reactor.tcpServers[-1]
        transport = Transport()
        transport.protocol = factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        return transport

    def raw(self, method: str, path: str, more: bytes = b"") -> bytes:
        transport = self.connect()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
        transport.protocol.dataReceived(head + (more or b"\r\n"))
        answer: bytes = transport.value()
        return answer

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        head, _, body = self.raw(method, path).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        return int(first.split()[1]), headers, body

    def document(self, path: str) -> tuple[int, Any]:
        code, headers, body = self.ask(path)
        self.assertEqual(headers["content-type"], "application/json; charset=utf-8")
        return code, json.loads(body)


class Routes(Case):
    def test_health_on_its_four_paths(self) -> None:
        for path in ("/health", "/health/", "/api", "/api/"):
            self.assertEqual(self.document(path), (200, HEALTHY), path)

    def test_health_exact_text(self) -> None:
        _code, _headers, body = self.ask("/health")
        self.assertEqual(body, b'{"status": "healthy", "service": "astrameter"}')

    def test_not_cached(self) -> None:
        for path in ("/", "/health", "/ready", "/api/status"):
            self.assertEqual(self.ask(path)[1]["cache-control"], "no-cache")

    def test_head_has_the_length_and_no_body(self) -> None:
        code, headers, body = self.ask("/health", "HEAD")
        self.assertEqual((code, body), (200, b""))
        self.assertEqual(headers["content-length"], str(len(self.ask("/health")[2])))

    def test_query_is_ignored(self) -> None:
        self.assertEqual(self.document("/health?x=/nothing"), (200, HEALTHY))

    def test_one_connection_asks_again_and_again(self) -> None:
        transport = self.connect()
        requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in ("/health", "/x", "/api")]
        transport.protocol.dataReceived("".join(requests).encode())
        transport.protocol.dataReceived(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        answers = transport.value().split(b"HTTP/1.1 ")[1:]
        self.assertEqual([int(one[:3]) for one in answers], [200, 404, 200, 200])
        self.assertTrue(transport.connected)

    def test_a_client_of_old(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertTrue(transport.value().endswith(json.dumps(HEALTHY).encode()))
        self.assertFalse(transport.connected)

    def test_unknown_path(self) -> None:
        for path in ("//health", "/health//", "/nothing", "/Health", "/config", "/api/status/"):
            self.assertEqual(self.document(path), (404, {"error": "Not Found"}), path)

    def test_wrong_method_is_not_found_too(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
            code, _headers, body = self.ask("/health", method)
            self.assertEqual((code, body), (404, b'{"error": "Not Found"}'), method)

    def test_head_of_an_unknown_path(self) -> None:
        self.assertEqual(self.ask("/nothing", "HEAD")[::2], (404, b""))

    def test_every_answer_is_hardened_and_tells_no_version(self) -> None:
        for path in ("/", "/health", "/nothing", "*"):
            headers = self.ask(path, "OPTIONS" if path == "*" else "GET")[1]
            self.assertNotIn("server", headers)
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertTrue(headers["content-security-policy"].startswith("default-src 'none';"))
            self.assertNotIn("access-control-allow-origin", headers)


class WithCommit(Case):
    commit = "abc123"

    def test_health_names_the_commit(self) -> None:
        self.assertEqual(self.document("/health"), (200, {**HEALTHY, "git_commit": "abc123"}))


class Readiness(Case):
    def test_every_meter_works(self) -> None:
        self.assertEqual(self.document("/ready"), (200, {"status": "ready"}))

    def test_a_meter_failed(self) -> None:
        self.status = a_status(meters=[failing_meter("no route to host")])
        self.assertEqual(
            self.document("/ready"),
            (503, {"status": "not ready", "problems": ["[JSON_HTTP] no route to host"]}),
        )

    def test_a_meter_has_not_been_read(self) -> None:
        meter = {"section": "MQTT", "watts": None, "age_s": None, "error": None}
        self.status = a_status(meters=[meter])
        code, document = self.document("/ready")
        self.assertEqual((code, document["problems"]), (503, ["[MQTT] no reading yet"]))

    def test_health_does_not_depend_on_meters(self) -> None:
        self.status = a_status(meters=[failing_meter("no route to host")])
        self.assertEqual(self.document("/health"), (200, HEALTHY))


class StatusDocument(Case):
    def test_is_what_the_daemon_says(self) -> None:
        self.assertEqual(self.document("/api/status"), (200, self.status))

    def test_secrets_in_errors_are_hidden(self) -> None:
        self.status = a_status(meters=[failing_meter("GET http://u:geheim@h failed")])
        for path in ("/", "/ready", "/api/status"):
            self.assertNotIn(b"geheim", self.ask(path)[2])


class Metrics(Case):
    def setUp(self) -> None:
        super().setUp()
        self.asked = 0
        self.error: Exception | None = None
        self.server = HealthServer(
            self.reactor, 52501, status=lambda: self.status, metrics=self.metrics
        )
        self.server.startService()

    def metrics(self) -> tuple[bytes, bytes]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return b"text/plain; version=1.0.0; charset=utf-8", b"a_metric 1.0\n"

    def test_they_are_told_as_they_are(self) -> None:
        code, headers, body = self.ask("/metrics")
        self.assertEqual((code, body), (200, b"a_metric 1.0\n"))
        self.assertEqual(headers["content-type"], "text/plain; version=1.0.0; charset=utf-8")
        self.assertEqual(headers["cache-control"], "no-cache")

    def test_nobody_else_makes_them(self) -> None:
        for path in ("/", "/health", "/metrics/", "/api/status"):
            self.ask(path)
        self.ask("/metrics", "POST")
        self.assertEqual(self.asked, 0)

    def test_a_defect_of_theirs_does_not_break_the_server(self) -> None:
        self.error = ValueError("defect")
        code, document = self.document("/metrics")
        self.assertEqual((code, document), (500, {"error": "The metrics are not available"}))
        self.assertEqual(self.document("/health"), (200, HEALTHY))
        self.error = None
        self.assertEqual(self.ask("/metrics")[0], 200)


class WithoutMetrics(Case):
    def test_there_is_no_such_page(self) -> None:
        self.assertEqual(self.document("/metrics"), (404, {"error": "Not Found"}))


class Page(Case):
    def page(self) -> str:
        code, headers, body = self.ask("/")
        self.assertEqual(code, 200)
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        return body.decode()

    def test_shows_meters_devices_and_batteries(self) -> None:
        page = self.page()
        for text in ("JSON_HTTP", "100 / -20 / 3", "ct002", "12345", "HMG-50", "250", "1 h 2 min"):
            self.assertIn(text, page)

    def test_renews_itself_without_scripts(self) -> None:
        page = self.page()
        self.assertIn('http-equiv="refresh"', page)
        self.assertNotIn("<script", page)
        self.assertNotIn("http://", page)

    def test_style_is_the_one_the_policy_names(self) -> None:
        style = self.page().partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = self.ask("/")[1]["content-security-policy"]
        self.assertIn(f"style-src 'sha256-{digest}'", policy)

    def test_everything_is_escaped(self) -> None:
        evil = "<img src=x onerror=alert(1)>\"'&"
        self.status = a_status(meters=[failing_meter(evil)], version=evil)
        self.status["meters"][0]["section"] = evil
        device = self.status["devices"][0]
        device["id"] = device["type"] = evil
        for key in ("id", "type", "phase"):
            device["batteries"][0][key] = evil
        page = self.page()
        self.assertNotIn("<img", page)
        self.assertEqual(page.count("&lt;img src=x"), 8)

    def test_tells_that_a_meter_fails(self) -> None:
        self.assertIn("Everything works.", self.page())
        self.status = a_status(meters=[failing_meter("no route")])
        self.assertIn("Not every meter works.", self.page())

    def test_nothing_configured(self) -> None:
        self.status = a_status(meters=[], devices=[])
        self.assertEqual(self.page().count("None."), 2)


class BrokenStatus(Case):
    def setUp(self) -> None:
        super().setUp()
        self.status = {}

    def test_is_contained(self) -> None:
        self.assertEqual(
            self.document("/api/status"), (500, {"error": "The status is not available"})
        )
        self.assertEqual(self.document("/ready")[0], 503)
        self.assertEqual(self.ask("/")[0], 500)
        self.assertEqual(self.document("/health"), (200, HEALTHY))

    def test_numbers_that_json_does_not_know(self) -> None:
        self.status = a_status(uptime_s=float("nan"))
        self.assertEqual(self.ask("/api/status")[0], 500)

    def test_next_good_status_is_served(self) -> None:
        self.ask("/api/status")
        self.status = a_status()
        self.assertEqual(self.ask("/api/status")[0], 200)


class Bounds(Case):
    def test_body_is_thrown_away(self) -> None:
        answer = self.raw("POST", "/health", b"Content-Length: 5\r\n\r\nhello")
        self.assertIn(b"404", answer.split(b"\r\n")[0])

    def test_form_is_not_parsed(self) -> None:
        more = b"Content-Type: multipart/form-data\r\nContent-Length: 5\r\n\r\nhello"
        self.assertIn(b"404", self.raw("POST", "/health", more).split(b"\r\n")[0])

    def test_endless_body_is_cut(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        )
        transport.protocol.dataReceived(b"x" * MAX_BODY_BYTES)
        self.assertTrue(transport.connected)
        transport.protocol.dataReceived(b"x")
        self.assertFalse(transport.connected)

    def test_large_head_is_refused(self) -> None:
        answer = self.raw("GET", "/health", b"X: " + b"y" * 20000 + b"\r\n\r\n")
        self.assertNotIn(b"healthy", answer)

    def test_idle_connection_is_closed(self) -> None:
        transport = self.connect()
        self.reactor.advance(IDLE_TIMEOUT_S + 1)
        self.assertFalse(transport.connected)

    def test_one_connection_too_many_ends_the_oldest(self) -> None:
        open_ones = [self.connect() for _ in range(MAX_CONNECTIONS)]
        self.assertTrue(all(one.connected for one in open_ones))
        newest = self.connect()
        self.assertFalse(open_ones[0].connected)
        self.assertTrue(all(one.connected for one in [*open_ones[1:], newest]))

    def test_no_access_log_and_no_timer_of_its_own(self) -> None:
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class Service(Case):
    def test_binds_all_addresses_once(self) -> None:
        self.server.privilegedStartService()
        self.server.startService()
        self.assertEqual([one[0] for one in self.reactor.tcpServers], [52500])
        self.assertEqual(self.reactor.tcpServers[0][3], "0.0.0.0")

    def test_privileged_start_binds(self) -> None:
        fresh = MemoryReactorClock()
        server = HealthServer(fresh, 80, "127.0.0.1", status=a_status)
        server.privilegedStartService()
        self.assertEqual([(one[0], one[3]) for one in fresh.tcpServers], [(80, "127.0.0.1")])

    def test_stop_closes_connections_and_timers(self) -> None:
        transport = self.connect()
        self.successResultOf(self.server.stopService())
        self.assertFalse(transport.connected)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIsNone(self.server.listening)

    def test_stop_does_not_wait_for_ever(self) -> None:
        transport = self.connect()
        self.patch(transport, "loseConnection", lambda: None)
        stopped = self.server.stopService()
        self.assertNoResult(stopped)
        self.reactor.advance(6)
        self.successResultOf(stopped)
        transport.protocol.connectionLost(Failure(ConnectionError()))

    def test_stop_twice(self) -> None:
        self.successResultOf(self.server.stopService())
        self.successResultOf(self.server.stopService())

    def test_may_start_again(self) -> None:
        self.successResultOf(self.server.stopService())
        self.server.startService()
        self.assertEqual(self.document("/health"), (200, HEALTHY))

    def test_taken_port_is_the_starters_business(self) -> None:
        def taken(*_args: object, **_kw: object) -> None:
            raise CannotListenError("", 52500, OSError("in use"))

        self.patch(self.reactor, "listenTCP", taken)
        server = HealthServer(self.reactor, 52500, status=a_status)
        self.assertRaises(CannotListenError, server.startService)
        self.assertFalse(server.running)


class WithoutWebServer(SynchronousTestCase):
    def test_twisted_web_is_not_imported(self) -> None:
        code = (
            "import sys, astrameter.web.health as h; "
            "h.HealthServer(None, 1, status=dict); sys.exit('twisted.web' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, cwd=ROOT)
        self.assertEqual(done.returncode, 0)


class _Collector(Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.data)


class OverTcp(TestCase):
    """The one test with a real socket: answer, then stop with a connection left open."""

    async def connect(self, server: HealthServer) -> _Collector:
        assert server.listening is not None
        port = server.listening.getHost().port
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=5)
        return await endpoint.connect(Factory.forProtocol(_Collector))

    async def test_answers_and_leaves_nothing_open(self) -> None:
        server = HealthServer(reactor, 0, "127.0.0.1", status=a_status)
        server.startService()
        asking = await self.connect(server)
        asking.transport.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asking.ended.addTimeout(5, reactor)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(answer.endswith(json.dumps(HEALTHY).encode()))
        idle = await self.connect(server)
        idle.transport.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.stopService()
        await idle.ended.addTimeout(5, reactor)
