"""The [REPLAY] meter."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.backoff import Backoff
from astrameter.config import load_text
from astrameter.filters.chain import build_chain
from astrameter.meters import replay
from astrameter.meters.interface import IMeter
from astrameter.meters.replay import KIND, MAX_AGE_S, Options, ReplayMeter
from astrameter.reading import MeterError, Sample
from simulator.world import World
from tests.astrameter.meters.http_rig import problems_of
from tests.vectors import each

CSV = "t_s,watts\n0,1\n1,2\n3,3\n"
JSON = (
    '{"t_s": 100.5, "time": "2026-01-31T12:00:00.000Z", "section": "A", "watts": [1, -1, 0.5]}\n'
    '{"t_s": 101.0, "time": "2026-01-31T12:00:00.500Z", "section": "B", "watts": [9]}\n'
    '{"t_s": 101.5, "time": "2026-01-31T12:00:01.000Z", "section": "A", "watts": [2, -2, 0.5]}\n'
)

Played = list[tuple[float, tuple[float, ...]]]

CASES: list[dict[str, Any]] = [
    {
        "name": "columns",
        "file": CSV,
        "played": [(0, (1,)), (1, (2,)), (3, (3,))],
        "over": 5,
    },
    {
        "name": "json_of_the_first_meter",
        "file": JSON,
        "played": [(0, (1, -1, 0.5)), (1, (2, -2, 0.5))],
        "over": 2,
    },
    {
        "name": "json_of_another_meter",
        "file": JSON,
        "config": {"METER": "B"},
        "played": [(0, (9,))],
        "over": 1,
    },
    {
        "name": "faster",
        "file": CSV,
        "config": {"SPEED": 4},
        "played": [(0, (1,)), (0.25, (2,)), (0.75, (3,))],
        "over": 1.25,
    },
    {
        "name": "slower",
        "file": CSV,
        "config": {"SPEED": 0.5},
        "played": [(0, (1,)), (2, (2,)), (6, (3,))],
        "over": 10,
    },
    {
        "name": "from_the_middle",
        "file": CSV,
        "config": {"START": 0.5},
        "played": [(0.5, (2,)), (2.5, (3,))],
        "over": 4.5,
    },
    {
        "name": "from_the_middle_and_faster",
        "file": CSV,
        "config": {"START": 0.5, "SPEED": 2},
        "played": [(0.25, (2,)), (1.25, (3,))],
        "over": 2.25,
    },
    {
        "name": "again_and_again",
        "file": CSV,
        "config": {"LOOP": "yes"},
        "played": [
            *((0, (1,)), (1, (2,)), (3, (3,))),
            *((5, (1,)), (6, (2,)), (8, (3,))),
            *((10, (1,)), (11, (2,)), (13, (3,))),
        ],
    },
    {
        "name": "again_from_the_beginning",
        "file": CSV,
        "config": {"LOOP": "yes", "START": 2, "SPEED": 0.5},
        "played": [(2, (3,)), (6, (1,)), (8, (2,)), (12, (3,))],
    },
    {
        "name": "a_single_sample_again_and_again",
        "file": "5,7",
        "config": {"LOOP": "yes", "SPEED": 0.25},
        "played": [(0, (7,)), (4, (7,)), (8, (7,)), (12, (7,))],
    },
    {
        "name": "two_recordings_in_one_file",
        "file": CSV + CSV,
        "played": [(0, (1,)), (1, (2,)), (3, (3,)), (5, (1,)), (6, (2,)), (8, (3,))],
        "over": 10,
    },
]
"""What is played when, in the first 15 seconds, and when it is over."""


class ReplayTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.path = Path(self.mktemp())

    def meter(self, text: str | None, clock: Any = None, **keys: object) -> ReplayMeter:
        if text is not None:
            self.path.write_text(text)
        options = self.configured(**keys)
        clock = clock or self.clock
        meter = ReplayMeter(clock, "REPLAY", options, Backoff(1.0, 8.0, Random(0)))
        self.chain = build_chain(meter, options, clock, max_age_s=KIND.max_age_s)
        self.played: Played = []
        arrived = meter.arrived

        def note(watts: Any, measured_at: float | None = None) -> None:
            self.played.append((clock.seconds() - 1000.0, tuple(watts)))
            arrived(watts, measured_at)

        meter.arrived = note  # type: ignore[method-assign]
        meter.startService()
        self.addCleanup(self.stop, meter)
        return meter

    def configured(self, **keys: object) -> Options:
        lines = "\n".join(f"{key} = {value}" for key, value in {"FILE": self.path, **keys}.items())
        [one] = load_text(f"[REPLAY]\n{lines}\n", "config.ini").meters
        assert isinstance(one.options, Options)
        return one.options

    def stop(self, meter: ReplayMeter) -> None:
        if meter.running:
            stopped = meter.stopService()
            if stopped is not None:
                self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def advance(self, seconds: float, step_s: float = 0.125) -> None:
        self.clock.advance(0)
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)

    def until(self, condition: Callable[[], object]) -> None:
        """Advance, but not for ever."""
        for _ in range(1000):
            if condition():
                return
            self.clock.advance(0.125)
        self.fail("it never came to that")

    def outcome(self) -> Any:
        found: list[Any] = []
        self.chain.read().addBoth(found.append)
        return found[0].watts if isinstance(found[0], Sample) else found[0].value.kind


class PlayingTests(ReplayTestCase):
    @each(CASES)
    def recording(self, case: dict[str, Any]) -> None:
        meter = self.meter(case["file"], **case.get("config", {}))
        over_s = case.get("over")
        self.advance((over_s or 15.0) - 0.125)
        self.assertEqual(self.played, case["played"])
        self.assertEqual(self.outcome(), case["played"][-1][1])
        if over_s is None:
            self.assertTrue(meter.online)
        else:
            self.advance(0.125)
            self.assertEqual(self.outcome(), "stale")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_a_meter(self) -> None:
        self.assertTrue(verifyObject(IMeter, self.meter(CSV)))

    def test_a_reading_counts_from_when_it_is_played(self) -> None:
        meter = self.meter(CSV)
        self.advance(2.0)
        self.assertEqual(self.successResultOf(meter.read()), Sample((2.0,), 1001.0))

    def test_who_waits_is_woken(self) -> None:
        meter = self.meter(CSV)
        self.advance(0.125)
        waiting = meter.next_sample(5.0)
        self.advance(0.75)
        self.assertNoResult(waiting)
        self.advance(0.125)
        self.successResultOf(waiting)

    def test_a_gap_in_the_recording_is_one_of_the_meter(self) -> None:
        meter = self.meter(f"0,1\n{MAX_AGE_S + 10},2\n")
        self.advance(MAX_AGE_S + 5, 1.0)
        self.assertEqual((self.outcome(), meter.online), ("stale", True))
        self.advance(5, 1.0)
        self.assertEqual(self.outcome(), (2.0,))

    def test_the_end_says_so_at_once(self) -> None:
        with capturedLogs() as events:
            meter = self.meter(CSV)
            self.advance(20.0)
        error = self.failureResultOf(meter.read(), MeterError).value
        self.assertEqual((error.kind, str(error)), ("stale", f"the recording {self.path} is over"))
        self.assertFalse(meter.online)
        self.assertEqual(len(events), 1)

    def test_it_stops_and_begins_anew(self) -> None:
        meter = self.meter(CSV)
        for seconds in (1.5, 20.0):
            self.advance(seconds)
            self.stop(meter)
            self.played.clear()
            meter.startService()
            self.advance(0.125)
            self.assertEqual([watts for _, watts in self.played], [(1.0,)])
            self.assertEqual(self.outcome(), (1.0,))

    def test_no_more_of_the_file_is_read_than_to_the_next_sample(self) -> None:
        text = "".join(f"{i},1\n" for i in range(100_000))
        self.meter(text)
        self.advance(10.0)
        self.assertEqual(len(self.played), 11)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_day_in_virtual_time(self) -> None:
        world = World(start_s=1000.0)
        host = world.host("192.168.1.10")
        text = "".join(f"{i},{i % 500}\n" for i in range(0, 86400, 60))
        meter = self.meter(text, host, LOOP="yes", SPEED=60)
        world.advance(86400.0)
        self.assertEqual(len(self.played), 86401)
        self.assertEqual(self.played[-1][0], 86400.0)
        world.wait(meter.stopService() or host.resolve("192.168.1.10"))
        self.assertEqual(host.getDelayedCalls(), [])


class BadInputTests(ReplayTestCase):
    """What a file can be."""

    def reason(self, meter: ReplayMeter) -> str:
        error = self.failureResultOf(meter.read(), MeterError).value
        self.assertEqual(error.kind, "no_data")
        return str(error)

    def test_a_file_that_comes_later(self) -> None:
        with capturedLogs() as events:
            meter = self.meter(None)
            self.assertTrue(meter.running)
            self.assertIn("cannot be read: No such file or directory", self.reason(meter))
            self.advance(20.0)
        self.assertEqual(len(events), 1)
        self.path.write_text(CSV)
        self.until(lambda: self.played)
        self.assertEqual(self.outcome(), (1.0,))

    def test_a_file_that_is_gone_at_the_next_start(self) -> None:
        meter = self.meter(CSV)
        self.advance(2.0)
        self.stop(meter)
        self.path.unlink()
        meter.startService()
        self.assertIn("cannot be read", self.reason(meter))

    def test_a_file_that_cannot_be_read_to_its_end(self) -> None:
        class Broken(io.BytesIO):
            def readline(self, size: int | None = -1) -> bytes:
                found = super().readline(size)
                if not found:
                    raise OSError(errno.EIO, "Input/output error")
                return found

        self.patch(replay, "open_recording", lambda _path: Broken(b"0,1\n1,2\n"))
        with capturedLogs() as events:
            meter = self.meter(None)
            self.advance(1.0)
            self.assertFalse(meter.online)
            self.advance(1.0)
        self.assertEqual([watts for _, watts in self.played], [(1.0,), (2.0,), (1.0,)])
        self.assertTrue(meter.online)
        self.assertEqual(events[0]["reason"], "Input/output error")

    def test_what_is_no_file(self) -> None:
        self.path.mkdir()
        self.assertIn("it is no regular file", self.reason(self.meter(None)))

    def test_without_any_sample(self) -> None:
        for text in ("", "\n\n", "# nothing\n", "t_s,watts\n", "\0" * 9000, "MZ\x90\n" * 50):
            for loop in ("yes", "no"):
                meter = self.meter(text, LOOP=loop)
                self.advance(1.0)
                self.assertIn("has no sample", self.reason(meter))
                self.stop(meter)

    def test_without_a_good_line(self) -> None:
        meter = self.meter('{"t_s": 1, "watts": null}\n')
        self.assertIn('(line 1: "watts" is a list of numbers', self.reason(meter))

    def test_without_the_meter(self) -> None:
        self.assertIn("has no sample of [C]", self.reason(self.meter(JSON, METER="C")))

    def test_with_nothing_after_the_start(self) -> None:
        meter = self.meter(CSV, START=100, LOOP="yes")
        self.assertIn("has no sample after START = 100 s", self.reason(meter))

    def test_bad_lines_are_left_out_and_told_once(self) -> None:
        with capturedLogs() as events:
            self.meter("0,1\nx,1\n1,nan\n1,2\n2\n3,3\n" * 3, LOOP="yes")
            self.advance(30.0)
        self.assertEqual([watts for _, watts in self.played[:4]], [(1.0,), (2.0,), (3.0,), (1.0,)])
        [event] = events
        self.assertEqual(event["log_level"].name, "warn")
        self.assertTrue(event["line"].startswith("line 2: "))

    def test_millions_of_lines_to_skip_stop_nothing(self) -> None:
        others = '{"t_s": 0, "section": "B", "watts": [1]}\n' * 5000
        turns: list[float] = []
        call_later = self.clock.callLater

        def count(delay: float, *arguments: Any) -> Any:
            turns.append(delay)
            return call_later(delay, *arguments)

        self.patch(self.clock, "callLater", count)
        self.meter(others + '{"t_s": 0, "section": "A", "watts": [2]}\n', METER="A")
        self.until(lambda: self.played)
        # One for each thousand lines, and the sample's own.
        self.assertGreaterEqual(len(turns), 6)
        self.assertEqual(self.outcome(), (2.0,))

    def test_the_file_changes_while_it_is_played(self) -> None:
        meter = self.meter(CSV, LOOP="yes")
        self.advance(2.0)
        self.path.write_text("")
        self.advance(20.0)
        self.assertEqual(self.outcome(), "stale")
        self.stop(meter)


class OptionTests(ReplayTestCase):
    def test_defaults(self) -> None:
        options = self.configured()
        self.assertEqual((options.meter, options.speed), ("", 1.0))
        self.assertEqual((options.loop, options.start), (False, 0.0))

    def test_what_is_refused(self) -> None:
        for lines, words in (
            ((), "FILE: this key is required"),
            (("FILE = x", "SPEED = 0"), "SPEED: this is a number 0.001..100000"),
            (("FILE = x", "START = -1"), "START: this is a number of at least 0"),
        ):
            [problem] = problems_of("REPLAY", *lines)
            self.assertIn(words, problem)
