"""The daemon as its owner meets it: started, asked, reloaded, broken, stopped."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import defer, reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.process import Battery, Watched, astrameter, free_port


class Meter(Resource):
    """A meter on HTTP whose reading the test decides."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.watts: list[float] = [450.0, -20.0, 33.0]
        self.status = 200

    def render_GET(self, request: Any) -> bytes:
        request.setResponseCode(self.status)
        return json.dumps({"watts": self.watts}).encode()


class ProcessCase(TestCase):
    """Starts daemons on ports of their own and ends what a test leaves running."""

    timeout = 240

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.config = self.directory / "config.ini"
        self.meter = Meter()
        site = Site(self.meter)
        site.noisy = False
        listening = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.meter_port = listening.getHost().port
        self.ct_port = free_port()
        self.web_port = free_port(socket.SOCK_STREAM)
        self.battery = Battery()
        port = reactor.listenUDP(0, self.battery, interface="127.0.0.1")
        self.addCleanup(port.stopListening)

    def write_config(self, *, active: bool = False, more: str = "", general: str = "") -> None:
        self.config.write_text(
            f"[GENERAL]\nDEVICE_TYPE = ct002\nWEB_SERVER_PORT = {self.web_port}\n{general}"
            f"[CT002]\nUDP_PORT = {self.ct_port}\nACTIVE_CONTROL = {active}\n"
            f"[JSON_HTTP]\nURL = http://127.0.0.1:{self.meter_port}/\n"
            f"JSON_PATHS = $.watts[0], $.watts[1], $.watts[2]\n{more}"
        )

    def watch(self, process: Watched) -> Watched:
        async def end() -> None:
            process.signal("KILL")
            await process.ended()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return process

    def start(self, *arguments: str, environ: dict[str, str] | None = None) -> Watched:
        state = {"STATE_DIRECTORY": str(self.directory / "state"), **(environ or {})}
        return self.watch(astrameter("-c", str(self.config), *arguments, environ=state))

    async def stop(self, daemon: Watched) -> float:
        """Ends it as systemd would; returns how long that took, in seconds."""
        started = time.monotonic()
        daemon.signal("TERM")
        self.assertEqual(await daemon.ended(), 0)
        return time.monotonic() - started


