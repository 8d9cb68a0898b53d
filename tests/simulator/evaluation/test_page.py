"""The report: well-formed, self-contained, and no text in it can be code."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.compare import predecessor
from simulator.evaluation.page import MOST_DRAWN, page
from simulator.evaluation.rows import merged
from tests.simulator.evaluation.rows import drawn, row

EVIL = "</script><script>alert(1)</script><b x='\">"
VOID = frozenset({"meta", "br", "input", "link", "img"})


class Checked(HTMLParser):
    """Complains about what is not closed, or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href"):
                self.links.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"


class Page(SynchronousTestCase):
    def test_it_is_well_formed_with_and_without_charts_and_base(self) -> None:
        for rows in ([row()], [drawn()], [drawn("a"), row("b")]):
            for base in (None, [row(), row("a", settle_mean_s=1.0)], predecessor()):
                Checked(page(rows, base))

    def test_it_needs_nothing_else(self) -> None:
        text = page([drawn("a"), drawn("b")], [row("a")])
        self.assertEqual({link[0] for link in Checked(text).links}, {"#"})
        self.assertNotIn("@import", text)
        self.assertNotIn("url(", text)
        outside = set(re.findall(r"https?://[^\s\"'<]+", text))
        self.assertEqual(outside, {"http://www.w3.org/2000/svg"})

    def test_every_link_leads_somewhere(self) -> None:
        found = Checked(page([drawn("a b/c", problems=["bad"]), drawn("two")]))
        self.assertLessEqual({link[1:] for link in found.links}, set(found.ids))

    def test_text_is_never_code(self) -> None:
        evil = drawn(
            EVIL,
            about=EVIL,
            group=EVIL,
            plant=EVIL,
            problems=[EVIL],
            battery_labels=[EVIL],
            marks=[[600.0, EVIL]],
        )
        evil["events"][0]["label"] = EVIL
        evil["explained"][0]["label"] = EVIL
        evil["explained"][0]["made"][0]["why"] = EVIL
        evil["compared"] = [{"name": EVIL, "ours": 1.0, "theirs": 2.0, "worse": True}]
        text = page([evil], [row(EVIL, EVIL)])
        found = Checked(text)
        self.assertEqual(found.tags.count("script"), 1)
        self.assertNotIn("b", {tag for tag in found.tags if "x=" in tag})
        self.assertNotIn("alert(1)</script>", text)

    def test_worse_and_better_are_told_apart(self) -> None:
        text = page([row(settle_mean_s=5.0, overshoot_max_w=20.0)], [row()])
        self.assertIn('<td class="is-better"', text)
        self.assertIn('<td class="is-worse"', text)
        self.assertIn("Worse where it must not be: overshoot_max_w +100%", text)

    def test_the_predecessor_is_beside_its_own_scenarios(self) -> None:
        text = page([row("single_venus_steps", settle_mean_s=13.0)])
        self.assertIn("−50 %", text)

    def test_what_happened_after_an_event_is_explained(self) -> None:
        text = page([drawn()])
        self.assertIn("held: 2300 → 300 W", text)
        self.assertIn("not possible", text)
        self.assertIn("never", text)

    def test_figures_by_seed_are_at_hand(self) -> None:
        text = page([merged([drawn(settle_mean_s=4.0), drawn(seed=2, settle_mean_s=6.0)])])
        self.assertIn('title="by seed: 4, 6"', text)

    def test_of_many_scenarios_those_with_problems_are_drawn(self) -> None:
        rows = [drawn(f"s{i}") for i in range(MOST_DRAWN + 5)]
        rows[-1]["problems"] = ["bad"]
        found = Checked(page(rows))
        self.assertEqual(found.tags.count("svg"), 6 * MOST_DRAWN)
        self.assertIn(f"s{MOST_DRAWN + 4}@classic", found.ids)

    def test_it_does_not_change_from_one_time_to_the_next(self) -> None:
        self.assertEqual(page([drawn()], [row()]), page([drawn()], [row()]))
