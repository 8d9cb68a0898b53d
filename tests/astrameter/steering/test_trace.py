"""What is kept of each decision, and what it is called."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering import trace as names
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Mode
from astrameter.steering.options import SteeringOptions
from astrameter.steering.trace import KEPT, MOST_BATTERIES, Decision, Trace, outcome
from tests.astrameter.steering.rig import House, Pack, Strange

T0 = 1000.0


class TracedHouse(House):
    """Its controller is traced."""

    def __init__(self, packs: list[Pack], load_w: float, **options: bool | float) -> None:
        super().__init__(packs, lambda _now: load_w)
        self.decisions = Trace()
        self.controller = Steering(SteeringOptions(**options), self.decisions)  # type: ignore[arg-type]

    def last(self, name: str = "a") -> Decision:
        return self.decisions.of(name)[-1]

    def limited_by(self, name: str = "a") -> set[str]:
        """Everything that has acted on a battery lately."""
        return {one.name for decision in self.decisions.of(name) for one in decision.limits}

    def stays(self, name: str = "a") -> set[str]:
        return {one.stays for one in self.decisions.of(name)}


class Recording(SynchronousTestCase):
    def test_a_decision_holds_everything_it_was_made_of(self) -> None:
        trace = Trace()
        controller = Steering(SteeringOptions(), trace)
        pack = Pack("a", power_w=50)
        sample = Sample((100.0, -20.0, 30.0), T0 - 0.7)
        controller.report(pack, T0)
        reading_w = controller.instruct(pack, sample, [pack], T0)
        (decision,) = trace.of("a")
        self.assertEqual((decision.at, decision.sample, decision.mode), (T0, sample, Mode.AUTO))
        self.assertAlmostEqual(decision.sample_age_s, 0.7)
        self.assertEqual((decision.power_w, decision.before_w), (50.0, 50.0))
        self.assertEqual(decision.load_w, 160.0)
        self.assertEqual(decision.delay_s, 0.75)
        self.assertEqual((decision.pool, decision.pool_w, decision.share_w), (1, 160.0, 160.0))
        self.assertEqual((decision.intent_w, decision.setpoint_w), (160.0, 160.0))
        self.assertEqual(decision.reading_w, reading_w)
        self.assertEqual((decision.stays, decision.limits, decision.held), ("", (), 0))
        self.assertFalse(decision.joining)

    def test_the_prediction_is_compared_with_what_the_battery_then_did(self) -> None:
        house = TracedHouse([Pack("a")], 1500.0)
        house.run(3.0)
        first, second, *_ = house.decisions.of("a")
        became = outcome(first, second)
        self.assertAlmostEqual(became.after_s, 1.0, places=6)
        self.assertEqual(became.expected_w, first.expected_w(1.0))
        self.assertEqual(became.expected_w, min(first.setpoint_w, 400.0))
        self.assertEqual(became.delivered_w, second.power_w)

    def test_the_last_ones_are_kept(self) -> None:
        house = TracedHouse([Pack("a")], 300.0)
        house.run(KEPT + 10)
        kept = house.decisions.of("a")
        self.assertEqual(len(kept), KEPT)
        self.assertEqual(
            [round(b.at - a.at, 3) for a, b in pairwise(kept)],
            [1.0] * (KEPT - 1),
        )
        latest = house.decisions.latest("a")
        assert latest is not None
        self.assertEqual(latest, (kept[-1], outcome(kept[-2], kept[-1])))

    def test_nothing_is_known_of_who_never_asked(self) -> None:
        self.assertEqual(Trace().of("a"), [])
        self.assertIsNone(Trace().latest("a"))

    def test_of_the_first_decision_nothing_came_before(self) -> None:
        house = TracedHouse([Pack("a")], 300.0)
        house.run(1.1)
        self.assertEqual(house.decisions.latest("a"), (house.last(), None))

    def test_who_is_told_may_change_at_any_time(self) -> None:
        house = TracedHouse([Pack("a"), Pack("b")], 300.0)
        house.run(1.0)
        told: list[str] = []
        house.decisions.told = told.append
        house.run(1.0)
        self.assertEqual(sorted(told), ["a", "b"])
        house.decisions.told = None
        house.run(1.0)
        self.assertEqual(len(told), 2)

    def test_it_forgets_with_the_controller(self) -> None:
        house = TracedHouse([Pack("a"), Pack("b")], 300.0)
        house.run(2.0)
        house.controller.forget("a")
        self.assertEqual(house.decisions.of("a"), [])
        self.assertEqual(len(house.decisions), 1)

    def test_three_thousand_invented_batteries_fill_no_memory(self) -> None:
        trace = Trace()
        controller = Steering(SteeringOptions(), trace)
        sample = Sample((100.0,), T0)
        for number in range(3000):
            pack = Pack(f"invented {number}", mode=Mode.MANUAL)
            controller.report(pack, T0)
            controller.instruct(pack, sample, [pack], T0)
            controller.forget(pack.consumer_id)
        self.assertEqual(len(trace), 0)
        for number in range(3000):
            pack = Pack(f"invented {number}", mode=Mode.MANUAL)
            controller.instruct(pack, sample, [pack], T0)
        self.assertEqual(len(trace), MOST_BATTERIES)
        self.assertEqual(len(trace.of("invented 2999")), 1)
        self.assertEqual(trace.of("invented 0"), [])

    def test_untraced_it_steers_the_same(self) -> None:
        def outputs(trace: bool) -> list[int]:
            packs = [Pack("a"), Pack("b", phase="B")]
            house = TracedHouse(packs, 700.0)
            if not trace:
                house.controller = Steering(SteeringOptions())
            house.run(30.0)
            return [*house.outputs(), *(round(w) for pack in packs for w in pack.asked)]

        self.assertEqual(outputs(True), outputs(False))


class Limiters(SynchronousTestCase):
    def test_a_limiter_that_changed_nothing_did_not_act(self) -> None:
        trace = Trace()
        trace.limit("idle", 5.0, 5.0)
        trace.limit("busy", 5.0, 4.0)
        self.assertEqual(trace._limits, [("busy", 5.0, 4.0)])

    def test_each_decision_has_its_own(self) -> None:
        house = TracedHouse([Pack("a")], 2000.0)
        house.run(20.0)
        first, *later = house.decisions.of("a")
        self.assertEqual([one.name for one in first.limits], [names.OPENING])
        self.assertEqual(first.limits[0].before_w, 2000.0)
        self.assertEqual({one.limits for one in later[8:]}, {()})

    def test_who_is_told_to_move_is_not_told_to_stay(self) -> None:
        house = TracedHouse([Pack("a")], 200.0)
        house.run(15.0)
        house.load_w = lambda _now: 700.0
        house.run(3.0)
        moved = [one for one in house.decisions.of("a") if one.reading_w]
        self.assertGreaterEqual(len(moved), 2)
        self.assertEqual({one.stays for one in moved}, {""})

    def test_a_small_error_is_noise(self) -> None:
        house = TracedHouse([Pack("a")], 200.0)
        house.run(20.0)
        self.assertEqual(house.last().stays, names.NOISE)
        house = TracedHouse([Pack("a"), Pack("b")], 200.0)
        house.run(20.0)
        self.assertEqual({house.last("a").stays, house.last("b").stays}, {names.NOISE})

    def test_who_asks_again_at_once_is_told_to_stay(self) -> None:
        house = TracedHouse([Pack("a", poll_s=0.05)], 1000.0)
        house.run(1.0)
        self.assertIn(names.TOO_SOON, house.stays())

    def test_an_empty_battery_goes_as_far_as_it_can(self) -> None:
        house = TracedHouse([Pack("a", high_w=0.0)], 500.0)
        house.run(60.0)
        self.assertEqual(house.last().high_w, 0.0)
        self.assertEqual(house.last().share_w, 0.0)

    def test_one_that_does_not_follow_is_held(self) -> None:
        house = TracedHouse([Pack("a")], 300.0)
        house.run(20.0)
        (pack,), controller = house.packs, house.controller
        controller._units["a"].held = 1
        controller.instruct(pack, Sample((500.0,), house.now + 1), [pack], house.now + 1)
        self.assertEqual(house.last().held, 1)
        self.assertEqual([one.name for one in house.last().limits], [names.HELD])

    def test_the_smallest_output_is_kept(self) -> None:
        house = TracedHouse([Pack("a", device_type="HMA-1")], -300.0, min_dc_output=80.0)
        house.run(20.0)
        self.assertIn(80, house.outputs())
        self.assertEqual(house.last().share_w, 80.0)

    def test_a_fast_battery_fills_in_for_a_slow_one(self) -> None:
        house = TracedHouse([Pack("a", poll_s=0.5), Pack("b", poll_s=4.0)], 200.0)
        house.run(30.0)
        house.load_w = lambda _now: 1400.0
        found: set[str] = set()
        for _ in range(8):
            house.run(0.5)
            found |= house.limited_by("a")
        self.assertIn(names.FILLING, found)

    def test_what_was_too_little_to_be_heard_is_said_louder(self) -> None:
        deaf = Strange("a", "X", law=lambda reading_w: 1.2 * reading_w, blind_w=29.5)
        house = TracedHouse([deaf], 300.0)
        house.run(60.0)
        house.load_w = lambda _now: 260.0
        found: set[str] = set()
        for _ in range(60):
            house.run(1.0)
            found |= house.limited_by("a")
        self.assertIn(names.DEAF, found)

    def test_one_that_is_called_to_work_has_to_prove_that_it_does(self) -> None:
        house = TracedHouse([Pack("a"), Pack("b")], 300.0, min_efficient_power=200.0)
        house.run(30.0)
        house.controller.rotate(["a", "b"])
        house.run(1.0)
        (newcomer,) = [name for name in "ab" if house.last(name).joining]
        (limit,) = house.last(newcomer).limits
        self.assertEqual(limit.name, names.WAKING)
        self.assertLess(limit.after_w, limit.before_w)

    def test_all_names_are_a_short_one_and_a_sentence(self) -> None:
        words = [v for k, v in vars(names).items() if k.isupper() and isinstance(v, str)]
        self.assertGreaterEqual(len(words), 12)
        for word in words:
            short, _, sentence = word.partition(": ")
            self.assertLessEqual(len(short), 14, word)
            self.assertTrue(sentence and not sentence.endswith("."), word)
