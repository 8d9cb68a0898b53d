"""The HTTP API: simulator.md section 7."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from simulator.api.server import (
    LARGEST_BODY,
    LONGEST_UPLOAD,
    MOST_CONNECTIONS,
    ApiServer,
    PortTakenError,
)
from simulator.api.stream import MOST_CLIENTS, MOST_SKIPPED
from simulator.sitestatus import Status
from tests.simulator.api.rig import MAC, OTHER, Answer, ApiCase
from tests.vectors import each

SOC = f"/batteries/{MAC}/soc"
POWER = f"/batteries/{MAC}/max_power"
DC = f"/batteries/{OTHER}/dc"
NOT_JSON = "invalid or missing JSON"

REFUSED: list[dict[str, Any]] = [
    {"name": "load not a number", "path": "/loads/x/toggle", "error": "invalid index"},
    {"name": "load too long", "path": f"/loads/{'9' * 5000}/toggle", "error": "invalid index"},
    {"name": "load 9", "path": "/loads/9/toggle", "error": "Load index out of range: 9"},
    {"name": "load 0", "path": "/loads/0/toggle", "error": "Load index out of range: 0"},
    {"name": "load -1", "path": "/loads/-1/toggle", "error": "Load index out of range: -1"},
    {"name": "solar no body", "path": "/solar", "error": NOT_JSON},
    {"name": "solar no json", "path": "/solar", "raw": b"{", "error": NOT_JSON},
    {"name": "solar no utf8", "path": "/solar", "raw": b"\xff\xfe", "error": NOT_JSON},
    {"name": "solar deep", "path": "/solar", "raw": b"[" * 60000, "error": NOT_JSON},
    {"name": "solar missing", "path": "/solar", "body": {}, "error": "missing 'watts'"},
    {"name": "solar null", "path": "/solar", "body": {"watts": None}, "error": "missing 'watts'"},
    {"name": "solar text", "path": "/solar", "body": {"watts": "500"}, "error": "invalid watts"},
    {"name": "solar list", "path": "/solar", "body": {"watts": [1]}, "error": "invalid watts"},
    {"name": "solar nan", "path": "/solar", "raw": b'{"watts": NaN}', "error": "invalid watts"},
    {
        "name": "solar endless",
        "path": "/solar",
        "raw": b'{"watts": Infinity}',
        "error": "invalid watts",
    },
    {
        "name": "solar huge",
        "path": "/solar",
        "raw": b'{"watts": 1%s}' % (b"0" * 400),
        "error": "invalid watts",
    },
    {
        "name": "solar not an object",
        "path": "/solar",
        "body": [500],
        "error": "the JSON body must be an object, for example {}",
    },
    {"name": "soc missing", "path": SOC, "body": {}, "error": "missing 'soc'"},
    {"name": "soc text", "path": SOC, "body": {"soc": "full"}, "error": "invalid 'soc'"},
    {"name": "soc nan", "path": SOC, "raw": b'{"soc": NaN}', "error": "invalid 'soc'"},
    {"name": "soc above 1", "path": SOC, "body": {"soc": 1.5}, "error": "invalid 'soc'"},
    {"name": "power text", "path": POWER, "body": {"charge": "x"}, "error": "invalid max power"},
    {"name": "power null", "path": POWER, "body": {"charge": None}, "error": "invalid max power"},
    {
        "name": "power nan",
        "path": POWER,
        "raw": b'{"charge": NaN}',
        "error": "invalid max power",
    },
    {
        "name": "power negative",
        "path": POWER,
        "body": {"charge": 5, "discharge": -1},
        "error": "max power must be >= 0",
    },
    {
        "name": "dc not there",
        "path": f"/batteries/{MAC}/dc",
        "error": "battery has no DC input capability",
    },
    {"name": "dc missing", "path": DC, "body": {}, "error": "missing 'watts'"},
    {"name": "dc text", "path": DC, "body": {"watts": "x"}, "error": "invalid 'watts'"},
    {"name": "dc nan", "path": DC, "raw": b'{"watts": NaN}', "error": "invalid 'watts'"},
    {
        "name": "dc too much",
        "path": DC,
        "body": {"watts": 801.0},
        "error": "watts must be within [0, 800], got 801.0",
    },
    {"name": "auto no body", "path": "/auto", "error": NOT_JSON},
    {
        "name": "phase",
        "path": f"/batteries/{MAC}/phase",
        "body": {"phase": 5},
        "error": "invalid 'phase'",
    },
    {"name": "online", "path": f"/batteries/{MAC}/online", "body": {}, "error": "missing 'online'"},
    {
        "name": "loss",
        "path": "/packet_loss",
        "body": {"loss": 2},
        "error": "a packet loss is 0..1, not 2",
    },
]


class Reading(ApiCase):
    def test_power(self) -> None:
        answer = self.ask("GET", "/power")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.json, {"phase_a": 100.0, "phase_b": 0.0, "phase_c": 50.0})
        self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")
        self.assertNotIn("server", answer.headers)

    def test_the_noise_is_drawn_anew_at_each_reading(self) -> None:
        self.simulation.household.base_noise_w = 20
        readings = {self.ask("GET", "/power").body for _ in range(5)}
        self.assertGreater(len(readings), 1)

    def test_status(self) -> None:
        answer = self.ask("GET", "/status")
        self.assertEqual(Status.from_json(answer.json).batteries[1].mac, OTHER)
        self.assertEqual(answer.json["solar"], {"current": 0.0, "max": 2000, "phases": ["A"]})

    def test_head_has_no_body(self) -> None:
        answer = self.ask("HEAD", "/status")
        self.assertEqual((answer.code, answer.body), (200, b""))

    def test_unknown_addresses(self) -> None:
        for method, path in (
            ("GET", "/"), ("GET", "/powers"), ("POST", "/batteries/x"), ("GET", "/%00"),
            ("POST", f"/batteries/{MAC}/nix"), ("GET", "/status/x"), ("POST", "/loads/1"),
        ):  # fmt: skip
            answer = self.ask(method, path)
            self.assertEqual(answer.code, 404)
            self.assertEqual(answer.json, {"error": "there is nothing at this address"})

    def test_wrong_methods_are_told_the_right_one(self) -> None:
        for method, path, allowed in (
            ("POST", "/power", "GET, HEAD"), ("DELETE", "/status", "GET, HEAD"),
            ("GET", "/solar", "POST"), ("PUT", "/auto", "POST"), ("GET", SOC, "POST"),
            ("GET", "/loads/1/toggle", "POST"), ("GET", "/shutdown", "POST"),
        ):  # fmt: skip
            answer = self.ask(method, path)
            self.assertEqual((answer.code, answer.headers["allow"]), (405, allowed))
            self.assertEqual(answer.json, {"error": f"this takes {allowed}"})


class Changing(ApiCase):
    @each(REFUSED)
    def refused(self, case: dict[str, Any]) -> None:
        before = self.simulation.status()
        content = case.get("raw") or (json.dumps(case["body"]).encode() if "body" in case else None)
        answer = self.ask("POST", case["path"], content)
        self.assertEqual((answer.code, answer.json), (400, {"error": case["error"]}))
        self.assertEqual(self.simulation.status(), before)

    def test_loads(self) -> None:
        answer = self.post("/loads/1/toggle")
        self.assertEqual(answer.code, 200)
        self.assertTrue(answer.json["loads"][0]["active"])

    def test_the_sun(self) -> None:
        for value, wanted in ((800, 800), ("max", 2000), ("off", 0), (99999, 2000), (True, 1)):
            answer = self.post("/solar", {"watts": value})
            self.assertEqual(answer.json["solar"]["current"], wanted)

    def test_a_change_is_added_to_what_is(self) -> None:
        self.post("/solar", {"change": 100})
        self.assertEqual(self.post("/solar", {"change": 100}).json["solar"]["current"], 200)
        self.assertEqual(self.post(SOC, {"change": 0.1}).json["batteries"][0]["soc"], 0.6)
        one = self.post(POWER, {"change": -100}).json["batteries"][0]
        self.assertEqual((one["max_charge"], one["max_discharge"]), (700, 700))

    def test_the_state_of_charge_also_as_text(self) -> None:
        self.assertEqual(self.post(SOC, {"soc": "0.75"}).json["batteries"][0]["soc"], 0.75)
        answer = self.post(f"/batteries/{MAC.lower()}/soc", {"soc": 0.25})
        self.assertEqual(answer.json["batteries"][0]["soc"], 0.25)

    def test_power_limits_are_truncated(self) -> None:
        one = self.post(POWER, {"charge": 12.7, "discharge": "99"}).json["batteries"][0]
        self.assertEqual((one["max_charge"], one["max_discharge"]), (12, 99))
        self.assertEqual(self.post(POWER, {}).code, 200)

    def test_the_dc_side(self) -> None:
        self.assertEqual(self.post(DC, {"watts": 800}).json["batteries"][1]["dc_input"], 800)

    def test_unknown_batteries_before_the_body_is_looked_at(self) -> None:
        for name in ("soc", "max_power", "dc", "online", "phase"):
            answer = self.ask("POST", f"/batteries/02B2500000FF/{name}", b"nonsense")
            self.assertEqual((answer.code, answer.json), (404, {"error": "battery not found"}))

    def test_auto_takes_any_truth(self) -> None:
        for value, wanted in ((True, True), (0, False), ("yes", True), ([], False)):
            self.assertIs(self.post("/auto", {"enabled": value}).json["auto_mode"], wanted)
        self.post("/auto", {"enabled": True})
        self.assertIs(self.post("/auto", {}).json["auto_mode"], False)
        self.assertIs(self.post("/auto", {"toggle": True}).json["auto_mode"], True)

    def test_what_scripts_can_do_can_be_asked_for_as_well(self) -> None:
        one = self.post(f"/batteries/{MAC}/online", {"online": False}).json["batteries"][0]
        self.assertFalse(one["online"])
        one = self.post(f"/batteries/{MAC}/phase", {"phase": "C"}).json["batteries"][0]
        self.assertEqual(one["phase"], "C")
        self.assertEqual(
            self.post("/base_load", {"phase": "B", "watts": 7}).json["grid"]["phase_b"], 7
        )
        self.assertEqual(self.post("/packet_loss", {"loss": 0.5}).code, 200)
        self.assertEqual(self.simulation.packet_loss, 0.5)
        self.assertEqual(self.post("/meter", {"latency": 2}).code, 200)
        self.assertEqual(self.simulation.meter.latency_s, 2)

    def test_shutdown_answers_and_then_ends(self) -> None:
        answer = self.post("/shutdown")
        self.assertEqual((answer.code, answer.json), (200, {"status": "shutting_down"}))
        self.reactor.advance(0.1)
        self.assertEqual(self.ended, 1)

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.sampled_from(("/solar", "/auto", SOC, POWER, DC, "/base_load", "/packet_loss", "/meter",
                         f"/batteries/{MAC}/phase", f"/batteries/{MAC}/online")),
        st.binary(max_size=30)
        | st.dictionaries(
            st.sampled_from(("watts", "soc", "charge", "discharge", "enabled", "toggle", "change",
                             "phase", "loss", "latency", "online")),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
            | st.lists(st.integers(), max_size=2),
            max_size=3,
        ).map(lambda body: json.dumps(body).encode()),
    )  # fmt: skip
    def test_no_body_breaks_it(self, path: str, body: bytes) -> None:
        answer = self.ask("POST", path, body)
        self.assertIn(answer.code, (200, 400))
        self.assertIsInstance(answer.json, dict)


class Browsers(ApiCase):
    def test_pages_of_others_may_change_nothing(self) -> None:
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost:9999"},
            {"sec_fetch_site": "cross-site"},
            {"host": "evil.example:8080"},
            {"host": "evil.example", "origin": "http://evil.example"},
            {"host": "127.0.0.1.evil.example"},
        ):
            answer = self.ask("POST", "/loads/1/toggle", **headers)
            self.assertEqual(answer.code, 403, headers)
            self.assertIn("error", answer.json)
        self.assertFalse(self.simulation.household.loads[0].active)

    def test_this_machine_may_by_any_of_its_names(self) -> None:
        for headers in (
            {"host": "localhost:8080"}, {"host": "127.0.0.1:8080"}, {"host": "[::1]:8080"},
            {"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080"},
            {"sec_fetch_site": "none"}, {"sec_fetch_site": "same-origin"},
        ):  # fmt: skip
            self.assertEqual(self.ask("POST", "/loads/1/toggle", **headers).code, 200, headers)

    def test_reading_is_free(self) -> None:
        self.assertEqual(self.ask("GET", "/power", origin="http://evil.example").code, 200)


class BrowsersWhenExposed(ApiCase):
    host = "0.0.0.0"

    def test_any_name_of_the_host_but_no_foreign_page(self) -> None:
        self.assertEqual(self.ask("POST", "/loads/1/toggle", host="sim.home:8080").code, 200)
        answer = self.ask(
            "POST", "/loads/1/toggle", host="sim.home:8080", origin="http://evil.example"
        )
        self.assertEqual(answer.code, 403)


class Bounds(ApiCase):
    def test_a_body_too_large_is_refused(self) -> None:
        answer = self.ask("POST", "/solar", b" " * (LARGEST_BODY + 1))
        self.assertEqual(answer.code, 413)
        self.assertIn("too large", answer.json["error"])

    def test_a_huge_body_is_not_waited_for(self) -> None:
        protocol, transport = self.connect()
        head = f"POST /solar HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LONGEST_UPLOAD + 1}"
        protocol.dataReceived(head.encode() + b"\r\n\r\n")
        self.assertEqual(Answer(transport.value()).code, 413)
        self.assertTrue(transport.disconnecting)

    def test_an_endless_body_ends(self) -> None:
        protocol, transport = self.connect()
        protocol.dataReceived(
            b"POST /solar HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        for _ in range(LONGEST_UPLOAD // 0x8000 + 2):
            if not transport.disconnecting:
                protocol.dataReceived(chunk)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(Answer(transport.value()).code, 413)

    def test_one_connection_too_many_ends_the_oldest(self) -> None:
        first = self.connect()[1]
        for _ in range(MOST_CONNECTIONS):
            self.connect()
        self.assertTrue(first.disconnecting)

    def test_an_idle_connection_ends(self) -> None:
        _, transport = self.connect()
        self.reactor.pump([1.0] * 80)
        self.assertTrue(transport.disconnecting)

    def test_a_defect_is_a_500_and_a_line_in_the_log(self) -> None:
        self.patch(self.simulation.household, "contribution", None)
        answer = self.ask("GET", "/power")
        self.assertEqual((answer.code, answer.json), (500, {"error": "the simulator failed"}))

    def test_a_port_in_use_says_how_to_mend_it(self) -> None:
        reactor = MemoryReactorClock()

        def taken(*_args: object, **_kw: object) -> None:
            raise CannotListenError("127.0.0.1", 8080, OSError(98, "Address already in use"))

        reactor.listenTCP = taken  # type: ignore[method-assign]
        server = ApiServer(
            self.control, self.simulation.power_now, self.simulation.status, reactor, "::1", 8080
        )
        with self.assertRaises(PortTakenError) as caught:
            server.startService()
        self.assertIn("::1:8080: Address already in use", str(caught.exception))
        self.assertIn("--http-port", str(caught.exception))


class Events(ApiCase):
    def listen(self) -> tuple[Any, Any]:
        protocol, transport = self.connect()
        protocol.dataReceived(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return protocol, transport

    def statuses(self, raw: bytes) -> list[dict[str, Any]]:
        lines = raw.replace(b"\r\n", b"\n").split(b"\n")
        return [json.loads(line[6:]) for line in lines if line.startswith(b"data: ")]

    def test_a_status_each_second(self) -> None:
        _, transport = self.listen()
        self.reactor.pump([0.5] * 7)
        raw = transport.value()
        self.assertIn(b"text/event-stream", raw)
        self.assertIn(b"Cache-Control: no-cache", raw)
        self.assertIn(b"event: status\ndata: {", raw)
        self.assertEqual(len(self.statuses(raw)), 3)
        self.assertEqual(Status.from_json(self.statuses(raw)[0]).batteries[0].mac, MAC)

    def test_a_change_is_told_at_once(self) -> None:
        _, transport = self.listen()
        self.post("/loads/1/toggle")
        self.assertTrue(self.statuses(transport.value())[0]["loads"][0]["active"])

    def test_a_client_that_does_not_read_gets_the_newest_later_and_disturbs_nobody(self) -> None:
        _, slow = self.listen()
        _, quick = self.listen()
        slow.producer.pauseProducing()
        self.reactor.pump([1.0] * 50)
        self.assertEqual(len(self.statuses(slow.value())), 0)
        self.assertEqual(len(self.statuses(quick.value())), 50)
        self.post("/loads/1/toggle")
        slow.producer.resumeProducing()
        found = self.statuses(slow.value())
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0]["loads"][0]["active"])

    def test_a_client_that_never_reads_again_is_cut(self) -> None:
        _, transport = self.listen()
        transport.producer.pauseProducing()
        self.reactor.pump([1.0] * (MOST_SKIPPED + 2))
        self.assertTrue(transport.disconnecting)

    def test_a_client_that_reads_now_and_then_is_not(self) -> None:
        _, transport = self.listen()
        for _ in range(3):
            transport.producer.pauseProducing()
            self.reactor.pump([1.0] * (MOST_SKIPPED - 10))
            transport.producer.resumeProducing()
        self.assertFalse(transport.disconnecting)

    def test_listeners_are_bounded(self) -> None:
        for _ in range(MOST_CLIENTS):
            self.listen()
        _, transport = self.listen()
        answer = Answer(transport.value())
        self.assertEqual(answer.code, 503)
        self.assertIn("too many", answer.json["error"])

    def test_a_listener_that_leaves_makes_place(self) -> None:
        protocols = [self.listen()[0] for _ in range(MOST_CLIENTS)]
        self.hang_up(protocols[0])
        self.reactor.advance(1)
        _, transport = self.listen()
        self.assertIn(b"200 OK", transport.value())

    def test_the_stream_ends_with_the_server(self) -> None:
        _, transport = self.listen()
        self.server.stopService()
        self.assertTrue(transport.value().endswith(b"0\r\n\r\n"))
        self.reactor.advance(1.5)
        self.assertTrue(transport.disconnecting)
