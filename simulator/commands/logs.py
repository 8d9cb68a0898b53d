"""The log of ``astra-sim``: ``HH:MM:SS logger LEVEL message`` (simulator.md section 2.2)."""

from __future__ import annotations

import time
from collections import deque
from typing import TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

from astrameter.logs import forward_standard_logging

MOST_KEPT = 200
"""Lines that wait for the console to end."""

_LEGACY = "log_legacy"
"""Twisted tells of each socket that opens or closes: two lines a poll."""

_LONGEST = 2000
_NAMES = (
    ("simulator.running.poller", "astra_sim.battery"),
    ("simulator.running.target", "astra_sim.battery"),
    ("simulator.batteries", "astra_sim.battery"),
    ("simulator.api", "astra_sim.powermeter"),
    ("simulator.running.automatic", "astra_sim.powermeter"),
    ("simulator.console", "astra_sim.tui"),
    ("astrameter.console", "astra_sim.tui"),
    ("simulator", "astra_sim.runner"),
)


@implementer(ILogObserver)
class SimulatorLog:
    """Writes events at ``level`` or above; while a console has the terminal it keeps them."""

    def __init__(self, stream: TextIO, level: LogLevel) -> None:
        self.level = level
        self._stream = stream
        self._kept: deque[str] | None = None

    def hold(self) -> None:
        """Keep the lines from now on, the newest of them."""
        self._kept = deque(maxlen=MOST_KEPT)

    def release(self) -> None:
        """Write what was kept, and go on writing."""
        kept, self._kept = self._kept, None
        for line in kept or ():
            self._write(line)

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info)
        if level < self.level or (event.get("log_namespace") == _LEGACY and level < LogLevel.warn):
            return
        line = _line(event, level)
        if self._kept is not None:
            self._kept.append(line)
        else:
            self._write(line)

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            return  # nobody is left to tell


def start_logging(stream: TextIO, level: str) -> SimulatorLog:
    """Send everything that is logged from now on to ``stream``. For a command, once."""
    log = SimulatorLog(stream, LogLevel.levelWithName(level))
    globalLogBeginner.beginLoggingTo([log], discardBuffer=True, redirectStandardIO=False)
    forward_standard_logging()
    return log


def _line(event: LogEvent, level: LogLevel) -> str:
    try:
        text = formatEvent(event)
        failure = event.get("log_failure")
        if failure is not None:
            text += f": {failure.type.__name__}: {failure.getErrorMessage()}"
            if level >= LogLevel.critical:
                text += "\n" + failure.getTraceback().rstrip()
    except Exception as error:  # noqa: BLE001  a broken event must not kill who logs it
        text = f"an event could not be written: {error!r}"
    at = time.strftime("%H:%M:%S", time.localtime(event.get("log_time")))
    name = _name(event.get("log_namespace", "-"))
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text[:_LONGEST])
    return f"{at} {name} {event.get('log_level', LogLevel.info).name.upper()} {shown}\n"


def _name(namespace: str) -> str:
    return next((name for start, name in _NAMES if namespace.startswith(start)), namespace)
