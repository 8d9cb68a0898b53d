from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import tasmota
from astrameter.meters.tasmota import Options, url_of
from astrameter.options import options_of
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

# Fractions of a watt count, so that no error adds up (meters.md section 1.1).
DIFFERENCES: dict[str, list[dict[str, Any]]] = {
    "MT01": [{"watts": [-432.9]}],
    "MT02": [{"watts": [-432.9]}],
    "MT03": [{"watts": [10, -20.7, 30]}],
    "MT04": [{"watts": [100.9 - 50.1]}],
    "MT05": [{"watts": [552]}],
}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "tasmota"]

NEEDED: dict[str, Any] = {
    "ip": "device",
    "json_payload_mqtt_prefix": "SML",
    "json_power_mqtt_label": ("Power",),
}
LINES = ("IP = device", "JSON_PAYLOAD_MQTT_PREFIX = SML")


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MT{i:02}" for i in range(1, 8)])


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("TASMOTA", *lines)

    def test_what_is_needed(self) -> None:
        self.assertEqual(
            self.problems(),
            ["IP: this key is required", "JSON_PAYLOAD_MQTT_PREFIX: this key is required"],
        )
        [label] = self.problems(*LINES)
        self.assertIn("JSON_POWER_MQTT_LABEL: this key is required", label)
        self.assertEqual(self.problems(*LINES, "JSON_POWER_MQTT_LABEL = Power"), [])

    def test_what_is_needed_for_calculated_power(self) -> None:
        lines = (*LINES, "JSON_POWER_CALCULATE = yes")
        keys = [problem.partition(":")[0] for problem in self.problems(*lines)]
        self.assertEqual(keys, ["JSON_POWER_INPUT_MQTT_LABEL", "JSON_POWER_OUTPUT_MQTT_LABEL"])
        pair = ("JSON_POWER_INPUT_MQTT_LABEL = a, b", "JSON_POWER_OUTPUT_MQTT_LABEL = c, d")
        self.assertEqual(self.problems(*lines, *pair), [])
        [problem] = self.problems(*lines, pair[0], "JSON_POWER_OUTPUT_MQTT_LABEL = c")
        self.assertEqual(
            problem,
            "JSON_POWER_OUTPUT_MQTT_LABEL: 1 names for 2 in JSON_POWER_INPUT_MQTT_LABEL; "
            "both want one a phase",
        )

    def test_an_empty_name_would_shift_the_phases(self) -> None:
        [problem] = self.problems(*LINES, "JSON_POWER_MQTT_LABEL = L1,,L3")
        self.assertEqual(
            problem, "JSON_POWER_MQTT_LABEL: one of the names between the commas is empty"
        )

    def test_names_that_are_not_used_do_not_matter(self) -> None:
        self.assertEqual(
            self.problems(
                *LINES,
                "JSON_POWER_MQTT_LABEL = Power",
                "JSON_POWER_INPUT_MQTT_LABEL = a, b,",
                "JSON_POWER_OUTPUT_MQTT_LABEL =",
            ),
            [],
        )

    def test_the_outer_name_has_a_default_and_may_not_be_empty(self) -> None:
        self.assertEqual(Options(**NEEDED).json_status, "StatusSNS")
        [problem] = self.problems(*LINES, "JSON_POWER_MQTT_LABEL = Power", "JSON_STATUS =")
        self.assertIn("JSON_STATUS: is empty", problem)

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASS"])

    def test_a_password_without_a_user_is_not_sent(self) -> None:
        url = url_of(Options(**NEEDED, password="secret"))
        self.assertEqual(url.sent, b"http://device/cm?cmnd=status%2010")


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [TASMOTA]
        IP = {addr}
        USER = admin
        PASS = {password}
        JSON_PAYLOAD_MQTT_PREFIX = eBZ
        JSON_POWER_CALCULATE = yes
        JSON_POWER_INPUT_MQTT_LABEL = I1, I2
        JSON_POWER_OUTPUT_MQTT_LABEL = O1, O2
        """
    GOOD: ClassVar[Any] = {
        "StatusSNS": {"Time": "2026", "eBZ": {"I1": 10, "O1": 0, "I2": 0.25, "O2": "30.5"}}
    }
    WATTS = (10.0, -30.25)
    NUMBERS = tuple(("StatusSNS", "eBZ", name) for name in ("I1", "I2", "O1", "O2"))

    def parse(self, document: object, options: Options) -> tuple[float, ...]:
        return tasmota.parse(document, options)
