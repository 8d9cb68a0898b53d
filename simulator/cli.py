"""``astra-sim``: the simulator's commands and their options (simulator.md section 2).

Besides the commands in :mod:`simulator.commands` the only module that may import the reactor.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from astrameter import __version__
from simulator.configuration.durations import seconds_of
from simulator.configuration.file import LARGEST_DELAY_POLLS
from simulator.configuration.model import (
    CT_PORT,
    HTTP_PORT,
    LARGEST_TIME_SCALE,
    LOOPBACK,
)

_EPILOG = """commands:
  run             run a simulation (also without a command)
  start, stop     run one in the background
  attach          the console of a simulation that runs
  status          print everything about it as JSON
  load toggle N   switch load N
  solar set W     the sun in watts, max or off
  battery MAC soc X | max-power CHARGE DISCHARGE
  auto on|off     let loads and sun change by themselves
  config          print a configuration of AstraMeter that fits
  evaluate        measure how well AstraMeter steers simulated batteries

`astra-sim COMMAND --help` tells more.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status (0, 1, or 2 for bad usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments.pop(0) if arguments and arguments[0] in COMMANDS else "run"
    parse, module, function = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog="astra-sim" if name == "run" else f"astra-sim {name}",
        description=parse.__doc__,
        epilog=_EPILOG if name == "run" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parse(parser)
    try:
        given = parser.parse_args(arguments)
        command = importlib.import_module(f"simulator.commands.{module}")
        status: int = getattr(command, function)(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone; without this, flushing at exit fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


# ---------------------------------------------------------------------------- the options


def _parse_run(parser: argparse.ArgumentParser) -> None:
    """Simulate a household with batteries, in a console or without one."""
    parser.add_argument("--version", action="version", version=f"astra-sim {__version__}")
    _add_config(parser)
    parser.add_argument(
        "--batteries", type=int, default=1, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--phases", type=int, choices=(1, 3), default=1, help="default: %(default)s"
    )
    parser.add_argument(
        "--base-load", type=_watts, metavar="A[,B[,C]]", help="standing load of the phases, W"
    )
    parser.add_argument(
        "--soc", type=float, default=0.5, metavar="X", help="state of charge (default: %(default)s)"
    )
    parser.add_argument("--ct-host", metavar="HOST", help=f"where the CT is (default: {LOOPBACK})")
    _add_ct_port(parser, None)
    _add_http_port(parser, None)
    parser.add_argument("--no-tui", action="store_true", help="without the console")
    parser.add_argument(
        "--time-scale",
        "--speed",
        dest="time_scale",
        type=_speed,
        metavar="X",
        help="seconds of the site in a second of the clock (default: 1)",
    )
    _add_delay(parser)
    parser.add_argument(
        "--law",
        choices=("field", "classic"),
        help="of every battery: today's firmware, or what AstraMeter 2.x simulated",
    )
    parser.add_argument(
        "--virtual",
        type=_duration,
        nargs="?",
        const=0.0,
        metavar="DURATION",
        help="simulate that long (90s, 15m, 24h) in virtual time, with AstraMeter inside, as fast "
        "as the machine can; with a script as long as that takes",
    )
    parser.add_argument(
        "--appliance",
        metavar="FILE",
        help="with --virtual: AstraMeter's configuration (default: that of `astra-sim config`)",
    )
    parser.add_argument(
        "--script", metavar="FILE", help="play a scenario; exit 1 when its expectations are not met"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same number, the same noise")
    parser.add_argument(
        "--ssh", type=_address, metavar="HOST:PORT", help="serve the console over SSH there"
    )
    parser.add_argument(
        "--authorized-keys", metavar="FILE", help="who may log in, as in OpenSSH's authorized_keys"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log everything")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def _parse_start(parser: argparse.ArgumentParser) -> None:
    """Run a simulation in the background; its log is ~/.astra-sim.log."""
    _add_config(parser)
    _add_ct_port(parser, None)
    _add_http_port(parser, None)
    _add_delay(parser)


def _parse_stop(parser: argparse.ArgumentParser) -> None:
    """Stop the simulation in the background."""
    _add_http_port(parser, None)


def _parse_attach(parser: argparse.ArgumentParser) -> None:
    """Show the console of a simulation that runs; it goes on when you leave."""
    _add_http_port(parser)


def _parse_status(parser: argparse.ArgumentParser) -> None:
    """Print everything about a simulation that runs, as JSON."""
    _add_http_port(parser)


def _parse_load(parser: argparse.ArgumentParser) -> None:
    """Switch a load."""
    parser.add_argument("action", choices=("toggle",))
    parser.add_argument("index", type=int, metavar="INDEX", help="from 1")
    _add_http_port(parser)


def _parse_solar(parser: argparse.ArgumentParser) -> None:
    """Set the sun."""
    parser.add_argument("action", choices=("set",))
    parser.add_argument("value", metavar="VALUE", help="watts, max or off")
    _add_http_port(parser)


def _parse_battery(parser: argparse.ArgumentParser) -> None:
    """Set a battery's state of charge (0 to 1), or its power limits in W."""
    parser.add_argument("mac", metavar="MAC")
    parser.add_argument("action", choices=("soc", "max-power"))
    parser.add_argument("values", nargs="+", metavar="VALUE", help="X, or CHARGE DISCHARGE")
    _add_http_port(parser)


def _parse_auto(parser: argparse.ArgumentParser) -> None:
    """Let loads and sun change by themselves, or not."""
    parser.add_argument("state", choices=("on", "off"))
    _add_http_port(parser)


def _parse_config(parser: argparse.ArgumentParser) -> None:
    """Print a configuration of AstraMeter that fits: `astra-sim config > config.ini`."""
    _add_http_port(parser)
    _add_ct_port(parser)
    parser.add_argument(
        "--phases", type=int, choices=(1, 3), default=3, help="default: %(default)s"
    )


def _parse_evaluate(parser: argparse.ArgumentParser) -> None:
    """Measure how well AstraMeter steers simulated batteries."""
    command: Any = importlib.import_module("simulator.commands.evaluate")
    command.add_arguments(parser)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="JSON file; options about the house are ignored"
    )


def _add_http_port(parser: argparse.ArgumentParser, default: int | None = HTTP_PORT) -> None:
    parser.add_argument(
        "--http-port",
        type=_port,
        default=default,
        metavar="PORT",
        help=f"of the simulator's HTTP API (default: {HTTP_PORT})",
    )


def _add_ct_port(parser: argparse.ArgumentParser, default: int | None = CT_PORT) -> None:
    parser.add_argument(
        "--ct-port",
        type=_port,
        default=default,
        metavar="PORT",
        help=f"UDP port of AstraMeter's CT (default: {CT_PORT})",
    )


def _add_delay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--power-update-delay",
        type=_delay,
        metavar="N",
        help="polls until a new target reaches a battery's inverter; for every battery",
    )


# ---------------------------------------------------------------------------- their values


def _port(text: str) -> int:
    return int(_number(text, 0, 65535))


def _delay(text: str) -> int:
    return int(_number(text, 0, LARGEST_DELAY_POLLS))


def _speed(text: str) -> float:
    value = _number(text, 0, LARGEST_TIME_SCALE)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is wanted")
    return value


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from {low:g} to {high:g} is wanted")
    return value


def _watts(text: str) -> tuple[float, ...]:
    parts = text.split(",")
    if len(parts) > 3:
        raise argparse.ArgumentTypeError(f"{text!r}: at most three phases")
    values = [_number(part, -1e6, 1e6) for part in parts]
    return tuple(int(one) if one.is_integer() else one for one in values)


def _duration(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise argparse.ArgumentTypeError(f"{text!r}: 127.0.0.1:2222 is what it looks like")
    return host.strip("[]"), _port(port)


_Command = tuple[Callable[[argparse.ArgumentParser], None], str, str]

COMMANDS: dict[str, _Command] = {
    "run": (_parse_run, "run", "run"),
    "start": (_parse_start, "daemon", "start"),
    "stop": (_parse_stop, "daemon", "stop"),
    "attach": (_parse_attach, "attach", "run"),
    "status": (_parse_status, "client", "status"),
    "load": (_parse_load, "client", "load"),
    "solar": (_parse_solar, "client", "solar"),
    "battery": (_parse_battery, "client", "battery"),
    "auto": (_parse_auto, "client", "auto"),
    "config": (_parse_config, "config", "run"),
    "evaluate": (_parse_evaluate, "evaluate", "run"),
}
