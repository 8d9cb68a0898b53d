"""What can be run, and how it is named."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from simulator.evaluation.cases import UnknownCaseError, cases, changes_of, select


def names(*wanted: str) -> list[str]:
    return [one.name for one in select(wanted, cases())]


class Names(SynchronousTestCase):
    def test_without_names_the_predecessors_scenarios_are_meant(self) -> None:
        self.assertEqual(len(names()), 27)

    def test_groups(self) -> None:
        self.assertEqual(len(names("recorded")), 54)
        self.assertEqual(len(names("household")), 5)
        self.assertGreater(len(names("robust")), 300)
        self.assertEqual(len(names("all")), len(cases()))

    def test_patterns(self) -> None:
        self.assertEqual(
            names("two_venus/*"),
            ["two_venus/eff", "two_venus/fair"],
        )

    def test_the_number_of_a_recorded_course_is_enough(self) -> None:
        self.assertEqual(names("S05"), ["S05-single-hmg-slow-meter"])

    def test_nothing_is_run_twice(self) -> None:
        self.assertEqual(len(names("S05", "S0*", "S05-single-hmg-slow-meter")), 9)

    def test_an_unknown_name_is_told(self) -> None:
        error = self.assertRaises(UnknownCaseError, names, "S05", "three_venus")
        self.assertIn("'three_venus'", str(error))
        self.assertIn("recorded", str(error))

    def test_traces_are_no_group_without_files(self) -> None:
        self.assertRaises(UnknownCaseError, names, "trace")


class Plants(SynchronousTestCase):
    def laws(self, plant: str | None, name: str) -> set[str]:
        case = cases(plant)[name]
        batteries = getattr(case, "scenario", None) or getattr(case, "course", None)
        return {one.law for one in batteries.batteries}

    def test_scenarios_are_on_todays_firmware_unless_told_otherwise(self) -> None:
        self.assertEqual(self.laws(None, "two_venus/fair"), {"field"})
        self.assertEqual(self.laws("classic", "two_venus/fair"), {"classic"})

    def test_recorded_courses_are_on_what_they_were_recorded_with(self) -> None:
        self.assertEqual(self.laws(None, "S13-two-hmg-fair"), {"classic"})
        self.assertEqual(self.laws("field", "S13-two-hmg-fair"), {"field"})

    def test_settings_of_batteries_can_be_changed(self) -> None:
        found = cases(None, (), changes_of(["report_index=1", "stepping=continuous"]))
        case = found["two_venus/fair"]
        self.assertEqual(case.plant, "field, report_index=1, stepping=continuous")
        batteries = getattr(case, "scenario").batteries  # noqa: B009  not every case has one
        self.assertEqual(
            {(one.report_index, one.stepping) for one in batteries}, {(1, "continuous")}
        )
        self.assertIsNone(getattr(found["S01-single-hmg-step"], "recorded", ""))

    def test_batteries_that_move_between_polls_are_steered_as_well(self) -> None:
        case = cases(None, (), changes_of(["stepping=continuous"]))["full_battery_low_pace"]
        powers = [one.outputs_w[1] for one in case.play(1, Steering, {}).observations]
        self.assertApproximates(powers[-1], -250, 40)

    def test_settings_that_there_are_not_are_told(self) -> None:
        for text in ("mac=1", "report_index", "report_index=x"):
            self.assertIn("--battery", str(self.assertRaises(ValueError, changes_of, [text])))

    def test_values_that_a_battery_does_not_take_are_told(self) -> None:
        changed = changes_of(["recharge_mode=7"])
        error = self.assertRaises(ValueError, cases, None, (), changed)
        self.assertIn("recharge_mode must be 0", str(error))

    def test_on_another_plant_there_is_nothing_to_compare_with(self) -> None:
        case = cases("field")["S01-single-hmg-step"]
        self.assertEqual(getattr(case, "recorded", ""), None)
