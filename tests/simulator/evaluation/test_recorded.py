"""The 54 recorded courses: taken over without change, played as they were recorded, and the
predecessor's defects behave as wanted."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import Poll
from astrameter.steering.controller import Steering
from simulator.batteries.battery import Battery
from simulator.evaluation import drive as driving
from simulator.evaluation.drive import drive
from simulator.evaluation.exchange import START_S, Exchange
from simulator.evaluation.judgement import CONFORMANCE, DEFECTS, WANTED, compared, judge
from simulator.evaluation.recorded import FILE, recorded
from tests.vectors import each, load

FILE_OF_VECTORS = "steering-scenarios"
ALL = load(FILE_OF_VECTORS)["scenarios"]
BY_NUMBER = {one["id"][:3]: one for one in ALL}


class TakenOver(SynchronousTestCase):
    def test_the_packaged_file_is_the_vectors_without_the_traces(self) -> None:
        text = resources.files("simulator.evaluation").joinpath(FILE).read_text("ascii")
        wanted = [{k: v for k, v in one.items() if k != "reference_trace"} for one in ALL]
        self.assertEqual(json.loads(text)["scenarios"], wanted)

    def test_all_54_are_there_with_all_that_happens_in_them(self) -> None:
        self.assertEqual(len(recorded()), 54)
        for one in ALL:
            course = recorded()[one["id"]].course
            self.assertEqual(len(course.batteries), len(one["fleet"]))
            self.assertEqual(len(course.happenings), len(one["events"]))
            self.assertEqual(course.duration_s, one["duration_s"])

    def test_what_is_wanted_is_known_of_every_defect(self) -> None:
        self.assertLessEqual(set(DEFECTS), set(WANTED))


class Harness(SynchronousTestCase):
    @each([BY_NUMBER[number] for number in CONFORMANCE])
    def relay_mode_repeats_the_recorded_figures(self, case: dict[str, Any]) -> None:
        one = recorded()[case["id"]]
        figures, wrong = judge(one, drive(one.course, 1, Steering))
        self.assertEqual(wrong, [])
        for figure in figures:
            self.assertEqual(figure.ours, figure.theirs, figure.name)

    @each([BY_NUMBER[number] for number in ("S46", "S47", "S48")])
    def relay_mode_repeats_the_recorded_polls(self, case: dict[str, Any]) -> None:
        seen: list[list[Any]] = []

        class Listening(Exchange):
            def answer(self, battery: Battery, poll: Poll, sample: Any, now: float) -> None:
                request, at_s = poll.request, round(now - START_S, 3)
                seen.append([at_s, request.phase, request.power_w, list(sample.watts)])
                super().answer(battery, poll, sample, now)

        self.patch(driving, "Exchange", Listening)
        drive(recorded()[case["id"]].course, 1, Steering)
        wanted = [[t, phase, w, abc] for t, _, phase, w, abc, *_ in case["reference_trace"]["rows"]]
        self.assertEqual(seen[: len(wanted)], wanted)


class Controlled(SynchronousTestCase):
    @each([BY_NUMBER[number] for number in DEFECTS])
    def a_defect_behaves_as_wanted(self, case: dict[str, Any]) -> None:
        one = recorded()[case["id"]]
        self.assertEqual(judge(one, drive(one.course, 1, Steering))[1], [])

    def test_a_controller_that_does_nothing_is_not_as_wanted(self) -> None:
        class Idle(Steering):
            def instruct(self, *_what: object) -> float:
                return 0.0

        for number in DEFECTS:
            one = recorded()[BY_NUMBER[number]["id"]]
            self.assertNotEqual(judge(one, drive(one.course, 1, Idle))[1], [], number)

    def test_who_never_arrived_is_no_measure_of_overshoot(self) -> None:
        one = recorded()[BY_NUMBER["S54"]["id"]]
        names = [figure.name for figure in compared(one, drive(one.course, 1, Steering))]
        self.assertEqual(names, ["steady_rms_w", "settle_s"])

    def test_where_there_is_no_error_at_first_there_is_no_overshoot(self) -> None:
        one = recorded()[BY_NUMBER["S35"]["id"]]
        names = [figure.name for figure in compared(one, drive(one.course, 1, Steering))]
        self.assertEqual(names, ["steady_rms_w", "settle_s"])

    def test_it_is_worse_in_most_of_what_is_compared(self) -> None:
        class Idle(Steering):
            def instruct(self, *_what: object) -> float:
                return 0.0

        one = recorded()[BY_NUMBER["S01"]["id"]]
        worse = {x.name for x in compared(one, drive(one.course, 1, Idle)) if x.worse}
        self.assertEqual(worse, {"steady_rms_w", "settle_s"})
