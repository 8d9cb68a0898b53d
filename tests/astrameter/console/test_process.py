"""``astrameter console`` as its user meets it, before the real daemon."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from astrameter.commands.console import NO_TERMINAL, NO_URWID
from tests.astrameter.controlsocket.test_process import BATTERY, ControlCase
from tests.process import Watched
from tests.terminal import LEAVE_ALTERNATE_SCREEN, SHOW_CURSOR, InTerminal

IGNORING_HANGUPS = (
    "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    "from astrameter.cli import main; sys.exit(main())"
)

WITHOUT_URWID = (
    "import sys; sys.modules['urwid'] = None; from astrameter.cli import main; sys.exit(main())"
)


class ConsoleCase(ControlCase):
    def console(
        self, columns: int = 80, rows: int = 24, *arguments: str, **environ: str
    ) -> InTerminal:
        return self.terminal(["-m", "astrameter"], columns, rows, *arguments, **environ)

    def terminal(
        self, python: list[str], columns: int, rows: int, *arguments: str, **environ: str
    ) -> InTerminal:
        command = [sys.executable, *python, "console", "-c", str(self.config), *arguments]
        shown = InTerminal(command, columns, rows, **environ)

        async def end() -> None:
            shown.signal("KILL")
            await shown.ended()
            shown.close()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return shown

    def assert_restored(self, shown: InTerminal) -> None:
        self.assertEqual(shown.settings(), shown.before)
        self.assertIn(SHOW_CURSOR, shown.output[shown.output.rindex(LEAVE_ALTERNATE_SCREEN) :])
        self.assertNotIn("Traceback", shown.output)


class Terminals(ConsoleCase):
    async def test_it_steers_the_daemon_and_gives_the_terminal_back(self) -> None:
        await self.running()
        shown = self.console()
        await shown.line(BATTERY)
        shown.press("m120\r")
        await shown.line("from now on\\?")
        shown.press("y")
        await shown.line("is set to 120 W by hand")
        fields = await self.battery.ask(self.ct_port)
        self.assertEqual(fields[4], "120")
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)
        self.assert_restored(shown)

    async def test_control_c_and_signals_end_it(self) -> None:
        await self.running()
        for name in ("INT", "TERM", "key"):
            shown = self.console()
            await shown.line(BATTERY)
            if name == "key":
                shown.press("\x03")
            else:
                shown.signal(name)
            self.assertEqual(await shown.ended(), 0, shown.output)
            self.assert_restored(shown)

    async def test_a_daemon_that_goes_and_comes_back(self) -> None:
        daemon = await self.running()
        shown = self.console()
        await shown.line(BATTERY)
        daemon.signal("KILL")
        await daemon.ended()
        await shown.line("NO CONNECTION")
        await self.running()
        await shown.line("connected again")
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)

    async def test_it_follows_the_size_of_the_terminal(self) -> None:
        await self.running()
        shown = self.console()
        await shown.line(BATTERY)
        self.assertNotIn("address", shown.output)
        shown.resize(200, 60)
        await shown.line("address")
        since = len(shown.output)
        shown.resize(40, 10)
        await shown.line("a larger terminal", since)
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)
        self.assert_restored(shown)

    async def test_a_terminal_that_goes_ends_it(self) -> None:
        await self.running()
        shown = self.terminal(["-c", IGNORING_HANGUPS], 80, 24)
        await shown.line(BATTERY)
        shown.hang_up()
        self.assertEqual(await shown.ended(), 0)

    async def test_a_terminal_that_does_not_tell_its_size_has_the_usual_one(self) -> None:
        await self.running()
        shown = self.console(0, 0)
        await shown.line(BATTERY)
        await shown.line("help")
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)
        self.assert_restored(shown)

    async def test_who_only_looks_changes_nothing(self) -> None:
        await self.running()
        shown = self.console(80, 24, "--view")
        await shown.line(BATTERY)
        shown.press("py")
        await shown.line("you may only look")
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)

    async def test_colours_and_characters_of_the_terminal(self) -> None:
        await self.running()
        coloured = re.compile(r"\x1b\[[0-9;]*[34][0-8]")
        for environ, colours, plain in (
            ({}, True, False),
            ({"NO_COLOR": "1"}, False, False),
            ({"TERM": "vt100", "LC_ALL": "C"}, False, True),
            ({"TERM": "linux"}, True, True),
        ):
            shown = self.console(80, 24, **environ)
            await shown.line(BATTERY)
            shown.press("q")
            self.assertEqual(await shown.ended(), 0, shown.output)
            self.assertEqual(bool(coloured.search(shown.output)), colours, environ)
            self.assertEqual(shown.output.isascii(), plain, environ)

    async def test_it_leaves_most_of_the_processor_alone(self) -> None:
        await self.running()
        shown = self.console(200, 60)
        await shown.line(BATTERY)
        began_s, began_at = self.processor_s(shown), time.monotonic()
        done: Deferred[None] = Deferred()
        reactor.callLater(4, done.callback, None)
        await done
        used = (self.processor_s(shown) - began_s) / (time.monotonic() - began_at)
        self.assertLess(used, 0.2)

    @staticmethod
    def processor_s(shown: Watched) -> float:
        stat = Path(f"/proc/{shown.process.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Refusals(ConsoleCase):
    async def test_without_a_daemon_there_is_one_line(self) -> None:
        shown = self.console()
        self.assertEqual(await shown.ended(), 1)
        self.assertEqual(shown.output.strip(), f"no daemon listens at {self.path}: is it running?")

    async def test_without_a_terminal_there_is_one_line(self) -> None:
        status, output = await self.command("console", "-c", str(self.config))
        self.assertEqual((status, output), (1, f"{NO_TERMINAL}\n"))

    async def test_without_urwid_there_is_one_line(self) -> None:
        arguments = [sys.executable, "-c", WITHOUT_URWID, "console", "-c", str(self.config)]
        command = self.watch(Watched(arguments))
        self.assertEqual(await command.ended(), 1, command.output)
        self.assertEqual(command.output, f"{NO_URWID}\n")

    async def test_the_daemon_needs_no_urwid(self) -> None:
        arguments = [sys.executable, "-c", WITHOUT_URWID, "-c", str(self.config)]
        command = self.watch(Watched(arguments))
        await command.line("works")
        self.assertNotIn("urwid", command.output)
