"""What the batteries are told when a meter stays away.

A zero reading means "stay as you are": told for ever, it drains a pack into the dark
(marstek-devices.md section 1.8). So holding ends after a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from astrameter.options import choice, number, option


class Stage(Enum):
    """How a battery is answered whose meter has failed.

    HOLD: stay as you are. POWER: go to the fail-safe power. SILENT: no answer at all, so that
    the battery's own loss timer takes it to 0 W.
    """

    HOLD = "hold"
    POWER = "power"
    SILENT = "silent"


@dataclass(frozen=True)
class FailsafeOptions:
    """Options of the fail-safe, in each CT section."""

    failsafe_after: float = option(
        number(0),
        default=60.0,
        unit="s",
        help="When a meter has failed for so long, FAILSAFE takes over from holding the "
        "batteries where they are. 0 holds for ever.",
    )
    failsafe: str = option(
        choice("power", "silent", "hold"),
        default="power",
        help="power: take the batteries to FAILSAFE_POWER. silent: stop answering, and the "
        "batteries go to 0 W by themselves after 25 to 55 s. hold: leave them where they are.",
    )
    failsafe_power: float = option(
        number(),
        default=0.0,
        unit="W",
        help="What all batteries together deliver (negative: charge) while FAILSAFE = power "
        "is in charge.",
    )


class Failsafe:
    """How long each meter has been failing, and what follows from it.

    :ivar changed: told the section and the new stage, None when the meter works again; not
        told of meters that came back before anything but holding was needed.
    """

    def __init__(self, options: FailsafeOptions) -> None:
        self.changed: Callable[[str, Stage | None], None] = lambda _section, _stage: None
        self._failing: dict[str, tuple[float, Stage]] = {}
        self.configure(options)

    def configure(self, options: FailsafeOptions) -> None:
        """Use other options from now on."""
        self.power_w = options.failsafe_power
        self.after_s = options.failsafe_after
        self._final = Stage(options.failsafe)

    def failed(self, section: str, now: float) -> Stage:
        """The meter of ``section`` could not be read."""
        since, before = self._failing.get(section, (now, Stage.HOLD))
        lasting = self.after_s > 0 and now - since >= self.after_s
        stage = self._final if lasting else Stage.HOLD
        self._failing[section] = (since, stage)
        if stage is not before:
            self.changed(section, stage)
        return stage

    def stage(self, section: str) -> Stage | None:
        """How the batteries of that meter are answered; None when it works."""
        failing = self._failing.get(section)
        return None if failing is None else failing[1]

    def works(self, section: str) -> None:
        """The meter of ``section`` was read; costs one test while nothing is wrong."""
        if self._failing:
            _, stage = self._failing.pop(section, (0.0, Stage.HOLD))
            if stage is not Stage.HOLD:
                self.changed(section, None)
