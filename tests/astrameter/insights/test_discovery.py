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


class Refusing(SynchronousTestCase):
    """The rules would notice."""

    topic = PLAIN.config(PLAIN.consumer_node("d", "b"))

    def setUp(self) -> None:
        text = MAKERS["A"].consumer("d", "b", "HMJ-2", rotates=True)
        self.document: dict[str, Any] = json.loads(text)
        self.components: dict[str, dict[str, Any]] = self.document["components"]

    def faults(self) -> str:
        return " ".join(faults(self.topic, json.dumps(self.document)))

    def test_what_is_wrong_with_a_component(self) -> None:
        for key, change, fault in (
            ("phase", {"unique_id": ...}, "unique_id is missing"),
            ("phase", {"state_topic": ...}, "state_topic is missing"),
            ("phase", {"options": ...}, "options go with"),
            ("phase", {"unit_of_measurement": "x"}, "enum is not measured in x"),
            ("phase", {"entity_category": "config"}, "no such entity_category"),
            ("last_seen", {"state_class": "measurement"}, "timestamp is no number"),
            ("reported_power", {"unit_of_measurement": "kWh"}, "power is not measured in kWh"),
            ("reported_power", {"state_class": "mean"}, "no such state_class"),
            ("reported_power", {"device_class": "watts"}, "no device_class watts"),
            ("reported_power", {"stat_t": "x"}, "unknown key stat_t"),
            ("reported_power", {"platform": "switch", "command_topic": ...}, "command_topic is"),
            ("reported_power", {"platform": "light"}, "no platform light"),
            ("reported_power", {"state_topic": "a/+/b"}, "cannot be published to"),
            ("manual_target", {"min": 5, "max": 5}, "min is below max"),
            ("manual_target", {"mode": "knob"}, "no such mode"),
            ("min_dc_output", {"step": 0}, "step is at least"),
            ("active", {"state_off": "True"}, "on and off are the same"),
            ("active", {"name": 5}, "the name is text"),
        ):
            self.setUp()
            merged = {**self.components[key], **change}
            self.components[key] = {k: v for k, v in merged.items() if v is not ...}
            self.assertIn(fault, self.faults())

    def test_what_is_wrong_with_a_document(self) -> None:
        for path, value, fault in (
            ("cmps", {}, "unknown key cmps"),
            ("origin", {"sw_version": "1"}, "the origin has no name"),
            ("origin", {"name": "x", "url": "1"}, "unknown key url of the origin"),
            ("device", {"name": "x"}, "neither identifiers nor connections"),
            ("device", {"identifiers": "x", "via_device": ["y"]}, "via_device of the device"),
            ("availability", [{"payload_available": "x"}], "no availability"),
            ("availability_mode", "most", "availability_mode"),
        ):
            self.setUp()
            self.document[path] = value
            self.assertIn(fault, self.faults())
        self.setUp()
        self.topic = "homeassistant/device/a.b/config"
        self.assertIn("no discovery topic", self.faults())

    def test_what_does_not_fit_together(self) -> None:
        other = PLAIN.config("other")
        texts = dict.fromkeys((self.topic, other), json.dumps(self.document))
        found = " ".join(faults_of_all(texts, {}))
        self.assertIn("is in", found)
        self.assertIn("nobody announces the device astrameter_ct002_d", found)

    def test_values_that_an_entity_refuses(self) -> None:
        state = {**next(c["json"] for c in states("/consumer/"))}
        for change, fault in (
            ({"phase": "E"}, "is none of"),
            ({"active": "yes"}, "neither on nor off"),
            ({"last_seen": "2026-11-21T05:31:04"}, "no time with a zone"),
            ({"reported_power": "5"}, "is no number"),
            ({"manual_target": 20_000.0}, "out of range"),
        ):
            standing = {self.document["state_topic"]: json.dumps({**state, **change})}
            texts = {self.topic: json.dumps(self.document)}
            self.assertIn(fault, " ".join(faults_of_all(texts, standing)))
        del state["ct_mac"]
        standing = {self.document["state_topic"]: json.dumps(state)}
        texts = {self.topic: json.dumps(self.document)}
        self.assertIn("has no ct_mac", " ".join(faults_of_all(texts, standing)))
