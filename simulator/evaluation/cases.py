"""Everything that can be run by name: the groups of scenarios behind one face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from simulator.batteries.config import CLASSIC, FIELD, BatteryConfig
from simulator.evaluation.bench import run
from simulator.evaluation.course import Course
from simulator.evaluation.drive import drive
from simulator.evaluation.exchange import MakeController
from simulator.evaluation.judgement import Compared, judge
from simulator.evaluation.oracle import TrueLoad
from simulator.evaluation.recorded import Recorded, recorded
from simulator.evaluation.recording import Recording
from simulator.evaluation.robust import problems, robust
from simulator.evaluation.scenarios import (
    LIVED_IN,
    SCENARIOS,
    Scenario,
    on_plant,
    traced,
    with_batteries,
)
from simulator.evaluation.traces import TraceError, load_trace

STANDARD, HOUSEHOLD, TRACE, RECORDED, ROBUST, ALL = (
    "standard",
    "household",
    "trace",
    "recorded",
    "robust",
    "all",
)
GROUPS = (STANDARD, HOUSEHOLD, TRACE, RECORDED, ROBUST)
"""The predecessor's evaluation; a stochastic household; files; the 54 recorded courses; courses
far from the usual."""

MIXED = "own"
"""The plant of courses that bring their own batteries."""


Changed = tuple[tuple[str, Any], ...]
"""Settings of batteries, by name."""

CHANGEABLE: Mapping[str, Callable[[str], Any]] = {
    "report_index": int,
    "recharge_mode": int,
    "ctrl_ratio": int,
    "poll_interval_s": float,
    "ramp_w_per_s": float,
    "startup_delay_s": float,
    "reads": str,
    "stepping": str,
}
"""What ``--battery`` can change; the values are checked by the battery."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said about a run besides its figures.

    :ivar problems: what is not as it must be, in words.
    :ivar compared: figures beside those that the predecessor left, where it did.
    """

    problems: Sequence[str] = ()
    compared: Sequence[Compared] = ()


class Case(Protocol):
    """One scenario that can be played.

    :ivar group: one of GROUPS.
    :ivar plant: the law of its batteries: one of PLANTS or MIXED.
    """

    @property
    def group(self) -> str: ...
    @property
    def plant(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def duration_s(self) -> float: ...

    def play(
        self,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
        oracle: TrueLoad | None = None,
    ) -> Recording:
        """Play it once.

        :param oracle: is told the true load of the house.
        """
        ...

    def judge(self, recording: Recording) -> Judged: ...


@dataclass(frozen=True)
class ScenarioCase:
    """Implements :class:`Case` for the scenarios of evaluation.md."""

    scenario: Scenario
    group: str
    plant: str

    @property
    def name(self) -> str:
        return self.scenario.name

    @property
    def about(self) -> str:
        return self.scenario.stresses

    @property
    def duration_s(self) -> float:
        return self.scenario.duration_s

    def play(
        self,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
        oracle: TrueLoad | None = None,
    ) -> Recording:
        return run(self.scenario, seed, make_controller, settings, oracle)

    def judge(self, recording: Recording) -> Judged:
        found = []
        if recording.conflicts:
            found.append(f"{recording.conflicts} answers triggered the interlock of a battery")
        if recording.unanswered:
            found.append(f"{recording.unanswered} polls were not answered")
        return Judged(found)


@dataclass(frozen=True)
class CourseCase:
    """Implements :class:`Case` for courses.

    :ivar recorded: with the predecessor's results, on the plant that they were made with.
    """

    course: Course
    group: str
    plant: str
    recorded: Recorded | None = None

    @property
    def name(self) -> str:
        return self.course.name

    @property
    def about(self) -> str:
        return self.course.stresses

    @property
    def duration_s(self) -> float:
        return self.course.duration_s

    def play(
        self,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
        oracle: TrueLoad | None = None,
    ) -> Recording:
        return drive(self.course, seed, make_controller, settings, oracle)

    def judge(self, recording: Recording) -> Judged:
        if self.group == ROBUST:
            return Judged(problems(self.course, recording))
        if self.recorded is None:
            return Judged()
        compared, wrong = judge(self.recorded, recording)
        return Judged(wrong, compared)


@cache
def cases(
    plant: str | None = None, traces: tuple[Path, ...] = (), changed: Changed = ()
) -> Mapping[str, Case]:
    """All cases by name.

    :param plant: one of PLANTS for the batteries of all groups that have a choice; None is
        ``field`` for scenarios, and for recorded courses ``classic``, which they were made with.
    :param traces: files for the scenarios that need them.
    :param changed: settings of all batteries of scenarios and recorded courses
        (:func:`changes_of`).
    :raises TraceError: for a file that is none, or too short.
    :raises ValueError: when a battery cannot be changed so.
    """
    found: dict[str, Case] = {}
    law = plant or FIELD
    also = "".join(f", {key}={value}" for key, value in changed)

    def change(one: BatteryConfig) -> BatteryConfig:
        return replace(one, **dict(changed))

    for group, scenarios in (
        (STANDARD, SCENARIOS.values()),
        (HOUSEHOLD, LIVED_IN.values()),
        (TRACE, [one for path in traces for one in traced(load_trace(path))]),
    ):
        for scenario in scenarios:
            if group == TRACE and scenario.name in found:
                raise TraceError(f"--trace: two files for {scenario.name}; give one of each kind")
            altered = with_batteries(on_plant(scenario, law), change)
            found[scenario.name] = ScenarioCase(altered, group, law + also)
    for name, one in recorded().items():
        where = plant or CLASSIC
        if where == CLASSIC and not changed:
            found[name] = CourseCase(one.course, RECORDED, CLASSIC, one)
        else:
            other = one.course.on_plant(where).with_batteries(change)
            found[name] = CourseCase(other, RECORDED, where + also)
    for name, course in robust().items():
        found[name] = CourseCase(course, ROBUST, MIXED)
    return found


def changes_of(texts: Sequence[str]) -> Changed:
    """``KEY=VALUE`` of the command line, for settings of batteries that an owner may have.

    :raises ValueError: for what is no such setting, or no value for it.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, raw = text.partition("=")
        parse = CHANGEABLE.get(key.strip())
        if not equals or parse is None:
            raise ValueError(
                f"--battery expects KEY=VALUE, got {text!r}; KEY is one of {', '.join(CHANGEABLE)}"
            )
        try:
            found[key.strip()] = parse(raw.strip())
        except ValueError:
            raise ValueError(f"--battery {key.strip()}={raw.strip()}: this is no number") from None
    return tuple(found.items())


class UnknownCaseError(ValueError):
    """No case has such a name; the text says which there are."""


def select(wanted: Sequence[str], known: Mapping[str, Case]) -> list[Case]:
    """The cases that are meant, in the order in which they are known.

    :param wanted: names, globs (``two_venus*``, ``S0*``) or groups; none is ``standard`` and, if
        there are traces, ``trace``.
    :raises UnknownCaseError: when one of them means nothing.
    """
    if not wanted:
        return [one for one in known.values() if one.group in (STANDARD, TRACE)]
    chosen: set[str] = set()
    for pattern in wanted:
        meant = {name for name, one in known.items() if _means(pattern, name, one.group)}
        if not meant:
            raise UnknownCaseError(
                f"no scenario is called {pattern!r}; there are the groups {', '.join(GROUPS)}, "
                f"and the names that --list shows"
            )
        chosen |= meant
    return [one for name, one in known.items() if name in chosen]


def _means(pattern: str, name: str, group: str) -> bool:
    if pattern in (ALL, group) or fnmatchcase(name, pattern):
        return True
    number = name.partition("-")[0]
    return group == RECORDED and pattern == number
