"""Entities that are no more are ended, and then left out."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.insights.components import MAX_COMPONENTS, MAX_DOCUMENTS, Components
from astrameter.insights.discovery import Discovery
from astrameter.insights.topics import Topics
from tests.homeassistant import faults

TOPICS = Topics("astrameter")
DISCOVERY = Discovery(TOPICS, "unknown")
CT = TOPICS.config(TOPICS.ct_node("d"))
ROTATING = DISCOVERY.ct("d", rotates=True)
PLAIN = DISCOVERY.ct("d", rotates=False)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def document(**platforms: Any) -> dict[str, Any]:
    return {"components": {key: {"platform": one} for key, one in platforms.items()}}


class Ending(SynchronousTestCase):
    def setUp(self) -> None:
        self.components = Components()

    def farewell(self, topic: str, text: str) -> dict[str, Any] | None:
        found = self.components.farewell(topic, text)
        return None if found is None else json.loads(found)

    def ended(self, topic: str, text: str) -> dict[str, Any]:
        """What the announcement before this one ends."""
        found, ours = self.farewell(topic, text), json.loads(text)
        if found is None:
            return {}
        more = {k: v for k, v in found["components"].items() if k not in ours["components"]}
        kept = {k: v for k, v in found["components"].items() if k in ours["components"]}
        self.assertEqual({**found, "components": kept}, ours)
        return more

    def test_what_never_had_more_needs_no_farewell(self) -> None:
        for text in (PLAIN, PLAIN, ROTATING):
            self.assertIsNone(self.farewell(CT, text))

    def test_an_option_that_was_switched_off_ends_its_entity(self) -> None:
        self.farewell(CT, ROTATING)
        self.assertEqual(self.ended(CT, PLAIN), {"force_rotation": {"platform": "button"}})

    def test_home_assistant_takes_it(self) -> None:
        self.farewell(CT, ROTATING)
        text = self.components.farewell(CT, PLAIN)
        assert text is not None
        self.assertEqual(faults(CT, text), [])

    def test_it_is_said_again_to_a_broker_that_is_back(self) -> None:
        self.farewell(CT, ROTATING)
        self.assertEqual(self.ended(CT, PLAIN), self.ended(CT, PLAIN))

    def test_an_entity_that_is_back_is_not_ended(self) -> None:
        self.farewell(CT, ROTATING)
        self.farewell(CT, PLAIN)
        self.assertIsNone(self.farewell(CT, ROTATING))

    def test_what_an_earlier_release_announced_is_ended(self) -> None:
        old = document(smooth_target="sensor", old_name="sensor")
        self.assertFalse(self.components.seen(CT, old))
        self.assertEqual(self.ended(CT, PLAIN), {"old_name": {"platform": "sensor"}})

    def test_it_may_become_known_after_ours_was_published(self) -> None:
        self.farewell(CT, PLAIN)
        self.assertTrue(self.components.seen(CT, document(old_name="sensor")))
        self.assertFalse(self.components.seen(CT, json.loads(PLAIN)))
        self.assertEqual(self.ended(CT, PLAIN), {"old_name": {"platform": "sensor"}})

    def test_another_platform_is_another_entity(self) -> None:
        self.components.seen(CT, document(active_control="sensor"))
        found = self.farewell(CT, PLAIN)
        assert found is not None
        self.assertEqual(found["components"]["active_control"], {"platform": "sensor"})

    def test_a_topic_that_was_deleted_has_nothing_to_end(self) -> None:
        self.farewell(CT, ROTATING)
        self.assertIsNone(self.farewell(CT, ""))
        self.assertEqual(len(self.components), 0)
        self.assertIsNone(self.farewell(CT, PLAIN))

    def test_topics_have_nothing_to_do_with_each_other(self) -> None:
        self.components.seen("other", document(old_name="sensor"))
        self.assertIsNone(self.farewell(CT, PLAIN))

    def test_what_is_no_component_is_left_out(self) -> None:
        for odd in (None, [], "x", {"platform": 5}, {"platform": ""}, {"platform": "a b"}, {}):
            self.components.seen(CT, {"components": {"odd": odd}})
        for odd_key in ("", "a" * 65, "a.b", "ä"):
            self.components.seen(CT, {"components": {odd_key: {"platform": "sensor"}}})
        self.components.seen(CT, {"components": ["x"]})
        self.assertIsNone(self.farewell(CT, PLAIN))

    def test_it_is_bounded(self) -> None:
        many = document(**{f"e{i}": "sensor" for i in range(10 * MAX_COMPONENTS)})
        for i in range(3 * MAX_DOCUMENTS):
            self.components.seen(f"t{i}", many)
        self.assertEqual(len(self.components), MAX_DOCUMENTS)
        self.assertEqual(len(self.ended(f"t{3 * MAX_DOCUMENTS - 1}", PLAIN)), MAX_COMPONENTS)

    @settings(deadline=None, derandomize=True)
    @given(st.dictionaries(st.sampled_from(["components", "x"]), anything, max_size=2))
    def test_anything_may_have_been_announced(self, old: dict[str, Any]) -> None:
        components = Components()
        components.seen(CT, old)
        text = components.farewell(CT, PLAIN)
        self.assertEqual(faults(CT, text or PLAIN), [])
