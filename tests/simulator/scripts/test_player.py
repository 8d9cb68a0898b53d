"""Playing scripts, and judging what comes of them."""

from __future__ import annotations

from typing import Any

from simulator.control import SetDc, SetSolar
from simulator.scripts.measure import Watch
from simulator.scripts.model import Expectation, Script, Step, SwitchLoad
from simulator.scripts.player import Player
from simulator.sitestatus import GridStatus, SolarStatus, Status
from tests.simulator.running.rig import MAC, SimulationCase, battery


def status(grid_w: float) -> Status:
    grid = GridStatus(grid_w, 0.0, 0.0, grid_w)
    return Status(grid, (), SolarStatus(0, 0, ()), False, ())


def outcome(expectation: Expectation, values: list[float]) -> str:
    """What is said of a grid that has these values, a second apart."""
    watch = Watch(expectation)
    for second, value in enumerate(values):
        watch.look(float(second), status(value))
    return str(watch.outcome)


def grid(**more: Any) -> Expectation:
    return Expectation(**{"at_s": 2, "kind": "grid", "of": "total", "low": -50, "high": 50, **more})


class Late:
    """A clock whose timers fire late, as real ones do: every other one."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._late_s = 0.0105

    def callLater(self, delay: float, function: Any, *args: Any) -> Any:
        self._late_s = 0.0105 - self._late_s
        return self._clock.callLater(delay + self._late_s, function, *args)


class Watching(SimulationCase):
    def test_one_look(self) -> None:
        self.assertEqual(
            outcome(grid(), [999, 999, 10]),
            "ok   at 2 s: wanted grid -50 W to 50 W; got 10 W at 2 s",
        )
        self.assertIn("FAIL at 2 s: wanted grid", outcome(grid(), [0, 0, 60]))

    def test_nothing_is_decided_before_its_time(self) -> None:
        self.assertEqual(outcome(grid(), [0, 0]), "None")

    def test_it_has_to_hold(self) -> None:
        held = outcome(grid(for_s=3), [0, 0, 10, -40, 20, 0])
        self.assertIn("ok", held)
        self.assertIn("got -40 W at 5 s", held)
        self.assertIn("FAIL", outcome(grid(for_s=3), [0, 0, 10, 60, 0, 0, 0]))
        self.assertEqual(outcome(grid(for_s=3), [0, 0, 0, 0]), "None")

    def test_it_may_begin_later(self) -> None:
        late = grid(for_s=2, before_s=3)
        self.assertIn("ok", outcome(late, [0, 0, 99, 99, 0, 0, 0]))
        self.assertIn("ok", outcome(late, [0, 0, 0, 99, 99, 0, 0, 0]))
        self.assertIn("FAIL", outcome(late, [0, 0, 0, 99, 0, 99]))
        failed = outcome(late, [0, 0, 99, 99, 99, 99])
        self.assertEqual(
            failed,
            "FAIL at 2 s: wanted grid -50 W to 50 W, for 2 s, within 3 s; got 99 W at 5 s",
        )

    def test_the_mean_of_some_seconds(self) -> None:
        calm = grid(average_s=2)
        self.assertIn("ok", outcome(calm, [0, 120, 0]))
        self.assertIn("FAIL", outcome(calm, [0, 120, 120]))

    def test_limits_on_one_side(self) -> None:
        low = grid(low=100, high=float("inf"), for_s=1)
        self.assertIn(
            "wanted grid at least 100 W, for 1 s; got 150 W", outcome(low, [0, 0, 150, 200])
        )
        high = grid(low=-float("inf"), high=0, for_s=1)
        self.assertIn("wanted grid at most 0 W, for 1 s; got -5 W", outcome(high, [0, 0, -9, -5]))


class Playing(SimulationCase):
    def play(self, *steps: Step, expect: tuple[Expectation, ...] = (), **more: Any) -> bool:
        self.said: list[str] = []
        self.simulation = self.simulate(battery(max_discharge_w=0.0), **more)
        script = Script("s.json", "a title", None, steps, expect)
        player = Player(script, self.simulation, self.site, self.said.append)
        player.startService()
        self.addCleanup(player.stopService)
        return self.world.wait(player.done, 1000.0)

    def test_steps_at_their_times(self) -> None:
        began_s = self.world.seconds()
        met = self.play(
            Step(0, (SetSolar(500),)),
            Step(3.5, (SwitchLoad("Kettle", True), SwitchLoad("2", True))),
            Step(7, (SwitchLoad("1", False), SwitchLoad("Kettle", False))),
        )
        self.assertTrue(met)
        self.assertAlmostEqual(self.world.seconds() - began_s, 7.0, 2)
        self.assertEqual([one.active for one in self.simulation.household.loads], [False, True])
        self.assertEqual(
            self.said,
            [
                "     at 0 s: solar 500 W",
                "     at 4 s: Kettle on",
                "     at 4 s: Fridge on",
                "     at 7 s: Kettle off",
                "a title: 0 of 0 expectations were met",
            ],
        )

    def test_expectations_decide(self) -> None:
        kettle = Step(5, (SwitchLoad("Kettle", True),))
        wanted = Expectation(6, "grid", "A", 900, 1100, for_s=5)
        self.assertTrue(self.play(kettle, expect=(wanted,)))
        self.assertIn("ok   at 6 s: wanted grid A 900 W to 1100 W", self.said[1])
        wrong = Expectation(2, "grid", "A", 900, 1100, for_s=5)
        self.setUp()
        self.assertFalse(self.play(kettle, expect=(wrong, wanted)))
        self.assertIn("a title: 1 of 2 expectations were met", self.said)

    def test_batteries(self) -> None:
        self.assertTrue(
            self.play(
                expect=(
                    Expectation(3, "soc", MAC, 0.49, 0.51),
                    Expectation(3, "power", MAC, -1, 1, for_s=3),
                )
            )
        )
        self.assertIn("soc 02B250000001 49.0% to 51.0%; got 50.0% at 3 s", self.said[0])

    def test_what_cannot_be_done_fails(self) -> None:
        self.assertFalse(self.play(Step(1, (SetDc(MAC, 5),))))
        self.assertIn("was refused: battery has no DC input capability", self.said[0])

    def test_the_time_is_that_of_the_site(self) -> None:
        began_s = self.world.seconds()
        self.play(expect=(Expectation(10, "grid", "A", -9e9, 9e9, for_s=30),), time_scale=10.0)
        self.assertAlmostEqual(self.world.seconds() - began_s, 4.0, 1)

    def test_timers_that_fire_a_little_late(self) -> None:
        simulation = self.simulate()
        expected = Expectation(1, "grid", "A", -9e9, 9e9, for_s=1)
        player = Player(
            Script("s", "", None, (), (expected,)), simulation, Late(self.site), lambda _line: None
        )
        player.startService()
        self.addCleanup(player.stopService)
        self.assertTrue(self.world.wait(player.done))

    def test_what_is_broken_off_is_not_met(self) -> None:
        simulation = self.simulate()
        script = Script("s", "", None, (), (Expectation(100, "grid", "A"),))
        player = Player(script, simulation, self.site, lambda _line: None)
        player.startService()
        self.world.advance(10)
        player.stopService()
        self.assertFalse(self.successResultOf(player.done))
