"""What went wrong in the field once, one test each (steering.md section 3.3)."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.fleet import Fleet
from astrameter.ct.options import CLASSIC
from astrameter.ct.request import Request
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Mode
from astrameter.steering.options import SteeringOptions
from tests.astrameter.ct.rig import BATTERY, PEER, Caller, Reply, Rig
from tests.astrameter.steering.rig import House, Pack, Strange
from tests.logged import logged

B2500 = "HMA-1"
T0 = 1000.0
AT_WORK_W = 40.0


def b2500(name: str = "b", **more: float) -> Pack:
    return Pack(name, B2500, **{"low_w": 0.0, "high_w": 800.0, **more})  # type: ignore[arg-type]


def after(at: float, before_w: float, then_w: float) -> Callable[[float], float]:
    """A load that changes when the house has run for ``at`` seconds."""
    return lambda now: before_w if now < T0 + at else then_w


def noisy(load_w: float, amplitude_w: float) -> Callable[[float], float]:
    """A load with another disturbance each second."""
    source = random.Random(7)
    noise = [source.uniform(-amplitude_w, amplitude_w) for _ in range(2000)]
    return lambda now: load_w + noise[int(now - T0)]


class InTheHouse(SynchronousTestCase):
    def run_for(
        self,
        seconds: float,
        *packs: Pack,
        load_w: float | Callable[[float], float],
        period_s: float = 1.0,
        delay_s: float = 0.5,
        **options: bool | float,
    ) -> House:
        load = load_w if callable(load_w) else after(0, load_w, load_w)
        house = House(packs, load, period_s=period_s, delay_s=delay_s, **options)
        house.run(seconds)
        return house

    def assert_settled(self, house: House, within_w: float = 25.0, last_s: float = 10.0) -> None:
        self.assertLess(max(map(abs, house.grids(last_s))), within_w, house.outputs())

    def at_work(self, house: House) -> set[str]:
        return {pack.consumer_id for pack in house.packs if abs(pack.output_w) > AT_WORK_W}

    def changes(self, house: House, seconds: int) -> int:
        """How often somebody goes to work or to rest."""
        count, before = 0, self.at_work(house)
        for _ in range(seconds):
            house.run(1)
            now = self.at_work(house)
            count += len(now ^ before)
            before = now
        return count


class Surplus(InTheHouse):
    def test_f01_half_the_surplus_went_to_a_b2500_and_the_venus_never_woke(self) -> None:
        house = self.run_for(90, Pack("v", wake_w=400.0), b2500(), load_w=-600)
        self.assertLess(house.outputs()[0], -500)
        self.assertLessEqual(abs(house.outputs()[1]), 1)
        grids = house.grids(30)
        self.assertLess(sum(map(abs, grids)) / len(grids), 50)

    def test_f02_a_venus_was_pinned_beside_a_full_b2500(self) -> None:
        house = self.run_for(60, Pack("v"), b2500(stuck_w=500.0), load_w=0)
        self.assertApproximates(house.outputs()[0], -500, 20)
        house.run(300)
        grids = house.grids(300)
        self.assertLess(sum(map(abs, grids)) / len(grids), 30)

    def test_f03_at_exactly_zero_grid_a_share_correction_pulled_the_venus_away(self) -> None:
        venus, full = Pack("v", power_w=-500), b2500(power_w=500, stuck_w=500.0)
        house = self.run_for(80, venus, full, load_w=0)
        # First it has to be found out that the B2500 is full.
        self.assertLess(house.settled_after_s(T0), 45)
        house.run(320)
        self.assertLess(max(map(abs, house.grids(340))), 90)

    def test_f04_a_small_drop_of_the_load_slammed_two_b2500_to_zero(self) -> None:
        packs = [b2500(name, power_w=380) for name in "ab"]
        house = self.run_for(60, *packs, load_w=after(30, 760, 745))
        for pack in packs:
            self.assertGreater(min(pack.asked), 300)
            self.assertTrue(300 < pack.output_w < 400, pack.output_w)
        self.assert_settled(house)

    def test_f05_only_b2500_in_surplus_were_told_to_deliver(self) -> None:
        with logged() as lines:
            house = self.run_for(60, b2500("a"), b2500("b"), load_w=-600)
        for pack in house.packs:
            self.assertLessEqual(max(pack.asked), 0)
        self.assertEqual(len(lines), 1)

    def test_f08_a_lone_b2500_let_its_inverter_fall_asleep(self) -> None:
        house = self.run_for(120, b2500(), load_w=after(60, 300, -600), min_dc_output=40)
        self.assertTrue(40 <= house.packs[0].output_w < 55, house.outputs())
        venus = Pack("v")
        house = self.run_for(120, b2500(), venus, load_w=after(60, 300, -600), min_dc_output=40)
        self.assertTrue(40 <= house.packs[0].output_w < 55, house.outputs())
        self.assert_settled(house)

    def test_f17_a_full_battery_on_the_exporting_phase_was_never_recognised(self) -> None:
        for pace_base_step in (0, 15, 30):
            full = Pack("full", phase="A", low_w=0.0)
            healthy = Pack("ok", phase="B", low_w=-800.0)
            self.run_for(120, full, healthy, load_w=-932, pace_base_step=pace_base_step)
            self.assertLess(healthy.output_w, -790)


class Loop(InTheHouse):
    def test_f07_while_the_meter_was_lost_the_output_ran_away(self) -> None:
        house = self.run_for(60, Pack("a"), Pack("b"), load_w=after(62, 600, 1400))
        house.lost = True
        before = house.outputs()
        house.run(300)
        self.assertEqual(house.outputs(), before)
        house.lost = False
        house.run(30)
        self.assert_settled(house)

    def test_f10_a_late_meter_made_a_load_step_overshoot(self) -> None:
        for delay_s in (1.0, 2.0):
            house = self.run_for(240, Pack("a"), load_w=after(120, 300, 1300), delay_s=delay_s)
            self.assertGreater(min(house.grids(120)), -150)
            self.assert_settled(house)

    def test_f14_a_firmware_that_crawls_was_never_trusted_with_more(self) -> None:
        def crawl(reading_w: float) -> float:
            return min(max(reading_w, -10.0), 10.0)

        house = self.run_for(300, Strange("a", law=crawl), load_w=after(120, 100, 600))
        house.run(100)
        self.assertLess(house.settled_after_s(T0 + 120), 150)
        self.assertGreater(min(house.grids(280)), -25)

    def test_f15_a_motor_that_comes_and_goes_was_amplified(self) -> None:
        def washer_w(now: float) -> float:
            return 450 + 120 * ((now - T0) % 16 < 13)

        for kind in ("HMG-50", "VNSD-0"):
            house = self.run_for(300, Pack("a", kind), load_w=washer_w, delay_s=1.0)
            grids = house.grids(200)
            self.assertLess((sum(g * g for g in grids) / len(grids)) ** 0.5, 60)  # alone: 47
            self.assertLess(max(map(abs, grids)), 150)
        house = self.run_for(180, Pack("a"), load_w=after(120, 450, 1050), delay_s=1.0)
        self.assertLess(house.settled_after_s(T0 + 120), 15)

    def test_f18_a_lopsided_pair_stayed_lopsided(self) -> None:
        packs = Pack("a", power_w=-88), Pack("b", power_w=-890)
        house = self.run_for(120, *packs, load_w=-978)
        self.assertLess(abs(packs[0].output_w - packs[1].output_w), 30)
        self.assertLess(max(map(abs, house.grids(120))), 60)

    def test_f25_a_battery_still_ramping_after_a_reversal_was_declared_saturated(self) -> None:
        pack = Pack("a", ramp_w_per_s=50.0)
        house = self.run_for(60, pack, load_w=after(60, 800, -800))
        for _ in range(90):
            house.run(1)
            self.assertEqual(house.controller.saturation("a"), 0)
        self.assert_settled(house)

    def test_f29_a_small_pack_was_full_first(self) -> None:
        for load_w in (1000, -1000):
            house = self.run_for(60, Pack("a", weight=1.5), Pack("b"), load_w=load_w)
            self.assertApproximates(house.outputs()[0] / load_w, 0.6, 0.02)
            self.assert_settled(house)

    def test_f31_behind_a_frozen_meter_a_correction_added_up(self) -> None:
        for fresh_objects in (True, False):
            house = self.run_for(60, Pack("a"), load_w=after(61, 500, 520))
            house.fresh_objects = fresh_objects
            house.frozen = True
            before_w = house.outputs()[0]
            house.run(600)
            self.assertLess(abs(house.outputs()[0] - before_w), 30)

    def test_f32_one_that_dropped_out_was_missed_for_long(self) -> None:
        house = self.run_for(60, Pack("a"), Pack("b"), load_w=1000)
        house.packs[1].online, house.packs[1].stuck_w = False, 0.0
        house.run(40)
        self.assertLess(house.settled_after_s(T0 + 60), 20)

    def test_f32_one_whose_packets_were_lost_disturbed_the_others(self) -> None:
        house = self.run_for(60, Pack("a"), Pack("b"), load_w=1000)
        house.packs[1].online = False
        house.run(60)
        self.assertLess(max(map(abs, house.grids(60))), 450)
        self.assert_settled(house)

    def test_f33_a_correction_was_repeated_until_a_slow_meter_showed_it(self) -> None:
        load_w = after(120, 300, 1300)
        house = self.run_for(240, Pack("a"), load_w=load_w, period_s=10.0, delay_s=1.0)
        self.assertGreater(min(house.grids(120)), -60)
        self.assertLess(house.settled_after_s(T0 + 120), 50)


class Efficiency(InTheHouse):
    def test_f12_at_a_multiple_of_the_floor_a_unit_toggled_with_the_noise(self) -> None:
        packs = [Pack(name) for name in "abc"]
        house = self.run_for(60, *packs, load_w=noisy(300, 10), min_efficient_power=150)
        self.assertEqual(self.changes(house, 300), 0)
        house.load_w = after(0, 650, 650)
        house.run(60)
        self.assertEqual(self.at_work(house), set("abc"))

    def test_f13_one_that_was_parked_dropped_its_whole_output_at_once(self) -> None:
        load_w = after(60, 500, 280)
        house = self.run_for(60, Pack("a"), Pack("b"), load_w=load_w, min_efficient_power=150)
        house.run(60)
        self.assertEqual(self.at_work(house), {"a"})
        self.assertLess(max(house.grids(60)), 75)

    def test_f19_two_empty_ones_swapped_for_ever(self) -> None:
        packs = [Pack(name, high_w=0.0 if name in "ab" else 2500.0, start_s=2.0) for name in "abcd"]
        house = self.run_for(90, *packs, load_w=800, min_efficient_power=500)
        self.assert_settled(house, 60)
        covered = 0
        for _ in range(600):
            house.run(1)
            covered += max(packs[2].output_w, packs[3].output_w) > 600
        self.assertGreater(covered, 540)

    def test_f20_after_a_rotation_the_new_one_did_not_follow_the_load(self) -> None:
        packs = Pack("a"), Pack("b", ramp_w_per_s=10.0)
        options = {"min_efficient_power": 150, "efficiency_rotation_interval": 120}
        house = self.run_for(130, *packs, load_w=after(130, 150, 247), **options)
        house.run(60)
        self.assert_settled(house)

    def test_f21_when_the_meter_fell_silent_a_hand_over_drifted_to_the_full_load(self) -> None:
        for fresh_objects in (True, False):
            options = {"min_efficient_power": 150, "efficiency_rotation_interval": 120}
            packs = Pack("a", start_s=4.0), Pack("b", start_s=4.0)
            house = self.run_for(123, *packs, load_w=200, **options)
            house.fresh_objects, house.frozen = fresh_objects, True
            for _ in range(90):
                house.run(1)
                self.assertTrue(80 < sum(house.outputs()) < 320, house.outputs())

    def test_f22_a_timed_rotation_left_a_gap_or_doubled_the_output(self) -> None:
        options = {"min_efficient_power": 150, "efficiency_rotation_interval": 120}
        packs = Pack("a", start_s=6.0), Pack("b", start_s=6.0)
        house = self.run_for(118, *packs, load_w=200, **options)
        house.run(60)
        self.assertLess(max(map(abs, house.grids(60))), 90)
        self.assertEqual(self.at_work(house), {"b"})

    def test_f23_a_unit_deaf_to_small_commands_was_tried_with_nothing_else(self) -> None:
        options = {"min_efficient_power": 150, "efficiency_rotation_interval": 120}
        packs = Pack("a"), Pack("b", wake_w=80.0)
        house = self.run_for(118, *packs, load_w=60, **options)
        self.assertEqual(self.at_work(house), {"a"})
        house.run(60)
        self.assertGreater(packs[1].output_w, 25)
        self.assertGreaterEqual(min(packs[0].asked), 0)
        self.assert_settled(house)

    def test_f24_polls_at_different_rates_made_the_roles_oscillate(self) -> None:
        packs = Pack("v3", poll_s=0.45), Pack("v2", poll_s=3.1)
        house = self.run_for(60, *packs, load_w=noisy(220, 15), min_efficient_power=150)
        self.assertEqual(self.changes(house, 400), 0)
        self.assertEqual([house.controller.saturation(one) for one in ("v3", "v2")], [0, 0])

    def test_f26_a_slow_start_was_taken_for_a_fault(self) -> None:
        packs = Pack("a", start_s=6.0), Pack("b", start_s=6.0)
        house = self.run_for(60, *packs, load_w=1000)
        packs[1].mode = Mode.INACTIVE
        house.controller.forget("b")
        house.run(60)
        packs[1].mode = Mode.AUTO
        house.controller.forget("b")
        for _ in range(40):
            house.run(1)
            self.assertEqual(house.controller.saturation("b"), 0)
        self.assertApproximates(packs[1].output_w, 500, 30)

    def test_f26_one_that_is_dead_under_a_real_command_is_found_out(self) -> None:
        house = self.run_for(60, Pack("a", stuck_w=0.0), Pack("b"), load_w=1000)
        self.assertEqual(house.controller.saturation("a"), 1)

    def test_f27_one_that_was_parked_was_declared_saturated_and_never_used_again(self) -> None:
        options = {"min_efficient_power": 150, "efficiency_rotation_interval": 120}
        house = self.run_for(30, Pack("a"), Pack("b"), load_w=after(30, 500, 200), **options)
        seen: set[str] = set()
        for _ in range(300):
            house.run(1)
            self.assertEqual([house.controller.saturation(one) for one in "ab"], [0, 0])
            if house.now > T0 + 90:
                seen |= self.at_work(house)
        self.assertEqual(seen, {"a", "b"})

    def test_f28_a_noisy_load_called_batteries_in_and_out(self) -> None:
        packs = [Pack(name) for name in "ab"]
        house = self.run_for(60, *packs, load_w=noisy(250, 120), min_efficient_power=150)
        self.assertLessEqual(self.changes(house, 400), 8)

    def test_f34_an_empty_head_was_waited_for_until_the_next_rotation(self) -> None:
        packs = Pack("a", high_w=0.0), Pack("b", start_s=2.0)
        house = self.run_for(90, *packs, load_w=300, min_efficient_power=200)
        self.assertLess(house.settled_after_s(T0), 45)
        house = self.run_for(60, Pack("a"), Pack("b"), load_w=300, min_efficient_power=200)
        house.packs[0].high_w = 0.0
        house.run(60)
        self.assertLess(house.settled_after_s(T0 + 60), 20)


class OnTheWire(SynchronousTestCase):
    def relay(self) -> Rig:
        return Rig(active_control=False)

    def steered(self, **options: object) -> Rig:
        return Rig(controller=Steering(SteeringOptions()), **options)

    def test_f06_what_a_full_venus_d_passes_through_was_told_to_others_as_discharge(self) -> None:
        for options in ({}, {"answer_style": CLASSIC}):
            rig = self.steered(**options)
            full = Caller("AABBCCDDEE0D", "A", 500, "VNSD-0")
            other = Caller("AABBCCDDEE0E", "C", 0, "VNSE3-0", address=PEER.address)
            for _ in range(90):
                grid_w = -3000 - 500 - int(other.power_w)
                rig.meter.script([0.0, 0.0, grid_w])
                rig.reply(full)
                reply = rig.reply(other)
                self.assertEqual(reply.discharge[0], 0)
                if int(other.power_w) > -2500:
                    other = other.but(power_w=max(-2500, int(other.power_w) + reply.phases[2]))
                rig.clock.advance(1.0)
            self.assertEqual(other.power_w, -2500)

    def test_f07_while_the_meter_was_lost_the_last_reading_was_repeated(self) -> None:
        for options in ({}, {"answer_style": CLASSIC}, {"active_control": False}):
            rig = Rig(reading_w=500, **options)
            rig.meter.script([500])
            rig.reply(BATTERY)
            rig.meter.script("error")
            for phase in "ABCD0":
                reply = rig.reply(BATTERY.but(phase=phase, power_w=300))
                self.assertEqual((reply.phases, reply.total), ([0, 0, 0], 0))
            self.assertEqual(len(rig.stub.calls), int("active_control" not in options))

    def test_f09_batteries_were_counted_wrongly(self) -> None:
        phases = "AABCD0"
        callers = [Caller(f"AABBCCDDEE0{i}", phase, 100) for i, phase in enumerate(phases)]
        rig = self.relay()
        for caller in callers:
            rig.reply(caller)
        reply = rig.reply(callers[0])
        self.assertEqual(reply.counts, [2, 1, 1, 1])
        self.assertEqual(sum(reply.discharge), 600)
        self.assertEqual(sorted(reply.discharge), [100, 100, 100, 100, 200])
        rig = Rig(reading_w=300)
        for caller in callers:
            rig.reply(caller)
        self.assertEqual(rig.reply(callers[0]).counts, [1, 0, 0, 0])

    def test_f11_a_battery_that_left_was_counted_for_minutes(self) -> None:
        rig = self.relay()
        for _ in range(10):
            rig.reply(PEER)
            self.assertEqual(rig.reply(BATTERY).counts[1], 1)
            rig.clock.advance(4.0)
        for _ in range(2):
            rig.reply(BATTERY)
            rig.clock.advance(2.5)
        self.assertEqual(rig.reply(BATTERY).counts[1], 0)

    def test_f16_what_the_owner_had_set_was_lost_with_the_battery(self) -> None:
        fleet = Fleet(None, 0.0, lambda _: None)
        request = Request("HMG-50", "AA", "HME-4", "11", "A", 0, True)
        fleet.change_setting("b", "auto_target", False)
        fleet.change_setting("b", "manual_target", -300.0)
        for at in (T0, T0 + 500):
            consumer = fleet.report("b", request, "192.168.1.50", at)
            assert consumer is not None
            self.assertIs(consumer.mode, Mode.MANUAL)
            self.assertEqual(consumer.manual_target_w, -300)
            fleet.sweep(at + 100)
            self.assertIsNone(fleet.get("b"))

    def test_f30_a_combined_battery_was_taken_for_one_that_looks_for_its_phase(self) -> None:
        rig = self.steered()
        rig.meter.script([300.0, 200.0, 100.0])
        replies: list[Reply] = []
        for _ in range(12):
            replies.append(rig.reply(BATTERY.but(phase="D")))
            rig.clock.advance(1.0)
        self.assertNotIn([300, 200, 100], [reply.phases for reply in replies])
        self.assertGreater(max(reply.total for reply in replies), 400)
        told = rig.told()
        self.assertGreater(len(told), 0)
