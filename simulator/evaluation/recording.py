"""What was seen of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Observation(NamedTuple):
    """The truth at one reading of the meter.

    :ivar grid_w: total grid power, + import.
    :ivar house_w: household less generation on the AC side.
    :ivar outputs_w: of each battery, + discharge.
    :ivar socs: of each battery, 0..1.
    :ivar dc_w: into all batteries from panels of their own.
    """

    at_s: float
    grid_w: float
    house_w: float
    outputs_w: tuple[float, ...]
    socs: tuple[float, ...]
    dc_w: float


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

    :ivar marks: the labelled events, in order: time and label.
    :ivar imports_wh, exports_wh: by phase, before netting.
    :ivar oldest_sample_s: the oldest reading that an answer was made of.
    """

    units: Sequence[Unit]
    duration_s: float
    observations: list[Observation] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    imports_wh: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    exports_wh: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    oldest_sample_s: float = 0.0
    polls: int = 0
    unanswered: int = 0
