"""``read``: what each configured meter says, once or live, and into a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from astrameter.config import ConfiguredMeter, Overrides, Settings, load_file
from astrameter.deferreds import sleep, spawn
from astrameter.filters.chain import build_chain
from astrameter.filters.health import Health
from astrameter.meters.interface import IMeter, MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.monotonic import use_monotonic_time
from astrameter.problems import ConfigError
from astrameter.reading import MeterError, Sample
from astrameter.recording import Recorder
from astrameter.services import start, stop

FIRST_SAMPLE_S = 15.0
"""How long a meter that pushes may take for its first value."""

WATCH_EVERY_S = 1.0
_NAME_COLUMN = 18


@dataclass(frozen=True)
class Reading:
    """What one meter said.

    :ivar watts: one entry a phase, after the filters; None when it failed.
    :ivar age_s: how old the value was when it was shown; None when it failed.
    :ivar error: why it failed; None when it did not.
    """

    section: str
    watts: tuple[float, ...] | None
    age_s: float | None
    error: str | None

    def as_json(self) -> str:
        """One JSON object, on one line."""
        watts = None if self.watts is None else list(self.watts)
        age_s = None if self.age_s is None else round(self.age_s, 3)
        found = {"section": self.section, "watts": watts, "age_s": age_s, "error": self.error}
        return json.dumps(found)

    def as_text(self) -> str:
        """One line for people."""
        name = f"{self.section:<{_NAME_COLUMN}}"
        if self.watts is None:
            return f"{name}  failed: {self.error}"
        named = "ABC" if len(self.watts) in (2, 3) else ""
        phases = "".join(
            f"  {named[i] if named else f'#{i + 1}'} {value:8.1f} W"
            for i, value in enumerate(self.watts)
            if len(self.watts) > 1
        )
        return f"{name}{phases}  total {sum(self.watts):8.1f} W  {self.age_s:5.1f} s old"


class Tape:
    """Where samples are recorded, until that fails.

    :ivar trouble: why nothing more is recorded; empty while all is well.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.trouble = ""
        self._recorder = recorder

    def add(self, section: str, sample: Sample) -> None:
        try:
            self._recorder.add(section, sample)
        except OSError as error:
            self.trouble = error.strerror or str(error)


class _Probe:
    """One meter, running: with its filters, or without them onto a tape."""

    _log = Logger()

    def __init__(self, reactor: Any, configured: ConfiguredMeter, tape: Tape | None) -> None:
        self._reactor = reactor
        self._section = configured.section
        self._tape = tape
        self._following: Deferred[None] | None = None
        self.meter: IMeter = configured.kind.build(reactor, configured.section, configured.options)
        options = configured.options
        if tape is not None:
            # Whoever plays it applies the filters.
            options = MeterOptions(max_age=options.max_age)
        self._chain: Health = build_chain(
            self.meter, options, reactor, max_age_s=configured.kind.max_age_s
        )

    def start(self) -> None:
        start(self.meter)
        if self._tape is not None and self.meter.online is not None:
            self._following = spawn(self._follow(), f"[{self._section}] recording", self._log)

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
        await stop(self.meter)

    async def read(self) -> Reading:
        try:
            await self.meter.first_sample(FIRST_SAMPLE_S)
            sample = await self._sample()
        except MeterError as error:
            return Reading(self._section, None, None, str(error))
        return Reading(
            self._section, sample.watts, self._reactor.seconds() - sample.measured_at, None
        )

    async def _sample(self) -> Sample:
        sample = await self._chain.read()
        if self._tape is not None:
            self._tape.add(self._section, sample)
        return sample

    async def _follow(self) -> None:
        """Let no sample of a meter that pushes get lost between two looks at it."""
        while True:
            await self.meter.next_sample(WATCH_EVERY_S)
            try:
                await self._sample()
            except MeterError:
                continue  # whoever watches is told


async def show(
    reactor: Any,
    settings: Settings,
    out: TextIO,
    *,
    as_json: bool,
    watch: bool,
    tape: Tape | None = None,
) -> int:
    """Read every meter and write a line for each; with ``watch`` again and again.

    :param tape: takes every sample of a watch, as the meters bring them: without the filters.
    :return: 0 when every meter could be read, else 1.
    """
    if not settings.meters:
        out.write(f"{settings.file}: no meter is configured\n")
        return 1
    probes = [_Probe(reactor, one, tape) for one in settings.meters]
    for probe in probes:
        probe.start()
    try:
        while True:
            readings = await _read_all(probes)
            for reading in readings:
                out.write((reading.as_json() if as_json else reading.as_text()) + "\n")
            out.flush()
            if not watch:
                return 1 if any(reading.error for reading in readings) else 0
            await sleep(reactor, WATCH_EVERY_S)
            if tape is not None and tape.trouble:
                return 1
    finally:
        for probe in probes:
            await probe.stop()


async def _read_all(probes: Sequence[_Probe]) -> list[Reading]:
    return await gatherResults(
        [Deferred.fromCoroutine(probe.read()) for probe in probes], consumeErrors=True
    )


def load(
    path: str | os.PathLike[str],
    out: TextIO,
    overrides: Overrides | None = None,
    extra_kinds: Sequence[MeterKind[Any]] = (),
) -> Settings | None:
    """The settings in the file; None, with every problem written to ``out``, when it is bad."""
    try:
        return load_file(path, overrides, extra_kinds)
    except ConfigError as error:
        out.writelines(f"{problem}\n" for problem in error.problems)
        return None


def run(
    reactor: Any,
    settings: Settings,
    out: TextIO,
    *,
    as_json: bool,
    watch: bool,
    record: str | None,
    errors: TextIO,
) -> int:
    """Run the reactor for :func:`show`; an interrupt ends a watch with what was read last.

    :param record: a file to which every sample is appended; implies ``watch``.
    :param errors: is told when that cannot be done.
    :return: the exit status.
    """
    use_monotonic_time(reactor)
    if record is None:
        return _run(reactor, settings, out, as_json, watch, None)
    try:
        recorder = Recorder(Path(record), reactor, lambda: datetime.now(UTC))
    except OSError as error:
        errors.write(f"{record}: cannot be written to: {error.strerror or error}\n")
        return 1
    tape = Tape(recorder)
    try:
        return _run(reactor, settings, out, as_json, True, tape)
    finally:
        recorder.close()
        if tape.trouble:
            errors.write(f"{record}: recording ended: {tape.trouble}\n")


def _run(
    reactor: Any, settings: Settings, out: TextIO, as_json: bool, watch: bool, tape: Tape | None
) -> int:
    status = [0 if watch else 1]

    async def work() -> None:
        status[0] = await show(reactor, settings, out, as_json=as_json, watch=watch, tape=tape)

    done = Deferred.fromCoroutine(work())
    done.addErrback(lambda failure: failure.trap(CancelledError, BrokenPipeError))

    def interrupted() -> Deferred[Any]:
        done.cancel()
        return done  # the meters stop first

    def finished(_result: object) -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    reactor.callWhenRunning(done.addBoth, finished)
    reactor.run()
    return status[0]
