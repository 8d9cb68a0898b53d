"""Compressed states (meters.md section 8), without a network."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.homeassistant_states import States
from tests.astrameter.meters.bad_input import like

PAIRS = (("sensor.in", "sensor.out"), ("sensor.more", None))
GOOD = {"a": {"sensor.in": {"s": "5"}, "sensor.out": {"s": 2}, "sensor.more": {"s": "-1.5"}}}


class StatesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.states = States("HOMEASSISTANT", PAIRS, self.clock)

    def watts(self) -> tuple[float, ...] | None:
        sample = self.states.reading()
        return None if sample is None else sample.watts

    def test_entities_are_in_order(self) -> None:
        names = [entity.name for entity in self.states.entities]
        self.assertEqual(names, ["sensor.in", "sensor.more", "sensor.out"])

    def test_a_reading_needs_all(self) -> None:
        for name, value in GOOD["a"].items():
            self.assertIsNone(self.watts())
            self.assertTrue(self.states.apply({"a": {name: value}}))
        self.assertEqual(self.watts(), (3.0, -1.5))

    def test_changes(self) -> None:
        self.states.apply(GOOD)
        self.assertTrue(self.states.apply({"c": {"sensor.in": {"+": {"s": "6"}}}}))
        self.assertEqual(self.watts(), (4.0, -1.5))

    def test_a_state_reported_again_is_news_and_fresh_but_changes_nothing(self) -> None:
        self.states.apply(GOOD)
        for key in ("lu", "lc"):
            self.clock.advance(10.0)
            event = {"c": {name: {"+": {key: 1.0}} for name in GOOD["a"]}}
            self.assertTrue(self.states.apply(event))
            sample = self.states.reading()
            assert sample is not None
            self.assertEqual(sample.watts, (3.0, -1.5))
            self.assertEqual(sample.measured_at, self.clock.seconds())

    def test_it_is_no_news_of_an_entity_without_a_value(self) -> None:
        self.assertFalse(self.states.apply({"c": {"sensor.in": {"+": {"lu": 1.0}}}}))

    def test_attributes_are_no_news(self) -> None:
        self.states.apply(GOOD)
        self.clock.advance(10.0)
        for change in ({"+": {"a": {"x": 1}}}, {"-": {"a": ["x"]}}, {}):
            self.assertFalse(self.states.apply({"c": {"sensor.in": change}}))
        sample = self.states.reading()
        assert sample is not None
        self.assertEqual(sample.measured_at, 0.0)

    def test_what_is_no_number_is_news_but_null_and_removal_are_not(self) -> None:
        for event, news in (
            ({"c": {"sensor.in": {"+": {"s": "unavailable"}}}}, True),
            ({"c": {"sensor.in": {"+": {"s": None}}}}, False),
            ({"r": ["sensor.in"]}, False),
        ):
            self.states.apply(GOOD)
            self.assertEqual(self.watts(), (3.0, -1.5))
            self.assertIs(self.states.apply(event), news)
            self.assertIsNone(self.watts())
            self.assertIn("sensor.in", self.states.absence())

    def test_forgetting(self) -> None:
        self.states.apply(GOOD)
        self.states.forget()
        self.assertIsNone(self.watts())
        self.assertIn("has not said anything about sensor.in yet", self.states.absence())

    @settings(deadline=None, derandomize=True)
    @given(
        like(
            {
                **GOOD,
                "c": {"sensor.in": {"+": {"s": "1", "lu": 1.0}, "-": {"a": []}}},
                "r": ["sensor.out"],
            }
        ),
        st.booleans(),
    )
    def test_any_event_leaves_a_reading_or_a_reason(self, event: Any, before: bool) -> None:
        states = States("HOMEASSISTANT", PAIRS, Clock())
        if before:
            states.apply(GOOD)
        self.assertIsInstance(states.apply(event), bool)
        sample = states.reading()
        if sample is None:
            self.assertTrue(0 < len(states.absence()) < 200)
        else:
            self.assertEqual([type(value) for value in sample.watts], [float, float])
        states.apply(GOOD)
        self.assertEqual(states.reading() and states.reading().watts, (3.0, -1.5))
