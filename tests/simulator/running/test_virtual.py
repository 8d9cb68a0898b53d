"""The appliance and a simulation in one virtual world, and the shipped scripts in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import simulator
from astrameter.config import load_text
from simulator.commands.config import text
from simulator.configuration.file import load_file
from simulator.configuration.model import Simulation
from simulator.configuration.quick import quick
from simulator.running.virtual import VirtualRun, clock
from simulator.scripts.file import load_script
from simulator.scripts.player import Player

EXAMPLES = Path(simulator.__file__).parent.parent / "etc" / "astra-sim"


class VirtualCase(SynchronousTestCase):
    def run_in_world(self, setup: Simulation) -> VirtualRun:
        settings = load_text(text(setup.ct_port, setup.http_port, 3), "config.ini")
        self.lines: list[str] = []
        virtual = VirtualRun(setup, settings, self.lines.append)
        virtual.start()
        self.addCleanup(virtual.stop)
        return virtual


class Runs(VirtualCase):
    def test_the_grid_comes_to_zero(self) -> None:
        virtual = self.run_in_world(replace(quick(2, 3), seed=3))
        virtual.pass_time(120.0)
        virtual.tally.looks = 0
        status = virtual.simulation.status()
        self.assertLess(abs(status.grid.total_w), 100)
        self.assertGreater(sum(one.power_w for one in status.batteries), 200)
        self.assertEqual((virtual.gave_up, virtual.world.errors), ([], 0))
        self.assertAlmostEqual(status.elapsed_s, 120.0)

    def test_status_lines_begin_with_the_time_of_the_site(self) -> None:
        self.run_in_world(replace(quick(1), seed=3)).pass_time(11.0)
        self.assertEqual([line[:15] for line in self.lines], ["00:00:05 grid=[", "00:00:10 grid=["])

    def test_the_same_seed_is_the_same_run(self) -> None:
        found = []
        for _ in range(2):
            self.run_in_world(replace(quick(2, 3), seed=5)).pass_time(40.0)
            found.append(self.lines)
        self.assertEqual(found[0], found[1])

    def test_classic_laws_settle_as_the_predecessor_did(self) -> None:
        # simulator.md section 11: two processes together, at twice the speed.
        setup = quick(2, 3)
        classic = tuple(
            replace(one, config=replace(one.config, law="classic")) for one in setup.batteries
        )
        virtual = self.run_in_world(replace(setup, batteries=classic, seed=2, time_scale=2.0))
        virtual.pass_time(60.0)
        self.assertLess(abs(virtual.simulation.status().grid.total_w), 100)

    def test_the_time_of_day(self) -> None:
        self.assertEqual(clock(3661), "01:01:01")
        self.assertEqual(clock(90000), "1d 01:00:00")


class Examples(VirtualCase):
    def play(self, name: str) -> None:
        script, loaded = load_script(str(EXAMPLES / name))
        self.assertEqual(loaded.warnings, ())
        virtual = self.run_in_world(loaded.simulation)
        said: list[str] = []
        player = Player(script, virtual.simulation, virtual.host, said.append)
        player.startService()
        self.assertTrue(virtual.pass_until(player.done, script.ends_s + 60), "\n".join(said))
        self.assertGreater(sum(line.startswith("ok") for line in said), 6)
        player.stopService()

    def test_the_household(self) -> None:
        self.play("household.yaml")

    def test_trouble(self) -> None:
        self.play("trouble.json")

    def test_the_household_is_the_guides(self) -> None:
        guide = Path(__file__).parent.parent / "configuration" / "guide" / "household.json"
        shipped = load_file(str(EXAMPLES / "household.json")).simulation
        wanted = load_file(str(guide)).simulation
        self.assertEqual(shipped, replace(wanted, http_host="127.0.0.1"))
