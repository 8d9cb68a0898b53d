"""What an answered poll tells the observers (ct-protocol.md sections 11.1 and 18)."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from astrameter.steering.options import SteeringOptions
from tests.astrameter.ct.rig import BATTERY, PEER, Caller, Rig


class Event(SynchronousTestCase):
    def test_it_has_everything_of_the_table(self) -> None:
        rig = Rig(reading_w=12.5)
        rig.meter.script([100.25, -20.5, 3])
        rig.send(BATTERY.but(phase="B", power_w=-80, ct_type="TPM2-0"))
        (event,) = rig.told()
        self.assertEqual((event.device_id, event.consumer_id), ("device-1", BATTERY.id))
        self.assertEqual(event.grid_power, (100.25, -20.5, 3.0))
        self.assertEqual(event.target, (0.0, 12.5, 0.0))
        self.assertEqual(
            event.data,
            {
                "phase": "B",
                "reported_power": -80,
                "device_type": "HMG-50",
                "battery_ip": "192.168.1.50",
                "ct_type": "TPM2-0",
                "ct_mac": BATTERY.ct_mac,
                "saturation": 0.0,
                "last_target": None,
                "active": True,
                "poll_interval": None,
                "last_seen": "2026-01-01T12:00:00+00:00",
                "smooth_target": 0.0,
                "manual_target": 0.0,
                "auto_target": True,
                "distribution_weight": 1.0,
                "efficiency_window_weight": 1.0,
                "min_dc_output": None,
                "active_control": True,
                "efficiency_rotation": False,
                "consumer_count": 1,
            },
        )

    def test_it_says_whether_the_batteries_take_turns(self) -> None:
        rig = Rig(min_efficient_power=150)
        rig.send(BATTERY)
        (event,) = rig.told()
        self.assertIs(event.data["efficiency_rotation"], True)

    def test_inspection_is_no_event(self) -> None:
        rig = Rig()
        rig.send(BATTERY.but(phase="0"))
        self.assertEqual(rig.told(), [])

    def test_a_failed_meter_is_an_event_of_zeros(self) -> None:
        rig = Rig(reading_w=5)
        rig.meter.script("error")
        rig.send(BATTERY)
        (event,) = rig.told()
        self.assertEqual((event.grid_power, event.target), ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))

    def test_in_relay_mode_the_target_is_the_reading(self) -> None:
        rig = Rig(active_control=False)
        rig.meter.script([1.5, 2.5, 3.5])
        rig.send(BATTERY)
        (event,) = rig.told()
        self.assertEqual(event.target, event.grid_power)
        self.assertIs(event.data["active_control"], False)

    def test_it_follows_the_owners_settings_and_the_controller(self) -> None:
        rig = Rig(controller=Steering(SteeringOptions()))
        rig.meter.script([100, 20, 3])
        rig.ct.change_setting(BATTERY.id, "auto_target", False)
        rig.ct.change_setting(BATTERY.id, "manual_target", 300)
        rig.send(BATTERY.but(power_w=100))
        rig.clock.advance(1)
        rig.send(PEER)
        first, second = rig.told()
        data = first.data
        self.assertEqual((data["auto_target"], data["manual_target"]), (False, 300.0))
        self.assertEqual((data["last_target"], data["smooth_target"]), (200.0, 123.0))
        self.assertEqual(second.data["consumer_count"], 2)

    def test_the_address_is_the_one_that_is_answered(self) -> None:
        rig = Rig()
        reads = rig.meter.hold_back()
        rig.send(BATTERY)
        rig.send(BATTERY, ("192.168.1.60", 22222))
        reads[0].callback(rig.meter.sample(0))
        (event,) = rig.told()
        self.assertEqual(event.data["battery_ip"], "192.168.1.60")


class StatusLine(SynchronousTestCase):
    def lines(self, rig: Rig, *callers: Caller) -> list[str]:
        with capturedLogs() as events:
            for caller in callers:
                rig.send(caller)
        return [str(event["line"]) for event in events if "line" in event]

    def rig(self, **options: Any) -> Rig:
        rig = Rig(**options)
        rig.protocol.debug_status = True
        return rig

    def test_its_parts(self) -> None:
        rig = self.rig(active_control=False)
        rig.meter.script([50.9, -2.9, 3.2])
        rig.send(BATTERY.but(power_w=5))
        rig.send(BATTERY.but(mac="0123456789abcdefXX", phase="D", power_w=-7))
        rig.send(BATTERY.but(mac="zz", phase="0", power_w=40))
        (line,) = self.lines(rig, BATTERY.but(mac="0123456789abcdefXX", phase="D", power_w=-7))
        self.assertEqual(
            line,
            "consumer 0123456789abcdef | meter 51W | phases A:50W B:-2W C:3W | "
            "chrg x:0 A:0 B:0 C:0 ABC:-7 | dchrg x:40 A:5 B:0 C:0 ABC:0 | "
            "consumers 01234567@D:-7 aabbccdd@A:5 zz@0:40",
        )

    def test_the_values_sent_are_shown_not_the_readings(self) -> None:
        rig = self.rig(reading_w=-7.9)
        rig.meter.script([100, 0, 0])
        (line,) = self.lines(rig, BATTERY.but(phase="C"))
        self.assertIn("| meter 100W | phases A:0W B:0W C:-7W |", line)

    def test_there_is_none_for_inspection_nor_unless_wanted(self) -> None:
        self.assertEqual(self.lines(self.rig(), BATTERY.but(phase="0")), [])
        self.assertEqual(self.lines(Rig(), BATTERY, PEER), [])
