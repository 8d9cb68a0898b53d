"""SMA's datagrams (meters.md section 18)."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.speedwire import decode

SAMPLE = bytes.fromhex(
    "534d4100000402a000000001002600106069015d715289870001e240"
    "0015040000000000001604000000101390000000"
    "0203045200000000"
)
"""The datagram of meters.md section 18."""

COUNTERS = "000108000000001cbe991a14"
END = "00000000"


def datagram(*channels: str, susy_id: int = 349, serial: int = 5) -> bytes:
    """A datagram with channels as hexadecimal digits and the usual end."""
    body = bytes.fromhex("".join((*channels, "9000000002030452", END)))
    return (
        b"SMA\0"
        + bytes.fromhex("000402a000000001")
        + struct.pack(">HHHHII", len(body) + 12, 0x10, 0x6069, susy_id, serial, 123456)
        + body
    )


def watts(data: bytes) -> tuple[float, ...]:
    telegram = decode(data)
    assert telegram is not None
    return telegram.watts


class HeaderTests(SynchronousTestCase):
    def test_the_sample(self) -> None:
        telegram = decode(SAMPLE)
        assert telegram is not None
        self.assertEqual(
            (telegram.susy_id, telegram.serial, telegram.ticker_ms), (349, 1901234567, 123456)
        )
        self.assertEqual(telegram.watts, (-411.5, 0.0, 0.0))

    def test_what_is_checked(self) -> None:
        for offset, byte in enumerate(SAMPLE[:28]):
            changed = bytearray(SAMPLE)
            changed[offset] = byte ^ 0xFF
            checked = offset in {0, 1, 2, 3, 5, 6, 16, 17}
            self.assertEqual(decode(bytes(changed)) is None, checked, offset)

    def test_other_protocols(self) -> None:
        for protocol in ("6065", "6081"):
            changed = SAMPLE[:16] + bytes.fromhex(protocol) + SAMPLE[18:]
            self.assertIs(decode(changed), None)

    def test_short_ones(self) -> None:
        for length in range(28):
            self.assertIs(decode(SAMPLE[:length]), None)
        self.assertEqual(watts(SAMPLE[:28]), ())


class ChannelTests(SynchronousTestCase):
    def test_the_total(self) -> None:
        data = datagram("00010400000015af", COUNTERS, "0002040000000001")
        self.assertEqual(watts(data), (555.0,))

    def test_one_phase_is_enough_for_three(self) -> None:
        data = datagram("00010400000003e7", "003d040000000064")
        self.assertEqual(watts(data), (0.0, 0.0, 10.0))

    def test_all_phases(self) -> None:
        rows = ("15", "16", "29", "2a", "3d", "3e")
        data = datagram(*(f"00{index}0400000000{i + 1:02x}" for i, index in enumerate(rows)))
        self.assertEqual(watts(data), (-0.1, -0.1, -0.1))

    def test_only_powers_of_the_first_channel_and_tariff_count(self) -> None:
        data = datagram(
            "0101040000000064",  # channel 1
            "0001040100000064",  # tariff 1
            "0001070000000064",  # another type
            "000d0400000003e8",  # power factor
        )
        self.assertEqual(watts(data), ())

    def test_counters_have_eight_bytes_and_everything_else_four(self) -> None:
        data = datagram("0001080000010400000003e7", "0001050000000000", "0001040000000064")
        self.assertEqual(watts(data), (10.0,))

    def test_nothing_is_read_behind_the_end(self) -> None:
        data = datagram("0001040000000064") + bytes.fromhex("0000000000010400000003e8")
        self.assertEqual(watts(data), (10.0,))

    def test_channels_up_to_where_it_breaks_off(self) -> None:
        data = datagram("0015040000000064", "00290400000000c8")
        for length in range(28, 36):
            self.assertEqual(watts(data[:length]), ())
        for length in range(36, 44):
            self.assertEqual(watts(data[:length]), (10.0, 0.0, 0.0))
        self.assertEqual(watts(data[:44]), (10.0, 20.0, 0.0))

    def test_the_highest_values(self) -> None:
        self.assertEqual(watts(datagram("00010400ffffffff")), (429496729.5,))
        self.assertEqual(watts(datagram("00020400ffffffff")), (-429496729.5,))

    def test_any_channels_are_read(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(st.dictionaries(st.sampled_from(range(1, 80)), st.integers(0, 2**32 - 1)))
        def check(values: dict[int, int]) -> None:
            rows = [f"00{index:02x}0400{value:08x}" for index, value in values.items()]
            got = [values.get(i, 0) for i in (0x15, 0x16, 0x29, 0x2A, 0x3D, 0x3E)]
            expected: tuple[float, ...] = ()
            if values.keys() & {0x15, 0x16, 0x29, 0x2A, 0x3D, 0x3E}:
                expected = tuple((got[i] - got[i + 1]) / 10 for i in (0, 2, 4))
            elif values.keys() & {1, 2}:
                expected = ((values.get(1, 0) - values.get(2, 0)) / 10,)
            self.assertEqual(watts(datagram(*rows)), expected)

        check()

    def test_any_bytes_raise_nothing(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(st.binary(max_size=100), st.booleans())
        def check(data: bytes, has_header: bool) -> None:
            telegram = decode(SAMPLE[:28] + data if has_header else data)
            if telegram is not None:
                self.assertIn(len(telegram.watts), (0, 1, 3))

        check()
