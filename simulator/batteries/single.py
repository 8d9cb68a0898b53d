"""Single precision: some firmware computes with it, and some of its decisions depend on it."""

from __future__ import annotations

import struct

_SINGLE = struct.Struct("<f")


def single(value: float) -> float:
    """The nearest number of IEEE single precision.

    :raises OverflowError: beyond 3.4e38.
    """
    number: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
    return number


def from_bits(bits: int) -> float:
    """The number whose 32 bits are these."""
    number: float = _SINGLE.unpack(bits.to_bytes(4, "little"))[0]
    return number
