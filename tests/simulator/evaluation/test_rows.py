"""Rows: rounding, means over seeds, charts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.account import Account
from simulator.evaluation.cases import cases
from simulator.evaluation.recording import Observation, Recording
from simulator.evaluation.rows import BUCKETS, REPORTED, Buckets, aggregate, merged, rounded, row_of
from tests.simulator.evaluation.rows import row


class Seeds(SynchronousTestCase):
    def test_a_single_seed_is_passed_unchanged(self) -> None:
        self.assertEqual(merged([row(settle_mean_s=1.234)]), row(settle_mean_s=1.234))

    def test_figures_are_means(self) -> None:
        found = merged([row(settle_mean_s=1.0), row(seed=2, settle_mean_s=2.5)])
        self.assertEqual(found["settle_mean_s"], 1.8)
        self.assertEqual(found["seeds"], [1, 2])
        self.assertEqual(found["n_seeds"], 2)
        self.assertNotIn("seed", found)
        self.assertEqual(found["duration_h"], 1.0)

    def test_the_worst_and_each_seed_are_kept(self) -> None:
        found = merged([row(overshoot_max_w=20.0), row(seed=2, overshoot_max_w=1465.0)])
        self.assertEqual(found["overshoot_worst_w"], 1465.0)
        self.assertEqual(found["per_seed"]["overshoot_max_w"], [20.0, 1465.0])

    def test_problems_tell_their_seed(self) -> None:
        found = merged([row(), row(seed=2, problems=["bad"])])
        self.assertEqual(found["problems"], ["seed 2: bad"])

    def test_charts_and_events_are_those_of_the_first_seed(self) -> None:
        found = merged([row(grid_trace=[1.0], events=[1]), row(seed=2, events=[2])])
        self.assertEqual((found["grid_trace"], found["events"]), ([1.0], [1]))

    def test_cents_have_two_decimals_and_travel_none(self) -> None:
        self.assertEqual(rounded("cost_regret_ct", 0.4567), 0.46)
        self.assertEqual(rounded("battery_travel_w_per_h", 1234.5678), 1235)
        self.assertEqual(rounded("soc_min", 0.12345), 0.123)
        self.assertEqual(rounded("settle_mean_s", 1.25), 1.2)

    def test_the_aggregate_is_the_plain_mean_over_scenarios(self) -> None:
        found = aggregate([row(settle_mean_s=0.0), row("two", settle_mean_s=5.0)])
        self.assertEqual(found["settle_mean_s"], 2.5)
        self.assertLessEqual(set(REPORTED), set(found))

    def test_the_ratio_is_a_mean_over_those_that_have_one(self) -> None:
        found = aggregate([row(settle_ratio=0.0), row(settle_ratio=1.5), row(settle_ratio=2.5)])
        self.assertEqual(found["settle_ratio"], 2.0)
        self.assertEqual(aggregate([row(settle_ratio=0.0)])["settle_ratio"], 0)

    def test_there_is_no_aggregate_of_nothing(self) -> None:
        self.assertEqual(aggregate([]), {})


class Charts(SynchronousTestCase):
    def test_pieces_are_means_and_an_empty_one_repeats_the_one_before(self) -> None:
        run = Recording([], 100.0)
        for at_s, grid_w in ((0.0, 10.0), (1.0, 20.0), (30.0, 5.0), (99.0, 7.0)):
            run.observe(Observation(at_s, grid_w, 0.0, (), (), 0.0))
        self.assertEqual(Buckets(run).of(lambda one: one.grid_w), [15.0, 5.0, 5.0, 7.0])


class OneRun(SynchronousTestCase):
    def test_a_run_with_charts_and_the_controllers_account(self) -> None:
        case, account = cases()["S13-two-hmg-fair"], Account()
        run = case.play(1, account.controller, {})
        found = row_of(case, 1, run, case.judge(run), account)
        self.assertEqual(len(found["grid_trace"]), min(BUCKETS, len(run.observations)))
        self.assertEqual(len(found["battery_traces"]), 2)
        self.assertEqual(found["battery_labels"], ["B1 HMG-50", "B2 HMG-50"])
        self.assertEqual([label for _, label in found["marks"]], ["load_on", "load_off"])
        self.assertApproximates(found["battery_traces"][0][-1], 150, 30)
        self.assertEqual([e["label"] for e in found["explained"]], ["load_on", "load_off"])
        made = found["explained"][0]["made"]
        self.assertEqual({one["battery"] for one in made}, {1, 2})
        self.assertTrue(any(one["reading_w"] > 0 for one in made))
        followed = [one for one in made if one["expected_w"] is not None]
        self.assertTrue(followed)
        self.assertTrue(all(120 <= one["at_s"] <= 136 for one in made))

    def test_the_events_tell_the_bound_of_the_plant(self) -> None:
        case = cases()["S01-single-hmg-step"]
        run = case.play(1, Account().controller, {})
        for event in row_of(case, 1, run, case.judge(run))["events"]:
            self.assertGreater(event["bound_s"], 0)
            self.assertGreaterEqual(event["settle_s"], event["bound_s"] - 0.5)
            self.assertAlmostEqual(event["ratio"], event["settle_s"] / event["bound_s"], 1)
