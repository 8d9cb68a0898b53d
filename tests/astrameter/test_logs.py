"""The daemon's log lines, and who may write how often (web.md 8, ct-protocol.md 13.1)."""

from __future__ import annotations

import io
import logging
import re
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.python.log import LogPublisher as LegacyPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter import logs
from astrameter.logs import FailureLog, LineObserver, RateLimited, level_named


def a_failure() -> Failure:
    try:
        raise ValueError("wrong")
    except ValueError:
        return Failure()


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = io.StringIO()

    def logger(self, level: str = "debug", stream: Any = None) -> Logger:
        observer = LineObserver(stream or self.stream, level)
        return Logger(namespace="astrameter.x", observer=LogPublisher(observer))

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


class Lines(Case):
    def test_provides_the_interface(self) -> None:
        verifyObject(ILogObserver, LineObserver(self.stream))

    def test_format(self) -> None:
        self.logger().warn("{n} apples", n=3)
        self.assertRegex(
            self.stream.getvalue(),
            r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING:astrameter\.x:3 apples\n\Z",
        )

    def test_old_style_events_are_of_twisted(self) -> None:
        publisher = LegacyPublisher(
            publishPublisher=LogPublisher(LineObserver(self.stream, "info"))
        )
        publisher.msg("Site starting on 80")
        self.assertIn("INFO:twisted:Site starting on 80", self.lines()[0])

    def test_every_level_has_its_name(self) -> None:
        log = self.logger()
        for level in ("critical", "error", "warn", "info", "debug"):
            log.emit(level_named(level), "x")
        names = [re.split("[ :]", line)[4] for line in self.lines()]
        self.assertEqual(names, ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"])

    def test_below_the_level_nothing_is_written(self) -> None:
        log = self.logger("warning")
        log.info("x")
        log.warn("y")
        self.assertEqual(len(self.lines()), 1)

    def test_level_may_change(self) -> None:
        observer = LineObserver(self.stream, "error")
        observer.level = LogLevel.debug
        Logger(observer=LogPublisher(observer)).debug("x")
        self.assertEqual(len(self.lines()), 1)

    def test_secrets_are_hidden(self) -> None:
        self.logger().info("connecting to {uri}", uri="mqtt://u:geheim@h")
        self.assertIn("mqtt://***:***@h", self.stream.getvalue())
        self.assertNotIn("geheim", self.stream.getvalue())

    def test_a_message_stays_on_one_line(self) -> None:
        self.logger().info("{evil}", evil="a\n2026-01-01 00:00:00 ERROR:x:forged\x1b[2J\u2028b")
        self.assertEqual(len(self.lines()), 1)
        self.assertNotIn("\x1b", self.stream.getvalue())

    def test_a_long_message_is_cut_at_a_blank(self) -> None:
        self.logger().info("{long}", long="x" * 19_990 + " password=geheim")
        self.assertLess(len(self.stream.getvalue()), 20_200)
        self.assertNotIn("geh", self.stream.getvalue())


class Traces(Case):
    def test_warning_names_the_failure_without_trace(self) -> None:
        self.logger("info").failure("it broke", failure=a_failure(), level=LogLevel.warn)
        self.assertEqual(len(self.lines()), 1)
        self.assertIn("it broke: ValueError: wrong", self.lines()[0])

    def test_warning_with_trace_at_debug_level(self) -> None:
        self.logger("debug").failure("it broke", failure=a_failure(), level=LogLevel.warn)
        self.assertIn("Traceback", self.stream.getvalue())

    def test_error_always_with_trace(self) -> None:
        self.logger("warning").failure("it broke", failure=a_failure(), level=LogLevel.error)
        self.assertIn("Traceback", self.stream.getvalue())

    def test_secrets_of_a_trace_are_hidden(self) -> None:
        broken = Failure(ValueError("https://u:geheim@h"))
        self.logger().failure("it broke", failure=broken)
        self.assertIn("ValueError", self.stream.getvalue())
        self.assertNotIn("geheim", self.stream.getvalue())


class NeverRaises(Case):
    def test_broken_format(self) -> None:
        self.logger().info("{missing} {", other=1)
        self.assertEqual(len(self.lines()), 1)

    def test_value_that_cannot_be_shown(self) -> None:
        class Hostile:
            def __repr__(self) -> str:
                raise RuntimeError

            __str__ = __repr__

        self.logger().info("{x}", x=Hostile())
        self.assertEqual(len(self.lines()), 1)

    def test_broken_event(self) -> None:
        LineObserver(self.stream)({"log_level": LogLevel.error, "log_failure": 3, "log_time": "?"})
        self.assertIn("could not be written", self.stream.getvalue())

    def test_event_without_anything(self) -> None:
        LineObserver(self.stream, "debug")({})
        self.assertEqual(self.stream.getvalue(), "")

    def test_closed_stream(self) -> None:
        self.stream.close()
        self.assertIsNone(self.logger().error("x"))

    def test_stream_that_fails(self) -> None:
        class Full(io.StringIO):
            def write(self, _text: str) -> int:
                raise OSError("disk full")

        self.assertIsNone(self.logger(stream=Full()).error("x"))

    def test_stream_of_a_narrow_encoding(self) -> None:
        raw = io.BytesIO()
        self.logger(stream=io.TextIOWrapper(raw, "ascii")).error("Zähler \ud800")
        self.assertIn(rb"Z\xe4hler \ud800", raw.getvalue())


class Levels(SynchronousTestCase):
    def test_any_case_and_unknown_is_warning(self) -> None:
        self.assertIs(level_named("DeBug"), LogLevel.debug)
        self.assertIs(level_named("warn"), LogLevel.warn)
        self.assertIs(level_named("WARNING"), LogLevel.warn)
        self.assertIs(level_named("verbose"), LogLevel.warn)
        self.assertIs(level_named(""), LogLevel.warn)
        self.assertIs(level_named(" critical "), LogLevel.critical)


class StandardLogging(Case):
    def setUp(self) -> None:
        super().setUp()
        root = logging.getLogger()
        self.addCleanup(setattr, root, "handlers", list(root.handlers))
        root.handlers = []
        publisher = LogPublisher(LineObserver(self.stream, "debug"))
        self.patch(logs, "Logger", lambda namespace: Logger(namespace, observer=publisher))

    def test_warnings_come_through_and_less_does_not(self) -> None:
        logs.forward_standard_logging()
        logs.forward_standard_logging()
        library = logging.getLogger("paho.test")
        library.setLevel(logging.DEBUG)
        library.info("chatter")
        library.warning("lost %s", "it")
        self.assertEqual(len(self.lines()), 1)
        self.assertIn("WARNING:paho.test:lost it", self.lines()[0])

    def test_errors_bring_their_trace(self) -> None:
        logs.forward_standard_logging()
        try:
            raise ValueError("wrong")
        except ValueError:
            logging.getLogger("x").exception("broken")
        self.assertIn("ERROR:x:broken", self.lines()[0])
        self.assertIn("ValueError: wrong", self.lines()[-1])

    def test_wrong_arguments_do_no_harm(self) -> None:
        logs.forward_standard_logging()
        logging.getLogger("x").error("%d apples", "no")
        self.assertIn("ERROR:x:%d apples", self.stream.getvalue())


class Start(Case):
    def test_begins_once_without_redirecting_standard_output(self) -> None:
        begun: list[Any] = []

        class Beginner:
            def beginLoggingTo(self, observers: list[Any], **how: bool) -> None:
                begun.append((observers, how))

        self.patch(logs, "globalLogBeginner", Beginner())
        self.patch(logs, "forward_standard_logging", lambda: None)
        observer = logs.start_logging(self.stream, "info")
        self.assertIs(observer.level, LogLevel.info)
        self.assertEqual(
            begun, [([observer], {"discardBuffer": True, "redirectStandardIO": False})]
        )

    def test_twistd_takes_the_level_of_the_environment(self) -> None:
        self.patch(logs, "forward_standard_logging", lambda: None)
        self.patch(logs.os, "environ", {"LOG_LEVEL": "info"})
        self.assertIs(logs.twistd_observer().level, LogLevel.info)
        self.patch(logs.os, "environ", {})
        self.assertIs(logs.twistd_observer().level, LogLevel.warn)


class Limits(SynchronousTestCase):
    def test_once_an_interval_and_counts_the_rest(self) -> None:
        clock = Clock()
        limit = RateLimited(clock, 30)
        self.assertEqual([limit.allow() for _ in range(4)], [True, False, False, False])
        clock.advance(30)
        self.assertTrue(limit.allow())
        self.assertEqual(limit.suppressed, 3)
        clock.advance(31)
        self.assertTrue(limit.allow())
        self.assertEqual(limit.suppressed, 0)


class Failures(Case):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.log = FailureLog(self.clock, self.logger("info"), "the meter")

    def texts(self) -> list[str]:
        return [line.split(":", 4)[-1] for line in self.lines()]

    def test_first_is_told_with_its_reason(self) -> None:
        self.log.failed("no route")
        self.assertEqual(self.texts(), ["the meter failed (1 in a row): no route"])
        self.assertIn("WARNING", self.lines()[0])

    def test_then_once_in_30_s_with_the_count(self) -> None:
        for _ in range(60):
            self.log.failed("no route")
            self.clock.advance(1)
        self.assertEqual(
            self.texts(),
            [f"the meter failed ({count} in a row): no route" for count in (1, 31)],
        )

    def test_recovery_once_with_the_count(self) -> None:
        for _ in range(5):
            self.log.failed("no route")
        self.log.recovered()
        self.log.recovered()
        self.assertEqual(self.texts()[1:], ["the meter works again after 5 failures"])
        self.assertIn("INFO", self.lines()[1])
        self.assertEqual(self.log.failures, 0)

    def test_next_trouble_is_told_at_once(self) -> None:
        self.log.failed("no route")
        self.log.recovered()
        self.log.failed("timeout")
        self.assertEqual(self.texts()[-1], "the meter failed (1 in a row): timeout")

    def test_working_all_the_time_says_nothing(self) -> None:
        self.log.recovered()
        self.assertEqual(self.lines(), [])
