"""The waits between attempts."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.backoff import Backoff


class Waits(SynchronousTestCase):
    def test_they_double_up_to_a_limit(self) -> None:
        backoff = Backoff(1.0, 60.0, Random(3))
        full = (1, 2, 4, 8, 16, 32, 60, 60)
        for wait_s, most_s in zip([backoff.next_wait_s() for _ in full], full, strict=True):
            self.assertLessEqual(wait_s, most_s)
            self.assertGreaterEqual(wait_s, 0.75 * most_s)

    def test_patience_goes_straight_to_the_longest(self) -> None:
        backoff = Backoff(1.0, 60.0, Random(3))
        self.assertGreaterEqual(backoff.next_wait_s(patient=True), 45.0)
        self.assertGreaterEqual(backoff.next_wait_s(), 45.0)
        backoff.reset()
        self.assertLessEqual(backoff.next_wait_s(), 1.0)
