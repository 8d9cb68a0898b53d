"""One run: a scenario, a seed, a controller (evaluation.md section 2).

The batteries and the emulated CT talk in real frames, handed over without sockets: nothing but
the law of the controller and of the batteries is being judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.reading import Sample
from astrameter.steering.families import charges_from_ac
from astrameter.steering.interface import Controller
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.evaluation.plant import Plant, noise
from simulator.evaluation.recording import Observation, Recording, Unit
from simulator.evaluation.scenarios import Scenario
from simulator.evaluation.script import Event, events
from simulator.household import Household

START_S = 1_750_000_000.0
FIRST_POLL_S = 0.5
APART_S = 0.131
NEVER_S = 10_000_000
CT_MAC = "112233445566"
SECTION = "METER"

MakeController = Callable[[CtOptions], Controller]


def run(
    scenario: Scenario,
    seed: int,
    make_controller: MakeController,
    settings: Mapping[str, Any] | None = None,
) -> Recording:
    """Play a scenario.

    :param settings: options of the CT section that win over the scenario's.
    """
    return _Bench(scenario, seed, make_controller, settings or {}).play()


class _Bench:
    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        make_controller: MakeController,
        settings: Mapping[str, Any],
    ) -> None:
        options = replace(
            CtOptions(ct_mac=CT_MAC, consumer_ttl=NEVER_S), **{**scenario.tuning, **settings}
        )
        self._scenario = scenario
        self._ct = EmulatedCt("HME-4", options, 0.0, make_controller(options))
        household = Household(
            noise(seed),
            base_load_w=scenario.base_w,
            base_noise_w=scenario.noise_w,
            loads=[replace(load) for load in scenario.loads],
        )
        batteries = [Battery(config, START_S) for config in scenario.batteries]
        self._plant = Plant(household, batteries, *scenario.meter)
        self._events = events(scenario.scripts, scenario.duration_s, seed)
        units = [_unit(i, config) for i, config in enumerate(scenario.batteries)]
        self._run = Recording(units, scenario.duration_s)

    def play(self) -> Recording:
        batteries = self._plant.batteries
        due = [FIRST_POLL_S + APART_S * i for i in range(len(batteries))]
        intervals = [config.poll_interval_s or 1.0 for config in self._scenario.batteries]
        done = 0
        while True:
            index = min(range(len(due)), key=due.__getitem__)
            at_s = due[index]
            if at_s > self._scenario.duration_s:
                return self._run
            done = self._happen(done, at_s)
            self._step(batteries[index], at_s)
            due[index] += intervals[index]

    def _happen(self, done: int, until_s: float) -> int:
        found: list[Event] = self._events
        while done < len(found) and found[done].at_s <= until_s:
            event = found[done]
            event.action(self._plant)
            if event.label:
                self._run.marks.append((event.at_s, event.label))
            done += 1
        return done

    def _step(self, battery: Battery, at_s: float) -> None:
        """The battery moves, asks, and is answered."""
        now = START_S + at_s
        self._run.polls += 1
        poll = self._ct.receive(battery.poll(now), (battery.mac, 22222), now)
        if poll is None:
            self._run.unanswered += 1
            return
        sample = self._plant.meter.read(now)
        self._observe(now - START_S, sample, now)
        answer = self._ct.answer(poll, sample, SECTION, now)
        if answer is None:
            self._run.unanswered += 1
            return
        battery.answer(answer.datagram, now)

    def _observe(self, at_s: float, sample: Sample, now: float) -> None:
        plant, run = self._plant, self._run
        batteries = plant.batteries
        total_w = round(sum(plant.grid_w), 1)
        run.observations.append(
            Observation(
                at_s,
                total_w,
                plant.house_w,
                tuple(b.power_w for b in batteries),
                tuple(b.soc for b in batteries),
                sum(b.dc_input_w for b in batteries),
            )
        )
        run.oldest_sample_s = max(run.oldest_sample_s, now - sample.measured_at)
        if len(run.observations) > 1:
            gap_h = min(at_s - run.observations[-2].at_s, 5.0) / 3600
            for phase, power_w in enumerate(plant.grid_w):
                books = run.imports_wh if power_w > 0 else run.exports_wh
                books[phase] += abs(power_w) * gap_h


def _unit(number: int, config: BatteryConfig) -> Unit:
    return Unit(
        config.wired_phase,
        config.max_charge_w,
        config.max_discharge_w,
        config.capacity_wh,
        config.initial_soc,
        charges_from_ac(config.device_type),
        f"B{number + 1} {config.device_type}",
    )
