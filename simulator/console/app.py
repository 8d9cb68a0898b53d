"""The console of a simulation: its keys, and what it makes of each status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from astrameter.console.base import BaseConsole, Command
from astrameter.console.drawing.log import Event
from astrameter.console.drawing.spans import Line
from astrameter.console.session import Role, Terminal
from simulator.console.changes import SUN, beginning, changes
from simulator.console.scene import Scene, Trends
from simulator.console.view import draw
from simulator.control import (
    MAX,
    OFF,
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    Operation,
    OperationRefused,
    SetOnline,
    SetSoc,
    SetSolar,
    SiteControl,
    Status,
    ToggleAuto,
    ToggleLoad,
)

SOLAR_STEP_W = 100.0
SOC_STEP = 0.1
LIMIT_STEP_W = 100.0


class Console(BaseConsole):
    """Shows one simulation, and operates it (simulator.md section 10)."""

    _title = "Keys of astra-sim"

    def __init__(
        self, control: SiteControl, clock: IReactorTime, role: Role, terminal: Terminal
    ) -> None:
        super().__init__(clock, role, terminal)
        self._control = control
        self._trends = Trends(self.glyphs)
        self._status: Status | None = None
        self._lost_at: float | None = None
        self._battery = self._load = 0
        self._unsubscribe: Callable[[], None] | None = None

    # -------------------------------------------------------------------------------- keys

    def commands(self) -> Sequence[Command]:
        """The keys of simulator.md section 10, and those for more than eight loads."""
        glyphs, do = self.glyphs, self._perform
        arrows = f"{glyphs.up}{glyphs.down}" if glyphs.braille else "up/down"
        sides = f"{glyphs.left}{glyphs.right}" if glyphs.braille else "left/right"
        return (
            _key("1-8", "load", "switch load 1 to 8", self._toggle_number, tuple("12345678")),
            _key(arrows, "sun", "100 W more or less sun", self._sun, ("up", "down")),
            _key("a", "auto", "auto mode on or off", lambda _: do(ToggleAuto()), ("a", "A")),
            _key("s S", "max/off", "all the sun there is; none", self._extreme_sun, _SUN_KEYS),
            Command(
                ("b", "B"),
                "b",
                "battery",
                "select the next battery (B: the one before)",
                self._next_battery,
            ),
            _key(sides, "charge", "10 % less or more stored in it", self._soc, ("left", "right")),
            _key("0 9", "", "make it empty; full", self._extreme_soc, ("0", "9")),
            _key("p P", "limits", "lower or raise both its limits by 100 W", self._limit, _P_KEYS),
            Command(
                ("l", "L", "page down", "page up"),
                "l L",
                "",
                "select the next load; the one before",
                self._next_load,
            ),
            _key("space", "", "switch the selected load", self._toggle, (" ", "enter")),
            _key("o", "", "take the battery off the network, or put it back", self._online, ("o",)),
        )

    def _toggle_number(self, key: str) -> None:
        number = int(key)
        if self._status is not None and number <= len(self._status.loads):
            self._load = number - 1
            self._perform(ToggleLoad(number))

    def _toggle(self, _key: str) -> None:
        if self._status is not None and self._status.loads:
            self._perform(ToggleLoad(self._load + 1))

    def _sun(self, key: str) -> None:
        self._perform(ChangeSolar(SOLAR_STEP_W if key == "up" else -SOLAR_STEP_W))

    def _extreme_sun(self, key: str) -> None:
        self._perform(SetSolar(MAX if key == "s" else OFF))

    def _soc(self, key: str) -> None:
        delta = SOC_STEP if key == "right" else -SOC_STEP
        self._with_battery(lambda mac: ChangeSoc(mac, delta))

    def _extreme_soc(self, key: str) -> None:
        self._with_battery(lambda mac: SetSoc(mac, 1.0 if key == "9" else 0.0))

    def _limit(self, key: str) -> None:
        delta_w = -LIMIT_STEP_W if key == "p" else LIMIT_STEP_W
        self._with_battery(lambda mac: ChangeMaxPower(mac, delta_w))

    def _online(self, _key: str) -> None:
        status = self._status
        if status is not None and status.batteries:
            one = status.batteries[self._battery]
            self._perform(SetOnline(one.mac, not one.online))

    def _next_battery(self, key: str) -> None:
        count = len(self._status.batteries) if self._status is not None else 0
        if count:
            self._battery = (self._battery + (1 if key == "b" else -1)) % count
            self.changed()

    def _next_load(self, key: str) -> None:
        count = len(self._status.loads) if self._status is not None else 0
        if count:
            step = 1 if key in ("l", "page down") else -1
            self._load = (self._load + step) % count
            self.changed()

    def _with_battery(self, operation: Callable[[str], Operation]) -> None:
        status = self._status
        if status is None or not status.batteries:
            self.say("there is no battery", "warning")
            return
        self._perform(operation(status.batteries[self._battery].mac))

    def _perform(self, operation: Operation) -> None:
        done = self._control.perform(operation)
        done.addCallbacks(self._performed, partial(self._refused, operation))

    def _performed(self, _status: Status) -> None:
        self._look()

    def _refused(self, operation: Operation, failure: Failure) -> None:
        if failure.check(OperationRefused) is None:
            self._log.failure("{operation} failed", failure=failure, operation=operation)
        self.say(failure.getErrorMessage() or "that was not done", "bad")

    # -------------------------------------------------------------------------------- life

    def opened(self) -> None:
        self._unsubscribe = self._control.subscribe(self._look)
        self._look()

    def closed(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def ticked(self) -> None:
        if self._control.trouble is not None:
            self.changed()  # the time since it was lost is shown
        elif self._status is not None:
            self._trends.note(self._status)

    def time_of_day(self) -> float:
        return 0.0 if self._status is None else self._status.elapsed_s

    def _look(self) -> None:
        """There may be a new status, or trouble."""
        self._look_at_trouble(self._control.trouble)
        before, after = self._status, self._control.status
        if after is None or after is before:
            self.changed()
            return
        self._status = after
        self._battery = min(self._battery, max(len(after.batteries) - 1, 0))
        self._load = min(self._load, max(len(after.loads) - 1, 0))
        if before is None:
            self._trends.note(after)
            self.say(beginning(after), "heading")
            return
        for text, style in changes(before, after):
            self._tell(text, style)
        self.changed()

    def _look_at_trouble(self, trouble: str | None) -> None:
        if trouble is not None and self._lost_at is None:
            self._lost_at = self._clock.seconds()
            self.say(trouble, "bad")
        elif trouble is None and self._lost_at is not None:
            self._lost_at = None
            self.say("connected again", "good")

    def _tell(self, text: str, style: str) -> None:
        if text.startswith(SUN) and self.events and self.events[-1].text.startswith(SUN):
            self.events[-1] = Event(self.time_of_day(), text, style)
        else:
            self.say(text, style)

    def draw(self, columns: int, rows: int) -> list[Line]:
        return draw(self._scene(), columns, rows, self.glyphs)

    def _scene(self) -> Scene:
        lost_s = 0.0 if self._lost_at is None else self._clock.seconds() - self._lost_at
        trouble = None if self._lost_at is None else self._control.trouble or "no connection"
        return Scene(
            self._status, self._trends, trouble, lost_s, self.events, self._battery, self._load
        )


_SUN_KEYS = ("s", "S", "shift s", "shift S")
_P_KEYS = ("p", "P", "shift p", "shift P")


def _key(
    shown: str, short: str, long: str, run: Callable[[str], None], keys: tuple[str, ...]
) -> Command:
    """A key that changes something."""
    return Command(keys, shown, short, long, run, changes=True)
