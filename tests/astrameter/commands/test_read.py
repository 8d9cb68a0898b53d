"""``astrameter read``: what the meters say, once, live, and into a file."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.commands import read
from astrameter.commands.read import FIRST_SAMPLE_S, WATCH_EVERY_S, Tape
from astrameter.config import Settings, load_text
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.pushed import PushedMeter
from astrameter.options import Section
from astrameter.reading import MeterError
from astrameter.recording import Recorded, Recorder, from_line
from tests.process import Watched, astrameter

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class ReadTestCase(SynchronousTestCase):
    """One meter that is asked and one that pushes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.out = io.StringIO()
        self.answer: Any = [100.0]
        self.pushed: PushedMeter | None = None
        self.started: list[Any] = []

    def kinds(self) -> list[MeterKind[MeterOptions]]:
        def polled(reactor: Any, section: str, _options: MeterOptions) -> PolledMeter:
            def fetch() -> Deferred[Any]:
                failed = isinstance(self.answer, Exception)
                return fail(self.answer) if failed else succeed(self.answer)

            return PolledMeter(section, reactor, fetch)

        def pushed(reactor: Any, section: str, _options: MeterOptions) -> PushedMeter:
            self.pushed = PushedMeter(reactor, section)
            return self.pushed

        return [
            MeterKind(Section("ASKED", MeterOptions, help="", many=True), polled),
            MeterKind(Section("PUSHED", MeterOptions, help="", many=True), pushed, max_age_s=30.0),
        ]

    def settings(self, text: str) -> Settings:
        return load_text(text, "config.ini", extra_kinds=self.kinds())

    def show(self, text: str, **keywords: Any) -> Deferred[int]:
        arguments = {"as_json": False, "watch": False, **keywords}
        return Deferred.fromCoroutine(
            read.show(self.clock, self.settings(text), self.out, **arguments)
        )

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


class ShowTests(ReadTestCase):
    def test_one_line_for_each_meter(self) -> None:
        done = self.show("[ASKED]\n[PUSHED_2]\n")
        assert self.pushed is not None
        self.pushed.arrived([1.0, -2.0, 3.5])
        self.assertEqual(self.successResultOf(done), 0)
        asked, pushed = self.lines()
        self.assertEqual(asked, "ASKED               total    100.0 W    0.0 s old")
        phases, _, total = pushed.partition("  total ")
        self.assertEqual(phases, "PUSHED_2            A      1.0 W  B     -2.0 W  C      3.5 W")
        self.assertEqual(total, "     2.5 W    0.0 s old")
        self.assertFalse(self.pushed.running)

    def test_json_after_the_filters(self) -> None:
        done = self.show("[ASKED]\nPOWER_MULTIPLIER = -1\n", as_json=True)
        self.assertEqual(self.successResultOf(done), 0)
        [line] = self.lines()
        self.assertEqual(
            json.loads(line), {"section": "ASKED", "watts": [-100.0], "age_s": 0.0, "error": None}
        )

    def test_a_meter_that_fails(self) -> None:
        self.answer = MeterError("connect", "nobody is there")
        self.assertEqual(self.successResultOf(self.show("[ASKED]\n")), 1)
        self.assertEqual(self.lines(), ["ASKED               failed: nobody is there"])

    def test_a_meter_that_says_nothing(self) -> None:
        done = self.show("[PUSHED]\n")
        self.clock.advance(FIRST_SAMPLE_S)
        self.assertEqual(self.successResultOf(done), 1)
        self.assertIn("failed: the meter has not sent anything yet", self.lines()[0])

    def test_a_watch_goes_on_until_it_is_cancelled(self) -> None:
        done = self.show("[ASKED]\n", watch=True)
        for watts in (200.0, 300.0):
            self.answer = [watts]
            self.clock.advance(WATCH_EVERY_S)
        self.assertEqual([line.split()[2] for line in self.lines()], ["100.0", "200.0", "300.0"])
        done.addErrback(lambda _failure: None)
        done.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_meter(self) -> None:
        self.assertEqual(self.successResultOf(self.show("[GENERAL]\n")), 1)
        self.assertEqual(self.lines(), ["config.ini: no meter is configured"])


