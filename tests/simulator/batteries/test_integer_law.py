"""The integer law and its gate: marstek-devices.md sections 2.1 and 2.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.families import HMG, VNSA, VNSD, VNSE3, IntegerFamily
from simulator.batteries.integer_law import IntegerLaw, divided, gain_of
from tests.vectors import each

LIMIT_W = 2500.0

GOLDEN: list[dict[str, Any]] = [
    {"name": "g_30_at_rest", "steps": [(30, 0, 25 * k) for k in range(1, 7)]},
    {"name": "cold_spike_is_skipped_once", "steps": [(100, 0, 0), (100, 0, 95), (100, 0, 190)]},
    {"name": "spike_after_a_step", "steps": [(20, 0, 15), (400, 0, 15), (400, 0, 410)]},
    {"name": "import_of_three", "nb": 3, "steps": [(300, 0, 95)]},
    {"name": "export_of_three", "nb": 3, "steps": [(-300, 0, -100)]},
    {"name": "against_own_output", "steps": [(50, -50, 50), (-50, 50, 0), (300, 300, 295)]},
    {"name": "g_15_twice", "steps": [(15, 0, 10), (15, 0, 20)]},
]

# Every row of the decision table, at its edges: setpoint 100 before, ungated.
ROWS: list[dict[str, Any]] = [
    {"name": "1_import_of_11", "out": 0, "g": 11, "change": 6},
    {"name": "1_while_discharging", "out": 300, "g": 500, "change": 495},
    {"name": "2_export_of_11_at_rest", "out": 0, "g": -11, "change": -11},
    {"name": "2_while_charging", "out": -300, "g": -500, "change": -500},
    {"name": "3_export_while_discharging", "out": 1, "g": -3, "change": -3},
    {"name": "3_import_while_charging", "out": -1, "g": 7, "change": 7},
    {"name": "4_small_export_while_charging", "out": -300, "g": -10, "change": -15},
    {"name": "4_export_of_1_while_charging", "out": -1, "g": -1, "change": -6},
    {"name": "5_import_of_10_at_rest", "out": 0, "g": 10, "change": None},
    {"name": "5_import_of_10_while_discharging", "out": 300, "g": 10, "change": None},
    {"name": "5_export_of_10_at_rest", "out": 0, "g": -10, "change": None},
    {"name": "5_nothing", "out": -300, "g": 0, "change": None},
]

PARKING: list[dict[str, Any]] = [
    {"name": "e3_10", "family": VNSE3, "sp": 10, "g": 10, "parked": 0},
    {"name": "e3_11", "family": VNSE3, "sp": 11, "g": 10, "parked": None},
    {"name": "e3_minus_10", "family": VNSE3, "sp": -10, "g": 10, "parked": 0},
    {"name": "hmg_20", "family": HMG, "sp": 20, "g": 10, "parked": 0.01},
    {"name": "hmg_21", "family": HMG, "sp": 21, "g": 10, "parked": None},
    {"name": "shared_14", "family": VNSE3, "nb": 2, "sp": 14, "g": 10, "parked": 0},
    {"name": "shared_15", "family": VNSE3, "nb": 2, "sp": 15, "g": 10, "parked": None},
    {"name": "hmg_shared_14", "family": HMG, "nb": 2, "sp": 14, "g": 10, "parked": 0},
]


def run(law: IntegerLaw, steps: Sequence[tuple[int, int]], nb: int = 1) -> list[float]:
    found = []
    for g, out_w in steps:
        law.step(g, out_w, nb, -LIMIT_W, LIMIT_W)
        found.append(law.setpoint_w)
    return found


class GoldenVectors(SynchronousTestCase):
    @each(GOLDEN)
    def vector(self, case: dict[str, Any]) -> None:
        steps = [(g, out_w) for g, out_w, _ in case["steps"]]
        wanted = [setpoint_w for _, _, setpoint_w in case["steps"]]
        for family in (VNSE3, VNSA, VNSD):
            self.assertEqual(run(IntegerLaw(family), steps, case.get("nb", 1)), wanted)

    def test_hmg_agrees_where_its_wider_gate_and_its_parking_do_not_matter(self) -> None:
        for case in GOLDEN[:5]:
            steps = [(g, out_w) for g, out_w, _ in case["steps"]]
            wanted = [setpoint_w for _, _, setpoint_w in case["steps"]]
            self.assertEqual(run(IntegerLaw(HMG), steps, case.get("nb", 1)), wanted)
        self.assertEqual(run(IntegerLaw(HMG), [(50, -50), (-50, 50)]), [50, 0.01])
        self.assertEqual(run(IntegerLaw(HMG), [(15, 0), (15, 0)]), [0, 0])

    def test_constant_import_of_500_in_an_open_loop(self) -> None:
        for family in (VNSE3, HMG):
            law = IntegerLaw(family)
            found = []
            for _ in range(6):
                law.regulate(500, 0, 1, -LIMIT_W, LIMIT_W)
                found.append(law.setpoint_w)
            self.assertEqual(found, [495, 990, 1485, 1980, 2475, 2500])


class Law(SynchronousTestCase):
    @each(ROWS)
    def row(self, case: dict[str, Any]) -> None:
        law = IntegerLaw(VNSE3, setpoint_w=100)
        executed = law.regulate(case["g"], case["out"], 1, -LIMIT_W, LIMIT_W)
        self.assertEqual(executed, case["change"] is not None)
        self.assertEqual(law.setpoint_w - 100, case["change"] or 0)

    @each(PARKING)
    def parking(self, case: dict[str, Any]) -> None:
        law = IntegerLaw(case["family"], setpoint_w=case["sp"])
        law.regulate(case["g"], 0, case.get("nb", 1), -LIMIT_W, LIMIT_W)
        wanted = case["sp"] if case["parked"] is None else case["parked"]
        self.assertEqual(law.setpoint_w, wanted)

    def test_more_import_than_the_parking_limit_does_not_park(self) -> None:
        self.assertEqual(run(IntegerLaw(VNSE3), [(11, 0)]), [6])
        law = IntegerLaw(HMG, setpoint_w=-1)
        law.regulate(16, 0, 1, -LIMIT_W, LIMIT_W)
        self.assertEqual(law.setpoint_w, 10)
        law.regulate(15, 0, 1, -LIMIT_W, LIMIT_W)
        self.assertEqual(law.setpoint_w, 0.01)

    def test_the_limits_hold_in_both_directions(self) -> None:
        law = IntegerLaw(VNSE3)
        law.regulate(5000, 0, 1, -1200.0, 800.0)
        self.assertEqual(law.setpoint_w, 800)
        law.regulate(-5000, 0, 1, -1200.0, 800.0)
        self.assertEqual(law.setpoint_w, -1200)

    def test_limits_that_shrink_pull_the_setpoint_along_even_when_held(self) -> None:
        law = IntegerLaw(VNSE3, setpoint_w=2000)
        self.assertFalse(law.regulate(10, 300, 1, -LIMIT_W, 800.0))
        self.assertEqual(law.setpoint_w, 800)

    def test_e3_truncates_each_update_towards_zero_and_hmg_keeps_the_fraction(self) -> None:
        for family, wanted in ((VNSE3, [10, 20]), (HMG, [10.84, 21.68])):
            law = IntegerLaw(family, gain_of(33))
            found = []
            for _ in range(2):
                law.regulate(48, 0, 1, -LIMIT_W, LIMIT_W)
                found.append(round(law.setpoint_w, 2))
            self.assertEqual(found, wanted)

    def test_the_gain_is_a_single_precision_fraction(self) -> None:
        law = IntegerLaw(VNSE3, gain_of(30))
        law.regulate(-500, 0, 1, -LIMIT_W, LIMIT_W)
        self.assertEqual(law.setpoint_w, -149)
        self.assertEqual(gain_of(100), 1.0)

    def test_a_loop_gain_outside_30_to_100_percent_counts_as_the_default(self) -> None:
        self.assertEqual(gain_of(29), gain_of(100))
        self.assertEqual(gain_of(101), gain_of(100))
        self.assertEqual(gain_of(0, 90), gain_of(90))
        self.assertNotEqual(gain_of(30), gain_of(100))

    def test_division_truncates_towards_zero(self) -> None:
        self.assertEqual([divided(g, 3) for g in (299, -299, 2, -2)], [99, -99, 0, 0])
        self.assertEqual([divided(-7, nb) for nb in (0, 1)], [-7, -7])


class Gate(SynchronousTestCase):
    def held(self, family: IntegerFamily, *steps: tuple[int, int], **options: Any) -> list[bool]:
        law = IntegerLaw(family, **options)
        return [not law.step(g, out_w, 1, -LIMIT_W, LIMIT_W) for g, out_w in steps]

    def test_a_jump_of_exactly_50_is_no_spike(self) -> None:
        self.assertEqual(self.held(VNSE3, (50, 0)), [False])
        self.assertEqual(self.held(VNSE3, (51, 0)), [True])

    def test_a_jump_with_the_own_output_moved_20_is_no_spike(self) -> None:
        self.assertEqual(self.held(VNSE3, (-300, 20)), [False])
        self.assertEqual(self.held(VNSE3, (-300, 19)), [True])

    def test_only_one_sample_in_a_row_is_skipped(self) -> None:
        drift = [(-9000, 0), (-8800, 0), (-8600, 0), (-8400, 0)]
        self.assertEqual(self.held(VNSE3, *drift), [True, False, True, False])

    def test_a_small_value_after_a_big_one_is_no_spike(self) -> None:
        """|g| must exceed the gate: the end of a load is acted on at once when it is held."""
        self.assertEqual(self.held(VNSE3, (50, 100), (-10, 100)), [False, False])

    def test_ct_types_without_spike_gate(self) -> None:
        self.assertEqual(self.held(VNSE3, (400, 0), spike_gate=False), [False])
        self.assertEqual(self.held(VNSE3, (9, 0), spike_gate=False), [True])

    def test_a_resting_unit_ignores_less_than_the_gate(self) -> None:
        self.assertEqual(self.held(VNSE3, (10, 0)), [True])  # row 5
        self.assertEqual(self.held(VNSE3, (11, 0)), [False])
        self.assertEqual(self.held(VNSE3, (-11, 0)), [False])
        self.assertEqual(self.held(HMG, (19, 0), (-19, 0)), [True, True])
        self.assertEqual(self.held(HMG, (20, 0)), [False])
        self.assertEqual(self.held(HMG, (-20, 0)), [False])

    def test_a_charging_unit_counts_as_resting_for_the_gate(self) -> None:
        self.assertEqual(self.held(VNSE3, (9, -300), (-9, -300), (12, -300)), [True, True, False])
        self.assertEqual(self.held(HMG, (19, -300), (-19, -300)), [True, True])

    def test_a_discharging_unit_acts_on_small_export_but_not_on_small_import(self) -> None:
        self.assertEqual(self.held(VNSE3, (-3, 100), (9, 100), (0, 100)), [False, True, True])

    def test_shared_answers_pass_the_gate_and_leave_its_baselines_alone(self) -> None:
        law = IntegerLaw(VNSE3)
        self.assertTrue(law.step(3000, 0, 3, -LIMIT_W, LIMIT_W))
        self.assertFalse(law.step(1000, 0, 1, -LIMIT_W, LIMIT_W))
        self.assertTrue(law.step(1000, 0, 1, -LIMIT_W, LIMIT_W))
