"""Driving a course: the closed loop by the clock (``steering-scenarios.json``, "harness")."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from random import Random
from typing import Any

from astrameter.reading import NO_POWER, PhaseWatts, Sample
from simulator.batteries.battery import Battery
from simulator.batteries.config import BY_POLL
from simulator.evaluation import course as courses
from simulator.evaluation.bound import bound_s
from simulator.evaluation.course import SETTINGS, Course, Happening, Load
from simulator.evaluation.exchange import START_S, Exchange, MakeController, options_of, unit_of
from simulator.evaluation.oracle import TrueLoad
from simulator.evaluation.recording import Observation, Recording

OBSERVE_S = 0.5
SWEEP_S = 5.0

_HEALTHY, _FROZEN, _FAILED = range(3)
_STATES = {
    courses.METER_OK: _HEALTHY,
    courses.METER_FREEZE: _FROZEN,
    courses.METER_FAIL: _FAILED,
}


class _Turn(IntEnum):
    """Order at equal times.

    The file says that the meter comes before the actions; the results that are recorded in it
    have it after them, so that is what is done here.
    """

    HAPPEN, MEASURE, OBSERVE, SWEEP, POLL = range(5)


def drive(
    course: Course,
    seed: int,
    make_controller: MakeController,
    settings: Mapping[str, Any] | None = None,
    oracle: TrueLoad | None = None,
) -> Recording:
    """Play a course.

    :param seed: of the noise and of what is lost; 1 is the noise of the recorded results.
    :param settings: options of the CT section that win over the course's.
    :param oracle: is told the true load of this house.
    """
    driven = _Drive(course, seed, make_controller, settings or {})
    if oracle is not None:
        oracle.house_w = driven.expected_w
    return driven.play()


class _Drive:
    def __init__(
        self,
        course: Course,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
    ) -> None:
        self._course = course
        self._load = Load(course, seed)
        self._batteries = [Battery(config, START_S) for config in course.batteries]
        self._intervals = [config.poll_interval_s or 1.0 for config in course.batteries]
        self._next_poll_s = list(course.first_polls_s)
        self._away = [""] * len(self._batteries)
        units = [unit_of(i, config) for i, config in enumerate(course.batteries)]
        self._run = Recording(units, course.duration_s, ends_before_next=True)
        random, share = Random(f"{course.name}/{seed}"), course.lost_share
        self._exchange = Exchange(
            options_of(course.options, settings),
            make_controller,
            self._batteries,
            self._run,
            course.meter.latency_s,
            lambda: share > 0 and random.random() < share,
        )
        self._meter_state = _HEALTHY
        self._measured: deque[tuple[float, PhaseWatts]] = deque()
        self._shown: Sample | None = None
        self._at_s = 0.0

    def expected_w(self) -> float:
        return self._load.expected_w(self._at_s)

    def play(self) -> Recording:
        queue = [
            (self._rhythm(turn, index)[0], turn, index, 0)
            for turn, count in (
                (_Turn.HAPPEN, len(self._course.happenings)),
                (_Turn.MEASURE, 1),
                (_Turn.OBSERVE, 1),
                (_Turn.SWEEP, 1),
                (_Turn.POLL, len(self._batteries)),
            )
            for index in range(count)
        ]
        heapq.heapify(queue)
        while queue and queue[0][0] <= self._course.duration_s:
            at_s, turn, index, done = queue[0]
            self._take(turn, index, at_s)
            # Multiplied, not added up: the recorded results come from such times.
            first_s, every_s = self._rhythm(turn, index)
            heapq.heapreplace(queue, (first_s + (done + 1) * every_s, turn, index, done + 1))
        return self._run

    def _rhythm(self, turn: _Turn, index: int) -> tuple[float, float]:
        """When it is somebody's turn for the first time, and how long after that again."""
        course = self._course
        if turn is _Turn.POLL:
            return course.first_polls_s[index], self._intervals[index]
        if turn is _Turn.HAPPEN:
            return course.happenings[index].at_s, math.inf
        if turn is _Turn.SWEEP:
            return SWEEP_S, SWEEP_S
        return 0.0, OBSERVE_S if turn is _Turn.OBSERVE else course.meter.interval_s

    def _take(self, turn: _Turn, index: int, at_s: float) -> None:
        self._at_s = at_s
        if turn is _Turn.POLL:
            self._poll(index, at_s)
        elif turn is _Turn.OBSERVE:
            self._observe(at_s)
        elif turn is _Turn.MEASURE:
            self._measure(at_s)
        elif turn is _Turn.SWEEP:
            self._exchange.ct.sweep(START_S + at_s)
        else:
            self._happen(self._course.happenings[index], at_s)

    # ------------------------------------------------------------------------------ the truth

    def _power_w(self, index: int, at_s: float) -> float:
        if self._away[index] == courses.OFFLINE:
            return 0.0
        return self._batteries[index].power_w_at(START_S + at_s)

    def _grid(self, at_s: float) -> tuple[PhaseWatts, float]:
        """Grid power by phase, and the house's part of the total."""
        watts = list(self._load.at(at_s))
        house_w = sum(watts)
        for index, battery in enumerate(self._batteries):
            watts["ABC".index(battery.wired_phase)] -= self._power_w(index, at_s)
        return (watts[0], watts[1], watts[2]), house_w

    def _observe(self, at_s: float) -> None:
        phases, house_w = self._grid(at_s)
        self._run.observe(
            Observation(
                at_s,
                sum(phases),
                house_w,
                tuple(self._power_w(i, at_s) for i in range(len(self._batteries))),
                tuple(battery.soc for battery in self._batteries),
                sum(battery.dc_input_w for battery in self._batteries),
                phases,
                self._exchange.targets_w(),
            )
        )

    # ------------------------------------------------------------------------------ the meter

    def _measure(self, at_s: float) -> None:
        if self._meter_state != _HEALTHY:
            return
        quantum_w = self._course.meter.quantum_w
        a, b, c = (round(round(w / quantum_w) * quantum_w, 6) for w in self._grid(at_s)[0])
        self._measured.append((at_s + self._course.meter.latency_s, (a, b, c)))

    def _read(self, at_s: float) -> Sample | None:
        """What the meter shows; it is dated when it arrives, as a meter does not tell its age."""
        if self._meter_state == _FAILED:
            return None
        while self._measured and self._measured[0][0] <= at_s + 1e-9:
            ready_s, watts = self._measured.popleft()
            self._shown = Sample(watts, START_S + ready_s)
        if self._shown is None:
            a, b, c = self._grid(at_s)[0]
            return Sample((round(a, 1), round(b, 1), round(c, 1)), START_S + at_s)
        return self._shown

    # ------------------------------------------------------------------------------ batteries

    def _poll(self, index: int, at_s: float) -> None:
        now = START_S + at_s
        battery, away = self._batteries[index], self._away[index]
        self._next_poll_s[index] = at_s + self._intervals[index]
        if away == courses.OFFLINE:
            battery.begin(now)
            return
        if battery.config.stepping == BY_POLL:
            battery.advance(self._intervals[index])
        else:
            battery.advance_to(now)
        if away:
            return
        poll = self._exchange.asked(battery, now)
        if poll is not None:
            self._exchange.answer(battery, poll, self._read(at_s), now)

    def _happen(self, happening: Happening, at_s: float) -> None:
        if happening.add_w != NO_POWER:
            self._load.add(happening.add_w)
        if happening.action:
            self._act(happening, at_s)
        if happening.label:
            self._run.marks.append((at_s, happening.label))
            self._run.bounds_s.append(self._bound_s(at_s))

    def _act(self, happening: Happening, at_s: float) -> None:
        action, value, index = happening.action, happening.value, happening.battery
        if action in _STATES:
            self._meter_state = _STATES[action]
            return
        battery = self._batteries[index]
        if action in (courses.OFFLINE, courses.SILENT, courses.ONLINE):
            if self._away[index] == courses.OFFLINE:
                battery.begin(START_S + at_s)
            else:
                battery.advance_to(START_S + at_s)
            if action == courses.OFFLINE:
                battery.interrupt()
            self._away[index] = "" if action == courses.ONLINE else action
        elif action == courses.SET_SOC:
            before = battery.soc
            battery.set_soc(float(value))
            self._run.given_wh += (battery.soc - before) * battery.config.capacity_wh
        elif action == courses.DC_INPUT:
            battery.set_dc_input(float(value))
        else:
            self._exchange.ct.change_setting(battery.mac.lower(), SETTINGS[action], value)

    def _bound_s(self, at_s: float) -> float | None:
        """Who is away or under the owner's hand does not follow; those who do may."""
        fleet = self._exchange.ct.fleet
        free = [
            i
            for i, battery in enumerate(self._batteries)
            if not self._away[i]
            and (settings := fleet.settings_of(battery.mac.lower())).active
            and settings.auto_target
        ]
        others_w = sum(self._power_w(i, at_s) for i in range(len(self._batteries)) if i not in free)
        return bound_s(
            [self._batteries[i] for i in free],
            [max(0.0, self._next_poll_s[i] - at_s) for i in free],
            [self._intervals[i] for i in free],
            sum(self._load.at(at_s)) - others_w,
            START_S + at_s,
        )