class RecordTests(ReadTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())

    def record(self, text: str, path: Path | None = None) -> Deferred[int]:
        recorder = Recorder(path or self.path, self.clock, lambda: NOON)
        self.addCleanup(recorder.close)
        self.tape = Tape(recorder)
        return self.show(text, as_json=True, watch=True, tape=self.tape)

    def end(self, done: Deferred[int]) -> None:
        done.addErrback(lambda _failure: None)
        done.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def recorded(self) -> list[Recorded | None]:
        return [from_line(line) for line in self.path.read_text().splitlines()]

    def test_a_meter_that_is_asked(self) -> None:
        done = self.record("[ASKED]\n")
        for watts in (200.0, 200.0):
            self.answer = [watts]
            self.clock.advance(WATCH_EVERY_S)
        self.end(done)
        self.assertEqual(
            self.recorded(),
            [
                Recorded(0.0, (100.0,), "ASKED"),
                Recorded(1.0, (200.0,), "ASKED"),
                Recorded(2.0, (200.0,), "ASKED"),
            ],
        )
        self.assertEqual(len(self.lines()), 3)

    def test_every_sample_of_a_meter_that_pushes_and_each_once(self) -> None:
        done = self.record("[PUSHED]\n")
        for i in range(12):
            assert self.pushed is not None
            if i < 8:
                self.pushed.arrived([float(i)])
            self.clock.advance(0.25)
        self.end(done)
        self.assertEqual(
            self.recorded(), [Recorded(i * 0.25, (float(i),), "PUSHED") for i in range(8)]
        )

    def test_as_the_meter_brings_it(self) -> None:
        done = self.record("[ASKED]\nPOWER_MULTIPLIER = -1\nSMOOTH_TARGET_ALPHA = 0.1\n")
        self.answer = [200.0]
        self.clock.advance(WATCH_EVERY_S)
        self.end(done)
        self.assertEqual([one and one.watts for one in self.recorded()], [(100.0,), (200.0,)])
        self.assertEqual([json.loads(line)["watts"] for line in self.lines()], [[100.0], [200.0]])

    def test_what_fails_is_shown_and_not_recorded(self) -> None:
        done = self.record("[ASKED]\n[PUSHED]\nMAX_AGE = 2\n")
        assert self.pushed is not None
        self.pushed.arrived([5.0])
        self.answer = MeterError("connect", "nobody is there")
        for _ in range(4):
            self.clock.advance(WATCH_EVERY_S)
        self.end(done)
        self.assertEqual(len(self.recorded()), 2)
        last = [json.loads(line)["error"] for line in self.lines()[-2:]]
        self.assertEqual(last[0], "nobody is there")
        self.assertIn("MAX_AGE is 2 s", last[1])

    def test_a_full_disk_ends_it_with_a_reason(self) -> None:
        done = self.record("[ASKED]\n", Path("/dev/full"))
        self.assertNoResult(done)
        self.clock.advance(WATCH_EVERY_S)
        self.assertEqual(self.successResultOf(done), 1)
        self.assertEqual(self.tape.trouble, "No space left on device")


class Interrupted(MemoryReactorClock):
    """A reactor that is interrupted as soon as it runs."""

    def run(self) -> None:
        for hook, arguments, keywords in self.whenRunningHooks:
            hook(*arguments, **keywords)
        [(trigger, _arguments, _keywords)] = self.triggers["before"]["shutdown"]
        self.ending = trigger()

    def stop(self) -> None:
        raise ReactorNotRunning


class InterruptTests(ReadTestCase):
    def test_the_meters_stop_before_the_program_ends(self) -> None:
        self.patch(read, "use_monotonic_time", lambda _reactor: None)
        reactor: Any = Interrupted()
        stopping: Deferred[None] = Deferred()

        class Slow(PushedMeter):
            def stopService(self) -> Deferred[None]:
                super().stopService()
                return stopping

        kind = MeterKind(
            Section("SLOW", MeterOptions, help=""), lambda clock, name, _: Slow(clock, name)
        )
        settings = load_text("[SLOW]\n", "config.ini", extra_kinds=[kind])
        keywords: dict[str, Any] = {"as_json": False, "watch": True, "record": None}
        status = read.run(reactor, settings, self.out, errors=self.out, **keywords)
        self.assertEqual(status, 0)
        self.assertNoResult(reactor.ending)
        stopping.callback(None)
        self.successResultOf(reactor.ending)


class ProcessTests(TestCase):
    """The command as it is used."""

    timeout = 240

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.recording = self.directory / "recording.jsonl"

    def start(self, config: str, *arguments: str) -> Watched:
        path = self.directory / "config.ini"
        path.write_text(config)
        process = astrameter("read", "-c", str(path), *arguments)
        self.addCleanup(lambda: process.signal("KILL"))
        return process

    async def test_what_is_recorded_can_be_replayed(self) -> None:
        first = self.start(
            "[SCRIPT]\nCOMMAND = echo 42; echo -7\n", "--record", str(self.recording)
        )
        await first.line(r"(?s)42\.0.*42\.0")
        first.signal("INT")
        self.assertEqual(await first.ended(), 0)
        second = self.start(f"[REPLAY]\nFILE = {self.recording}\n", "--json")
        self.assertEqual(await second.ended(), 0)
        [line] = [line for line in second.output.splitlines() if line.startswith("{")]
        self.assertEqual(json.loads(line)["watts"], [42.0, -7.0])

    async def test_a_file_that_cannot_be_written(self) -> None:
        process = self.start("[SCRIPT]\nCOMMAND = echo 1\n", "--record", str(self.directory))
        self.assertEqual(await process.ended(), 1)
        self.assertEqual(
            process.output, f"{self.directory}: cannot be written to: Is a directory\n"
        )

    async def test_a_disk_that_is_full(self) -> None:
        process = self.start("[SCRIPT]\nCOMMAND = echo 1\n", "--record", "/dev/full")
        self.assertEqual(await process.ended(), 1)
        self.assertTrue(
            process.output.endswith("/dev/full: recording ended: No space left on device\n"),
            process.output,
        )
