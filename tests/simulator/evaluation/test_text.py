"""Figures and events in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.compare import compare
from simulator.evaluation.text import block, change, figure, markdown, summary, table
from tests.simulator.evaluation.rows import drawn, row


class Figures(SynchronousTestCase):
    def test_they_have_units(self) -> None:
        self.assertEqual(figure("settle_mean_s", 8.04), "8 s")
        self.assertEqual(figure("overshoot_max_w", 17.26), "17.3 W")
        self.assertEqual(figure("band_crossings_per_h", 9.0), "9 per h")
        self.assertEqual(figure("battery_travel_w_per_h", 16571.4), "16571 W per h")
        self.assertEqual(figure("cost_regret_ct", 0.456), "0.46 ct")
        self.assertEqual(figure("avoidable_import_wh", 21.5), "21.5 Wh")
        self.assertEqual(figure("unsettled_events", 2), "2")

    def test_changes(self) -> None:
        self.assertEqual(change("a", {"a": 10.0}, {"a": 12.0}), "+20%")
        self.assertEqual(change("a", {"a": -10.0}, {"a": -12.0}), "-20%")
        self.assertEqual(change("a", {"a": 0.0}, {"a": 1.5}), "+1.5")
        self.assertEqual(change("a", {"a": 3.0}, {"a": 3.0}), "=")
        self.assertEqual(change("a", {}, {"a": 3.0}), "—")


class Texts(SynchronousTestCase):
    def test_each_event_tells_what_was_possible(self) -> None:
        lines = block(drawn())
        self.assertIn(
            "     600.0 s kettle_on       8 s, least possible 6 s x 1.33, overshoot 12 W", lines
        )
        self.assertIn(
            "     600.0 s kettle_on       not settled, not possible for the plant, overshoot 12 W",
            lines,
        )

    def test_problems_and_the_predecessor(self) -> None:
        one = {"name": "settle_s", "ours": 9.0, "theirs": 7.5, "worse": True}
        lines = block(row(problems=["it swings"], compared=[one]))
        self.assertIn("  !! it swings", lines)
        self.assertIn("  settle_s                9 worse than 7.5 of 2.2.3", lines)

    def test_the_means_come_first_when_there_are_several(self) -> None:
        self.assertTrue(table([row("a"), row("b")]).startswith("== AGGREGATE (2 scenarios)\n"))
        self.assertTrue(
            table([row("a")]).startswith("== a on classic (seed 1, 1.0h, 1.0 events)\n")
        )

    def test_the_summary_counts(self) -> None:
        good = {"name": "settle_s", "ours": 1.0, "theirs": 2.0, "worse": False}
        rows = [row("a", compared=[good]), row("b", compared=[{**good, "worse": True}])]
        self.assertEqual(summary(rows), ["1 of 2 recorded courses better than or equal to 2.2.3"])
        self.assertEqual(
            summary([row("a", problems=["x", "y"])]),
            ["1 of 1 scenarios not as they must be:", "  a: x"],
        )
        self.assertEqual(summary([row()]), [])

    def test_markdown_has_all_figures_of_all_scenarios(self) -> None:
        found = markdown(compare([row("a"), row("z")], [row("a", settle_mean_s=5.0)]))
        self.assertIn("| settle_mean_s | 10 s | 5 s | -50% |", found)
        self.assertIn("<summary>a on classic: settles in 5 s, overshoots 10 W, rms 10 W", found)
        self.assertIn("Only in the base: z on classic", found)
        self.assertEqual(found.count("<details>"), found.count("</details>"))
