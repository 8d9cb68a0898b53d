"""Whether what a meter says can be true: number of phases, signs, sizes.

Watts here are what the batteries would get: after POWER_MULTIPLIER and POWER_OFFSET.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.meters.options import MeterOptions

HUGE_W = 50_000.0
"""A house connection of 63 A on three phases carries 43 kW."""

KILOWATTS = 30.0
"""Values that never leave this range may be kilowatts (30 kW is a big house)."""

FEED_IN_W = 20.0
"""Export on a phase that is more than the noise of a meter."""

_NAMES = "ABC"


def judge(
    section: str, seen: Sequence[Sequence[float]], seconds: float, options: MeterOptions
) -> Iterator[Finding]:
    """What the values say.

    :param seen: the readings in order; never empty.
    :param seconds: from the first to the last; 0 when nobody can know whether they are new.
    """
    last = seen[-1]
    where = f"[{section}]"
    if len(last) not in (1, 3):
        yield _odd_phases(where, len(last))
        return
    if not any(map(any, seen)):
        yield _all_zero(where)
        return
    yield _direction(where, sum(last), options)
    if len(last) > 1:
        yield from _phases(where, seen, options)
    yield from _sizes(where, seen, options)
    if seconds > 0 and all(tuple(values) == tuple(last) for values in seen):
        yield _constant(where, seconds)


def in_words(watts: Sequence[float]) -> str:
    """``463 W``, or ``A 450 W, B -20 W, C 33 W``."""
    if len(watts) == 1:
        return f"{watts[0]:.0f} W"
    names = _NAMES if len(watts) == len(_NAMES) else [f"#{i + 1}" for i in range(len(watts))]
    phases = [f"{name} {value:.0f} W" for name, value in zip(names, watts, strict=True)]
    return ", ".join(phases) or "no value"


def _odd_phases(where: str, count: int) -> Finding:
    what = f"delivers {count} values; one (the total) or three (the phases) are wanted"
    mend = "Give its section one path, topic or register for the total, or three for the phases"
    severity = Severity.WARN if count else Severity.PROBLEM
    return Finding(Group.METERS, severity, where, what, (mend,))


def _all_zero(where: str) -> Finding:
    return Finding(
        Group.METERS,
        Severity.WARN,
        where,
        "says exactly 0 W; a real house hardly ever does",
        (
            "Are the meter's clamps connected, and is it the right value (path, topic, register)?",
            "A utility meter may hide its power until it is given a PIN",
        ),
    )


def _direction(where: str, total_w: float, options: MeterOptions) -> Finding:
    if total_w >= 0:
        says, otherwise = f"the house takes {total_w:.0f} W from the grid", "feeds in"
    else:
        says, otherwise = f"the house feeds {-total_w:.0f} W into the grid", "takes power"
    mend = f"If it {otherwise} at this moment, {_turned(options)} in {where}"
    return Finding(Group.METERS, Severity.NOTE, where, f"says that {says} now", (mend,))


def _turned(options: MeterOptions) -> str:
    if options.power_multiplier:
        return "change the sign of POWER_MULTIPLIER"
    return "set POWER_MULTIPLIER = -1"


def _phases(
    where: str, seen: Sequence[Sequence[float]], options: MeterOptions
) -> Iterator[Finding]:
    last = seen[-1]
    dead = [_NAMES[i] for i in range(3) if not any(values[i] for values in seen)]
    if dead:
        what = f"says exactly 0 W on phase {' and '.join(dead)} all the time"
        mend = "Fine if nothing is connected there; else look at its clamp"
        yield Finding(Group.METERS, Severity.NOTE, where, what, (mend,))
    back = [i for i in range(3) if all(values[i] < -FEED_IN_W for values in seen)]
    if back and sum(last) > 0:
        names = " and ".join(_NAMES[i] for i in back)
        what = f"phase {names} feeds in while the house takes power ({in_words(last)})"
        factors = ", ".join("-1" if i in back else "1" for i in range(3))
        signs = "change the sign in POWER_MULTIPLIER"
        turn = signs if options.power_multiplier else f"set POWER_MULTIPLIER = {factors}"
        mend = (
            "Fine if solar panels or a battery work there; else the clamp sits backwards: turn it, "
            f"or {turn}"
        )
        yield Finding(Group.METERS, Severity.NOTE, where, what, (mend,))


def _sizes(where: str, seen: Sequence[Sequence[float]], options: MeterOptions) -> Iterator[Finding]:
    biggest_w = max(abs(value) for values in seen for value in values)
    if biggest_w > HUGE_W:
        what = f"says {biggest_w:.0f} W, more than a house connection carries"
        mend = f"If the source counts in milliwatts, {_scaled(options, 0.001)} in {where}"
        yield Finding(Group.METERS, Severity.WARN, where, what, (mend,))
    elif biggest_w < KILOWATTS and _has_fractions(seen):
        what = f"says small numbers with fractions ({biggest_w:g} at most)"
        mend = (
            "Fine if batteries keep the house near zero just now; if the source counts in "
            f"kilowatts, {_scaled(options, 1000)} in {where}"
        )
        yield Finding(Group.METERS, Severity.NOTE, where, what, (mend,))


def _scaled(options: MeterOptions, factor: float) -> str:
    if options.power_multiplier:
        return f"multiply POWER_MULTIPLIER by {factor:g}"
    return f"set POWER_MULTIPLIER = {factor:g}"


def _has_fractions(seen: Sequence[Sequence[float]]) -> bool:
    return any(value != round(value, 1) for values in seen for value in values)


def _constant(where: str, seconds: float) -> Finding:
    what = f"did not change at all for {seconds:.0f} s"
    mend = (
        "Switch something big on and run this again: when it does not follow, the source has "
        "stopped or shows another value"
    )
    return Finding(Group.METERS, Severity.NOTE, where, what, (mend,))
