"""How many batteries are cared for, and for how long."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import ShellyAnswered
from astrameter.insights.board import Board
from astrameter.insights.discovery import Discovery
from astrameter.insights.roster import HEARTBEAT_S, MAX_AWAY, Roster
from astrameter.insights.topics import Topics
from astrameter.insights.views import ShellyView

TOPICS = Topics("astrameter")


def answer(ip: str = "10.0.0.1", watts: float = 0.0) -> ShellyAnswered:
    return ShellyAnswered("s", ip, (watts, 0.0, 0.0), 1.0, 1, "2026-11-21T00:00:00+00:00")


class Pacing(SynchronousTestCase):
    def setUp(self) -> None:
        self.board = Board()
        self.counted = 0
        self.roster = self.make(5.0)

    def make(self, interval_s: float) -> Roster[ShellyAnswered]:
        view = ShellyView(TOPICS, Discovery(TOPICS, "unknown"))
        return Roster(view, self.board, interval_s, True, self.count)

    def count(self) -> None:
        self.counted += 1

    def drain(self) -> list[str]:
        found = []
        while (one := self.board.take()) is not None:
            found.append(one.topic)
        return found

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.floats(0.01, 20.0), st.integers(0, 3)), min_size=1, max_size=60))
    def test_neither_more_often_nor_less_often_than_promised(
        self, polls: list[tuple[float, int]]
    ) -> None:
        self.board, tick_at, now = Board(), 5.0, 0.0
        self.roster = self.make(5.0)
        state = TOPICS.battery("s", "10.0.0.1")
        published: list[float] = []
        latest_w = 0
        for gap_s, watts in polls:
            now += gap_s
            while tick_at <= now:
                self.roster.tick(tick_at)
                published += [tick_at] * self.drain().count(state)
                tick_at += 5.0
            latest_w = watts
            if self.roster.answered(answer(watts=float(watts))):
                self.roster.collect(now)
                published += [now] * self.drain().count(state)
        for first, second in pairwise(published):
            self.assertGreaterEqual(second - first, 4.9)
        for _ in range(2):
            self.roster.tick(tick_at)
            tick_at += 5.0
        self.assertIn(f'"l1": {float(latest_w)}', self.board.get(state) or "")

    def test_a_heartbeat_only_while_it_polls(self) -> None:
        self.roster.answered(answer())
        self.roster.collect(0.0)
        self.drain()
        for i in range(1, 100):
            self.roster.tick(i * 5.0)
        self.assertEqual(self.drain(), [])
        self.roster.answered(ShellyAnswered("s", "10.0.0.1", (0.0, 0.0, 0.0), 1.0, 1, "later"))
        self.roster.tick(HEARTBEAT_S + 600.0)
        self.assertEqual(self.drain(), [TOPICS.battery("s", "10.0.0.1")])

    def test_of_those_that_are_away_only_the_last_are_kept(self) -> None:
        for i in range(10 * MAX_AWAY):
            ip = f"10.0.{i // 250}.{i % 250}"
            self.roster.answered(answer(ip))
            self.roster.collect(float(i))
            self.roster.removed("s", ip, float(i))
            self.roster.tick(float(i))
            self.drain()
        self.roster.tick(1e6)
        self.assertEqual(self.roster.count, 0)
        self.assertLessEqual(len(self.board), 3 * MAX_AWAY + 2)
        self.assertEqual(self.drain(), [], "nothing is deleted at the broker")

    def test_one_of_whom_nothing_is_known_cannot_go_or_change(self) -> None:
        self.roster.removed("s", "10.0.0.9", 0.0)
        self.roster.amend("s", "10.0.0.9", answer("10.0.0.9"))
        self.roster.tick(100.0)
        self.roster.collect(100.0)
        self.assertEqual((self.drain(), self.roster.count), ([], 0))
