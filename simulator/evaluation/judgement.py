"""The recorded courses judged: against the predecessor's figures, and by what is wanted.

Three figures are compared, as the issue asks: settling, overshoot, steady rms. An event that never
settled counts with the length of its window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.evaluation.metrics import SETTLED_W, event_results
from simulator.evaluation.oscillation import swings_w
from simulator.evaluation.recorded import Recorded
from simulator.evaluation.recording import Observation, Recording

TOLERANCE = 0.05
"""What is worse by less than this is equal, as for the guardrails."""

SLACK = {"settle_s": 0.5, "overshoot_w": 2.0, "steady_rms_w": 0.5}
"""... or by less than this: one observation, and what the meter cannot tell."""

LONGEST_S = 600.0
PARKED_W = 15.0

DEFECTS = ("S05", "S14", "S20", "S21", "S22", "S29", "S39", "S45", "S51", "S52", "S53", "S54")
"""What the predecessor gets wrong, and what must behave as wanted."""

CONFORMANCE = ("S37", "S46", "S47", "S48")
"""Relay mode: nothing is controlled, the figures must be the recorded ones."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure, ours and the predecessor's."""

    name: str
    ours: float
    theirs: float

    @property
    def worse(self) -> bool:
        return self.ours > self.theirs * (1 + TOLERANCE) + SLACK[self.name]


class Seen:
    """What the checks ask of a run."""

    def __init__(self, one: Recorded, run: Recording) -> None:
        self.run = run
        self.events = event_results(run, every=True)
        start_s, end_s = one.course.steady_s
        self.steady = self.between(start_s, end_s)

    def between(self, start_s: float, end_s: float = math.inf) -> list[Observation]:
        return [o for o in self.run.observations if start_s <= o.at_s <= end_s]

    def output_w(self, battery: int, seen: Sequence[Observation] | None = None) -> float:
        """Mean output of a battery (from 0), in the steady window unless told otherwise."""
        seen = self.steady if seen is None else seen
        return sum(o.outputs_w[battery] for o in seen) / len(seen)

    def grid_w(self, seen: Sequence[Observation] | None = None) -> float:
        """Mean grid power."""
        seen = self.steady if seen is None else seen
        return sum(o.grid_w for o in seen) / len(seen)

    @property
    def rms_w(self) -> float:
        return math.sqrt(sum(o.grid_w**2 for o in self.steady) / len(self.steady))

    @property
    def spread_w(self) -> float:
        """Mean distance of an output from the mean of all."""
        total = 0.0
        for one in self.steady:
            mean_w = sum(one.outputs_w) / len(one.outputs_w)
            total += sum(abs(p - mean_w) for p in one.outputs_w) / len(one.outputs_w)
        return total / len(self.steady)

    def covered_share(self, seen: Sequence[Observation], within_w: float = 50.0) -> float:
        """Of the observations, how many have a calm grid."""
        return sum(abs(o.grid_w) < within_w for o in seen) / len(seen)


def compared(one: Recorded, run: Recording) -> list[Compared]:
    """The figures that both have."""
    seen, theirs = Seen(one, run), one.reference
    found = [Compared("steady_rms_w", round(seen.rms_w, 1), theirs["steady_grid_rms_w"])]
    windows_s = _windows_s(one)
    pairs = list(zip(seen.events, theirs["events"], windows_s, strict=True))
    if pairs:
        ours_s = sum(e.settle_s if e.settled else w for e, _, w in pairs) / len(pairs)
        theirs_s = sum(_or(t["settle_s"], w) for _, t, w in pairs) / len(pairs)
        found.append(Compared("settle_s", round(ours_s, 1), round(theirs_s, 1)))
    # Who never arrives overshoots nothing, and where there is no error at first, its sign is that
    # of the noise: these are no figures to be compared.
    arrived = [
        (e, t)
        for e, t, _ in pairs
        if t["settle_s"] is not None
        and min(abs(e.disturbed_w), abs(t["initial_error_w"])) >= SETTLED_W
    ]
    if arrived:
        ours_w = round(max(e.overshoot_w for e, _ in arrived), 1)
        found.append(Compared("overshoot_w", ours_w, max(t["overshoot_w"] for _, t in arrived)))
    return found


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _windows_s(one: Recorded) -> list[float]:
    starts_s = [h.at_s for h in one.course.happenings if h.label]
    ends_s = [*starts_s[1:], one.course.duration_s]
    return [min(LONGEST_S, end - start) for start, end in zip(starts_s, ends_s, strict=False)]


