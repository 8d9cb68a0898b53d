"""How the options become a chain of filters, and what the chain as a whole promises."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.problems import ConfigError
from astrameter.reading import MAX_READING_W
from tests.astrameter.filters.rig import SCRIPT, Rig

EVERYTHING = """
POWER_MULTIPLIER = 1.0
THROTTLE_INTERVAL = 0.001
HAMPEL_WINDOW = 3
HAMPEL_MIN_THRESHOLD = 50
SMOOTH_TARGET_ALPHA = 0.5
MAX_SMOOTH_STEP = 100
DEADBAND = 10
PID_KP = 0.5
PID_KI = 0.01
PID_KD = 0.1
"""
ORDER = ["transform", "throttle", "hampel", "smooth", "deadband", "pid", "health"]


def problems(text: str) -> list[str]:
    """What is wrong with a configuration, as people read it."""
    try:
        load_text(text, "config.ini", None, [SCRIPT])
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


class ChainTests(SynchronousTestCase):
    def test_order(self) -> None:
        self.assertEqual(Rig(f"[SCRIPT]{EVERYTHING}").filters, ORDER)

    def test_general_sets_all_but_the_calibration(self) -> None:
        rig = Rig(f"[GENERAL]{EVERYTHING}[SCRIPT]\n")
        self.assertEqual(rig.filters, ORDER[1:])

    def test_each_key_of_a_section_wins_by_itself(self) -> None:
        rig = Rig(f"[GENERAL]{EVERYTHING}[SCRIPT]\nPID_KP = 0.25\nDEADBAND = 0\n")
        self.assertEqual((rig.options.pid_kp, rig.options.pid_ki), (0.25, 0.01))
        self.assertNotIn("deadband", rig.filters)

    def test_negative_is_off(self) -> None:
        keys = ("THROTTLE_INTERVAL", "HAMPEL_WINDOW", "SMOOTH_TARGET_ALPHA", "DEADBAND", "PID_KP")
        text = "".join(f"{key} = -1\n" for key in keys)
        self.assertEqual(Rig(f"[SCRIPT]\n{text}").filters, ["health"])

    def test_an_alpha_out_of_range_is_clamped_and_said(self) -> None:
        for text, alpha in (("0.001", 0.01), ("7", 1.0), ("0.5", 0.5), ("-3", -3.0)):
            loaded = load_text(f"[SCRIPT]\nSMOOTH_TARGET_ALPHA = {text}\n", "c.ini", None, [SCRIPT])
            self.assertEqual(loaded.meters[0].options.smooth_target_alpha, alpha)
            self.assertEqual(len(loaded.warnings), 0.01 <= alpha != float(text))

    def test_a_reset_reaches_every_filter_with_a_memory(self) -> None:
        for keys in (
            "HAMPEL_WINDOW = 3\nHAMPEL_MIN_THRESHOLD = 5",
            "SMOOTH_TARGET_ALPHA = 0.5",
            "PID_KP = 0.1\nPID_KI = 0.01\nPID_KD = 0.1",
        ):
            rig = Rig(f"[SCRIPT]\nPOWER_OFFSET = 0\nTHROTTLE_INTERVAL = 0.5\n{keys}\n")
            readings = (400.0,), (100.0,), (100.0,)
            first = rig.watts(*readings)
            self.assertNotEqual(rig.watts(*readings), first, keys)
            rig.chain.reset()
            self.assertEqual(rig.watts(*readings), first, keys)

    def test_a_reset_does_not_forget_how_the_last_read_went(self) -> None:
        rig = Rig("[SCRIPT]\nSMOOTH_TARGET_ALPHA = 0.5\n")
        rig.watts((100.0,))
        last = rig.chain.last
        rig.chain.reset()
        self.assertIsNotNone(last)
        self.assertIs(rig.chain.last, last)

    def test_a_chain_without_a_memory_can_be_reset(self) -> None:
        rig = Rig("[SCRIPT]\n")
        rig.chain.reset()
        self.assertEqual(rig.watts((5.0,)), [[5.0]])

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.lists(st.floats(-MAX_READING_W, MAX_READING_W), max_size=4),
            min_size=1,
            max_size=30,
        )
    )
    def test_whatever_a_meter_says_finite_watts_come_out(self, readings: list[list[float]]) -> None:
        rig = Rig(f"[SCRIPT]{EVERYTHING}")
        for reading, found in zip(readings, rig.watts(*readings), strict=True):
            assert isinstance(found, list)
            self.assertEqual(len(found), len(reading))
            self.assertTrue(all(map(math.isfinite, found)))

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(st.lists(st.floats(-1e4, 1e4), max_size=4), min_size=1, max_size=20),
        st.integers(1, 4),
    )
    def test_how_many_batteries_ask_makes_no_difference(
        self, readings: list[list[float]], batteries: int
    ) -> None:
        alone, together = Rig(f"[SCRIPT]{EVERYTHING}"), Rig(f"[SCRIPT]{EVERYTHING}")
        expected = alone.watts(*readings)
        together.meter.reads = readings
        together.meter.latency_s = 0.25
        for one in expected:
            calls = [together.read() for _ in range(batteries)]
            together.clock.advance(0.25)
            self.assertEqual([call.result for call in calls], [one] * batteries)
            together.clock.advance(0.75)


class CheckTests(SynchronousTestCase):
    """What does not fit together, in the section of any meter."""

    def test_every_finding_names_section_key_and_line_and_how_to_mend_it(self) -> None:
        text = (
            "[SCRIPT]\nHAMPEL_WINDOW = 5\nHAMPEL_N_SIGMA = -1\nHAMPEL_MIN_THRESHOLD = -2\n"
            "PID_KP = 1\nPID_OUTPUT_MAX = 0\n"
        )
        not_negative = "must be 0 or more while HAMPEL_WINDOW is on"
        positive = "must be above 0 while PID_KP is on"
        self.assertEqual(
            problems(text),
            [
                f"config.ini:3 [SCRIPT] HAMPEL_N_SIGMA = -1: {not_negative}; 3 is usual",
                f"config.ini:4 [SCRIPT] HAMPEL_MIN_THRESHOLD = -2: {not_negative}; 50 is usual",
                f"config.ini:6 [SCRIPT] PID_OUTPUT_MAX = 0: {positive}; 800 is usual",
            ],
        )

    def test_a_meter_with_checks_of_its_own_has_these_too(self) -> None:
        text = "[MQTT]\nBROKER = h\nPID_KP = 1\nPID_OUTPUT_MAX = 0\n"
        self.assertEqual(len(problems(text)), 2)
        self.assertIn("PID_OUTPUT_MAX", problems(text)[1])

    def test_a_bad_value_of_general_is_reported_there_once_for_all_meters(self) -> None:
        text = "[GENERAL]\nPID_OUTPUT_MAX = 0\n[SCRIPT]\nPID_KP = 1\n[SCRIPT_2]\nPID_KP = 2\n"
        (problem,) = problems(text)
        self.assertTrue(problem.startswith("config.ini:2 [GENERAL] PID_OUTPUT_MAX = 0: "), problem)

    def test_what_no_meter_uses_may_be_as_it_is(self) -> None:
        self.assertEqual(problems("[GENERAL]\nPID_KP = 1\nPID_OUTPUT_MAX = 0\n"), [])
        self.assertEqual(
            problems("[GENERAL]\nPID_KP = 1\nPID_OUTPUT_MAX = 0\n[SCRIPT]\nPID_KP = 0\n"), []
        )
        self.assertEqual(problems("[SCRIPT]\nHAMPEL_N_SIGMA = -1\n"), [])

    def test_a_number_that_is_none_is_refused_also_while_the_filter_is_off(self) -> None:
        self.assertEqual(len(problems("[SCRIPT]\nPID_KD = much\nHAMPEL_N_SIGMA = inf\n")), 2)

    def test_an_unknown_mode_and_absurd_gains_are_refused_also_while_the_pid_is_off(self) -> None:
        for line in ("PID_MODE = add", "PID_KI = 1e300", "PID_KD = -1e300", "PID_OUTPUT_MAX = 1e9"):
            self.assertEqual(len(problems(f"[SCRIPT]\nPID_KP = 0\n{line}\n")), 1, line)
        self.assertEqual(len(problems("[SCRIPT]\nPID_KP = 1e300\n")), 1)
