"""Bytes to packets, whatever the chunks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.mqtt.framing import MAX_PACKET_BYTES, Framer, ProtocolError
from tests.scripted_broker import CONNACK, PUBLISH, SUBACK, packet, publication

GREETING = packet(CONNACK, 0, b"\0\0")


def packets_of(framer: Framer, data: bytes) -> list[bytes]:
    framer.feed(data)
    found = []
    while (one := framer.next_packet()) is not None:
        found.append(one)
    return found


class Framing(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(st.binary(max_size=300), max_size=20),
        st.lists(st.integers(1, 400), min_size=1, max_size=50),
    )
    def test_chunks_do_not_matter(self, payloads: list[bytes], cuts: list[int]) -> None:
        sent = [GREETING, *(publication("t", payload) for payload in payloads)]
        stream, framer = b"".join(sent), Framer()
        found: list[bytes] = []
        while stream:
            size = cuts[len(found) % len(cuts)]
            found += packets_of(framer, stream[:size])
            stream = stream[size:]
        self.assertEqual(found, sent)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=50), max_size=10))
    def test_any_bytes_are_packets_or_a_violation(self, chunks: list[bytes]) -> None:
        framer = Framer(100)
        try:
            packets_of(framer, GREETING)
            for chunk in chunks:
                for one in packets_of(framer, chunk):
                    self.assertLessEqual(len(one), 102)
        except ProtocolError as error:
            self.assertTrue(str(error).startswith("it sends"))

    def test_the_buffer_holds_no_more_than_a_packet_and_a_chunk(self) -> None:
        framer = Framer()
        packets_of(framer, GREETING)
        for _ in range(50):
            packets_of(framer, publication("t", bytes(60_000))[:-1])
            packets_of(framer, b"\0")
            self.assertLess(len(framer._buffer), 200_000)

    def test_the_limit_itself_passes_and_one_more_is_passed_over(self) -> None:
        framer = Framer()
        packets_of(framer, GREETING)
        largest, after = packet(PUBLISH, 0, bytes(MAX_PACKET_BYTES)), publication("t", b"x")
        self.assertEqual(packets_of(framer, largest), [largest])
        self.assertEqual(framer.oversized, 0)
        too_long = packet(PUBLISH, 0, bytes(MAX_PACKET_BYTES + 1))
        self.assertEqual(packets_of(framer, too_long[:5]), [])
        self.assertEqual(framer.oversized, MAX_PACKET_BYTES + 1)
        self.assertEqual(packets_of(framer, too_long[5:] + after), [after])

    def test_what_is_passed_over_is_not_kept(self) -> None:
        framer = Framer()
        packets_of(framer, GREETING)
        framer.feed(b"\x30\xff\xff\xff\x7f")  # 268 435 455 bytes follow
        for _ in range(100):
            self.assertEqual(packets_of(framer, bytes(60_000)), [])
            self.assertEqual(len(framer._buffer), 0)

    def test_anything_else_that_is_too_long_is_a_violation(self) -> None:
        framer = Framer()
        packets_of(framer, GREETING)
        with self.assertRaises(ProtocolError):
            packets_of(framer, packet(SUBACK, 0, bytes(MAX_PACKET_BYTES + 1))[:5])

    def test_a_greeting_comes_first_and_only_first(self) -> None:
        with self.assertRaises(ProtocolError):
            packets_of(Framer(), publication("t", b""))
        with self.assertRaises(ProtocolError):
            packets_of(Framer(), GREETING + GREETING)