class Running(ProcessCase):
    async def test_it_relays_a_real_http_meter_and_ends_within_two_seconds(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line(r"\[JSON_HTTP\] works: 450, -20, 33 W")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[4:8], ["450", "-20", "33", "463"])
        self.assertLess(await self.stop(daemon), 2.0)
        self.assertNotIn("Traceback", daemon.output)

    async def test_active_control_tells_a_battery_its_own_reading(self) -> None:
        self.write_config(active=True)
        daemon = self.start()
        await daemon.line("works")
        fields = await self.battery.ask(self.ct_port, "B")
        self.assertGreater(int(fields[5]), 100)  # a start is gentle: others may join
        self.assertEqual(fields[7], fields[5])
        self.assertEqual(fields[8:12], ["0", "1", "0", "0"])
        self.assertEqual(fields[14:], ["0"] * 10)

    async def test_a_failing_meter_is_held_told_once_and_recovers(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        self.meter.status = 500
        for _ in range(5):
            answer = await self.battery.ask(self.ct_port)
            self.assertEqual(answer[4:8], ["0", "0", "0", "0"])
        self.meter.status = 200
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")
        await daemon.line("works again after 5 failures")
        self.assertEqual(daemon.output.count("WARNING"), 1, daemon.output)

    async def test_twistd_runs_the_same_service(self) -> None:
        self.write_config()
        arguments = ["--nodaemon", "--pidfile=", "astrameter", "-c", str(self.config)]
        twistd = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", *arguments]
        daemon = self.watch(Watched(twistd))
        await daemon.line("works: 450")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")
        daemon.signal("TERM")
        await daemon.ended()
        self.assertNotIn("Traceback", daemon.output)

    async def test_energy_counters_survive_a_restart(self) -> None:
        state = self.directory / "state" / "state.json"
        state.parent.mkdir()
        energy = {"changed_ms": 1, "value": {"JSON_HTTP": [3.6e6, 7.2e6]}}
        content = {"astrameter_state": 1, "entries": {"energy/ct002": energy}}
        state.write_text(json.dumps(content))
        self.write_config(active=True)
        daemon = self.start()
        await daemon.line("works")
        await self.battery.ask(self.ct_port)
        await self.battery.ask(self.ct_port)
        await self.stop(daemon)
        entries = json.loads(state.read_text())["entries"]
        imported, exported = entries["energy/ct002"]["value"]["JSON_HTTP"]
        self.assertGreater(imported, 3.6e6)
        self.assertEqual(exported, 7.2e6)


class Reloading(ProcessCase):
    async def _reload(self, daemon: Watched, outcome: str) -> None:
        since = len(daemon.output)
        daemon.signal("HUP")
        await daemon.line(outcome, since)

    async def test_a_changed_section_takes_effect_and_the_fleet_stays(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        await self.battery.ask(self.ct_port, "A", 120)
        self.write_config(more="POWER_OFFSET = -50, 0, 0\n")
        await self._reload(daemon, "was re-read")
        peer = Battery("AABBCCDDEE02")
        port = reactor.listenUDP(0, peer, interface="127.0.0.1")
        answer = await peer.ask(self.ct_port, "A", 0)
        await port.stopListening()
        self.assertEqual(answer[4], "400")
        self.assertEqual(answer[8], "2", "the first battery was forgotten")

    async def test_a_bad_file_changes_nothing_and_says_everything(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        self.config.write_text("[CT002]\nUDP_PORT = 99999\nWIFI_RSSI = loud\n[JSON_HTTP]\n")
        await self._reload(daemon, "the configuration was not changed")
        for where in (":2 ", ":3 ", ":4 "):
            self.assertIn(f"config.ini{where}", daemon.output)
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")

    async def test_a_new_port_that_is_taken_changes_nothing(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 0))
            before, self.ct_port = self.ct_port, taken.getsockname()[1]
            self.write_config()
            await self._reload(daemon, "not changed: UDP port .* another program uses it")
        answer = await self.battery.ask(before)
        self.assertEqual(answer[7], "463")

    async def test_a_new_port_is_served_and_the_old_one_closed(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        before, self.ct_port = self.ct_port, free_port()
        self.write_config()
        await self._reload(daemon, "was re-read")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")
        unheard = self.battery.ask(before, within_s=1.0)
        await self.assertFailure(unheard, defer.TimeoutError)

    async def test_sigusr1_re_reads_too(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        since = len(daemon.output)
        os.kill(daemon.process.pid, 10)
        await daemon.line("was re-read", since)


class NotStarting(ProcessCase):
    async def test_a_taken_port_is_one_clear_line_and_exit_1(self) -> None:
        self.write_config()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", self.ct_port))
            daemon = self.start(environ={"LOG_LEVEL": "warning"})
            self.assertEqual(await daemon.ended(), 1)
        self.assertEqual(
            daemon.output.strip(),
            f"UDP port {self.ct_port} of ct002 cannot be opened: another program uses it; stop "
            "that one, or choose another port ([CT002] UDP_PORT)",
        )

    async def test_a_broken_file_is_told_as_a_whole_and_exit_1(self) -> None:
        self.config.write_text("[CT002]\nUDP_PORT = 99999\nWIFI_RSSI = loud\n[JSON_HTTP]\n")
        daemon = self.start()
        self.assertEqual(await daemon.ended(), 1)
        self.assertEqual(len(daemon.output.strip().splitlines()), 4, daemon.output)

    async def test_twistd_refuses_a_broken_file_with_exit_1_and_no_trace(self) -> None:
        self.config.write_text("[CT002]\nUDP_PORT = 99999\n")
        run = "from twisted.scripts.twistd import run; run()"
        arguments = ["--nodaemon", "--pidfile=", "astrameter", "-c", str(self.config)]
        daemon = self.watch(Watched([sys.executable, "-c", run, *arguments]))
        self.assertEqual(await daemon.ended(), 1)
        self.assertIn("a port is 1..65535", daemon.output)
        self.assertNotIn("Traceback", daemon.output)

    async def test_bad_usage_is_exit_2(self) -> None:
        self.write_config()
        daemon = self.start("--device-types", "shelly4000")
        self.assertEqual(await daemon.ended(), 2)


class Systemd(ProcessCase):
    async def test_it_is_told_ready_reloading_and_stopping(self) -> None:
        told: list[bytes] = []

        class Manager(DatagramProtocol):
            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                told.extend(datagram.split(b"\n"))

        path = os.path.join("/tmp", f"astrameter-notify-{os.getpid()}-{self.ct_port}")
        port = reactor.listenUNIXDatagram(path, Manager())
        self.addCleanup(port.stopListening)
        self.write_config()
        environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
        daemon = self.start(environ=environ)
        await daemon.line("works")
        self.assertIn(b"READY=1", told)
        since = len(daemon.output)
        daemon.signal("HUP")
        await daemon.line("was re-read", since)
        await self.stop(daemon)
        self.assertIn(b"RELOADING=1", told)
        self.assertEqual(told.count(b"READY=1"), 2)
        self.assertIn(b"WATCHDOG=1", told)
        self.assertIn(b"STOPPING=1", told)


class Commands(ProcessCase):
    async def command(self, *arguments: str) -> tuple[int, str]:
        command = self.watch(astrameter(*arguments, environ={"LOG_LEVEL": "error"}))
        status = await command.ended()
        return status, command.output

    async def test_read_shows_each_meter_and_fails_when_one_does(self) -> None:
        self.write_config(
            more=f"[JSON_HTTP_2]\nURL = http://127.0.0.1:{free_port(socket.SOCK_STREAM)}/\n"
            "JSON_PATHS = $.x\n"
        )
        status, output = await self.command("read", "-c", str(self.config), "--json")
        self.assertEqual(status, 1)
        good, bad = map(json.loads, output.splitlines())
        self.assertEqual(good["section"], "JSON_HTTP")
        self.assertEqual(good["watts"], [450.0, -20.0, 33.0])
        self.assertIsNone(good["error"])
        self.assertLess(good["age_s"], 2)
        self.assertEqual((bad["section"], bad["watts"]), ("JSON_HTTP_2", None))
        self.assertIn("127.0.0.1", bad["error"])

    async def test_read_watch_goes_on_until_it_is_interrupted(self) -> None:
        self.write_config()
        command = self.watch(astrameter("read", "--watch", "-c", str(self.config)))
        await command.line("(?s)463.0 W.*463.0 W")
        command.signal("INT")
        self.assertEqual(await command.ended(), 0)
        self.assertNotIn("Traceback", command.output)

    async def test_check_says_everything_and_exits_1(self) -> None:
        self.config.write_text("[CT002]\nUDP_PORT = 99999\nWIFI_RSSI = loud\n[JSON_HTTP]\n")
        status, output = await self.command("check", "-c", str(self.config))
        self.assertEqual(status, 1)
        self.assertIn("4 problems", output)

    async def test_check_of_a_good_file_exits_0(self) -> None:
        self.write_config()
        status, output = await self.command("check", "-c", str(self.config))
        self.assertEqual((status, output.count("no problems")), (0, 1))

    async def test_show_config_hides_secrets(self) -> None:
        self.write_config(more="USERNAME = u\nPASSWORD = hunter2\n")
        status, output = await self.command("show-config", "-c", str(self.config))
        self.assertEqual(status, 0)
        self.assertNotIn("hunter2", output)
        self.assertIn("PASSWORD = ***", output)
