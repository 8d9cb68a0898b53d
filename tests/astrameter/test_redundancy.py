"""Meters that stand in for each other."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import MetersDisagree, MeterSwitched
from astrameter.meters.options import EVERYBODY
from astrameter.reading import MeterError, Sample
from astrameter.redundancy import (
    COMPARE_EVERY_S,
    DISAGREE_FOR_S,
    GIVE_BACK_AFTER_S,
    Member,
    Redundant,
)
from astrameter.routing import Route, Routes
from tests.astrameter.ct.rig import ScriptedMeter


class Group(SynchronousTestCase):
    plausible_w: float | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.meters = [ScriptedMeter(self.clock, name) for name in ("MAIN", "SPARE", "LAST")]
        for number, meter in enumerate(self.meters):
            meter.script([100.0 * (number + 1)])
        self.events: list[Any] = []
        members = [Member(m.section, m, self.plausible_w) for m in self.meters]
        self.group = Redundant(members, self.clock, self.events.append)

    def total(self) -> float:
        return self.successResultOf(self.group.read()).total

    def poll(self, seconds: int) -> set[float]:
        """Read once a second; the totals that were seen."""
        found = set()
        for _ in range(seconds):
            self.clock.advance(1)
            found.add(self.total())
        return found


class TakingOver(Group):
    def test_the_best_is_read_and_the_others_are_left_alone(self) -> None:
        self.assertEqual(self.poll(60), {100.0})
        self.assertEqual([m.reads for m in self.meters[1:]], [0, 0])

    def test_when_it_fails_the_next_answers_the_same_poll(self) -> None:
        self.total()
        self.meters[0].script("error")
        self.assertEqual(self.total(), 200.0)
        self.assertEqual(self.group.section, "SPARE")
        self.assertEqual(self.events, [MeterSwitched("MAIN", "SPARE", "the test wants it to fail")])

    def test_a_failing_meter_is_not_asked_at_every_poll(self) -> None:
        self.meters[0].script("error")
        self.poll(60)
        self.assertLess(self.meters[0].reads, 15)

    def test_when_all_fail_the_error_of_the_used_one_is_told(self) -> None:
        for meter in self.meters:
            meter.script("error")
        failure = self.failureResultOf(self.group.read(), MeterError)
        self.assertEqual(failure.value.kind, "no_data")
        self.assertEqual(self.group.section, "MAIN")

    def test_it_gives_back_when_the_first_has_been_healthy_for_a_while(self) -> None:
        self.meters[0].script("error")
        self.poll(10)
        self.meters[0].script([111.0])
        self.assertEqual(self.poll(int(GIVE_BACK_AFTER_S) - 1), {200.0})
        self.poll(15)
        self.assertEqual(self.total(), 111.0)
        self.assertEqual(self.events[-1], MeterSwitched("SPARE", "MAIN", ""))

    def test_a_meter_that_comes_and_goes_is_not_given_back_to(self) -> None:
        self.meters[0].script("error")
        self.total()
        for number in range(20):
            self.meters[0].script("error" if number % 2 else [111.0])
            self.assertEqual(self.poll(12), {200.0})

    def test_a_probe_that_hangs_is_not_piled_up(self) -> None:
        self.meters[0].script("error")
        self.total()
        waiting: list[Deferred[Sample]] = self.meters[0].hold_back()
        self.poll(120)
        self.assertEqual(len(waiting), 1)
        waiting[0].errback(MeterError("timeout", "too late"))
        self.poll(10)
        self.assertEqual(len(waiting), 2)

    def test_changes_are_logged_once(self) -> None:
        self.meters[0].script("error")
        with capturedLogs() as logs:
            self.poll(60)
        self.assertEqual(len(logs), 1)


class Plausibility(Group):
    plausible_w = 250.0

    def test_meters_that_agree_are_not_told(self) -> None:
        self.poll(600)
        self.assertEqual(self.events, [])
        self.assertGreater(self.meters[1].reads, 10)

    def test_a_lasting_difference_is_told_once(self) -> None:
        self.meters[2].script([500.0])
        self.poll(int(2 * COMPARE_EVERY_S + DISAGREE_FOR_S) + 20)
        self.assertEqual(self.events, [MetersDisagree("MAIN", "LAST", 400.0)])
        self.poll(300)
        self.assertEqual(len(self.events), 1)

    def test_a_short_difference_is_not_told(self) -> None:
        self.poll(int(COMPARE_EVERY_S) - 1)
        self.meters[2].script([900.0])
        self.poll(20)
        self.meters[2].script([120.0])
        self.poll(300)
        self.assertEqual(self.events, [])


class Grouping(SynchronousTestCase):
    def routes(self, *priorities: int | None) -> Routes:
        self.made: list[list[str]] = []

        def group(routes: Any) -> Any:
            self.made.append([route.section for route in routes])
            return routes[0]

        found = Routes(group)
        clock = Clock()
        meters = [ScriptedMeter(clock, f"M{i}") for i in range(len(priorities))]
        found.replace(
            [
                Route(m, m, EVERYBODY, False, priority)
                for m, priority in zip(meters, priorities, strict=True)
            ]
        )
        return found

    def test_without_a_priority_the_first_serves_alone(self) -> None:
        route = self.routes(None, None).find("10.0.0.1")
        assert route is not None
        self.assertEqual((route.section, self.made), ("M0", []))

    def test_sections_with_a_priority_stand_in_by_their_number(self) -> None:
        routes = self.routes(3, None, 1)
        routes.find("10.0.0.1")
        routes.find("10.0.0.2")
        self.assertEqual(self.made, [["M2", "M0"]])

    def test_one_alone_with_a_priority_is_no_group(self) -> None:
        self.routes(1, None).find("10.0.0.1")
        self.assertEqual(self.made, [])
