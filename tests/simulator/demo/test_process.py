"""``python -m simulator.demo`` as its visitor meets it: in a pipe, and in a terminal."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.process import Watched
from tests.terminal import LEAVE_ALTERNATE_SCREEN, SHOW_CURSOR, InTerminal

COMMAND = [sys.executable, "-m", "simulator.demo"]


class DemoCase(TestCase):
    timeout = 240

    def watch(self, demo: Watched) -> Watched:
        async def end() -> None:
            demo.signal("KILL")
            await demo.ended()
            if isinstance(demo, InTerminal):
                demo.close()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return demo

    def plain(self, *arguments: str) -> Watched:
        return self.watch(Watched([*COMMAND, *arguments]))

    def terminal(
        self, columns: int = 80, rows: int = 24, *arguments: str, **environ: str
    ) -> InTerminal:
        demo = InTerminal([*COMMAND, *arguments], columns, rows, **environ)
        self.watch(demo)
        return demo


class Lines(DemoCase):
    async def test_without_a_terminal_it_tells_how_the_grid_gets_to_zero(self) -> None:
        demo = self.plain("--seconds", "8", "--speed", "1", "--start", "03:00")
        self.assertEqual(await demo.ended(), 0, demo.output)
        lines = demo.output.splitlines()
        grid_w = [int(found[1]) for line in lines if (found := re.search(r"grid +(-?\d+) W", line))]
        self.assertTrue(8 <= len(grid_w) <= 10, demo.output)
        self.assertGreater(grid_w[0], 300)
        self.assertLess(abs(grid_w[-1]), 150, demo.output)
        self.assertTrue(lines[-1].startswith("At 03:00 in the house: bought "), demo.output)
        self.assertEqual(len(lines), len(grid_w) + 1, demo.output)

    async def test_signals_end_it_with_a_summary(self) -> None:
        for name in ("INT", "TERM"):
            demo = self.plain("--plain")
            await demo.line("grid .*\\n.*grid ")
            demo.signal(name)
            self.assertEqual(await demo.ended(), 0, demo.output)
            self.assertIn("in the house: bought", demo.output)
            self.assertNotIn("Traceback", demo.output)

    async def test_two_demos_live_side_by_side(self) -> None:
        demos = [self.plain("--seconds", "3") for _ in range(2)]
        for demo in demos:
            self.assertEqual(await demo.ended(), 0, demo.output)
            self.assertNotIn("cannot be opened", demo.output)

    async def test_a_reader_that_goes_away_ends_it_quietly(self) -> None:
        demo = self.plain()
        await demo.line("grid ")
        demo.process.closeChildFD(1)
        self.assertEqual(await demo.ended(), 1)
        self.assertNotIn("Traceback", demo.output)
        self.assertNotIn("Exception", demo.output)

    async def test_wrong_options_are_explained(self) -> None:
        for arguments, text in (
            (["--speed", "0"], "a number from 0.01 to 3600 is wanted"),
            (["--batteries", "25"], "a number from 1 to 24 is wanted"),
            (["--seconds", "soon"], "'soon': a number"),
            (["--start", "25:00"], "a time of day such as 18:30 is wanted"),
        ):
            demo = self.plain(*arguments)
            self.assertEqual(await demo.ended(), 2)
            self.assertIn(text, demo.output)


class Terminal(DemoCase):
    def assert_restored(self, demo: InTerminal) -> None:
        self.assertEqual(demo.settings(), demo.before)
        end = demo.output[demo.output.rindex(LEAVE_ALTERNATE_SCREEN) :]
        self.assertIn(SHOW_CURSOR, end)
        self.assertIn("in the house: bought", end)
        self.assertNotIn("Traceback", demo.output)

    async def test_q_ends_it_and_restores_the_terminal(self) -> None:
        demo = self.terminal()
        await demo.line("AstraMeter(.|\\n)*Grid(.|\\n)*Batteries(.|\\n)*Money(.|\\n)*quit")
        self.assertNotEqual(demo.settings(), demo.before)
        demo.press("q")
        self.assertEqual(await demo.ended(), 0, demo.output)
        self.assert_restored(demo)

    async def test_control_c_ends_it_and_restores_the_terminal(self) -> None:
        demo = self.terminal()
        await demo.line("polls/s")
        demo.press("\x03")
        self.assertEqual(await demo.ended(), 0, demo.output)
        self.assert_restored(demo)

    async def test_signals_end_it_and_restore_the_terminal(self) -> None:
        for name in ("INT", "TERM"):
            demo = self.terminal()
            await demo.line("polls/s")
            demo.signal(name)
            self.assertEqual(await demo.ended(), 0, demo.output)
            self.assert_restored(demo)

    async def test_keys_act_on_the_house(self) -> None:
        demo = self.terminal(120, 40)
        await demo.line("polls/s")
        demo.press("k")
        await demo.line("Kettle on: 2000 W on A")
        demo.press("s+ ")
        await demo.line("you sent a cloud")
        await demo.line("the day stands still")
        demo.press("x")
        demo.press("q")
        self.assertEqual(await demo.ended(), 0, demo.output)

    async def test_it_follows_the_size_of_the_terminal(self) -> None:
        demo = self.terminal(80, 24)
        await demo.line("╭[^╮]*Grid")
        self.assertNotIn("hurried", demo.output)
        demo.resize(200, 60)
        await demo.line("the day is hurried")
        demo.resize(10, 3)
        since = len(demo.output)
        await demo.line("grid -", since)
        demo.resize(80, 24)
        await demo.line("Batteries", since)
        demo.press("q")
        self.assertEqual(await demo.ended(), 0, demo.output)
        self.assert_restored(demo)

    async def test_colours_only_where_they_are_wanted(self) -> None:
        coloured = re.compile(r"\x1b\[[0-9;]*(3|4|9)[0-7]")
        for environ, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
            demo = self.terminal(80, 24, "--seconds", "1", **environ)
            self.assertEqual(await demo.ended(), 0, demo.output)
            self.assertIn("Batteries", demo.output)
            self.assertEqual(bool(coloured.search(demo.output)), wanted)

    async def test_ascii_where_the_locale_has_nothing_else(self) -> None:
        demo = self.terminal(80, 24, "--seconds", "1", LC_ALL="C")
        self.assertEqual(await demo.ended(), 0, demo.output)
        self.assertIn("+- Grid ---", re.sub(r"\x1b\[[0-9;]*m", "", demo.output))
        self.assertTrue(demo.output.isascii())

    async def test_a_terminal_that_can_do_nothing_has_lines(self) -> None:
        demo = self.terminal(80, 24, "--seconds", "1", TERM="dumb")
        self.assertEqual(await demo.ended(), 0, demo.output)
        self.assertNotIn("\x1b", demo.output)
        self.assertIn("| house", demo.output)

    async def test_it_leaves_most_of_the_processor_alone(self) -> None:
        demo = self.terminal(200, 60)
        await demo.line("polls/s")
        began_s, began_at = self.processor_s(demo), time.monotonic()
        await demo.line("Fridge|Kettle|Freezer|look for")
        done: Deferred[None] = Deferred()
        reactor.callLater(4, done.callback, None)
        await done
        used = (self.processor_s(demo) - began_s) / (time.monotonic() - began_at)
        self.assertLess(used, 0.2)

    def processor_s(self, demo: InTerminal) -> float:
        stat = Path(f"/proc/{demo.process.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
