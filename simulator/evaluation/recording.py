"""What was seen of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from astrameter.reading import NO_POWER, PhaseWatts


class Observation(NamedTuple):
    """The truth at one reading of the meter.

    :ivar grid_w: total grid power, + import.
    :ivar house_w: household less generation on the AC side.
    :ivar outputs_w: of each battery, + discharge.
    :ivar socs: of each battery, 0..1.
    :ivar dc_w: into all batteries from panels of their own.
    :ivar phases_w: grid power by phase.
    :ivar targets_w: what the controller wants of each battery; None before it has said.
    """

    at_s: float
    grid_w: float
    house_w: float
    outputs_w: tuple[float, ...]
    socs: tuple[float, ...]
    dc_w: float
    phases_w: PhaseWatts = NO_POWER
    targets_w: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """What the metrics need to know of a battery."""

    phase: str
    max_charge_w: float
    max_discharge_w: float
    capacity_wh: float
    initial_soc: float
    charges_from_ac: bool
    label: str = ""


@dataclass(slots=True)
class Recording:
    """One run.

    :ivar ends_before_next: what is seen in the moment of an event shows the event already, and is
        no part of the window of the one before.
    :ivar marks: the labelled events, in order: time and label.
    :ivar bounds_s: for each mark the least time in which this plant can follow; None when it
        cannot (:mod:`.bound`).
    :ivar disturbed_s: when something else happened: what comes after it is not the event's doing.
    :ivar imports_wh, exports_wh: by phase, before netting.
    :ivar given_wh: what the script put into the packs, or took out, without any battery's doing.
    :ivar age_sum_s: ages of the readings that answers were made of, added up.
    :ivar unanswered: polls without an answer although none was lost.
    :ivar rejected: answers that a battery did not take.
    :ivar conflicts: answers that triggered the interlock of a battery.
    """

    units: Sequence[Unit]
    duration_s: float
    ends_before_next: bool = False
    observations: list[Observation] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    bounds_s: list[float | None] = field(default_factory=list)
    disturbed_s: list[float] = field(default_factory=list)
    imports_wh: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    exports_wh: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    given_wh: float = 0.0
    age_sum_s: float = 0.0
    oldest_sample_s: float = 0.0
    polls: int = 0
    unanswered: int = 0
    rejected: int = 0
    conflicts: int = 0

    def observe(self, one: Observation) -> None:
        """Take in what is true now, and count the energy of each phase since the last."""
        if self.observations:
            gap_h = min(one.at_s - self.observations[-1].at_s, 5.0) / 3600
            for phase, power_w in enumerate(self.observations[-1].phases_w):
                books = self.imports_wh if power_w > 0 else self.exports_wh
                books[phase] += abs(power_w) * gap_h
        self.observations.append(one)

    def aged(self, age_s: float) -> None:
        """An answer was made of a reading so old."""
        self.age_sum_s += age_s
        self.oldest_sample_s = max(self.oldest_sample_s, age_s)
