"""A daemon as the console sees it, made of nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from urwid.testing import render_text

from astrameter.console.app import ApplianceConsole
from astrameter.console.model import LinkError
from astrameter.console.session import Role, Terminal

UTF8 = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
PLAIN = {"TERM": "vt100", "LANG": "C"}


def battery(number: int, **changed: Any) -> dict[str, Any]:
    settings = {
        "active": True,
        "manual_target": 0.0,
        "auto_target": True,
        "distribution_weight": 1.0,
        **changed.pop("settings", {}),
    }
    return {
        "id": f"02b25000{number:04d}",
        "ip": f"192.168.1.{number}",
        "type": "HMG-50",
        "phase": "ABC"[(number - 1) % 3],
        "power_w": 300 * (-1) ** number,
        "target_w": 310.5,
        "reading_w": -12.4,
        "age_s": 0.4,
        "alive": True,
        "poll_interval_s": 1.1,
        "mode": "auto",
        "saturation": 0.0,
        "meter": "SHELLY_ATTIC",
        "settings": settings,
        **changed,
    }


STATUS: dict[str, Any] = {
    "version": "3.1",
    "uptime_s": 3725.0,
    "meters": [
        {
            "section": "SHELLY_ATTIC",
            "watts": [120.0, -35.5, 60.0],
            "age_s": 0.5,
            "error": None,
            "state": "works",
            "reads": 10,
            "failures": 0,
        },
        {
            "section": "TASMOTA",
            "watts": None,
            "age_s": None,
            "error": "no answer within 2 s",
            "state": "fails",
            "reads": 3,
            "failures": 3,
        },
    ],
    "devices": [
        {
            "type": "ct002",
            "id": "ct002-1",
            "port": 12345,
            "active_control": True,
            "grid_w": 144.5,
            "answered": 100,
            "dropped": 0,
            "batteries": [battery(1), battery(2), battery(3)],
        }
    ],
}

WHY = {
    "batteries": [
        {
            "id": "02b250000001",
            "why": ["It charges with 300 W.", "The meter says 144 W from the grid."],
            "now": 100.0,
            "decisions": [
                {
                    "at": 98.5,
                    "grid_w": 144.4,
                    "load_w": 500.0,
                    "share_w": 150.2,
                    "power_w": -300,
                    "reading_w": 450.0,
                    "setpoint_w": 150.0,
                    "stays": "",
                    "limits": [{"name": "the gentle start: others", "before_w": 1, "after_w": 2}],
                }
            ],
        }
    ]
}


def status(**changed: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STATUS), **changed}


def with_batteries(*batteries: Mapping[str, Any], **device: Any) -> dict[str, Any]:
    document = status()
    document["devices"][0].update(batteries=list(batteries), **device)
    return document


class FakeLink:
    """Remembers what was asked for; a test says what comes of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal: str | None = None
        self.why: Mapping[str, Any] = WHY
        self.started = 0
        self.stopped = 0
        self.told: Callable[[str, Mapping[str, Any]], None]
        self.state: Callable[[str | None], None]

    @property
    def changed(self) -> list[tuple[str, dict[str, Any]]]:
        """What was asked for besides explanations."""
        return [one for one in self.asked if one[0] != "explain"]

    def start(
        self, told: Callable[[str, Mapping[str, Any]], None], state: Callable[[str | None], None]
    ) -> None:
        self.started += 1
        self.told, self.state = told, state

    def request(self, verb: str, **args: Any) -> Deferred[Mapping[str, Any]]:
        self.asked.append((verb, args))
        if self.refusal is not None:
            return fail(LinkError(self.refusal))
        return succeed(self.why if verb == "explain" else {})

    def stop(self) -> None:
        self.stopped += 1


class Rig:
    """A console that lives on a clock of its own.

    :ivar drawn: how often the screen was drawn.
    """

    def __init__(
        self,
        document: Mapping[str, Any] | None = STATUS,
        role: Role = Role.STEER,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.clock = Clock()
        self.link = FakeLink()
        terminal = Terminal(UTF8 if environ is None else environ)
        now = datetime(2026, 11, 21, 13, 5, 9, tzinfo=UTC)
        self.console = ApplianceConsole(self.link, self.clock, role, terminal, lambda: now)
        self.drawn = 0
        self.console.start(self._drew)
        if document is not None:
            self.tell(document)

    def _drew(self) -> None:
        self.drawn += 1

    def tell(self, document: Mapping[str, Any]) -> None:
        self.link.told("status", document)

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
