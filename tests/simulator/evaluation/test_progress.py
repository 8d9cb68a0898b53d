"""How far it is, for people and for log files."""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.progress import Progress


class Plain(SynchronousTestCase):
    def test_a_line_when_the_last_seed_of_a_scenario_is_done(self) -> None:
        out = StringIO()
        found = Progress(out, 4, lively=False)
        found.expect("a", 2)
        found.expect("b", 2)
        for name in ("a", "b", "a", "b"):
            found.done(name)
        found.end()
        self.assertEqual(out.getvalue(), "3/4 a\n4/4 b\n")


class Lively(SynchronousTestCase):
    def setUp(self) -> None:
        self.out, self.now = StringIO(), 0.0
        self.progress = Progress(self.out, 4, lively=True, clock=lambda: self.now)

    def test_the_bar_grows_and_tells_what_is_left(self) -> None:
        self.now = 10.0
        self.progress.done("a")
        self.assertEqual(self.out.getvalue().count("█"), 7)
        self.assertIn("1/4 30 s left  a", self.out.getvalue())

    def test_it_is_there_from_the_beginning(self) -> None:
        self.progress.begin()
        self.assertIn("░ 0/4", self.out.getvalue())

    def test_it_is_not_drawn_more_often_than_one_can_see(self) -> None:
        for name in ("a", "b"):
            self.progress.done(name)
        self.assertEqual(self.out.getvalue().count("\r"), 1)

    def test_it_is_taken_away_in_the_end(self) -> None:
        self.progress.done("a")
        self.progress.end()
        self.assertTrue(self.out.getvalue().endswith("\r\x1b[K"))
