"""The console of ``astra-sim run`` and ``astra-sim attach`` as their user meets them."""

from __future__ import annotations

import json
import re
import socket
import sys
from urllib.request import urlopen

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.process import free_port
from tests.terminal import LEAVE_ALTERNATE_SCREEN, SHOW_CURSOR, InTerminal

COMMAND = [sys.executable, "-m", "simulator"]


class ConsoleCase(TestCase):
    timeout = 240

    def setUp(self) -> None:
        self.http_port = free_port(socket.SOCK_STREAM)

    def simulator(self, *arguments: str, **environ: str) -> InTerminal:
        ports = ["--http-port", str(self.http_port), "--ct-port", str(free_port())]
        size = (80, 24)
        return self.watch(InTerminal([*COMMAND, "run", *ports, *arguments], *size, **environ))

    def attached(self, columns: int = 80, rows: int = 24) -> InTerminal:
        command = [*COMMAND, "attach", "--http-port", str(self.http_port)]
        return self.watch(InTerminal(command, columns, rows))

    def watch(self, shown: InTerminal) -> InTerminal:
        async def end() -> None:
            shown.signal("KILL")
            await shown.ended()
            shown.close()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return shown

    async def until(self, key: str, wanted: object) -> None:
        """Until the status says so."""
        for _ in range(100):
            found = await deferToThread(self.status)
            if found[key] == wanted:
                return
            waited: Deferred[None] = Deferred()
            reactor.callLater(0.1, waited.callback, None)
            await waited
        self.fail(f"{key} is {found[key]!r}, not {wanted!r}")

    def status(self) -> dict[str, object]:
        with urlopen(f"http://127.0.0.1:{self.http_port}/status", timeout=5) as answer:
            document = json.load(answer)
        return {"sun": document["solar"]["current"], "auto": document["auto_mode"], **document}

    def assert_restored(self, shown: InTerminal) -> None:
        self.assertEqual(shown.settings(), shown.before)
        self.assertIn(SHOW_CURSOR, shown.output[shown.output.rindex(LEAVE_ALTERNATE_SCREEN) :])
        self.assertNotIn("Traceback", shown.output)


class Terminals(ConsoleCase):
    async def test_keys_operate_it_and_q_ends_it(self) -> None:
        shown = self.simulator("--batteries", "2", "--phases", "3")
        await shown.line("02B250000002")
        shown.press("4")
        await shown.line("Microwave on: 800 W on A")
        shown.press("\x1b[A\x1b[A\x1b[A")
        await self.until("sun", 300.0)
        shown.press("a")
        await self.until("auto", True)
        shown.press("q")
        self.assertEqual(await shown.ended(), 0, shown.output)
        self.assert_restored(shown)

    async def test_no_key_pressed_fast_in_an_attached_console_is_lost(self) -> None:
        shown = self.simulator()
        await shown.line("02B250000001")
        attached = self.attached()
        await attached.line("02B250000001")
        attached.press("\x1b[A" * 17 + "\x1b[B" * 2)
        await self.until("sun", 1500.0)
        attached.press("q")
        self.assertEqual(await attached.ended(), 0, attached.output)
        self.assert_restored(attached)
        self.assertIsNone(shown.status)

    async def test_a_simulator_that_goes_is_noticed_and_one_that_comes_back_too(self) -> None:
        shown = self.simulator()
        await shown.line("02B250000001")
        attached = self.attached(200, 60)
        await attached.line("02B250000001")
        shown.press("q")
        await shown.ended()
        await attached.line("NO CONNECTION")
        again = self.simulator("--batteries", "3")
        await again.line("02B250000003")
        await attached.line("connected again")
        await attached.line("02B250000003")

    async def test_it_follows_the_terminal(self) -> None:
        shown = self.simulator(NO_COLOR="1", LC_ALL="C")
        await shown.line("02B250000001")
        self.assertTrue(shown.output.isascii())
        self.assertIsNone(re.search(r"\x1b\[[0-9;]*[34][0-8]", shown.output))
        shown.resize(200, 60)
        await shown.line("limits")
        since = len(shown.output)
        shown.resize(40, 10)
        await shown.line("a larger terminal", since)
        shown.press("\x03")
        self.assertEqual(await shown.ended(), 0, shown.output)
        self.assert_restored(shown)


class Missing(ConsoleCase):
    async def test_without_urwid_it_says_so_and_runs_headless(self) -> None:
        code = "import sys; sys.modules['urwid'] = None; from simulator.cli import main; main()"
        ports = ["--http-port", str(self.http_port), "--ct-port", str(free_port())]
        command = [sys.executable, "-c", code, "run", *ports]
        shown = self.watch(InTerminal(command, 80, 24))
        await shown.line("pip install")
        await shown.line("Falling back to headless mode")
        shown.signal("INT")
        self.assertEqual(await shown.ended(), 0, shown.output)
