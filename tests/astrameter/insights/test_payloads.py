"""What the state topics say: byte for byte what AstraMeter 2.2.3 said."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import CtAnswered
from astrameter.insights import payloads
from tests.astrameter.insights.vectors import ct_answered, named, shelly_answered, states
from tests.vectors import each

KEYS = re.findall(
    r"\w+",
    "grid_power target phase reported_power device_type battery_ip ct_type ct_mac saturation "
    "last_target active poll_interval last_seen manual_target auto_target distribution_weight "
    "efficiency_window_weight min_dc_output",
)


class Payloads(SynchronousTestCase):
    @each(list(states("/consumer/")))
    def consumer_state(self, case: dict[str, Any]) -> None:
        text = payloads.consumer_state(ct_answered("d", "b", case["json"]))
        self.assertEqual(text, json.dumps(case["json"]))
        self.assertEqual(list(json.loads(text)), KEYS)

    @each([case for case in states("/ct002/") if case["topic"].endswith("/status")])
    def ct_status(self, case: dict[str, Any]) -> None:
        self.assertEqual(payloads.ct_status(*case["json"].values()), json.dumps(case["json"]))

    def test_the_sum_is_a_whole_number(self) -> None:
        for steered_w, shown in ((463.0, 463), (-0.9, 0), (float("nan"), None)):
            status = json.loads(payloads.ct_status(steered_w, True, 1))
            self.assertIs(type(status["smooth_target"]), type(shown))
            self.assertEqual(status["smooth_target"], shown)

    @each(list(states("/battery/")))
    def battery_state(self, case: dict[str, Any]) -> None:
        text = payloads.battery_state(shelly_answered("d", "i", case["json"], 1))
        self.assertEqual(text, json.dumps(case["json"]))

    @each([case for case in states("/shelly/") if case["topic"].endswith("/status")])
    def shelly_status(self, case: dict[str, Any]) -> None:
        text = payloads.shelly_status(case["json"]["battery_count"])
        self.assertEqual(text, json.dumps(case["json"]))

    @each(list(states("/bridge")))
    def bridge(self, case: dict[str, Any]) -> None:
        text = payloads.bridge("2.2.3", case["json"]["consumer_count"])
        self.assertEqual(text, json.dumps(case["json"]))

    @each(list(states("/powermeter/")))
    def meter_health(self, case: dict[str, Any]) -> None:
        power = case["json"]["grid_power"]
        watts = [power[one] for one in ("l1", "l2", "l3") if power[one] is not None]
        text = payloads.meter_health(case["json"]["online"], watts)
        self.assertEqual(text, json.dumps(case["json"]))

    @each(named("grid_power_payload"))
    def meter_power(self, case: dict[str, Any]) -> None:
        self.assertEqual(payloads.meter_power(case["values"] or ()), case["result"])

    def test_an_event_that_lacks_values_has_those_of_section_4_1(self) -> None:
        event = CtAnswered("d", "b", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), {})
        found = json.loads(payloads.consumer_state(event))
        self.assertEqual(list(found), KEYS)
        self.assertEqual((found["phase"], found["reported_power"], found["active"]), ("", 0, True))
        self.assertIsNone(found["last_seen"])

    def test_what_is_no_number_is_null(self) -> None:
        data = {"saturation": math.nan, "last_target": math.inf, "phase": "A"}
        event = CtAnswered("d", "b", (math.nan, 1.0, 0.0), (0.0, 0.0, 0.0), data)
        found = json.loads(payloads.consumer_state(event))
        self.assertEqual((found["saturation"], found["last_target"]), (None, None))
        self.assertEqual(found["grid_power"], {"l1": None, "l2": 1.0, "l3": 0.0, "total": None})

    def test_text_is_ascii(self) -> None:
        self.assertEqual(payloads.to_json({"a": "ä"}), '{"a": "\\u00e4"}')
