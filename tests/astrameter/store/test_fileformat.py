"""The content of the file: what we write is read back, what is not ours is recognised."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.statefile import StateError
from astrameter.store.entries import Entry, text_of
from astrameter.store.fileformat import VERSION, BrokenFileError, NewerFileError, decode, encode
from tests.astrameter.store.test_entries import json_values

GOOD = {"astrameter_state": 1, "entries": {"a": {"changed_ms": 5, "value": {"n": 1}}}}


def changed(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


class Reading(SynchronousTestCase):
    def test_a_file_is_for_people_too(self) -> None:
        text = encode([("b/x", Entry(5, '{"n":1}')), ("a", Entry(6, "{}"))]).decode()
        self.assertEqual(
            text,
            '{\n "astrameter_state": 1,\n "entries": {\n  "a": {\n   "changed_ms": 6,\n'
            '   "value": {}\n  },\n  "b/x": {\n   "changed_ms": 5,\n   "value": {\n    "n": 1\n'
            "   }\n  }\n }\n}\n",
        )

    def test_entries(self) -> None:
        self.assertEqual(decode(changed()), ({"a": Entry(5, '{"n":1}')}, 0))

    def test_what_is_no_entry_is_counted_and_left_out(self) -> None:
        listed = {
            "a": {"changed_ms": 5, "value": {"n": 1}},
            "b": {"changed_ms": "yesterday", "value": {}},
            "c": {"changed_ms": 5},
            "d": [],
        }
        self.assertEqual(decode(changed(entries=listed)), ({"a": Entry(5, '{"n":1}')}, 3))

    def test_what_a_later_release_wrote_is_recognised(self) -> None:
        error = self.assertRaises(NewerFileError, decode, changed(astrameter_state=VERSION + 1))
        self.assertIn("version 2", str(error))
        self.assertRaises(NewerFileError, decode, b'{"astrameter_state": 7, "other": []}')

    def test_what_is_broken_is_recognised(self) -> None:
        whole = changed()
        bad = [
            b"",
            b"\x00" * 100,
            whole[:-1],
            whole + b"}",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"entries": {}}',
            changed(astrameter_state="1"),
            changed(astrameter_state=True),
            changed(astrameter_state=0),
            changed(entries=[]),
        ]
        for content in bad:
            self.assertRaises(BrokenFileError, decode, content)

    def test_a_typing_error_is_named_with_its_place(self) -> None:
        error = self.assertRaises(BrokenFileError, decode, b'{\n "a": 1,\n}')
        self.assertIn("line 3", str(error))


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(
        st.dictionaries(
            st.text(),
            st.tuples(
                st.integers(0, (1 << 43) - 1), st.dictionaries(st.text(), json_values, max_size=3)
            ),
            max_size=5,
        )
    )
    def test_what_is_written_is_read(self, listed: dict[str, Any]) -> None:
        entries = {key: Entry(at, text_of(value)) for key, (at, value) in listed.items()}
        self.assertEqual(decode(encode(entries.items())), (entries, 0))

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=60), st.integers(0, 80))
    def test_no_content_does_anything_but_be_refused(self, noise: bytes, at: int) -> None:
        whole = changed()
        for content in (noise, whole[:at] + noise + whole[at:]):
            try:
                decode(content)
            except StateError:
                continue
