"""What Home Assistant is told: what AstraMeter 2.2.3 told it, and nothing that it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.insights import payloads
from astrameter.insights.discovery import Discovery
from astrameter.insights.topics import Kind, Topics
from tests.astrameter.insights.vectors import COMMIT, documents, states
from tests.homeassistant import faults, faults_of_all
from tests.vectors import each

PLAIN = Topics("astrameter")
NESTED = Topics("site/astra", "ha", "a0ef98c5_b2500_meter")
TOPICS = {"A": PLAIN, "B": NESTED}
MAKERS = {"A": Discovery(PLAIN, "unknown"), "B": Discovery(NESTED, COMMIT)}


def made(case: dict[str, Any]) -> tuple[str, str]:
    """Our document for the same thing, and its topic."""
    context = case["context"]
    topics, discovery, rotates = TOPICS[context], MAKERS[context], context == "B"
    place = topics.place(case["json"]["state_topic"])
    assert place is not None
    device, battery = place.device, place.battery
    topic = topics.config(topics.node(place))
    match place.kind:
        case Kind.HUB:
            return topic, discovery.hub()
        case Kind.CT:
            return topic, discovery.ct(device, rotates=rotates)
        case Kind.CONSUMER:
            kind = case["json"]["device"]["model_id"]
            return topic, discovery.consumer(device, battery, kind, rotates=rotates)
        case Kind.METER:
            return topic, discovery.meter("JSON_HTTP")
        case Kind.SHELLY:
            return topic, discovery.shelly(device)
        case Kind.BATTERY:
            return topic, discovery.battery(device, battery.replace("_", "."))


class Documents(SynchronousTestCase):
    @each(list(documents()))
    def same_as_before(self, case: dict[str, Any]) -> None:
        topic, text = made(case)
        found = json.loads(text)
        self.assertEqual(topic, case["topic"])
        self.assertEqual(found, case["json"])
        self.assertEqual(list(found["components"]), list(case["json"]["components"]))

    @each(list(documents()))
    def home_assistant_takes_it(self, case: dict[str, Any]) -> None:
        self.assertEqual(faults(*made(case)), [])

    def test_all_of_a_house_together(self) -> None:
        """Unique ids are unique, parents exist, and every template finds its value."""
        discovery = MAKERS["A"]
        mac, ip = "aabbccddeeff", "127.0.0.50"
        texts = {
            PLAIN.hub_node: discovery.hub(),
            PLAIN.ct_node("device-1"): discovery.ct("device-1", rotates=True),
            PLAIN.ct_node("device-2"): discovery.ct("device-2", rotates=False),
            PLAIN.consumer_node("device-1", mac): discovery.consumer(
                "device-1", mac, "HMJ-2", rotates=True
            ),
            PLAIN.consumer_node("device-2", mac): discovery.consumer(
                "device-2", mac, "HMJ-2", rotates=False
            ),
            PLAIN.shelly_node("s"): discovery.shelly("s"),
            PLAIN.battery_node("s", ip): discovery.battery("s", ip),
            PLAIN.meter_node("JSON_HTTP"): discovery.meter("JSON_HTTP"),
        }
        consumer = next(c["json"] for c in states("/consumer/") if c["json"]["phase"] == "D")
        standing = {
            PLAIN.bridge: payloads.bridge("3", 1),
            PLAIN.ct("device-1"): payloads.ct_status(0.0, True, 1),
            PLAIN.ct("device-2"): payloads.ct_status(0.0, True, 1),
            PLAIN.consumer("device-1", mac): json.dumps(consumer),
            PLAIN.consumer("device-2", mac): json.dumps(consumer),
            PLAIN.shelly("s"): payloads.shelly_status(1),
            PLAIN.battery("s", ip): json.dumps(next(states("/battery/"))["json"]),
            PLAIN.meter("JSON_HTTP"): payloads.meter_health(False, ()),
        }
        announced = {PLAIN.config(node): text for node, text in texts.items()}
        self.assertEqual(faults_of_all(announced, standing), [])

    def test_no_device_has_a_connection(self) -> None:
        """Home Assistant would merge it with the device of another integration."""
        for case in documents():
            self.assertNotIn("connections", json.loads(made(case)[1])["device"])

    def test_a_battery_of_unknown_type(self) -> None:
        text = MAKERS["A"].consumer("device-1", "192.168.1.5:222", "", rotates=False)
        document = json.loads(text)
        self.assertEqual(document["device"]["name"], "AstraMeter Consumer 19216815222")
        self.assertNotIn("model_id", document["device"])
        topic = PLAIN.config(PLAIN.consumer_node("device-1", "192.168.1.5:222"))
        self.assertEqual(faults(topic, text), [])

    def test_a_section_is_named_in_words(self) -> None:
        for section, name in (
            ("JSON_HTTP_roof", "Json Http Roof"),
            ("MQTT_garage meter", "Mqtt Garage Meter"),
        ):
            document = json.loads(MAKERS["A"].meter(section))
            self.assertEqual(document["device"]["name"], f"AstraMeter Powermeter {name}")

    def test_batteries_without_an_inverter_have_a_smallest_output(self) -> None:
        for kind, has in (("HMA-1", 1), ("hmj-2", 1), ("HMK-3", 1), ("HMG-50", 0), ("", 0)):
            text = MAKERS["A"].consumer("d", "b", kind, rotates=False)
            self.assertEqual("min_dc_output" in json.loads(text)["components"], bool(has), kind)

    def test_what_may_be_null_is_unknown_or_left_alone_never_the_text_none(self) -> None:
        """A template that renders None makes a numeric entity "unknown"; a text it would show."""
        text = MAKERS["A"].consumer("d", "b", "HMJ-2", rotates=True)
        components = json.loads(text)["components"]
        for key in ("poll_interval", "last_target", "min_dc_output"):
            self.assertIn("unit_of_measurement", components[key])
        for component in json.loads(MAKERS["A"].meter("M"))["components"].values():
            if "grid_power" in component["value_template"]:
                self.assertIn("is not none", component["value_template"])

    def test_the_command_template_renders_what_the_command_understands(self) -> None:
        component = json.loads(MAKERS["A"].ct("d", rotates=False))["components"]["active_control"]
        template = component["command_template"]
        for value, wanted in (("ON", True), ("OFF", False)):
            word = "true" if value == component["payload_on"] else "false"
            rendered = re.sub(r'\{\{ "true" if value == "ON" else "false" \}\}', word, template)
            self.assertEqual(json.loads(rendered), {"active_control": wanted})
