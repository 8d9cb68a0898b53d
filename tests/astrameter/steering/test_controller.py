"""The controller: the rules of steering.md section 3, as far as it promises them."""

from __future__ import annotations

import math
import random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Mode
from astrameter.steering.options import SteeringOptions
from tests.astrameter.steering.rig import House, Pack
from tests.logged import logged

T0 = 1000.0
B2500 = "HMA-1"


class Direct(SynchronousTestCase):
    """One call at a time, without a plant."""

    def setUp(self) -> None:
        self.use()

    def use(self, **options: bool | float) -> None:
        self.controller = Steering(SteeringOptions(**options))  # type: ignore[arg-type]

    def reading_w(
        self,
        pack: Pack,
        *others: Pack,
        grid_w: float = 0.0,
        now: float = T0,
        at: float | None = None,
    ) -> float:
        """What ``pack`` is told; all have just reported, and have been there for a while."""
        for one in (pack, *others):
            if self.controller.last_reading_w(one.consumer_id) is None:
                self.controller.report(one, now - 20)
            self.controller.report(one, now)
        sample = Sample((grid_w, 0.0, 0.0), now if at is None else at)
        return self.controller.instruct(pack, sample, [pack, *others], now)

    def asked_w(self, pack: Pack, *others: Pack, grid_w: float = 0.0, now: float = T0) -> float:
        """The share that ``pack`` is meant to reach."""
        self.reading_w(pack, *others, grid_w=grid_w, now=now)
        intent_w = self.controller.intent_w(pack.consumer_id)
        assert intent_w is not None
        return intent_w


class Modes(Direct):
    def test_manual_reaches_its_target_at_once_whatever_the_grid(self) -> None:
        pack = Pack("a", power_w=100, mode=Mode.MANUAL, manual_target_w=300)
        for grid_w in (0, 5000, -5000):
            self.assertEqual(self.reading_w(pack, grid_w=grid_w), 200)
        self.assertEqual(self.controller.intent_w("a"), 300)
        self.assertEqual(self.controller.last_reading_w("a"), 200)

    def test_inactive_goes_to_zero_at_once(self) -> None:
        for power_w in (500, -500, 0):
            pack = Pack("a", power_w=power_w, mode=Mode.INACTIVE)
            self.assertEqual(self.reading_w(pack, grid_w=5000), -power_w)
            self.assertEqual(self.controller.intent_w("a"), 0)

    def test_the_pool_makes_up_for_those_outside_of_it(self) -> None:
        manual = Pack("m", power_w=-300, mode=Mode.MANUAL, manual_target_w=-300)
        paused = Pack("p", power_w=50, mode=Mode.INACTIVE)
        self.assertEqual(self.asked_w(Pack("a", power_w=250), manual, paused, grid_w=1000), 1250)

    def test_an_inspecting_battery_is_neither_asked_nor_made_up_for(self) -> None:
        """Its test power must show on the meter (marstek-devices.md section 1.9)."""
        inspecting = Pack("i", phase="0", power_w=2000)
        self.assertEqual(self.asked_w(Pack("a", power_w=300), inspecting, grid_w=-2000), 300)

    def test_a_combined_battery_takes_its_share(self) -> None:
        self.assertEqual(self.asked_w(Pack("a", phase="D"), Pack("b"), grid_w=500), 250)


