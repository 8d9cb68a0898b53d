"""One battery as the controller sees it."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.ceiling import Ceiling
from astrameter.steering.unit import AGAIN_S, Unit


class Ceilings(SynchronousTestCase):
    def test_it_is_tried_again_ever_more_rarely(self) -> None:
        ceiling = Ceiling()
        ceiling.learn(300.0, 0.0)
        ceiling.watch(300.0, 59.0)
        self.assertEqual(ceiling.limit_w, 300)
        ceiling.watch(300.0, 60.0)
        self.assertEqual(ceiling.limit_w, 375)
        ceiling.watch(300.0, 180.0)
        self.assertEqual(ceiling.limit_w, 300)
        ceiling.watch(300.0, 350.0)
        self.assertEqual(ceiling.limit_w, 300)
        ceiling.watch(300.0, 360.0)
        self.assertEqual(ceiling.limit_w, 375)

    def test_it_is_lifted_when_it_is_exceeded(self) -> None:
        ceiling = Ceiling()
        ceiling.learn(300.0, 0.0)
        ceiling.watch(330.0, 1.0)
        self.assertEqual(ceiling.limit_w, math.inf)

    def test_one_that_works_the_other_way_is_tried_soon(self) -> None:
        ceiling = Ceiling()
        for _ in range(5):
            ceiling.learn(0.0, 0.0)
        ceiling.ease(100.0)
        ceiling.watch(-500.0, 160.0)
        self.assertEqual(ceiling.limit_w, 60)


class Limits(SynchronousTestCase):
    def stuck(self, power_w: int, target_w: float, learns: bool = True) -> Unit:
        unit = Unit("VNSE3-0", power_w, 0.0)
        for second in range(40):
            unit.report(power_w, float(second), learns)
            unit.want(target_w, float(second))
            unit.sent(round(target_w - power_w), float(second))
        return unit

    def test_what_it_cannot_reach_is_learned_by_direction(self) -> None:
        self.assertEqual(self.stuck(300, 900.0).limits(), [None, 300])
        self.assertEqual(self.stuck(-300, -900.0).limits(), [-300, None])

    def test_what_a_full_pack_passes_through_is_its_least(self) -> None:
        self.assertEqual(self.stuck(500, -200.0).limits(), [500, None])

    def test_not_when_it_is_switched_off(self) -> None:
        self.assertFalse(self.stuck(300, 900.0, learns=False).limited)

    def test_coming_back_from_an_overshoot_is_no_inability(self) -> None:
        unit = Unit("X", 1900, 0.0)
        # It shoots over for 4 s, and then comes down slowly, but comes.
        course = [1900, 2100, 2300, 2500, *[2500 - 25 * s for s in range(36)]]
        for second, power_w in enumerate(course):
            unit.report(power_w, float(second))
            self.assertFalse(unit.want(300.0, float(second)), second)
            unit.sent(-150, float(second))

    def test_small_readings_prove_no_inability(self) -> None:
        unit = Unit("X", 1000, 0.0)
        for second in range(60):
            unit.report(1000, float(second))
            self.assertFalse(unit.want(300.0, float(second)))
            unit.sent(-25, float(second))

    def test_limits_can_be_given_back(self) -> None:
        unit = Unit("VNSE3-0", 0, 0.0)
        low_w, high_w = self.stuck(300, 900.0).limits()
        unit.recall(low_w, high_w, 0.0)
        self.assertEqual(unit.limits(), [None, 300])
        for rubbish in ("x", None, math.nan, math.inf, 1e12):
            unit = Unit("VNSE3-0", 0, 0.0)
            unit.recall(rubbish, rubbish, 0.0)
            self.assertFalse(unit.limited)


class Strangers(SynchronousTestCase):
    def test_one_that_rests_is_not_sent_away_from_its_target_for_what_is_only_believed(
        self,
    ) -> None:
        unit = Unit("X", 130, 0.0)
        unit.report(130, 0.0)
        unit.report(130, 1.0)
        self.assertFalse(unit.contradicts(-900, 150.0), "its law is a known one")
        unit.bank.distrust()
        self.assertTrue(unit.contradicts(-900, 150.0))
        self.assertFalse(unit.contradicts(20, 150.0))
        self.assertFalse(unit.contradicts(-900, 100.0))
        unit.report(140, 2.0)
        self.assertFalse(unit.contradicts(-900, 150.0), "it moves: it may go too far")


class Reports(SynchronousTestCase):
    def test_asking_again_at_once_changes_nothing_but_the_power(self) -> None:
        unit = Unit("VNSE3-0", 0, 0.0)
        unit.report(0, 0.0)
        unit.report(0, 1.0)
        unit.sent(400, 1.0)
        self.assertTrue(unit.asks_again(1.0 + AGAIN_S / 2))
        unit.report(7, 1.0 + AGAIN_S / 2)
        self.assertEqual((unit.power_w, unit.poll_s), (7, 1.0))
        self.assertFalse(unit.asks_again(1.01 + AGAIN_S))

    def test_what_it_does_while_it_finds_its_phase_is_no_disobedience(self) -> None:
        unit = Unit("VNSE3-0", 0, 0.0)
        for second in range(60):
            unit.inspect(2000 if second % 10 < 5 else 0, float(second))
        self.assertFalse(unit.limited)
        self.assertEqual(unit.held, 0)
        self.assertEqual(unit.setpoint_w, unit.power_w)

    def test_powers_and_times_out_of_range_are_survived(self) -> None:
        unit = Unit("", 10**12, 5.0)
        for now in (5.0, 4.0, 4.0, 1e9, 1e9, 0.0):
            unit.report(-(10**15), now)
            unit.sent(10**300, now)
        self.assertTrue(math.isfinite(unit.setpoint_w))
        self.assertLessEqual(unit.poll_s, 30)
