"""Many runs on all cores."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from typing import Any

from astrameter.ct.options import CtOptions
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Controller
from simulator.evaluation.account import Account
from simulator.evaluation.cases import Case, cases
from simulator.evaluation.oracle import TrueLoad
from simulator.evaluation.rows import row_of

Row = dict[str, Any]


class RunError(Exception):
    """A run ended badly; the text says which, and how."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run. Everything in it can be sent to another process.

    :ivar made_with: what the cases were made with (:func:`~simulator.evaluation.cases.cases`).
    :ivar oracle: the controller is told the true load.
    """

    name: str
    seed: int
    made_with: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    charts: bool = False
    oracle: bool = False


def jobs_of(
    chosen: Sequence[Case],
    seeds: Sequence[int],
    *,
    made_with: tuple[Any, ...] = (),
    settings: Mapping[str, Any] | None = None,
    charts: bool = False,
    oracle: bool = False,
) -> list[Job]:
    """Every case with every seed; only the first seed is drawn."""
    return [
        Job(case.name, seed, made_with, settings or {}, charts and number == 0, oracle)
        for case in chosen
        for number, seed in enumerate(seeds)
    ]


def play(job: Job) -> Row:
    """One run, in this process."""
    case = cases(*job.made_with)[job.name]
    oracle = TrueLoad() if job.oracle else None
    account = Account(oracle) if job.charts else None

    def make(options: CtOptions) -> Controller:
        return Steering(options, observer=oracle)

    recording = case.play(job.seed, account.controller if account else make, job.settings, oracle)
    return row_of(case, job.seed, recording, case.judge(recording), account)


def play_all(
    jobs: Sequence[Job], processes: int, done: Callable[[Job], None] = lambda _job: None
) -> list[Row]:
    """All runs; the rows come in the order of the jobs, whichever was ready first.

    :param processes: how many at once; with 1 everything happens in this process.
    :param done: is told of each run that is over.
    :raises RunError: when a run failed, or a process died.
    """
    if processes <= 1 or len(jobs) <= 1:
        rows = []
        for job in jobs:
            rows.append(_guarded(job))
            done(job)
        return rows
    return [row for _, row in sorted(_in_parallel(jobs, processes, done), key=lambda one: one[0])]


def _guarded(job: Job) -> Row:
    try:
        return play(job)
    except Exception as error:
        raise _failed(job, error) from error


def _failed(job: Job, error: BaseException) -> RunError:
    return RunError(f"{job.name} with seed {job.seed} failed: {type(error).__name__}: {error}")


def _in_parallel(
    jobs: Sequence[Job], processes: int, done: Callable[[Job], None]
) -> Iterator[tuple[int, Row]]:
    executor = ProcessPoolExecutor(min(processes, len(jobs)), mp_context=get_context("spawn"))
    try:
        with _deaf_to_interrupts():
            waiting: dict[Future[Row], int] = {
                executor.submit(play, job): number for number, job in enumerate(jobs)
            }
        while waiting:
            ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                number = waiting.pop(future)
                yield number, _result(future, jobs[number])
                done(jobs[number])
    except BaseException:
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started within never hear of a Ctrl-C, not even while they start: it
    would end them before this process, which has the say, and with a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Future[Row], job: Job) -> Row:
    try:
        return future.result()
    except BrokenProcessPool:
        raise RunError(
            f"a process died during {job.name} with seed {job.seed} or beside it; "
            "was it killed, or out of memory? --jobs 1 runs everything in one"
        ) from None
    except Exception as error:
        raise _failed(job, error) from error
