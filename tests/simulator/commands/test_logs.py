"""The log of the simulator: simulator.md section 2.2."""

from __future__ import annotations

import io
from typing import Any

from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from simulator.commands.logs import MOST_KEPT, SimulatorLog


class Lines(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = io.StringIO()
        self.log = SimulatorLog(self.stream, LogLevel.info)

    def tell(self, text: str, level: Any = LogLevel.info, **more: Any) -> None:
        event = {"log_format": "{text}", "text": text, "log_time": 0.0, "log_level": level}
        self.log({**event, "log_namespace": "simulator.running.local.LocalControl", **more})

    def lines(self) -> list[str]:
        return [line[9:] for line in self.stream.getvalue().splitlines()]

    def test_a_line_has_time_name_level_and_text(self) -> None:
        self.tell("solar 5 W")
        self.assertRegex(
            self.stream.getvalue(), r"^\d\d:\d\d:\d\d astra_sim\.runner INFO solar 5 W\n$"
        )

    def test_names_by_part(self) -> None:
        for namespace, name in (
            ("simulator.running.poller.Poller", "astra_sim.battery"),
            ("simulator.running.automatic.AutoMode", "astra_sim.powermeter"),
            ("simulator.api.resource.Api", "astra_sim.powermeter"),
            ("simulator.console.app.Console", "astra_sim.tui"),
            ("astrameter.ct.emulator", "astrameter.ct.emulator"),
        ):
            self.tell("x", log_namespace=namespace)
            self.assertEqual(self.lines()[-1], f"{name} INFO x")

    def test_levels(self) -> None:
        self.tell("a", LogLevel.debug)
        self.tell("b", LogLevel.warn)
        self.assertEqual(self.lines(), ["astra_sim.runner WARN b"])

    def test_what_twisted_tells_of_each_socket_is_left_out(self) -> None:
        self.log.level = LogLevel.debug
        self.tell("starting on 5", log_namespace="log_legacy")
        self.tell("broken", LogLevel.critical, log_namespace="log_legacy")
        self.assertEqual(self.lines(), ["log_legacy CRITICAL broken"])

    def test_what_is_told_while_the_console_shows_comes_after_it(self) -> None:
        self.log.hold()
        for number in range(MOST_KEPT + 5):
            self.tell(str(number))
        self.assertEqual(self.lines(), [])
        self.log.release()
        self.assertEqual(len(self.lines()), MOST_KEPT)
        self.assertEqual(self.lines()[0], "astra_sim.runner INFO 5")
        self.tell("after")
        self.assertEqual(self.lines()[-1], "astra_sim.runner INFO after")

    def test_failures_and_control_characters(self) -> None:
        self.tell("x\x1b[2J", log_failure=Failure(ValueError("bad")))
        self.assertEqual(self.lines(), ["astra_sim.runner INFO x?[2J: ValueError: bad"])

    def test_a_broken_event_kills_nobody(self) -> None:
        class Broken:
            def __str__(self) -> str:
                raise RuntimeError("no")

        self.log({"log_format": "{a}", "a": Broken(), "log_level": LogLevel.info})
        self.assertEqual(len(self.lines()), 1)

    def test_a_closed_stream_kills_nobody(self) -> None:
        self.stream.close()
        self.tell("x")
