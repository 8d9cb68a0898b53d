"""What the daemon says about itself, as it is served to whoever asks in the home network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from astrameter.redaction import redact


class MeterStatus(TypedDict):
    """One configured meter.

    ``watts``: the last reading, one entry a phase, import positive; None before the first and
    while it fails. ``age_s``: how old that is. ``error``: why the last read failed, else None.
    """

    section: str
    watts: Sequence[float] | None
    age_s: float | None
    error: str | None


class BatteryStatus(TypedDict):
    """One battery that polls.

    ``type``: its model or "". ``phase``: "A", "B", "C" or "" while not known. ``power_w``: what
    it reports, discharge positive; None when it reports nothing. ``reading_w``: the grid power
    it was told last, summed over the phases. ``age_s``: seconds since its last poll.
    """

    id: str
    type: str
    phase: str
    power_w: float | None
    reading_w: float | None
    age_s: float | None


class DeviceStatus(TypedDict):
    """One emulated meter: its type ("ct002"), its id, its UDP port, and who polls it."""

    type: str
    id: str
    port: int
    batteries: Sequence[BatteryStatus]


class Status(TypedDict):
    """The whole daemon; ``uptime_s`` counts from its start."""

    version: str
    uptime_s: float
    meters: Sequence[MeterStatus]
    devices: Sequence[DeviceStatus]


def without_secrets(status: Status) -> Status:
    """The same, with secrets taken out of error texts: anybody in the network may read it."""
    meters: list[MeterStatus] = [
        {**meter, "error": None if meter["error"] is None else redact(meter["error"])}
        for meter in status["meters"]
    ]
    return {**status, "meters": meters}


def problems(status: Status) -> list[str]:
    """What keeps the daemon from being ready: each meter that has no good reading."""
    found = []
    for meter in status["meters"]:
        if meter["error"] is not None:
            found.append(f"[{meter['section']}] {meter['error']}")
        elif meter["watts"] is None:
            found.append(f"[{meter['section']}] no reading yet")
    return found
