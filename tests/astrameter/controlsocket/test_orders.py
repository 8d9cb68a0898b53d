"""What the owner changes over the control socket, and what he is told of batteries and meters."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import EmulatedCt
from astrameter.emulators import CtEmulator
from tests.astrameter.controlsocket.rig import Daemon
from tests.astrameter.ct.rig import BATTERY, PEER
from tests.logged import logged


class OrdersCase(SynchronousTestCase):
    devices = "ct002"

    def setUp(self) -> None:
        self.daemon = Daemon(devices=self.devices)
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.client()
        self.daemon.poll()

    def ct(self, number: int = 0) -> EmulatedCt:
        emulator = self.daemon.appliance.emulators[number]
        assert isinstance(emulator, CtEmulator)
        return emulator.ct


class Setting(OrdersCase):
    def set(self, **settings: Any) -> Any:
        return self.client.result("set", battery=BATTERY.id, **settings)

    def refused(self, **settings: Any) -> str:
        kind, text = self.client.error("set", battery=BATTERY.id, **settings)
        self.assertEqual(kind, "refused")
        return text

    def test_all_settings_of_a_battery_can_be_made(self) -> None:
        wanted = {
            "active": False,
            "manual_target": 250,
            "auto_target": False,
            "distribution_weight": 2.5,
            "min_dc_output": 80,
        }
        found = self.set(**wanted, efficiency_window_weight=40)
        self.assertEqual(found, {**wanted, "efficiency_window_weight": 0.4})
        self.assertEqual(self.ct().fleet.settings_of(BATTERY.id).manual_target, 250.0)

    def test_the_smallest_output_may_follow_the_configuration_again(self) -> None:
        self.set(min_dc_output=80)
        self.assertIsNone(self.set(min_dc_output=None)["min_dc_output"])

    def test_text_is_taken_as_in_commands_of_mqtt(self) -> None:
        found = self.set(active="off", manual_target=" -120.5 ")
        self.assertEqual((found["active"], found["manual_target"]), (False, -120.5))

    def test_the_ranges_are_those_of_mqtt(self) -> None:
        self.assertIn("a number -10000..10000", self.refused(manual_target=10001))
        self.assertIn("a number 0..10", self.refused(distribution_weight=11))
        self.assertIn("a number 0..100", self.refused(efficiency_window_weight=-1))
        self.assertIn("a number 0..1000", self.refused(min_dc_output=5000))
        self.assertIn("true or false", self.refused(active=2))
        self.assertIn("a number", self.refused(manual_target=True))
        for wrong in (None, [], {}, "", " ", "\ud800", "nan", 1e999 - 1e999, "1" * 3000):
            self.refused(manual_target=wrong)

    def test_all_or_none_is_changed(self) -> None:
        self.refused(active=False, manual_target="much")
        self.assertTrue(self.ct().fleet.settings_of(BATTERY.id).active)

    def test_a_manual_target_stands_before_the_mode_is_changed(self) -> None:
        seen = []
        self.ct().setting_changed.append(
            lambda one: seen.append(self.ct().fleet.settings_of(one).manual_target)
        )
        self.set(auto_target=False, manual_target=300)
        self.assertEqual(seen, [300.0, 300.0])

    def test_it_is_persisted_like_any_change(self) -> None:
        self.set(active=False)
        kept = self.daemon.appliance.store.get(f"battery/ct002/{BATTERY.id}")
        self.assertEqual(kept, {"active": False})

    def test_each_change_is_logged_once(self) -> None:
        with logged() as lines:
            self.set(active=False)
            self.set(active=False)
        self.assertEqual(
            lines, [f"info: battery {BATTERY.id}: active is False, by the control socket"]
        )

    def test_what_is_no_setting_is_refused(self) -> None:
        for settings in ({}, {"colour": "red"}, {"active": True, "colour": "red"}):
            kind, text = self.client.error("set", battery=BATTERY.id, **settings)
            self.assertEqual(kind, "bad_request")
            self.assertIn("settings are active, manual_target", text)

    def test_a_battery_is_known_by_its_mac_however_it_is_written(self) -> None:
        for name in ("AABBCCDDEE01", "aa:bb:cc:dd:ee:01", "AA-BB-CC-DD-EE-01", " aabbccddee01 "):
            self.assertEqual(self.client.result("set", battery=name, active=True)["active"], True)

    def test_one_that_has_never_asked_is_unknown_and_those_known_are_named(self) -> None:
        kind, text = self.client.error("set", battery="aabbccddee99", active=True)
        self.assertEqual(kind, "unknown_battery")
        self.assertIn(f"known: {BATTERY.id}", text)
        for wrong in (None, 7, "", []):
            self.assertEqual(self.client.error("set", battery=wrong, active=True)[0], "bad_request")

    def test_one_with_settings_may_be_away(self) -> None:
        self.set(distribution_weight=2)
        self.daemon.clock.advance(60)
        self.assertEqual(len(self.ct().fleet), 0)
        self.assertEqual(self.set(distribution_weight=1)["distribution_weight"], 1.0)


class WholeCts(OrdersCase):
    def test_rotation_goes_to_the_batteries_that_steer_themselves(self) -> None:
        self.daemon.poll(PEER)
        self.client.result("set", battery=PEER.id, active=False)
        rotated: list[list[str]] = []
        self.ct().controller.rotate = lambda ids: rotated.append(list(ids))  # type: ignore[method-assign]
        self.assertEqual(self.client.result("rotate"), {})
        self.assertEqual(rotated, [[BATTERY.id]])

    def test_steering_is_switched_and_persisted(self) -> None:
        self.assertEqual(self.client.result("active_control", on=False), {"on": False})
        self.assertFalse(self.ct().active_control)
        kept = self.daemon.appliance.store.get("control/ct002")
        self.assertEqual(kept, {"active_control": False, "configured": True})
        self.assertEqual(self.client.error("active_control", on="yes")[0], "bad_request")
        self.assertEqual(self.client.error("active_control")[0], "bad_request")


class TwoCts(OrdersCase):
    devices = "ct002, ct003"

    def test_a_command_to_a_ct_says_which(self) -> None:
        kind, text = self.client.error("rotate")
        self.assertEqual(kind, "unknown_device")
        self.assertIn("house, shop", text)
        self.assertEqual(self.client.error("rotate", device=["house"])[0], "unknown_device")
        self.client.result("active_control", device="shop", on=False)
        self.assertTrue(self.ct(0).active_control)
        self.assertFalse(self.ct(1).active_control)

    def test_a_battery_that_asks_both_needs_it_too(self) -> None:
        self.daemon.poll(port=12346)
        kind, text = self.client.error("set", battery=BATTERY.id, active=False)
        self.assertEqual((kind, "which device" in text), ("bad_request", True))
        self.client.result("set", battery=BATTERY.id, device="shop", active=False)
        self.assertTrue(self.ct(0).fleet.settings_of(BATTERY.id).active)
        self.assertFalse(self.ct(1).fleet.settings_of(BATTERY.id).active)


class Shellies(OrdersCase):
    devices = "ct002, shellypro3em_new"

    def test_batteries_of_a_shelly_are_shown_with_what_is_known(self) -> None:
        request = b'{"id": 1, "src": "x", "method": "EM.GetStatus", "params": {"id": 0}}'
        self.daemon.clock.deliver(2220, request, ("192.168.1.60", 5000))
        _, shelly = self.client.result("status")["devices"]
        (battery,) = shelly["batteries"]
        self.assertEqual((battery["id"], battery["meter"]), ("192.168.1.60", "METER"))
        self.assertNotIn("settings", battery)


class Status(OrdersCase):
    def test_it_is_that_of_the_web_and_more(self) -> None:
        self.daemon.meter.reading = [120.0, -30.0, 10.0]
        self.daemon.poll(BATTERY.but(power_w=55))
        self.daemon.poll(BATTERY.but(power_w=60))
        self.daemon.clock.advance(0.5)
        status = self.client.result("status")
        (meter,) = status["meters"]
        self.assertEqual(meter["watts"], [120.0, -30.0, 10.0])
        self.assertEqual((meter["state"], meter["reads"], meter["failures"]), ("works", 3, 0))
        self.assertAlmostEqual(meter["age_s"], 0.9)
        (device,) = status["devices"]
        self.assertEqual((device["type"], device["id"], device["port"]), ("ct002", "house", 12345))
        self.assertEqual((device["active_control"], device["grid_w"]), (True, 100.0))
        self.assertEqual((device["answered"], device["dropped"]), (3, 0))
        (battery,) = device["batteries"]
        self.assertEqual((battery["id"], battery["type"]), (BATTERY.id, BATTERY.type))
        self.assertEqual((battery["phase"], battery["ip"]), ("A", "192.168.1.50"))
        self.assertEqual((battery["power_w"], battery["mode"]), (60, "auto"))
        self.assertEqual((battery["poll_interval_s"], battery["age_s"]), (1.0, 0.5))
        self.assertEqual((battery["meter"], battery["alive"]), ("METER", True))
        self.assertEqual((battery["saturation"], battery["settings"]["active"]), (0.0, True))
        self.assertIsInstance(battery["target_w"], float)
        self.assertIsInstance(battery["reading_w"], float)

    def test_a_meter_that_fails_says_why_without_secrets(self) -> None:
        self.daemon.meter.reading = ValueError("http://u:hunter2@192.0.2.1/ is away")
        self.daemon.poll()
        (meter,) = self.client.result("status")["meters"]
        self.assertEqual((meter["state"], meter["failures"]), ("fails", 1))
        self.assertIn("is away", meter["error"])
        self.assertNotIn("hunter2", meter["error"])
        self.flushLoggedErrors(ValueError)

    def test_before_a_battery_asks_nobody_has_read_the_meter(self) -> None:
        daemon = Daemon()
        self.addCleanup(daemon.stop)
        status = daemon.client().result("status")
        self.assertEqual(status["meters"][0]["state"], "unread")
        self.assertEqual(status["devices"][0]["batteries"], [])
