"""Bytes to frames, whatever the chunks and the noise."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse
from twisted.trial.unittest import SynchronousTestCase

from astrameter.modbus.framing import (
    DatagramFraming,
    Frame,
    MbapFraming,
    RtuFraming,
    crc16,
    mbap,
    rtu,
)
from tests.astrameter.modbus.rig import answer_pdu, refusal_pdu

UNITS = st.integers(0, 255)
NUMBERS = st.integers(0, 65535)
PDUS = st.one_of(
    st.builds(answer_pdu, st.lists(NUMBERS, min_size=1, max_size=125), st.sampled_from([3, 4])),
    st.builds(refusal_pdu, st.integers(1, 11), st.sampled_from([3, 4])),
)
CUTS = st.lists(st.integers(1, 300), min_size=1, max_size=20)


def fed(framing: Any, stream: bytes, cuts: Sequence[int] = (1 << 20,)) -> list[Frame]:
    """The frames of ``stream``, fed in pieces of those sizes."""
    frames: list[Frame] = []
    turn = 0
    while stream:
        size = cuts[turn % len(cuts)]
        frames += framing.feed(stream[:size])
        stream = stream[size:]
        turn += 1
    return frames


class Checksums(SynchronousTestCase):
    def test_check_value(self) -> None:
        """The catalogue's check value of CRC-16/MODBUS."""
        self.assertEqual(crc16(b"123456789"), 0x4B37)

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=256))
    def test_as_pymodbus(self, data: bytes) -> None:
        ours = crc16(data)
        self.assertEqual((ours & 0xFF) << 8 | ours >> 8, FramerRTU.compute_CRC(data))
        self.assertEqual(crc16(data + ours.to_bytes(2, "little")), 0)


class Mbap(SynchronousTestCase):
    def test_requests_are_numbered_from_one(self) -> None:
        framing = MbapFraming()
        pdu = bytes.fromhex("0300640002")
        self.assertEqual(framing.request(3, pdu).hex(), "000100000006030300640002")
        self.assertEqual(framing.request(3, pdu).hex(), "000200000006030300640002")
        self.assertEqual(framing.transaction, 2)

    def test_numbers_start_again_after_65535(self) -> None:
        framing = MbapFraming()
        framing.transaction = 65535
        self.assertEqual(framing.request(1, b"\3")[:2], b"\0\0")

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(UNITS, NUMBERS, PDUS), max_size=8), CUTS)
    def test_chunks_do_not_matter(
        self, sent: list[tuple[int, int, bytes]], cuts: list[int]
    ) -> None:
        framing = MbapFraming()
        stream = b"".join(mbap(*one) for one in sent)
        self.assertEqual(fed(framing, stream, cuts), [Frame(*one) for one in sent])
        self.assertEqual((framing.broken, framing.partial), ("", False))

    @settings(deadline=None, derandomize=True)
    @given(UNITS, NUMBERS, PDUS)
    def test_frames_are_those_of_pymodbus(self, unit: int, transaction: int, pdu: bytes) -> None:
        theirs = FramerSocket(DecodePDU(is_server=False))
        frame = theirs.encode(pdu, unit, transaction)
        self.assertEqual(frame, mbap(unit, transaction, pdu))
        used, their_unit, their_transaction, their_pdu = theirs.decode(frame)
        self.assertEqual(used, len(frame))
        expected = Frame(their_unit, their_transaction, their_pdu)
        self.assertEqual(MbapFraming().feed(frame), [expected])

    def test_another_protocol_is_the_end(self) -> None:
        framing = MbapFraming()
        good = mbap(1, 1, b"\x83\2")
        self.assertEqual(len(framing.feed(good + b"HTTP/1.1 400 Bad" + good)), 1)
        self.assertEqual(framing.broken, "does not speak Modbus TCP")
        self.assertEqual(framing.feed(good), [])

    def test_impossible_lengths_are_the_end(self) -> None:
        for length in (0, 1, 255, 256, 65535):
            framing = MbapFraming()
            framing.feed(b"\0\1\0\0" + length.to_bytes(2, "big") + b"\1\3")
            self.assertTrue(framing.broken, length)

    def test_the_longest_frame_passes(self) -> None:
        frame = mbap(1, 1, b"\3" + bytes(252))
        self.assertEqual(len(frame), 260)
        self.assertEqual(len(MbapFraming().feed(frame)), 1)

    def test_a_refusal_whose_length_is_one_short(self) -> None:
        """As pymodbus reads it, but also when another frame follows."""
        bad, good = b"\0\1\0\0\0\2\1\x83\2", mbap(1, 2, answer_pdu([7]))
        expected = Frame(1, 1, b"\x83\2")
        _, unit, transaction, pdu = FramerSocket(DecodePDU(is_server=False)).decode(bad)
        self.assertEqual(Frame(unit, transaction, pdu), expected)
        self.assertEqual(MbapFraming().feed(bad + good), [expected, Frame(1, 2, answer_pdu([7]))])

    def test_half_a_frame_is_noted(self) -> None:
        framing = MbapFraming()
        frame = mbap(1, 1, answer_pdu([1]))
        for cut in range(1, len(frame)):
            framing = MbapFraming()
            self.assertEqual(framing.feed(frame[:cut]), [])
            self.assertTrue(framing.partial)
            framing.reset()
            self.assertEqual(len(framing.feed(frame[cut:])), 1)
            self.assertFalse(framing.partial)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=600), max_size=10))
    def test_garbage_neither_raises_nor_grows(self, chunks: list[bytes]) -> None:
        framing = MbapFraming()
        for chunk in chunks:
            for frame in framing.feed(chunk):
                self.assertLessEqual(len(frame.pdu), 253)
            self.assertLess(len(framing._buffer), 260)


