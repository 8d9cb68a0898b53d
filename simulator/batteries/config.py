"""What one simulated battery is: its type, its settings, its plant."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

from simulator.batteries.families import FAMILIES, UNSET, Family, family_of

PHASES = "0ABCD5"
"""The phase setting of the firmware in its own order (marstek-devices.md section 1.2):
unknown, A, B, C, combined, and 5 = the detection has failed."""

SPIKE_GATE_TYPES = frozenset({"HME-2", "HME-4", "TPM-CN", "HME-3", "HME-5"})
"""CT types with the spike gate (codes 3 and 4 of section 1.11; 1, 5 and 6 are Shelly)."""

CT003_TYPES = frozenset({"HME-3", "HME-5"})

MAX_POWER_W = 32767
"""A battery reports its power as a signed 16-bit number (section 1.10)."""

_MAC = re.compile(r"[0-9A-F]{12}\Z")
_TEXT = re.compile(r"[ -{}~]*\Z")  # printable ASCII without the separator


@dataclass(frozen=True, slots=True)
class BatteryConfig:
    """One battery; the defaults of the plant are those of simulator.md section 4.2.

    :ivar mac: its identity, 12 hexadecimal digits; kept in capitals.
    :ivar phase: one of PHASES. Without a known phase it never regulates.
    :ivar wired_to: the phase it delivers on; empty means the phase setting, or A.
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
    :ivar max_charge_w, max_discharge_w: magnitudes, both positive.
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
    ct_type: str = "HME-4"
    ct_mac: str = "112233445566"
    firmware: int = 0
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
        for found in self._findings():
            raise ValueError(f"Battery {self.mac}: {found}")

    def _findings(self) -> list[str]:
        problems = []

        def check(right: bool, problem: str) -> None:
            if not right:
                problems.append(problem)

        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)):
                check(math.isfinite(value), f"{field.name} must be a finite number, got {value}")
        if problems:
            return problems
        known = ", ".join(f"{family.prefix}*" for family in FAMILIES)
        text = f"{self.device_type}{self.ct_type}{self.ct_mac}"
        powers = (self.max_charge_w, self.max_discharge_w)
        dc_range = f"[0, max_dc_input={self.max_dc_input_w:g}]"
        delay = self.power_update_delay_polls
        check(
            family_of(self.device_type) is not None,
            f"device type {self.device_type!r} has no simulated control law; use one of {known}",
        )
        check(
            _TEXT.match(text) is not None and max(map(len, (self.device_type, self.ct_type))) <= 30,
            "device type, CT type and CT MAC are short ASCII texts without '|'",
        )
        check(len(self.ct_mac) <= 30, "ct_mac is 12 hex digits, or empty for any CT")
        check(
            len(self.phase) == 1 and self.phase in PHASES,
            f"invalid phase {self.phase!r}; use A, B, C, D (combined), 0 (unknown) or 5 (failed)",
        )
        check(
            self.wired_to in ("", "A", "B", "C"),
            f"invalid wired_to {self.wired_to!r}; use A, B or C",
        )
        check(
            self.recharge_mode in (0, 1),
            f"recharge_mode must be 0 (own phase) or 1 (whole house), got {self.recharge_mode}",
        )
        check(
            self.report_index is None or 0 <= self.report_index <= UNSET,
            f"report_index must be 0, 1 or 2, got {self.report_index}",
        )
        check(
            self.baseline_w == 0
            or (self.family.has_baseline and abs(self.baseline_w) <= MAX_POWER_W),
            f"baseline_w must be a 16-bit number of watts, 0 on HMG, got {self.baseline_w}",
        )
        check(self.firmware >= 0, f"firmware must be >= 0, got {self.firmware}")
        check(
            0.0 <= self.initial_soc <= 1.0, f"initial_soc must be 0.0-1.0, got {self.initial_soc}"
        )
        check(0.0 <= self.min_soc < 1.0, f"min_soc must be 0.0-1.0, got {self.min_soc}")
        check(0.0 < self.efficiency <= 1.0, f"efficiency must be 0.0-1.0, got {self.efficiency}")
        check(min(powers) >= 0, "power values must be >= 0")
        check(max(powers) <= MAX_POWER_W, f"power values must be <= {MAX_POWER_W}")
        check(delay >= 0, f"power_update_delay_ticks must be >= 0, got {delay}")
        check(self.inspection_polls >= 0, "inspection_polls must be >= 0")
        check(self.max_dc_input_w >= 0, f"max_dc_input must be >= 0, got {self.max_dc_input_w}")
        check(
            0 <= self.dc_input_w <= self.max_dc_input_w,
            f"dc_input_power must be within {dc_range}, got {self.dc_input_w}",
        )
        check(
            -self.max_charge_w <= self.initial_power_w <= self.max_discharge_w,
            f"initial_power_w must be within the power limits, got {self.initial_power_w}",
        )
        check(self.ramp_w_per_s > 0, f"ramp_rate must be > 0, got {self.ramp_w_per_s}")
        check(
            min(self.min_power_w, self.startup_delay_s, self.poll_jitter_s) >= 0,
            "min_power_w, startup_delay_s and poll_jitter_s must be >= 0",
        )
        check(
            self.poll_interval_s is None or self.poll_interval_s > 0,
            f"poll_interval must be > 0, got {self.poll_interval_s}",
        )
        return problems

    @property
    def family(self) -> Family:
        """The constants of its firmware."""
        family = family_of(self.device_type)
        assert family is not None, "checked when it was made"
        return family

    @property
    def firmware_version(self) -> int:
        return self.firmware or self.family.firmware

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