class Asking(Direct):
    def test_all_phases_count_together(self) -> None:
        pack = Pack("a", phase="B")
        self.controller.report(pack, T0 - 10)
        self.controller.report(pack, T0)
        sample = Sample((300.0, -100.0, 50.0), T0)
        self.assertEqual(self.controller.instruct(pack, sample, [pack], T0), 255)
        self.assertEqual(self.controller.last_grid_w, 250)

    def test_what_has_been_delivered_is_not_asked_for_again(self) -> None:
        """Invariant 3: the reading vanishes, however old the sample is (invariant 2)."""
        pack = Pack("a")
        for tick in range(300):
            reading_w = self.reading_w(pack, grid_w=500, now=T0 + tick, at=T0)
            pack.power_w = round(pack.power_w + reading_w)
        self.assertEqual(round(reading_w), 0)
        self.assertApproximates(pack.power_w, 500, 9)

    def test_how_often_a_battery_polls_does_not_matter(self) -> None:
        """Invariant 7."""
        quick, slow = Pack("q"), Pack("s", power_w=40)
        for tick in range(40):
            self.reading_w(quick, slow, grid_w=500, now=T0 + tick / 10, at=T0)
        asked = [
            self.asked_w(one, two, grid_w=500, now=T0 + 5)
            for one, two in ((quick, slow), (slow, quick))
        ]
        self.assertEqual(asked[1], 270)

    def test_a_change_of_mode_of_one_does_not_disturb_the_others(self) -> None:
        one, other = Pack("a", power_w=800), Pack("b", power_w=800)
        self.assertEqual(self.asked_w(one, other), 800)
        other.mode, other.manual_target_w = Mode.MANUAL, 800.0
        self.controller.forget("b")
        self.controller.report(one, T0 + 1)
        self.controller.instruct(one, Sample((1.0,), T0 + 1), [one, other], T0 + 1)
        self.assertApproximates(self.controller.intent_w("a"), 801, 1)


class Weights(Direct):
    def test_shares_are_in_proportion_to_the_weights(self) -> None:
        heavy, light = Pack("h", weight=1.5), Pack("l", weight=1.0)
        for grid_w in (1000, -1000):
            now = T0 + abs(grid_w + 1)
            self.assertEqual(self.asked_w(heavy, light, grid_w=grid_w, now=now), grid_w * 0.6)
            self.assertEqual(self.asked_w(light, heavy, grid_w=grid_w, now=now), grid_w * 0.4)

    def test_weight_zero_goes_to_zero_but_stays_known(self) -> None:
        for fair in (True, False):
            self.use(fair_distribution=fair)
            idle, other = Pack("i", weight=0.0, power_w=300), Pack("o", power_w=300)
            self.assertEqual(self.asked_w(idle, other), 0)
            self.assertEqual(self.asked_w(other, idle), 600)
            self.assertIsNotNone(self.controller.last_reading_w("i"))

    def test_without_fair_distribution_corrections_are_split_equally(self) -> None:
        self.use(fair_distribution=False)
        one, other = Pack("a", power_w=-88), Pack("b", power_w=-890)
        self.assertEqual(self.asked_w(one, other), -88)
        self.assertEqual(self.asked_w(other, one), -890)
        self.assertEqual(self.asked_w(one, other, grid_w=-100, now=T0 + 1), -138)
        self.assertEqual(self.asked_w(other, one, grid_w=-100, now=T0 + 1), -940)


class Floors(Direct):
    def test_a_battery_with_a_sleepy_inverter_is_never_asked_for_less(self) -> None:
        self.use(min_dc_output=80)
        for power_w in (0, 40, 80, 300):
            for grid_w in (-900, 0, 20, 1000):
                pack = Pack("a", B2500, power_w=power_w)
                now = T0 + power_w * 10 + grid_w / 1000
                asked_w = power_w + self.reading_w(pack, grid_w=grid_w, now=now)
                self.assertGreaterEqual(asked_w, 80)

    def test_other_types_have_none(self) -> None:
        self.use(min_dc_output=80)
        self.assertEqual(self.asked_w(Pack("a", "VNSE3-0"), grid_w=-900), -900)
        self.assertEqual(self.asked_w(Pack("j", "JPLS-8H"), grid_w=-900, now=T0 + 1), 0)

    def test_the_owners_value_counts_for_every_type_and_zero_switches_it_off(self) -> None:
        self.use(min_dc_output=80)
        self.assertEqual(self.asked_w(Pack("v", min_output_w=50.0), grid_w=-900), 50)
        pack = Pack("b", B2500, min_output_w=0.0)
        self.assertEqual(self.asked_w(pack, grid_w=-900, now=T0 + 1), 0)

    def test_not_in_manual_or_inactive_mode_nor_with_weight_zero(self) -> None:
        self.use(min_dc_output=80)
        for number, pack in enumerate(
            (
                Pack("m", B2500, power_w=80, mode=Mode.MANUAL),
                Pack("i", B2500, power_w=80, mode=Mode.INACTIVE),
                Pack("w", B2500, power_w=80, weight=0.0),
            )
        ):
            self.assertLess(self.reading_w(pack, now=T0 + number), 0)

    def test_the_others_absorb_what_it_must_deliver(self) -> None:
        self.use(min_dc_output=80)
        sleepy, other = Pack("s", B2500, power_w=80), Pack("o", power_w=-500)
        self.assertEqual(self.asked_w(other, sleepy, grid_w=-80), -580)


