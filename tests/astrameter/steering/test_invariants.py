"""What must hold for any fleet, load and meter (steering.md section 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering.controller import Steering
from astrameter.steering.families import charges_from_ac, needs_keep_alive
from astrameter.steering.interface import INSPECTION, Mode
from astrameter.steering.options import SteeringOptions
from tests.astrameter.steering.rig import House, Pack

T0 = 1000.0
AC = ("HMG-50", "VNSE3-0", "VNSD-0", "VNSA-0", "", "something new")
DC = ("HMA-1", "HMJ-2", "HMK-1", "JPLS-8H")
MOST_GRID_W = 50_000.0
MOST_POWER_W = 10_000
B2500_RUNS_FROM_W = 80.0
"""What a B2500 delivers at least when it delivers anything (steering.md section 8.22)."""

PROFILE = settings(deadline=None, derandomize=True, max_examples=150)
IN_TIME = settings(PROFILE, max_examples=15)

options_ = st.builds(
    SteeringOptions,
    fair_distribution=st.booleans(),
    saturation_detection=st.booleans(),
    min_dc_output=st.sampled_from((0.0, 40.0, 100.0)),
    min_efficient_power=st.sampled_from((0, 0, 150, 600)),
    efficiency_rotation_interval=st.sampled_from((1, 30, 900)),
)
watts = st.floats(-3000, 3000).map(round)


@dataclass(frozen=True)
class Step:
    """A poll.

    :ivar grid_w: what the meter says.
    :ivar age_s: how old that is; the last sample comes again when it is negative.
    """

    after_s: float
    who: int
    power_w: int
    phase: str
    mode: Mode
    grid_w: float
    age_s: float


def steps(powers_w: st.SearchStrategy[int], grids_w: st.SearchStrategy[float]) -> Any:
    step = st.builds(
        Step,
        after_s=st.sampled_from((0.0, 0.001, 0.1, 0.3, 1.0, 1.0, 1.0, 5.0, 600.0, -3.0)),
        who=st.integers(0, 5),
        power_w=powers_w,
        phase=st.sampled_from("AABCD0"),
        mode=st.sampled_from((Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.MANUAL, Mode.INACTIVE)),
        grid_w=grids_w,
        age_s=st.sampled_from((0.0, 0.0, 0.5, 2.0, 30.0, -1.0)),
    )
    return st.lists(step, min_size=1, max_size=60)


def fleets(types: tuple[str, ...] = AC + DC, most: int = 6) -> Any:
    pack = st.tuples(st.sampled_from(types), watts, st.sampled_from((0.0, 0.5, 1.0, 1.0, 10.0)))
    return st.lists(pack, min_size=1, max_size=most).map(
        lambda drawn: [
            Pack(str(i), kind, power_w=abs(power_w) if kind in DC else power_w, weight=weight)
            for i, (kind, power_w, weight) in enumerate(drawn)
        ]
    )


class AnyReport(SynchronousTestCase):
    def readings(
        self, packs: list[Pack], course: list[Step], options: SteeringOptions
    ) -> list[float]:
        controller = Steering(options)
        now, found = T0, []
        sample = Sample((0.0,), T0)
        for step in course:
            now += step.after_s
            pack = packs[step.who % len(packs)]
            pack.power_w, pack.phase, pack.mode = step.power_w, step.phase, step.mode
            pack.reported_at = now
            controller.report(pack, now)
            if step.age_s >= 0:
                sample = Sample((step.grid_w,), now - step.age_s)
            if pack.phase == INSPECTION:
                continue
            fleet = [one for one in packs if one is pack or now - one.reported_at < 30]
            found.append(controller.instruct(pack, sample, fleet, now))
            self.assertTrue(math.isfinite(controller.intent_w(pack.consumer_id) or 0.0))
            self.assertIn(controller.saturation(pack.consumer_id), (0.0, 1.0))
        return found

    @PROFILE
    @given(
        fleets(),
        steps(st.integers(-MOST_POWER_W, MOST_POWER_W), st.floats(-MOST_GRID_W, MOST_GRID_W)),
        options_,
    )
    def test_readings_are_finite_and_within_what_there_is(
        self, packs: list[Pack], course: list[Step], options: SteeringOptions
    ) -> None:
        for reading_w in self.readings(packs, course, options):
            self.assertTrue(math.isfinite(reading_w))
            self.assertLessEqual(abs(reading_w), 2 * MOST_GRID_W + 12 * MOST_POWER_W)

    @PROFILE
    @given(
        fleets(),
        steps(
            st.integers(-(10**12), 10**12) | st.sampled_from((0, 1, -1)),
            st.floats(allow_nan=False, allow_infinity=False, width=32),
        ),
        options_,
    )
    def test_nonsense_is_survived(
        self, packs: list[Pack], course: list[Step], options: SteeringOptions
    ) -> None:
        for reading_w in self.readings(packs, course, options):
            self.assertTrue(math.isfinite(reading_w))


class OnePlan(SynchronousTestCase):
    def planned(
        self, packs: list[Pack], grid_w: float, options: SteeringOptions
    ) -> tuple[Steering, list[float]]:
        """What each is told by one sample, with everybody known for a while."""
        controller = Steering(options)
        for at in (T0 - 20, T0):
            for pack in packs:
                controller.report(pack, at)
        sample = Sample((grid_w,), T0)
        return controller, [controller.instruct(pack, sample, packs, T0) for pack in packs]

    @PROFILE
    @given(fleets(), watts, st.booleans(), st.sampled_from((0.0, 40.0, 100.0)))
    def test_the_shares_are_the_load_as_far_as_it_can_be_shared(
        self, packs: list[Pack], grid_w: int, fair: bool, floor_w: float
    ) -> None:
        """Invariant 4: what one is given more another one is given less."""
        options = SteeringOptions(fair_distribution=fair, min_dc_output=floor_w)
        controller, _ = self.planned(packs, grid_w, options)
        plan = controller._plan
        load_w = grid_w + sum(pack.power_w for pack in packs)
        self.assertApproximates(plan.load_w, load_w, 0.01)
        able = [plan.members[p.consumer_id] for p in packs if p.weight > 0]
        for member in able:
            share_w = plan.shares[member.consumer_id]
            self.assertTrue(member.low_w - 0.01 <= share_w <= member.high_w + 0.01)
        least_w, most_w = sum(m.low_w for m in able), sum(m.high_w for m in able)
        total_w = sum(plan.shares.values())
        if fair:
            sleeping = any(needs_keep_alive(p.device_type) for p in packs)
            if not sleeping:
                self.assertApproximates(total_w, min(max(load_w, least_w), most_w), 0.01)
            self.assertLessEqual(total_w, max(load_w, least_w) + 0.01)
        elif all(charges_from_ac(p.device_type) for p in packs) and able:
            self.assertApproximates(total_w, load_w, 0.01)

    @PROFILE
    @given(fleets(AC, 4), st.booleans())
    def test_at_zero_grid_differences_alone_are_no_reason_to_move_the_grid(
        self, packs: list[Pack], fair: bool
    ) -> None:
        assume(all(pack.weight > 0 for pack in packs))
        controller, _ = self.planned(packs, 0, SteeringOptions(fair_distribution=fair))
        moved_w = sum(
            share_w - packs[int(one)].power_w for one, share_w in controller._plan.shares.items()
        )
        self.assertApproximates(moved_w, 0, 0.01)

    @PROFILE
    @given(fleets(), watts, st.sampled_from((0.0, 40.0, 100.0)))
    def test_under_surplus_no_dc_battery_is_told_to_deliver_more(
        self, packs: list[Pack], grid_w: int, floor_w: float
    ) -> None:
        """Invariant 5."""
        assume(any(charges_from_ac(p.device_type) for p in packs))
        assume(grid_w + sum(p.power_w for p in packs) < -20)
        _, readings = self.planned(packs, grid_w, SteeringOptions(min_dc_output=floor_w))
        for pack, reading_w in zip(packs, readings, strict=True):
            if charges_from_ac(pack.device_type):
                continue
            floored = needs_keep_alive(pack.device_type) and pack.weight > 0
            least_w = max(floor_w, B2500_RUNS_FROM_W) if floored and floor_w else 0.0
            self.assertLessEqual(pack.power_w + reading_w, max(pack.power_w, least_w, 0) + 10)

    @PROFILE
    @given(fleets(most=4), watts, options_, st.data())
    def test_the_order_of_asking_changes_no_share(
        self, packs: list[Pack], grid_w: int, options: SteeringOptions, data: st.DataObject
    ) -> None:
        """Invariant 6: no answer waits for another battery."""
        other = data.draw(st.permutations(packs))
        one, _ = self.planned(packs, grid_w, options)
        two, _ = self.planned(list(other), grid_w, options)
        for name, share_w in one._plan.shares.items():
            self.assertApproximates(two._plan.shares[name], share_w, 0.01)


class InTime(SynchronousTestCase):
    @IN_TIME
    @given(
        st.lists(st.floats(0.3, 5.0), min_size=1, max_size=3),
        st.integers(-2500, 2500),
        st.booleans(),
    )
    def test_how_often_they_poll_does_not_matter(
        self, polls_s: list[float], load_w: int, late: bool
    ) -> None:
        """Invariant 7."""
        packs = [Pack(str(i), poll_s=poll_s) for i, poll_s in enumerate(polls_s)]
        house = House(packs, lambda _now: load_w, delay_s=1.0 if late else 0.3)
        house.run(120)
        self.assertLess(max(map(abs, house.grids(20))), 30, (polls_s, load_w, late))
        for output_w in house.outputs():
            self.assertLess(abs(output_w - load_w / len(packs)), 60)

    @IN_TIME
    @given(
        st.integers(1, 3),
        st.integers(-1500, 1500),
        st.integers(-1500, 1500),
        st.floats(0.5, 3.0),
        st.booleans(),
    )
    def test_a_frozen_meter_winds_nothing_up(
        self, batteries: int, before_w: int, then_w: int, later_s: float, fresh: bool
    ) -> None:
        """Invariant 2."""
        packs = [Pack(str(i), poll_s=0.8 + 0.3 * i) for i in range(batteries)]
        house = House(packs, lambda now: before_w if now < T0 + 40 else then_w)
        house.fresh_objects = fresh
        house.run(40 + later_s)
        house.frozen = True
        house.run(60)
        after = house.outputs()
        self.assertLessEqual(sum(map(abs, after)), 3 * max(abs(before_w), abs(then_w)) + 30)
        house.run(300)
        for was_w, is_w in zip(after, house.outputs(), strict=True):
            self.assertLess(abs(is_w - was_w), 40)

    @IN_TIME
    @given(
        st.integers(-1500, -60),
        st.sampled_from(((0.0, "HMA-1"), (40.0, "HMA-1"), (0.0, "JPLS-8H"))),
        st.booleans(),
    )
    def test_under_surplus_dc_batteries_stay_at_their_floor(
        self, load_w: int, kind: tuple[float, str], alone: bool
    ) -> None:
        """Invariant 5, in time."""
        floor_w, device_type = kind
        weak = Pack("d", device_type, low_w=0.0, high_w=800.0)
        packs = [weak] if alone else [weak, Pack("v")]
        house = House(packs, lambda _now: load_w, min_dc_output=floor_w)
        house.run(90)
        self.assertLessEqual(max(weak.asked), max(floor_w, B2500_RUNS_FROM_W) if floor_w else 0)
        self.assertLess(weak.output_w, floor_w + 15)
        if not alone:
            self.assertLess(max(map(abs, house.grids(20))), 30)

    @IN_TIME
    @given(
        st.lists(st.tuples(st.floats(-2500, 0), st.floats(0, 2500)), min_size=1, max_size=4),
        st.integers(-4000, 4000),
    )
    def test_what_the_fleet_can_do_it_does(
        self, limits_w: list[tuple[float, float]], load_w: int
    ) -> None:
        packs = [
            Pack(str(i), low_w=low_w, high_w=high_w) for i, (low_w, high_w) in enumerate(limits_w)
        ]
        house = House(packs, lambda _now: load_w)
        house.run(150)
        least_w, most_w = (sum(limit) for limit in zip(*limits_w, strict=True))
        best_w = load_w - min(max(load_w, least_w), most_w)
        grids = house.grids(30)
        self.assertLess(abs(sum(grids) / len(grids) - best_w), 100, house.outputs())