def judge(one: Recorded, run: Recording) -> tuple[list[Compared], list[str]]:
    """The comparison, and what is not as wanted, in words."""
    seen = Seen(one, run)
    number = one.course.name[:3]
    if number in CONFORMANCE:
        found = _conformance(seen, one.reference)
    else:
        check = WANTED.get(number)
        found = list(check(seen)) if check else []
        found += _unsettled(seen)
    if run.conflicts:
        found.append(f"{run.conflicts} answers triggered the interlock of a battery")
    return compared(one, run), found


def _unsettled(seen: Seen) -> list[str]:
    return [
        f"{e.label} at {e.at_s:.0f} s did not settle"
        for e in seen.events
        if not e.settled and e.possible
    ]


def _conformance(seen: Seen, theirs: Mapping[str, Any]) -> list[str]:
    """The plant and the harness are those of the file when these agree."""
    found = []
    rms_w, reference_w = round(seen.rms_w, 1), theirs["steady_grid_rms_w"]
    if rms_w != reference_w:
        found.append(f"steady rms {rms_w} W instead of {reference_w} W")
    for ours, their in zip(seen.events, theirs["events"], strict=True):
        settle_s = round(ours.settle_s, 1) if ours.settled else None
        if settle_s != their["settle_s"] or round(ours.overshoot_w, 1) != their["overshoot_w"]:
            found.append(f"{ours.label}: {settle_s} s, {ours.overshoot_w:.1f} W, not {their}")
    return found


# ------------------------------------------------------------------------------ what is wanted

Check = Callable[[Seen], list[str]]


def _says(wrong: bool, text: str) -> list[str]:
    return [text] if wrong else []


def _mean(battery: int, wanted_w: float, tolerance_w: float) -> Check:
    def check(seen: Seen) -> list[str]:
        found_w = seen.output_w(battery)
        return _says(
            abs(found_w - wanted_w) > tolerance_w,
            f"battery {battery + 1} at {found_w:.0f} W, wanted {wanted_w:g} +-{tolerance_w:g} W",
        )

    return check


def _grid(tolerance_w: float) -> Check:
    def check(seen: Seen) -> list[str]:
        found_w = seen.grid_w()
        return _says(abs(found_w) > tolerance_w, f"steady grid power {found_w:.0f} W")

    return check


def _even(tolerance_w: float) -> Check:
    def check(seen: Seen) -> list[str]:
        found_w = seen.spread_w
        return _says(found_w > tolerance_w, f"outputs {found_w:.0f} W from their mean")

    return check


def _settles(within_s: float) -> Check:
    def check(seen: Seen) -> list[str]:
        return [
            f"{e.label} took {e.settle_s:.0f} s, wanted {within_s:g} s"
            for e in seen.events
            if e.settled and e.settle_s > within_s
        ]

    return check


def _rms(most_w: float) -> Check:
    def check(seen: Seen) -> list[str]:
        return _says(seen.rms_w > most_w, f"steady rms {seen.rms_w:.0f} W, wanted {most_w:g} W")

    return check


def _all(*checks: Check) -> Check:
    return lambda seen: [problem for check in checks for problem in check(seen)]


def _one_works(seen: Seen) -> list[str]:
    """One battery carries all, the others are parked."""
    outputs_w = sorted(abs(seen.output_w(i)) for i in range(len(seen.run.units)))
    return _says(
        any(w > PARKED_W for w in outputs_w[:-1]),
        f"not parked: {', '.join(f'{w:.0f} W' for w in outputs_w)}",
    )


def _taken_over(seen: Seen) -> list[str]:
    """S19: covered again 20 s after the active one is empty."""
    share = seen.covered_share(seen.between(320, 900))
    return _says(share < 1, f"after 20 s the load is covered only {100 * share:.0f} % of the time")