class Forgetting(Direct):
    def test_nothing_is_known_before_the_first_instruction(self) -> None:
        self.assertIsNone(self.controller.intent_w("a"))
        self.assertIsNone(self.controller.last_reading_w("a"))
        self.assertEqual(self.controller.saturation("a"), 0)

    def test_nor_after_it_was_forgotten(self) -> None:
        self.reading_w(Pack("a"), grid_w=500)
        self.controller.forget("a")
        self.test_nothing_is_known_before_the_first_instruction()

    def test_a_battery_that_starts_anew_is_not_saturated_by_what_was(self) -> None:
        pack = Pack("a")
        for tick in range(40):
            self.reading_w(pack, grid_w=500 + tick % 2, now=T0 + tick)
        self.assertEqual(self.controller.saturation("a"), 1)
        self.controller.forget("a")
        self.reading_w(pack, grid_w=500, now=T0 + 41)
        self.assertEqual(self.controller.saturation("a"), 0)

    def test_detection_can_be_switched_off(self) -> None:
        self.use(saturation_detection=False)
        pack = Pack("a")
        for tick in range(40):
            self.reading_w(pack, grid_w=500 + tick % 2, now=T0 + tick)
        self.assertEqual(self.controller.saturation("a"), 0)

    def test_other_options_apply_from_the_next_poll_on(self) -> None:
        one, other = Pack("a", power_w=600), Pack("b")
        self.assertEqual(self.asked_w(one, other), 300)
        self.controller.configure(SteeringOptions(fair_distribution=False))
        one.power_w, other.power_w = 500, 100
        self.controller.forget("a")
        self.controller.forget("b")
        self.assertEqual(self.asked_w(one, other, now=T0 + 30), 500)


class Loop(SynchronousTestCase):
    """In a house with batteries that integrate, ramp and settle."""

    def assert_settled(self, house: House, within_w: float = 25.0, last_s: float = 10.0) -> None:
        worst_w = max(map(abs, house.grids(last_s)))
        self.assertLess(worst_w, within_w, house.outputs())

    def noise(self, amplitude_w: float) -> dict[int, float]:
        source = random.Random(7)
        return {second: source.uniform(-amplitude_w, amplitude_w) for second in range(900, 3000)}


