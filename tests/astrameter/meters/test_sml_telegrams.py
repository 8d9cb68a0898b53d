"""Telegrams out of a stream of bytes (meters.md section 20.1)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from smllib.crc import x25
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.sml_telegrams import MAX_TELEGRAM, Telegrams
from tests.astrameter.meters.sml_rig import ESCAPE, START, telegram

MINIMAL = bytes.fromhex(
    "1b1b1b1b01010101760500112233620062007263010176010105000102030b0a0149534b0005009f5c010163"
    "9e8d00760500112233620062007263070177010b0a0149534b0005009f5c070100620affff726201650001e2"
    "407177070100100700ff0101621b520055000000010101016394750076050011223362006200726302017101"
    "631103001b1b1b1b1a0053c1"
)
"""The telegram of meters.md section 20.2."""

# What meters send is a multiple of such bytes; marks in it would be found by accident.
RISKY = st.sampled_from(
    [b"\x1b", ESCAPE, START, ESCAPE + b"\x1a", b"\x1a", b"\x01", b"\x00", b"\x77\x07\x01"]
)
CONTENTS = st.lists(RISKY | st.binary(max_size=4), max_size=12).map(
    # A message ends with 00.
    lambda parts: b"".join(parts) + b"\x00"
)


def cut(data: bytes, *sizes: int) -> list[bytes]:
    """All telegrams of ``data``, which arrives in pieces of these sizes, and then the rest."""
    telegrams = Telegrams()
    found = []
    for size in sizes:
        found += telegrams.feed(data[:size])
        data = data[size:]
    return found + telegrams.feed(data)


class CuttingTests(SynchronousTestCase):
    def test_the_checksum_is_x25_low_byte_first(self) -> None:
        self.assertEqual(x25.get_crc(b"123456789"), 0x6E90)

    def test_the_minimal_telegram(self) -> None:
        self.assertEqual(len(MINIMAL), 144)
        self.assertEqual(cut(MINIMAL), [MINIMAL[8:-8]])

    def test_fill_bytes_are_taken_off(self) -> None:
        for length in range(1, 9):
            content = b"\x76" * length
            self.assertEqual(cut(telegram(content)), [content])

    def test_any_content_survives_in_any_pieces(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(st.lists(CONTENTS, min_size=1, max_size=3), st.lists(st.integers(0, 20)))
        def check(contents: list[bytes], sizes: list[int]) -> None:
            data = b"".join(map(telegram, contents))
            self.assertEqual(cut(data, *sizes), contents)

        check()

    def test_byte_by_byte(self) -> None:
        contents = [b"\x76" + ESCAPE + b"\x1a\x00", ESCAPE + START + b"\x00"]
        data = b"".join(map(telegram, contents))
        self.assertEqual(cut(data, *[1] * len(data)), contents)

    def test_noise_before_a_telegram(self) -> None:
        for noise in (
            b"\x01\x02",
            b"\x1b",
            b"\x1b" * 3,
            ESCAPE,
            b"\x1b" * 9,
            START[:6],
            bytes(500),
        ):
            self.assertEqual(cut(noise + telegram(b"\x76\x00")), [b"\x76\x00"], noise)

    def test_a_telegram_that_breaks_off_does_not_take_the_next_with_it(self) -> None:
        whole = telegram(b"\x76\x11\x22\x00")
        for length in range(len(whole)):
            found = cut(whole[:length] + telegram(b"\x77\x00") + telegram(b"\x78\x00"))
            self.assertEqual(found, [b"\x77\x00", b"\x78\x00"], length)

    def test_the_checksum_of_holley(self) -> None:
        self.assertEqual(cut(telegram(b"\x76\x00", holley=True)), [b"\x76\x00"])

    def test_a_wrong_checksum_is_counted_and_the_next_telegram_found(self) -> None:
        telegrams = Telegrams()
        damaged = bytearray(telegram(b"\x76\x11\x22\x00"))
        damaged[9] ^= 1
        self.assertEqual(telegrams.feed(bytes(damaged)), [])
        self.assertEqual(telegrams.damaged, 1)
        self.assertEqual(telegrams.feed(telegram(b"\x77\x00")), [b"\x77\x00"])
        self.assertEqual(telegrams.damaged, 1)

    def test_no_bit_may_be_wrong(self) -> None:
        good = telegram(b"\x76\x05\x00\x11\x00")
        for i in range(len(good) * 8):
            damaged = bytearray(good)
            damaged[i // 8] ^= 1 << i % 8
            self.assertEqual(cut(bytes(damaged)), [], i)


class BoundTests(SynchronousTestCase):
    def test_it_keeps_no_more_than_it_must(self) -> None:
        for chunk in (bytes(1000), START + bytes(1000), ESCAPE * 250, START * 125):
            telegrams = Telegrams()
            for _ in range(200):
                self.assertEqual(telegrams.feed(chunk), [])
                self.assertLessEqual(len(telegrams._buffer), MAX_TELEGRAM)
            telegrams.feed(bytes(8))
            self.assertEqual(telegrams.feed(telegram(b"\x76\x00")), [b"\x76\x00"])

    def test_the_longest_telegram(self) -> None:
        content = b"\x77" * (MAX_TELEGRAM - 16)
        self.assertEqual(cut(telegram(content), *[512] * 99), [content])

    def test_any_bytes_raise_nothing(self) -> None:
        @settings(deadline=None, derandomize=True, max_examples=300)
        @given(st.lists(RISKY | st.binary(max_size=9), max_size=30))
        def check(pieces: list[bytes]) -> None:
            telegrams = Telegrams()
            for piece in pieces:
                telegrams.feed(piece)
            telegrams.feed(bytes(8))
            self.assertEqual(telegrams.feed(telegram(b"\x76\x00"))[-1:], [b"\x76\x00"])

        check()
