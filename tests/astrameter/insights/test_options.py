"""The section [MQTT_INSIGHTS]."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import Settings, load_text
from astrameter.insights.options import INSIGHTS, InsightsOptions, broker_of
from astrameter.mqtt import MqttSettings
from astrameter.problems import ConfigError
from tests.astrameter.insights.vectors import named
from tests.vectors import each


def loaded(text: str) -> Settings:
    return load_text(text, "config.ini")


def options(keys: str = "") -> InsightsOptions:
    found = loaded(f"[MQTT_INSIGHTS]\n{keys}").part(INSIGHTS)
    assert found is not None
    return found


class Loading(SynchronousTestCase):
    def problem(self, keys: str) -> str:
        with self.assertRaises(ConfigError) as caught:
            options(keys)
        return str(caught.exception)

    def test_its_presence_alone_switches_it_on(self) -> None:
        self.assertIsNone(loaded("").part(INSIGHTS))
        self.assertEqual(options(), InsightsOptions())

    def test_defaults_of_2x(self) -> None:
        found = options()
        self.assertEqual(
            (found.broker, found.port, found.tls, found.base_topic, found.ha_discovery),
            ("localhost", 1883, False, "astrameter", True),
        )
        self.assertEqual(
            (found.ha_discovery_prefix, found.addon_slug, found.marstek_mqtt_enabled),
            ("homeassistant", "", True),
        )
        self.assertEqual(
            (found.marstek_mqtt_interval, found.powermeter_health_interval), (300.0, 30.0)
        )
        self.assertEqual(broker_of(found), MqttSettings("localhost"))

    def test_keys_without_a_value_have_their_defaults(self) -> None:
        words = (
            "URI BROKER PORT USERNAME PASSWORD TLS BASE_TOPIC HA_DISCOVERY HA_DISCOVERY_PREFIX "
            "ADDON_SLUG MARSTEK_MQTT_ENABLED MARSTEK_MQTT_INTERVAL POWERMETER_HEALTH_INTERVAL "
            "PUBLISH_INTERVAL"
        )
        keys = re.findall(r"\w+", words)
        self.assertEqual(options("".join(f"{key} =\n" for key in keys)), InsightsOptions())

    def test_the_port_stays_1883_with_tls_as_in_2x(self) -> None:
        self.assertEqual(broker_of(options("TLS = yes\n")).port, 1883)

    def test_the_uri_replaces_all_that_it_could_say(self) -> None:
        keys = "BROKER = x\nPORT = 7\nUSERNAME = me\nPASSWORD = secret\nTLS = yes\n"
        found = broker_of(options(f"{keys}URI = mqtt://h\n"))
        self.assertEqual(found, MqttSettings("h"))

    @each(named("mqtt_uri"))
    def uri(self, case: dict[str, Any]) -> None:
        text = case["input"]
        if not text:
            self.assertEqual(options("URI =\n"), InsightsOptions())
        elif "error" in case or case["result"]["port"] == 0:  # nobody listens at port 0
            self.assertIn("URI", self.problem(f"URI = {text}\n"))
        else:
            found, wanted = broker_of(options(f"URI = {text}\n")), case["result"]
            self.assertEqual(
                (found.host, found.port, found.username, found.password, found.tls),
                tuple(wanted[key] for key in ("host", "port", "username", "password", "tls")),
            )

    def test_a_password_is_taken_as_it_is_and_shown_nowhere(self) -> None:
        found = options("USERNAME = u\nPASSWORD = 50%(a)s#;\n")
        self.assertEqual(broker_of(found).password, "50%(a)s#;")
        problem = self.problem("URI = mqtt://u:hunter2@h/path\n")
        self.assertNotIn("hunter2", problem)

    def test_wrong_values_are_told(self) -> None:
        for keys in (
            "PORT = abc\n",
            "TLS = maybe\n",
            "HA_DISCOVERY = 2\n",
            "MARSTEK_MQTT_INTERVAL = x\n",
            "POWERMETER_HEALTH_INTERVAL = nan\n",
            "BASE_TOPIC = a/+/b\n",
            "HA_DISCOVERY_PREFIX = #\n",
            "PUBLISH_INTERVAL = -1\n",
        ):
            self.assertIn(keys.partition(" ")[0], self.problem(keys))

    def test_intervals_may_be_negative_for_off(self) -> None:
        found = options("MARSTEK_MQTT_INTERVAL = -1\nPOWERMETER_HEALTH_INTERVAL = 0\n")
        self.assertEqual(found.marstek_mqtt_interval, -1.0)

    def test_the_first_section_whose_name_begins_so_counts(self) -> None:
        text = "[mqtt_insights]\n[MQTT_INSIGHTS_x]\nBROKER = a\n[MQTT_INSIGHTS]\nBROKER = b\n"
        found = loaded(text)
        part = found.part(INSIGHTS)
        assert part is not None
        self.assertEqual(part.broker, "a")
        self.assertEqual(found.meters, ())
        ignored = [(w.line, w.section) for w in found.warnings if w.section]
        self.assertEqual(ignored, [(1, "mqtt_insights"), (4, "MQTT_INSIGHTS")])
        self.assertIn("[MQTT_INSIGHTS_x]", found.warnings[-1].message)

    def test_it_is_shown_among_the_sections(self) -> None:
        names = [s.name for s in loaded("[MQTT_INSIGHTS]\n[CT003]\n").sections]
        self.assertEqual(names[-2:], ["CT003", "MQTT_INSIGHTS"])