class Tracking(Loop):
    def test_together_they_drive_the_grid_to_zero_in_both_directions(self) -> None:
        house = House([Pack("a"), Pack("b", phase="B")], lambda t: 800 if t < 1060 else -600)
        for load_w in (800, -600):
            house.run(60)
            self.assert_settled(house)
            for output_w in house.outputs():
                self.assertLess(abs(output_w - load_w / 2), 15)

    def test_for_meters_of_any_speed_and_batteries_with_dead_time(self) -> None:
        for period_s in (0.5, 1.0, 2.0, 5.0, 10.0):
            for delay_s in (0.0, 0.3, 0.5, 1.0, 2.0):
                for dead_time_s in (0.0, 2.0):
                    self.assert_settled(self.after_a_step(period_s, delay_s, dead_time_s))

    def test_a_meter_much_slower_than_assumed_makes_them_hunt_but_not_more_and_more(self) -> None:
        for period_s in (0.5, 1.0, 2.0, 5.0, 10.0):
            for dead_time_s in (0.0, 2.0):
                house = self.after_a_step(period_s, 3.0, dead_time_s)
                self.assertLess(max(map(abs, house.grids(60))), 150)

    def after_a_step(self, period_s: float, delay_s: float, dead_time_s: float) -> House:
        """Three minutes after the load rose by 1000 W."""
        packs = [Pack(name, dead_time_s=dead_time_s) for name in "ab"]
        house = House(
            packs, lambda t: 300 if t < 1060 else 1300, period_s=period_s, delay_s=delay_s
        )
        house.run(240)
        return house

    def test_batteries_that_poll_at_different_speeds(self) -> None:
        house = House([Pack("v3", poll_s=0.45), Pack("v2", poll_s=3.1)], lambda _t: 1200)
        house.run(60)
        self.assert_settled(house)
        self.assertLess(abs(house.outputs()[0] - house.outputs()[1]), 45)

    def test_nine_batteries(self) -> None:
        packs = [Pack(str(i), phase="ABC"[i % 3], poll_s=0.9 + i / 10) for i in range(9)]
        house = House(packs, lambda _t: 4000)
        house.run(90)
        self.assert_settled(house, 100)

    def test_noise_is_not_amplified(self) -> None:
        noise = self.noise(100)
        house = House([Pack("a"), Pack("b")], lambda t: 800 + noise[int(t)])
        house.run(300)
        grids = house.grids(240)
        mean_w = sum(grids) / len(grids)
        rms_w = (sum(g * g for g in grids) / len(grids)) ** 0.5
        self.assertLess(abs(mean_w), 15)
        self.assertLess(rms_w, 100)  # the disturbance alone has 58 W

    def test_a_lopsided_pair_converges_without_moving_the_grid(self) -> None:
        packs = [
            Pack("a", power_w=-88),
            Pack("b", power_w=-890),
        ]
        house = House(packs, lambda _t: -978)
        house.run(120)
        self.assertLess(max(map(abs, house.grids(120))), 60)
        self.assertLess(abs(packs[0].output_w - packs[1].output_w), 30)

    def test_weights_share_the_work(self) -> None:
        house = House([Pack("a", weight=1.5), Pack("b", weight=1.0)], lambda _t: 1000)
        house.run(60)
        self.assert_settled(house)
        self.assertLess(abs(house.outputs()[0] - 600), 20)


