from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import given, settings
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters import tq_em
from astrameter.meters.tq_em import Options, has_expired
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import NO_NUMBERS, BadHttpInput, like
from tests.astrameter.meters.http_rig import (
    Ahead,
    Device,
    Received,
    Script,
    answer,
    problems_of,
    run_http_vector,
)
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "tq_em"]

TOTAL = "1-0:1.4.0*255"
LOGGED_IN = answer({"serial": "1", "authentication": True})


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MQ{i:02}" for i in range(1, 9)])


class OptionTests(SynchronousTestCase):
    def test_only_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("TQ_EM"), ["IP: this key is required"])
        self.assertEqual(problems_of("TQ_EM", "IP = http://manager/"), [])

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASSWORD"])

    def test_the_timeout_is_bounded(self) -> None:
        for value in ("0", "61", "x"):
            [problem] = problems_of("TQ_EM", "IP = a", f"TIMEOUT = {value}")
            self.assertEqual(problem, "TIMEOUT: this is a number 0.1..60")


class ParserTests(SynchronousTestCase):
    def test_a_status_below_900_is_no_end_of_the_session(self) -> None:
        for status, expected in ((899.9, False), (900, True), ("901", True), (True, False)):
            self.assertEqual(has_expired({"status": status}), expected, status)

    def test_what_is_no_status_is_passed_over(self) -> None:
        documents: tuple[object, ...] = (None, [], "status", 901, {}, {"status": {}})
        for document in (*documents, *({"status": bad} for bad in NO_NUMBERS[:7])):
            self.assertFalse(has_expired(document), document)

    def test_any_document_has_expired_or_not(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(like({"status": 901}))
        def check(document: object) -> None:
            self.assertIn(has_expired(document), (True, False))

        check()

    def test_a_document_without_power_says_so(self) -> None:
        error = self.assertRaises(MeterError, tq_em.parse, {"serial": "1"})
        self.assertEqual(
            (error.kind, str(error)),
            ("missing_field", "the answer has no power: neither 1-0:1.4.0*255 nor a phase"),
        )


class Manager:
    """An Energy Manager that ties logins to cookies, as the real one."""

    def __init__(self, test: TestCase) -> None:
        self.password = "pa ss&1"
        self.sessions: set[str] = set()
        self.made = 0
        self.device = Device(test, b"")
        self.device.script_for = self.script_for  # type: ignore[method-assign]

    def script_for(self, request: Received) -> Script:
        session = request.headers.get("cookie", "").removeprefix("PHPSESSID=")
        if request.target == "/mum-webservice/data.php":
            return answer({TOTAL: 5}) if session in self.sessions else answer("", "403 Forbidden")
        headers = {}
        if not session:
            self.made += 1
            headers["Set-Cookie"] = f"PHPSESSID={self.made}; path=/"
        if request.body == b"login=72&save_login=1&password=pa+ss%261" and self.password:
            self.sessions.add(session)
        document = {"serial": "72", "authentication": session in self.sessions}
        return answer(document, headers=headers)

    @property
    def asked(self) -> list[str]:
        """The requests since the last look."""
        found = [f"{r.method} {r.target.rpartition('/')[2]}" for r in self.device.received]
        self.device.received.clear()
        return found


LOGIN = ["GET start.php", "POST start.php"]
DATA = ["GET data.php"]


class SessionTests(TestCase):
    """Against a device on the loopback interface."""

    timeout = 240

    def setUp(self) -> None:
        self.manager = Manager(self)
        self.clock = Ahead()

    def meter(self, host: str = "127.0.0.1") -> Any:
        port = self.manager.device.port
        lines = ("[TQ_EM]", f"IP = {host}:{port}", "PASSWORD = pa ss&1")
        [one] = load_text("\n".join(lines), "config.ini").meters
        meter = one.kind.build(self.clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def failure(self, meter: Any) -> tuple[str, str]:
        error = await self.assertFailure(meter.read(), MeterError)
        return error.kind, str(error)

    async def test_the_cookie_is_kept_for_addresses_and_names(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            meter = self.meter(host)
            for expected in (LOGIN + DATA, DATA):
                self.assertEqual((await meter.read()).watts, (5.0,))
                self.assertEqual(self.manager.asked, expected)
            await meter.stopService()

    async def test_simultaneous_reads_share_one_login(self) -> None:
        meter = self.meter()
        await gatherResults([meter.read() for _ in range(20)])
        self.assertEqual(self.manager.asked, LOGIN + DATA)

    async def test_a_session_that_the_device_forgets_is_renewed_without_notice(self) -> None:
        meter = self.meter()
        await meter.read()
        self.manager.sessions.clear()
        _ = self.manager.asked
        self.assertEqual((await meter.read()).watts, (5.0,))
        self.assertEqual(self.manager.asked, DATA + LOGIN + DATA)

    async def test_after_half_an_hour_without_a_reading_the_login_comes_first(self) -> None:
        meter = self.meter()
        await meter.read()
        login = ["GET start.php", *DATA]
        for pause_s, expected in ((1799.0, DATA), (1799.0, DATA), (1801.0, login)):
            _ = self.manager.asked
            self.clock.ahead_s += pause_s
            await meter.read()
            self.assertEqual(self.manager.asked, expected)

    async def test_a_wrong_password_is_not_repeated_at_every_reading(self) -> None:
        meter = self.meter()
        self.manager.password = ""
        wrong = "the Energy Manager refuses the login: check PASSWORD"
        self.assertEqual(await self.failure(meter), ("auth_failed", wrong))
        self.assertEqual(self.manager.asked, LOGIN)
        for _ in range(5):
            kind, message = await self.failure(meter)
            self.assertEqual(kind, "auth_failed")
            self.assertRegex(message, rf"^{wrong} \(next login in [0-9]+ s\)$")
        self.assertEqual(self.manager.asked, [])
        self.manager.password = "right"
        self.clock.ahead_s += 30.0
        self.assertEqual((await meter.read()).watts, (5.0,))

    async def test_nothing_but_true_means_that_no_login_is_needed(self) -> None:
        for said in (1, "true", None):
            script = answer({"serial": "72", "authentication": said})
            self.manager.device.script_for = lambda _request, script=script: script  # type: ignore[method-assign, misc]
            kind, _ = await self.failure(self.meter())
            self.assertEqual((kind, self.manager.asked), ("auth_failed", LOGIN))

    async def test_a_device_that_ends_each_session_at_once_is_not_flooded(self) -> None:
        meter = self.meter()
        self.manager.device.script_for = (  # type: ignore[method-assign]
            lambda request: (
                LOGGED_IN if "start" in request.target else answer({"status": 901, TOTAL: 5})
            )
        )
        kind, message = await self.failure(meter)
        self.assertEqual(kind, "session_expired")
        self.assertEqual(message, "the Energy Manager ends the session as soon as it has begun")
        await self.failure(meter)
        self.assertEqual(self.manager.asked, ["GET start.php", *DATA] * 2)


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [TQ_EM]
        IP = {addr}
        PASSWORD = {password}
        TIMEOUT = 2
        """
    GOOD: ClassVar[Any] = {"serial": "1", "authentication": True, TOTAL: 50.5}
    WATTS: ClassVar[Any] = (50.5,)
    NUMBERS: ClassVar[Any] = ((TOTAL,),)

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return tq_em.parse(document)

    async def test_a_login_that_makes_no_sense(self) -> None:
        for document in ({"serial": ""}, {"serial": None}, {"serial": [1]}, {"authentication": 1}):
            await self.check(answer(document), "missing_field")


class PhaseBadInputTests(BadInputTests):
    GOOD: ClassVar[Any] = BadInputTests.GOOD | {
        "1-0:21.4.0*255": 0,
        "1-0:22.4.0*255": 200.5,
        "1-0:62.4.0*255": "7",
    }
    WATTS = (-200.5, 0.0, -7.0)
    NUMBERS = ()

    async def test_a_phase_that_is_no_number_is_not_a_missing_one(self) -> None:
        for code in ("1-0:21.4.0*255", "1-0:22.4.0*255", "1-0:62.4.0*255"):
            for bad in NO_NUMBERS:
                await self.check(answer(self.GOOD | {code: bad}), "not_numeric")
