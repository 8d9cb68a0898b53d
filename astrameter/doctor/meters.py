"""What repeated reads of a meter say about it: whether it works, how fast, how fresh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median

from astrameter.doctor import readings
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.filters.transform import transform
from astrameter.meters.options import MeterOptions
from astrameter.routing import FRESH_WAIT_S

SLOW_READ_S = 0.5
"""A Venus E 3 waits about 0.6 s for an answer (marstek-devices.md section 1.7)."""

TOO_SLOW_READ_S = 1.0
"""Batteries poll about once a second."""

SLOW_REFRESH_S = 2.5
"""A battery that polls every second reads values that are older than this again and again."""

OLD_S = 10.0
_FEW_FAILURES = 0.1

_MENDS = {
    "connect": "Is the device switched on, and its address right? Is it reached from this machine?",
    "timeout": "Is the device reached from this machine, and its Wi-Fi good enough?",
    "http_status": "Check path, user name and password of the section",
    "invalid_json": "Open the address in a browser: it must show the numbers",
    "missing_field": "Compare the path, topic or register with what the device really sends",
    "no_data": "Look whether the source sends: broker, topic, network",
    "stale": "Look why the source stopped sending",
    "auth_failed": "Check user name, password or token",
}


@dataclass(frozen=True, slots=True)
class Read:
    """One attempt to read a meter.

    :ivar at: when it ended, monotonic seconds.
    :ivar watts: what came, before any filter; None when it failed.
    :ivar measured_at: monotonic seconds.
    :ivar kind: of the MeterError; empty when it worked.
    """

    at: float
    watts: tuple[float, ...] | None = None
    measured_at: float = 0.0
    error: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Watched:
    """A meter that was read for a while.

    :ivar pushed: it sends by itself; reads cost nothing.
    :ivar max_age_s: older readings have failed; 0 is no limit.
    :ivar reads: in order of time.
    :ivar times: how long the good ones took that nobody else could have begun, seconds.
    """

    section: str
    pushed: bool
    options: MeterOptions
    max_age_s: float
    reads: Sequence[Read]
    times: Sequence[float] = ()

    @property
    def good(self) -> list[Read]:
        """The reads that worked."""
        return [read for read in self.reads if read.watts is not None]

    @property
    def seconds(self) -> float:
        """From the first good read to the last."""
        good = self.good
        return good[-1].at - good[0].at if good else 0.0


def judge(watched: Watched) -> Iterator[Finding]:
    """Everything that the reads say."""
    good = watched.good
    if not good:
        yield _dead(watched)
        return
    yield _works(watched)
    yield from _failures(watched)
    yield from _age(watched)
    yield from _pushed(watched) if watched.pushed else _polled(watched)
    options = watched.options
    seen = [
        transform(read.watts, options.power_multiplier, options.power_offset)
        for read in good
        if read.watts is not None
    ]
    yield from readings.judge(watched.section, seen, watched.seconds, options)


def _dead(watched: Watched) -> Finding:
    last = watched.reads[-1] if watched.reads else Read(0.0, error="there was no time to")
    mend = _MENDS.get(last.kind)
    what = f"cannot be read: {last.error}"
    return _finding(Severity.PROBLEM, watched, what, *((mend,) if mend else ()))


def _works(watched: Watched) -> Finding:
    good = watched.good
    last = good[-1]
    options = watched.options
    values = transform(last.watts or (), options.power_multiplier, options.power_offset)
    what = "one value, shown as phase A" if len(values) == 1 else f"{len(values)} phases"
    words = f"{what}: {readings.in_words(values)}"
    if watched.pushed:
        age_s = last.at - last.measured_at
        return _finding(Severity.OK, watched, f"sends; {words}, {age_s:.1f} s old")
    times = watched.times
    if not times:
        return _finding(Severity.OK, watched, f"answers; {words}")
    speed = f"answers in {_ms(median(times))} ({_ms(min(times))} to {_ms(max(times))})"
    return _finding(Severity.OK, watched, f"{speed}; {words}")


def _failures(watched: Watched) -> Iterator[Finding]:
    bad = [read for read in watched.reads if read.watts is None]
    if not bad:
        return
    what = f"{len(bad)} of {len(watched.reads)} reads failed: {bad[-1].error}"
    mend = "A weak Wi-Fi, or too many programs that ask the device, are usual reasons"
    rare = len(bad) <= _FEW_FAILURES * len(watched.reads)
    yield _finding(Severity.NOTE if rare else Severity.WARN, watched, what, mend)


def _age(watched: Watched) -> Iterator[Finding]:
    last = watched.good[-1]
    age_s = last.at - last.measured_at
    if 0 < watched.max_age_s < age_s:
        what = f"the last reading is {age_s:.0f} s old, more than MAX_AGE ({watched.max_age_s:g} s)"
        yield _finding(Severity.PROBLEM, watched, what, _MENDS["stale"])


# ------------------------------------------------------------------------- how often, how fast


def _pushed(watched: Watched) -> Iterator[Finding]:
    interval_s = refresh_s(watched)
    waits = watched.options.wait_for_next_message
    off = "Set WAIT_FOR_NEXT_MESSAGE = no in its section"
    if interval_s is None:
        last = watched.good[-1]
        if last.at - last.measured_at > OLD_S:
            what = f"has sent nothing new for {last.at - last.measured_at:.0f} s"
            mends = ["Look whether the source still sends; the value may be one the broker kept"]
            mends += [f"{off}, if it is just so slow"] if waits else []
            yield _finding(Severity.WARN, watched, what, *mends)
        return
    what = f"sends every {interval_s:.1f} s"
    if interval_s > FRESH_WAIT_S and waits:
        what += f", but each poll waits {FRESH_WAIT_S:g} s for the next value, mostly for nothing"
        faster = "Or let the source send every second: batteries follow the better for it"
        yield _finding(Severity.WARN, watched, what, off, faster)
    elif interval_s <= FRESH_WAIT_S and not waits:
        mend = "WAIT_FOR_NEXT_MESSAGE = yes would answer batteries with the freshest value"
        yield _finding(Severity.NOTE, watched, what, mend)
    else:
        severity = Severity.NOTE if interval_s > SLOW_REFRESH_S else Severity.OK
        yield _finding(severity, watched, what)


def _polled(watched: Watched) -> Iterator[Finding]:
    took_s = median(watched.times or [0.0])
    if took_s > SLOW_READ_S:
        severity = Severity.WARN if took_s > TOO_SLOW_READ_S else Severity.NOTE
        what = f"takes {took_s:.1f} s to answer; some batteries wait only 0.6 s"
        mend = "Use a faster way to it (cable, its local interface, MQTT) if there is one"
        yield _finding(severity, watched, what, mend)
    interval_s = refresh_s(watched)
    if interval_s is None or interval_s < SLOW_REFRESH_S:
        return
    what = f"shows a new value only every {interval_s:.0f} s"
    if watched.options.throttle_interval > 0:
        yield _finding(Severity.NOTE, watched, what)
        return
    mend = (
        "If batteries swing around zero, because they correct several times on one value, set "
        f"THROTTLE_INTERVAL = {ceil(interval_s - 0.5)} in its section"
    )
    yield _finding(Severity.NOTE, watched, what, mend)


def refresh_s(watched: Watched) -> float | None:
    """How often there is a new value; None when there were too few to tell.

    A meter that pushes says when; of another one it is told by its changes, as exactly as it was
    read, and one that is read too late tells little.
    """
    good = watched.good
    if watched.pushed:
        times, wanted = sorted({read.measured_at for read in good}), 1
    else:
        times = [new.measured_at for old, new in pairwise(good) if new.watts != old.watts]
        wanted = 2
    gaps = [after - before for before, after in pairwise(times)]
    return median(gaps) if len(gaps) >= wanted else None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _finding(severity: Severity, watched: Watched, what: str, *mend: str) -> Finding:
    return Finding(Group.METERS, severity, f"[{watched.section}]", what, mend)
