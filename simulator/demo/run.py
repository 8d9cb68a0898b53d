"""The life of the demo, from the first port it opens to its closing line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent, globalLogBeginner
from zope.interface import implementer

from astrameter.console.drawing.glyphs import glyphs_for
from astrameter.deferreds import spawn
from astrameter.logs import forward_standard_logging
from astrameter.monotonic import use_monotonic_time
from astrameter.ports import PortError
from simulator.demo.console import Console
from simulator.demo.plain import plain_line, summary_line
from simulator.demo.stage import Stage, Wishes, free_ports

LINE_S = 1.0


def run(
    reactor: Any,
    wishes: Wishes,
    *,
    seconds: float | None,
    plain: bool,
    environ: Mapping[str, str],
) -> int:
    """Run until a key, a signal or the time ends it.

    :param seconds: end after so many; None runs for ever.
    :param plain: lines on standard output instead of a screen.
    :return: 0, or 1 when it could not go on.
    """
    use_monotonic_time(reactor)
    demo = Demo(reactor, wishes, seconds, plain, environ)
    observe_logs(demo.noticed)
    reactor.callWhenRunning(demo.start)
    reactor.addSystemEventTrigger("before", "shutdown", demo.stop)
    reactor.run()
    return demo.farewell()


class Demo:
    """The stage, and who shows it."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        wishes: Wishes,
        seconds: float | None,
        plain: bool,
        environ: Mapping[str, str],
        ports: Callable[[], tuple[int, int]] = free_ports,
    ) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._plain = plain
        self._environ = environ
        self._stage = Stage(reactor, wishes, self._give_up, ports)
        self._console: Console | None = None
        self._lines = LoopingCall(self._write_line)
        self._ending: IDelayedCall | None = None
        self._started = self._leaving = self._reader_gone = False
        self._reason = ""

    def start(self) -> None:
        """Start everything."""
        spawn(self._start(), "starting the demo", self._log)

    async def _start(self) -> None:
        try:
            await self._stage.start()
            self._started = True
            self._show()
        except PortError as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001  nothing would run, and nobody would know
            self._give_up(f"the demo could not start: {error!r}")

    def _show(self) -> None:
        if self._seconds is not None:
            self._ending = self._reactor.callLater(self._seconds, self._leave)
        if self._plain:
            self._lines.clock = self._reactor
            spawn(self._write_lines(), "writing lines", self._log)
        else:
            glyphs = glyphs_for(self._environ)
            self._console = Console(self._reactor, self._stage, glyphs, self._leave, self._give_up)
            self._console.start()

    async def _write_lines(self) -> None:
        try:
            await self._lines.start(LINE_S)
        except Exception as error:  # noqa: BLE001  silence would look like a demo that hangs
            self._give_up(f"the line cannot be written: {error!r}")

    def stop(self) -> Deferred[None]:
        """Give back the terminal and close every socket."""
        self._leaving = True
        if self._console is not None:
            self._console.stop()
        if self._lines.running:
            self._lines.stop()
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        return self._stage.stop()

    def farewell(self) -> int:
        """The closing line on standard output, or why it went wrong; returns the exit status."""
        if self._started and not self._reader_gone:
            now = self._reactor.seconds()
            model = self._stage.model
            self._write(summary_line(model.snapshot(now), model.mean_distances_w()))
        if self._reason:
            sys.stderr.write(f"{self._reason}\n")
        return 1 if self._reason or self._reader_gone else 0

    def noticed(self, text: str) -> None:
        """Somebody logs a warning."""
        if self._started and not self._plain:
            self._stage.model.note(text, "warning")
        else:
            sys.stderr.write(f"{text}\n")

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._reactor.stop()

    def _give_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._leave()

    def _write_line(self) -> None:
        self._write(plain_line(self._stage.model.snapshot(self._reactor.seconds())))

    def _write(self, line: str) -> None:
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            # Whoever read the output has gone; without this, flushing at exit fails again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._reader_gone = True
            self._leave()


@implementer(ILogObserver)
class Notices:
    """Hands every warning on as one line without a trace."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.warn:
            self._tell(_line_of(event))


def _line_of(event: LogEvent) -> str:
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text += f": {failure.getErrorMessage()}"
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line)


def observe_logs(tell: Callable[[str], None]) -> None:
    """From now on tell every warning of this process instead of printing it."""
    globalLogBeginner.beginLoggingTo([Notices(tell)], discardBuffer=True, redirectStandardIO=False)
    forward_standard_logging()
