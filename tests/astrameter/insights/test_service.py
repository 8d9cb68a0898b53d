"""The whole part at a broker in memory."""

from __future__ import annotations

import gc
import json
from typing import Any

from twisted.internet.defer import Deferred

from astrameter.ct.options import CtOptions
from astrameter.events import MeterChanged, ShellyAnswered
from astrameter.insights import control
from astrameter.insights.roster import HEARTBEAT_S
from astrameter.insights.service import REST_S
from tests.astrameter.insights.rig import MAC, WATTS, HouseCase, Steering
from tests.scripted_broker import CONNECT, DISCONNECT, settle

STATE = f"astrameter/ct002/device-1/consumer/{MAC}"
STATUS = "astrameter/ct002/device-1/status"
HUB = "homeassistant/device/astrameter_addon_astrameter_astrameter/config"
CT = "homeassistant/device/astrameter_ct002_device-1/config"
BATTERY = f"homeassistant/device/astrameter_ct002_device-1_{MAC}/config"
METER = "astrameter/powermeter/JSON_HTTP"
METER_CONFIG = "homeassistant/device/astrameter_powermeter_JSON_HTTP/config"


def _objects_of_ours() -> int:
    gc.collect()
    ours = ("astrameter", "twisted.internet", "paho")
    return sum(str(type(one).__module__).startswith(ours) for one in gc.get_objects())


class Beginning(HouseCase):
    def test_the_order_of_a_session(self) -> None:
        self.start()
        self.assertEqual(
            self.topics(), ["astrameter/status", HUB, "astrameter/bridge", METER, METER_CONFIG]
        )
        first, *others = self.published()
        self.assertEqual((first.payload, first.qos, first.retain), ("online", 1, True))
        self.assertEqual({(one.qos, one.retain) for one in others}, {(0, True)})

    def test_the_last_will_is_offline_retained_with_qos_1(self) -> None:
        self.start()
        connect = self.broker.line.received[0]
        self.assertEqual(connect.kind, CONNECT)
        flags = connect.body[7]
        self.assertEqual(flags & 0b0010_1110, 0b0010_1110)
        self.assertIn(b"\x00\x11astrameter/status\x00\x07offline", connect.body)

    def test_commands_are_subscribed_with_qos_0(self) -> None:
        self.start()
        for wanted in ("astrameter/ct002/+/consumer/+/+/set", "astrameter/ct002/+/set"):
            self.assertIn((wanted, 0), self.broker.line.filters)

    def test_without_discovery_there_are_no_hub_no_bridge_and_no_announcements(self) -> None:
        self.start(ha_discovery=False)
        self.poll()
        self.shelly_poll()
        self.assertEqual(
            self.topics(),
            [
                "astrameter/status",
                METER,
                STATE,
                f"{STATE}/availability",
                STATUS,
                "astrameter/shelly/shellyemg3-ec4609c439c2/battery/127_0_0_50",
                "astrameter/shelly/shellyemg3-ec4609c439c2/battery/127_0_0_50/availability",
                "astrameter/shelly/shellyemg3-ec4609c439c2/status",
            ],
        )

    def test_the_origin_shows_the_commit(self) -> None:
        self.start()
        self.assertEqual(json.loads(self.retained()[HUB])["origin"]["sw_version"], "unknown")

    def test_a_device_id_that_no_topic_can_hold_is_told_once_and_costs_nothing(self) -> None:
        self.add_ct("a+b")
        self.start()
        for _ in range(20):
            self.poll(device="a+b")
        self.assertEqual([t for t in self.topics() if "a+b" in t or "a_b" in t], [])
        mentions = [line for line in self.log.warnings() if "a+b" in line]
        self.assertIn("DEVICE_IDS", mentions[0])
        self.assertEqual(len(mentions), 2)  # at the start, and a battery of it
        self.assertEqual(self.insights.client.connected, True)


