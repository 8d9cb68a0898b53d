"""One run: a scenario, a seed, a controller (evaluation.md section 2).

The batteries and the emulated CT talk in real frames, handed over without sockets: nothing but
the law of the controller and of the batteries is being judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.batteries.battery import Battery
from simulator.evaluation.bound import bound_s
from simulator.evaluation.exchange import START_S, Exchange, MakeController, options_of, unit_of
from simulator.evaluation.oracle import TrueLoad
from simulator.evaluation.plant import Plant, noise
from simulator.evaluation.recording import Observation, Recording
from simulator.evaluation.scenarios import Scenario
from simulator.evaluation.script import Event, events
from simulator.household import Household

FIRST_POLL_S = 0.5
APART_S = 0.131
NEVER_S = 10_000_000


def run(
    scenario: Scenario,
    seed: int,
    make_controller: MakeController,
    settings: Mapping[str, Any] | None = None,
    oracle: TrueLoad | None = None,
) -> Recording:
    """Play a scenario.

    :param settings: options of the CT section that win over the scenario's.
    :param oracle: is told the true load of this house.
    """
    bench = _Bench(scenario, seed, make_controller, settings or {})
    if oracle is not None:
        oracle.house_w = bench.expected_w
    return bench.play()


class _Bench:
    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
    ) -> None:
        self._scenario = scenario
        household = Household(
            noise(seed),
            base_load_w=scenario.base_w,
            base_noise_w=scenario.noise_w,
            loads=[replace(load) for load in scenario.loads],
        )
        batteries = [Battery(config, START_S) for config in scenario.batteries]
        self._plant = Plant(household, batteries, *scenario.meter)
        self._events = events(scenario.scripts, scenario.duration_s, seed)
        units = [unit_of(i, config) for i, config in enumerate(scenario.batteries)]
        self._run = Recording(units, scenario.duration_s)
        options = options_of({"consumer_ttl": NEVER_S}, scenario.tuning, settings)
        self._exchange = Exchange(options, make_controller, batteries, self._run, scenario.meter[1])
        self._due = [FIRST_POLL_S + APART_S * i for i in range(len(batteries))]
        self._intervals = [config.poll_interval_s or 1.0 for config in scenario.batteries]

    def expected_w(self) -> float:
        return self._plant.expected_w

    def play(self) -> Recording:
        batteries, due = self._plant.batteries, self._due
        done = 0
        while True:
            index = min(range(len(due)), key=due.__getitem__)
            at_s = due[index]
            if at_s > self._scenario.duration_s:
                return self._run
            done = self._happen(done, at_s)
            self._step(batteries[index], at_s)
            due[index] += self._intervals[index]

    def _happen(self, done: int, until_s: float) -> int:
        found: list[Event] = self._events
        while done < len(found) and found[done].at_s <= until_s:
            event = found[done]
            event.action(self._plant)
            if event.disturbs:
                self._run.disturbed_s.append(event.at_s)
            if event.label:
                self._run.marks.append((event.at_s, event.label))
                self._run.bounds_s.append(self._bound_s(event.at_s))
            done += 1
        return done

    def _bound_s(self, at_s: float) -> float | None:
        plant = self._plant
        return bound_s(
            plant.batteries,
            [due_s - at_s for due_s in self._due],
            self._intervals,
            plant.expected_w,
            START_S + at_s,
        )

    def _step(self, battery: Battery, at_s: float) -> None:
        """The battery moves, asks, and is answered."""
        now = START_S + at_s
        for one in self._plant.batteries:
            one.advance_to(now)  # those that move between polls
        poll = self._exchange.asked(battery, now)
        if poll is None:
            return
        sample = self._plant.meter.read(now)
        self._observe(now - START_S)
        self._exchange.answer(battery, poll, sample, now)

    def _observe(self, at_s: float) -> None:
        plant = self._plant
        batteries = plant.batteries
        self._run.observe(
            Observation(
                at_s,
                round(sum(plant.grid_w), 1),
                plant.house_w,
                tuple(b.power_w for b in batteries),
                tuple(b.soc for b in batteries),
                sum(b.dc_input_w for b in batteries),
                plant.grid_w,
                self._exchange.targets_w(),
            )
        )
