"""A law that nobody has described."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.models.law import choose
from astrameter.steering.models.learned import LearnedLaw, Way
from astrameter.steering.unit import Unit
from tests.astrameter.steering.rig import House, Strange

FIRST_W = 150


class OneWay(SynchronousTestCase):
    def test_at_first_a_reading_does_what_it_says(self) -> None:
        way = Way()
        self.assertEqual((way.step_w(70), way.known_w), (70, 0))

    def test_the_gain_is_learned(self) -> None:
        way = Way()
        way.learn(100, 50)
        self.assertEqual((way.gain, way.step_w(200), way.known_w), (0.5, 100, 100))

    def test_a_step_that_was_cut_off_tells_the_limit_and_not_the_gain(self) -> None:
        way = Way()
        way.learn(100, 100)
        way.learn(400, 150)
        self.assertEqual((way.gain, way.most_w), (1.0, 150))
        self.assertEqual((way.step_w(120), way.step_w(300)), (120, 150))

    def test_what_it_did_long_ago_is_forgotten(self) -> None:
        way = Way()
        way.learn(400, 150)
        for _ in range(6):
            way.learn(100, 100)
        self.assertEqual((way.gain, way.most_w, way.known_w), (1.0, math.inf, 100))

    @given(
        st.lists(st.tuples(st.floats(1, 5000), st.floats(0.001, 50_000)), min_size=1, max_size=20),
        st.floats(0, 5000),
    )
    def test_whatever_it_saw_it_stays_within_reason(
        self, seen: list[tuple[float, float]], reading_w: float
    ) -> None:
        way = Way()
        for one in seen:
            way.learn(*one)
        self.assertTrue(0.2 <= way.gain <= 1.5)
        self.assertGreaterEqual(way.most_w, 20)
        self.assertTrue(0 <= way.step_w(reading_w) <= 1.5 * reading_w)


class TheLaw(SynchronousTestCase):
    def test_it_is_careful_with_what_it_does_not_know(self) -> None:
        law = LearnedLaw()
        self.assertEqual(law.approach(2000, 0), FIRST_W)
        self.assertEqual(law.approach(-2000, 0), -FIRST_W)
        self.assertEqual(law.approach(60, 0), 60)

    def test_no_reading_is_larger_than_twice_what_was_seen_to_work(self) -> None:
        law = LearnedLaw()
        for known_w in (100, 150, 300, 600):
            law.learn(known_w, known_w)
            self.assertEqual(law.approach(5000, 0), max(FIRST_W, 2 * known_w))
            self.assertEqual(law.candidates(5000, 0), (0, max(FIRST_W, 2 * known_w)))
        self.assertEqual(law.approach(-5000, 0), -FIRST_W)

    def test_each_direction_has_a_gain_of_its_own(self) -> None:
        law = LearnedLaw()
        law.learn(100, 50)
        law.learn(-100, -125)
        law.step(80, 0, 0)
        self.assertEqual(law.setpoint_w, 40)
        law.step(-80, 0, 1)
        self.assertEqual(law.setpoint_w, -60)

    def test_a_reading_is_enlarged_by_what_the_gain_takes_from_it(self) -> None:
        law = LearnedLaw()
        law.learn(100, 50)
        self.assertEqual(choose(law, 60, 0, 0, 1.0), 120)

    def test_a_movement_against_the_reading_teaches_nothing(self) -> None:
        law = LearnedLaw()
        for reading_w, moved_w in ((100, -50), (-100, 50), (100, 0)):
            law.learn(reading_w, moved_w)
        self.assertEqual((law.up, law.down), (Way(), Way()))

    def test_small_readings_teach_nothing(self) -> None:
        law = LearnedLaw()
        for reading_w, moved_w in ((-4, -3), (-8, -5), (20, 33)):
            law.learn(reading_w, moved_w)
        self.assertEqual((law.up, law.down), (Way(), Way()))

    def test_the_gain_is_not_forgotten_on_a_long_way_of_largest_steps(self) -> None:
        law = LearnedLaw()
        for reading_w, step_w in ((150, 42), (60, 36), *[(150, 42)] * 10):
            law.learn(reading_w, step_w)
        self.assertApproximates(law.up.gain, 0.6, 0.01)
        self.assertEqual(law.up.most_w, 42)

    def test_a_small_step_after_large_readings_is_not_taken_for_granted(self) -> None:
        law = LearnedLaw()
        law.learn(150, 42)  # Is that its gain, or its largest step?
        self.assertEqual(law.approach(20, 0), 20)
        self.assertEqual(law.approach(40, 0), 143)

    def test_it_knows_when_it_was_sent_more_than_it_has_seen(self) -> None:
        law = LearnedLaw()
        law.learn(100, 90)
        law.step(100, 0, 0)
        self.assertFalse(law.stretched)
        law.step(150, 0, 1)
        law.step(20, 0, 2)
        self.assertTrue(law.stretched)
        law.learn(90, 90)
        self.assertFalse(law.stretched)

    def test_a_copy_goes_its_own_way(self) -> None:
        law = LearnedLaw()
        other = law.copy()
        other.step(100, 0, 0)
        self.assertEqual((law.setpoint_w, law.stretched), (0, False))
        self.assertEqual((other.setpoint_w, other.stretched), (100, True))


class InAHouse(SynchronousTestCase):
    """Batteries that no copy explains still cover the load."""

    def drive(self, gain: float, most_w: float, seconds: float, dead_time_s: float = 0.0) -> House:
        def law(reading_w: float) -> float:
            return min(max(gain * reading_w, -most_w), most_w)

        pack = Strange("a", "X", law=law, dead_time_s=dead_time_s)
        house = House([pack], lambda now: 300 if now < 1120 else 1300)
        house.run(seconds)
        return house

    def test_whatever_their_gain_and_their_largest_step_they_settle(self) -> None:
        wrong = []
        for gain in (0.4, 0.7, 1.2, 1.4):
            for most_w in (60.0, 200.0, 2500.0):
                house = self.drive(gain, most_w, 120)
                first_s = house.settled_after_s(1000)
                house.run(180)
                second_s = house.settled_after_s(1120)
                over_w = -min(house.grids(180))
                if first_s > 45 or second_s > 120 or over_w > 60:
                    wrong.append((gain, most_w, first_s, second_s, over_w))
        self.assertEqual(wrong, [])

    def test_also_those_that_act_late_on_everything_they_are_told(self) -> None:
        wrong = []
        for gain in (0.7, 1.0, 1.4):
            for most_w in (200.0, 2500.0):
                house = self.drive(gain, most_w, 420, dead_time_s=2.0)
                worst_w = max(map(abs, house.grids(60)))
                if worst_w > 40:
                    wrong.append((gain, most_w, worst_w))
        self.assertEqual(wrong, [])

    def test_one_that_moves_far_less_than_it_is_told_is_told_at_every_poll(self) -> None:
        def law(reading_w: float) -> float:
            return min(max(0.3 * reading_w, -2000.0), 35.0)

        pack = Strange("a", "X", law=law, poll_s=2.0)
        house = House([pack], lambda now: 300 if now < 1120 else 1800)
        house.run(420)
        # By 35 W at a poll it can do no better than 86 s.
        self.assertLess(house.settled_after_s(1120), 150)

    def known(self) -> tuple[House, Strange, Unit]:
        """A house whose battery's law has been learned and which rests at the load."""
        house = self.drive(0.7, 2500.0, 240)
        (pack,) = house.packs
        assert isinstance(pack, Strange)
        (unit,) = house.controller._units.values()
        self.assertFalse(unit.bank.described)
        self.assertFalse(unit.bank.cautious)
        return house, pack, unit

    def test_it_is_not_sent_away_for_what_is_only_believed_to_be_in_flight(self) -> None:
        house, pack, unit = self.known()
        house.load_w = lambda _now: pack.output_w + 20
        unit.bank.law.setpoint_w = unit.power_w + 455
        said = len(pack.told)
        house.run(5)
        self.assertGreaterEqual(min(pack.told[said:]), 0)

    def test_small_errors_are_left_to_themselves(self) -> None:
        house = self.drive(0.5, 2500.0, 119)
        (pack,) = house.packs
        assert isinstance(pack, Strange)
        (unit,) = house.controller._units.values()
        unit.bank.distrust()
        at_w = pack.output_w
        house.load_w = lambda _now: at_w + 7
        said = len(pack.told)
        house.run(30)
        self.assertEqual(set(pack.told[said:]), {0})

    def test_no_more_is_said_than_the_largest_step_takes(self) -> None:
        law = LearnedLaw()
        for reading_w, step_w in ((100, 100), (1000, 200), (800, 200)):
            law.learn(reading_w, step_w)
        self.assertEqual(law.approach(5000, 0), 200)

    def test_what_is_learned_is_what_they_do(self) -> None:
        house = self.drive(0.7, 2500.0, 240)
        (unit,) = house.controller._units.values()
        law = unit.bank.law
        assert isinstance(law, LearnedLaw)
        self.assertApproximates(law.up.gain, 0.7, 0.03)
        self.assertFalse(unit.bank.cautious)

    def test_while_nothing_explains_it_readings_grow_step_by_step(self) -> None:
        house = self.drive(1.4, 2500.0, 118)
        (pack,) = house.packs
        assert isinstance(pack, Strange)
        (unit,) = house.controller._units.values()
        self.assertIsInstance(unit.bank.law, LearnedLaw)
        seen_w = max(pack.told)
        house.run(60)
        for told_w in pack.told[118:]:
            self.assertLessEqual(told_w, max(FIRST_W, 2 * seen_w))
            seen_w = max(seen_w, told_w)
