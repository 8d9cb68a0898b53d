"""Two sets of rows against each other (evaluation.md section 6)."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.compare import (
    GUARDED,
    WEIGHTS,
    CompareError,
    compare,
    predecessor,
    rows_in,
    whole_rows_in,
)
from simulator.evaluation.rows import REPORTED, aggregate
from simulator.evaluation.scenarios import SCENARIOS
from tests.simulator.evaluation.rows import row


class Verdicts(SynchronousTestCase):
    def test_only_what_both_have_is_compared(self) -> None:
        found = compare([row("one"), row("two")], [row("two"), row("three")])
        self.assertEqual([head["scenario"] for _, head in found.pairs], ["two"])
        self.assertEqual(found.only_base, ["one on classic"])
        self.assertEqual(found.only_head, ["three on classic"])

    def test_another_plant_is_another_scenario(self) -> None:
        self.assertEqual(compare([row()], [row(plant="field")]).pairs, [])

    def test_overall(self) -> None:
        found = compare([row()], [row(settle_mean_s=5.0, grid_rms_w=11.0)])
        self.assertEqual(
            found.overall,
            "1 improved, 1 regressed, 13 unchanged across 15 metrics — mean -2.7% (better)",
        )

    def test_priority_weighs(self) -> None:
        total = sum(WEIGHTS.values())
        found = compare([row()], [row(cost_regret_ct=5.0)])
        self.assertAlmostEqual(found.priority, -4 * 0.5 / total)

    def test_a_base_of_zero_has_no_relative_change(self) -> None:
        found = compare([row(cost_regret_ct=0.0)], [row(cost_regret_ct=5.0)])
        self.assertEqual(found.priority, 0)
        self.assertIn("mean +0.0%", found.overall)

    def test_every_reported_figure_has_a_weight(self) -> None:
        self.assertEqual(set(WEIGHTS), set(REPORTED))


class Guardrails(SynchronousTestCase):
    def test_five_percent_are_tolerated(self) -> None:
        self.assertEqual(compare([row()], [row(overshoot_max_w=10.5)]).harms(), [])

    def test_more_is_not(self) -> None:
        for key in GUARDED:
            found = compare([row()], [row(**{key: 11.0})])
            self.assertEqual(found.harms(), [f"{key} +10%"])

    def test_from_zero_anything_is_too_much(self) -> None:
        found = compare([row(grid_p2p_w=0.0)], [row(grid_p2p_w=5.0)])
        self.assertEqual(found.harms(), ["grid_p2p_w 0→5"])

    def test_what_one_side_does_not_have_is_not_judged(self) -> None:
        partial = {key: value for key, value in row().items() if key != "grid_p2p_w"}
        self.assertEqual(compare([row()], [partial]).harms(), [])
        self.assertEqual(compare([partial], [row()]).harms(), [])

    def test_export_and_settling_are_not_guarded(self) -> None:
        worse = row(avoidable_export_wh=99.0, settle_mean_s=99.0)
        self.assertEqual(compare([row()], [worse]).harms(), [])


class Worse(SynchronousTestCase):
    def test_every_figure_of_every_scenario_is_looked_at(self) -> None:
        found = compare([row("a"), row("b")], [row("a", settle_mean_s=11.0), row("b")])
        self.assertEqual(list(found.worse()), [("a", "classic", "settle_mean_s", 10.0, 11.0)])

    def test_rounding_alone_is_not_worse(self) -> None:
        found = compare([row(cost_regret_ct=0.05)], [row(cost_regret_ct=0.06)])
        self.assertEqual(list(found.worse()), [])


class Predecessor(SynchronousTestCase):
    def test_all_its_scenarios_are_known_on_the_classic_plant(self) -> None:
        classic = {one["scenario"]: one for one in predecessor() if one["plant"] == "classic"}
        self.assertEqual(len(classic), 32)
        self.assertLessEqual(set(SCENARIOS), set(classic))

    def test_its_aggregate_is_the_one_it_printed(self) -> None:
        found = aggregate([{**row(), **one} for one in predecessor() if one["plant"] == "classic"])
        # evaluation.md section 8, last line of the table
        wanted = {"settle_mean_s": 35.2, "overshoot_max_w": 94.6, "share_imbalance_w": 60.8}
        for key, value in wanted.items():
            self.assertApproximates(found[key], value, 0.11)
        self.assertApproximates(found["battery_travel_w_per_h"], 23700.4, 1)

    def test_files_of_its_own_can_be_compared(self) -> None:
        old = [{"scenario": "single_venus_steps", "settle_mean_s": 26.0}]
        found = compare(rows_in(json.dumps(old), "old.json"), [row("single_venus_steps")])
        self.assertEqual(found.changes(), {"settle_mean_s": -16.0})


class Files(SynchronousTestCase):
    def refused(self, text: str) -> str:
        return str(self.assertRaises(CompareError, rows_in, text, "x.json"))

    def test_what_is_no_json_is_refused(self) -> None:
        self.assertIn("x.json: no JSON", self.refused("{"))

    def test_what_is_no_list_of_rows_is_refused(self) -> None:
        for text in ("{}", "[1]", '[{"a": 1}]', '"x"'):
            self.assertIn("--json", self.refused(text))

    def test_a_report_needs_more_than_a_comparison(self) -> None:
        text = json.dumps([{"scenario": "a", "settle_mean_s": 26.0}])
        self.assertEqual(len(rows_in(text, "x.json")), 1)
        error = self.assertRaises(CompareError, whole_rows_in, text, "x.json")
        self.assertIn("can only be compared with", str(error))
        empty = self.assertRaises(CompareError, whole_rows_in, "[]", "x.json")
        self.assertEqual(str(empty), "x.json: no rows")
        self.assertEqual(whole_rows_in(json.dumps([row()]), "x.json"), [row()])

    def test_what_is_no_number_is_refused(self) -> None:
        text = json.dumps([{"scenario": "a", "settle_mean_s": "fast"}])
        self.assertEqual(self.refused(text), "x.json: settle_mean_s of a is no number")
