"""What the console shows at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.history import History
from astrameter.console.drawing.log import Event
from astrameter.console.drawing.trend import Trace
from simulator.control import Status

POINTS = 1200
"""The trends reach back as far as the widest screens show."""

_PEAK_POINTS = 60


class Trends:
    """The last minutes, a point each second."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._grid_w = History(POINTS)
        self._fleet_w = History(POINTS)
        self._solar_w = History(POINTS)
        self._phase_peak_w = History(POINTS)
        self.traces: Sequence[Trace] = (
            Trace("sun", self._solar_w, "solar", "solar", glyphs.solar),
            Trace("batteries", self._fleet_w, "discharge", "charge", glyphs.load),
            Trace("grid", self._grid_w, "import", "export", glyphs.grid, filled=True),
        )

    def note(self, status: Status) -> None:
        grid = status.grid
        self._grid_w.note(grid.total_w)
        self._fleet_w.note(fleet_w(status))
        self._solar_w.note(status.solar.current_w)
        self._phase_peak_w.note(max(map(abs, (grid.a_w, grid.b_w, grid.c_w, grid.total_w))))

    @property
    def peak_w(self) -> float:
        """The largest magnitude of the last minute on any phase, or of their sum."""
        return self._phase_peak_w.extremes(_PEAK_POINTS)[1]


@dataclass(frozen=True, slots=True)
class Scene:
    """:ivar status: None before the first.

    :ivar trouble: why there is no connection, and ``lost_s`` for how long; None: there is one.
    :ivar battery, load: which are selected.
    """

    status: Status | None
    trends: Trends
    trouble: str | None = None
    lost_s: float = 0.0
    events: Sequence[Event] = field(default=())
    battery: int = 0
    load: int = 0


def fleet_w(status: Status) -> float:
    """What all batteries deliver together."""
    return float(sum(one.power_w for one in status.batteries))


def fleet_soc(status: Status) -> float | None:
    """The mean state of charge; None without batteries."""
    if not status.batteries:
        return None
    return sum(one.soc for one in status.batteries) / len(status.batteries)
