"""How a pool shares a load."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.shares import Member, clamped, share, split

WEIGHTS = st.just(0.0) | st.floats(0.01, 10)
LOADS = st.floats(-20_000, 20_000)
TOLERANCE_W = 1e-6


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    found = []
    for number in range(draw(st.integers(1, 9))):
        low_w = draw(st.just(-math.inf) | st.floats(-2500, 600))
        high_w = draw(st.just(math.inf) | st.floats(max(low_w, -600), 2500))
        found.append(Member(str(number), draw(WEIGHTS), low_w, high_w))
    return found


def at_work(pool: list[Member]) -> list[Member]:
    return [member for member in pool if member.weight > 0]


def pool_of(*limits: tuple[float, float], weights: tuple[float, ...] = ()) -> list[Member]:
    weights = weights or (1.0,) * len(limits)
    return [
        Member("abcdefgh"[i], weight, *limit)
        for i, (limit, weight) in enumerate(zip(limits, weights, strict=True))
    ]


FREE = (-math.inf, math.inf)


class Sharing(SynchronousTestCase):
    def test_in_proportion_to_the_weights_in_both_directions(self) -> None:
        pool = pool_of(FREE, FREE, weights=(1.5, 1.0))
        self.assertEqual(share(1000, pool), {"a": 600, "b": 400})
        self.assertEqual(share(-1000, pool), {"a": -600, "b": -400})

    def test_what_one_cannot_take_goes_to_the_others(self) -> None:
        self.assertEqual(
            share(900, pool_of((-800, 100), FREE, FREE)), {"a": 100, "b": 400, "c": 400}
        )
        self.assertEqual(share(-600, pool_of((0, 800), FREE)), {"a": 0, "b": -600})

    def test_what_nobody_can_take_stays_with_the_grid(self) -> None:
        self.assertEqual(share(900, pool_of((-800, 100), (-800, 200))), {"a": 100, "b": 200})

    def test_one_that_delivers_too_much_is_made_up_for(self) -> None:
        self.assertEqual(share(0, pool_of((500, 500), FREE)), {"a": 500, "b": -500})

    def test_limits_on_both_sides_at_once(self) -> None:
        found = share(150, pool_of((60, 900), (-900, 40), FREE))
        self.assertEqual(found, {"a": 60, "b": 40, "c": 50})

    def test_nobody_to_share_with(self) -> None:
        self.assertEqual(share(500, []), {})
        self.assertEqual(share(500, pool_of(FREE, weights=(0,))), {"a": 0})

    @settings(deadline=None, derandomize=True, max_examples=500)
    @given(LOADS, members())
    def test_the_sum_is_the_load_wherever_the_limits_permit(
        self, load_w: float, pool: list[Member]
    ) -> None:
        working = at_work(pool)
        low_w, high_w = sum(m.low_w for m in working), sum(m.high_w for m in working)
        wanted_w = min(max(load_w, low_w), high_w) if working else 0.0
        self.assertLess(abs(sum(share(load_w, pool).values()) - wanted_w), TOLERANCE_W)

    @settings(deadline=None, derandomize=True, max_examples=500)
    @given(LOADS, members())
    def test_limits_are_respected_and_weight_zero_is_zero(
        self, load_w: float, pool: list[Member]
    ) -> None:
        targets = share(load_w, pool)
        self.assertEqual(set(targets), {m.consumer_id for m in pool})
        for m in pool:
            if m.weight <= 0:
                self.assertEqual(targets[m.consumer_id], 0)
            else:
                self.assertGreaterEqual(targets[m.consumer_id], m.low_w)
                self.assertLessEqual(targets[m.consumer_id], m.high_w)

    @settings(deadline=None, derandomize=True, max_examples=500)
    @given(LOADS, members())
    def test_those_within_their_limits_have_the_same_share_a_weight(
        self, load_w: float, pool: list[Member]
    ) -> None:
        targets = share(load_w, pool)
        working = at_work(pool)
        free = [m for m in working if m.low_w < targets[m.consumer_id] < m.high_w]
        levels = [targets[m.consumer_id] / m.weight for m in free]
        if not levels:
            return
        level = levels[0]
        for other in levels:
            self.assertLess(abs(other - level), TOLERANCE_W * max(1, abs(level)))
        for m in working:
            # Who is at a limit is there because the common level lies beyond it.
            wanted_w = clamped(level * m.weight, m)
            self.assertLess(abs(targets[m.consumer_id] - wanted_w), 1e-3)

    def test_as_many_batteries_as_the_table_holds_each_at_another_limit(self) -> None:
        pool = pool_of(*[FREE] * 8) + [Member(str(i), 1.0, -math.inf, float(i)) for i in range(248)]
        targets = share(100_000.0, pool)
        self.assertAlmostEqual(sum(targets.values()), 100_000, 3)


class Splitting(SynchronousTestCase):
    def test_what_is_missing_is_split_equally_and_differences_stay(self) -> None:
        pool = pool_of(FREE, FREE, weights=(5.0, 1.0))
        self.assertEqual(split(-978, pool, [-88, -890]), {"a": -88, "b": -890})
        self.assertEqual(split(-1078, pool, [-88, -890]), {"a": -138, "b": -940})

    def test_limits_are_respected(self) -> None:
        self.assertEqual(split(900, pool_of((0, 100), FREE), [50, 50]), {"a": 100, "b": 450})

    def test_weight_zero_goes_to_zero_and_the_others_take_over(self) -> None:
        pool = pool_of(FREE, FREE, FREE, weights=(1, 0, 1))
        self.assertEqual(split(600, pool, [200, 200, 200]), {"a": 300, "b": 0, "c": 300})

    def test_nobody_to_split_between(self) -> None:
        self.assertEqual(split(500, [], []), {})
        self.assertEqual(split(500, pool_of(FREE, weights=(0,)), [80]), {"a": 0})
