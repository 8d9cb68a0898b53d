"""What the appliance's console shows at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astrameter.console.drawing.glyphs import Glyphs
from astrameter.console.drawing.history import History
from astrameter.console.drawing.log import Event
from astrameter.console.drawing.trend import Trace
from astrameter.console.model import BatteryView, View

POINTS = 1200
"""The trends reach back as far as the widest screens show."""

_PEAK_POINTS = 60


class Trends:
    """The last minutes, a point each second."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._grid_w = History(POINTS)
        self._fleet_w = History(POINTS)
        self._peak_w = History(POINTS)
        self.traces: Sequence[Trace] = (
            Trace("batteries", self._fleet_w, "discharge", "charge", glyphs.load),
            Trace("grid", self._grid_w, "import", "export", glyphs.grid, filled=True),
        )

    def note(self, view: View) -> None:
        grid = view.grid
        watts = (grid.watts or ()) if grid is not None else ()
        total_w = sum(watts)
        self._grid_w.note(total_w)
        self._fleet_w.note(view.fleet_w)
        self._peak_w.note(max(map(abs, (*watts, total_w))))

    @property
    def peak_w(self) -> float:
        """The largest magnitude of the last minute on any phase, or of their sum."""
        return self._peak_w.extremes(_PEAK_POINTS)[1]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a battery is told what it is told.

    :ivar battery: its id.
    :ivar why: sentences, the most important first.
    :ivar decisions: the last answers as :func:`astrameter.steering.explain.document` tells them,
        the oldest first.
    :ivar now: the daemon's clock, which ``at`` of the decisions is on.
    """

    battery: str = ""
    why: Sequence[str] = ()
    decisions: Sequence[Mapping[str, Any]] = ()
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """:ivar view: None before the first status.

    :ivar since_s: how old the view is; ages go on meanwhile.
    :ivar trouble: why there is no connection, and ``lost_s`` for how long; None: there is one.
    :ivar battery: which is selected.
    :ivar explained: whether the explanation is shown in full.
    """

    view: View | None
    trends: Trends
    since_s: float = 0.0
    trouble: str | None = None
    lost_s: float = 0.0
    events: Sequence[Event] = field(default=())
    battery: int = 0
    explanation: Explanation = Explanation()
    explained: bool = False

    @property
    def selected(self) -> BatteryView | None:
        """The selected battery."""
        batteries = () if self.view is None else self.view.batteries
        return batteries[self.battery] if self.battery < len(batteries) else None
