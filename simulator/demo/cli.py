"""The entry point of the demo: its options, its reactor, and how it ends."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence

DEFAULT_SPEED = 20.0
DEFAULT_START = "10:00"
DEFAULT_SEED = 2003
DEFAULT_BATTERIES = 3
LARGEST_SPEED = 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status: 0, 1 when it could not go on, 2 for bad usage."""
    try:
        return _main(argv)
    except KeyboardInterrupt:
        return 0  # while it was still starting
    except ModuleNotFoundError as error:
        if error.name != "urwid":
            raise
        sys.stderr.write(
            "the demo needs urwid: run `make demo`, or pip install 'astrameter[sim]'\n"
        )
        return 1


def _main(argv: Sequence[str] | None) -> int:
    given = _parser().parse_args(argv)
    # What takes half a second to import comes after the options and inside main's care.
    from twisted.internet import reactor  # noqa: PLC0415  only this entry point knows it

    from simulator.demo.run import run  # noqa: PLC0415
    from simulator.demo.stage import Wishes  # noqa: PLC0415

    wishes = Wishes(given.speed, given.start, given.seed, given.batteries)
    plain = given.plain or not _has_terminal()
    return run(reactor, wishes, seconds=given.seconds, plain=plain, environ=os.environ)


def _has_terminal() -> bool:
    """Whether there is somebody to look and to press keys, on something that can move a cursor."""
    interactive = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return interactive and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.demo",
        description="A simulated house with batteries that follow AstraMeter, live in this "
        "terminal. Control runs in real time; the day of the house passes faster.",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=DEFAULT_SPEED,
        metavar="TIMES",
        help="how many times faster than the clock the day passes (default: %(default)g)",
    )
    parser.add_argument(
        "--start",
        type=_time_of_day,
        default=DEFAULT_START,
        metavar="HH:MM",
        help="time of day at which it begins (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=_seconds, metavar="N", help="end by itself after N seconds"
    )
    parser.add_argument(
        "--batteries",
        type=_batteries,
        default=DEFAULT_BATTERIES,
        metavar="N",
        help="how many batteries, 1 to 24 (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="another number, another day"
    )
    parser.add_argument(
        "--plain", action="store_true", help="a line a second, as when there is no terminal"
    )
    return parser


def _speed(text: str) -> float:
    return _number(text, 0.01, LARGEST_SPEED)


def _seconds(text: str) -> float:
    return _number(text, 0.0, 1e9)


def _batteries(text: str) -> int:
    return int(_number(text, 1, 24))


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from {low:g} to {high:g} is wanted")
    return value


def _time_of_day(text: str) -> float:
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: a time of day such as 18:30 is wanted")
    return int(found[1]) * 3600.0 + int(found[2]) * 60.0
