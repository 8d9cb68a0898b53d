"""The fields of an answer (ct-protocol.md section 8, marstek-devices.md sections 1.5 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from astrameter.ct.aggregate import ABC, BUCKET, A, B, Buckets, C
from astrameter.ct.request import Request
from astrameter.reading import PhaseWatts

MAX_ANSWER = 255
"""Batteries compare the length as 8 bits: 256 bytes and more are rejected (1.6)."""

MAX_STEP_W = 32767.0
"""The phase fields are 16 bits wide in a battery: more would arrive with the wrong sign
(ct-protocol.md section 8.1)."""

_SLOT = {"A": 0, "B": 1, "C": 2}
COMBINED = "D"
_TYPES_WITH_ENERGY = frozenset({"HME-3", "HME-5", "TPM2-0"})
_NOTHING = ["0"] * 10


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the answer comes from.

    :ivar ct_type: ``HME-4`` or ``HME-3``.
    :ivar ct_mac: as configured; empty echoes the request's.
    """

    ct_type: str
    ct_mac: str
    wifi_rssi: int


def relayed(
    request: Request,
    identity: Identity,
    values: PhaseWatts,
    counts: Sequence[int],
    index: int,
    buckets: Buckets,
) -> list[str]:
    """24 fields as the predecessor sends them: relay, inspection and the classic style.

    :param values: watts for the three phase fields, not yet rounded.
    :param counts: ``chrg_nb`` of A, B, C and ABC.
    """
    head = [
        identity.ct_type,
        identity.ct_mac or request.ct_mac,
        request.device_type,
        request.battery_mac,
    ]
    numbers = [
        *map(round, values),
        round(values[0] + values[1] + values[2]),
        *counts,
        identity.wifi_rssi,
        index,
        *buckets.charge_w,
        *buckets.discharge_w,
    ]
    return head + [str(number) for number in numbers]


def steered(
    request: Request,
    identity: Identity,
    reading_w: float,
    index: int,
    energy: tuple[int, int],
) -> list[str]:
    """The encoding that every known firmware takes for exactly ``reading_w``.

    Own phase field and total equal, the other phases 0, own count 1, no sums, and the CT pair
    of the request echoed to the letter (marstek-devices.md sections 1.5, 1.6 and 8).

    :param energy: imported and exported counters, for types whose answers have 28 fields.
    """
    value = str(round(reading_w))
    phases = ["0", "0", "0"]
    counts = ["0", "0", "0", "0"]
    slot = _SLOT.get(request.phase)
    if slot is not None:
        phases[slot] = value
        counts[slot] = "1"
    elif request.phase == COMBINED:
        # It acts on the total; one that adds the phases up gets the same.
        phases[0] = value
    fields = [
        *echo(request),
        *phases,
        value,
        *counts,
        str(identity.wifi_rssi),
        str(index),
        *_NOTHING,
    ]
    return with_energy(fields, request, energy)


def echo(request: Request) -> list[str]:
    """The first four fields of an answer that any pairing accepts."""
    return [request.ct_type, request.ct_mac, request.device_type, request.battery_mac]


def with_energy(fields: list[str], request: Request, energy: tuple[int, int]) -> list[str]:
    """Append fields 25..28 where the asked CT type has them (marstek-devices.md 1.12, 1.13)."""
    if request.ct_type not in _TYPES_WITH_ENERGY:
        return fields
    return [*fields, str(energy[0]), "0", str(energy[1]), "0"]


def relay_counts(buckets: Buckets) -> list[int]:
    """The true number of batteries: each divides the shared reading by it (section 9.3)."""
    count = buckets.count
    return [count[A], count[B], count[C], count[ABC]]


def active_counts(request: Request, values: PhaseWatts, buckets: Buckets) -> list[int]:
    """1 for every bucket at work: the reading is this battery's own already (section 9.3)."""
    counts = [
        int(buckets.is_active(bucket) or values[slot] != 0) for slot, bucket in enumerate((A, B, C))
    ]
    total = values[0] + values[1] + values[2]
    combined = BUCKET[request.phase] == ABC and total != 0
    return [*counts, int(buckets.is_active(ABC) or combined)]


def own_slot(phase: str, reading_w: float) -> PhaseWatts:
    """A reading in the battery's own phase field; D and unknown phases use A's."""
    slot = _SLOT.get(phase, 0)
    return (
        reading_w if slot == 0 else 0.0,
        reading_w if slot == 1 else 0.0,
        reading_w if slot == 2 else 0.0,
    )


def spread(reading_w: float, per_phase: Sequence[float]) -> PhaseWatts:
    """The classic spreading of a reading in proportion to ``per_phase`` (section 15)."""
    total = per_phase[0] + per_phase[1] + per_phase[2]
    if total <= 0:
        return (reading_w, 0.0, 0.0)
    return (
        reading_w * per_phase[0] / total,
        reading_w * per_phase[1] / total,
        reading_w * per_phase[2] / total,
    )
