"""Which batteries poll an emulated Shelly, and how often (shelly.md section 6)."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

SILENT_AFTER_S = 120.0
"""A battery without a datagram for so long is inactive."""

MAX_BATTERIES = 512
"""Addresses that are remembered; UDP sources can be forged, so the table must end somewhere."""

_NEW_GAP_WEIGHT = 0.3


@dataclass(slots=True)
class Battery:
    """What is known of one source IP.

    :ivar seen_at: when its last datagram of any kind arrived.
    :ivar poll_interval_s: smoothed gap between datagrams; None until the second.
    :ivar handled_at: when a request of it was last accepted (dedupe, section 7).
    :ivar reading: its requests that now wait for the meter.
    :ivar served: False once it was reported that no meter serves it.
    """

    ip: str
    seen_at: float
    poll_interval_s: float | None = None
    handled_at: float = -math.inf
    active: bool = True
    reading: int = 0
    served: bool = True


class Arrival(Enum):
    """How a battery that was not active came in."""

    NEW = "detected"
    BACK = "reconnected"


class Sighting(NamedTuple):
    """One datagram's effect on the table.

    :ivar arrival: None when the battery was active already.
    :ivar displaced: the battery that had to make room for a new one.
    """

    battery: Battery
    arrival: Arrival | None
    displaced: Battery | None


class Presence:
    """The batteries, the one silent longest first.

    :ivar count: addresses seen since the start. Never decreases; an address that was displaced
        counts again when it comes back.
    """

    def __init__(self, limit: int = MAX_BATTERIES) -> None:
        self.count = 0
        self._limit = limit
        self._batteries: OrderedDict[str, Battery] = OrderedDict()

    def __len__(self) -> int:
        return len(self._batteries)

    def active(self) -> list[Battery]:
        """Those that are not silent."""
        return [battery for battery in self._batteries.values() if battery.active]

    def seen(self, ip: str, now: float) -> Sighting:
        """Count a datagram from ``ip``, whatever is in it."""
        battery = self._batteries.get(ip)
        if battery is None:
            return self._admit(ip, now)
        self._batteries.move_to_end(ip)
        gap_s = now - battery.seen_at
        if battery.poll_interval_s is not None:
            gap_s = _NEW_GAP_WEIGHT * gap_s + (1 - _NEW_GAP_WEIGHT) * battery.poll_interval_s
        battery.poll_interval_s = round(gap_s, 1)
        battery.seen_at = now
        if battery.active:
            return Sighting(battery, None, None)
        battery.active = True
        return Sighting(battery, Arrival.BACK, None)

    def _admit(self, ip: str, now: float) -> Sighting:
        displaced = None
        if len(self._batteries) >= self._limit:
            _, displaced = self._batteries.popitem(last=False)
        self.count += 1
        battery = self._batteries[ip] = Battery(ip, now)
        return Sighting(battery, Arrival.NEW, displaced)

    def sweep(self, now: float) -> list[Battery]:
        """Make those inactive that were silent for 120 s; each is returned once."""
        gone = []
        for battery in self._batteries.values():
            if now - battery.seen_at < SILENT_AFTER_S:
                break
            if battery.active:
                battery.active = False
                gone.append(battery)
        return gone

    def next_silent_at(self) -> float | None:
        """When the next battery becomes inactive if it stays silent; None without any."""
        for battery in self._batteries.values():
            if battery.active:
                return battery.seen_at + SILENT_AFTER_S
        return None
