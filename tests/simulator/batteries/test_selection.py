"""Which number counts, and when none does: marstek-devices.md sections 1.3 to 1.5."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.config import PHASES
from simulator.batteries.integer_law import divided
from simulator.batteries.selection import Selection, conflict, select
from tests.simulator.batteries.rig import numbers
from tests.vectors import each

A_100 = (0, 100, 100, 100, 0)  # discharge sums of x, A, B, C, ABC
CLASH = {
    "phase_w": (300, 0, 0),
    "counts": (1, 1, 0, 0),
    "charge_w": (0, -500, 0, 0, 0),
    "discharge_w": (0, 0, 400, 0, 0),
}

# The table of section 1.5; "conflict" where the interlock fires, None where nothing happens.
WORKED: list[dict[str, Any]] = [
    {
        "name": "recommended_whole_house",
        "mode": 1,
        "phase": "B",
        "g": 200,
        "answer": {"phase_w": (0, 200, 0), "counts": (0, 1, 0, 0)},
    },
    {
        "name": "recommended_own_phase",
        "mode": 0,
        "phase": "B",
        "g": 200,
        "answer": {"phase_w": (0, 200, 0), "counts": (0, 1, 0, 0)},
    },
    {
        "name": "shared_whole_house",
        "mode": 1,
        "phase": "B",
        "own": 100,
        "g": 200,
        "answer": {"phase_w": (100, 200, 300), "counts": (1, 1, 1, 0), "discharge_w": A_100},
    },
    {
        "name": "shared_own_phase",
        "mode": 0,
        "phase": "B",
        "own": 100,
        "g": 200,
        "answer": {"phase_w": (100, 200, 300), "counts": (1, 1, 1, 0), "discharge_w": A_100},
    },
    {
        "name": "clash_whole_house",
        "mode": 1,
        "phase": "A",
        "own": -500,
        "g": "conflict",
        "answer": CLASH,
    },
    {"name": "clash_own_phase", "mode": 0, "phase": "A", "own": -500, "g": 300, "answer": CLASH},
    {"name": "phase_unknown", "mode": 1, "phase": "0", "g": None, "answer": CLASH},
    {"name": "phase_unknown_own_phase", "mode": 0, "phase": "0", "g": None, "answer": CLASH},
    {
        "name": "combined_new",
        "mode": 1,
        "phase": "D",
        "g": -300,
        "answer": {"total_w": -300, "counts": (0, 0, 0, 2)},
    },
    {
        "name": "combined_hmg_v151",
        "mode": 1,
        "phase": "D",
        "g": -150,
        "sums_required": False,
        "answer": {"total_w": -300, "counts": (0, 0, 0, 2)},
    },
]


def effective(case: dict[str, Any]) -> int | str | None:
    selection = select(
        numbers(**case["answer"]),
        PHASES.index(case["phase"]),
        case["mode"],
        0,
        case.get("sums_required", True),
    )
    own_w = case.get("own", 0)
    if selection is None:
        return None
    return "conflict" if conflict(selection, own_w, own_w) else divided(selection.g, selection.nb)


class EffectiveValue(SynchronousTestCase):
    @each(WORKED)
    def worked_example(self, case: dict[str, Any]) -> None:
        self.assertEqual(effective(case), case["g"])

    def test_the_three_phase_fields_are_never_added(self) -> None:
        answer = numbers((100, 200, 300), total_w=7)
        for mode, phase, wanted in ((1, 1, 7), (1, 3, 7), (0, 4, 7), (0, 1, 100), (0, 3, 300)):
            selection = select(answer, phase, mode, 0, True)
            assert selection is not None
            self.assertEqual(selection.g, wanted)

    def test_a_failed_phase_detection_acts_on_nothing(self) -> None:
        for mode in (0, 1):
            self.assertIsNone(select(numbers((100, 0, 0)), 5, mode, 0, True))

    def test_the_baseline_is_subtracted(self) -> None:
        for mode in (0, 1):
            selection = select(numbers((100, 0, 0)), 1, mode, 30, True)
            assert selection is not None
            self.assertEqual(selection.g, 70)

    def test_counts_need_sums_that_do_not_add_up_to_zero(self) -> None:
        counts = (2, 0, 0, 0)
        hidden = {"charge_w": (0, -400, 0, 0, 0), "discharge_w": (0, 400, 0, 0, 0)}
        for sums, nb in (({}, 0), (hidden, 0), ({"discharge_w": (0, 1, 0, 0, 0)}, 2)):
            selection = select(numbers((9, 0, 0), counts=counts, **sums), 1, 1, 0, True)
            assert selection is not None
            self.assertEqual(selection.nb, nb)

    def test_the_old_firmware_takes_counts_without_sums(self) -> None:
        selection = select(numbers((9, 0, 0), counts=(1, 2, 3, 4)), 1, 1, 0, False)
        assert selection is not None
        self.assertEqual(selection.nb, 10)

    def test_own_phase_mode_takes_its_own_bucket_and_combined_takes_abc(self) -> None:
        answer = numbers(
            counts=(1, 2, 3, 4), charge_w=(0, -1, -2, -3, -4), discharge_w=(0, 1, 2, 3, 44)
        )
        for phase, bucket in ((1, (1, -1, 1)), (2, (2, -2, 2)), (3, (3, -3, 3)), (4, (4, -4, 44))):
            selection = select(answer, phase, 0, 0, True)
            assert selection is not None
            self.assertEqual(selection[1:4], bucket)

    def test_the_number_of_batteries_wraps_at_256(self) -> None:
        selection = select(numbers((9, 0, 0), counts=(200, 57, 0, 0)), 1, 1, 0, False)
        assert selection is not None
        self.assertEqual(selection.nb, 1)


class Interlock(SynchronousTestCase):
    def found(self, own_w: float = 300, sent_w: int | None = None, **changes: Any) -> str:
        values = {"g": 200, "nb": 2, "charge_w": 0, "discharge_w": 0, "inspecting": False}
        sent = round(own_w) if sent_w is None else sent_w
        return conflict(Selection(**{**values, **changes}), own_w, sent)

    def test_a_some_charge_while_others_discharge(self) -> None:
        self.assertEqual(self.found(charge_w=-1, discharge_w=1), "a")

    def test_b_somebody_is_looking_for_its_phase_under_load(self) -> None:
        self.assertEqual(self.found(inspecting=True), "b")

    def test_c_an_idle_unit_does_not_start_against_the_others(self) -> None:
        self.assertEqual(self.found(own_w=0, charge_w=-300, g=200), "c")
        self.assertEqual(self.found(own_w=0, discharge_w=300, g=-200), "c")
        self.assertEqual(self.found(own_w=0.9, sent_w=0, discharge_w=300, g=-200), "c")
        self.assertEqual(self.found(own_w=1, sent_w=0, discharge_w=300, g=-200), "")
        self.assertEqual(self.found(own_w=0, discharge_w=300, g=200), "")

    def test_d_a_unit_that_runs_against_the_others(self) -> None:
        self.assertEqual(self.found(own_w=300, charge_w=-300), "d")
        self.assertEqual(self.found(own_w=-300, discharge_w=300), "d")
        self.assertEqual(self.found(own_w=300, discharge_w=300), "")

    def test_d_looks_at_the_power_as_it_was_sent(self) -> None:
        self.assertEqual(self.found(own_w=300, sent_w=0, charge_w=-300), "")
        self.assertEqual(self.found(own_w=-5, sent_w=300, charge_w=-300), "d")

    def test_a_single_battery_has_no_interlock(self) -> None:
        for nb in (0, 1):
            self.assertEqual(self.found(nb=nb, charge_w=-500, discharge_w=500, inspecting=True), "")

    def test_all_in_one_direction_is_fine(self) -> None:
        self.assertEqual(self.found(own_w=0, discharge_w=600, g=200), "")
        self.assertEqual(self.found(own_w=-200, charge_w=-600, g=-200), "")
