"""SML telegrams, encoded as meters.md section 20.1 describes them."""

from __future__ import annotations

from smllib.crc import kermit, x25

ESCAPE = b"\x1b" * 4
START = ESCAPE + b"\x01" * 4
WATT = 27

TOTAL = "0100100700ff"
PHASES = ("0100240700ff", "0100380700ff", "01004c0700ff")


def telegram(content: bytes, *, holley: bool = False) -> bytes:
    """The telegram around a content: four 1B doubled, filled up, with its checksum."""
    fill = -len(content) % 4
    body = content.replace(ESCAPE, ESCAPE * 2) + bytes(fill)
    framed = START + body + ESCAPE + bytes([0x1A, fill])
    checksum = kermit.get_crc(framed) if holley else x25.get_crc(framed)
    return framed + checksum.to_bytes(2, "big")


def entry(code: str, value: bytes, scaler: bytes = b"\x52\x00", unit: int = WATT) -> bytes:
    """The entry of one register; value and scaler are encoded."""
    name = b"\x07" + bytes.fromhex(code)
    return b"\x77" + name + b"\x01\x01" + bytes([0x62, unit]) + scaler + value + b"\x01"


def signed(value: int, size: int = 4) -> bytes:
    """An encoded integer."""
    return bytes([0x50 + size + 1]) + value.to_bytes(size, "big", signed=True)


def power(watts: int) -> bytes:
    """A telegram with nothing but the total power."""
    return telegram(entry(TOTAL, signed(watts)))
