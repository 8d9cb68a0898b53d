"""Numbers in registers (meters.md section 12)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_FORMATS = {
    "UINT16": "H",
    "INT16": "h",
    "UINT32": "I",
    "INT32": "i",
    "UINT64": "Q",
    "INT64": "q",
    "FLOAT32": "f",
    "FLOAT64": "d",
}

TYPES = tuple(_FORMATS)
"""The names of the types that a number can have."""


def registers_of(type_name: str) -> int:
    """How many registers a number of that type takes."""
    return struct.calcsize(f">{_FORMATS[type_name]}") // 2


def number(
    registers: Sequence[int],
    type_name: str,
    *,
    low_word_first: bool = False,
    low_byte_first: bool = False,
) -> float:
    """The number that the first registers hold; further ones are ignored.

    :param registers: 0..65535 each, at least as many as the type takes.
    """
    words = list(registers[: registers_of(type_name)])
    if low_word_first:
        words.reverse()
    order = "<" if low_byte_first else ">"
    octets = struct.pack(f"{order}{len(words)}H", *words)
    (value,) = struct.unpack(f">{_FORMATS[type_name]}", octets)
    return float(value)
