"""``astrameter doctor`` as its owner meets it."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

from twisted.internet import defer, reactor
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from astrameter.commands.doctor import Progress, show
from astrameter.ct.wire import encode
from astrameter.doctor.findings import Finding, Group, Severity
from tests.astrameter.test_process import ProcessCase
from tests.process import Battery, Watched, astrameter

GOOD = Finding(Group.METERS, Severity.OK, "[A]", "works")
BAD = Finding(Group.PORTS, Severity.PROBLEM, "", "a port " + "is taken " * 30)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Showing(SynchronousTestCase):
    def test_plain_text_and_a_status_where_it_is_no_terminal(self) -> None:
        out = io.StringIO()
        self.assertEqual(show([GOOD, BAD], out, {}, as_json=False), 1)
        text = out.getvalue()
        self.assertNotIn("\x1b", text)
        self.assertGreater(max(map(len, text.splitlines())), 200)
        self.assertTrue(text.endswith("Verdict: 1 problem to mend, no warnings.\n"))

    def test_colours_and_wrapped_lines_on_a_terminal(self) -> None:
        out = Terminal()
        self.patch(os, "environ", {**os.environ, "COLUMNS": "60"})
        show([BAD], out, {}, as_json=False)
        self.assertIn("\x1b[1;31m", out.getvalue())
        self.assertLessEqual(
            max(map(len, out.getvalue().splitlines())), 60 + len("\x1b[1;31m\x1b[0m")
        )

    def test_no_colours_when_they_are_not_wanted(self) -> None:
        out = Terminal()
        show([BAD], out, {"NO_COLOR": "1"}, as_json=False)
        self.assertNotIn("\x1b", out.getvalue())

    def test_one_json_object_a_line(self) -> None:
        out = Terminal()
        self.assertEqual(show([GOOD], out, {}, as_json=True), 0)
        (line,) = out.getvalue().splitlines()
        self.assertEqual(json.loads(line)["where"], "[A]")

    def test_progress_is_told_to_terminals_only_and_taken_away(self) -> None:
        for err, expected in ((Terminal(), "\r\x1b[Klooking ...\r\x1b[K"), (io.StringIO(), "")):
            progress = Progress(err)
            progress.tell("looking")
            progress.end()
            self.assertEqual(err.getvalue(), expected)


class AsAProcess(ProcessCase):
    def poll(self, *fields: str) -> None:
        """A battery that polls until the test ends."""
        datagram = encode(list(fields))
        battery = Battery()
        port = reactor.listenUDP(0, battery, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        call = LoopingCall(port.write, datagram, ("127.0.0.1", self.ct_port))
        call.clock = reactor
        call.start(0.3)
        self.addCleanup(call.stop)

    def doctor(self, *more: str) -> Watched:
        arguments = ("doctor", "-c", str(self.config), *more)
        return self.watch(astrameter(*arguments, environ={"LOG_LEVEL": "error"}))

    async def findings(self, *more: str) -> tuple[int, list[dict[str, Any]]]:
        command = self.doctor("--json", *more)
        status = await command.ended()
        return status, [json.loads(line) for line in command.output.splitlines()]

    async def test_a_battery_with_another_ct_mac_is_named_with_the_mend(self) -> None:
        self.write_config()
        text = self.config.read_text().replace("[CT002]\n", "[CT002]\nCT_MAC = 001122334455\n")
        self.config.write_text(text)
        self.poll("VNSE3-0", "AABBCCDDEE01", "HME-4", "112233445566", "A", "0")
        command = self.doctor("--listen", "2")
        self.assertEqual(await command.ended(), 1)
        self.assertIn("is paired with the CT 112233445566", command.output)
        self.assertIn("Set CT_MAC = 112233445566 in [CT002]", command.output)
        self.assertRegex(command.output, r"ok       \[JSON_HTTP\]: answers in \d+ ms")
        self.assertNotIn("Traceback", command.output)
        self.assertNotIn("\x1b", command.output)

    async def test_a_battery_that_is_answered_is_no_problem(self) -> None:
        self.write_config()
        self.poll("VNSE3-0", "AABBCCDDEE01", "HME-4", "112233445566", "A", "0")
        status, findings = await self.findings("--listen", "2")
        texts = [f"{one['severity']} {one['where']} {one['what']}" for one in findings]
        batteries = [text for text in texts if "VNSE3-0 (AABBCCDDEE01)" in text]
        self.assertEqual(len(batteries), 1, texts)
        self.assertRegex(batteries[0], r"ok 127\.0\.0\.1 .* for phase A; \d+ of \d+ polls answered")
        self.assertEqual(status, 0, texts)

    async def test_a_running_daemon_is_asked(self) -> None:
        self.write_config()
        daemon = self.start()
        await daemon.line("works")
        await self.battery.ask(self.ct_port)
        self.poll("VNSE3-0", "AABBCCDDEE01", "HME-4", "112233445566", "A", "0")
        status, findings = await self.findings()
        what = " ".join(one["what"] for one in findings)
        self.assertIn("has been running here", what)
        self.assertIn("the daemon reads A 450 W, B -20 W, C 33 W", what)
        self.assertEqual(status, 0, what)
        await self.stop(daemon)

    async def test_an_interrupt_ends_listening_and_shows_what_is_known(self) -> None:
        self.write_config()
        command = self.doctor("--listen", "600")
        await self.opened()
        command.signal("INT")
        self.assertEqual(await command.ended(), 0)
        self.assertIn("does not know its phase", command.output)
        self.assertNotIn("Traceback", command.output)

    async def opened(self) -> None:
        """The doctor answers at the port of the CT."""
        while True:
            with contextlib.suppress(defer.TimeoutError, ConnectionRefusedError):
                await self.battery.ask(self.ct_port, "0")
                return

    async def test_bad_usage_is_exit_2(self) -> None:
        for seconds in ("-1", "nan", "4000", "soon"):
            command = self.doctor("--listen", seconds)
            self.assertEqual(await command.ended(), 2)
            self.assertIn("--listen", command.output)
