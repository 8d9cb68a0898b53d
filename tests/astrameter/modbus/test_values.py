"""Numbers in registers (meters.md section 12)."""

from __future__ import annotations

import math
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.modbus.values import TYPES, number, registers_of

FORMATS = {
    "UINT16": ("H", 1),
    "INT16": ("h", 1),
    "UINT32": ("I", 2),
    "INT32": ("i", 2),
    "FLOAT32": ("f", 2),
    "UINT64": ("Q", 4),
    "INT64": ("q", 4),
    "FLOAT64": ("d", 4),
}


class Numbers(SynchronousTestCase):
    def test_types_and_their_sizes(self) -> None:
        self.assertEqual(
            {name: registers_of(name) for name in TYPES},
            {name: count for name, (_, count) in FORMATS.items()},
        )

    def test_the_documented_ones(self) -> None:
        for words, type_name, low_word, low_byte, watts in (
            ([0xFFFE], "UINT16", False, False, 65534),
            ([0xFF38], "INT16", False, False, -200),
            ([0xFFFF, 0xFE0C], "INT32", False, False, -500),
            ([0xFE0C, 0xFFFF], "INT32", True, False, -500),
            ([0xC47A, 0x2000], "FLOAT32", False, False, -1000.5),
            ([0x0020, 0x7AC4], "FLOAT32", True, True, -1000.5),
            ([0x3412], "UINT16", False, True, 4660),
        ):
            found = number(words, type_name, low_word_first=low_word, low_byte_first=low_byte)
            self.assertEqual(found, watts)

    def test_further_registers_are_ignored(self) -> None:
        self.assertEqual(number([1, 2, 3], "UINT16"), 1.0)
        self.assertEqual(number([0, 2, 3], "UINT32", low_word_first=True), 131072.0)

    def test_what_is_no_number_stays_none(self) -> None:
        self.assertTrue(math.isnan(number([0x7FC0, 0], "FLOAT32")))

    @settings(deadline=None, derandomize=True)
    @given(st.sampled_from(TYPES), st.data())
    def test_every_order_round_trips(self, type_name: str, data: st.DataObject) -> None:
        letter, count = FORMATS[type_name]
        words = data.draw(st.lists(st.integers(0, 65535), min_size=count, max_size=count))
        expected = float(struct.unpack(f">{letter}", struct.pack(f">{count}H", *words))[0])
        for low_word in (False, True):
            for low_byte in (False, True):
                sent = words[::-1] if low_word else words
                if low_byte:
                    sent = [(word & 0xFF) << 8 | word >> 8 for word in sent]
                found = number(sent, type_name, low_word_first=low_word, low_byte_first=low_byte)
                if math.isnan(expected):
                    self.assertTrue(math.isnan(found))
                else:
                    self.assertEqual(found, expected)
