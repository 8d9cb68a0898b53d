"""The [SCRIPT] meter (meters.md section 19), with real processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from astrameter.config import load_text
from astrameter.meters import script
from astrameter.meters.interface import IMeter
from astrameter.meters.polled import PolledMeter
from astrameter.meters.script import (
    DYING_S,
    KIND,
    MAX_OUTPUT,
    MAX_VALUES,
    Command,
    CommandRun,
    Options,
    build,
)
from astrameter.reading import MeterError
from tests.astrameter.meters.http_rig import problems_of
from tests.pseudoterminal import until
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "script"]

DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "MC04": ({"error": "no_data"}, "a command that prints nothing does not say 0 W"),
}
"""Vectors that we do not follow: what we expect, why."""


def configured(**keys: object) -> Options:
    """The options of a section, through the loader of the house."""
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    [one] = load_text(f"[SCRIPT]\n{lines}\n", "config.ini").meters
    assert isinstance(one.options, Options)
    return one.options


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class ProcessTestCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.log = self.directory / "log"

    def meter(self, command: str, timeout_s: float = 20.0) -> PolledMeter:
        options = configured(COMMAND=command, TIMEOUT=timeout_s)
        meter = build(reactor, "SCRIPT", options)
        meter.startService()
        self.addCleanup(lambda: meter.running and meter.stopService())
        return meter

    async def outcome(self, meter: PolledMeter) -> dict[str, Any]:
        try:
            return {"watts": [*(await meter.read()).watts]}
        except MeterError as error:
            return {"error": error.kind}

    async def error(self, command: str, timeout_s: float = 20.0) -> MeterError:
        try:
            sample = await self.meter(command, timeout_s).read()
        except MeterError as error:
            return error
        raise AssertionError(f"read {sample}")

    async def pid(self) -> int:
        """The process number that a command writes to the log."""
        await until(lambda: self.log.exists() and self.log.read_text().endswith("\n"))
        return int(self.log.read_text().split()[-1])


class VectorTests(ProcessTestCase):
    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.run_vector(case))

    async def run_vector(self, case: dict[str, Any]) -> None:
        [step] = case["steps"]
        expected = DIFFERENCES[case["id"]][0] if case["id"] in DIFFERENCES else step["expect"]
        wanted = {key: expected[key] for key in ("watts", "error") if key in expected}
        self.assertEqual(await self.outcome(self.meter(case["config"]["COMMAND"])), wanted)

    def test_all_are_run_and_each_difference_changes_its_vector(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MC{i:02}" for i in range(1, 6)])
        for name, (expected, why) in DIFFERENCES.items():
            [case] = [case for case in CASES if case["id"] == name]
            self.assertNotEqual(case["steps"][0]["expect"], expected)
            self.assertTrue(why)


class RunningTests(ProcessTestCase):
    def test_it_is_a_meter(self) -> None:
        self.assertTrue(verifyObject(IMeter, self.meter("echo 1")))

    async def test_it_is_a_shell_command_line(self) -> None:
        command = "x=$(echo 4); echo \"$((x * 10))\" | sed 's/$/.5/'; echo '-3' # a comment"
        self.assertEqual(await self.outcome(self.meter(command)), {"watts": [40.5, -3.0]})

    async def test_every_reading_runs_it_again(self) -> None:
        meter = self.meter(f"echo x >> {self.log}; wc -l < {self.log}")
        found = [await self.outcome(meter) for _ in range(3)]
        self.assertEqual(found, [{"watts": [i]} for i in (1, 2, 3)])

    async def test_simultaneous_readings_share_one_run(self) -> None:
        meter = self.meter(f"echo x >> {self.log}; sleep 0.1; wc -l < {self.log}")
        samples = await gatherResults([meter.read() for _ in range(5)])
        self.assertEqual([sample.watts for sample in samples], [(1.0,)] * 5)

    async def test_standard_input_is_empty(self) -> None:
        self.assertEqual(await self.outcome(self.meter("cat; echo 1")), {"watts": [1.0]})

    async def test_what_it_has_left_running_with_other_output_stays(self) -> None:
        meter = self.meter(f"sleep 30 >/dev/null 2>&1 </dev/null & echo $! > {self.log}; echo 1")
        self.assertEqual(await self.outcome(meter), {"watts": [1.0]})
        await meter.stopService()
        pid = await self.pid()
        self.assertTrue(is_alive(pid))
        os.kill(pid, signal.SIGKILL)

    async def test_it_does_not_run_when_stopped(self) -> None:
        meter = self.meter("echo 1")
        await meter.stopService()
        self.assertEqual(await self.outcome(meter), {"error": "no_data"})
        meter.startService()
        self.assertEqual(await self.outcome(meter), {"watts": [1.0]})


class BadInputTests(ProcessTestCase):
    """What a command can do to us."""

    async def test_it_fails(self) -> None:
        for command, words in (
            ("echo 5; echo bad >&2; exit 3", "ended with status 3: bad"),
            ("false", "ended with status 1"),
            ("/nowhere/read-meter", "ended with status 127: "),
            ("kill -9 $$", "ended with signal 9"),
            ("echo first >&2; echo >&2; echo last >&2; echo >&2; exit 1", "status 1: last"),
            ("if", "ended with status 2: "),
        ):
            error = await self.error(command)
            self.assertEqual(error.kind, "script_failed", command)
            self.assertIn(words, str(error))

    async def test_it_complains_at_length(self) -> None:
        error = await self.error(
            "yes bad | head -c 1000000 >&2; yes x | tr -d '\\n' | head -c 999 >&2; exit 1"
        )
        self.assertEqual(error.kind, "script_failed")
        self.assertTrue(str(error).endswith("xxx..."), str(error))
        self.assertLess(len(str(error)), 300)

    async def test_it_prints_what_is_no_power(self) -> None:
        for command, kind in (
            ("echo 12W", "not_numeric"),
            ("echo 1; echo; echo watts", "not_numeric"),
            ("echo nan", "not_numeric"),
            ("echo inf", "not_numeric"),
            ("echo 1e300", "not_numeric"),
            ("printf '\\377\\376\\0'", "not_numeric"),
            ("echo '{\"power\": 5}'", "not_numeric"),
            ("echo 1 2 3", "not_numeric"),
            ("true", "no_data"),
            ("echo; echo ' '", "no_data"),
            (f"yes 1 | head -n {MAX_VALUES + 1}", "bad_structure"),
        ):
            error = await self.error(command)
            self.assertEqual(error.kind, kind, command)
            self.assertLess(len(str(error)), 200)

    async def test_silence_with_a_complaint_shows_it(self) -> None:
        error = await self.error("echo 'no route to meter' >&2")
        self.assertEqual(str(error), "the command printed nothing: no route to meter")

    async def test_it_never_stops_printing(self) -> None:
        error = await self.error(f"echo $$ > {self.log}; yes 100")
        self.assertEqual(error.kind, "bad_structure")
        self.assertIn(f"more than {MAX_OUTPUT} bytes", str(error))
        pid = await self.pid()
        await until(lambda: not is_alive(pid))

    async def test_it_takes_too_long_and_is_killed_with_all_it_has_started(self) -> None:
        error = await self.error(f"sleep 60 & echo $! > {self.log}; wait", 1.0)
        self.assertEqual(error.kind, "timeout")
        self.assertIn("TIMEOUT = 1 s", str(error))
        pid = await self.pid()
        await until(lambda: not is_alive(pid))

    async def test_it_ignores_all_signals_that_can_be_ignored(self) -> None:
        error = await self.error("trap '' TERM INT HUP; sleep 60; sleep 60", 0.3)
        self.assertEqual(error.kind, "timeout")

    async def test_somebody_else_keeps_its_output_open(self) -> None:
        command = f"setsid sh -c 'echo $$ > {self.log}; exec sleep 60' & sleep 0.1; echo 1"
        one = Command(reactor, command, 1.0)
        with self.assertRaises(MeterError) as caught:
            await one.watts()
        self.assertEqual(caught.exception.kind, "timeout")
        # It counts as ended all the same.
        await until(lambda: one._run.has_ended)
        pid = await self.pid()
        self.assertTrue(is_alive(pid))
        os.kill(pid, signal.SIGKILL)

    async def test_after_a_timeout_it_runs_again(self) -> None:
        meter = self.meter(f"test -e {self.log} || {{ echo > {self.log}; sleep 60; }}; echo 7", 2.0)
        self.assertEqual(await self.outcome(meter), {"error": "timeout"})
        self.assertEqual(await self.outcome(meter), {"watts": [7.0]})

    async def test_a_stop_ends_it_with_all_it_has_started(self) -> None:
        meter = self.meter(f"sleep 60 & echo $! > {self.log}; wait")
        reading = meter.read()
        pid = await self.pid()
        await meter.stopService()
        await self.assertFailure(reading, MeterError)
        await until(lambda: not is_alive(pid))

    async def test_without_setsid_the_shell_at_least_is_killed(self) -> None:
        self.patch(script.shutil, "which", lambda _name: None)
        meter = self.meter(f"echo $$ > {self.log}; exec sleep 60", 1.0)
        self.assertEqual(await self.outcome(meter), {"error": "timeout"})
        pid = await self.pid()
        await until(lambda: not is_alive(pid))

    async def test_no_zombies_and_no_open_files_stay(self) -> None:
        meter = self.meter("echo 1")
        await meter.read()
        opened = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            await meter.read()
        await self.error("sleep 60", 0.1)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= opened)
        await until(lambda: not any(map(_is_zombie, _children())))


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and not is_alive(pid)


@implementer(IReactorProcess)
class Processes(Clock):
    """A reactor whose processes do what the test says.

    :ivar refusal: raised instead of starting one, when set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusal: OSError | None = None
        self.runs: list[CommandRun] = []
        self.started: list[tuple[str, list[str], Any]] = []

    def spawnProcess(self, run: CommandRun, executable: str, args: list[str], env: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.started.append((executable, args, env))
        self.runs.append(run)
        run.makeConnection(Immortal())


class Immortal:
    """A process that does not even die when killed."""

    pid = 2**30
    killed = 0

    def closeStdin(self) -> None:
        pass

    def signalProcess(self, name: str) -> None:
        assert name == "KILL"
        self.killed += 1

    def loseConnection(self) -> None:
        pass


class ClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.processes = Processes()
        self.meter = build(self.processes, "SCRIPT", configured(COMMAND="read -m; x"))
        self.meter.startService()

    def kind_of(self, reading: Deferred[Any]) -> str:
        return str(self.failureResultOf(reading, MeterError).value.kind)

    def test_the_command_is_one_argument_of_the_shell(self) -> None:
        self.meter.read()
        [(executable, args, env)] = self.processes.started
        self.assertEqual(args[-3:], ["/bin/sh", "-c", "read -m; x"])
        self.assertEqual((executable, env), (args[0], None))

    def test_one_that_does_not_die_is_not_joined_by_another(self) -> None:
        first = self.meter.read()
        self.processes.advance(9.9)
        self.assertNoResult(first)
        self.processes.advance(0.1)
        self.assertEqual(self.kind_of(first), "timeout")
        self.assertEqual(self.processes.runs[0].transport.killed, 1)
        second = self.meter.read()
        self.assertNoResult(second)
        self.processes.advance(DYING_S)
        self.assertEqual(self.kind_of(second), "timeout")
        third = self.meter.read()
        self.processes.runs[0].processEnded(Failure(ProcessDone(0)))
        self.assertEqual(len(self.processes.runs), 2)
        self.processes.runs[1].outReceived(b"5\n")
        self.processes.runs[1].processEnded(Failure(ProcessDone(0)))
        self.assertEqual(self.successResultOf(third).watts, (5.0,))
        self.assertEqual(self.processes.getDelayedCalls(), [])

    def test_a_stop_does_not_wait_for_ever(self) -> None:
        self.meter.read().addErrback(lambda _failure: None)
        stopped = self.meter.stopService()
        self.assertNoResult(stopped)
        self.processes.advance(DYING_S)
        self.successResultOf(stopped)
        self.assertEqual(self.processes.getDelayedCalls(), [])

    def test_no_process_can_be_started(self) -> None:
        self.processes.refusal = OSError(11, "Resource temporarily unavailable")
        error = self.failureResultOf(self.meter.read(), MeterError).value
        self.assertEqual(error.kind, "script_failed")
        self.assertIn("cannot be started: Resource temporarily unavailable", str(error))

    def test_a_world_without_processes(self) -> None:
        meter = build(Clock(), "SCRIPT", configured(COMMAND="x"))
        meter.startService()
        self.assertEqual(self.kind_of(meter.read()), "script_failed")

    def test_what_it_says_is_kept_within_bounds(self) -> None:
        run = CommandRun()
        for _ in range(100):
            run.outReceived(bytes(60_000))
            run.errReceived(bytes(60_000))
        self.assertEqual(len(run._printed), MAX_OUTPUT + 1)
        self.assertLess(len(run._complained), 10_000)

    def test_any_output_is_a_reading_or_a_meter_error(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(st.lists(st.binary(max_size=20) | st.floats().map(lambda x: b"%r\n" % x)))
        def check(pieces: list[bytes]) -> None:
            run = CommandRun()
            for piece in pieces:
                run.outReceived(piece)
                run.errReceived(piece)
            run.processEnded(Failure(ProcessDone(0)))
            try:
                watts = run.watts()
            except MeterError as error:
                self.assertLess(len(str(error)), 300)
            else:
                self.assertEqual([type(value) for value in watts], [float] * len(watts))
                self.assertGreater(len(watts), 0)

        check()


class OptionTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        self.assertEqual(configured(COMMAND="x").timeout, 10.0)
        self.assertEqual(KIND.max_age_s, 0.0)

    def test_the_command_is_kept_as_written(self) -> None:
        command = 'echo "$X; 5" # it\'s # 100 %'
        self.assertEqual(configured(COMMAND=command).command, command)

    def test_what_is_refused(self) -> None:
        for lines, words in (
            ((), "COMMAND: this key is required"),
            (("COMMAND = x", "TIMEOUT = 0"), "TIMEOUT: this is a number 0.1..300"),
        ):
            [problem] = problems_of("SCRIPT", *lines)
            self.assertIn(words, problem)
