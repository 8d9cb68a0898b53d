"""What the device types can do (battery-firmware.md section 1)."""

from __future__ import annotations

_DC_ONLY = ("HMA", "HMJ", "HMK", "HMN", "HMM", "JPLS")
_EXTERNAL_INVERTER = ("HMA", "HMJ", "HMK")
_WITHOUT_PANELS = ("HMG", "VNSE")


def charges_from_ac(device_type: str) -> bool:
    """Whether the type can be charged from the house; unknown types can."""
    return not device_type.strip().upper().startswith(_DC_ONLY)


def needs_keep_alive(device_type: str) -> bool:
    """Whether an external inverter falls asleep when the output is 0 W (B2500 class)."""
    return device_type.strip().upper().startswith(_EXTERNAL_INVERTER)


def may_have_panels(device_type: str) -> bool:
    """Whether panels may feed the battery itself, so that it delivers their power when it is full,
    whatever it is told; unknown types may."""
    return not device_type.strip().upper().startswith(_WITHOUT_PANELS)