class Datagrams(SynchronousTestCase):
    def test_each_stands_for_itself(self) -> None:
        framing = DatagramFraming()
        self.assertEqual(framing.request(1, b"\3")[:2], b"\0\1")
        frame = mbap(1, 1, answer_pdu([1]))
        for junk in (b"", b"x", b"GET / HTTP/1.1", frame[:-1], frame[:6]):
            self.assertEqual(framing.feed(junk), [])
            self.assertEqual(framing.feed(frame), [Frame(1, 1, answer_pdu([1]))])
        self.assertEqual((framing.broken, framing.partial, framing.transaction), ("", False, 1))


class Rtu(SynchronousTestCase):
    def test_a_request_on_the_wire(self) -> None:
        """The example that Modbus introductions use: ten registers of unit 17 at 107."""
        pdu = bytes.fromhex("03006b0003")
        self.assertEqual(RtuFraming().request(0x11, pdu).hex(), "1103006b00037687")

    @settings(deadline=None, derandomize=True)
    @given(UNITS, PDUS)
    def test_frames_are_those_of_pymodbus(self, unit: int, pdu: bytes) -> None:
        theirs = FramerRTU(DecodePDU(is_server=False))
        frame = theirs.encode(pdu, unit, 0)
        self.assertEqual(frame, rtu(unit, pdu))
        used, their_unit, _, their_pdu = theirs.decode(frame)
        self.assertEqual(used, len(frame))
        self.assertEqual(RtuFraming().feed(frame), [Frame(their_unit, None, their_pdu)])

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(UNITS, PDUS), max_size=8), CUTS)
    def test_chunks_do_not_matter(self, sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
        stream = b"".join(rtu(*one) for one in sent)
        expected = [Frame(unit, None, pdu) for unit, pdu in sent]
        self.assertEqual(fed(RtuFraming(), stream, cuts), expected)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.binary(max_size=300), UNITS, PDUS), min_size=1, max_size=6), CUTS)
    def test_frames_are_found_in_noise(
        self, sent: list[tuple[bytes, int, bytes]], cuts: list[int]
    ) -> None:
        stream = b"".join(noise + rtu(unit, pdu) for noise, unit, pdu in sent)
        found = fed(RtuFraming(), stream, cuts)
        for _, unit, pdu in sent:
            self.assertIn(Frame(unit, None, pdu), found)

    def test_a_frame_is_found_with_its_last_byte(self) -> None:
        """Also behind what looks like the beginning of a long one."""
        framing, frame = RtuFraming(), rtu(1, answer_pdu([1]))
        framing.feed(b"\1\3\xfa" + b"\1\3\x04")
        self.assertEqual(framing.feed(frame[:-1]), [])
        self.assertEqual(framing.feed(frame[-1:]), [Frame(1, None, answer_pdu([1]))])

    def test_two_in_a_chunk_with_noise_between(self) -> None:
        first, second = answer_pdu([1, 2]), refusal_pdu(2)
        found = RtuFraming().feed(rtu(1, first) + b"\xff\0\1\3" + rtu(1, second))
        self.assertEqual(found, [Frame(1, None, first), Frame(1, None, second)])

    def test_a_frame_within_a_frame_does_not_hide_it(self) -> None:
        inner = rtu(2, refusal_pdu(2))
        pdu = b"\3\6\0" + inner
        found = RtuFraming().feed(rtu(1, pdu))
        self.assertEqual(found, [Frame(2, None, inner[1:-2]), Frame(1, None, pdu)])

    def test_of_two_frames_that_end_together_the_longer_counts(self) -> None:
        outer = nested_ending_together()
        self.assertEqual(RtuFraming().feed(outer), [Frame(1, None, outer[1:-2])])

    def test_a_wrong_checksum_is_no_frame(self) -> None:
        frame = bytearray(rtu(1, answer_pdu([1])))
        for position in range(len(frame)):
            frame[position] ^= 4
            self.assertEqual(RtuFraming().feed(bytes(frame)), [])
            frame[position] ^= 4

    def test_what_cannot_answer_us_is_no_frame(self) -> None:
        for pdu in (b"\6\0\1\0\2", b"\3\0", b"\3\3\0\1\2", b"\3\xfc" + bytes(0xFC), b"\x90\1"):
            self.assertEqual(RtuFraming().feed(rtu(1, pdu)), [], pdu)

    def test_our_own_echo_is_no_answer(self) -> None:
        for address in (0, 0x0300, 0x0306, 0xFFFF):
            echo = RtuFraming().request(1, b"\3" + address.to_bytes(2, "big") + b"\0\2")
            found = RtuFraming().feed(echo + rtu(1, answer_pdu([1, 2])))
            self.assertEqual(found, [Frame(1, None, answer_pdu([1, 2]))])

    def test_reset_forgets_the_beginning_of_a_frame(self) -> None:
        framing, frame = RtuFraming(), rtu(1, answer_pdu([1]))
        framing.feed(frame[:4])
        framing.reset()
        self.assertEqual(framing.feed(frame[4:]), [])
        self.assertEqual(len(framing.feed(frame)), 1)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=600), max_size=10))
    def test_garbage_neither_raises_nor_grows(self, chunks: list[bytes]) -> None:
        framing = RtuFraming()
        for chunk in chunks:
            framing.feed(chunk)
            self.assertLess(len(framing._buffer), 512)
            self.assertLessEqual(sum(map(len, framing._starts.values())), 256)

    def test_the_worst_garbage_does_not_hang(self) -> None:
        """Each byte begins a long frame; 64 kB are what a session lets through."""
        framing, start = RtuFraming(), time.process_time()
        framing.feed(b"\3\x04\x04\xfa\x03\xfa" * 11_000)
        self.assertLess(time.process_time() - start, 10.0)
        self.assertLess(len(framing._starts), 300)
        self.assertEqual(len(framing.feed(rtu(1, answer_pdu([1])))), 1)

    def test_the_longest_answer_passes(self) -> None:
        pdu = answer_pdu([0xABCD] * 125)
        noise = bytes(1000)
        self.assertEqual(RtuFraming().feed(noise + rtu(1, pdu)), [Frame(1, None, pdu)])
        self.assertEqual(len(ReadHoldingRegistersResponse(registers=[1] * 125).encode()), 251)


def nested_ending_together() -> bytes:
    """An answer of four registers whose last seven bytes are a good frame, too."""
    for filler in range(65536):
        for last in range(4):
            outer = rtu(1, b"\3\x08" + filler.to_bytes(2, "big") + bytes([last, 2, 3, 2, 0, 1]))
            if crc16(outer[-7:]) == 0:
                return outer
    raise AssertionError("there is none")
