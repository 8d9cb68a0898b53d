from __future__ import annotations

import hashlib
import time
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters.fritz import Answers, Options, power_of, session_info
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import NO_NUMBERS, BadHttp
from tests.astrameter.meters.http_rig import (
    Ahead,
    Device,
    Received,
    Script,
    answer,
    problems_of,
    reactor,
    run_http_vector,
    self_signed,
)
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "fritz"]

CHALLENGE = "2$10000$5A1711$2000$5A1722"
RESPONSE = "5A1722$1798a1672bca7c6463d6b245f82b53703b0f50813401b03e4045a5861e689adb"
SID = "abcdef0123456789"
AIN = "123450123456-1"

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><x><SID>&i;</SID></x>"
)


def session(sid: str = SID, challenge: str = CHALLENGE, blocked: object = 0) -> str:
    return (
        f"<SessionInfo><SID>{sid}</SID><Challenge>{challenge}</Challenge>"
        f"<BlockTime>{blocked}</BlockTime></SessionInfo>"
    )


def devices(power: object = -71500, identifier: str = AIN, present: str = "1") -> str:
    return (
        f'<devicelist><device identifier="12345 0123456"><present>1</present></device>'
        f'<device identifier="{identifier}"><present>{present}</present>'
        f"<powermeter><power>{power}</power></powermeter></device></devicelist>"
    )


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MZ{i:02}" for i in range(1, 10)])


class OptionTests(SynchronousTestCase):
    def options(self, *lines: str) -> Options:
        [one] = load_text("\n".join(["[FRITZ]", *lines]), "config.ini").meters
        assert isinstance(one.options, Options)
        return one.options

    def test_only_the_number_of_the_device_is_needed(self) -> None:
        self.assertEqual(problems_of("FRITZ"), ["AIN: this key is required"])
        self.assertEqual(problems_of("FRITZ", "AIN ="), ["AIN: this key is required"])
        self.assertEqual(problems_of("FRITZ", "AIN = 1"), [])

    def test_the_first_sub_unit_is_meant(self) -> None:
        for written, expected in (
            ("12345 0123456", AIN),
            ("123450123456", AIN),
            (" 12345\t0123456 -2 ", "123450123456-2"),
            ("12345-x", "12345-x-1"),
        ):
            self.assertEqual(self.options(f"AIN = {written}").ain, expected)

    def test_where_the_box_is(self) -> None:
        for lines, expected in (
            ((), "http://fritz.box/x"),
            (("HOST =",), "http://fritz.box/x"),
            (("HTTPS = yes",), "https://fritz.box/x"),
            (("HOST = 10.0.0.1:81",), "http://10.0.0.1:81/x"),
            (("HOST = 10.0.0.1:444", "HTTPS = yes"), "https://10.0.0.1:444/x"),
            (("HOST = https://box/",), "https://box/x"),
            (("HOST = http://box:81//", "HTTPS = yes"), "http://box:81/x"),
            (("HOST = http://10.0.0.1", "HTTPS = yes"), "http://10.0.0.1/x"),
        ):
            self.assertEqual(self.options("AIN = 1", *lines).url("/x", "a=1").shown, expected)

    def test_what_is_no_box(self) -> None:
        for host in ("ftp://box", "http://", "a b", "https://box?x"):
            [problem] = problems_of("FRITZ", "AIN = 1", f"HOST = {host}")
            self.assertTrue(problem.startswith("HOST: this is"), problem)

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASSWORD"])


