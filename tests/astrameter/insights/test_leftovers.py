"""What the broker still has of things that are no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.insights.discovery import Discovery
from astrameter.insights.leftovers import (
    CALL_AWAY_AFTER_S,
    LONG_GONE,
    MAX_SUSPECTS,
    REMOVE_AFTER_S,
    Leftovers,
    Verdict,
    in_our_name,
)
from astrameter.insights.topics import Kind, Place, Topics
from tests.astrameter.insights.rig import MAC, HouseCase
from tests.scripted_broker import settle

TOPICS = Topics("astrameter")
DISCOVERY = Discovery(TOPICS, "unknown")
TODAY = datetime(2026, 11, 21, tzinfo=UTC)


def seen(days_ago: float) -> bytes:
    return json.dumps({"last_seen": (TODAY - timedelta(days=days_ago)).isoformat()}).encode()


class Judging(SynchronousTestCase):
    def setUp(self) -> None:
        self.existing = {Place(Kind.CT, "here"), Place(Kind.METER, "HERE")}
        self.standing: dict[str, str] = {}
        self.leftovers = self.make()

    def make(self, *, announce: bool = True) -> Leftovers:
        return Leftovers(TOPICS, self.exists, self.standing.get, announce=announce)

    def exists(self, place: Place) -> bool:
        kind = {Kind.CONSUMER: Kind.CT, Kind.BATTERY: Kind.SHELLY}.get(place.kind, place.kind)
        return Place(kind, place.device) in self.existing

    def find(self, node: str, text: str) -> str | None:
        found = in_our_name(TOPICS, TOPICS.config(node), text.encode())
        suspicious = found is not None and self.leftovers.found(found, 0.0)
        return found.state if found is not None and suspicious else None

    def find_ct(self, device: str) -> str:
        state = self.find(TOPICS.ct_node(device), DISCOVERY.ct(device, rotates=False))
        assert state is not None
        return state

    def find_consumer(self, device: str, mac: str = MAC) -> str:
        text = DISCOVERY.consumer(device, mac, "HMG-50", rotates=False)
        state = self.find(TOPICS.consumer_node(device, mac), text)
        assert state is not None
        return state

    def find_meter(self, section: str) -> str:
        state = self.find(TOPICS.meter_node(section), DISCOVERY.meter(section))
        assert state is not None
        return state

    def judge(self) -> list[Verdict]:
        self.assertEqual(self.leftovers.verdicts(REMOVE_AFTER_S - 1.0, TODAY), [])
        found = self.leftovers.verdicts(REMOVE_AFTER_S, TODAY)
        self.assertEqual(len(self.leftovers), 0)
        return found

    def cleared(self) -> tuple[str, ...]:
        (verdict,) = self.judge()
        return verdict.clear

    def test_a_device_that_is_no_more_is_deleted(self) -> None:
        state = self.find_ct("gone")
        config = TOPICS.config(TOPICS.ct_node("gone"))
        self.assertEqual(self.judge(), [Verdict(state, (config, state))])

    def test_with_its_batteries(self) -> None:
        state = self.find_consumer("gone")
        self.leftovers.told(state, seen(0.1), retained=True)
        config = TOPICS.config(TOPICS.consumer_node("gone", MAC))
        self.assertEqual(self.cleared(), (config, state, f"{state}/availability"))

    def test_a_meter_that_is_no_more_is_deleted(self) -> None:
        state = self.find_meter("GONE")
        self.assertEqual(self.cleared(), (TOPICS.config(TOPICS.meter_node("GONE")), state))

    def test_what_lives_belongs_to_another_and_is_left_alone(self) -> None:
        for state in (self.find_ct("theirs"), self.find_consumer("theirs"), self.find_meter("T")):
            self.leftovers.told(state, b"{}", retained=False)
        self.assertEqual([verdict.clear for verdict in self.judge()], [()] * 3)

    def test_a_device_of_the_configuration_waits_for_its_batteries(self) -> None:
        self.find_ct("here")
        self.assertEqual(self.cleared(), ())

    def test_a_battery_that_was_there_last_month_is_waited_for(self) -> None:
        state = self.find_consumer("here")
        self.leftovers.told(state, seen(LONG_GONE.days - 1), retained=True)
        self.assertEqual(self.cleared(), ())

    def test_a_battery_long_gone_is_deleted(self) -> None:
        state = self.find_consumer("here")
        self.leftovers.told(state, seen(LONG_GONE.days + 1), retained=True)
        self.assertEqual(len(self.cleared()), 3)

    def test_a_battery_of_which_nobody_knows_when_is_waited_for(self) -> None:
        for payload in (b"", b"{}", b'{"last_seen": 1}', b'{"last_seen": "x"}', b"[", b"\xff"):
            state = self.find_consumer("here")
            self.leftovers.told(state, payload, retained=True)
            self.assertEqual(self.cleared(), ())
        state = self.find_consumer("here")
        self.leftovers.told(state, b'{"last_seen": "2001-01-01T00:00:00"}', retained=True)
        self.assertEqual(self.cleared(), ())

    def test_what_has_turned_up_meanwhile_stays(self) -> None:
        state = self.find_consumer("here")
        self.leftovers.told(state, seen(100), retained=True)
        self.standing[TOPICS.config(TOPICS.consumer_node("here", MAC))] = "announced"
        self.assertEqual(self.leftovers.verdicts(1.0, TODAY), [Verdict(state)])
        self.assertEqual(len(self.leftovers), 0)

    def test_what_we_announced_is_no_suspect(self) -> None:
        node = TOPICS.ct_node("here")
        self.standing[TOPICS.config(node)] = "announced"
        self.assertIsNone(self.find(node, DISCOVERY.ct("here", rotates=False)))

    def test_the_hub_of_another_slug_goes_unless_its_owner_lives(self) -> None:
        other = Topics("astrameter", addon_slug="old_slug")
        document = Discovery(other, "unknown").hub()
        self.standing[TOPICS.bridge] = "ours"
        for echo, clear in ((b"ours", (TOPICS.config(other.hub_node),)), (b"theirs", ())):
            self.assertEqual(self.find(other.hub_node, document), TOPICS.bridge)
            self.leftovers.told(TOPICS.bridge, echo, retained=False)
            self.assertEqual(self.cleared(), clear)

    def test_when_discovery_was_switched_off_only_the_announcements_go(self) -> None:
        self.leftovers = self.make(announce=False)
        state = self.find_consumer("here")
        self.standing[state] = "{}"
        self.leftovers.told(state, b"{}", retained=False)
        config = TOPICS.config(TOPICS.consumer_node("here", MAC))
        self.assertEqual(self.cleared(), (config,))
        self.find_ct("here")
        self.assertEqual(self.cleared(), (TOPICS.config(TOPICS.ct_node("here")),))
        self.find(TOPICS.hub_node, DISCOVERY.hub())
        self.assertIn(TOPICS.config(TOPICS.hub_node), self.cleared())

    def test_what_others_announce_is_none_of_our_business(self) -> None:
        own = json.loads(DISCOVERY.meter("GONE"))
        elsewhere = json.loads(Discovery(Topics("other"), "x").meter("GONE"))
        node = TOPICS.meter_node("GONE")
        for document in (
            {**own, "origin": {"name": "zigbee2mqtt"}},
            {**own, "origin": "astrameter"},
            {**own, "state_topic": 5},
            {**own, "state_topic": "astrameter/#"},
            {**own, "state_topic": "astrameter/powermeter/OTHER"},
            elsewhere,
            [own],
            "x",
        ):
            self.assertIsNone(self.find(node, json.dumps(document)), document)
        self.assertIsNone(self.find("astrameter_something", json.dumps(own)))
        self.assertIsNone(self.find(node, json.dumps({**own, "x": "y" * 70_000})))

    def test_no_more_than_so_many(self) -> None:
        for i in range(5 * MAX_SUSPECTS):
            self.find(TOPICS.meter_node(f"M{i}"), DISCOVERY.meter(f"M{i}"))
            self.leftovers.availability(f"t{i}", b"online", True, 0.0)
        self.assertEqual(len(self.leftovers), 2 * MAX_SUSPECTS)

    def test_a_battery_that_never_returns_is_called_away_once(self) -> None:
        for topic, payload in (("a", b"online"), ("b", b"offline"), ("c", b"online")):
            self.leftovers.availability(topic, payload, True, 0.0)
        self.leftovers.availability("c", b"online", False, 1.0)
        self.assertEqual(self.leftovers.absent(CALL_AWAY_AFTER_S - 1.0), [])
        self.assertEqual(self.leftovers.absent(CALL_AWAY_AFTER_S), ["a"])
        self.assertEqual(self.leftovers.absent(1e6), [])

    def test_one_that_polls_again_is_not(self) -> None:
        self.leftovers.availability("a", b"online", True, 0.0)
        self.standing["a"] = "online"
        self.assertEqual(self.leftovers.absent(CALL_AWAY_AFTER_S), [])

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=80))
    def test_anything_may_be_retained(self, payload: bytes) -> None:
        in_our_name(TOPICS, "homeassistant/device/astrameter_x/config", payload)
        self.leftovers.told("x", payload, retained=True)
        self.leftovers.availability("y", payload, True, 0.0)


class Cleaning(HouseCase):
    """The same at a broker, which really has it."""

    def retain(self, topics: Topics, section: str) -> None:
        text = Discovery(topics, "unknown").meter(section)
        self.broker.retained[topics.config(topics.meter_node(section))] = text.encode()
        self.broker.retained[topics.meter(section)] = b'{"online": true}'

    def deleted(self) -> set[str]:
        return {one.topic for one in self.published() if not one.payload and one.retain}

    def filters(self) -> set[str]:
        return {name for name, _ in self.broker.line.filters}

    def test_a_meter_that_was_removed_while_we_were_down(self) -> None:
        self.retain(TOPICS, "GONE")
        self.retain(TOPICS, "JSON_HTTP")
        self.retain(Topics("other"), "THEIRS")
        self.start()
        self.pass_time(0.5)
        self.assertIn(TOPICS.meter("GONE"), self.filters())
        self.pass_time(REMOVE_AFTER_S - 5.0, 5.0)
        self.assertEqual(self.deleted(), set())
        self.pass_time(10.0, 5.0)
        gone = {TOPICS.config(TOPICS.meter_node("GONE")), TOPICS.meter("GONE")}
        self.assertEqual(self.deleted(), gone)
        self.assertNotIn(TOPICS.meter("GONE"), self.filters())
        self.assertTrue([x for x in self.log.lines() if "powermeter/GONE" in x])

    def test_a_meter_of_another_appliance_with_our_base_topic_is_left_alone(self) -> None:
        self.retain(TOPICS, "THEIRS")
        self.start()
        self.command(TOPICS.meter("THEIRS"), '{"online": true}')
        self.pass_time(REMOVE_AFTER_S + 10.0, 5.0)
        self.assertEqual(self.deleted(), set())
        self.assertNotIn(TOPICS.meter("THEIRS"), self.filters())

    def test_meters_are_leftovers_when_they_are_not_published_any_more(self) -> None:
        self.retain(TOPICS, "JSON_HTTP")
        self.start(powermeter_health_interval=0.0)
        self.pass_time(REMOVE_AFTER_S + 10.0, 5.0)
        self.assertIn(TOPICS.meter("JSON_HTTP"), self.deleted())

    def test_a_battery_that_does_not_return_after_our_restart_is_offline(self) -> None:
        states = [TOPICS.consumer("device-1", one) for one in (MAC, "112233445566")]
        for state in states:
            self.broker.retained[Topics.availability(state)] = b"online"
        self.start()
        self.poll()
        self.pass_time(CALL_AWAY_AFTER_S + 10.0, 5.0)
        offline = [one.topic for one in self.published() if one.payload == "offline"]
        self.assertEqual(offline, [Topics.availability(states[1])])

    def retain_ct(self, *, rotates: bool) -> str:
        config = TOPICS.config(TOPICS.ct_node("device-1"))
        text = DISCOVERY.ct("device-1", rotates=rotates)
        self.broker.retained[config] = text.encode()
        return config

    def announcements(self, config: str) -> list[dict[str, Any]]:
        found = [one.json["components"] for one in self.published() if one.topic == config]
        return [{key: one.get("unique_id") for key, one in each.items()} for each in found]

    def test_an_entity_that_is_no_more_is_ended_explicitly_and_then_left_out(self) -> None:
        config = self.retain_ct(rotates=True)
        self.start()
        self.pass_time(1.0)
        self.poll()
        first, second = self.announcements(config)
        self.assertIsNone(first["force_rotation"])
        self.assertNotIn("force_rotation", second)
        self.assertEqual({**second, "force_rotation": None}, first)
        self.assertIn(TOPICS.ct("device-1"), self.filters())
        self.pass_time(6.0)
        self.assertNotIn(TOPICS.ct("device-1"), self.filters())

    def test_also_when_what_is_retained_comes_after_ours(self) -> None:
        config = self.retain_ct(rotates=True)
        self.make()
        self.broker.reach = "down"
        self.insights.startService()
        self.poll()
        self.broker.reach = "up"
        self.pass_time(5.0)
        self.assertEqual("force_rotation" in self.announcements(config)[-1], False)
        self.assertIn("force_rotation", self.announcements(config)[-2])

    def test_what_is_the_same_is_announced_once(self) -> None:
        config = self.retain_ct(rotates=False)
        self.start()
        self.pass_time(1.0)
        self.poll()
        self.assertEqual(len(self.announcements(config)), 1)

    def test_listening_ends_and_does_not_come_back(self) -> None:
        self.start()
        self.assertIn("homeassistant/device/+/config", self.filters())
        self.pass_time(31.0)
        before = self.filters()
        self.assertNotIn("homeassistant/device/+/config", before)
        self.reconnect()
        self.assertEqual(self.filters(), before)

    def test_many_leftovers_are_looked_at_bit_by_bit(self) -> None:
        for i in range(1000):
            self.retain(TOPICS, f"GONE{i}")
        self.start()
        settle(self.clock, 100)
        self.assertLess(len(self.filters()), MAX_SUSPECTS + 10)
        self.pass_time(REMOVE_AFTER_S + 10.0, 10.0)
        self.assertEqual(len(self.deleted()), 2 * MAX_SUSPECTS)

    def test_a_break_in_between(self) -> None:
        self.retain(TOPICS, "GONE")
        self.start()
        self.pass_time(100.0, 5.0)
        self.reconnect()
        self.pass_time(REMOVE_AFTER_S, 5.0)
        self.assertIn(TOPICS.meter("GONE"), self.deleted())

    def test_stopping_meanwhile(self) -> None:
        self.retain(TOPICS, "GONE")
        self.start()
        self.stop()
        self.assertEqual(self.deleted(), set())

    def test_others_announce_what_they_like(self) -> None:
        for name, payload in (("zigbee_1", b"\xff"), ("astrameter_x", b"{"), ("y", b"[1]")):
            self.broker.retained[f"homeassistant/device/{name}/config"] = payload
        self.start()
        self.pass_time(REMOVE_AFTER_S + 10.0, 5.0)
        self.assertEqual((self.deleted(), self.log.warnings()), (set(), []))
