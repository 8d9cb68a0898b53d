"""What is told to Prometheus, as plain values; how it is written is another matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from astrameter.metrics.counts import Durations, PollCounts


@dataclass(frozen=True)
class MeterFigures:
    """One configured meter.

    :ivar works: how the last reading went; None before the first.
    :ivar watts: one entry a phase; none while it fails.
    :ivar age_s: how old the last reading is that went well.
    :ivar connections: how often its stream has come up; None for meters that are asked.
    """

    section: str
    works: bool | None
    watts: Sequence[float]
    age_s: float | None
    reads: int
    failures: int
    connections: int | None


@dataclass(frozen=True)
class BatteryFigures:
    """One battery.

    :ivar power_w: what it reports, discharge positive.
    :ivar target_w: the net output it is meant to reach.
    :ivar reading_w: the grid power it was told last.
    :ivar saturation: 0 follows, 1 cannot follow.
    """

    id: str
    power_w: float | None
    target_w: float | None
    reading_w: float | None
    saturation: float | None
    age_s: float


@dataclass(frozen=True)
class DeviceFigures:
    """One emulated meter: its type (``ct002``), its id, and who polls it."""

    type: str
    id: str
    polls: PollCounts
    batteries: Sequence[BatteryFigures]
    steers: bool | None = None


@dataclass(frozen=True)
class Link:
    """A connection to something besides meters: Redis, a broker."""

    name: str
    connected: bool
    connections: int


@dataclass(frozen=True)
class Figures:
    """The whole daemon.

    :ivar lag: how late the reactor was with a timer of one second.
    :ivar worst_lag_s: the worst of it since the last time anybody looked.
    :ivar events_dropped: by name of the subscriber that was too slow.
    """

    version: str
    uptime_s: float
    meters: Sequence[MeterFigures]
    devices: Sequence[DeviceFigures]
    lag: Durations
    worst_lag_s: float
    links: Sequence[Link] = ()
    events_dropped: Mapping[str, int] = field(default_factory=dict)
