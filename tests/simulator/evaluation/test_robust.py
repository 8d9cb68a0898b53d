"""The courses far from the usual: what there is, and that the criteria can fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from simulator.evaluation.course import Course
from simulator.evaluation.drive import drive
from simulator.evaluation.robust import (
    LATENCIES_S,
    METER_PERIODS_S,
    POLLS_S,
    SIZES,
    UNKNOWN_LAWS,
    problems,
    robust,
)
from simulator.house import venus


def found(name: str, **more: Any) -> list[str]:
    course = replace(robust()[f"robust/{name}"], **more)
    return problems(course, drive(course, 1, Steering))


class Definitions(SynchronousTestCase):
    def test_they_reach_as_far_as_they_must(self) -> None:
        self.assertGreaterEqual(max(LATENCIES_S), 5)
        self.assertGreaterEqual(max(METER_PERIODS_S), 15)
        self.assertLessEqual(min(POLLS_S), 0.3)
        self.assertGreaterEqual(max(POLLS_S), 5)
        self.assertEqual(list(SIZES), list(range(1, 10)))

    def test_both_laws_are_tried_with_everything(self) -> None:
        for law in ("field", "classic"):
            for what in ("latency-5s", "meter-15s", "poll-0.3s", "fleet-9", "opposite-phases"):
                self.assertIn(f"robust/{law}/{what}", robust())

    def test_two_hundred_unknown_laws_all_different(self) -> None:
        laws = [
            one.batteries[0] for name, one in robust().items() if name.startswith("robust/unknown")
        ]
        self.assertEqual(len(laws), UNKNOWN_LAWS)
        self.assertEqual({one.law for one in laws}, {"unknown"})
        self.assertEqual(len({one.unknown_law for one in laws}), UNKNOWN_LAWS)

    def test_what_an_owner_may_set_is_mixed(self) -> None:
        def of(attribute: str) -> set[Any]:
            return {getattr(b, attribute) for one in robust().values() for b in one.batteries}

        self.assertLessEqual({0, 1, 2}, of("report_index"))
        self.assertEqual(of("recharge_mode"), {0, 1})
        self.assertEqual(of("reads"), {"sum", "own_phase"})

    def test_all_move_continuously(self) -> None:
        steppings = {b.stepping for one in robust().values() for b in one.batteries}
        self.assertEqual(steppings, {"continuous"})


class Criteria(SynchronousTestCase):
    def test_a_good_run_has_no_problems(self) -> None:
        self.assertEqual(found("field/fleet-1"), [])
        self.assertEqual(found("recharge-0-opposite-phases"), [])

    def test_relaying_a_late_meter_swings(self) -> None:
        wrong = found("classic/latency-3s", options={"active_control": False})
        self.assertTrue(any("swings" in one for one in wrong), wrong)

    def test_relaying_the_counts_of_phases_triggers_the_interlock(self) -> None:
        # Every battery of the field sees what the others do, and the first to move stops them.
        wrong = found("field/fleet-9", options={"active_control": False})
        self.assertTrue(any("interlock" in one for one in wrong), wrong)

    def test_doing_nothing_does_not_settle(self) -> None:
        course = robust()["robust/field/fleet-1"]
        wrong = problems(course, drive(course, 1, Idle))
        self.assertEqual(sum("not settled" in one for one in wrong), 4, wrong)

    def test_going_too_far_is_told(self) -> None:
        course: Course = robust()["robust/field/fleet-1"]
        wrong = problems(course, drive(course, 1, Bold))
        self.assertTrue(any("overshoots" in one for one in wrong), wrong)


class Seen(SynchronousTestCase):
    """What once went wrong in the house of ``make demo``."""

    def test_an_idle_hmg_50_takes_its_share_of_a_surplus(self) -> None:
        fleet = (("VNSE3-0", "A", 0.46), ("HMG-50", "B", 0.38), ("VNSD-0", "C", 0.57))
        course = Course(
            "demo",
            tuple(
                venus(i + 1, on, soc, device_type=kind, stepping="continuous")
                for i, (kind, on, soc) in enumerate(fleet)
            ),
            first_polls_s=(0.5, 0.631, 0.762),
            duration_s=60.0,
            base_w=(-600.0, -730.0, -750.0),
        )
        at_last = drive(course, 1, Steering).observations[-1]
        self.assertLess(max(at_last.outputs_w), -600.0)


class Idle(Steering):
    def instruct(self, *_what: object) -> float:
        return 0.0


class Bold(Steering):
    def instruct(self, *what: Any) -> float:
        return 1.7 * float(super().instruct(*what))
