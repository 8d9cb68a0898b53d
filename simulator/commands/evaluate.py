"""``evaluate``: how good the steering is, in simulated time."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.evaluation.cases import Case

DEFAULT_SEEDS = 5
LARGEST_SEEDS = 1000
GOOD, BAD, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\
NAME is a scenario (two_venus/fair), a pattern ('single_*'), or a group: standard (the 27 of
evaluation.md; what is run when nothing is named), household (a stochastic household), recorded
(54 courses with the predecessor's results; S05 is enough), robust (slow meters, lost packets,
laws nobody knows), all. --list shows them.

The exit status is 1 when a guarded figure is more than 5 % worse than --compare, or when a
scenario is not as it must be; 2 when the command is wrong.

examples:
  astra-sim evaluate --html report.html --compare predecessor --plant classic
  astra-sim evaluate 'two_venus*' --seeds 3 --set MIN_EFFICIENT_POWER=150
  astra-sim evaluate recorded robust --seeds 1
  astra-sim evaluate --json base.json;  ...;  astra-sim evaluate --compare base.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run")
    parser.add_argument("--scenario", action="append", default=[], help="the same, repeatable")
    parser.add_argument("--list", action="store_true", help="list all scenarios and end")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument(
        "--seeds", type=int, default=DEFAULT_SEEDS, help=f"how many (default {DEFAULT_SEEDS})"
    )
    parser.add_argument(
        "--plant",
        choices=("field", "classic"),
        help="laws of the batteries: today's firmware (default), or what the predecessor simulated",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="an option of [CT002], repeatable",
    )
    parser.add_argument(
        "--battery",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of all batteries but those of robust, repeatable: report_index=1, "
        "recharge_mode=0, stepping=continuous, ...",
    )
    parser.add_argument(
        "--oracle",
        action="store_true",
        help="tell the controller the true load of the house instead of what the meter shows: "
        "what cannot be had by better estimating",
    )
    parser.add_argument(
        "--trace",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="recorded load: lines 't_s,watts' or 't_s,load_w,pv_w'; adds the scenarios for it",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows, with charts")
    parser.add_argument("--input", type=Path, metavar="FILE", help="rows of --json; run nothing")
    parser.add_argument(
        "--compare", metavar="BASE", help="rows of --json, or the word 'predecessor'"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with charts")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="runs at once (default: all cores)"
    )


class _WrongUseError(Exception):
    """The text says what is wrong with the command."""


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    try:
        return _run(options)
    except _WrongUseError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"evaluate: {line}\n")
        return WRONG_USE
    except KeyboardInterrupt:
        sys.stderr.write("\nevaluate: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever was reading has seen enough; nothing more is to be flushed on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD


def _run(options: argparse.Namespace) -> int:
    # What takes half a second to import comes after the options.
    from simulator.evaluation.cases import cases, changes_of  # noqa: PLC0415
    from simulator.evaluation.compare import compare  # noqa: PLC0415
    from simulator.evaluation.text import markdown, summary, table  # noqa: PLC0415

    _check_numbers(options)
    traces = tuple(path.resolve() for path in options.trace)
    try:
        made_with = (options.plant, traces, changes_of(options.battery))
        known = cases(*made_with)
    except ValueError as error:
        raise _WrongUseError(str(error)) from None
    if options.list:
        _list(list(known.values()))
        return GOOD
    base = _base(options.compare)
    for path in (options.json, options.html):
        _check_writable(path)
    if options.input is not None:
        rows = _read_rows(options.input, whole=True)
    else:
        rows = _play(options, known, made_with)
        if not rows:
            return BAD
    comparison = compare(base, rows) if base is not None else None
    if comparison is not None:
        sys.stdout.write(markdown(comparison))
    elif options.input is None:
        sys.stdout.write(table(rows))
    _write(options, rows, base)
    for line in summary(rows):
        sys.stderr.write(f"{line}\n")
    harmed = comparison is not None and bool(comparison.harms())
    if harmed and comparison is not None:
        sys.stderr.write(f"worse where it must not be: {', '.join(comparison.harms())}\n")
    return BAD if harmed or any(row.get("problems") for row in rows) else GOOD


def _check_numbers(options: argparse.Namespace) -> None:
    if not 1 <= options.seeds <= LARGEST_SEEDS:
        raise _WrongUseError(f"--seeds must be >= 1 and at most {LARGEST_SEEDS}")
    if options.jobs < 1:
        raise _WrongUseError("--jobs must be >= 1")
    if options.input is not None and (options.names or options.scenario):
        raise _WrongUseError("--input runs nothing: leave out the names")


def _list(known: Sequence[Case]) -> None:
    for one in sorted(known, key=lambda case: (case.group, case.name)):
        sys.stdout.write(f"{one.name:<28} {one.group:<10} {one.about}\n")


def _play(options: argparse.Namespace, known: Any, made_with: tuple[Any, ...]) -> list[Any]:
    from simulator.evaluation.cases import UnknownCaseError, select  # noqa: PLC0415
    from simulator.evaluation.progress import Progress  # noqa: PLC0415
    from simulator.evaluation.rows import merged  # noqa: PLC0415
    from simulator.evaluation.runner import RunError, jobs_of, play_all  # noqa: PLC0415
    from simulator.evaluation.settings import SettingsError, parsed  # noqa: PLC0415

    try:
        settings, warnings = parsed(options.settings)
        chosen = select([*options.names, *options.scenario], known)
    except (SettingsError, UnknownCaseError) as error:
        raise _WrongUseError(str(error)) from None
    for warning in warnings:
        sys.stderr.write(f"evaluate: {warning}\n")
    jobs = jobs_of(
        chosen,
        range(options.seed, options.seed + options.seeds),
        made_with=made_with,
        settings=settings,
        charts=options.json is not None or options.html is not None,
        oracle=options.oracle,
    )
    progress = Progress(sys.stderr, len(jobs), sys.stderr.isatty() and "TERM" in os.environ)
    for case in chosen:
        progress.expect(case.name, options.seeds)
    progress.begin()
    try:
        rows = play_all(jobs, options.jobs, lambda job: progress.done(job.name))
    except RunError as error:
        progress.end()
        sys.stderr.write(f"evaluate: {error}\n")
        return []
    finally:
        progress.end()
    size = options.seeds
    return [merged(rows[start : start + size]) for start in range(0, len(rows), size)]


def _base(wanted: str | None) -> Sequence[Any] | None:
    from simulator.evaluation.compare import PREDECESSOR, predecessor  # noqa: PLC0415

    if wanted is None:
        return None
    return predecessor() if wanted == PREDECESSOR else _read_rows(Path(wanted))


def _read_rows(path: Path, *, whole: bool = False) -> list[Any]:
    from simulator.evaluation.compare import CompareError, rows_in, whole_rows_in  # noqa: PLC0415

    try:
        return (whole_rows_in if whole else rows_in)(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise _WrongUseError(f"{path}: {reason}") from None
    except CompareError as error:
        raise _WrongUseError(str(error)) from None


def _check_writable(path: Path | None) -> None:
    """Better before minutes of work than after."""
    if path is None:
        return
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise _WrongUseError(f"{path} cannot be written: is {folder} a directory of yours?")


def _write(options: argparse.Namespace, rows: Sequence[Any], base: Sequence[Any] | None) -> None:
    import json  # noqa: PLC0415  only where something is written

    from simulator.evaluation.page import page  # noqa: PLC0415

    if options.json is not None and options.input is None:
        text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
        options.json.write_text(text + "\n", "utf-8")
    if options.html is not None:
        options.html.write_text(page(rows, base), "utf-8")
        sys.stderr.write(f"report: {options.html.resolve().as_uri()}\n")
