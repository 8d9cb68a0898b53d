"""A recorded meter, played again at any speed (docs/recordings.md). AstraMeter 2.x has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter
from astrameter.options import Section, boolean, number, option, text
from astrameter.playback import Lines, Timetable, open_recording
from astrameter.reading import MeterError, Sample


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[REPLAY]``."""

    file: str = option(
        text(),
        default="",
        required=True,
        help="The recording: lines of JSON from astrameter read --record, or lines of "
        "t_s,watts,... with one column for each phase.",
        example="/var/lib/astrameter/meter.jsonl",
    )
    meter: str = option(
        text(),
        default="",
        help="Which meter of the recording: the name of its section. Not set: the first one "
        "that the file has.",
        example="MQTT",
    )
    speed: float = option(
        number(0.001, 100_000),
        default=1.0,
        help="How many times faster than it was recorded.",
    )
    loop: bool = option(
        boolean(),
        default=False,
        help="Begin again at the end. Otherwise the meter has failed from then on.",
    )
    start: float = option(
        number(0), default=0.0, unit="s", help="Leave out this much of the beginning."
    )


class ReplayMeter(PushedMeter):
    """Delivers each sample of a file when it is due, and reads no further than to the next."""

    _log = Logger()

    def __init__(
        self, reactor: Any, section: str, options: Options, backoff: Backoff | None = None
    ) -> None:
        PushedMeter.__init__(self, reactor, section)
        self._reactor = reactor
        self._options = options
        self._path = Path(options.file).expanduser()
        self._backoff = backoff or Backoff()
        self._opening = FailureLog(reactor, self._log, f"[{section}] opening {options.file}")
        self._trouble = ""
        self._over = False
        self._told = False
        self._work: Deferred[None] | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._trouble = ""
        self._over = False
        self.store(None)
        self._work = spawn(self._run(), f"[{self.section}] playing", self._log)

    def stopService(self) -> Deferred[None] | None:
        PushedMeter.stopService(self)
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        return work

    def read(self) -> Deferred[Sample]:
        if self._over:
            return fail(MeterError("stale", f"the recording {self._options.file} is over"))
        return PushedMeter.read(self)

    def absence(self) -> str:
        return self._trouble or f"the recording {self._options.file} has not begun yet"

    async def _run(self) -> None:
        while True:
            try:
                with open_recording(self._path) as file:
                    self._opening.recovered()
                    await self._play(Lines(file, self._options.meter))
                    return
            except OSError as error:
                self._trouble = f"{self._options.file} cannot be read: {error.strerror or error}"
                self._opening.failed(error.strerror or str(error))
            self.connected = False
            await sleep(self._reactor, self._backoff.next_wait_s())

    async def _play(self, lines: Lines) -> None:
        options = self._options
        times = Timetable()
        began_at = self._reactor.seconds() - options.start / options.speed
        self.connected = True
        while await self._play_once(lines, times, began_at) and options.loop:
            times.rewind()
        self.connected = False
        if self._sample is None:
            self._trouble = _nothing_in(options, lines.first_bad)
            self._log.warn("[{section}] {trouble}", section=self.section, trouble=self._trouble)
            return
        await self._wait_until(began_at + (times.at_s + times.interval_s) / options.speed)
        self._over = True
        self._log.info("[{section}] the recording is over", section=self.section)

    async def _play_once(self, lines: Lines, times: Timetable, began_at: float) -> bool:
        """From the beginning of the file to its end; returns whether there was any sample."""
        played = False
        for recorded in lines:
            if recorded is None:
                await sleep(self._reactor, 0)
                continue
            at_s = times.next(recorded.t_s)
            if at_s >= self._options.start:
                await self._wait_until(began_at + at_s / self._options.speed)
                self.arrived(recorded.watts)
                played = True
            self._tell_of_bad_lines(lines)
        return played

    async def _wait_until(self, when: float) -> None:
        await sleep(self._reactor, max(0.0, when - self._reactor.seconds()))

    def _tell_of_bad_lines(self, lines: Lines) -> None:
        if lines.first_bad and not self._told:
            self._told = True
            self._log.warn(
                "[{section}] {file}, {line}; this line is left out, and others like it",
                section=self.section,
                file=self._options.file,
                line=lines.first_bad,
            )


def _nothing_in(options: Options, first_bad: str) -> str:
    of = f" of [{options.meter}]" if options.meter else ""
    after = f" after START = {options.start:g} s" if options.start else ""
    because = f" ({first_bad})" if first_bad else ""
    return f"{options.file} has no sample{of}{after}{because}"


def build(reactor: Any, section: str, options: Options) -> ReplayMeter:
    """The meter of a checked section."""
    return ReplayMeter(reactor, section, options)


MAX_AGE_S = 360.0
"""As for [MQTT], whose meters are the slowest that can be recorded."""

KIND = MeterKind(
    Section(
        "REPLAY",
        Options,
        help="A recorded meter, played again: for tests, for demonstrations, and to find out "
        "what happened. `astrameter read --record FILE` records.",
        many=True,
        example={"FILE": "/var/lib/astrameter/meter.jsonl"},
    ),
    build,
    max_age_s=MAX_AGE_S,
)
