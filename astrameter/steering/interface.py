"""What a controller is asked and what it answers (steering.md section 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from astrameter.reading import Sample

INSPECTION = "0"
"""The phase of a battery that is still finding out its phase; also any unknown letter."""


class Mode(Enum):
    """How a battery is to be treated in this poll."""

    AUTO = "auto"
    MANUAL = "manual"
    INACTIVE = "inactive"


class Battery(Protocol):
    """What the controller sees of a battery that has reported.

    :ivar phase: ``A``, ``B``, ``C``, ``D`` or ``0``.
    :ivar power_w: last report, AC watts, + discharge.
    :ivar reported_at: monotonic seconds of that report.
    :ivar weight: share of the pool's work, 0..10.
    :ivar window_weight: share of its turn at the head of the order in efficiency mode, 0..1.
    :ivar min_output_w: smallest output to ask of it as set by the owner; None = not set.
    """

    consumer_id: str
    device_type: str
    phase: str
    power_w: int
    reported_at: float

    @property
    def mode(self) -> Mode: ...
    @property
    def manual_target_w(self) -> float: ...
    @property
    def weight(self) -> float: ...
    @property
    def window_weight(self) -> float: ...
    @property
    def min_output_w(self) -> float | None: ...


class Controller(Protocol):
    """Decides, at each poll, the reading that makes a battery do its part.

    A *reading* is an increment as the battery would see it on its own meter: positive = raise
    the net output. It is called only with a healthy sample and never for inspection polls.
    """

    last_grid_w: float

    def report(self, battery: Battery, now: float) -> None:
        """A battery has just reported (every accepted poll, whatever comes of it)."""

    def instruct(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], now: float
    ) -> float:
        """The reading for ``battery``, watts.

        :param fleet: all batteries that are alive, the asking one included.
        """

    def intent_w(self, consumer_id: str) -> float | None:
        """Net output the battery is meant to reach; None before the first instruction."""

    def last_reading_w(self, consumer_id: str) -> float | None:
        """The last reading it was given; None before the first."""

    def saturation(self, consumer_id: str) -> float:
        """0 (follows) .. 1 (cannot follow)."""

    def forget(self, consumer_id: str) -> None:
        """The battery is gone, has been detached or starts anew: drop all state about it."""

    def rotate(self, consumer_ids: Collection[str]) -> None:
        """The owner asks for another battery to take the lead."""


@runtime_checkable
class Learner(Protocol):
    """A controller that finds out what is worth keeping over a restart: what each battery can do,
    and whose turn it is."""

    def learned(self) -> dict[str, Any]:
        """What is known, as a JSON object of a few kilobytes at most."""

    def recall(self, learned: Mapping[str, Any], now: float) -> None:
        """Take back what :meth:`learned` gave before the restart; what is no such thing is left
        out. Called once, before the first poll or soon after."""
