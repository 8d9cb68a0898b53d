from __future__ import annotations

import re
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters import shelly
from astrameter.meters.shelly import Options, url_of
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import (
    Device,
    Received,
    Script,
    answer,
    problems_of,
    reactor,
    run_http_vector,
)
from tests.vectors import each, load

# Fractions of a watt count, so that no error adds up (meters.md section 1.1).
DIFFERENCES: dict[str, list[dict[str, Any]]] = {
    "MS01": [{"watts": [123.9, -5.7]}],
    "MS02": [{"watts": [61.04]}],
    "MS03": [{"watts": [-85.6]}],
    "MS04": [{"watts": [-1200.55, 310.2]}],
    "MS05": [{"watts": [-0.9]}],
    "MS06": [{"watts": [100.5, -200.9, 0]}],
    "MS07": [{"watts": [245.989]}],
    "MS08": [{"watts": [10]}, {"watts": [-11.99]}],
}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "shelly"]

MODELS = ("1PM", "PLUS1PM", "EM", "3EM", "3EMPro")
RPC_LINES = ("TYPE = 3EMPro", "USER = admin", "PASS = pw")
PHASES = {"a_act_power": 100.25, "b_act_power": 200, "c_act_power": -54.5, "total_act_power": 1}


def challenge(nonce: str, more: str = "") -> bytes:
    header = f'Digest qop="auth", realm="shelly", nonce="{nonce}", algorithm=SHA-256{more}'
    return answer("", "401 Unauthorized", {"WWW-Authenticate": header})


def recorded_cnonces(case: dict[str, Any]) -> list[str]:
    """The random numbers of the requests that were recorded."""
    return re.findall(r'cnonce=\\?"(\w+)', str(case["exchanges"]))


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None] | None:
        if case.get("expect_config_error"):
            [problem] = problems_of(*_lines(case))
            self.assertIn("TYPE: choose one of 1PM, PLUS1PM, EM, 3EM, 3EMPro", problem)
            return None
        cnonces = recorded_cnonces(case)
        self.patch(shelly, "make_cnonce", lambda: cnonces.pop(0))
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MS{i:02}" for i in range(1, 14)])

    def test_digest_vectors_have_recorded_numbers(self) -> None:
        found = {case["id"]: len(recorded_cnonces(case)) for case in CASES if case["id"] != "MS13"}
        self.assertEqual({k: n for k, n in found.items() if n}, {"MS07": 1, "MS08": 2, "MS10": 1})


def _lines(case: dict[str, Any]) -> list[str]:
    return [case["section"], *(f"{key} = {value}" for key, value in case["config"].items())]


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("SHELLY", *lines)

    def test_what_is_needed(self) -> None:
        self.assertEqual(
            self.problems(), ["TYPE: this key is required", "IP: this key is required"]
        )
        for model in MODELS:
            self.assertEqual(self.problems(f"TYPE = {model}", "IP = device"), [])

    def test_a_channel_is_a_number_where_it_is_used(self) -> None:
        for model in ("1PM", "EM", "3EM"):
            for index in ("meter1", "-1", "²", "0/../.."):
                [problem] = self.problems(f"TYPE = {model}", "IP = a", f"METER_INDEX = {index}")
                self.assertEqual(problem, "METER_INDEX: this is the number of a channel: 0, 1 or 2")
        for model in ("PLUS1PM", "3EMPro"):
            lines = (f"TYPE = {model}", "IP = a", "METER_INDEX = meter1")
            self.assertEqual(self.problems(*lines), [])

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASS"])

    def test_where_the_power_is(self) -> None:
        for model, index, expected in (
            ("1PM", "", b"/status"),
            ("1PM", "0", b"/meter/0"),
            ("EM", "", b"/status"),
            ("EM", "1", b"/emeter/1"),
            ("3EM", "2", b"/emeter/2"),
            ("PLUS1PM", "2", b"/rpc/Switch.GetStatus?id=0"),
            ("3EMPro", "2", b"/rpc/EM.GetStatus?id=0"),
        ):
            options = Options(type=model, ip="device", meter_index=index)
            self.assertEqual(url_of(options).sent, b"http://device" + expected)


class ParserTests(SynchronousTestCase):
    def test_the_phases_of_a_pro_3em_when_asked_for(self) -> None:
        options = Options(type="3EMPro", ip="a", per_phase=True)
        self.assertEqual(shelly.parse(PHASES, options), (100.25, 200.0, -54.5))
        options = Options(type="3EMPro", ip="a")
        self.assertEqual(shelly.parse(PHASES, options), (1.0,))

    def test_other_models_do_not_mind(self) -> None:
        for model, document in (("PLUS1PM", {"apower": 5}), ("1PM", {"meters": [{"power": 5}]})):
            options = Options(type=model, ip="a", per_phase=True)
            self.assertEqual(shelly.parse(document, options), (5.0,))

    def test_without_a_channel_there_is_no_reading(self) -> None:
        for model, name in (("1PM", "meters"), ("EM", "emeters"), ("3EM", "emeters")):
            options = Options(type=model, ip="a")
            error = self.assertRaises(MeterError, shelly.parse, {name: []}, options)
            self.assertEqual((error.kind, str(error)), ("missing_field", f"nothing at $.{name}[0]"))


