"""What was measured in the last minutes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.history import History


def history(count: int, length: int = 100) -> History:
    made = History(length)
    for number in range(count):
        made.note(float(number))
    return made


class Values(SynchronousTestCase):
    def test_the_newest_come_last(self) -> None:
        self.assertEqual(history(5).last(3), [2, 3, 4])
        self.assertEqual(history(2).last(3), [0, 1])
        self.assertEqual(history(0).last(3), [])
        self.assertEqual(history(5).last(0), [])

    def test_it_is_bounded(self) -> None:
        self.assertEqual(history(500, length=10).last(1000), list(range(490, 500)))

    def test_groups_keep_their_members(self) -> None:
        self.assertEqual(history(4).last(9, 2), [0.5, 2.5])
        self.assertEqual(history(5).last(9, 2), [0.5, 2.5, 4])
        self.assertEqual(history(6).last(9, 2), [0.5, 2.5, 4.5])
        self.assertEqual(history(6).last(2, 2), [2.5, 4.5])
        self.assertEqual(history(5).last(2, 2), [2.5, 4])
        self.assertEqual(history(0).last(2, 2), [])

    def test_a_group_is_not_made_of_what_was_half_forgotten(self) -> None:
        self.assertEqual(history(13, length=4).last(9, 3), [10, 12])

    def test_extremes(self) -> None:
        self.assertEqual(history(9).extremes(3), (6, 8))
        self.assertEqual(history(0).extremes(3), (0, 0))
