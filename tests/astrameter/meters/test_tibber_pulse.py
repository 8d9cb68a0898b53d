from __future__ import annotations

import base64
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.filters.age import AgeLimit
from astrameter.meters.tibber_pulse import KIND, MAX_AGE_S, Bridge, Options
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttp
from tests.astrameter.meters.http_rig import (
    Ahead,
    Device,
    answer,
    problems_of,
    run_http_vector,
)
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "tibber_pulse"]

# Without a power the house is not known to be balanced (meters.md section 20.2).
DIFFERENCES = {"MB05": [{"error": "missing_field"}]}


def telegram_of(vector: str, exchange: int = 0) -> bytes:
    """What the bridge answered in a vector."""
    [case] = [case for case in CASES if case["id"] == vector]
    return base64.b64decode(case["exchanges"][exchange]["response"]["body_b64"])


EXPORT = telegram_of("MB01")
"""-987 W."""

PHASES = telegram_of("MB02")
"""123.45, -67.8 and 90 W."""

TRUNCATED = telegram_of("MB03", 1)
NO_POWER = telegram_of("MB05")
WRONG_UNIT = telegram_of("MB06", 1)


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MB{i:02}" for i in range(1, 10)])


class OptionTests(SynchronousTestCase):
    def test_only_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("TIBBER_PULSE"), ["IP: this key is required"])
        self.assertEqual(problems_of("TIBBER_PULSE", "IP = bridge"), [])

    def test_registers_that_are_none(self) -> None:
        for key in ("OBIS_POWER_CURRENT", "OBIS_POWER_L1", "OBIS_POWER_L2", "OBIS_POWER_L3"):
            [problem] = problems_of("TIBBER_PULSE", "IP = bridge", f"{key} = 1.7.0")
            self.assertTrue(problem.startswith(f"{key}: "), problem)

    def test_some_register_is_needed(self) -> None:
        lines = ("IP = bridge", "OBIS_POWER_CURRENT =", "OBIS_POWER_L2 =")
        [problem] = problems_of("TIBBER_PULSE", *lines)
        self.assertTrue(problem.startswith("OBIS_POWER_CURRENT: "), problem)

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASSWORD"])


class BridgeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bridge = Bridge(Options(ip="bridge"))

    def read(self, body: bytes, now: float) -> tuple[tuple[float, ...], float]:
        sample = self.bridge.sample(body, now)
        return sample.watts, sample.measured_at

    def failure(self, body: bytes, now: float) -> str:
        return self.assertRaises(MeterError, self.bridge.sample, body, now).kind

    def test_a_telegram_counts_from_when_it_first_came(self) -> None:
        self.assertEqual(self.read(EXPORT, 10.0), ((-987.0,), 10.0))
        self.assertEqual(self.read(EXPORT, 11.0), ((-987.0,), 10.0))
        self.assertEqual(self.read(PHASES, 12.0), ((123.45, -67.8, 90.0), 12.0))
        self.assertEqual(self.read(PHASES, 100.0), ((123.45, -67.8, 90.0), 12.0))
        self.assertEqual(self.read(EXPORT, 101.0), ((-987.0,), 101.0))

    def test_a_half_written_telegram_is_bridged_over(self) -> None:
        self.assertEqual(self.failure(TRUNCATED, 9.0), "undecodable")
        self.read(EXPORT, 10.0)
        self.assertEqual(self.read(TRUNCATED, 25.0), ((-987.0,), 10.0))
        self.assertEqual(self.failure(TRUNCATED, 25.5), "undecodable")

    def test_the_time_runs_from_the_last_good_answer(self) -> None:
        self.read(EXPORT, 10.0)
        self.read(EXPORT, 20.0)
        self.assertEqual(self.read(b"", 35.0), ((-987.0,), 10.0))
        self.assertEqual(self.failure(b"", 35.5), "undecodable")

    def test_a_telegram_that_is_whole_but_wrong_is_not_bridged_over(self) -> None:
        self.read(EXPORT, 10.0)
        self.assertEqual(self.failure(NO_POWER, 11.0), "missing_field")
        self.assertEqual(self.failure(WRONG_UNIT, 11.0), "wrong_unit")

    def test_any_bytes_are_a_reading_or_a_meter_error(self) -> None:
        mutated = st.tuples(
            st.sampled_from([EXPORT, PHASES]), st.integers(0, 200), st.binary(max_size=4)
        ).map(lambda x: x[0][: x[1]] + x[2] + x[0][x[1] + len(x[2]) :])

        @settings(deadline=None, derandomize=True)
        @given(st.binary(max_size=60) | mutated)
        def check(body: bytes) -> None:
            try:
                sample = Bridge(Options(ip="bridge")).sample(body, 0.0)
            except MeterError as error:
                self.assertLess(len(str(error)), 300)
            else:
                self.assertIn(sample.watts, [(-987.0,), (123.45, -67.8, 90.0)])

        check()


class MeterTests(TestCase):
    """Against a bridge on the loopback interface."""

    timeout = 240

    async def test_a_bridge_whose_pulse_has_fallen_silent_is_noticed(self) -> None:
        device = Device(self, answer(EXPORT))
        [one] = load_text(f"[TIBBER_PULSE]\nIP = {device.address}", "config.ini").meters
        clock = Ahead()
        meter = one.kind.build(clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        limited = AgeLimit(meter, KIND.max_age_s, clock)
        self.assertEqual((await limited.read()).watts, (-987.0,))
        clock.ahead_s += MAX_AGE_S
        self.assertEqual((await limited.read()).watts, (-987.0,))
        clock.ahead_s += 0.5
        error = await self.assertFailure(limited.read(), MeterError)
        self.assertEqual(error.kind, "stale")
        device.scripts = [answer(PHASES)]
        self.assertEqual((await limited.read()).watts, (123.45, -67.8, 90.0))


class BadInputTests(BadHttp, TestCase):
    CONFIG = """
        [TIBBER_PULSE]
        IP = {addr}
        PASSWORD = {password}
        """
    GOOD: ClassVar[Any] = EXPORT
    WATTS = (-987.0,)

    async def test_what_is_no_telegram(self) -> None:
        for body in ("", "<html>busy</html>", "{}", b"\x1b" * 500, EXPORT[:-1], EXPORT[8:]):
            await self.check(answer(body), "undecodable")

    async def test_a_telegram_with_a_wrong_bit(self) -> None:
        for at in (9, 60, 150, len(EXPORT) - 1):
            body = bytearray(EXPORT)
            body[at] ^= 1
            await self.check(answer(bytes(body)), "undecodable")

    async def test_a_telegram_without_power(self) -> None:
        message = await self.check(answer(NO_POWER), "missing_field")
        self.assertIn("PIN", message)
        await self.check(answer(WRONG_UNIT), "wrong_unit")
