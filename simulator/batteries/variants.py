"""Settings of the laws that not every battery has."""

from __future__ import annotations

import math
from dataclasses import dataclass

STANDBY_PASSES = range(3, 11)


@dataclass(frozen=True, slots=True)
class B2500Settings:
    """What an owner sets, or nobody knows, of a B2500.

    :ivar single_output: only one of the two outputs is in use; halves the smallest power.
    :ivar small_inverter: an inverter of the kind that may be driven at 40 W instead of 80 W
        (marstek-devices.md section 2.5).
    :ivar standby_passes: so many readings of export at the smallest power bring standby, 3..10.
    :ivar channel_wraps: classic law only: a channel's command wraps below zero to full output, as
        the predecessor's simulator has it (battery-firmware.md section 7); otherwise it stays at
        the command that gives 0 W.
    :raises ValueError: for passes out of range.
    """

    single_output: bool = False
    small_inverter: bool = False
    standby_passes: int = 5
    channel_wraps: bool = False

    def __post_init__(self) -> None:
        if self.standby_passes not in STANDBY_PASSES:
            raise ValueError(f"standby_passes must be 3..10, got {self.standby_passes}")


@dataclass(frozen=True, slots=True)
class UnknownLaw:
    """A law that no firmware is known to have, but some firmware might.

    :ivar gain: watts of setpoint for each watt of reading.
    :ivar deadband_w: readings up to this are ignored.
    :ivar up_w: largest step towards discharge that one answer brings.
    :ivar down_w: largest step towards charge, a magnitude.
    :raises ValueError: for a law that would never move, or move without end.
    """

    gain: float = 1.0
    deadband_w: float = 0.0
    up_w: float = 500.0
    down_w: float = 2500.0

    def __post_init__(self) -> None:
        if not all(0 < value < math.inf for value in (self.gain, self.up_w, self.down_w)):
            raise ValueError("gain, up_w and down_w of an unknown law must be finite and > 0")
        if not 0 <= self.deadband_w < math.inf:
            raise ValueError(f"deadband_w must be finite and >= 0, got {self.deadband_w}")
