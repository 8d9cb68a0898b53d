"""The datagrams of SMA's energy meters: bytes to values (meters.md section 18).

SMA calls the protocol Speedwire; all numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HEADER = struct.Struct(">4s H H 8x H H I I")
"""Signature, length of the first tag, the tag, (group, length, tag), protocol, SUSy id, serial
number, ticker in milliseconds."""

_SIGNATURE = b"SMA\0"
_ENERGY_METER = 0x6069
_LOW_BYTE = 0xFF

_CHANNEL = struct.Struct(">B B B B")
_NUMBER = struct.Struct(">I")
_COUNTER = 8
"""The type of a channel with eight bytes of data, and their number; all others have four."""

_POWER = 4
"""The type of a channel with an instantaneous power, in tenths of a watt."""

_TOTAL = (0x01, 0x02)
_PHASES = ((0x15, 0x16), (0x29, 0x2A), (0x3D, 0x3E))
"""Index of the channel with the import, and of that with the export."""


@dataclass(frozen=True, slots=True)
class MeterTelegram:
    """What an energy meter sends about once a second.

    :ivar susy_id: the type of the device.
    :ivar serial: its serial number.
    :ivar ticker_ms: its clock when it measured; begins again at 0 every 50 days.
    :ivar channels: the measurements, encoded.
    """

    susy_id: int
    serial: int
    ticker_ms: int
    channels: bytes

    @property
    def watts(self) -> tuple[float, ...]:
        """Import minus export: of three phases if one is mentioned, else the total; or nothing."""
        powers = dict(_powers(self.channels))
        if any(index in powers for pair in _PHASES for index in pair):
            return tuple(_net(powers, pair) for pair in _PHASES)
        if any(index in powers for index in _TOTAL):
            return (_net(powers, _TOTAL),)
        return ()


def decode(datagram: bytes) -> MeterTelegram | None:
    """Read a datagram; None when it is not from an energy meter."""
    if len(datagram) < _HEADER.size:
        return None
    signature, tag_length, tag, protocol, susy_id, serial, ticker = _HEADER.unpack_from(datagram)
    # The high bytes are not looked at, as in AstraMeter 2.x.
    tagged = tag_length & _LOW_BYTE == 0x04 and tag >> 8 == 0x02
    if signature != _SIGNATURE or not tagged or protocol != _ENERGY_METER:
        return None
    return MeterTelegram(susy_id, serial, ticker, datagram[_HEADER.size :])


def _powers(channels: bytes) -> Iterator[tuple[int, int]]:
    """The powers in tenths of a watt by index, until the end mark or to where it breaks off."""
    at = 0
    while at + _CHANNEL.size <= len(channels):
        channel, index, kind, tariff = _CHANNEL.unpack_from(channels, at)
        at += _CHANNEL.size
        length = _COUNTER if kind == _COUNTER else _NUMBER.size
        if not (channel or index or kind or tariff) or at + length > len(channels):
            return
        if (channel, kind, tariff) == (0, _POWER, 0):
            yield index, _NUMBER.unpack_from(channels, at)[0]
        at += length


def _net(powers: Mapping[int, int], pair: tuple[int, int]) -> float:
    imported, exported = pair
    return (powers.get(imported, 0) - powers.get(exported, 0)) / 10.0
