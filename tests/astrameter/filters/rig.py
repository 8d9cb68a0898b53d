"""A scripted meter behind the filters that a configuration builds, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.config import load_text
from astrameter.deferreds import sleep
from astrameter.filters.applied import Applied
from astrameter.filters.chain import build_chain
from astrameter.filters.health import Health, Outcome
from astrameter.meters.interface import IMeter, MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.options import Section, option, text
from astrameter.reading import MeterError, Sample, sample_of

START = 1000.0
"""Monotonic seconds at which the vectors' time is 0."""

Reading = Sequence[float] | str


@implementer(IMeter)
class ScriptedMeter(Service):
    """Brings one reading after the other; the last one again and again.

    :ivar reads: watts, or the text of an error.
    :ivar read_at: when each read began.
    """

    online = None

    def __init__(self, clock: Clock, section: str = "SCRIPT") -> None:
        self.section = section
        self.reads: Sequence[Reading] = ()
        self.latency_s = 0.0
        self.read_at: list[float] = []
        self._clock = clock

    def read(self) -> Deferred[Sample]:
        reading = self.reads[min(len(self.read_at), len(self.reads) - 1)]
        self.read_at.append(self._clock.seconds())
        if not self.latency_s:
            return self._result(None, reading)
        return sleep(self._clock, self.latency_s).addCallback(self._result, reading)

    def _result(self, _woken: None, reading: Reading) -> Deferred[Sample]:
        if isinstance(reading, str):
            return fail(MeterError("no_data", reading))
        return succeed(sample_of(reading, self._clock.seconds()))

    def first_sample(self, timeout_s: float) -> Deferred[None]:
        return succeed(None)

    def next_sample(self, timeout_s: float) -> Deferred[None]:
        return succeed(None)


@dataclass(frozen=True)
class ScriptOptions(MeterOptions):
    """Options of the scripted meter."""

    command: str = option(text(), default="", help="Is ignored.")


SCRIPT = MeterKind(
    Section("SCRIPT", ScriptOptions, help="A meter of the tests.", many=True),
    lambda clock, section, _options: ScriptedMeter(clock, section),
)


@dataclass
class Call:
    """One read of the chain that a test has asked for.

    :ivar result: the reading, or the text of the error; None until it is done.
    :ivar done_at: when that was.
    :ivar outcome: what the health filter knew right then.
    """

    result: list[float] | str | None = None
    done_at: float | None = None
    outcome: Outcome | None = None


class Rig:
    """The chain of the only meter of a configuration."""

    def __init__(self, config: str) -> None:
        """:raises ConfigError: for a bad configuration."""
        (configured,) = load_text(config, "config.ini", None, [SCRIPT]).meters
        self.options: MeterOptions = configured.options
        self.clock = Clock()
        self.clock.rightNow = START
        self.meter: ScriptedMeter = configured.kind.build(
            self.clock, configured.section, configured.options
        )
        self.chain: Health = build_chain(self.meter, configured.options, self.clock)

    @property
    def filters(self) -> list[str]:
        """The names of the filters that are present, the innermost first."""
        names = ["health"]
        source: Any = self.chain._source
        while source is not self.meter:
            here = source._steps if isinstance(source, Applied) else [source]
            names[:0] = [type(one).__name__.lower() for one in here]
            source = source._source
        return names

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action`` at this time of the vectors."""
        self.clock.callLater(seconds, action)

    def read(self) -> Call:
        """Read through the filters now."""
        return self._begin(self.chain.read)

    def read_raw(self) -> Call:
        """Read the meter past all filters now."""
        return self._begin(self.meter.read)

    def run(self) -> None:
        """Let time pass, from event to event, until nothing more is to come."""
        while calls := self.clock.getDelayedCalls():
            self.clock.rightNow = min(call.getTime() for call in calls)
            self.clock.advance(0)

    def watts(self, *readings: Reading, every_s: float = 1.0) -> list[list[float] | str | None]:
        """What reading the meter at regular intervals brings."""
        self.meter.reads = readings
        self.meter.read_at.clear()
        found = []
        for _ in readings:
            found.append(self.read().result)
            self.clock.advance(every_s)
        return found

    def _begin(self, read: Callable[[], Deferred[Sample]]) -> Call:
        call = Call()

        def done(result: Sample | Failure) -> None:
            if isinstance(result, Failure):
                call.result = result.getErrorMessage()
            else:
                call.result = list(result.watts)
            call.done_at = self.clock.seconds() - START
            call.outcome = self.chain.last

        read().addBoth(done)
        return call
