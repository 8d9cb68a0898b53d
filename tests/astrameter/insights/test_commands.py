"""What commands say."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.settings import DEFAULTS, with_setting
from astrameter.insights.commands import (
    MAX_ID,
    MAX_PAYLOAD,
    BatteryCommand,
    Cleared,
    CtCommand,
    Refused,
    parse,
)
from astrameter.insights.topics import CommandTopic, Topics
from tests.astrameter.insights.vectors import COMMANDS
from tests.vectors import each

TOPICS = Topics("site/astra")
BATTERY = CommandTopic("d", "aabbccddeeff", "manual_target")
DEVICE = CommandTopic("d")


def payload_of(case: dict[str, Any]) -> bytes:
    if "payload_hex" in case:
        return bytes.fromhex(case["payload_hex"])
    return bytes(case["payload"], "utf-8")


class Samples(SynchronousTestCase):
    @each([case for case in COMMANDS if "accepted" in case])
    def battery(self, case: dict[str, Any]) -> None:
        topic = TOPICS.command(case["topic"])
        assert topic is not None
        command = parse(topic, payload_of(case), retained=False)
        self.assertEqual(isinstance(command, BatteryCommand), case["accepted"], command)
        if isinstance(command, BatteryCommand):
            self.assertEqual({topic.field: command.value}, case["changed"])
            with_setting(DEFAULTS, topic.field, command.value)
        logged = " ".join(case["logged"])
        self.assertEqual(isinstance(command, Refused) and bool(command.why), "warning" in logged)

    @each([case for case in COMMANDS if case["topic"].endswith("my dev.1/set")])
    def ct(self, case: dict[str, Any]) -> None:
        topic = TOPICS.command(case["topic"])
        assert topic is not None
        command = parse(topic, payload_of(case), retained=False)
        logged = " ".join(case["logged"])
        if not payload_of(case):
            # 2.x warned of a retained command that somebody deleted.
            self.assertIsInstance(command, Cleared)
        elif isinstance(command, CtCommand):
            self.assertEqual(bool(command.complaint), "warning" in logged)
            switched = {True: "on", False: "off", None: ""}[command.active_control]
            self.assertEqual(switched in logged and bool(switched), "info" in logged)
            self.assertEqual(command.rotate, '"force_rotation": true' in case["payload"])
        else:
            self.assertIsInstance(command, Refused)
            self.assertIn("warning", logged)

    @each([case for case in COMMANDS if "payload_hex" in case])
    def not_text(self, case: dict[str, Any]) -> None:
        topic = TOPICS.command(case["topic"])
        assert topic is not None
        command = parse(topic, payload_of(case), retained=False)
        self.assertIsInstance(command, Refused)


class Parsing(SynchronousTestCase):
    def refused(self, payload: bytes, topic: CommandTopic = BATTERY) -> str:
        command = parse(topic, payload, retained=False)
        assert isinstance(command, Refused), command
        return command.why

    def test_numbers_that_are_none(self) -> None:
        for text in ("nan", "NaN", "inf", "-inf", "1e999", "0x10", "12,5", "--1", "1 2", "{}"):
            self.assertEqual(self.refused(text.encode()), "this is a number -10000..10000")

    def test_ranges_are_inclusive(self) -> None:
        for field, low, high in (
            ("manual_target", "-10000", "10000"),
            ("distribution_weight", "0", "10"),
            ("efficiency_window_weight", "0", "100"),
            ("min_dc_output", "0", "1000"),
        ):
            topic = CommandTopic("d", "b", field)
            for text in (low, high):
                self.assertIsInstance(parse(topic, text.encode(), False), BatteryCommand)
            for text in (f"{float(low) - 0.001}", f"{float(high) + 0.001}"):
                self.assertIsInstance(parse(topic, text.encode(), False), Refused)

    def test_percent_become_fractions(self) -> None:
        topic = CommandTopic("d", "b", "efficiency_window_weight")
        for text, value in ((b"35", 0.35), (b"100", 1.0), (b"0", 0.0)):
            command = parse(topic, text, False)
            assert isinstance(command, BatteryCommand)
            self.assertEqual(command.value, value)

    def test_long_payloads_are_not_looked_at(self) -> None:
        self.assertIn("at most", self.refused(b"1" * (MAX_PAYLOAD + 1)))
        self.assertIn("at most", self.refused(bytes(1_000_000), DEVICE))
        self.assertIn("number", self.refused(b"1" * MAX_PAYLOAD))

    def test_deep_and_huge_json(self) -> None:
        for payload in (b"[" * MAX_PAYLOAD, b'{"a":' * 50, b"9" * MAX_PAYLOAD, b"NaN", b"null"):
            self.assertIn("JSON object", self.refused(payload, DEVICE))

    def test_wrong_types(self) -> None:
        for value in ('"false"', "1", "0", "null", "[]", "{}", "NaN"):
            command = parse(DEVICE, b'{"active_control": %s}' % value.encode(), False)
            assert isinstance(command, CtCommand)
            self.assertIsNone(command.active_control)
            self.assertIn("true or false", command.complaint)

    def test_a_button_is_not_pressed_by_the_past(self) -> None:
        payload = b'{"force_rotation": true, "active_control": true}'
        self.assertEqual(parse(DEVICE, payload, True), CtCommand(DEVICE, True, False))
        self.assertEqual(parse(DEVICE, payload, False), CtCommand(DEVICE, True, True))

    def test_a_mac_in_capitals_is_told(self) -> None:
        topic = CommandTopic("d", "AABB", "active")
        self.assertIn("lower case", self.refused(b"true", topic))

    def test_ids_that_nobody_has_are_no_business_of_ours(self) -> None:
        long = "a" * (MAX_ID + 1)
        for topic in (CommandTopic("d", long, "active"), CommandTopic(long)):
            self.assertEqual(self.refused(b"true", topic), "")

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=60), st.sampled_from([BATTERY, DEVICE]), st.booleans())
    def test_anything_is_a_command_or_refused(
        self, payload: bytes, topic: CommandTopic, retained: bool
    ) -> None:
        command = parse(topic, payload, retained)
        if isinstance(command, BatteryCommand):
            with_setting(DEFAULTS, topic.field, command.value)
