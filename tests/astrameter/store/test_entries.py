"""Which documents there are, which of two is newer, and how much may be kept."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.statefile import StateError
from astrameter.store.entries import (
    MAX_DOCUMENT,
    MAX_KEY,
    MAX_TOTAL,
    Entries,
    Entry,
    entry_of,
    text_of,
)

NOON_MS = 1_767_268_800_000


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.now_ms = NOON_MS
        self.entries = Entries(lambda: self.now_ms)

    def document(self, key: str) -> Any:
        entry = self.entries.get(key)
        return None if entry is None else entry.document

    def changed_ms(self, key: str) -> int:
        entry = self.entries.get(key)
        assert entry is not None
        return entry.changed_ms


class Changes(Case):
    def test_what_is_put_is_found(self) -> None:
        self.assertIsNone(self.document("a"))
        self.assertTrue(self.entries.put("a", {"n": 1}))
        self.assertEqual(self.document("a"), {"n": 1})
        self.assertEqual(self.changed_ms("a"), NOON_MS)

    def test_the_same_again_is_no_change(self) -> None:
        self.entries.put("a", {"n": 1, "m": 2})
        self.now_ms += 1000
        self.assertFalse(self.entries.put("a", {"m": 2, "n": 1}))
        self.assertEqual(self.changed_ms("a"), NOON_MS)

    def test_what_is_found_is_a_copy(self) -> None:
        given = {"list": [1]}
        self.entries.put("a", given)
        given["list"].append(2)
        self.document("a")["list"].append(3)
        self.assertEqual(self.document("a"), {"list": [1]})

    def test_time_never_goes_back(self) -> None:
        self.entries.put("a", {"n": 1})
        self.now_ms -= 3_600_000
        self.entries.put("a", {"n": 2})
        self.entries.put("b", {"n": 3})
        self.assertEqual(self.changed_ms("a"), NOON_MS + 1)
        self.assertEqual(self.changed_ms("b"), NOON_MS + 2)

    def test_a_clock_that_has_gone_mad_is_not_believed(self) -> None:
        self.entries.put("a", {"n": 1})
        self.now_ms = 1 << 60
        self.entries.put("a", {"n": 2})
        self.assertEqual(self.changed_ms("a"), NOON_MS + 1)


class Meeting(Case):
    """An entry of another copy: the newer one counts."""

    def test_unknown_and_newer_ones_are_taken(self) -> None:
        self.assertTrue(self.entries.take("a", Entry(5, '{"n":1}')))
        self.assertTrue(self.entries.take("a", Entry(6, '{"n":2}')))
        self.assertEqual(self.document("a"), {"n": 2})

    def test_older_and_equally_old_ones_are_not(self) -> None:
        self.entries.take("a", Entry(5, '{"n":1}'))
        self.assertFalse(self.entries.take("a", Entry(5, '{"n":2}')))
        self.assertFalse(self.entries.take("a", Entry(4, '{"n":3}')))
        self.assertEqual(self.document("a"), {"n": 1})

    def test_a_newer_one_that_says_the_same_is_no_change(self) -> None:
        self.entries.take("a", Entry(5, '{"n":1}'))
        self.assertFalse(self.entries.take("a", Entry(9, '{"n":1}')))
        self.assertEqual(self.changed_ms("a"), 9)

    def test_a_change_is_newer_than_all_that_was_taken(self) -> None:
        self.entries.take("a", Entry(NOON_MS + 50, '{"n":1}'))
        self.entries.put("a", {"n": 2})
        self.assertEqual(self.changed_ms("a"), NOON_MS + 51)


class Limits(Case):
    def test_what_is_no_json_is_refused(self) -> None:
        for bad in ({"a": object()}, {"a": float("nan")}, {"a": {1, 2}}):
            self.assertRaises(StateError, self.entries.put, "a", bad)
        self.assertEqual(len(self.entries), 0)

    def test_long_keys_and_documents_are_refused(self) -> None:
        self.assertRaises(StateError, self.entries.put, "k" * (MAX_KEY + 1), {})
        self.assertRaises(StateError, self.entries.put, "k", {"x": "y" * MAX_DOCUMENT})
        self.entries.put("k" * MAX_KEY, {})

    def test_a_key_that_is_no_text_is_refused(self) -> None:
        self.assertRaises(StateError, self.entries.put, "\ud800", {})

    def test_the_total_is_bounded_and_changes_still_fit(self) -> None:
        kept = 0
        with self.assertRaises(StateError):
            for kept in range(1000):
                self.entries.put(str(kept), {"x": "y" * 8000})
        self.assertLess(kept * 8000, MAX_TOTAL)
        self.assertGreater((kept + 2) * 8100, MAX_TOTAL)
        self.entries.put("0", {"x": "z" * 8000})
        self.entries.put("0", {})
        self.entries.put("small", {"x": "y" * 7000})


class Strangers(SynchronousTestCase):
    """What somebody else has written."""

    def test_an_entry(self) -> None:
        self.assertEqual(entry_of(7, {"b": 1, "a": 2}), Entry(7, '{"a":2,"b":1}'))

    def test_what_is_none(self) -> None:
        for changed_ms, document in (
            (None, {}),
            ("7", {}),
            (True, {}),
            (7, []),
            (7, None),
            (7, {"a": math.nan}),
        ):
            self.assertIsNone(entry_of(changed_ms, document))

    def test_impossible_times_are_old(self) -> None:
        for changed_ms in (-1, 1 << 43, 10**400):
            self.assertEqual(entry_of(changed_ms, {}), Entry(0, "{}"))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.dictionaries(st.text(), json_values, max_size=4))
    def test_a_document_comes_back_as_it_was(self, document: dict[str, Any]) -> None:
        entry = Entry(1, text_of(document))
        self.assertEqual(entry.document, json.loads(json.dumps(document)))

    @settings(deadline=None, derandomize=True)
    @given(st.permutations([(1, "a"), (2, "b"), (2, "c"), (3, "d"), (9, "e")]))
    def test_the_newest_wins_in_whatever_order_they_come(self, order: list[Any]) -> None:
        entries = Entries(lambda: 0)
        for at, word in order:
            entries.take("k", Entry(at, text_of({"w": word})))
        entry = entries.get("k")
        assert entry is not None
        self.assertEqual(entry, Entry(9, '{"w":"e"}'))