class Trouble(Loop):
    def test_a_frozen_meter_winds_nothing_up(self) -> None:
        """Invariant 2, whether or not the meter says that its old reading is fresh."""
        for fresh_objects in (True, False):
            for frozen_w in (300, 1000, -1000):
                loads = {False: 0, True: frozen_w}
                house = House([Pack("a"), Pack("b")], lambda t, w=loads: w[t >= 1030])  # type: ignore[misc]
                house.fresh_objects = fresh_objects
                house.run(31.2)
                house.frozen = True
                house.run(30)
                outputs = house.outputs()
                self.assertLessEqual(abs(sum(outputs)), 3 * abs(frozen_w))
                house.run(600)
                for before_w, after_w in zip(outputs, house.outputs(), strict=True):
                    self.assertLess(abs(after_w - before_w), 30)
                house.frozen = False
                house.run(60)
                self.assert_settled(house)

    def test_an_empty_battery_loses_its_share_to_the_others(self) -> None:
        house = House([Pack("a", high_w=0), Pack("b"), Pack("c")], lambda _t: 800)
        house.run(45)
        self.assert_settled(house, 30)
        self.assertEqual(house.outputs()[0], 0)
        self.assertEqual(house.controller.saturation("a"), 1)

    def test_and_regains_it_when_it_can(self) -> None:
        house = House([Pack("a", high_w=0), Pack("b")], lambda _t: 800)
        house.run(45)
        house.packs[0].high_w = 2500
        house.run(150)
        self.assertLess(abs(house.outputs()[0] - house.outputs()[1]), 45)
        self.assertEqual(house.controller.saturation("a"), 0)

    def test_batteries_with_limits_are_used_up_to_them(self) -> None:
        house = House([Pack("a", high_w=300), Pack("b", high_w=2500)], lambda _t: 1500)
        house.run(45)
        self.assert_settled(house, 40)
        self.assertEqual(house.outputs()[0], 300)

    def test_tries_of_an_empty_battery_become_rare(self) -> None:
        house = House([Pack("a", high_w=0), Pack("b")], lambda _t: 800)
        house.run(2400)
        missing = [grid_w for grid_w in house.grids(1800) if grid_w > 100]
        self.assertLess(len(missing) / len(house.grids(1800)), 0.06)

    def test_one_that_dies_is_replaced_within_twenty_seconds(self) -> None:
        house = House([Pack("a"), Pack("b")], lambda _t: 1000)
        house.run(60)
        house.packs[1].online = False
        house.packs[1].stuck_w = 0
        house.run(20)
        self.assert_settled(house, last_s=1)

    def test_one_whose_packets_are_lost_is_no_large_disturbance(self) -> None:
        house = House([Pack("a"), Pack("b")], lambda _t: 1000)
        house.run(60)
        house.packs[1].online = False
        house.run(60)
        self.assertLess(max(map(abs, house.grids(60))), 450)
        self.assert_settled(house)

    def test_a_battery_in_manual_mode_is_made_up_for(self) -> None:
        house = House([Pack("a"), Pack("b")], lambda _t: 1000)
        house.run(60)
        house.packs[1].mode = Mode.MANUAL
        house.packs[1].manual_target_w = -300.0
        house.controller.forget("b")
        house.run(30)
        self.assert_settled(house)
        self.assertEqual(house.outputs()[1], -300)


class Surplus(Loop):
    def test_batteries_that_can_only_discharge_take_no_part(self) -> None:
        house = House([Pack("v"), Pack("b", B2500, low_w=0)], lambda _t: -600)
        house.run(60)
        self.assert_settled(house)
        self.assertEqual(house.outputs()[1], 0)
        self.assertLessEqual(max(house.packs[1].asked), 0)

    def test_what_a_full_one_passes_through_is_charged_by_the_others(self) -> None:
        house = House([Pack("v"), Pack("b", B2500, stuck_w=500)], lambda _t: 0)
        house.run(45)
        self.assert_settled(house)
        self.assertLess(abs(house.outputs()[0] + 500), 20)

    def test_a_drop_of_the_load_does_not_slam_them_to_zero(self) -> None:
        packs = [Pack(name, B2500, low_w=0, high_w=800) for name in "ab"]
        house = House(packs, lambda t: 760 if t < 1060 else 745)
        house.run(60)
        for pack in packs:
            pack.asked.clear()
        house.run(60)
        for pack in packs:
            self.assertGreater(min(pack.asked), 300)
            self.assertTrue(300 < pack.output_w < 400)

    def test_alone_in_surplus_they_are_never_asked_to_deliver_nor_to_charge(self) -> None:
        house = House([Pack(name, B2500, low_w=0) for name in "ab"], lambda _t: -600)
        house.run(60)
        for pack in house.packs:
            self.assertEqual({round(asked_w) for asked_w in pack.asked}, {0})

    def test_that_nobody_can_take_what_is_left_over_is_said_once(self) -> None:
        def load_w(at: float) -> float:
            return -600 if int(at) // 60 % 2 else 300

        house = House([Pack(name, B2500, low_w=0) for name in "ab"], load_w)
        with logged() as lines:
            house.run(240)
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^info: \d+ W are left over.*\(HMA-1\)")

    def test_alone_in_surplus_one_holds_its_floor(self) -> None:
        pack = Pack("b", B2500, low_w=0, high_w=800)
        house = House([pack], lambda t: 300 if t < 1060 else -600, min_dc_output=40)
        house.run(120)
        self.assertTrue(40 <= pack.output_w < 55, pack.output_w)
        self.assertGreaterEqual(min(pack.asked), 40)