class LoginTests(TestCase):
    """Against a device on the loopback interface."""

    timeout = 240

    def meter(self, device: Device, *lines: str) -> Any:
        text = "\n".join(["[SHELLY]", f"IP = {device.address}", *lines])
        [one] = load_text(text, "config.ini").meters
        meter = one.kind.build(reactor, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    def authorizations(self, device: Device) -> list[str]:
        """Nonce and count of every request, - for one without."""
        found = []
        for request in device.received:
            sent = request.headers.get("authorization", "")
            matched = re.search(r'nonce="(\w+)".* nc=0*(\w+)', sent)
            found.append(f"{matched[1]}:{matched[2]}" if matched else "-")
        return found

    async def test_a_challenge_is_answered_until_the_device_makes_another(self) -> None:
        good = answer(PHASES)
        device = Device(
            self, challenge("n1"), good, good, challenge("n2", ", stale=true"), good, good
        )
        meter = self.meter(device, *RPC_LINES)
        for _ in range(4):
            self.assertEqual((await meter.read()).watts, (1.0,))
        self.assertEqual(self.authorizations(device), ["-", "n1:1", "n1:2", "n1:3", "n2:1", "n2:2"])

    async def test_a_wrong_password_is_tried_once_a_reading(self) -> None:
        device = Device(self, challenge("n1"))
        meter = self.meter(device, *RPC_LINES)
        for _ in range(3):
            error = await self.assertFailure(meter.read(), MeterError)
            self.assertEqual(error.kind, "http_status")
            self.assertIn("check user name and password", str(error))
        self.assertEqual(self.authorizations(device), ["-", "n1:1", "n1:2", "-", "n1:1"])

    async def test_the_device_is_protected_while_we_run(self) -> None:
        device = Device(self, answer(PHASES), challenge("n1"), answer(PHASES))
        meter = self.meter(device, *RPC_LINES)
        await meter.read()
        await meter.read()
        self.assertEqual(self.authorizations(device), ["-", "-", "n1:1"])

    async def test_other_challenges_are_not_answered(self) -> None:
        for header in ('Basic realm="x"', "Digest realm=\udce4, nonce=", 'Digest nonce="n", qop=x'):
            head = f"HTTP/1.1 401 No\r\nWWW-Authenticate: {header}\r\nContent-Length: 0\r\n\r\n"
            device = Device(self, head.encode("utf-8", "surrogateescape"))
            error = await self.assertFailure(self.meter(device, *RPC_LINES).read(), MeterError)
            self.assertEqual(error.kind, "http_status")

    async def test_without_a_login_a_challenge_is_a_refusal(self) -> None:
        device = Device(self, challenge("n1"))
        error = await self.assertFailure(self.meter(device, "TYPE = PLUS1PM").read(), MeterError)
        self.assertEqual(error.kind, "http_status")
        self.assertEqual(len(device.received), 1)

    async def test_a_password_alone_is_that_of_the_only_user_there_is(self) -> None:
        device = Device(self, challenge("n1"), answer({"apower": 5}))
        await self.meter(device, "TYPE = PLUS1PM", "PASS = pw").read()
        self.assertIn('username="admin"', device.received[1].headers["authorization"])

    async def test_the_first_generation_has_basic_authentication(self) -> None:
        for lines, expected in (
            (("USER = admin", "PASS = se:cret"), "Basic YWRtaW46c2U6Y3JldA=="),
            (("PASS = pw",), None),
        ):
            device = Device(self, answer({"emeters": [{"power": 5}]}))
            await self.meter(device, "TYPE = EM", *lines).read()
            self.assertEqual(device.received[0].headers.get("authorization"), expected)

    async def test_a_device_that_restarts_has_another_nonce(self) -> None:
        nonce = "n1"

        def script_for(request: Received) -> Script:
            good = f'nonce="{nonce}"' in request.headers.get("authorization", "")
            return answer(PHASES) if good else challenge(nonce)

        device = Device(self, b"")
        device.script_for = script_for  # type: ignore[method-assign]
        meter = self.meter(device, *RPC_LINES)
        await meter.read()
        await device.stop()
        await self.assertFailure(meter.read(), MeterError)
        nonce = "n2"
        device.start()
        self.assertEqual((await meter.read()).watts, (1.0,))


class BadInputTests(BadHttpInput, TestCase):
    """First generation, all channels."""

    CONFIG = """
        [SHELLY]
        TYPE = 3EM
        IP = {addr}
        USER = admin
        PASS = {password}
        """
    GOOD: ClassVar[Any] = {"emeters": [{"power": 100.5, "pf": 1}, {"power": -200}, {"power": 0.25}]}
    WATTS: ClassVar[tuple[float, ...]] = (100.5, -200.0, 0.25)
    NUMBERS = tuple(("emeters", i, "power") for i in range(3))

    def parse(self, document: object, options: Options) -> tuple[float, ...]:
        return shelly.parse(document, options)


class ChannelBadInputTests(BadInputTests):
    """First generation, one channel."""

    CONFIG = BadInputTests.CONFIG + "METER_INDEX = 1"
    GOOD: ClassVar[Any] = {"power": -0.5}
    WATTS = (-0.5,)
    NUMBERS = (("power",),)


class RpcBadInputTests(BadInputTests):
    """Second generation."""

    CONFIG = BadInputTests.CONFIG.replace("3EM", "3EMPro") + "PER_PHASE = yes"
    GOOD: ClassVar[Any] = PHASES
    WATTS = (100.25, 200.0, -54.5)
    NUMBERS = (("a_act_power",), ("b_act_power",), ("c_act_power",))
