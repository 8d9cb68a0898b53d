"""A simulation as the console sees it, made of nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from urwid.testing import render_text

from astrameter.console.session import Role, Terminal
from simulator.console.app import Console
from simulator.control import (
    BatteryStatus,
    GridStatus,
    LoadStatus,
    Operation,
    OperationRefused,
    SolarStatus,
    Status,
)

UTF8 = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
PLAIN = {"TERM": "vt100", "LANG": "C"}

_LOADS = (
    ("LED lights", 30, "A"),
    ("Router + NAS", 40, "A"),
    ("Coffee machine", 200, "A"),
    ("TV + entertainment", 80, "B"),
    ("Washing machine", 400, "B"),
    ("Laptop charger", 65, "B"),
    ("Microwave", 800, "A"),
    ("Fridge/freezer", 120, "C"),
    ("Vacuum cleaner", 600, "C"),
)


def battery(number: int, **changed: Any) -> BatteryStatus:
    powers = (0, 300, -512, 96)
    one = BatteryStatus(
        mac=f"02B25000{number:04d}",
        phase="AABC"[(number - 1) % 4],
        power_w=powers[number % 4],
        target_w=powers[number % 4] + 12,
        applied_target_w=powers[number % 4] + 5,
        delay_polls=0,
        soc=(0.9, 0.7, 0.4, 0.15)[(number - 1) % 4],
        max_charge_w=800,
        max_discharge_w=800,
        device_type="HMG-50",
        poll_age_s=0.4,
    )
    return replace(one, **changed)


STATUS = Status(
    grid=GridStatus(120.0, -35.5, 60.0, 144.5),
    loads=tuple(
        LoadStatus(name, power_w, phase, active=power_w in (40, 120))
        for name, power_w, phase in _LOADS
    ),
    solar=SolarStatus(800.0, 5000, ("A", "B", "C")),
    auto_mode=True,
    batteries=tuple(battery(number) for number in range(1, 5)),
    elapsed_s=754.0,
    cost_ct=1.234,
    import_wh=123.0,
    export_wh=45.0,
    ct_host="127.0.0.1",
    ct_port=12345,
    ct_mac="AABBCCDDEEFF",
)


class FakeControl:
    """Does nothing but remember; a test says what comes of it.

    :ivar held: answers wait for :meth:`answer` instead of coming at once.
    """

    def __init__(self, status: Status | None = STATUS) -> None:
        self.status = status
        self.trouble: str | None = None
        self.performed: list[Operation] = []
        self.listeners: list[Callable[[], None]] = []
        self.refusal: Exception | None = None

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)

        def end() -> None:
            if listener in self.listeners:
                self.listeners.remove(listener)

        return end

    def perform(self, operation: Operation) -> Deferred[Status]:
        self.performed.append(operation)
        if self.refusal is not None:
            return fail(self.refusal)
        if self.status is None:
            return fail(OperationRefused("nobody there"))
        return succeed(self.status)

    def tell(self, status: Status | None = None, **changed: Any) -> None:
        """There is a new status."""
        if status is not None:
            self.status = status
        if changed:
            assert self.status is not None
            self.status = replace(self.status, **changed)
        for listener in list(self.listeners):
            listener()

    def lose(self, trouble: str | None) -> None:
        self.trouble = trouble
        self.tell()


class Rig:
    """A console that lives on a clock of its own.

    :ivar drawn: how often the screen was drawn.
    """

    def __init__(
        self,
        control: FakeControl | None = None,
        role: Role = Role.STEER,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.clock = Clock()
        self.control = control or FakeControl()
        terminal = Terminal(UTF8 if environ is None else environ)
        self.console = Console(self.control, self.clock, role, terminal)
        self.drawn = 0
        self.console.start(self._drew)

    def _drew(self) -> None:
        self.drawn += 1

    def press(self, *keys: str) -> None:
        for key in keys:
            self.console.key(key)

    def screen(self, columns: int = 80, rows: int = 24) -> list[str]:
        return render_text(self.console.widget, (columns, rows))

    def text(self, columns: int = 80, rows: int = 24) -> str:
        return "\n".join(self.screen(columns, rows))

    @property
    def log(self) -> list[str]:
        return [event.text for event in self.console.events]
