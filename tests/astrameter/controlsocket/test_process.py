"""The real daemon and its control socket: found, asked, killed, restarted."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from astrameter.controlsocket.client import ControlClient
from tests.astrameter.test_process import ProcessCase
from tests.process import Watched, astrameter

BATTERY = "aabbccddee01"
NOBODY = (
    "No battery has asked an emulated CT (ct002, ct003) lately. Those that ask a Shelly are shown "
    "the meter as it is."
)


class ControlCase(ProcessCase):
    def setUp(self) -> None:
        super().setUp()
        self.short = Path(tempfile.mkdtemp(prefix="astrameter-"))
        self.addCleanup(shutil.rmtree, self.short)
        self.path = self.short / "c.sock"
        self.write_config(active=True, general=f"CONTROL_SOCKET = {self.path}\n")

    async def running(self) -> Watched:
        daemon = self.start()
        await daemon.line("works")
        await self.battery.ask(self.ct_port)
        return daemon

    async def client(self) -> ControlClient:
        client = ControlClient(reactor, self.path)
        self.addCleanup(client.close)
        await client.connect()
        return client

    async def command(self, *arguments: str, **environ: str) -> tuple[int, str]:
        given = {"LOG_LEVEL": "error", **environ}
        command = self.watch(astrameter(*arguments, environ=given))
        return await command.ended(), command.output

    async def explain(self, *arguments: str) -> tuple[int, str]:
        return await self.command("explain", "-c", str(self.config), *arguments)


class Sockets(ControlCase):
    async def test_a_setting_made_there_survives_a_restart(self) -> None:
        daemon = await self.running()
        client = await self.client()
        await client.request("set", battery=BATTERY, manual_target=120, auto_target=False)
        fields = await self.battery.ask(self.ct_port)
        self.assertEqual(fields[4], "120")
        await self.stop(daemon)
        self.assertFalse(self.path.exists())
        await self.running()
        status = await (await self.client()).request("status")
        (battery,) = status["devices"][0]["batteries"]
        self.assertEqual((battery["mode"], battery["target_w"]), ("manual", 120.0))

    async def test_after_a_kill_the_next_one_takes_its_place(self) -> None:
        daemon = await self.running()
        daemon.signal("KILL")
        await daemon.ended()
        self.assertTrue(self.path.exists())
        status, output = await self.explain()
        self.assertEqual(
            (status, output), (1, f"no daemon listens at {self.path}: is it running?\n")
        )
        again = await self.running()
        await self.client()
        self.assertNotIn("WARNING", again.output)

    async def test_a_reload_can_move_it_and_switch_it_off(self) -> None:
        daemon = await self.running()
        other = self.short / "other.sock"
        for value, there in ((str(other), True), ("off", False)):
            self.write_config(active=True, general=f"CONTROL_SOCKET = {value}\n")
            since = len(daemon.output)
            daemon.signal("HUP")
            await daemon.line("was re-read", since)
            self.assertFalse(self.path.exists())
            self.assertEqual(other.exists(), there)
        status, output = await self.explain()
        self.assertEqual(status, 1)
        self.assertIn("control socket is off", output)

    async def test_systemd_and_the_state_directory_say_where_it_is(self) -> None:
        self.write_config(active=True)
        for variable in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
            place = self.short / variable
            daemon = self.start(environ={variable: str(place)})
            await daemon.line(f"find the daemon at {place}/control.sock")
            arguments = ("explain", "-c", str(self.config))
            status, output = await self.command(*arguments, **{variable: str(place)})
            self.assertEqual((status, output), (0, f"{NOBODY}\n"))
            await self.stop(daemon)


class Explaining(ControlCase):
    async def test_one_battery_is_explained_in_words_and_figures(self) -> None:
        await self.running()
        await self.battery.ask(self.ct_port, "A", 100)
        status, output = await self.explain("AA:BB:CC:DD:EE:01")
        self.assertEqual(status, 0)
        self.assertTrue(output.startswith(f"{BATTERY}  VNSE3-0, phase A, asks ct002"), output)
        self.assertIn("It discharges 100 W.", output)
        self.assertIn("The meter [JSON_HTTP] said 463 W from the grid", output)
        self.assertIn("The last answers, in W", output)
        self.assertEqual(len(output.partition("ago s")[2].splitlines()), 3)

    async def test_all_are_explained_without_figures(self) -> None:
        await self.running()
        status, output = await self.explain()
        self.assertEqual(status, 0)
        self.assertIn("It rests (0 W).", output)
        self.assertNotIn("The last answers", output)

    async def test_as_json_it_is_one_object_a_battery(self) -> None:
        await self.running()
        status, output = await self.explain("--json")
        self.assertEqual(status, 0)
        (battery,) = map(json.loads, output.splitlines())
        self.assertEqual(battery["id"], BATTERY)
        self.assertEqual(battery["decisions"][-1]["grid_w"], 463.0)

    async def test_a_watch_goes_on_until_it_is_interrupted(self) -> None:
        await self.running()
        command = self.watch(astrameter("explain", BATTERY, "--watch", "-c", str(self.config)))
        await command.line("The last answers")
        await self._ask_until(command, rf"{BATTERY}  grid \+463 .* at \+70  sent")
        command.signal("INT")
        self.assertEqual(await command.ended(), 0)
        self.assertNotIn("Traceback", command.output)

    async def test_a_watch_ends_when_the_daemon_does(self) -> None:
        daemon = await self.running()
        command = self.watch(astrameter("explain", "--watch", "--json", "-c", str(self.config)))
        await self._ask_until(command, '"before"')
        await self.stop(daemon)
        self.assertEqual(await command.ended(), 1)
        self.assertIn("the daemon has closed the connection", command.output)

    async def test_a_watch_ends_quietly_when_nobody_reads_it_any_more(self) -> None:
        await self.running()
        words = f"{sys.executable} -m astrameter explain --watch --json -c {self.config}"
        command = self.watch(Watched(["/bin/sh", "-c", f"{words} | head -n 1"]))
        ended = command.ended()
        while not ended.called:
            await self.battery.ask(self.ct_port)
        self.assertEqual(await ended, 0)
        self.assertEqual(len(command.output.splitlines()), 1, command.output)

    async def test_an_unknown_battery_is_told(self) -> None:
        await self.running()
        status, output = await self.explain("aabbccddee99")
        self.assertEqual(status, 1)
        self.assertIn(f"known: {BATTERY}", output)

    async def test_a_broken_file_does_not_hide_the_daemon(self) -> None:
        self.config.write_text("[CT002]\nUDP_PORT = 99999\n")
        arguments = ("explain", "-c", str(self.config))
        status, output = await self.command(*arguments, RUNTIME_DIRECTORY=str(self.short))
        self.assertEqual(status, 1)
        self.assertIn(f"no daemon listens at {self.short}/control.sock or /run/", output)

    async def _ask_until(self, command: Watched, pattern: str) -> Any:
        """Polls once a line is awaited, again and again: the watch may not have begun yet."""
        line = command.line(pattern)
        while not line.called:
            await self.battery.ask(self.ct_port, "A", 70)
        return await line
