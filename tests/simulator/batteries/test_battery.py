"""One battery: its requests, its state, its owner's commands."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import decode
from simulator.batteries.acceptance import Answer, Rejection
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.batteries.law import Situation
from tests.simulator.batteries.rig import MAC, config, datagram, exchange, numbers, sent, steered


class Requests(SynchronousTestCase):
    """The frames of simulator.md section 11."""

    def hmg(self, **changes: Any) -> Battery:
        return Battery(BatteryConfig(mac=MAC, initial_power_w=-123.6, **changes))

    def test_the_first_poll(self) -> None:
        battery = Battery(BatteryConfig(mac=MAC))
        self.assertEqual(
            battery.poll(0.0), b"\x01\x0250|HMG-50|02B250000001|HME-4|112233445566|0|0\x0340"
        )

    def test_a_later_poll(self) -> None:
        self.assertEqual(
            self.hmg(inspection_polls=0).poll(0.0),
            b"\x01\x0253|HMG-50|02B250000001|HME-4|112233445566|A|-124\x0318",
        )

    def test_a_battery_that_does_not_participate(self) -> None:
        self.assertEqual(
            self.hmg(inspection_polls=0, participates=False).poll(0.0),
            b"\x01\x0255|HMG-50|02B250000001|HME-4|112233445566|A|-124|0\x0352",
        )

    def test_power_is_rounded_to_even(self) -> None:
        for power_w, wanted in ((20.5, 20), (21.5, 22), (-20.5, -20), (-0.4, 0)):
            battery = Battery(config(initial_power_w=power_w))
            self.assertEqual(decode(battery.poll(0.0))[5], str(wanted))

    def test_the_phase_letter(self) -> None:
        for phase, letter in (("A", "A"), ("C", "C"), ("D", "D"), ("0", "0"), ("5", "0")):
            self.assertEqual(sent(Battery(config(phase=phase)).poll(0.0))[0], letter)

    def test_an_unpaired_battery_asks_with_zeros_and_takes_any_ct(self) -> None:
        battery = Battery(config(ct_mac=""))
        self.assertEqual(decode(exchange(battery, 0.0, steered(40)))[3], "000000000000")
        self.assertEqual(battery.setpoint_w, 35)

    def test_an_empty_ct_type_is_sent_empty(self) -> None:
        self.assertEqual(decode(Battery(config(ct_type="")).poll(0.0))[2], "")


class Inspection(SynchronousTestCase):
    def test_it_hides_its_phase_until_it_was_answered_and_does_not_act(self) -> None:
        battery = Battery(config(inspection_polls=2))
        letters = [sent(exchange(battery, float(k), steered(40)))[0] for k in range(3)]
        self.assertEqual(letters, ["0", "0", "A"])
        self.assertEqual(battery.setpoint_w, 35)  # of the third answer only

    def test_a_poll_without_answer_does_not_count(self) -> None:
        battery = Battery(config(inspection_polls=1))
        letters = [sent(exchange(battery, float(k), None))[0] for k in range(3)]
        self.assertEqual(letters, ["0", "0", "0"])

    def test_an_unreadable_answer_counts(self) -> None:
        battery = Battery(config(inspection_polls=1))
        exchange(battery, 0.0, b"garbage")
        self.assertEqual(sent(battery.poll(1.0))[0], "A")

    def test_without_a_phase_it_never_acts(self) -> None:
        for phase in "05":
            battery = Battery(config(phase=phase))
            for poll in range(20):
                exchange(battery, float(poll), steered(40))
            self.assertEqual(battery.setpoint_w, 0)


class Regulation(SynchronousTestCase):
    def test_a_steered_battery_reaches_the_value_in_every_mode(self) -> None:
        for phase in "ABC":
            watts = tuple(200 * (letter == phase) for letter in "ABC")
            counts = (*(int(letter == phase) for letter in "ABC"), 0)
            for mode in (0, 1):
                for kind in ("HMG-50", "VNSE3-0", "VNSA-0", "VNSD-0"):
                    battery = Battery(config(phase=phase, recharge_mode=mode, device_type=kind))
                    for _ in range(2):  # the first is a spike
                        exchange(battery, 0.0, datagram(numbers(watts, counts=counts)))
                    self.assertEqual(battery.setpoint_w, 195)

    def test_export_is_answered_in_one_step_with_charging(self) -> None:
        battery = Battery(config())
        for now in (0.0, 0.5, 6.0):
            exchange(battery, now, steered(-700 if now < 1 else 0))
        self.assertEqual((battery.setpoint_w, battery.power_w), (-700, -700))

    def test_the_baseline_moves_the_zero(self) -> None:
        battery = Battery(config(baseline_w=30))
        exchange(battery, 0.0, steered(30))
        self.assertEqual(battery.setpoint_w, 0)
        exchange(battery, 1.0, steered(60))
        self.assertEqual(battery.setpoint_w, 25)

    def test_a_full_battery_does_not_wind_its_setpoint_up(self) -> None:
        battery = Battery(config(initial_soc=1.0))
        for poll in range(40):
            exchange(battery, 0.5 * poll, steered(-700))
        self.assertEqual(battery.setpoint_w, 0)
        exchange(battery, 30.0, steered(300))
        exchange(battery, 30.5, steered(300))
        self.assertEqual(battery.setpoint_w, 295)

    def test_limits_changed_by_the_owner_hold_at_once(self) -> None:
        battery = Battery(config(initial_power_w=1000))
        battery.set_limits(2500, 400)
        battery.advance(1.0)
        self.assertEqual(battery.power_w, 400)
        self.assertEqual(battery.limits_w, (2500, 400))

    def test_a_battery_of_its_own_id_ignores_what_is_meant_for_others(self) -> None:
        for firmware, taken in ((150, False), (144, True)):
            battery = Battery(config(firmware=firmware))
            exchange(battery, 0.0, steered(40, mac="02B250000099"))
            self.assertEqual(battery.setpoint_w, 35 if taken else 0)

    def test_hmg_v151_resets_a_wrong_loop_gain_to_90_percent(self) -> None:
        for firmware, wanted in ((151, 49), (155, 55)):
            battery = Battery(config(device_type="HMG-50", firmware=firmware, ctrl_ratio=0))
            exchange(battery, 0.0, steered(60))
            exchange(battery, 0.0, steered(60))
            self.assertAlmostEqual(battery.setpoint_w, wanted, places=4)


class LockOut(SynchronousTestCase):
    """The effect of a conflict (marstek-devices.md section 1.4)."""

    CLASH = datagram(
        numbers(
            (300, 0, 0),
            counts=(2, 0, 0, 0),
            charge_w=(0, -500, 0, 0, 0),
            discharge_w=(0, 400, 0, 0, 0),
        )
    )

    def locked(self, **changes: Any) -> Battery:
        battery = Battery(config(initial_power_w=-500, **changes))
        exchange(battery, 0.0, self.CLASH)
        return battery

    def test_the_output_goes_to_zero(self) -> None:
        for kind, setpoint_w in (("VNSE3-0", 0), ("HMG-50", 0.1)):
            battery = self.locked(device_type=kind)
            self.assertEqual(battery.setpoint_w, setpoint_w)
            battery.advance(2.0)
            self.assertEqual(battery.power_w, 0)

    def test_for_10_seconds_nothing_moves_it(self) -> None:
        battery = self.locked()
        for now in (1.0, 5.0, 9.9):
            exchange(battery, now, steered(40))
            self.assertEqual(battery.setpoint_w, 0)
        exchange(battery, 10.0, steered(40))
        self.assertEqual(battery.setpoint_w, 35)

    def test_a_further_conflict_extends_it(self) -> None:
        battery = self.locked()
        exchange(battery, 8.0, self.CLASH)
        exchange(battery, 17.9, steered(40))
        self.assertEqual(battery.setpoint_w, 0)
        exchange(battery, 18.0, steered(40))
        self.assertEqual(battery.setpoint_w, 35)

    def test_own_phase_mode_alone_in_its_bucket_goes_on(self) -> None:
        battery = Battery(config(initial_power_w=-500, recharge_mode=0))
        clash = numbers(
            (30, 0, 0),
            counts=(1, 1, 0, 0),
            charge_w=(0, -500, 0, 0, 0),
            discharge_w=(0, 0, 400, 0, 0),
        )
        exchange(battery, 0.0, datagram(clash))
        self.assertEqual(battery.setpoint_w, -470)


class TargetRegulator:
    """Answers are absolute targets: what the delay vectors of simulator.md section 11 need."""

    def __init__(self) -> None:
        self.setpoint_w = 0.0

    def answered(self, answer: Answer, _situation: Situation) -> None:
        self.setpoint_w = float(answer.total_w)

    def moved(self, before_w: float, after_w: float, dt_s: float) -> None:
        """It does not care."""

    def stop(self) -> None:
        self.setpoint_w = 0.0


class Delay(SynchronousTestCase):
    def test_delay_of_2_polls(self) -> None:
        battery = Battery(
            config(power_update_delay_polls=2, ramp_w_per_s=200), regulator=TargetRegulator()
        )
        found = []
        for tick, value_w in enumerate((300, 300, 100, 100, 100, 100), 1):
            battery.advance(1.0)
            battery.poll(float(tick))
            battery.answer(steered(value_w), float(tick))
            found.append((battery.setpoint_w, battery.applied_setpoint_w, battery.power_w))
        self.assertEqual(
            found,
            [
                (300, 0, 0),
                (300, 0, 0),
                (100, 300, 200),
                (100, 300, 300),
                (100, 100, 100),
                (100, 100, 100),
            ],
        )


class Owner(SynchronousTestCase):
    def test_a_forced_battery_reports_no_power_and_does_not_follow(self) -> None:
        battery = Battery(config())
        battery.force(-600)
        for poll in range(5):
            exchange(battery, float(poll), steered(300))
        self.assertEqual(battery.power_w, -600)
        self.assertEqual(sent(battery.poll(5.0)), ("A", 0))

    def test_it_follows_again_from_zero(self) -> None:
        battery = Battery(config(initial_power_w=700))
        battery.force(-600)
        battery.advance(10.0)
        battery.force(None)
        self.assertEqual((battery.forced_w, battery.setpoint_w), (None, 0))
        battery.advance(10.0)
        exchange(battery, 20.0, steered(40))
        self.assertEqual(battery.setpoint_w, 35)

    def test_values_out_of_range_are_refused(self) -> None:
        battery = Battery(config(max_dc_input_w=500))
        for soc in (-0.1, 1.1, float("nan")):
            self.assertRaises(ValueError, battery.set_soc, soc)
        for limits in ((-1, 0), (0, -1), (0, 32768), (float("nan"), 0)):
            self.assertRaises(ValueError, battery.set_limits, *limits)
        for watts in (-1, 501, float("nan")):
            self.assertRaises(ValueError, battery.set_dc_input, watts)
        battery.set_soc(0.25)
        battery.set_dc_input(500)
        self.assertEqual((battery.soc, battery.dc_input_w), (0.25, 500))


class Time(SynchronousTestCase):
    def test_looking_at_the_power_changes_nothing(self) -> None:
        watched, alone = Battery(config(startup_delay_s=2)), Battery(config(startup_delay_s=2))
        for poll in range(60):
            now = 0.45 * poll
            for k in range(4):
                watched.power_w_at(now - 0.1 * k)
            requests = {exchange(battery, now, steered(40)) for battery in (watched, alone)}
            self.assertEqual(len(requests), 1)

    def test_the_power_at_a_time_is_what_a_step_would_give(self) -> None:
        battery = Battery(config())
        exchange(battery, 0.0, steered(40))
        self.assertEqual(battery.power_w_at(0.05), 20)
        self.assertEqual(battery.power_w_at(-1.0), 0)
        battery.advance_to(0.05)
        self.assertEqual(battery.power_w, 20)

    def test_a_pause_leaves_no_trace(self) -> None:
        battery = Battery(config(initial_power_w=500))
        battery.begin(1e9)
        battery.advance_to(1e9 + 3600)
        self.assertAlmostEqual(battery.soc, 0.5 - 500 / 2560)

    def test_answers_tell_what_they_were_taken_for(self) -> None:
        battery = Battery(config())
        battery.poll(0.0)
        self.assertIsInstance(battery.answer(steered(40), 0.0), Answer)
        self.assertEqual(battery.answer(b"", 0.0), Rejection.NO_FRAME)