class AnswerTests(SynchronousTestCase):
    def test_the_new_kind_of_challenge(self) -> None:
        self.assertEqual(Answers("1example!").response(CHALLENGE), RESPONSE)

    def test_a_second_challenge_with_the_same_first_salt(self) -> None:
        answers = Answers("1example!")
        calls: list[int] = []
        derive = hashlib.pbkdf2_hmac

        def counted(name: str, words: bytes, salt: bytes, rounds: int) -> bytes:
            calls.append(rounds)
            return bytes(derive(name, words, salt, rounds))

        self.patch(hashlib, "pbkdf2_hmac", counted)
        answers.response("2$10000$5A1711$1$00")
        self.assertEqual(answers.response(CHALLENGE), RESPONSE)
        self.assertEqual(calls, [10000, 1, 2000])
        other = answers.response("2$10001$5A1711$2000$5A1722")
        self.assertNotEqual(other, RESPONSE)
        self.assertEqual(answers.response(CHALLENGE), RESPONSE)

    def test_the_old_kind_of_challenge(self) -> None:
        for password, response in (
            ("äbc", "1234567z-9e224a41eeefa284df7bb0f26c2913e2"),
            # AVM: a dot stands for what is beyond Latin-1.
            ("p€😀", Answers("p..").response("1234567z")),
        ):
            self.assertEqual(Answers(password).response("1234567z"), response)

    def test_a_challenge_that_would_take_for_ever(self) -> None:
        for challenge in (
            *("2$999999999$00$1$00", "2$1$00$999999999$00", "2$500001$00$500000$00"),
            *("2$0$00$1$00", "2$1$00$0$00"),
        ):
            error = self.assertRaises(MeterError, Answers("x").response, challenge)
            self.assertEqual(error.kind, "bad_structure")

    def test_any_challenge_is_answered_or_refused(self) -> None:
        parts = st.sampled_from(["2", "$", "1", "00", "fF", "0", "-", "ä", "\n"])
        challenges = st.lists(parts, max_size=12).map("".join) | st.text(max_size=12)

        @settings(deadline=None, derandomize=True)
        @given(challenges, st.text(max_size=5))
        def check(challenge: str, password: str) -> None:
            try:
                response = Answers(password).response(challenge)
            except MeterError:
                return
            self.assertRegex(response, r"(?s)^.*[$-][0-9a-f]+\Z")

        check()


class ParserTests(SynchronousTestCase):
    def failure(self, call: Any, *arguments: Any) -> tuple[str, str]:
        error = self.assertRaises(MeterError, call, *arguments)
        return error.kind, str(error)

    def test_what_the_box_says_about_a_login(self) -> None:
        info = session_info(session("0" * 16, "abc", 128).encode())
        self.assertEqual((info.sid, info.challenge, info.blocked_s), (None, "abc", 128.0))
        info = session_info(b"<SessionInfo><SID> 1f </SID></SessionInfo>")
        self.assertEqual((info.sid, info.challenge, info.blocked_s), ("1f", "", 0.0))

    def test_a_block_time_that_is_no_number_is_passed_over(self) -> None:
        for blocked in ("", "soon", "nan"):
            self.assertEqual(session_info(session(blocked=blocked).encode()).blocked_s, 0.0)

    def test_what_is_no_session(self) -> None:
        for sid in ("", "a&amp;b", "a b", "ä", "a" * 65, "<b/>"):
            kind, message = self.failure(session_info, session(sid).encode())
            self.assertEqual(kind, "missing_field")
            self.assertIn("is it a FRITZ!Box?", message)

    def test_a_device_at_any_depth(self) -> None:
        body = f"<a><group><b>{devices(1500)}</b></group></a>".encode()
        self.assertEqual(power_of(body, AIN), 1.5)

    def test_blanks_in_the_number_of_the_device(self) -> None:
        self.assertEqual(power_of(devices(-1, "12345 0123456-1").encode(), AIN), -0.001)

    def test_one_message_for_each_defect(self) -> None:
        for body, expected in (
            (devices(""), ("not_numeric", f'the power of {AIN} is "", not a number')),
            (devices("inf"), ("not_numeric", f'the power of {AIN} is "inf", not a number')),
            (devices("1 W"), ("not_numeric", f'the power of {AIN} is "1 W", not a number')),
            (
                devices().replace("powermeter", "switch"),
                ("missing_field", f"{AIN} tells no power: is it the read head?"),
            ),
            (
                devices(identifier="1-1"),
                ("missing_field", f"the box knows no device {AIN}: check AIN"),
            ),
            ("<devicelist/>", ("missing_field", f"the box knows no device {AIN}: check AIN")),
            (
                devices(present="0"),
                ("device_status", f"the box has lost {AIN}: is it in reach, is its battery full?"),
            ),
        ):
            self.assertEqual(self.failure(power_of, body.encode(), AIN), expected)

    def test_a_document_that_could_unfold_is_refused(self) -> None:
        declared = f'<?xml version="1.0" encoding="utf-16"?>{BOMB}'
        harmless = f"<!DOCTYPE x>{session()}"
        for body in (BOMB.encode(), declared.encode("utf-16"), harmless.encode()):
            for call, more in ((session_info, ()), (power_of, (AIN,))):
                kind, _ = self.failure(call, body, *more)
                self.assertEqual(kind, "undecodable")

    def test_a_document_that_is_as_deep_as_it_may_be_long(self) -> None:
        count = 70_000
        body = b"<device>" * count + b"</device>" * count
        started_at = time.process_time()
        self.assertEqual(self.failure(power_of, body, AIN)[0], "missing_field")
        self.assertLess(time.process_time() - started_at, 5.0)

    def test_any_bytes_are_a_reading_or_a_meter_error(self) -> None:
        pieces = [*devices().replace(">", ">\0").split("\0"), session(), "<", "\xff", "]]>", "&"]
        bodies = st.binary(max_size=40) | st.lists(st.sampled_from(pieces), max_size=9).map(
            lambda found: "".join(found).encode("latin-1")
        )

        @settings(deadline=None, derandomize=True)
        @given(bodies, st.floats().map(str) | st.text(max_size=6))
        def check(body: bytes, text: str) -> None:
            whole = devices(text.replace("<", "&lt;")).encode("utf-8", "replace")
            for one in (body, whole):
                for call in (session_info, lambda it: power_of(it, AIN)):
                    try:
                        call(one)
                    except MeterError as error:
                        self.assertLess(len(str(error)), 300)

        check()


