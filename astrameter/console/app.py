"""The console of the appliance: its keys, and what it makes of each status."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from astrameter.console.base import BaseConsole, Command
from astrameter.console.drawing.batteries import watts
from astrameter.console.drawing.spans import Line
from astrameter.console.happened import beginning, changes, told_of
from astrameter.console.model import BatteryView, Link, LinkError, View, view_of
from astrameter.console.scene import Explanation, Scene, Trends
from astrameter.console.session import Role, Terminal
from astrameter.console.view import draw
from astrameter.deferreds import spawn

WEIGHT_MAX = 10.0
_ANSWER_S = 0.05
"""In which the explanation that belongs to a status usually comes: both are drawn at once."""

_QUIET_S = 1.5
"""The daemon tells its status once a second, unless nothing has changed."""

LARGEST_W = 10_000.0
"""What the daemon takes as a manual target."""


def _local_time() -> datetime:
    return datetime.now().astimezone()


class ApplianceConsole(BaseConsole):
    """Shows a running daemon, and steers it."""

    _log = Logger()
    _title = "Keys of the AstraMeter console"

    def __init__(
        self,
        link: Link,
        clock: IReactorTime,
        role: Role,
        terminal: Terminal,
        wall_clock: Callable[[], datetime] = _local_time,
    ) -> None:
        """:param wall_clock: local time, for the log."""
        super().__init__(clock, role, terminal)
        self._link = link
        self._wall_clock = wall_clock
        self._trends = Trends(self.glyphs)
        self._view: View | None = None
        self._viewed_at = 0.0
        self._trouble: str | None = None
        self._lost_at = 0.0
        self._battery = 0
        self._wanted: tuple[str, str] | None = None
        self._explanation = Explanation()
        self._explained = False
        self._asking = False

    # -------------------------------------------------------------------------------- keys

    def commands(self) -> Sequence[Command]:
        """The keys; whatever changes something asks first."""
        arrows = f"{self.glyphs.up}{self.glyphs.down}" if self.glyphs.braille else "up/down"
        return (
            Command(("b", "down", "B", "up"), arrows, "battery", "select a battery", self._select),
            Command(
                ("e", "E", "enter", "esc"),
                "e",
                "why",
                "why it is told what it is told",
                self._explain,
            ),
            _key("m", "manual", "let it deliver so many W, whatever the house takes", self._manual),
            _key("a", "auto", "steer it again", self._auto),
            _key("p", "pause", "take it to 0 W and leave it out; or take it in again", self._pause),
            _key("w", "weight", "its part of the work, 0 to 10", self._weight),
            _key("r", "rotate", "let another battery take the lead", self._rotate),
            _key("c", "control", "steer the batteries, or relay the meter", self._control),
        )

    def _select(self, key: str) -> None:
        count = len(self._view.batteries) if self._view is not None else 0
        if self._view is not None and count:
            self._battery = (self._battery + (1 if key in ("b", "down") else -1)) % count
            one = self._view.batteries[self._battery]
            self._wanted = one.device, one.id
            self._ask_why()
            self.changed()

    def _explain(self, key: str) -> None:
        self._explained = not self._explained and key != "esc"
        self._ask_why()
        self.changed()

    def _selected(self) -> BatteryView | None:
        """The battery that is to be changed."""
        one = self._scene().selected
        if one is None:
            self.say("no battery has asked yet", "warning")
        elif not one.mode:
            self.say("batteries at a Shelly steer themselves", "warning")
            return None
        return one

    def _manual(self, _key: str) -> None:
        one = self._selected()
        if one is not None:
            question = f"W for {one.id}, negative to charge:"
            self.enter(question, partial(self._manual_entered, one))

    def _manual_entered(self, one: BatteryView, typed: str) -> None:
        target_w = _number(typed, -LARGEST_W, LARGEST_W)
        if target_w is None:
            self.say(f"{typed!r} is not a number of W from -10000 to 10000", "bad")
            return
        what = f"{'charge with' if target_w < 0 else 'deliver'} {watts(abs(target_w))}"
        self.confirm(
            f"Let {one.id} {what} from now on?",
            partial(self._set, one, manual_target=target_w, auto_target=False),
        )

    def _auto(self, _key: str) -> None:
        one = self._selected()
        if one is not None:
            self.confirm(f"Steer {one.id} again?", partial(self._set, one, auto_target=True))

    def _pause(self, _key: str) -> None:
        one = self._selected()
        if one is not None:
            question = f"Pause {one.id}?" if one.active else f"Take {one.id} in again?"
            self.confirm(question, partial(self._set, one, active=not one.active))

    def _weight(self, _key: str) -> None:
        one = self._selected()
        if one is not None:
            question = f"weight of {one.id}, 0 to 10 (now {one.weight:g}):"
            self.enter(question, partial(self._weight_entered, one))

    def _weight_entered(self, one: BatteryView, typed: str) -> None:
        weight = _number(typed, 0.0, WEIGHT_MAX)
        if weight is None:
            self.say(f"{typed!r} is not a weight from 0 to 10", "bad")
            return
        question = f"Give {one.id} the weight {weight:g}?"
        self.confirm(question, partial(self._set, one, distribution_weight=weight))

    def _rotate(self, _key: str) -> None:
        one = self._selected()
        if one is not None:
            question = "Let another battery take the lead?"
            self.confirm(question, partial(self._ask, "rotate", device=one.device))

    def _control(self, _key: str) -> None:
        devices = () if self._view is None else self._view.devices
        steering = [one for one in devices if one.active_control is not None]
        if not steering:
            self.say("there is no CT that could steer", "warning")
            return
        selected = self._scene().selected
        of = "" if selected is None else selected.device
        device = next((one for one in steering if one.id == of), steering[0])
        on = not device.active_control
        what = "Steer the batteries" if on else "Stop steering and relay the meter"
        question = f"{what} at {device.type} {device.id}?"
        self.confirm(question, partial(self._ask, "active_control", device=device.id, on=on))

    def _set(self, one: BatteryView, **settings: Any) -> None:
        self._ask("set", battery=one.id, device=one.device, **settings)

    def _ask(self, verb: str, **args: Any) -> None:
        spawn(self._follow(verb, args), f"asking the daemon to {verb}", self._log)

    async def _follow(self, verb: str, args: Mapping[str, Any]) -> None:
        try:
            await self._link.request(verb, **args)
        except LinkError as error:
            self.say(str(error), "bad")
        else:
            self.say("done", "good")

    # -------------------------------------------------------------------------------- life

    def opened(self) -> None:
        self._link.start(self._told, self._connected)

    def closed(self) -> None:
        self._link.stop()

    def ticked(self) -> None:
        if self._trouble is None and self._view is not None:
            self._trends.note(self._view)
        if self._trouble is not None or self._clock.seconds() - self._viewed_at > _QUIET_S:
            self.changed()  # nothing new comes, but what is shown gets older

    def time_of_day(self) -> float:
        now = self._wall_clock()
        return now.hour * 3600.0 + now.minute * 60.0 + now.second

    def _connected(self, trouble: str | None) -> None:
        before, self._trouble = self._trouble, trouble
        if trouble is not None and before is None:
            self._lost_at = self._clock.seconds()
            self.say(trouble, "bad")
        elif trouble is None and before is not None:
            self.say("connected again", "good")
        self.changed()

    def _told(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "status":
            self._look(view_of(data))
            return
        line = told_of(name, data)
        if line is not None:
            self.say(*line)

    def _look(self, view: View) -> None:
        before, self._view = self._view, view
        self._viewed_at = self._clock.seconds()
        self._keep_selected(view)
        if before is None:
            self._trends.note(view)
            self.say(beginning(view), "heading")
        else:
            for text, style in changes(before, view):
                self.say(text, style)
        self.changed(_ANSWER_S)
        self._ask_why()

    def _keep_selected(self, view: View) -> None:
        """The same battery, though others have come or gone, or it was away itself."""
        names = [(one.device, one.id) for one in view.batteries]
        if self._wanted in names:
            self._battery = names.index(self._wanted)
        else:
            self._battery = min(self._battery, max(len(names) - 1, 0))
            if names and self._wanted is None:
                self._wanted = names[self._battery]

    def _ask_why(self) -> None:
        """Fetch the explanation of the selected battery, one at a time."""
        one = self._scene().selected
        if one is None or not one.mode or self._asking or self._trouble is not None:
            return
        self._asking = True
        spawn(self._learn_why(one), "asking why", self._log)

    async def _learn_why(self, one: BatteryView) -> None:
        try:
            found = await self._link.request("explain", battery=one.id, device=one.device)
        except LinkError as error:
            self._explanation = Explanation(one.id, (str(error),))
        else:
            self._explanation = _explanation(one.id, found)
        finally:
            self._asking = False
        self.changed()
        selected = self._scene().selected
        if selected is not None and selected.id != one.id:
            self._ask_why()

    def draw(self, columns: int, rows: int) -> list[Line]:
        return draw(self._scene(), columns, rows, self.glyphs)

    def _scene(self) -> Scene:
        now = self._clock.seconds()
        lost = self._trouble is not None
        return Scene(
            view=self._view,
            trends=self._trends,
            since_s=max(0.0, now - self._viewed_at),
            trouble=self._trouble,
            lost_s=now - self._lost_at if lost else 0.0,
            events=self.events,
            battery=self._battery,
            explanation=self._explanation,
            explained=self._explained,
        )


def _key(key: str, short: str, long: str, run: Callable[[str], None]) -> Command:
    """A key that changes something."""
    return Command((key, key.upper()), key, short, long, run, changes=True)


def _number(typed: str, low: float, high: float) -> float | None:
    try:
        value = float(typed)
    except ValueError:
        return None
    return value if math.isfinite(value) and low <= value <= high else None


def _explanation(battery: str, found: Mapping[str, Any]) -> Explanation:
    batteries = found.get("batteries")
    if not isinstance(batteries, list | tuple) or not batteries:
        return Explanation(battery, ("The daemon says nothing about it.",))
    one = batteries[0]
    if not isinstance(one, Mapping):
        return Explanation(battery)
    why, decisions, now = one.get("why"), one.get("decisions"), one.get("now")
    return Explanation(
        battery,
        [str(text) for text in why] if isinstance(why, list | tuple) else (),
        [each for each in decisions if isinstance(each, Mapping)]
        if isinstance(decisions, list | tuple)
        else (),
        now if isinstance(now, int | float) else 0.0,
    )
