from __future__ import annotations

import json
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters import envoy
from astrameter.meters.envoy import Options
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import (
    Ahead,
    Device,
    Exchanges,
    Received,
    Script,
    answer,
    problems_of,
    run_http_vector,
    say_nothing,
    self_signed,
)
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "envoy"]

LOGIN = ("USERNAME = me@example.com", "PASSWORD = pa ss", "SERIAL = 123456789012")
NO_CONSUMPTION = (
    "the Envoy tells no net-consumption: are its current transformers for consumption installed?"
)
TOKEN = "eyJhbGciOi.eyJhdWQiOi.c2ln"


def use_cloud(test: TestCase, cloud: Device) -> None:
    """What would go to Enphase goes to this device, and nothing to the internet."""
    base = cloud.url.removesuffix("/api")
    test.patch(envoy, "LOGIN_URL", f"{base}/login/login.json")
    test.patch(envoy, "TOKENS_URL", f"{base}/tokens")


def production(*watts: object) -> dict[str, Any]:
    """A document with one line for each number."""
    lines = [{"wNow": one} for one in watts]
    return {"consumption": [{"measurementType": "net-consumption", "lines": lines}]}


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        async def run() -> None:
            cloud = Exchanges(list(case.get("cloud_exchanges", [])))
            use_cloud(self, cloud.device(self))
            await run_http_vector(self, case)
            cloud.check(self)

        return Deferred.fromCoroutine(run())

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MV{i:02}" for i in range(1, 12)])


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("ENVOY", "HOST = envoy", *lines)

    def test_an_address_is_needed(self) -> None:
        self.assertEqual(problems_of("ENVOY", f"TOKEN = {TOKEN}"), ["HOST: this key is required"])

    def test_a_token_or_a_whole_login_is_needed(self) -> None:
        wanted = ["TOKEN: set this, or USERNAME, PASSWORD and SERIAL to obtain tokens"]
        self.assertEqual(self.problems(), wanted)
        for i in range(3):
            self.assertEqual(self.problems(*(LOGIN[:i] + LOGIN[i + 1 :])), wanted)
        self.assertEqual(self.problems(*LOGIN), [])
        self.assertEqual(self.problems(f"TOKEN = {TOKEN}"), [])

    def test_a_token_is_one_word(self) -> None:
        for token in ("eyJ. .", "eyJ.\n  abc.", "eyJ.ä."):
            problem = "TOKEN: a token has neither blanks nor line breaks"
            self.assertEqual(self.problems(f"TOKEN = {token}"), [problem])

    def test_what_is_secret(self) -> None:
        secret = [o.key for o in options_of(Options) if o.secret]
        self.assertEqual(secret, ["TOKEN", "PASSWORD"])

    def test_the_cloud_is_asked_with_encryption(self) -> None:
        self.assertEqual(
            (envoy.LOGIN_URL, envoy.TOKENS_URL),
            (
                "https://enlighten.enphaseenergy.com/login/login.json",
                "https://entrez.enphaseenergy.com/tokens",
            ),
        )


class ParserTests(SynchronousTestCase):
    def failure(self, document: object) -> tuple[str, str]:
        error = self.assertRaises(MeterError, envoy.parse, document)
        return error.kind, str(error)

    def test_one_message_for_each_defect(self) -> None:
        for document, expected in (
            ({}, ("missing_field", "nothing at $.consumption")),
            ({"consumption": {}}, ("bad_structure", "$.consumption is not a list")),
            (
                {"consumption": [None, {"measurementType": "total-consumption"}]},
                ("missing_field", NO_CONSUMPTION),
            ),
            (
                production(1, None),
                ("not_numeric", "$.consumption[0].lines[1].wNow is null, not a number"),
            ),
        ):
            self.assertEqual(self.failure(document), expected)

    def test_lines_that_are_no_list_do_not_count(self) -> None:
        odd: tuple[Any, ...] = (None, {}, "x", 5)
        for lines in odd:
            entry = {"measurementType": "net-consumption", "wNow": 7, "lines": lines}
            self.assertEqual(envoy.parse({"consumption": [entry]}), (7.0,))

    def test_the_first_net_consumption_counts(self) -> None:
        entries = [{"measurementType": "net-consumption", "wNow": n} for n in (1, 2)]
        self.assertEqual(envoy.parse({"consumption": entries}), (1.0,))