class Starting(Loop):
    def test_the_first_to_ask_does_not_take_everything(self) -> None:
        packs = [Pack("a"), Pack("b", phase="0"), Pack("c", phase="0")]
        house = House(packs, lambda _t: -1800)
        house.run(3)
        self.assertGreater(min(house.outputs()), -200)
        packs[1].phase = packs[2].phase = "B"
        house.run(40)
        self.assertGreater(max(house.grids(43)), -100)
        self.assertLess(max(house.grids(43)), 100)
        self.assert_settled(house)

    def test_places_are_not_kept_for_ever(self) -> None:
        house = House([Pack("a"), Pack("b", phase="0")], lambda _t: 1000)
        house.run(10)
        self.assertLess(house.outputs()[0], 600)
        house.run(30)
        self.assert_settled(house)

    def test_one_that_joins_later_does_not_move_the_grid(self) -> None:
        house = House([Pack("a"), Pack("b", power_w=400, poll_s=1.1)], lambda _t: 1000)
        house.packs[1].online = False
        house.run(40)
        house.packs[1].online = True
        house.run(40)
        self.assertLess(max(map(abs, house.grids(40))), 150)
        self.assert_settled(house)


class Robustness(SynchronousTestCase):
    def test_nothing_that_batteries_and_meters_say_raises_or_runs_away(self) -> None:
        kinds = ("VNSE3-0", "HMA-1", "HMG-50", "VNSD-0", "", "X")
        for seed in range(30):
            source = random.Random(seed)
            controller = Steering(
                SteeringOptions(
                    fair_distribution=source.random() < 0.7,
                    saturation_detection=source.random() < 0.7,
                    min_dc_output=source.choice((0, 40)),
                )
            )
            now = T0
            packs = [Pack(str(i), source.choice(kinds)) for i in range(source.randint(1, 6))]
            for _ in range(200):
                now += source.choice((0.0, 0.001, 0.4, 1.0, 5.0, 4000.0, -3.0))
                pack = source.choice(packs)
                pack.power_w = round(source.choice((0, 50, 2500, 10**9)) * source.uniform(-1, 1))
                pack.mode = source.choice((Mode.AUTO, Mode.AUTO, Mode.MANUAL, Mode.INACTIVE))
                pack.phase = source.choice("ABCD0")
                pack.weight = source.choice((0.0, 1.0, 1.0, 10.0))
                controller.report(pack, now)
                if source.random() < 0.05:
                    controller.forget(source.choice(packs).consumer_id)
                if pack.phase == "0":
                    continue
                grid_w = source.choice((0, 10, 3000, 1e12)) * source.uniform(-1, 1)
                sample = Sample((grid_w, 0.0, 0.0), now - source.choice((0, 0, 2)))
                fleet = [p for p in packs if p is pack or source.random() < 0.8]
                reading_w = controller.instruct(pack, sample, fleet, now)
                self.assertTrue(math.isfinite(reading_w))
                self.assertTrue(math.isfinite(controller.intent_w(pack.consumer_id) or 0.0))


class Remembering(Direct):
    def test_limits_survive_a_restart(self) -> None:
        pack = Pack("a")
        for tick in range(40):
            self.reading_w(pack, grid_w=500 + tick % 2, now=T0 + tick)
        learned = self.controller.learned()
        self.assertEqual(learned, {"limits_w": {"a": [None, 0.0]}, "order": []})
        self.use()
        self.controller.recall(learned, T0)
        self.assertEqual(self.asked_w(pack, Pack("b"), grid_w=500), 0)
        self.assertEqual(self.controller.saturation("a"), 1)

    def test_what_is_no_memory_is_left_out(self) -> None:
        for rubbish in ({}, {"limits_w": 3}, {"limits_w": {"a": [1]}}, {"limits_w": {"a": "xy"}}):
            self.controller.recall(rubbish, T0)
        self.assertEqual(self.asked_w(Pack("a"), grid_w=500), 500)
