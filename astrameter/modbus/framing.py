"""Frames around messages: MBAP on TCP and UDP, RTU on serial lines. Bytes in, bytes out.

A ``...Framing`` belongs to one connection. It never raises on what arrives, keeps no more than 512
bytes of it, and finds the next good frame as far as that can be: on a serial line always, in a TCP
stream that lost its step never.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from astrameter.modbus.pdu import EXCEPTION, HOLDING, INPUT, MAX_REGISTERS

_HEADER = struct.Struct(">HHHB")
_AFTER_LENGTH = 6
"""Bytes of an MBAP header up to and with its length field (MBTCP section 3.1.3)."""

_LENGTHS = range(2, 255)
"""Unit and message, by the length field; the whole frame has 260 bytes at most (MBTCP 3.1.3)."""

_MAX_RTU_FRAME = 256
"""MBSL section 2.3."""

_SIZED = frozenset({HOLDING, INPUT})
_REFUSED = frozenset({HOLDING | EXCEPTION, INPUT | EXCEPTION})
_REFUSAL_BYTES = 5
_AROUND_REGISTERS = 5


class Frame(NamedTuple):
    """One message as it arrived.

    :ivar transaction: the number of the request that it answers; None on serial lines.
    :ivar pdu: function code and data.
    """

    unit: int
    transaction: int | None
    pdu: bytes


class Framing(Protocol):
    """What a session asks of either kind.

    :ivar transaction: the number of the last request; None where there are none.
    :ivar broken: what the other end did so that nothing more can be understood on this
        connection ("does not speak Modbus TCP"); empty while all is well.
    :ivar partial: an incomplete frame has arrived, and the next one cannot be told from its rest.
    """

    @property
    def transaction(self) -> int | None: ...
    @property
    def broken(self) -> str: ...
    @property
    def partial(self) -> bool: ...

    def request(self, unit: int, pdu: bytes) -> bytes:
        """The frame of the next request."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with ``data``, in order."""

    def reset(self) -> None:
        """Forget the beginning of a frame, where that makes sense."""


# ---------------------------------------------------------------------------------- TCP and UDP


class MbapFraming:
    """A TCP stream. Answers carry the number of their request (MBTCP section 3.1.3)."""

    def __init__(self) -> None:
        self.transaction = 0
        self.broken = ""
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        return bool(self._buffer)

    def request(self, unit: int, pdu: bytes) -> bytes:
        self.transaction = (self.transaction + 1) & 0xFFFF
        return mbap(unit, self.transaction, pdu)

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        if not self.broken:
            self._buffer += data
            while (frame := self._next()) is not None:
                frames.append(frame)
        return frames

    def reset(self) -> None:
        """Nothing: what arrives next may be the rest of a frame, and nothing tells."""

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) <= _HEADER.size:
            return None
        transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
        if protocol != 0 or length not in _LENGTHS:
            self.broken = "does not speak Modbus TCP"
            buffer.clear()
            return None
        if length == 2 and buffer[_HEADER.size] & EXCEPTION:
            # Some devices count the bytes of a refusal wrong; pymodbus knows them, too.
            length = 3
        end = _AFTER_LENGTH + length
        if end > len(buffer):
            return None
        frame = Frame(unit, transaction, bytes(buffer[_HEADER.size : end]))
        del buffer[:end]
        return frame


class DatagramFraming:
    """UDP: the same frames, one a datagram; what is none is dropped."""

    broken = ""
    partial = False

    def __init__(self) -> None:
        self._numbered = MbapFraming()

    @property
    def transaction(self) -> int:
        return self._numbered.transaction

    def request(self, unit: int, pdu: bytes) -> bytes:
        return self._numbered.request(unit, pdu)

    def feed(self, data: bytes) -> list[Frame]:
        return MbapFraming().feed(data)

    def reset(self) -> None:
        """Nothing: no datagram depends on another."""


def mbap(unit: int, transaction: int, pdu: bytes) -> bytes:
    """A frame for TCP or UDP."""
    return _HEADER.pack(transaction, 0, 1 + len(pdu), unit) + pdu


# --------------------------------------------------------------------------------- serial lines


class RtuFraming:
    """A serial line, from the master's side.

    Only length and checksum tell where a frame is, so every byte may begin one. Each such
    beginning is kept until its end has come and its checksum is right or wrong; a good frame is
    found with its last byte, whatever noise is around it. Should the registers of an answer look
    like a frame by chance, that is found, too, and before it; it does not fit the request.
    """

    transaction = None
    broken = ""
    partial = False

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._starts: dict[int, list[int]] = {}

    def request(self, unit: int, pdu: bytes) -> bytes:
        return rtu(unit, pdu)

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        for byte in data:
            self._buffer.append(byte)
            self._begin()
            for start in self._starts.pop(len(self._buffer), ()):
                if crc16(self._buffer[start:]) == 0:
                    frames.append(
                        Frame(self._buffer[start], None, bytes(self._buffer[start + 1 : -2]))
                    )
                    self._forget_since(start)
                    break
            if len(self._buffer) == 2 * _MAX_RTU_FRAME:
                self._shorten()
        return frames

    def reset(self) -> None:
        self._buffer.clear()
        self._starts.clear()

    def _begin(self) -> None:
        """Its third byte tells how long a frame is, if it is one."""
        start = len(self._buffer) - 3
        if start >= 0:
            length = _answer_length(self._buffer[start + 1], self._buffer[start + 2])
            if length:
                self._starts.setdefault(start + length, []).append(start)

    def _forget_since(self, start: int) -> None:
        for end, starts in self._starts.items():
            self._starts[end] = [one for one in starts if one < start]

    def _shorten(self) -> None:
        # What begins before the cut has ended before now.
        cut = _MAX_RTU_FRAME
        del self._buffer[:cut]
        self._starts = {
            end - cut: [start - cut for start in starts] for end, starts in self._starts.items()
        }


def _answer_length(function: int, size: int) -> int:
    """The length of an answer to one of our requests, by its second and third byte; or 0."""
    if function in _SIZED and size % 2 == 0 and 0 < size <= 2 * MAX_REGISTERS:
        return _AROUND_REGISTERS + size
    return _REFUSAL_BYTES if function in _REFUSED else 0


def rtu(unit: int, pdu: bytes) -> bytes:
    """A frame for a serial line (MBSL section 2.3); the checksum's low byte comes first."""
    message = bytes([unit]) + pdu
    return message + crc16(message).to_bytes(2, "little")


def crc16(data: bytes | bytearray) -> int:
    """The checksum of serial frames (MBSL section 6.2.2); 0 over a frame with its checksum."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC_TABLE = tuple(map(_crc_of_byte, range(256)))
