"""``astra-sim evaluate``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from simulator.commands import evaluate
from simulator.commands.evaluate import add_arguments, run
from tests.process import hear_interrupts

ROOT = Path(__file__).resolve().parents[3]


class Command(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def evaluate(self, *arguments: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        out, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", errors)
        try:
            status = run(parser.parse_args([*arguments, "--jobs", "1"]))
        finally:
            self.doCleanups()
        return status, out.getvalue(), errors.getvalue()

    def file(self, name: str, text: str = "") -> str:
        path = self.folder / name
        if text:
            path.write_text(text, "utf-8")
        return str(path)


class Runs(Command):
    def test_the_figures_are_printed_means_first(self) -> None:
        status, out, errors = self.evaluate("S41", "--scenario", "S10", "--seeds", "2")
        self.assertEqual(status, 0)
        blocks = out.split("\n\n")
        self.assertTrue(blocks[0].startswith("== AGGREGATE (2 scenarios)"))
        self.assertIn(
            "== S41-coarse-meter on classic (mean of 2 seeds, 0.2h, 1.0 events)", blocks[2]
        )
        self.assertIn("settle_mean_s", blocks[2])
        self.assertRegex(
            blocks[2], r"200\.0 s on +[\d.]+ s, least possible [\d.]+ s x \d\.\d\d, overshoot"
        )
        self.assertIn("overshoot_worst_w", blocks[2])
        self.assertIn("beside 107.9 of 2.2.3", blocks[2])
        self.assertIn("2/4 S10-single-b2500-step\n", errors)
        self.assertIn("2 of 2 recorded courses better than or equal to 2.2.3", errors)

    def test_rows_and_report_are_written(self) -> None:
        rows, report = self.file("rows.json"), self.file("report.html")
        status, _, errors = self.evaluate("S41", "--seeds", "1", "--json", rows, "--html", report)
        self.assertEqual(status, 0)
        (row,) = json.loads(Path(rows).read_text("utf-8"))
        self.assertEqual(row["scenario"], "S41-coarse-meter")
        self.assertIn("grid_trace", row)
        self.assertIn("S41-coarse-meter", Path(report).read_text("utf-8"))
        self.assertIn("report: file:///", errors)

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        written = []
        for name in ("a", "b"):
            rows, report = self.file(f"{name}.json"), self.file(f"{name}.html")
            self.evaluate("S41", "--seeds", "1", "--json", rows, "--html", report)
            written.append((Path(rows).read_bytes(), Path(report).read_bytes()))
        self.assertEqual(*written)

    def test_list(self) -> None:
        status, out, _ = self.evaluate("--list")
        self.assertEqual(status, 0)
        self.assertIn("two_venus/fair               standard   sharing\n", out)

    def test_an_option_can_be_set(self) -> None:
        status, _, errors = self.evaluate("S41", "--seeds", "1", "--set", "BALANCE_GAIN=0.3")
        self.assertEqual(status, 0)
        self.assertIn("BALANCE_GAIN has no effect", errors)

    def test_a_trace_adds_its_scenarios(self) -> None:
        trace = self.file("t.csv", "".join(f"{t},{500 + t % 900}\n" for t in range(0, 10810, 10)))
        status, out, _ = self.evaluate("single_venus_trace", "--seeds", "1", "--trace", trace)
        self.assertEqual(status, 0)
        self.assertIn("== single_venus_trace on field", out)


class Comparisons(Command):
    def test_with_itself_nothing_changes(self) -> None:
        rows = self.file("rows.json")
        self.evaluate("S41", "--seeds", "1", "--json", rows)
        status, out, _ = self.evaluate("--input", rows, "--compare", rows)
        self.assertEqual(status, 0)
        self.assertIn("0 improved, 0 regressed, 15 unchanged", out)

    def test_a_guarded_figure_that_is_worse_is_exit_status_1(self) -> None:
        rows = self.file("rows.json")
        self.evaluate("S41", "--seeds", "1", "--json", rows)
        (row,) = json.loads(Path(rows).read_text("utf-8"))
        better = self.file("better.json", json.dumps([{**row, "grid_p2p_w": 1.0}]))
        status, out, errors = self.evaluate("--input", rows, "--compare", better)
        self.assertEqual(status, 1)
        self.assertIn("**Worse where it must not be:** grid_p2p_w", out)
        self.assertIn("worse where it must not be: grid_p2p_w", errors)

    def test_a_scenario_that_is_not_as_it_must_be_is_exit_status_1(self) -> None:
        rows = self.file("rows.json")
        self.evaluate("S41", "--seeds", "1", "--json", rows)
        (row,) = json.loads(Path(rows).read_text("utf-8"))
        bad = self.file("bad.json", json.dumps([{**row, "problems": ["it swings"]}]))
        status, out, errors = self.evaluate("--input", bad)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("S41-coarse-meter: it swings", errors)

    def test_the_predecessor_is_always_there(self) -> None:
        status, out, _ = self.evaluate(
            "single_venus_d_washer",
            "--seeds",
            "1",
            "--plant",
            "classic",
            "--compare",
            "predecessor",
        )
        self.assertEqual(status, 0)
        self.assertIn("| grid_rms_w | 61 W |", out)
        self.assertIn("Only in the base:", out)


class Mistakes(Command):
    def refused(self, *arguments: str) -> str:
        status, out, errors = self.evaluate(*arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertNotIn("Traceback", errors)
        return errors

    def test_seeds_and_jobs(self) -> None:
        self.assertIn("--seeds must be >= 1", self.refused("--seeds", "0"))
        self.assertIn("--seeds must be >= 1", self.refused("--seeds", "100000"))

    def test_names(self) -> None:
        self.assertIn("no scenario is called 'nope'", self.refused("nope"))

    def test_settings(self) -> None:
        self.assertIn("expects KEY=VALUE, got 'foo'", self.refused("S41", "--set", "foo"))

    def test_batteries(self) -> None:
        self.assertIn("--battery expects KEY=VALUE", self.refused("--battery", "mac=1"))
        self.assertIn("recharge_mode must be", self.refused("--battery", "recharge_mode=7"))

    def test_files_to_read(self) -> None:
        self.assertIn("No such file", self.refused("--input", self.file("none.json")))
        bad = self.file("bad.json", "{")
        self.assertIn("no JSON", self.refused("S41", "--compare", bad))
        self.assertIn("no sample", self.refused("--trace", self.file("bad.csv", "x\n")))

    def test_files_to_write_are_tried_before_the_work(self) -> None:
        for option in ("--json", "--html"):
            self.assertIn("cannot be written", self.refused("S41", option, "/nowhere/at/all"))

    def test_input_runs_nothing(self) -> None:
        rows = self.file("rows.json", "[]")
        self.assertIn("runs nothing", self.refused("S41", "--input", rows))

    def test_a_run_that_fails_is_one_line(self) -> None:
        from simulator.evaluation import runner  # noqa: PLC0415  only to break it

        def fails(_job: object) -> None:
            raise ValueError("oh")

        self.patch(runner, "play", fails)
        status, out, errors = self.evaluate("S41", "--seeds", "1")
        self.assertEqual((status, out), (evaluate.BAD, ""))
        self.assertEqual(errors, "evaluate: S41-coarse-meter with seed 1 failed: ValueError: oh\n")


class Processes(SynchronousTestCase):
    """The real program."""

    def test_control_c_ends_it_at_once_and_without_a_traceback(self) -> None:
        hear_interrupts()
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator.evaluation", "--jobs", "2"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        self.assertRegex(first, r"\d+/135 ")
        self.assertEqual(process.returncode, 130)
        self.assertTrue(errors.endswith("evaluate: interrupted\n"), errors)
        self.assertNotIn("Traceback", errors)
        deadline = time.monotonic() + 20
        while _group_lives(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(_group_lives(process.pid))


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