class Batteries(HouseCase):
    def test_a_new_battery_is_published_in_the_known_order(self) -> None:
        self.start()
        self.news()
        self.poll()
        self.assertEqual(
            self.topics(),
            [STATE, f"{STATE}/availability", STATUS, CT, "astrameter/bridge", BATTERY],
        )

    def test_polls_cost_no_publications_before_the_interval_is_over(self) -> None:
        self.start()
        self.poll()
        self.news()
        for i in range(50):
            self.poll(power_w=i)
            self.clock.advance(0.05)
        self.assertEqual(self.topics(), [])
        self.pass_time(5.0)
        self.poll(power_w=99)
        self.pass_time(5.0)
        news = self.news()
        self.assertEqual([one.topic for one in news].count(STATE), 2)
        self.assertEqual([o.json for o in news if o.topic == STATE][-1]["reported_power"], 99)

    def test_an_interval_of_0_publishes_every_poll(self) -> None:
        self.start(publish_interval=0.0)
        self.poll()
        self.news()
        for i in range(5):
            self.poll(power_w=i)
            self.clock.advance(0.05)
        self.assertEqual(self.topics().count(STATE), 5)

    def test_polls_of_one_turn_are_one_publication(self) -> None:
        self.start(publish_interval=0.0)
        self.poll()
        self.news()
        for i in range(5):
            self.bus.publish(self.event(power_w=i))
        settle(self.clock)
        self.assertEqual(self.topics().count(STATE), 1)

    def test_what_does_not_change_is_published_as_a_heartbeat(self) -> None:
        self.start()
        self.poll()
        self.news()
        for _ in range(int(HEARTBEAT_S) * 2):
            self.clock.advance(1.0)
            self.poll()
        self.assertIn(self.topics().count(STATE), (2, 3))

    def test_a_changed_phase_is_published_at_once(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.poll(phase="B")
        (first, *_) = self.news()
        self.assertEqual((first.topic, first.json["phase"]), (STATE, "B"))

    def test_another_type_is_announced_anew(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.poll(device_type="HMJ-2")
        announced = {one.topic: one for one in self.news()}[BATTERY]
        self.assertIn("min_dc_output", announced.json["components"])

    def test_a_silent_battery_is_called_away_and_back(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.remove()
        self.assertEqual(self.topics(), [])
        self.pass_time(15.0)
        news = [one for one in self.news() if not one.topic.startswith(METER)]
        self.assertEqual(
            [(one.topic, one.payload) for one in news],
            [
                (f"{STATE}/availability", "offline"),
                ("astrameter/bridge", '{"version": "3.0.0", "consumer_count": 0}'),
            ],
        )
        self.poll()
        self.assertEqual(self.topics(), [STATE, f"{STATE}/availability", "astrameter/bridge"])

    def test_a_battery_that_skips_a_poll_does_not_flicker(self) -> None:
        self.start()
        for _ in range(20):
            self.poll()
            self.pass_time(4.0)
            self.remove()
            self.pass_time(4.0)
        payloads = [o.payload for o in self.published() if o.topic.endswith("availability")]
        self.assertEqual(payloads, ["online"])
        self.assertEqual([o.topic for o in self.published()].count(BATTERY), 1)

    def test_an_inspecting_battery_that_goes_was_never_there(self) -> None:
        self.start()
        self.news()
        self.remove("deadbeef0001")
        self.pass_time(20.0)
        self.assertEqual([t for t in self.topics() if "deadbeef" in t], [])

    def test_a_battery_whose_name_no_topic_can_hold_is_left_out(self) -> None:
        self.start()
        self.news()
        for name in ("A/B", "A+", "A#"):
            for _ in range(3):
                self.poll(name)
        self.assertEqual(self.topics(), [])
        self.assertEqual(len(self.log.warnings()), 1)

    def test_shelly_batteries(self) -> None:
        self.start()
        self.news()
        self.shelly_poll()
        base = "astrameter/shelly/shellyemg3-ec4609c439c2"
        node = "homeassistant/device/astrameter_shelly_shellyemg3-ec4609c439c2"
        self.assertEqual(
            self.topics(),
            [
                f"{base}/battery/127_0_0_50",
                f"{base}/battery/127_0_0_50/availability",
                f"{base}/status",
                f"{node}/config",
                f"{node}_127_0_0_50/config",
                "astrameter/bridge",
            ],
        )
        self.shelly_remove()
        self.pass_time(5.0)
        news = {one.topic: one.payload for one in self.news()}
        self.assertEqual(news[f"{base}/battery/127_0_0_50/availability"], "offline")
        self.assertEqual(json.loads(news["astrameter/bridge"])["consumer_count"], 0)


class Meters(HouseCase):
    def states(self) -> list[object]:
        return [one.json for one in self.news() if one.topic == METER]

    def test_each_is_looked_at_every_half_minute(self) -> None:
        self.start()
        self.news()
        self.pass_time(90.0)
        self.assertEqual(len(self.states()), 3)

    def test_a_change_is_told_at_once(self) -> None:
        self.start()
        self.news()
        meter, chain = self.meters["JSON_HTTP"]
        meter.reading = "error"
        self.failureResultOf(chain.read())
        self.bus.publish(MeterChanged("JSON_HTTP", "broken"))
        settle(self.clock)
        (state,) = self.states()
        nothing = dict.fromkeys(("l1", "l2", "l3", "total"))
        self.assertEqual(state, {"online": False, "grid_power": nothing})

    def test_without_an_interval_there_are_none(self) -> None:
        self.start(powermeter_health_interval=0.0)
        self.bus.publish(MeterChanged("JSON_HTTP", "broken"))
        self.pass_time(100.0)
        self.assertEqual([t for t in self.topics() if "powermeter" in t], [])

    def test_nobody_is_asked_while_there_is_no_broker(self) -> None:
        self.broker.reach = "down"
        self.start()
        self.pass_time(120.0)
        self.assertEqual(self.meters["JSON_HTTP"][0].reads, 0)


class Commands(HouseCase):
    def test_a_change_is_answered_at_once(self) -> None:
        self.start()
        self.poll(power_w=100)
        self.news()
        self.command(f"{STATE}/manual_target/set", "-300.5")
        (state,) = self.news()
        self.assertEqual(state.topic, STATE)
        self.assertEqual(state.json["manual_target"], -300.5)
        self.assertTrue(state.json["auto_target"])

    def test_a_refused_command_is_answered_with_how_it_is(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.command(f"{STATE}/manual_target/set", "10001")
        (state,) = self.news()
        self.assertEqual((state.topic, state.json["manual_target"]), (STATE, 0.0))
        self.assertIn("-10000..10000", self.log.warnings()[0])

    def test_a_burst_is_followed_to_its_end_and_answered_now_and_then(self) -> None:
        self.start()
        self.poll()
        self.news()
        for i in range(1000):
            self.broker.line.publish(f"{STATE}/manual_target/set", str(i).encode())
            self.broker.line.publish("astrameter/ct002/device-1/set", b"[")
        settle(self.clock, 1000)
        news = self.news()
        states = [one for one in news if one.topic == STATE]
        self.assertEqual(states[-1].json["manual_target"], 999.0)
        self.assertLess(len(news), 1000)

    def test_a_flood_is_followed_with_rests_for_the_batteries(self) -> None:
        self.start()
        self.assertEqual(self.asked_for["rest_s"], REST_S)

    def test_a_refused_command_to_a_ct_is_answered_too(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.command("astrameter/ct002/device-1/set", '{"active_control": 1}')
        (status,) = self.news()
        self.assertEqual((status.topic, status.json["active_control"]), (STATUS, True))

    def test_a_ct_that_no_topic_can_hold_may_be_switched_by_others(self) -> None:
        ct = self.add_ct("a+b").ct
        self.start()
        self.log.clear()
        ct.active_control = False
        self.pass_time(5.0)
        self.assertEqual(self.log.warnings(), [])

    def test_the_answer_holds_at_the_next_poll_and_tick(self) -> None:
        self.start()
        self.poll()
        self.command("astrameter/ct002/device-1/set", '{"active_control": false}')
        self.pass_time(10.0)
        self.poll()
        self.pass_time(10.0)
        states = [o.json["active_control"] for o in self.published() if o.topic == STATUS]
        self.assertEqual(states[:2], [True, False])
        self.assertNotIn(True, states[1:])

    def test_active_control_is_answered_before_any_battery_has_polled(self) -> None:
        self.start()
        self.news()
        self.command("astrameter/ct002/device-1/set", '{"active_control": false}', retain=True)
        (status,) = self.news()
        expected = {"smooth_target": 0.0, "active_control": False, "consumer_count": 0}
        self.assertEqual((status.topic, status.json), (STATUS, expected))
        self.assertFalse(self.cts["device-1"].ct.active_control)

    def test_a_command_for_a_battery_that_is_away_does_not_bring_it_back(self) -> None:
        self.start()
        self.poll()
        self.remove()
        self.pass_time(15.0)
        self.news()
        self.command(f"{STATE}/active/set", "false")
        self.pass_time(15.0)
        news = [one for one in self.news() if one.topic.startswith(STATE)]
        self.assertEqual([one.topic for one in news], [STATE])
        self.assertFalse(news[0].json["active"])

    def test_a_setting_that_others_than_mqtt_change_is_published_too(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.cts["device-1"].ct.change_setting(MAC, "distribution_weight", 2.5)
        settle(self.clock)
        (state,) = self.news()
        self.assertEqual(state.json["distribution_weight"], 2.5)

    def test_rotation_takes_the_automatic_batteries_and_no_retained_button(self) -> None:
        self.start()
        self.poll()
        self.poll("112233445566")
        self.command("astrameter/ct002/device-1/consumer/112233445566/active/set", "off")
        controller = self.cts["device-1"].ct.controller
        assert isinstance(controller, Steering)
        self.command("astrameter/ct002/device-1/set", '{"force_rotation": true}')
        self.assertEqual(controller.rotated, [[MAC]])
        self.command("astrameter/ct002/device-1/set", '{"force_rotation": true}', retain=True)
        self.assertEqual(len(controller.rotated), 1)

    def test_a_device_id_with_a_slash_takes_commands_too(self) -> None:
        self.add_ct("house/east")
        self.start()
        self.poll(device="house/east")
        self.news()
        self.command(f"astrameter/ct002/house/east/consumer/{MAC}/active/set", "0")
        self.command("astrameter/ct002/house/east/set", '{"active_control": false}')
        ct = self.cts["house/east"].ct
        self.assertFalse(ct.fleet.settings_of(MAC).active)
        self.assertFalse(ct.active_control)


class ComingBack(HouseCase):
    def test_everything_is_published_again(self) -> None:
        self.start()
        self.poll()
        self.shelly_poll()
        before = self.retained()
        self.reconnect()
        self.assertEqual(self.retained(), before)
        self.assertEqual(self.published()[0].topic, "astrameter/status")

    def test_what_happened_meanwhile_is_not_lost(self) -> None:
        self.start()
        self.poll()
        self.poll("112233445566")
        self.broker.reach = "down"
        self.broker.line.hang_up()
        settle(self.clock)
        self.remove()
        self.pass_time(30.0)
        self.poll("998877665544", phase="D")
        self.broker.reach = "up"
        lines = len(self.broker.lines)
        while len(self.broker.lines) == lines:
            self.pass_time(1.0)
        settle(self.clock)
        retained = self.retained()
        self.assertEqual(retained[f"{STATE}/availability"], "offline")
        other = "astrameter/ct002/device-1/consumer/998877665544"
        self.assertEqual(retained[f"{other}/availability"], "online")
        self.assertEqual(json.loads(retained["astrameter/bridge"])["consumer_count"], 2)

    def test_the_first_event_after_a_break_is_published_once(self) -> None:
        self.start(publish_interval=0.0)
        self.poll()
        self.reconnect()
        self.news()
        self.poll(power_w=7)
        states = [one for one in self.news() if one.topic == STATE]
        self.assertEqual([one.json["reported_power"] for one in states], [7])

    def test_1000_reconnects_leave_nothing_behind(self) -> None:
        self.start(marstek_mqtt_interval=3600.0, powermeter_health_interval=3600.0)
        for i in range(5):
            self.poll(f"00000000000{i}")
        self.pass_time(31.0)  # what is retained has been looked at
        self.reconnect()
        calls, reads = len(self.clock.getDelayedCalls()), self.meters["JSON_HTTP"][0].reads
        sizes = []
        for round_ in range(1000):
            self.reconnect()
            self.broker.lines[:-1] = []
            self.broker.attempts.clear()
            self.log.clear()
            if round_ in (99, 999):
                sizes.append(_objects_of_ours())
        self.assertLess(abs(sizes[1] - sizes[0]), 20)
        self.assertEqual(len(self.clock.getDelayedCalls()), calls)
        # One look at each connection; leaked loops would look once each.
        self.assertLessEqual(self.meters["JSON_HTTP"][0].reads - reads, 1001)

    def test_retained_commands_that_come_again_have_no_effect(self) -> None:
        self.start()
        self.poll()
        controller = self.cts["device-1"].ct.controller
        assert isinstance(controller, Steering)
        for _ in range(3):
            for field, value in (("active", "true"), ("auto_target", "true")):
                self.command(f"{STATE}/{field}/set", value, retain=True)
            self.reconnect()
        self.assertEqual(controller.forgotten, [])


class Overruling(HouseCase):
    """What was changed by other means than MQTT is newer than what the broker has kept."""

    topic = f"{STATE}/active/set"
    switch = "astrameter/ct002/device-1/set"

    def setUp(self) -> None:
        super().setUp()
        self.ct = self.cts["device-1"].ct

    def active(self) -> bool:
        return self.ct.fleet.settings_of(MAC).active

    def deleted(self) -> list[str]:
        return [one.topic for one in self.news() if one.retain and not one.payload]

    def pause(self) -> None:
        self.start()
        self.poll()
        self.command(self.topic, "false", retain=True)
        self.command(f"{STATE}/manual_target/set", "100", retain=True)
        self.assertFalse(self.active())
        self.assertEqual(self.deleted(), [])

    def test_the_retained_command_is_deleted(self) -> None:
        self.pause()
        self.ct.change_setting(MAC, "active", True)
        settle(self.clock)
        self.assertEqual(self.deleted(), [self.topic])
        self.command(self.topic, "")
        self.assertTrue(self.active())

    def test_also_when_the_broker_is_away(self) -> None:
        self.pause()
        self.broker.reach = "down"
        self.broker.line.hang_up()
        settle(self.clock)
        self.ct.change_setting(MAC, "active", True)
        self.broker.reach = "up"
        self.broker.retained[self.topic] = b"false"
        self.broker.retained[f"{STATE}/manual_target/set"] = b"100"
        self.seen = 0
        self.pass_time(10.0)
        self.assertTrue(self.active())
        self.assertEqual(self.deleted(), [self.topic])

    def test_a_new_command_counts_again(self) -> None:
        self.pause()
        self.ct.change_setting(MAC, "active", True)
        self.command(self.topic, "false")
        self.assertFalse(self.active())
        self.reconnect()
        self.command(self.topic, "false", retain=True)
        self.assertFalse(self.active())

    def test_the_same_that_was_retained_later_counts(self) -> None:
        for between in ("", "true"):
            self.pause()
            self.ct.change_setting(MAC, "active", True)
            self.command(self.topic, between)
            self.assertTrue(self.active())
            self.command(self.topic, "false", retain=True)
            self.assertFalse(self.active())
            self.stop()
            self.ct.change_setting(MAC, "active", True)

    def test_another_retained_command_counts_too(self) -> None:
        self.pause()
        self.ct.change_setting(MAC, "manual_target", 50)
        self.command(f"{STATE}/manual_target/set", "200", retain=True)
        self.assertEqual(self.ct.fleet.settings_of(MAC).manual_target, 200.0)

    def test_it_does_not_come_back_with_another_ct(self) -> None:
        self.pause()
        self.ct.change_setting(MAC, "active", True)
        self.add_ct("device-1")
        self.insights.refresh()
        settings = self.cts["device-1"].ct.fleet.settings_of(MAC)
        self.assertEqual((settings.active, settings.manual_target), (True, 100.0))

    def test_active_control(self) -> None:
        self.start()
        self.command(self.switch, '{"active_control": false}', retain=True)
        self.news()
        self.ct.active_control = True
        settle(self.clock)
        self.assertEqual(self.deleted(), [self.switch])
        self.command(self.switch, '{"active_control": false}', retain=True)
        self.assertTrue(self.ct.active_control)
        self.command(self.switch, '{"active_control": false}')
        self.assertFalse(self.ct.active_control)

    def test_active_control_that_the_configuration_says_anew(self) -> None:
        self.start()
        self.command(self.switch, '{"active_control": true}', retain=True)
        self.news()
        self.ct.configure("HME-4", CtOptions(active_control=False), 0.0)
        self.insights.refresh()
        settle(self.clock)
        self.assertEqual(self.deleted(), [self.switch])
        self.assertFalse(self.ct.active_control)

    def test_what_nobody_commanded_is_not_touched(self) -> None:
        self.start()
        self.poll()
        self.news()
        self.ct.change_setting(MAC, "active", False)
        self.ct.active_control = False
        settle(self.clock)
        self.assertEqual(self.deleted(), [])


class Ending(HouseCase):
    def test_offline_is_said_before_the_connection_is_closed(self) -> None:
        self.start()
        self.stop()
        last = self.published()[-1]
        self.assertEqual(
            (last.topic, last.payload, last.qos, last.retain),
            ("astrameter/status", "offline", 1, True),
        )
        self.assertEqual(self.broker.line.kinds()[-1], DISCONNECT)

    def test_it_takes_no_longer_than_that_when_the_broker_is_silent(self) -> None:
        self.start()
        self.broker.answers.clear()
        self.broker.closes = False
        done = self.insights.stopService()
        self.pass_time(4.0)
        self.successResultOf(done)

    def test_it_ends_at_once_without_a_broker(self) -> None:
        self.broker.reach = "down"
        self.start()
        done = self.insights.stopService()
        settle(self.clock)
        self.successResultOf(done)

    def test_nothing_is_heard_afterwards(self) -> None:
        self.start()
        self.stop()
        ct = self.cts["device-1"].ct
        self.assertEqual((ct.setting_changed, ct.control_switched), ([], []))
        self.poll()
        self.pass_time(100.0)
        self.assertEqual(self.published()[-1].payload, "offline")
        self.assertIsNone(self.insights._consumers.get("device-1", MAC))

    def test_a_meter_that_is_being_asked_is_asked_no_more(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.meters["JSON_HTTP"][0].reading = waiting
        self.start()
        done = self.insights.stopService()
        settle(self.clock)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_may_be_started_again(self) -> None:
        self.start()
        self.stop()
        self.insights.startService()
        settle(self.clock)
        self.poll()
        self.assertIn(STATE, self.retained())


class Changing(HouseCase):
    def test_a_device_that_is_no_more_leaves_nothing_behind(self) -> None:
        self.start()
        self.poll()
        self.add_meter("TASMOTA", (1.0,))
        self.insights.refresh()
        self.pass_time(31.0)
        self.assertIn("astrameter/powermeter/TASMOTA", self.retained())
        self.cts["renamed"] = self.cts.pop("device-1")
        del self.meters["TASMOTA"]
        self.shellies.clear()
        self.insights.refresh()
        settle(self.clock)
        self.assertEqual(
            set(self.retained()),
            {"astrameter/status", HUB, "astrameter/bridge", METER, METER_CONFIG},
        )
        bridge = json.loads(self.retained()["astrameter/bridge"])
        self.assertEqual(bridge["consumer_count"], 0)

    def test_what_is_to_be_deleted_is_deleted_after_a_break_too(self) -> None:
        self.start()
        self.poll()
        self.broker.reach = "down"
        self.broker.line.hang_up()
        settle(self.clock)
        self.cts.clear()
        self.insights.refresh()
        self.broker.reach = "up"
        self.pass_time(10.0)
        cleared = {one.topic for one in self.published() if not one.payload}
        self.assertEqual(cleared, {STATE, f"{STATE}/availability", STATUS, CT, BATTERY})

    def test_a_device_that_goes_in_the_turn_of_a_poll(self) -> None:
        self.start()
        self.news()
        seen = self.now().isoformat()
        for turns in (0, 1, 2):
            self.add_ct("device-1")
            self.shellies.add("shelly")
            self.insights.refresh()
            self.bus.publish(self.event())
            self.bus.publish(ShellyAnswered("shelly", "127.0.0.9", WATTS, None, 1, seen))
            settle(self.clock, turns)
            self.cts.clear()
            self.shellies.discard("shelly")
            self.insights.refresh()
            settle(self.clock)
            texts = {o.topic: o.payload for o in self.news() if "bridge" not in o.topic}
            self.assertEqual(set(texts.values()) - {""}, set(), turns)

    def test_other_options_of_a_ct_are_announced(self) -> None:
        self.start()
        self.poll()
        self.assertNotIn("force_rotation", self.retained()[CT])
        ct = self.cts["device-1"].ct
        self.add_ct("device-1", min_efficient_power=150)
        self.cts["device-1"] = type(self.cts["device-1"])(self.cts["device-1"].spec, ct)
        self.insights.refresh()
        settle(self.clock)
        self.assertIn("force_rotation", self.retained()[CT])
        self.assertIn(
            "efficiency_window_weight", json.loads(self.retained()[BATTERY])["components"]
        )

    def test_others_are_heard_at_the_ct_that_is_there(self) -> None:
        self.start()
        self.poll()
        before = self.cts["device-1"].ct
        self.add_ct("device-1")
        self.insights.refresh()
        self.assertEqual((before.setting_changed, before.control_switched), ([], []))
        self.poll()
        self.news()
        ct = self.cts["device-1"].ct
        ct.change_setting(MAC, "distribution_weight", 3.0)
        settle(self.clock)
        self.assertEqual([o.json["distribution_weight"] for o in self.news()], [3.0])
        self.cts.clear()
        self.insights.refresh()
        self.assertEqual((ct.setting_changed, ct.control_switched), ([], []))

    def test_a_ct_that_was_replaced_gets_what_was_commanded(self) -> None:
        self.start()
        self.command(f"{STATE}/active/set", "false")
        self.command("astrameter/ct002/device-1/set", '{"active_control": false}')
        self.command("astrameter/ct002/later/consumer/x/manual_target/set", "-450")
        self.add_ct("device-1")
        self.add_ct("later")
        self.insights.refresh()
        self.assertFalse(self.cts["device-1"].ct.fleet.settings_of(MAC).active)
        self.assertFalse(self.cts["device-1"].ct.active_control)
        self.assertEqual(self.cts["later"].ct.fleet.settings_of("x").manual_target, -450.0)

    def test_of_too_many_commands_the_newest_are_remembered(self) -> None:
        self.patch(control, "MAX_REMEMBERED", 3)
        self.start()
        for battery in ("a", "b", "c", "a", "d"):
            topic = f"astrameter/ct002/later/consumer/{battery}/active/set"
            self.command(topic, "false")
        fleet = self.add_ct("later").ct.fleet
        self.insights.refresh()
        paused = [one for one in "abcd" if not fleet.settings_of(one).active]
        self.assertEqual(paused, ["a", "c", "d"])

    def test_what_was_cleared_is_not_brought_back(self) -> None:
        self.start()
        self.command(f"{STATE}/active/set", "false")
        self.command(f"{STATE}/active/set", "")
        self.assertFalse(self.cts["device-1"].ct.fleet.settings_of(MAC).active)
        self.add_ct("device-1")
        self.insights.refresh()
        self.assertTrue(self.cts["device-1"].ct.fleet.settings_of(MAC).active)
        self.assertEqual(self.log.warnings(), [])
