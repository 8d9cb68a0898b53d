"""Names."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.insights.topics import CommandTopic, Kind, Place, Topics, fits, mac_slug, sanitize
from tests.astrameter.insights.vectors import named
from tests.vectors import each

PLAIN = Topics("astrameter")
NESTED = Topics("site/astra", "ha", "a0ef98c5_b2500_meter")

devices = st.text(st.characters(codec="utf-8", exclude_characters="+#\0/"), min_size=1, max_size=9)


class Names(SynchronousTestCase):
    @each(named("sanitize_id"))
    def sanitize(self, case: dict[str, Any]) -> None:
        self.assertEqual(sanitize(case["input"]), case["result"])

    def test_the_hub_is_known_by_the_add_on_or_by_the_base_topic(self) -> None:
        self.assertEqual(PLAIN.hub_id, "astrameter_astrameter")
        self.assertEqual(Topics("site/astra").hub_id, "astrameter_site_astra")
        self.assertEqual(NESTED.hub_node, "astrameter_addon_a0ef98c5_b2500_meter")

    def test_a_battery_has_one_name_at_every_ct(self) -> None:
        self.assertEqual(mac_slug("AABB-CC_DD"), "aabbccdd")
        self.assertEqual(mac_slug("192.168.1.5:22222"), "1921681522222")

    def test_device_ids_stand_raw_in_topics_and_sanitised_in_ids(self) -> None:
        self.assertEqual(NESTED.ct("my dev.1"), "site/astra/ct002/my dev.1/status")
        self.assertEqual(NESTED.ct_node("my dev.1"), "astrameter_ct002_my_dev_1")
        self.assertEqual(
            PLAIN.meter("MQTT_garage meter"), "astrameter/powermeter/MQTT_garage_meter"
        )

    def test_what_no_topic_can_hold(self) -> None:
        for name in ("", "a+", "#", "a\0b", "a/b"):
            self.assertFalse(fits(name), name)
        self.assertTrue(fits("a/b", levels=True))
        self.assertFalse(fits("a/+", levels=True))
        self.assertTrue(fits("192.168.1.5:2222"))


class Places(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(devices, devices)
    def test_a_state_topic_tells_what_it_is_about(self, device: str, battery: str) -> None:
        for topics in (PLAIN, NESTED):
            self.assertEqual(
                topics.place(topics.consumer(device, battery)),
                Place(Kind.CONSUMER, device, battery),
            )
            found = topics.place(topics.battery(device, battery))
            self.assertEqual(found, Place(Kind.BATTERY, device, sanitize(battery)))
            self.assertEqual(topics.place(topics.ct(device)), Place(Kind.CT, device))
            self.assertEqual(topics.place(topics.shelly(device)), Place(Kind.SHELLY, device))
            meter = Place(Kind.METER, sanitize(device))
            self.assertEqual(topics.place(topics.meter(device)), meter)

    @settings(deadline=None, derandomize=True)
    @given(devices, devices)
    def test_and_where_it_was_announced(self, device: str, battery: str) -> None:
        place = PLAIN.place(PLAIN.battery(device, battery))
        assert place is not None
        self.assertEqual(PLAIN.node(place), PLAIN.battery_node(device, battery))
        self.assertEqual(PLAIN.node(Place(Kind.HUB)), PLAIN.hub_node)
        self.assertEqual(PLAIN.node(Place(Kind.CT, device)), PLAIN.ct_node(device))
        self.assertEqual(PLAIN.node(Place(Kind.SHELLY, device)), PLAIN.shelly_node(device))
        self.assertEqual(PLAIN.node(Place(Kind.METER, device)), PLAIN.meter_node(device))
        consumer = Place(Kind.CONSUMER, device, battery)
        self.assertEqual(PLAIN.node(consumer), PLAIN.consumer_node(device, battery))

    def test_other_topics_are_about_nothing(self) -> None:
        for topic in ("astrameter", "other/ct002/x/status", "astrameter/ct002/x", "astrameter/x/y"):
            self.assertIsNone(PLAIN.place(topic), topic)


class Commands(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(devices, devices, st.sampled_from(["active", "bogus"]))
    def test_who_a_command_is_for(self, device: str, battery: str, field: str) -> None:
        for topics in (PLAIN, NESTED):
            topic = topics.consumer_command(device, battery, field)
            self.assertEqual(topics.command(topic), CommandTopic(device, battery, field))
            self.assertEqual(topics.command(topics.ct_command(device)), CommandTopic(device))

    def test_a_device_with_slashes(self) -> None:
        topic = PLAIN.consumer_command("house/east", "aa", "active")
        self.assertEqual(PLAIN.command(topic), CommandTopic("house/east", "aa", "active"))

    def test_what_is_no_command(self) -> None:
        for topic in (
            "astrameter/ct002/set",
            "astrameter/ct002//set",
            "astrameter/ct002/x/status",
            "other/ct002/x/set",
            "astrameter/shelly/x/set",
            "astrameter/ct002/x/consumer//active/set",
        ):
            self.assertIsNone(PLAIN.command(topic), topic)

    def test_the_subscriptions(self) -> None:
        self.assertEqual(
            NESTED.command_filters(),
            ("site/astra/ct002/+/consumer/+/+/set", "site/astra/ct002/+/set"),
        )
