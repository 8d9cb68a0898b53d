"""Efficiency mode in time (steering.md section 3.4, E14): few at work, in turns."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.options import SteeringOptions
from tests.astrameter.steering.rig import House, Pack

B2500 = "HMA-1"
FLOOR_W = 150
AT_WORK_W = 40.0


def slow(name: str, start_s: float = 3.0) -> Pack:
    """A battery whose inverter takes a while to start."""
    return Pack(name, start_s=start_s)


def after(at: float, before_w: float, then_w: float) -> Callable[[float], float]:
    """A load that changes when the house has run for ``at`` seconds."""
    return lambda now: before_w if now < 1000 + at else then_w


class Case(SynchronousTestCase):
    def house(
        self, *packs: Pack, load_w: float | Callable[[float], float], **options: bool | float
    ) -> House:
        load = load_w if callable(load_w) else after(0, load_w, load_w)
        return House(packs, load, **{"min_efficient_power": FLOOR_W, **options})

    def assert_settled(self, house: House, within_w: float = 25.0, last_s: float = 10.0) -> None:
        self.assertLess(max(map(abs, house.grids(last_s))), within_w, house.outputs())

    def assert_at_work(self, house: House, names: str) -> None:
        at_work = {p.consumer_id for p in house.packs if abs(p.output_w) > AT_WORK_W}
        self.assertEqual(at_work, set(names), house.outputs())


class HandOver(Case):
    def test_the_old_one_covers_the_load_until_the_newcomer_delivers(self) -> None:
        old, new = slow("a", 6.0), slow("b", 6.0)
        house = self.house(old, new, load_w=200, efficiency_rotation_interval=120)
        house.run(119)
        self.assert_at_work(house, "a")
        both_s, seen = 0.0, 0.0
        for _ in range(40 * 5):
            house.run(0.2)
            if new.output_w < 10:
                self.assertGreater(old.output_w, 100)
                self.assertLess(abs(house.grid_w), 30)
            both_s += 0.2 * (old.output_w > 25 and new.output_w > 25)
            seen = max(seen, old.output_w + new.output_w)
        self.assertLess(both_s, 10)
        self.assertLess(seen, 300)
        self.assertLess(max(map(abs, house.grids(40))), 90)
        self.assert_at_work(house, "b")
        self.assert_settled(house)

    def test_while_charging_the_same(self) -> None:
        packs = slow("a", 6.0), slow("b", 6.0)
        house = self.house(*packs, load_w=-200, efficiency_rotation_interval=120)
        house.run(119)
        self.assert_at_work(house, "a")
        house.run(40)
        self.assertLess(max(map(abs, house.grids(40))), 90)
        self.assert_at_work(house, "b")

    def test_a_newcomer_that_is_rejected_leaves_no_gap(self) -> None:
        packs = [slow("a"), Pack("b", high_w=0.0), slow("c")]
        house = self.house(*packs, load_w=200, efficiency_rotation_interval=120)
        house.run(100)
        self.assert_at_work(house, "a")
        house.run(140)
        self.assertLess(max(map(abs, house.grids(140))), 90)
        self.assert_at_work(house, "c")

    def test_the_owner_may_ask_for_it(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=200)
        house.run(60)
        self.assert_at_work(house, "a")
        house.controller.rotate(["a", "b"])
        house.run(30)
        self.assertLess(max(map(abs, house.grids(30))), 90)
        self.assert_at_work(house, "b")

    def test_with_one_battery_that_has_no_effect(self) -> None:
        house = self.house(slow("a"), load_w=200)
        house.run(60)
        house.controller.rotate(["a"])
        house.run(30)
        self.assert_settled(house, last_s=30)

    def test_they_take_turns_again_and_again_without_disturbing_the_house(self) -> None:
        packs = [slow(name) for name in "abc"]
        house = self.house(*packs, load_w=200, efficiency_rotation_interval=60)
        house.run(60)
        seen: set[str] = set()
        for _ in range(60):
            house.run(10)
            seen |= {p.consumer_id for p in packs if p.output_w > 150}
        self.assertEqual(seen, set("abc"))
        grids = house.grids(600)
        self.assertLess(max(map(abs, grids)), 200)
        self.assertLess(sum(map(abs, grids)) / len(grids), 15)


class Faults(Case):
    def test_an_empty_head_is_replaced_soon(self) -> None:
        house = self.house(Pack("a", high_w=0.0), slow("b"), load_w=200)
        house.run(90)
        self.assertLess(house.settled_after_s(1000), 60)
        self.assert_at_work(house, "b")

    def test_one_that_runs_empty_at_work_is_replaced_within_twenty_seconds(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=200)
        house.run(60)
        house.packs[0].high_w = 0.0
        house.run(60)
        self.assertLess(house.settled_after_s(1060), 20)
        self.assert_at_work(house, "b")

    def test_one_that_dies_is_replaced(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=200)
        house.run(60)
        house.packs[0].online, house.packs[0].stuck_w = False, 0.0
        house.run(40)
        self.assertLess(house.settled_after_s(1060), 25)
        self.assert_at_work(house, "b")


class Changes(Case):
    def test_when_the_load_falls_one_goes_to_rest_without_an_import_spike(self) -> None:
        for before_w, then_w in ((600, 200), (450, 250), (320, 270)):
            house = self.house(slow("a"), slow("b"), load_w=after(60, before_w, then_w))
            house.run(60)
            self.assert_at_work(house, "ab")
            house.run(60)
            self.assertLess(max(house.grids(60)), 75)
            self.assert_at_work(house, "a")
            self.assert_settled(house)

    def test_a_kettle_calls_all_and_nothing_overshoots(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=after(60, 200, 2200))
        house.run(60)
        self.assert_at_work(house, "a")
        house.run(60)
        self.assertGreater(min(house.grids(60)), -60)
        self.assertLess(house.settled_after_s(1060), 20)
        self.assert_at_work(house, "ab")

    def test_more_than_one_can_do_calls_another_one(self) -> None:
        packs = Pack("a", high_w=800.0), slow("b")
        house = self.house(*packs, load_w=after(60, 700, 1100), min_efficient_power=600)
        house.run(60)
        self.assert_at_work(house, "a")
        house.run(60)
        self.assert_at_work(house, "ab")
        self.assert_settled(house)

    def test_a_load_that_changes_its_direction_swaps_nobody(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=after(60, 200, -200))
        house.run(60)
        self.assert_at_work(house, "a")
        house.run(60)
        self.assert_at_work(house, "a")
        self.assertLess(house.settled_after_s(1060), 15)
        self.assertEqual(max(map(abs, house.packs[1].asked[-60:])), 0)

    def test_switched_on_later_and_off_again(self) -> None:
        house = self.house(slow("a"), slow("b"), load_w=200, min_efficient_power=0)
        house.run(60)
        self.assert_at_work(house, "ab")
        house.controller.configure(SteeringOptions(min_efficient_power=FLOOR_W))
        house.run(60)
        self.assert_at_work(house, "a")
        house.controller.configure(SteeringOptions())
        house.run(60)
        self.assert_at_work(house, "ab")
        self.assert_settled(house)


class WithB2500(Case):
    def test_surplus_is_charged_by_the_one_that_can(self) -> None:
        for order in ("bv", "vb"):
            packs = {"v": Pack("v"), "b": Pack("b", B2500, low_w=0.0, high_w=800.0)}
            house = self.house(*(packs[name] for name in order), load_w=-120)
            house.run(60)
            self.assert_settled(house)
            self.assert_at_work(house, "v")
            self.assertLessEqual(max(packs["b"].asked), 0)

    def test_when_the_sun_comes_out_it_hands_over(self) -> None:
        packs = Pack("b", B2500, low_w=0.0, high_w=800.0), Pack("v")
        house = self.house(*packs, load_w=after(60, 200, -200))
        house.run(60)
        self.assert_at_work(house, "b")
        house.run(60)
        self.assertLess(house.settled_after_s(1060), 20)
        self.assert_at_work(house, "v")