class Box:
    """A FRITZ!Box."""

    def __init__(self, test: TestCase, tls: Any = None) -> None:
        self.blocked = 0
        self.right = True
        self.sid = ""
        self.made = 0
        self.answer: Script = answer(devices())
        self.device = Device(test, b"", tls=tls)
        self.device.script_for = self.script_for  # type: ignore[method-assign]

    def script_for(self, request: Received) -> Script:
        path, _, query = request.target.partition("?")
        if path == "/login_sid.lua":
            if self.right and query == f"version=2&username=me%20%26you&response={RESPONSE}":
                self.made += 1
                self.sid = f"{self.made:016x}"
                return answer(session(self.sid))
            return answer(session("0" * 16, blocked=self.blocked))
        good = query == f"switchcmd=getdevicelistinfos&sid={self.sid}"
        return self.answer if good else answer("", "403 Forbidden")

    @property
    def asked(self) -> list[str]:
        """The paths since the last look."""
        found = [request.target.partition("?")[0] for request in self.device.received]
        self.device.received.clear()
        return found


LOGIN = ["/login_sid.lua"] * 2
DATA = ["/webservices/homeautoswitch.lua"]


class SessionTests(TestCase):
    """Against a box on the loopback interface."""

    timeout = 240

    def setUp(self) -> None:
        self.box = Box(self)
        self.clock = Ahead()

    def meter(self, *lines: str, clock: Any = None) -> Any:
        text = (
            "[FRITZ]",
            f"HOST = {self.box.device.address}",
            *("USER = me &you", "PASSWORD = 1example!", "AIN = 12345 0123456"),
            *lines,
        )
        [one] = load_text("\n".join(text), "config.ini").meters
        meter = one.kind.build(clock or self.clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def failure(self, meter: Any) -> tuple[str, str]:
        error = await self.assertFailure(meter.read(), MeterError)
        self.assertNotIn("1example!", str(error))
        self.assertNotIn(RESPONSE[7:], str(error))
        return error.kind, str(error)

    async def test_simultaneous_reads_share_one_login(self) -> None:
        meter = self.meter()
        samples = await gatherResults([meter.read() for _ in range(20)])
        self.assertEqual({sample.watts for sample in samples}, {(-71.5,)})
        self.assertEqual(self.box.asked, LOGIN + DATA)
        await meter.read()
        self.assertEqual(self.box.asked, DATA)

    async def test_a_session_that_the_box_forgets_is_renewed_without_notice(self) -> None:
        meter = self.meter()
        await meter.read()
        self.box.sid = "gone"
        _ = self.box.asked
        self.assertEqual((await meter.read()).watts, (-71.5,))
        self.assertEqual(self.box.asked, DATA + LOGIN + DATA)

    async def test_a_wrong_password_is_not_repeated_at_every_reading(self) -> None:
        self.box.right = False
        meter = self.meter()
        wrong = "the box refuses the login: check USER and PASSWORD"
        self.assertEqual(await self.failure(meter), ("auth_failed", wrong))
        for _ in range(5):
            kind, message = await self.failure(meter)
            self.assertEqual(kind, "auth_failed")
            self.assertRegex(message, rf"^{wrong} \(next login in [0-9]+ s\)$")
        self.assertEqual(self.box.asked, LOGIN)
        self.box.right = True
        self.clock.ahead_s += 30.0
        self.assertEqual((await meter.read()).watts, (-71.5,))

    async def test_logins_wait_as_long_as_the_box_blocks(self) -> None:
        self.box.right, self.box.blocked = False, 256
        meter = self.meter()
        self.assertEqual(
            await self.failure(meter),
            (
                "auth_failed",
                "the box refuses the login: check USER and PASSWORD; the box blocks for 256 s",
            ),
        )
        self.clock.ahead_s += 250.0
        await self.failure(meter)
        self.assertEqual(self.box.asked, LOGIN)
        self.clock.ahead_s += 6.0
        await self.failure(meter)
        self.assertEqual(self.box.asked, LOGIN)

    async def test_a_user_without_the_right_does_not_flood_the_box(self) -> None:
        self.box.answer = answer("", "403 Forbidden")
        meter = self.meter()
        kind, message = await self.failure(meter)
        self.assertEqual(kind, "session_expired")
        self.assertIn("does USER have the right Smart Home?", message)
        self.assertEqual(self.box.asked, (LOGIN + DATA) * 2)
        await self.failure(meter)
        self.assertEqual(self.box.asked, [])

    async def test_an_unknown_device_costs_no_login(self) -> None:
        self.box.answer = answer(devices(identifier="9"))
        meter = self.meter()
        for expected in (LOGIN + DATA, DATA, DATA):
            kind, _ = await self.failure(meter)
            self.assertEqual((kind, self.box.asked), ("missing_field", expected))

    async def test_with_https_the_certificate_is_checked_unless_it_shall_not(self) -> None:
        self.box = Box(self, self_signed("127.0.0.1"))
        kind, message = await self.failure(self.meter("HTTPS = yes"))
        self.assertEqual(kind, "tls_certificate")
        self.assertIn("or set VERIFY_SSL = no", message)
        self.assertEqual(self.box.asked, [])
        sample = await self.meter("HTTPS = yes", "VERIFY_SSL = no").read()
        self.assertEqual(sample.watts, (-71.5,))

    async def test_without_a_password_the_challenge_is_answered_all_the_same(self) -> None:
        device = Device(self, answer(session("0" * 16, "1234567z")))
        [one] = load_text(f"[FRITZ]\nHOST = {device.address}\nAIN = 1", "config.ini").meters
        meter = one.kind.build(reactor, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        await self.failure(meter)
        self.assertIn("username=&response=1234567z-", device.received[1].target)


class BadInputTests(BadHttp, TestCase):
    CONFIG = """
        [FRITZ]
        HOST = {addr}
        USER = user
        PASSWORD = {password}
        AIN = 123450123456
        TIMEOUT = 2
        """
    GOOD: ClassVar[Any] = session().replace("</SessionInfo>", f"{devices(1500)}</SessionInfo>")
    WATTS = (1.5,)

    async def test_what_is_no_xml(self) -> None:
        for body in ("", "<html>busy<br></html>", '{"SID": 1}', b"\xff\xfe\x00", self.GOOD[:-1]):
            await self.check(answer(body), "undecodable")
        await self.check(answer(BOMB), "undecodable")

    async def test_another_document(self) -> None:
        for body in ("<a/>", "<html><body/></html>", session(), devices()):
            await self.check(answer(body), "missing_field")

    async def test_a_challenge_that_would_take_for_ever(self) -> None:
        body = session("0" * 16, "2$999999999$00$1$00")
        await self.check(answer(body), "bad_structure")

    async def test_what_is_no_number(self) -> None:
        for bad in (*(bad for bad in NO_NUMBERS if isinstance(bad, (str, float))), "1e400"):
            document = self.GOOD.replace("<power>1500<", f"<power>{bad}<")
            await self.check(answer(document), "not_numeric")
