"""The life of the demo, in virtual time."""

from __future__ import annotations

import io
import sys

from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from simulator.demo import cli
from simulator.demo.run import Demo, Notices
from simulator.demo.stage import Stage, Wishes
from simulator.world import World


class Life(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(1)
        self.host = self.world.host("192.168.1.2")
        self.stops = 0
        self.patch(self.host, "stop", self.stopped)
        self.patch(sys, "stdout", io.StringIO())
        self.patch(sys, "stderr", io.StringIO())

    def stopped(self) -> None:
        self.stops += 1

    def demo(self, seconds: float | None = None) -> Demo:
        wishes = Wishes(1.0, 3 * 3600.0, 1, 2)
        demo = Demo(self.host, wishes, seconds, True, {}, lambda: (12345, 52500))
        self.addCleanup(lambda: self.world.wait(demo.stop()))
        demo.start()
        return demo

    def end(self, demo: Demo) -> int:
        self.world.wait(demo.stop())
        self.assertEqual(list(self.host.getDelayedCalls()), [])
        return demo.farewell()

    def test_a_line_a_second_and_a_summary(self) -> None:
        demo = self.demo()
        self.world.advance(10.5)
        self.assertEqual(self.end(demo), 0)
        lines = sys.stdout.getvalue().splitlines()
        self.assertEqual(len(lines), 12)
        self.assertIn("| house", lines[10])
        self.assertIn("in the house: bought", lines[11])
        self.assertEqual(sys.stderr.getvalue(), "")

    def test_it_ends_by_itself(self) -> None:
        demo = self.demo(seconds=5.0)
        self.world.advance(4.9)
        self.assertEqual(self.stops, 0)
        self.world.advance(0.2)
        self.assertEqual(self.stops, 1)
        self.assertEqual(self.end(demo), 0)

    def test_without_a_port_it_says_so_in_one_line(self) -> None:
        self.host.listenUDP(12345, DatagramProtocol())
        demo = self.demo()
        self.world.advance(1.0)
        self.assertEqual((self.stops, self.end(demo)), (1, 1))
        self.assertRegex(sys.stderr.getvalue(), r"\AUDP port 12345 [^\n]* cannot be opened: .*\n\Z")
        self.assertEqual(sys.stdout.getvalue(), "")

    def test_whatever_goes_wrong_at_the_start_ends_it(self) -> None:
        def broken(_self: Stage) -> None:
            raise RuntimeError("no idea")

        self.patch(Stage, "start", broken)
        demo = self.demo()
        self.assertEqual((self.stops, self.end(demo)), (1, 1))
        self.assertIn("the demo could not start: RuntimeError('no idea')", sys.stderr.getvalue())

    def test_warnings_go_to_standard_error(self) -> None:
        demo = self.demo()
        demo.noticed("something is strange")
        self.assertEqual(sys.stderr.getvalue(), "something is strange\n")


class Logs(SynchronousTestCase):
    def test_warnings_become_one_line_without_a_trace(self) -> None:
        told: list[str] = []
        notices = Notices(told.append)
        notices({"log_level": LogLevel.info, "log_format": "quiet"})
        notices(
            {"log_level": LogLevel.warn, "log_format": "the {what}\nfails\x1b", "what": "meter"}
        )
        failure = Failure(ValueError("why"))
        notices({"log_level": LogLevel.critical, "log_format": "it failed", "log_failure": failure})
        self.assertEqual(told, ["the meter fails?", "it failed: why"])


class Start(SynchronousTestCase):
    def test_an_interruption_before_it_lives_is_quiet(self) -> None:
        def interrupted(_argv: object) -> int:
            raise KeyboardInterrupt

        self.patch(cli, "_main", interrupted)
        self.assertEqual(cli.main([]), 0)

    def test_without_urwid_the_mend_is_told(self) -> None:
        def missing(_argv: object) -> int:
            raise ModuleNotFoundError("No module named 'urwid'", name="urwid")

        self.patch(cli, "_main", missing)
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual(cli.main([]), 1)
        self.assertIn("make demo", sys.stderr.getvalue())
