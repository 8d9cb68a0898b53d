"""What differs between the battery families (marstek-devices.md, battery-firmware.md section 1)."""

from __future__ import annotations

from dataclasses import dataclass

UNSET = 255
"""A report interval index that was never written; every value above 2 counts as unset (1.2)."""


@dataclass(frozen=True, slots=True)
class Family:
    """What every family has; the sections are those of marstek-devices.md.

    :ivar prefixes: how its device types start, in capitals.
    :ivar firmware: the version that is simulated unless the configuration says otherwise.
    :ivar charges_from_ac: can take power from the house (battery-firmware.md section 1).
    :ivar has_baseline: knows the grid baseline setting (1.2).
    :ivar report_index: report interval index as it leaves the factory (1.2).
    :ivar own_id_from: first firmware that checks field 4 of an answer; 0 = none does (1.6).
    :ivar poll_s: between two polls when the first was answered, at index 0 (1.7).
    :ivar unanswered_poll_s: the same when it was not answered.
    :ivar strikes: the meter is lost by counting failures, not by the time since the last answer
        (1.8).
    """

    name: str
    prefixes: tuple[str, ...]
    firmware: int
    charges_from_ac: bool
    has_baseline: bool
    report_index: int
    own_id_from: int
    poll_s: float
    unanswered_poll_s: float
    strikes: bool


@dataclass(frozen=True, slots=True)
class IntegerFamily(Family):
    """A family whose field law is the integer law.

    :ivar gate_w: smallest grid power that is a spike, or that moves a resting unit (2.2).
    :ivar whole_watts: the setpoint is an integer; otherwise it keeps its fraction (2.1).
    :ivar park_w: a setpoint within this is parked when alone ... (2.1)
    :ivar park_grid_w: ... and the grid power is not above this.
    :ivar parked_w: the setpoint of a parked unit, and of one that lost its meter (2.1, 1.8).
    :ivar conflict_w: the setpoint after a conflict (1.4).
    :ivar sums_from: first firmware that looks at the sums before it uses the counts (1.3).
    :ivar settles_from: first firmware with the settle gate (1.7).
    """

    gate_w: int
    whole_watts: bool
    park_w: int
    park_grid_w: int
    parked_w: float
    conflict_w: float
    sums_from: int
    settles_from: int


def _modern(
    name: str,
    prefixes: tuple[str, ...],
    firmware: int,
    *,
    own_id_from: int = 0,
    poll_s: float = 0.45,
    charges_from_ac: bool = True,
    has_baseline: bool = True,
) -> IntegerFamily:
    """Venus E v3, A and D: one code base.

    1.7 gives 300 ms of loop plus the wait for the answer, and 0.45..0.5 s measured: the answer of
    a meter on the same table is taken to cost 150 ms all told [I].
    """
    return IntegerFamily(
        name=name,
        prefixes=prefixes,
        firmware=firmware,
        charges_from_ac=charges_from_ac,
        has_baseline=has_baseline,
        report_index=0,
        own_id_from=own_id_from,
        poll_s=poll_s,
        unanswered_poll_s=max(poll_s, 0.9),
        strikes=True,
        gate_w=10,
        whole_watts=True,
        park_w=10,
        park_grid_w=10,
        parked_w=0.0,
        conflict_w=0.0,
        sums_from=0,
        settles_from=0,
    )


HMG = IntegerFamily(
    name="HMG",
    prefixes=("HMG",),
    firmware=155,
    charges_from_ac=True,
    has_baseline=False,
    report_index=UNSET,
    own_id_from=0,
    poll_s=0.805,
    unanswered_poll_s=0.805,
    strikes=False,
    gate_w=20,
    whole_watts=False,
    park_w=20,
    park_grid_w=15,
    parked_w=0.01,
    conflict_w=0.1,
    sums_from=153,
    settles_from=153,
)
"""Venus C, Venus E v1 and v2."""

VNSE3 = _modern("VNSE3", ("VNSE3",), 150, own_id_from=150)
"""Venus E v3."""

VNSA = _modern("VNSA", ("VNSA",), 149)
"""Venus A."""

VNSD = _modern("VNSD", ("VNSD",), 150)
"""Venus D."""

JUPITER = _modern(
    "Jupiter",
    ("HMN", "HMM", "JPLS"),
    142,
    poll_s=1.0,
    charges_from_ac=False,
    has_baseline=False,
)
"""Jupiter C, E, Plus. No image and no law is public (2.6).

It is taken to run the integer law of its contemporaries with a built-in inverter, and to poll once
a second as most captures show [I]; what is certain is that it cannot charge from the house.
"""

B2500 = Family(
    name="B2500",
    prefixes=("HMA", "HMJ", "HMK"),
    firmware=118,
    charges_from_ac=False,
    has_baseline=False,
    report_index=0,
    own_id_from=0,
    poll_s=1.0,
    unanswered_poll_s=1.0,
    strikes=False,
)
"""B2500: direct current outputs for somebody else's inverter, and a law of its own (2.5).

When it gives up its meter is not known: taken to be after 25 s of silence, as HMG does [I].
"""

FAMILIES: tuple[Family, ...] = (HMG, VNSE3, VNSA, VNSD, B2500, JUPITER)


def family_of(device_type: str) -> Family | None:
    """The family of a device type such as ``HMG-50`` or ``VNSE3-0``, in any case; None if unknown.

    Other types that begin with ``VNS`` are taken for a Venus E v3 (battery-firmware.md section 1).
    """
    name = device_type.strip().upper()
    for family in FAMILIES:
        if name.startswith(family.prefixes):
            return family
    return VNSE3 if name.startswith("VNS") else None
