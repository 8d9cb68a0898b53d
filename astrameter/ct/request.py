"""What a battery says in its poll (ct-protocol.md sections 3, 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from astrameter.steering.interface import INSPECTION

_PHASES = frozenset("ABCD")
_POWER_DIGITS = 10  # four bytes at most on the wire; more would only blow up everybody's answer
_REQUIRED_FIELDS = 4


class Request(NamedTuple):
    """One poll.

    :ivar battery_mac: the identity, as spelled by the battery; may be empty.
    :ivar ct_type: type of CT the battery was paired with; may be empty or unknown to us.
    :ivar phase: ``A``, ``B``, ``C``, ``D`` (combined) or ``0`` (inspection).
    :ivar power_w: what the battery delivers on the AC side, watts; negative = charging.
    :ivar participates: False asks not to be counted (section 7).
    """

    device_type: str
    battery_mac: str
    ct_type: str
    ct_mac: str
    phase: str
    power_w: int
    participates: bool


def parse_request(fields: Sequence[str]) -> Request | None:
    """The request in the fields of a frame; None when there are fewer than four."""
    count = len(fields)
    if count < _REQUIRED_FIELDS:
        return None
    phase = fields[4].strip().upper() if count > 4 else INSPECTION
    return Request(
        fields[0],
        fields[1],
        fields[2],
        fields[3],
        phase if phase in _PHASES else INSPECTION,
        (_integer(fields[5]) or 0) if count > 5 else 0,
        count <= 6 or _integer(fields[6]) != 0,
    )


def _integer(text: str) -> int | None:
    digits = text.strip()
    unsigned = digits[1:] if digits[:1] in ("+", "-") else digits
    # str.isdigit is also true for superscripts, which cannot be here: a frame is ASCII.
    if not unsigned.isdigit() or len(unsigned.lstrip("0")) > _POWER_DIGITS:
        return None
    return int(digits)