class Site:
    """An Envoy that takes one token, and a cloud that makes it."""

    def __init__(self, test: TestCase) -> None:
        self.valid = ""
        self.made = 0
        self.session: Script = answer({"session_id": "s1"})
        self.envoy = Device(test, b"", tls=self_signed("127.0.0.1"))
        self.envoy.script_for = self._at_home  # type: ignore[method-assign]
        self.cloud = Device(test, b"")
        self.cloud.script_for = self._in_the_cloud  # type: ignore[method-assign]
        use_cloud(test, self.cloud)

    def _at_home(self, request: Received) -> Script:
        right = request.headers.get("authorization") == f"Bearer {self.valid}"
        return answer(production(5)) if right else answer("", "401 Unauthorized")

    def _in_the_cloud(self, request: Received) -> Script:
        if request.target == "/login/login.json":
            return self.session
        self.made += 1
        self.valid = f"eyJ{self.made}.b.c"
        return answer(self.valid)

    @property
    def logins(self) -> int:
        """How often the cloud was asked for a session."""
        return sum(request.target == "/login/login.json" for request in self.cloud.received)


class TokenTests(TestCase):
    """Against an Envoy and a cloud on the loopback interface."""

    timeout = 120

    def setUp(self) -> None:
        self.site = Site(self)
        self.clock = Ahead()
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        self.logged.append(repr(event))

    def meter(self, *lines: str) -> Any:
        text = "\n".join(["[ENVOY]", f"HOST = {self.site.envoy.address}", *lines])
        [one] = load_text(text, "config.ini").meters
        meter = one.kind.build(self.clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def failure(self, meter: Any) -> tuple[str, str]:
        error = await self.assertFailure(meter.read(), MeterError)
        for secret in ("pa ss", "pa+ss", "eyJ", "s1", "example.com"):
            self.assertNotIn(secret, str(error))
            self.assertNotIn(secret, "".join(self.logged))
        return error.kind, str(error)

    async def test_simultaneous_reads_share_one_login(self) -> None:
        meter = self.meter(*LOGIN)
        samples = await gatherResults([meter.read() for _ in range(20)])
        self.assertEqual({sample.watts for sample in samples}, {(5.0,)})
        self.assertEqual((self.site.logins, len(self.site.envoy.received)), (1, 1))

    async def test_a_token_is_used_until_it_is_refused(self) -> None:
        self.site.valid = TOKEN
        meter = self.meter(f"TOKEN = {TOKEN}", *LOGIN)
        for _ in range(3):
            await meter.read()
        self.assertEqual(self.site.logins, 0)
        self.site.valid = ""
        self.assertEqual((await meter.read()).watts, (5.0,))
        await meter.read()
        self.assertEqual(self.site.logins, 1)

    async def test_a_refused_login_is_not_repeated_at_every_reading(self) -> None:
        self.site.session = answer({"message": "Invalid credentials"})
        meter = self.meter(*LOGIN)
        wrong = "Enphase refuses the login: check USERNAME and PASSWORD"
        self.assertEqual(await self.failure(meter), ("auth_failed", wrong))
        for _ in range(5):
            kind, message = await self.failure(meter)
            self.assertEqual(kind, "auth_failed")
            self.assertRegex(message, rf"^{wrong} \(next login in [0-9]+ s\)$")
        self.assertEqual(self.site.logins, 1)
        self.site.session = answer({"session_id": "s1"})
        self.clock.ahead_s += 30.0
        self.assertEqual((await meter.read()).watts, (5.0,))

    async def test_a_cloud_that_fails_is_left_alone_for_a_while(self) -> None:
        self.site.session = answer("oops", "503 Service Unavailable")
        meter = self.meter(*LOGIN)
        kind, _ = await self.failure(meter)
        self.assertEqual(kind, "http_status")
        for _ in range(5):
            await self.failure(meter)
        self.assertEqual(self.site.logins, 1)

    async def test_a_status_that_refuses_is_a_refusal(self) -> None:
        for status in ("401 Unauthorized", "403 Forbidden"):
            self.site.session = answer({"session_id": "s1"}, status)
            kind, message = await self.failure(self.meter(*LOGIN))
            self.assertEqual(kind, "auth_failed")
            self.assertIn("check USERNAME and PASSWORD", message)

    async def test_a_session_that_makes_no_sense_is_a_refusal(self) -> None:
        for document in ({}, {"session_id": ""}, {"session_id": 5}, {"session_id": ["s1"]}, [], 5):
            self.site.session = answer(document)
            kind, _ = await self.failure(self.meter(*LOGIN))
            self.assertEqual(kind, "auth_failed")

    async def test_what_is_no_token_is_not_sent_to_the_envoy(self) -> None:
        for token in (
            *("", "<html>", "eyJ.b", "eyJ.b.c.d", "xeyJ.b.c", "eyJ.b c.d"),
            *(b"eyJ.b\r\nX-A: b.c", b"eyJ.\xff.c", b"eyJ.\x00.c", json.dumps(TOKEN)),
        ):
            script = answer(token)
            self.site.cloud.script_for = (  # type: ignore[method-assign]
                lambda request, script=script: (
                    script if request.target == "/tokens" else answer({"session_id": "s1"})
                )
            )
            kind, message = await self.failure(self.meter(*LOGIN))
            self.assertEqual(kind, "auth_failed", token)
            self.assertIn("check SERIAL", message)
        self.assertEqual(self.site.envoy.received, [])

    async def test_tokens_that_the_envoy_refuses_do_not_flood_the_cloud(self) -> None:
        self.site.envoy.script_for = (  # type: ignore[method-assign]
            lambda _request: answer("", "401 Unauthorized")
        )
        meter = self.meter(*LOGIN)
        self.assertEqual(
            await self.failure(meter),
            ("http_status", "the Envoy does not accept the token: check SERIAL"),
        )
        for _ in range(5):
            await self.failure(meter)
        self.assertEqual(self.site.logins, 2)

    async def test_a_token_alone_that_is_refused_says_so(self) -> None:
        self.assertEqual(
            await self.failure(self.meter(f"TOKEN = {TOKEN}")),
            (
                "http_status",
                "the Envoy does not accept the token: check TOKEN, which is good for about a year",
            ),
        )

    async def test_the_certificate_of_the_cloud_is_always_checked(self) -> None:
        cloud = Device(self, answer({"session_id": "s1"}), tls=self_signed("127.0.0.1"))
        use_cloud(self, cloud)
        kind, message = await self.failure(self.meter("VERIFY_SSL = no", *LOGIN))
        self.assertEqual(kind, "tls_certificate")
        self.assertNotIn("VERIFY_SSL", message)
        self.assertEqual(cloud.received, [])

    async def test_the_certificate_of_the_envoy_when_asked_for(self) -> None:
        kind, message = await self.failure(self.meter("VERIFY_SSL = yes", f"TOKEN = {TOKEN}"))
        self.assertEqual(kind, "tls_certificate")
        self.assertIn("or set VERIFY_SSL = no", message)
        self.assertEqual(self.site.envoy.received, [])

    async def test_it_stops_while_it_logs_in(self) -> None:
        self.site.session = say_nothing
        meter = self.meter(*LOGIN)
        reading = meter.read()
        await meter.stopService()
        await self.site.cloud.idle()
        await self.assertFailure(reading, MeterError)

    async def test_the_token_goes_to_no_other_place(self) -> None:
        other = Device(self, answer(production(5)))
        self.site.envoy.script_for = (  # type: ignore[method-assign]
            lambda _request: answer("", "307 X", {"Location": other.url})
        )
        await self.meter(f"TOKEN = {TOKEN}").read()
        self.assertNotIn("authorization", other.received[0].headers)

    async def test_the_password_goes_to_no_other_place(self) -> None:
        other = Device(self, answer({"session_id": "s1"}))
        self.site.session = answer("", "307 X", {"Location": other.url})
        kind, _ = await self.failure(self.meter(*LOGIN))
        self.assertEqual(kind, "http_status")
        self.assertEqual(other.received, [])


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [ENVOY]
        HOST = {addr}
        TOKEN = eyJ.{password}.c
        """
    TLS = self_signed("127.0.0.1")
    GOOD: ClassVar[Any] = production(100.25, "-200.5", 3)
    WATTS: ClassVar[Any] = (100.25, -200.5, 3.0)
    NUMBERS: ClassVar[Any] = tuple(("consumption", 0, "lines", i, "wNow") for i in range(3))

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return envoy.parse(document)

    async def test_a_refused_login_says_so(self) -> None:
        message = await self.check(answer("no", "401 Unauthorized"), "http_status")
        self.assertIn("check TOKEN", message)
        await self.check(answer("no", "403 Forbidden"), "http_status")


class TotalBadInputTests(BadInputTests):
    GOOD: ClassVar[Any] = {"consumption": [{"measurementType": "net-consumption", "wNow": -7.5}]}
    WATTS = (-7.5,)
    NUMBERS = (("consumption", 0, "wNow"),)
