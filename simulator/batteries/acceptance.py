"""Which answers a battery takes (marstek-devices.md section 1.6)."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from astrameter.ct.wire import FrameError, checksum, decode

MAX_ANSWER = 255
"""The length is compared as 8 bits: 256 bytes and more never match."""

_FIELDS = 24
_HEX = re.compile(rb"\s*([0-9A-Fa-f]{1,2})")
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")
_SHORTEST_MAC = 6


class Answer(NamedTuple):
    """The numbers of an accepted answer.

    :ivar phase_w: grid power on A, B, C, + import (fields 5..7).
    :ivar total_w: field 8.
    :ivar counts: number of batteries in A, B, C, ABC (fields 9..12).
    :ivar info_index: field 14.
    :ivar charge_w: sums of the charging powers in x, A, B, C, ABC (fields 15..19).
    :ivar discharge_w: sums of the discharging powers (fields 20..24).
    """

    phase_w: tuple[int, ...]
    total_w: int
    counts: tuple[int, ...]
    info_index: int
    charge_w: tuple[int, ...]
    discharge_w: tuple[int, ...]


class Rejection(Enum):
    """Why an answer was not taken."""

    TOO_LONG = "256 bytes or more"
    NO_FRAME = "no frame, or a wrong length or checksum"
    TOO_FEW_FIELDS = "less than 24 fields"
    OTHER_CT_TYPE = "field 1 is not the CT type that was asked"
    OTHER_CT_MAC = "field 2 is not the CT that was paired"
    OTHER_BATTERY = "field 4 is another battery"
    DUPLICATE = "field 14 is not 0 and the same as before"


class Acceptance:
    """The checks of one battery.

    A rejection other than DUPLICATE counts as a malformed answer (1.8): the images parse and
    compare in one routine whose failure is one result [I].
    """

    __slots__ = ("_ct_mac", "_ct_type", "_drops", "_index", "_own_id")

    def __init__(
        self, ct_type: str, ct_mac: str, own_id: str | None, duplicate_drop: bool = True
    ) -> None:
        """``own_id`` None: a firmware that does not look at field 4."""
        self._drops = duplicate_drop
        self._ct_type = ct_type
        self._ct_mac = ct_mac if len(ct_mac) >= _SHORTEST_MAC else None
        self._own_id = own_id
        self._index = 0

    def judge(self, datagram: bytes) -> Answer | Rejection:
        """The numbers of an answer, or why it is dropped."""
        if len(datagram) > MAX_ANSWER:
            return Rejection.TOO_LONG
        fields = _fields(datagram)
        if fields is None:
            return Rejection.NO_FRAME
        mismatch = self._mismatch(fields)
        if mismatch is not None:
            return mismatch
        numbers = _integers(fields[4:_FIELDS])
        index = numbers[9]
        if index == self._index and index != 0 and self._drops:
            return Rejection.DUPLICATE
        self._index = index
        return Answer(numbers[:3], numbers[3], numbers[4:8], index, numbers[10:15], numbers[15:20])

    def _mismatch(self, fields: list[str]) -> Rejection | None:
        if len(fields) < _FIELDS:
            return Rejection.TOO_FEW_FIELDS
        if fields[0] != self._ct_type:
            return Rejection.OTHER_CT_TYPE
        if self._ct_mac is not None and fields[1] != self._ct_mac:
            return Rejection.OTHER_CT_MAC
        if self._own_id is not None and fields[3] != self._own_id:
            return Rejection.OTHER_BATTERY
        return None


def _fields(datagram: bytes) -> list[str] | None:
    try:
        return decode(datagram)
    except FrameError as error:
        if error.kind != "bad_checksum":
            return None
    return _with_lenient_checksum(datagram)


def _with_lenient_checksum(datagram: bytes) -> list[str] | None:
    """The checksum as scanf reads it: blanks before, anything after, one digit will do."""
    digits = _HEX.match(datagram[-2:])
    value = checksum(datagram[:-2])
    if digits is None or int(digits[1], 16) != value:
        return None
    try:
        return decode(datagram[:-2] + b"%02x" % value)
    except FrameError:
        return None


def _integers(texts: list[str]) -> tuple[int, ...]:
    try:
        return tuple(map(int, texts))
    except ValueError:
        return tuple(map(_integer, texts))


def _integer(text: str) -> int:
    """As atoi: the digits at the start, 0 when there are none."""
    found = _INTEGER.match(text)
    return int(found[1]) if found else 0
