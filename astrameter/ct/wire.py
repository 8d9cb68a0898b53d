"""The frame that batteries and CT meters exchange (ct-protocol.md section 2).

``01 02 <length> | field 1 | ... | field N 03 <two hexadecimal digits>``; the same in both
directions. Pure functions, no state.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_FRAME = 9999
"""The largest length that four digits can say, bytes."""

_HEAD = b"\x01\x02"
_ETX = 0x03
_MIN_FRAME = 10
_LENGTH_DIGITS = 64
_FIXED = 5  # SOH, STX, ETX and two checksum digits
_HEX = tuple(f"{value:02x}".encode() for value in range(256))


class FrameError(ValueError):
    """A datagram is no frame; ``kind`` is the first check that it failed (section 2.3)."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def checksum(data: bytes) -> int:
    """XOR of all bytes, 0..255.

    Folding one big integer in halves is several times faster than a loop over the bytes.
    """
    size = 1 << max(0, len(data) - 1).bit_length()
    folded = int.from_bytes(data, "little")
    while size > 1:
        size //= 2
        bits = 8 * size
        folded = (folded >> bits) ^ (folded & ((1 << bits) - 1))
    return folded


def encode(fields: Sequence[str]) -> bytes:
    """Frame the fields, with a lower-case checksum.

    :raises FrameError: ``non_ascii`` for text outside 7-bit ASCII, ``too_long`` above 9999
        bytes, ``separator`` for a field that contains ``|``.
    """
    text = "|".join(fields)
    if text.count("|") != len(fields) - 1:
        raise FrameError("separator")
    try:
        body = b"|" + text.encode("ascii")
    except UnicodeEncodeError:
        raise FrameError("non_ascii") from None
    framed = b"%s%d%s\x03" % (_HEAD, _total_length(len(body)), body)
    return framed + _HEX[checksum(framed)]


def _total_length(body: int) -> int:
    base = body + _FIXED
    for digits in (1, 2, 3, 4):
        if len(str(base + digits)) == digits:
            return base + digits
    raise FrameError("too_long")


def decode(datagram: bytes) -> list[str]:
    """The fields of a frame.

    :raises FrameError: with the first check of section 2.3 that fails.
    """
    size = len(datagram)
    if size < _MIN_FRAME:
        raise FrameError("too_short")
    if datagram[:2] != _HEAD:
        raise FrameError("missing_soh_stx")
    separator = datagram.find(b"|", 2)
    if separator < 0:
        raise FrameError("no_separator")
    if _length(datagram[2:separator]) != size:
        raise FrameError("length_mismatch")
    if datagram[-3] != _ETX:
        raise FrameError("missing_etx")
    if not _checksum_matches(checksum(datagram[:-2]), datagram[-2:]):
        raise FrameError("bad_checksum")
    try:
        return datagram[separator + 1 : -3].decode("ascii").split("|")
    except UnicodeDecodeError:
        raise FrameError("non_ascii") from None


def _length(digits: bytes) -> int:
    # Longer numbers cannot be true, and a huge one would cost time to convert.
    if not digits.removeprefix(b"-").isdigit() or len(digits) > _LENGTH_DIGITS:
        raise FrameError("bad_length")
    return int(digits)


def _checksum_matches(value: int, digits: bytes) -> bool:
    """Both spellings of the field: any case, or a blank for the high digit (section 2.2)."""
    wanted = _HEX[value]
    if digits == wanted:
        return True
    given = digits.lower()
    return given == wanted or (given[0] == 0x20 and given[1] == wanted[1])
