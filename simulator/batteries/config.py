"""What one simulated battery is: its type, its settings, its plant."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import chain

from simulator.batteries.families import FAMILIES, JUPITER, UNSET, Family, family_of
from simulator.batteries.variants import B2500Settings, UnknownLaw

PHASES = "0ABCD5"
"""The phase setting of the firmware in its own order (marstek-devices.md section 1.2):
unknown, A, B, C, combined, and 5 = the detection has failed."""

SPIKE_GATE_TYPES = frozenset({"HME-2", "HME-4", "TPM-CN", "HME-3", "HME-5"})
"""CT types with the spike gate (codes 3 and 4 of section 1.11; 1, 5 and 6 are Shelly)."""

CT003_TYPES = frozenset({"HME-3", "HME-5"})

FIELD, CLASSIC, UNKNOWN_LAW = "field", "classic", "unknown"
LAWS = (FIELD, CLASSIC, UNKNOWN_LAW)
"""The law of today's firmware, the one that the predecessor simulates, and one made up."""

SUM, OWN_PHASE = "sum", "own_phase"
READS = (SUM, OWN_PHASE)

CONTINUOUS, BY_POLL = "continuous", "poll"
STEPPINGS = (CONTINUOUS, BY_POLL)

MAX_POWER_W = 32767
"""A battery reports its power as a signed 16-bit number (section 1.10)."""

_MAC = re.compile(r"[0-9A-F]{12}\Z")
_TEXT = re.compile(r"[ -{}~]{0,30}\Z")  # printable ASCII without the separator


