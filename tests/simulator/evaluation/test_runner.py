"""Runs in one process and in many give the same rows, and end clearly when they fail."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation import runner
from simulator.evaluation.cases import cases, select
from simulator.evaluation.runner import Job, RunError, jobs_of, play_all

NAMES = ("S01", "S10", "S41")


def jobs(charts: bool = True) -> list[Job]:
    return jobs_of(select(NAMES, cases()), [1, 2], charts=charts)


def text(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows)


class Jobs(SynchronousTestCase):
    def test_only_the_first_seed_is_drawn(self) -> None:
        self.assertEqual([job.charts for job in jobs()], [True, False] * 3)

    def test_settings_reach_the_controller(self) -> None:
        case = select(["S11"], cases())
        (low,) = play_all(jobs_of(case, [1]), 1)
        (high,) = play_all(jobs_of(case, [1], settings={"min_dc_output": 300.0}), 1)
        self.assertGreater(high["export_wh"], low["export_wh"] + 10)


class Rows(SynchronousTestCase):
    def test_in_parallel_they_are_the_same_in_the_same_order(self) -> None:
        done: list[str] = []
        one = play_all(jobs(), 1)
        many = play_all(jobs(), 3, lambda job: done.append(job.name))
        self.assertEqual(text(one), text(many))
        self.assertEqual(len(done), 6)

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        self.assertEqual(text(play_all(jobs(), 1)), text(play_all(jobs(), 1)))

    def test_another_seed_gives_others(self) -> None:
        first, second = play_all(jobs(charts=False)[:2], 1)
        self.assertNotEqual({**first, "seed": 0}, {**second, "seed": 0})


class Failures(SynchronousTestCase):
    def test_a_run_that_fails_is_named(self) -> None:
        self.patch(runner, "play", _fails)
        error = self.assertRaises(RunError, play_all, jobs(), 1)
        self.assertEqual(
            str(error), "S01-single-hmg-step with seed 1 failed: ZeroDivisionError: oh"
        )

    def test_a_run_that_fails_elsewhere_is_named(self) -> None:
        bad = Job("no such scenario", 1)
        error = self.assertRaises(RunError, play_all, [bad, bad], 2)
        self.assertIn("no such scenario with seed 1 failed: KeyError", str(error))

    def test_a_process_that_dies_is_told(self) -> None:
        deadly = Job("S01-single-hmg-step", 1, settings=_Deadly())
        error = self.assertRaises(RunError, play_all, [deadly, deadly], 2)
        self.assertIn("a process died during S01-single-hmg-step with seed 1", str(error))


def _fails(_job: Job) -> dict[str, Any]:
    raise ZeroDivisionError("oh")


class _Deadly(dict[str, Any]):
    """Settings that kill the process that unpacks them."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return (_die, ())


def _die() -> Mapping[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