def _healthy_covers(seen: Seen) -> list[str]:
    """S20: within 90 s, and for at least half of any later ten minutes."""
    found = _says(
        seen.covered_share(seen.between(90, 120)) < 1, "the load is not covered after 90 s"
    )
    for start_s in range(90, 1201, 30):
        share = seen.covered_share(seen.between(start_s, start_s + 600))
        if share < 0.5:
            return [*found, f"covered {100 * share:.0f} % of the ten minutes from {start_s} s"]
    return found


def _three_to_one(seen: Seen) -> list[str]:
    one_w, other_w = seen.output_w(0), seen.output_w(1)
    ratio = one_w / other_w if other_w > 1 else math.inf
    return _says(not 2 <= ratio <= 4.5, f"{one_w:.0f} W to {other_w:.0f} W is not about 3:1")


def _rotates(seen: Seen) -> list[str]:
    """S18: they change places, without gap and without doubled output."""
    both = [seen.output_w(i) for i in (0, 1)]
    found = _says(min(both) < 50, f"they do not change places: {both[0]:.0f} and {both[1]:.0f} W")
    worst_w = max(abs(o.grid_w) for o in seen.steady)
    return found + _says(worst_w > 150, f"{worst_w:.0f} W on the grid during a hand-over")


def _holds(from_s: float, to_s: float) -> Check:
    """While the meter is away the output stays."""

    def check(seen: Seen) -> list[str]:
        outputs_w = [sum(o.outputs_w) for o in seen.between(from_s, to_s)]
        moved_w = max(outputs_w) - min(outputs_w)
        return _says(moved_w > 30, f"moved by {moved_w:.0f} W between {from_s:g} and {to_s:g} s")

    return check


def _calm(battery: int) -> Check:
    """A battery's output rests in the steady window."""

    def check(seen: Seen) -> list[str]:
        count = len(swings_w([o.outputs_w[battery] for o in seen.steady]))
        return _says(count > 3, f"battery {battery + 1} went up and down {count} times")

    return check


WANTED: Mapping[str, Check] = {
    "S05": _all(_settles(50), _grid(15)),
    "S06": _rms(76),
    "S07": _rms(96),
    "S09": _rms(73),
    "S11": _mean(0, 18, 20),
    "S12": _mean(0, 40, 20),
    "S14": _all(_even(25), _grid(25)),
    "S15": _all(_mean(0, 600, 25), _mean(1, 400, 25)),
    "S16": _all(_one_works, _grid(20)),
    "S17": _all(_calm(0), _calm(1), _calm(2), _grid(20)),
    "S18": _rotates,
    "S19": _taken_over,
    "S20": _healthy_covers,
    "S21": _all(_grid(15), _mean(1, -250, 40)),
    "S22": _all(_grid(15), _mean(0, 0, 15), _mean(1, -900, 20)),
    "S23": _all(_mean(1, 0, 20), _mean(0, -600, 30)),
    "S24": _all(_mean(0, -500, 20), _grid(15)),
    "S25": _all(_mean(0, 372, 72), _mean(1, 372, 72)),
    "S26": _mean(1, -2500, 20),
    "S27": _even(25),
    "S28": _all(_even(25), _grid(15)),
    "S29": _all(_even(30), _grid(15), _settles(30)),
    "S30": _holds(202, 259),
    "S31": _holds(225, 515),
    "S32": _settles(20),
    "S35": _grid(15),
    "S36": _grid(15),
    "S39": _grid(15),
    "S41": _calm(0),
    "S42": _mean(0, 0, 10),
    "S43": _mean(1, 0, 20),
    "S45": _all(_grid(15), _settles(30)),
    "S49": _mean(0, 800, 60),
    "S50": _all(_mean(1, 40, 20), _mean(0, -640, 25)),
    "S51": _all(_three_to_one, _grid(15)),
    "S52": _all(_settles(60), _grid(15)),
    "S53": _all(_settles(60), _grid(15)),
    "S54": _all(_settles(60), _grid(15)),
}
"""What steering.md section 3.3 and the file itself want, by number of the course."""
