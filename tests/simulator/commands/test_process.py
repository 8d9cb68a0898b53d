"""The commands as their users call them: simulator.md sections 2, 8 and 9."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time

from astrameter.config import load_text
from astrameter.ct.wire import decode, encode
from tests.simulator.commands.rig import PATIENCE_S, ProcessCase, free_port

MAC = "02B250000001"


class Running(ProcessCase):
    def test_headless_it_answers_and_a_signal_ends_it_with_0(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.background(
                "run", "--no-tui", "--http-port", self.port, "--ct-port", self.ct_port
            )
            status = self.wait_for_status()
            self.assertEqual(status["batteries"][0]["mac"], MAC)
            self.assertEqual(status["pid"], process.pid)
            done = self.end(process, number)
            self.assertEqual(done.code, 0, done.err)
            self.assertNotIn("Traceback", done.err)

    def test_without_a_terminal_there_is_no_console(self) -> None:
        process = self.background("--http-port", self.port, "--ct-port", self.ct_port)
        self.wait_for_status()
        self.assertEqual(self.end(process).code, 0)

    def test_status_lines(self) -> None:
        self.write("sim.json", {"log_interval": 0.2, "http": {"port": self.port}, "batteries": [
            {"mac": MAC, "phase": "B"}]})  # fmt: skip
        process = self.background("run", "-c", "sim.json", "--no-tui", "--ct-port", self.ct_port)
        self.wait_for_line(
            process,
            r"\d\d:\d\d:\d\d astra_sim\.runner INFO grid=\[[-\d, ]+\] \| 0001:B/-?\d+W/50%",
        )
        self.assertEqual(self.end(process).code, 0)

    def test_a_request_ends_it(self) -> None:
        process = self.background("run", "--no-tui", "--http-port", self.port)
        self.wait_for_status()
        self.assertEqual(self.ask("stop").out, '{"status": "shutting_down"}\n')
        process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 0)

    def test_the_clients(self) -> None:
        process = self.background(
            "run", "--no-tui", "--http-port", self.port, "--ct-port", self.ct_port
        )
        self.wait_for_status()
        self.assertTrue(self.ask("load", "toggle", 4).json["loads"][3]["active"])
        self.assertEqual(self.ask("solar", "set", 800).json["solar"]["current"], 800)
        self.assertEqual(self.ask("solar", "set", "max").json["solar"]["current"], 2000)
        self.assertEqual(self.ask("solar", "set", "off").json["solar"]["current"], 0)
        self.assertEqual(self.ask("battery", MAC, "soc", "0.0").json["batteries"][0]["soc"], 0)
        one = self.ask("battery", MAC, "max-power", 100, 200).json["batteries"][0]
        self.assertEqual((one["max_charge"], one["max_discharge"]), (100, 200))
        self.assertTrue(self.ask("auto", "on").json["auto_mode"])
        for arguments, says in (
            (("load", "toggle", 77), "refused: Load index out of range: 77"),
            (("battery", "x", "soc", 1), "refused: battery not found"),
            (("battery", MAC, "soc", "much"), "no number"),
            (("battery", MAC, "soc", "1.5"), "refused: invalid 'soc'"),
        ):
            done = self.ask(*arguments)
            self.assertEqual(done.code, 1)
            self.assertIn(says, done.err)
            self.assertEqual(len(done.err.splitlines()), 1)
        self.assertEqual(self.end(process).code, 0)

    def test_what_cannot_start_says_why_in_a_line(self) -> None:
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", self.port))
        taken.listen()
        self.write("bad.json", {"time_scale": 0, "auto_interval": 5})
        for arguments, says, lines in (
            (("--http-port", self.port), "Address already in use", 1),
            (("-c", "missing.json"), "missing.json: cannot be read", 1),
            (("-c", "bad.json"), "time_scale must be positive, got 0", 2),
            (("--soc", "1.2"), "initial_soc must be 0.0-1.0, got 1.2", 1),
            (("--ssh", "127.0.0.1:0"), "--authorized-keys", 1),
            (("--virtual",), "--virtual needs a duration", 1),
        ):
            done = self.sim("run", "--no-tui", *arguments)
            self.assertEqual(done.code, 1, done.err)
            self.assertIn(says, done.err)
            self.assertEqual(len(done.err.splitlines()), lines, done.err)

    def test_overrides_of_a_file(self) -> None:
        self.write(
            "sim.json",
            {
                "ct": {"port": 1, "host": "127.0.0.9"},
                "power_update_delay_ticks": 1,
                "time_scale": 5,
                "batteries": [{"mac": MAC, "phase": "A", "power_update_delay_ticks": 2}],
            },
        )
        process = self.background(
            "run", "--no-tui", "-c", "sim.json", "--http-port", self.port, "--ct-port",
            self.ct_port, "--ct-host", "127.0.0.1", "--power-update-delay", 4, "--speed", 2,
            "--law", "classic",
        )  # fmt: skip
        status = self.wait_for_status()
        self.assertEqual(
            status["ct"], {"host": "127.0.0.1", "port": self.ct_port, "mac": "112233445566"}
        )
        self.assertEqual(status["speed"], 2)
        one = status["batteries"][0]
        self.assertEqual((one["power_update_delay_ticks"], one["law"]), (4, "classic"))
        self.end(process)


class Usage(ProcessCase):
    def test_wrong_use(self) -> None:
        for arguments, code, says in (
            (("run", "--phases", "2"), 2, "invalid choice"),
            (("nonsense",), 2, "unrecognized arguments"),
            (("auto", "ON"), 2, "invalid choice"),
            (("load", "toggle", "x"), 2, "invalid int value"),
            (("battery", MAC, "soc"), 2, "required"),
            (("battery", MAC, "soc", 1, 2), 1, "Usage: astra-sim battery <mac> soc <value>"),
            (("battery", MAC, "max-power", 5), 1, "max-power <charge> <discharge>"),
            (("solar", "set", "abc"), 1, "watts, max or off is wanted"),
            (("run", "--base-load", "1,x"), 2, "a number from"),
            (("run", "--virtual", "soon"), 2, "seconds are wanted"),
            (("run", "--ssh", "2222"), 2, "127.0.0.1:2222"),
        ):
            done = self.sim(*arguments)
            self.assertEqual(done.code, code, (arguments, done.err))
            self.assertIn(says, done.out + done.err)
            self.assertNotIn("Traceback", done.err)

    def test_nobody_there(self) -> None:
        done = self.ask("status")
        self.assertEqual(
            (done.code, done.out), (1, "Cannot connect to daemon: Connection refused\n")
        )
        done = self.ask("attach")
        wanted = f"Cannot connect to daemon on port {self.port}\n"
        self.assertEqual((done.code, done.out), (1, wanted))
        for arguments in (("load", "toggle", 1), ("solar", "set", "off"), ("auto", "on")):
            done = self.ask(*arguments)
            self.assertEqual(done.code, 1)
            self.assertIn(f"no simulator answers on port {self.port}: Connection refused", done.err)

    def test_somebody_else_there(self) -> None:
        babble = self.background("-c", "nothing")  # any process will do; this one ends
        babble.communicate(timeout=PATIENCE_S)
        done = self.ask("stop")
        self.assertEqual((done.code, done.out), (1, "Daemon not running (no PID file)\n"))

    def test_config(self) -> None:
        self.assertEqual(
            self.sim("config").out,
            "[GENERAL]\nDEVICE_TYPE = ct002\n\n[CT002]\nUDP_PORT = 12345\nACTIVE_CONTROL = True\n\n"
            "[JSON_HTTP]\nURL = http://localhost:8080/power\n"
            "JSON_PATHS = $.phase_a,$.phase_b,$.phase_c\n",
        )
        text = self.sim("config", "--ct-port", 54321, "--http-port", 9090, "--phases", 1).out
        self.assertIn("UDP_PORT = 54321\n", text)
        self.assertIn("URL = http://localhost:9090/power\nJSON_PATHS = $.phase_a\n", text)
        self.assertEqual(load_text(text, "config.ini").warnings, ())

    def test_help_names_every_command(self) -> None:
        done = self.sim("--help")
        self.assertEqual(done.code, 0)
        for name in ("run", "start", "stop", "attach", "status", "load", "solar", "battery",
                     "auto", "config", "evaluate"):  # fmt: skip
            self.assertIn(name, done.out)


class Background(ProcessCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.sim, "stop")

    def test_start_and_stop(self) -> None:
        done = self.sim("start", "--http-port", self.port, "--ct-port", self.ct_port)
        pid = int((self.home / ".astra-sim.pid").read_text())
        self.assertEqual((done.code, done.out), (0, f"Daemon started (PID {pid})\n"))
        self.assertEqual(self.ask("status").json["pid"], pid)
        for name in (".astra-sim.pid", ".astra-sim.log"):
            mode = stat.S_IMODE((self.home / name).stat().st_mode)
            self.assertEqual(mode, 0o600, name)
        again = self.sim("start", "--http-port", self.port)
        self.assertEqual((again.code, again.out), (1, f"Daemon already running (PID {pid})\n"))
        done = self.ask("stop")
        self.assertEqual((done.code, done.out), (0, '{"status": "shutting_down"}\n'))
        self.assertFalse((self.home / ".astra-sim.pid").exists())
        self.assertIn("the HTTP API listens", (self.home / ".astra-sim.log").read_text())
        self.assertEqual(self.ask("status").code, 1)

    def test_without_the_port_the_daemon_is_found_by_its_pid(self) -> None:
        self.sim("start", "--http-port", self.port, "--ct-port", self.ct_port)
        pid = (self.home / ".astra-sim.pid").read_text()
        done = self.sim("stop")
        self.assertEqual((done.code, done.out), (0, f"Sent SIGTERM to PID {pid}\n"))
        self.assertEqual(self.ask("status").code, 1)

    def test_auto_mode_works_in_it_when_it_is_switched_on_later(self) -> None:
        self.write(
            "sim.json",
            {
                "http": {"port": self.port},
                "ct": {"port": self.ct_port},
                "auto_interval": [0.1, 0.2],
                "powermeter": {"loads": [{"name": "x", "power": 1, "phase": "A"}]},
            },
        )
        self.assertEqual(self.sim("start", "-c", "sim.json").code, 0)
        self.ask("auto", "on")
        deadline = time.monotonic() + PATIENCE_S
        while self.ask("status").json["solar"]["current"] == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def test_a_bad_configuration_is_no_success(self) -> None:
        self.write("bad.json", {"batteries": [{"mac": "x"}], "time_scale": 0})
        done = self.sim("start", "-c", "bad.json")
        self.assertEqual((done.code, done.out), (1, ""))
        self.assertIn("batteries[0].phase: this key is missing", done.err)
        self.assertIn("time_scale must be positive", done.err)
        self.assertFalse((self.home / ".astra-sim.pid").exists())

    def test_a_port_in_use_is_no_success(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            done = self.sim("start", "--http-port", self.port)
        self.assertEqual(done.code, 1)
        self.assertIn("Address already in use", done.err)
        self.assertFalse((self.home / ".astra-sim.pid").exists())

    def test_a_stale_pid_file_is_taken_over_whoever_has_the_pid_now(self) -> None:
        (self.home / ".astra-sim.pid").write_text(str(os.getpid()))
        done = self.sim("start", "--http-port", self.port, "--ct-port", self.ct_port)
        self.assertEqual(done.code, 0, done.err)
        self.assertNotEqual((self.home / ".astra-sim.pid").read_text(), str(os.getpid()))

    def test_a_stale_pid_file_gets_nobody_killed(self) -> None:
        bystander = self.background("run", "--no-tui", "--http-port", self.port)
        self.wait_for_status()
        (self.home / ".astra-sim.pid").write_text(str(bystander.pid))
        done = self.sim("stop", "--http-port", free_port())
        self.assertEqual((done.code, done.out), (1, "Daemon not running (no PID file)\n"))
        self.assertEqual(self.wait_for_status()["pid"], bystander.pid)

    def test_links_are_not_followed(self) -> None:
        victim = self.home / "victim"
        victim.write_text("precious")
        for name in (".astra-sim.pid", ".astra-sim.log"):
            link = self.home / name
            link.symlink_to(victim)
            done = self.sim("start", "--http-port", self.port)
            self.assertEqual(done.code, 1)
            self.assertIn(f"{name} cannot be opened", done.err)
            self.assertEqual(victim.read_text(), "precious")
            link.unlink()


class Interop(ProcessCase):
    def test_it_speaks_to_any_ct002_server(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ct:
            ct.bind(("127.0.0.1", self.ct_port))
            ct.settimeout(PATIENCE_S)
            self.background("run", "--no-tui", "--http-port", self.port, "--ct-port", self.ct_port)
            addresses = set()
            for number in range(4):
                datagram, address = ct.recvfrom(512)
                fields = decode(datagram)
                letter = "A" if number else "0"
                self.assertEqual(fields[:5], ["HMG-50", MAC, "HME-4", "112233445566", letter])
                addresses.add(address)
                numbers = ["300", "0", "0", "300", "1", "0", "0", "0", "-50", str(number + 1)]
                answer = ["HME-4", fields[3], fields[0], MAC, *numbers, *["0"] * 10]
                ct.sendto(encode(answer), address)
            self.assertEqual(len(addresses), 4)
            ct.recvfrom(512)  # it has taken the fourth answer
            self.assertGreater(self.ask("status").json["batteries"][0]["target"], 0)


class Virtual(ProcessCase):
    def test_some_minutes_in_no_time(self) -> None:
        done = self.sim("run", "--virtual", "3m", "--batteries", 2, "--phases", 3, "--seed", 1)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.err, "")
        lines = done.out.splitlines()
        self.assertRegex(lines[0], r"^00:00:05 grid=\[.*0001:A/")
        self.assertRegex(lines[-1], r"^00:03:00 in \d+\.\d s \(\d+ times real time\): grid \d+ W")

    def test_an_appliance_of_ones_own(self) -> None:
        self.write("config.ini", self.sim("config", "--ct-port", 5000).out)
        done = self.sim("run", "--virtual", "1m", "--appliance", "config.ini")
        self.assertIn("the appliance emulates a CT on 5000", done.err)
        done = self.sim("run", "--virtual", "1m", "--appliance", "nothing.ini")
        self.assertEqual(done.code, 1)
        self.assertIn("nothing.ini", done.err)

    def test_scripts_decide_the_exit_status(self) -> None:
        script = {
            "config": {"batteries": [{"mac": MAC, "phase": "A"}], "seed": 1},
            "timeline": [{"at": 40, "expect": {"grid": 0, "within": 80, "average": 5, "for": 5,
                                               "before": 20}}],
        }  # fmt: skip
        self.write("good.json", script)
        done = self.sim("run", "--script", "good.json", "--virtual")
        self.assertEqual(done.code, 0, done.out + done.err)
        self.assertIn("1 of 1 expectations were met", done.out)
        script["timeline"] = [{"at": 5, "expect": {"grid": 5000, "within": 1}}]
        self.write("bad.json", script)
        done = self.sim("run", "--script", "bad.json", "--virtual")
        self.assertEqual(done.code, 1)
        self.assertIn("FAIL at 5 s: wanted grid 4999 W to 5001 W; got", done.out)

    def test_a_script_in_real_time(self) -> None:
        script = {
            "config": {"http": {"port": self.port}, "ct": {"port": self.ct_port}, "batteries": []},
            "timeline": [
                {"at": 0, "set": {"base_load": {"A": 500}}},
                {"at": 1, "expect": {"grid": {"A": 500}, "within": 21, "for": 1}},
            ],
        }
        self.write("script.json", script)
        done = self.sim("run", "--script", "script.json", "--no-tui")
        self.assertEqual(done.code, 0, done.out + done.err)

    def test_problems_of_a_script(self) -> None:
        self.write("script.json", {"config": {}, "timeline": [{"at": -1}, {}]})
        done = self.sim("run", "--script", "script.json", "--virtual")
        self.assertEqual(done.code, 1)
        self.assertEqual(len(done.err.splitlines()), 4, done.err)
