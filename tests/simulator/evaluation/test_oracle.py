"""A controller that knows the load of the house."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from simulator.batteries.config import CLASSIC
from simulator.evaluation.bench import run
from simulator.evaluation.course import Happening
from simulator.evaluation.drive import drive
from simulator.evaluation.metrics import event_results
from simulator.evaluation.oracle import TrueLoad
from simulator.evaluation.recording import Recording
from simulator.evaluation.robust import robust
from simulator.evaluation.runner import Job, play
from simulator.evaluation.scenarios import SCENARIOS, on_plant


class Watched(Steering):
    """Remembers what it took for the load, by the time of the poll."""

    def __init__(self, options: Any, observer: TrueLoad) -> None:
        super().__init__(options, observer=observer)
        self.loads_w: list[float | None] = []

    def instruct(self, *what: Any) -> float:
        reading_w = super().instruct(*what)
        self.loads_w.append(self._observer.load_w)
        return reading_w


def watched(play_it: Callable[[Any, TrueLoad], Recording]) -> tuple[Watched, Recording]:
    oracle = TrueLoad()
    made: list[Watched] = []

    def make(options: Any) -> Watched:
        made.append(Watched(options, oracle))
        return made[0]

    recording = play_it(make, oracle)
    return made[0], recording


class Truth(SynchronousTestCase):
    def test_in_a_scenario_it_is_the_house_without_its_noise(self) -> None:
        scenario = replace(on_plant(SCENARIOS["single_venus_noisy"], CLASSIC), duration_s=60.0)
        controller, recording = watched(lambda make, oracle: run(scenario, 1, make, None, oracle))
        self.assertEqual(set(controller.loads_w), {400.0})
        self.assertGreater(len({o.house_w for o in recording.observations}), 30)

    def test_in_a_course_a_step_is_known_in_the_same_moment(self) -> None:
        course = replace(
            robust()["robust/field/latency-5s"],
            noise_w=20.0,
            duration_s=60.0,
            happenings=(Happening(30.0, "up", (1000.0, 0.0, 0.0)),),
        )
        controller, recording = watched(lambda make, oracle: drive(course, 1, make, None, oracle))
        self.assertEqual(sorted(set(controller.loads_w), key=float), [300.0, 1300.0])
        (event,) = event_results(recording)
        # The meter would not have shown it before.
        self.assertLess(event.settle_s, 5.0)

    def test_it_costs_less_to_know(self) -> None:
        name = "single_venus_steps"
        seen, known = (play(Job(name, 1, ("classic",), oracle=known)) for known in (False, True))
        for figure in ("settle_mean_s", "cost_regret_ct", "fair_regret_ct", "grid_rms_w"):
            self.assertLess(known[figure], seen[figure], figure)
