"""Cuts what a broker sends into packets, and refuses what none may send us.

paho would take in a packet of 256 MB and answer whatever it is asked; here is where that ends.
References are sections of MQTT 3.1.1.
"""

from __future__ import annotations

MAX_PACKET_BYTES = 1 << 20
"""The longest packet taken in. Readings and commands have some hundred bytes."""

_COMPACT_BYTES = 1 << 16

CONNACK = 0x20
PUBACK = 0x40
SUBACK = 0x90
UNSUBACK = 0xB0
PINGRESP = 0xD0

_PUBLISH_QOS_0 = frozenset({0x30, 0x31})
# Nothing else comes to a client that subscribes with QoS 0 and publishes with QoS 0 or 1
# (section 2.2, table 2.1).
_EXPECTED = _PUBLISH_QOS_0 | {PUBACK, SUBACK, UNSUBACK, PINGRESP}


class ProtocolError(Exception):
    """The peer does not keep to MQTT 3.1.1; the text says how."""


class Framer:
    """Bytes in, whole packets out, one at a time; never holds more than one packet and a chunk.

    A publication that is too long is passed over: whoever may publish could otherwise end our
    connection, and again and again when the broker retains it.

    :ivar oversized: the length of the last publication passed over; whoever has seen it resets it.
    """

    def __init__(self, max_packet_bytes: int = MAX_PACKET_BYTES) -> None:
        self.oversized = 0
        self._max = max_packet_bytes
        self._buffer = bytearray()
        self._start = 0
        self._skip = 0
        self._greeted = False

    def feed(self, data: bytes) -> None:
        """Append what arrived."""
        self._buffer += data

    def next_packet(self) -> bytes | None:
        """The next packet with its fixed header; None while it is incomplete.

        :raises ProtocolError: when it is of a kind that no broker sends here, or too long and no
            publication.
        """
        while not self._skip or self._pass_over():
            start, available = self._start, len(self._buffer)
            if start == available:
                return None
            first = self._buffer[start]
            self._check_kind(first)
            header = self._remaining_length(start + 1)
            if header is None:
                return None
            body, length = header
            end = body + length
            if length > self._max:
                if first not in _PUBLISH_QOS_0:
                    raise ProtocolError(f"it sends a packet of {length} bytes")
                self.oversized = length
                self._skip = end - start
                continue
            if end > available:
                return None
            packet = bytes(self._buffer[start:end])
            self._greeted = True
            self._consume(end)
            return packet
        return None

    def _pass_over(self) -> bool:
        """Throw away what has come of a packet that is too long; whether that was all of it."""
        size = min(self._skip, len(self._buffer) - self._start)
        self._skip -= size
        self._consume(self._start + size)
        return not self._skip

    def _check_kind(self, first: int) -> None:
        if not self._greeted:
            if first != CONNACK:
                raise ProtocolError("its first answer is no CONNACK")
        elif first not in _EXPECTED:
            raise ProtocolError(f"it sends a packet of the unexpected kind 0x{first:02x}")

    def _remaining_length(self, at: int) -> tuple[int, int] | None:
        """Where the body starts and how long it is (section 2.2.3)."""
        length = 0
        for shift in (0, 7, 14, 21):
            if at == len(self._buffer):
                return None
            byte = self._buffer[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return at, length
        raise ProtocolError("it sends a packet with a malformed length")

    def _consume(self, end: int) -> None:
        if end == len(self._buffer):
            self._buffer.clear()
            end = 0
        elif end >= _COMPACT_BYTES:
            del self._buffer[:end]
            end = 0
        self._start = end
