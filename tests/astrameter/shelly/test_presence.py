"""Who polls, how often, and who has gone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.shelly.presence import SILENT_AFTER_S, Arrival, Presence

A, B, C = "192.168.1.50", "192.168.1.60", "192.168.1.70"


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.presence = Presence(limit=2)

    def gone(self, now: float) -> list[str]:
        return [battery.ip for battery in self.presence.sweep(now)]

    def intervals(self, *times: float) -> list[float | None]:
        return [self.presence.seen(A, now).battery.poll_interval_s for now in times]

    def test_new_then_known(self) -> None:
        self.assertIs(self.presence.seen(A, 0.0).arrival, Arrival.NEW)
        self.assertIsNone(self.presence.seen(A, 1.0).arrival)
        self.assertIs(self.presence.seen(B, 1.0).arrival, Arrival.NEW)
        self.assertEqual(self.presence.count, 2)

    def test_interval_is_unknown_then_the_gap_then_smoothed(self) -> None:
        self.assertEqual(self.intervals(0.0, 1.04, 2.0, 4.0), [None, 1.0, 1.0, 1.3])

    def test_an_outage_enters_the_interval(self) -> None:
        self.assertEqual(self.intervals(0.0, 1.0, 129.0), [None, 1.0, 39.1])

    def test_silent_at_exactly_two_minutes_and_once(self) -> None:
        self.presence.seen(A, 10.0)
        self.assertEqual(self.presence.next_silent_at(), 130.0)
        self.assertEqual(self.gone(129.9), [])
        self.assertEqual(self.gone(130.0), [A])
        self.assertEqual(self.gone(131.0), [])
        self.assertIsNone(self.presence.next_silent_at())

    def test_comes_back(self) -> None:
        self.presence.seen(A, 0.0)
        self.gone(120.0)
        self.assertIs(self.presence.seen(A, 121.0).arrival, Arrival.BACK)
        self.assertIsNone(self.presence.seen(A, 122.0).arrival)
        self.assertEqual(self.presence.count, 1)
        self.assertEqual(self.gone(242.0), [A])

    def test_the_one_silent_longest_makes_room(self) -> None:
        self.presence.seen(A, 0.0)
        self.presence.seen(B, 1.0)
        self.presence.seen(A, 2.0)
        displaced = self.presence.seen(C, 3.0).displaced
        assert displaced is not None
        self.assertEqual(displaced.ip, B)
        self.assertEqual(len(self.presence), 2)
        self.assertIs(self.presence.seen(B, 4.0).arrival, Arrival.NEW)
        self.assertEqual(self.presence.count, 4)

    @settings(deadline=None, derandomize=True, database=None)
    @given(st.lists(st.tuples(st.integers(0, 6), st.floats(0, 200))))
    def test_each_active_battery_is_reported_gone_exactly_once(
        self, polls: list[tuple[int, float]]
    ) -> None:
        presence = Presence(limit=4)
        active: set[str] = set()
        now = 0.0
        for number, pause_s in polls:
            now += pause_s
            for battery in presence.sweep(now):
                active.remove(battery.ip)
                self.assertGreaterEqual(now - battery.seen_at, SILENT_AFTER_S)
            sighting = presence.seen(str(number), now)
            self.assertEqual(sighting.arrival is None, str(number) in active)
            active.add(str(number))
            if sighting.displaced is not None and sighting.displaced.active:
                active.remove(sighting.displaced.ip)
            self.assertLessEqual(len(presence), 4)
        self.assertEqual({b.ip for b in presence.sweep(now + SILENT_AFTER_S + 0.001)}, active)
