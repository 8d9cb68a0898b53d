"""The CT frame against the conformance vectors and by its properties."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import MAX_FRAME, FrameError, checksum, decode, encode
from tests.vectors import each, load

VECTORS = load("ct-protocol")

# The predecessor's integer parser took signs, blanks and underscores in the length by
# accident; a length is digits here, as in its ESP32 port (ct-protocol.md section 2.3).
STRICT_LENGTH = {
    case["name"] for case in VECTORS["frame_parse"] if case.get("optional") and case["ok"]
}

FIELD = st.text(st.characters(max_codepoint=127, exclude_characters="|"), max_size=20)


class Vectors(SynchronousTestCase):
    @each(VECTORS["frame_build"])
    def build(self, case: dict[str, Any]) -> None:
        fields = case.get("fields")
        if fields is None:
            letter, count = case["fields_rle"][0].split("*")
            fields = [letter * int(count)]
        if "error" in case:
            self.assertRaises(FrameError, encode, fields)
            return
        datagram = encode(fields)
        self.assertEqual(len(datagram), case["length"])
        if case["datagram_hex"] is None:
            self.assertEqual(sha256(datagram).hexdigest(), case["datagram_sha256"])
        else:
            self.assertEqual(datagram.hex(), case["datagram_hex"])

    @each(VECTORS["frame_parse"])
    def parse(self, case: dict[str, Any]) -> None:
        datagram = bytes.fromhex(case["datagram_hex"])
        if case["name"] in STRICT_LENGTH:
            self.assertRaises(FrameError, decode, datagram)
        elif case["ok"]:
            self.assertEqual(decode(datagram), case["fields"])
        else:
            error = self.assertRaises(FrameError, decode, datagram)
            self.assertEqual(error.kind, case["error"])


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.lists(FIELD, min_size=1, max_size=30))
    def test_what_is_encoded_decodes_to_the_same_fields(self, fields: list[str]) -> None:
        datagram = encode(fields)
        self.assertNotIn(len(datagram), (10, 100, 1000))
        if len(datagram) >= 10:
            self.assertEqual(decode(datagram), fields)

    @settings(deadline=None, derandomize=True, max_examples=500)
    @given(st.binary(max_size=200))
    def test_any_bytes_are_fields_or_a_frame_error(self, datagram: bytes) -> None:
        try:
            fields = decode(datagram)
        except FrameError:
            return
        self.assertEqual(decode(encode(fields)), fields)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(FIELD, min_size=7, max_size=7), st.data())
    def test_no_single_changed_byte_is_accepted_as_other_fields(
        self, fields: list[str], data: st.DataObject
    ) -> None:
        datagram = bytearray(encode(fields))
        at = data.draw(st.integers(0, len(datagram) - 1))
        datagram[at] ^= data.draw(st.integers(1, 255))
        try:
            changed = decode(bytes(datagram))
        except FrameError:
            return
        self.assertEqual(changed, fields)

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=1500))
    def test_the_checksum_is_the_xor_of_all_bytes(self, data: bytes) -> None:
        wanted = 0
        for byte in data:
            wanted ^= byte
        self.assertEqual(checksum(data), wanted)

    def test_a_frame_of_more_than_9999_bytes_is_refused(self) -> None:
        self.assertEqual(len(encode(["a" * (MAX_FRAME - 10)])), MAX_FRAME)
        self.assertEqual(
            self.assertRaises(FrameError, encode, ["a" * (MAX_FRAME - 9)]).kind, "too_long"
        )

    def test_a_field_with_a_separator_is_refused(self) -> None:
        self.assertEqual(self.assertRaises(FrameError, encode, ["a|b"]).kind, "separator")