@dataclass(frozen=True, slots=True)
class BatteryConfig:
    """One battery; the defaults of the plant are those of simulator.md section 4.2.

    :ivar mac: its identity, 12 hexadecimal digits; kept in capitals.
    :ivar law: one of LAWS.
    :ivar reads: classic law only: ``sum`` acts on the sum of the phase fields, as the predecessor's
        simulator does, ``own_phase`` on its own (battery-firmware.md section 2.2).
    :ivar rest_w: classic ramp law only: less than this moves only a discharging unit. The
        predecessor uses 20 for all; 10 is documented for Venus E v3 (section 5).
    :ivar duplicate_drop: ignores an answer with the index of the one before.
    :ivar stepping: ``continuous`` moves the output whenever time passes. ``poll`` moves it once a
        poll, by one poll interval, before the request is made, and not in between: the plant that
        the predecessor's numbers come from (battery-firmware.md section 9).
    :ivar b2500: what only a B2500 has.
    :ivar unknown_law: what is run when ``law`` is ``unknown``.
    :ivar phase: one of PHASES. Without a known phase it never regulates.
    :ivar wired_to: the phase it delivers on; empty means the phase setting, or A.
    :ivar behaves_as: device type whose family and law it has; empty means its own. Only for types
        whose law nobody knows.
    :ivar ct_mac: of the CT it was paired with; empty takes answers of any CT.
    :ivar firmware: 0 means the family's usual version.
    :ivar recharge_mode: 1 acts on the whole house, 0 on its own phase (section 1.2).
    :ivar baseline_w: subtracted from the grid power (Venus E v3, A, D).
    :ivar ctrl_ratio: loop gain in percent.
    :ivar report_index: report interval index 0, 1 or 2; None means as it leaves the factory.
    :ivar inspection_polls: answers during which it pretends not to know its phase yet.
    :ivar participates: False appends the opt-out field of a B2500 to its requests.
    :ivar power_update_delay_polls: polls until a new setpoint reaches the inverter.
    :ivar poll_interval_s: fixed time between polls; None means the cadence of the firmware.
    :ivar poll_jitter_s: half-width of a random addition to each interval.
    :ivar max_charge_w, max_discharge_w: magnitudes, both positive. A unit that cannot charge from
        the house does not, whatever is given here; see :attr:`charge_limit_w`.
    :ivar min_soc: at this state of charge it stops discharging.
    :ivar efficiency: of one direction, AC to cell or cell to AC, 0..1.
    :ivar min_power_w: smaller setpoints give no output.
    :ivar startup_delay_s: from the wish to leave idle until the output moves.
    :ivar max_dc_input_w: of the solar panels wired to the battery itself.
    :ivar initial_power_w: it starts in motion with this output.
    :raises ValueError: naming the battery, what is wrong with it, and what is right.
    """

    mac: str
    device_type: str = "HMG-50"
    phase: str = "A"
    wired_to: str = ""
    behaves_as: str = ""
    ct_type: str = "HME-4"
    ct_mac: str = "112233445566"
    firmware: int = 0
    law: str = FIELD
    reads: str = SUM
    rest_w: int = 20
    duplicate_drop: bool = True
    stepping: str = CONTINUOUS
    b2500: B2500Settings = field(default_factory=B2500Settings)
    unknown_law: UnknownLaw = field(default_factory=UnknownLaw)
    recharge_mode: int = 1
    baseline_w: int = 0
    ctrl_ratio: int = 100
    report_index: int | None = None
    inspection_polls: int = 1
    participates: bool = True
    power_update_delay_polls: int = 0
    poll_interval_s: float | None = None
    poll_jitter_s: float = 0.0
    max_charge_w: float = 800.0
    max_discharge_w: float = 800.0
    capacity_wh: float = 2560.0
    initial_soc: float = 0.5
    min_soc: float = 0.0
    efficiency: float = 1.0
    ramp_w_per_s: float = 200.0
    min_power_w: float = 20.0
    startup_delay_s: float = 2.0
    max_dc_input_w: float = 0.0
    dc_input_w: float = 0.0
    initial_power_w: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mac", self.mac.upper())
        if not _MAC.match(self.mac):
            raise ValueError(f"Battery MAC must be 12 hex chars, got {self.mac!r}")
        for problem in chain(
            self._not_finite(), self._wrong_law(), self._wrong_settings(), self._wrong_plant()
        ):
            raise ValueError(f"Battery {self.mac}: {problem}")

    def _not_finite(self) -> Iterator[str]:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, (int, float)) and not math.isfinite(value):
                yield f"{one.name} must be a finite number, got {value}"

    def _wrong_law(self) -> Iterator[str]:
        for name, value, allowed in (
            ("law", self.law, LAWS),
            ("reads", self.reads, READS),
            ("stepping", self.stepping, STEPPINGS),
        ):
            if value not in allowed:
                yield f"invalid {name} {value!r}; use {' or '.join(allowed)}"
        if self.rest_w < 0:
            yield f"rest_w must be >= 0, got {self.rest_w}"

    def _wrong_settings(self) -> Iterator[str]:
        family = family_of(self.behaves_as or self.device_type)
        texts = (self.device_type, self.ct_type, self.ct_mac)
        if family is None:
            known = ", ".join(f"{prefix}*" for one in FAMILIES for prefix in one.prefixes)
            device_type = self.behaves_as or self.device_type
            yield f"device type {device_type!r} has no simulated law; use one of {known}"
        elif self.baseline_w and not family.has_baseline:
            yield f"baseline_w must be 0: {family.name} does not know it"
        if not all(_TEXT.match(text) for text in texts):
            yield "device type, CT type and CT MAC are at most 30 ASCII characters without '|'"
        if len(self.phase) != 1 or self.phase not in PHASES:
            yield (
                f"invalid phase {self.phase!r}; "
                "use A, B, C, D (combined), 0 (unknown) or 5 (detection failed)"
            )
        if self.wired_to not in ("", "A", "B", "C"):
            yield f"invalid wired_to {self.wired_to!r}; use A, B or C"
        if self.recharge_mode not in (0, 1):
            yield f"recharge_mode must be 0 (own phase) or 1 (house), got {self.recharge_mode}"
        if self.report_index is not None and not 0 <= self.report_index <= UNSET:
            yield f"report_index must be 0, 1 or 2, got {self.report_index}"
        if abs(self.baseline_w) > MAX_POWER_W:
            yield f"baseline_w must be a 16-bit number, got {self.baseline_w}"
        if self.power_update_delay_polls < 0:
            yield f"power_update_delay_ticks must be >= 0, got {self.power_update_delay_polls}"
        if min(self.firmware, self.inspection_polls, self.poll_jitter_s) < 0:
            yield "firmware, inspection_polls and poll_jitter_s must be >= 0"
        if self.poll_interval_s is not None and self.poll_interval_s <= 0:
            yield f"poll_interval must be > 0, got {self.poll_interval_s}"

    def _wrong_plant(self) -> Iterator[str]:
        limits = (self.max_charge_w, self.max_discharge_w)
        if not 0.0 <= self.initial_soc <= 1.0:
            yield f"initial_soc must be 0.0-1.0, got {self.initial_soc}"
        if not 0.0 <= self.min_soc < 1.0:
            yield f"min_soc must be 0.0-1.0, got {self.min_soc}"
        if not 0.0 < self.efficiency <= 1.0:
            yield f"efficiency must be 0.0-1.0, got {self.efficiency}"
        if min(limits) < 0:
            yield "power values must be >= 0"
        if max(limits) > MAX_POWER_W or self.max_dc_input_w > MAX_POWER_W:
            yield f"power values must be <= {MAX_POWER_W}"
        if self.max_dc_input_w < 0:
            yield f"max_dc_input must be >= 0, got {self.max_dc_input_w}"
        if not 0 <= self.dc_input_w <= self.max_dc_input_w:
            yield (
                f"dc_input_power must be within [0, max_dc_input={self.max_dc_input_w:g}], "
                f"got {self.dc_input_w}"
            )
        if not -self.charge_limit_w <= self.initial_power_w <= self.max_discharge_w:
            yield f"initial_power_w must be within the power limits, got {self.initial_power_w}"
        if self.ramp_w_per_s <= 0:
            yield f"ramp_rate must be > 0, got {self.ramp_w_per_s}"
        if min(self.min_power_w, self.startup_delay_s) < 0:
            yield "min_power_w and startup_delay_s must be >= 0"

    @property
    def family(self) -> Family:
        """The constants of its firmware."""
        family = family_of(self.behaves_as or self.device_type)
        assert family is not None, "checked when it was made"
        return family

    @property
    def firmware_version(self) -> int:
        return self.firmware or self.family.firmware

    @property
    def charges_from_ac(self) -> bool:
        """Whether it can take power from the house.

        B2500 and Jupiter have nothing to do it with. Only the predecessor's Jupiter charges, as
        its law does not know better (battery-firmware.md section 8).
        """
        family = self.family
        return family.charges_from_ac or (self.law == CLASSIC and family is JUPITER)

    @property
    def charge_limit_w(self) -> float:
        """Largest power it takes from the house, 0 or more."""
        return self.max_charge_w if self.charges_from_ac else 0.0

    @property
    def phase_number(self) -> int:
        """The phase setting as the firmware counts it: 0 unknown, 1..3, 4 combined, 5 failed."""
        return PHASES.index(self.phase)

    @property
    def wired_phase(self) -> str:
        """The phase it delivers on: ``A``, ``B`` or ``C``."""
        return self.wired_to or (self.phase if self.phase in "ABC" else "A")

    @property
    def interval_index(self) -> int:
        """Report interval index in force: 0, 1 or 2 (marstek-devices.md section 1.2)."""
        index = self.family.report_index if self.report_index is None else self.report_index
        if index <= 2:
            return index
        return 2 if self.ct_type in CT003_TYPES else 1
