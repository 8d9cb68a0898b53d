"""``astrameter``: run the appliance, or look at its configuration and meters.

The only module besides the twistd tap and ``simulator``'s own entry points that knows the
global reactor.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from astrameter import __version__
from astrameter.config import Overrides
from astrameter.general import DEVICE_TYPES
from astrameter.logs import start_logging

DEFAULT_CONFIG = "config.ini"
_LONGEST_LISTENING_S = 3600.0


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status (0, 1, or 2 for bad usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments.pop(0) if arguments and arguments[0] in COMMANDS else "run"
    parse, execute = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog="astrameter" if name == "run" else f"astrameter {name}",
        description=parse.__doc__,
        epilog=_EPILOG if name == "run" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c", "--config", default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s"
    )
    parse(parser)
    given = parser.parse_args(arguments)
    try:
        return execute(given)
    except BrokenPipeError:
        # Whoever read the output has gone; without this, flushing at exit fails again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


_EPILOG = """commands:
  run           run the appliance (also without a command)
  check         print everything that is wrong with the configuration
  read          read each configured meter and show what it says
  doctor        examine meters, ports, network and batteries, and say what to mend
  explain       say why the running appliance tells each battery what it tells it
  console       look at the running appliance live, and steer it
  show-config   print the effective configuration and where each value is from

`astrameter COMMAND --help` tells more. A running daemon re-reads its file on SIGHUP.
"""


def _parse_run(parser: argparse.ArgumentParser) -> None:
    """Make any electricity meter look like one that home batteries follow."""
    parser.add_argument("--version", action="version", version=f"astrameter {__version__}")
    _add_overrides(parser)
    _add_loglevel(parser)


def _run(given: argparse.Namespace) -> int:
    start_logging(sys.stderr, given.loglevel)
    from twisted.internet import reactor

    from astrameter.commands import daemon

    return daemon.run(reactor, given.config, _overrides(given), sys.stderr)


def _parse_check(parser: argparse.ArgumentParser) -> None:
    """Print every problem of the configuration; exit 0 when it can be used, else 1."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_overrides(parser)


def _check(given: argparse.Namespace) -> int:
    from astrameter.commands import check

    overrides = _overrides(given)
    return check.run(given.config, sys.stdout, as_json=given.json, overrides=overrides)


def _parse_show_config(parser: argparse.ArgumentParser) -> None:
    """Print the effective configuration; secrets are not shown."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_overrides(parser)


def _show_config(given: argparse.Namespace) -> int:
    from astrameter.commands import show_config

    overrides = _overrides(given)
    return show_config.run(given.config, sys.stdout, as_json=given.json, overrides=overrides)


def _parse_read(parser: argparse.ArgumentParser) -> None:
    """Read each configured meter; exit 1 when one could not be read."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--watch", action="store_true", help="read again every second")
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="append every sample to FILE, without the filters, until interrupted; [REPLAY] "
        "plays it. Implies --watch",
    )
    _add_loglevel(parser)


def _read(given: argparse.Namespace) -> int:
    from astrameter.commands import read

    settings = read.load(given.config, sys.stderr)
    if settings is None:
        return 1
    start_logging(sys.stderr, given.loglevel)
    from twisted.internet import reactor

    return read.run(
        reactor,
        settings,
        sys.stdout,
        as_json=given.json,
        watch=given.watch,
        record=given.record,
        errors=sys.stderr,
    )


def _parse_doctor(parser: argparse.ArgumentParser) -> None:
    """Examine everything, and say what to mend; exit 0 when nothing is a problem, else 1.

    It answers batteries as the daemon would while it listens for them. When the daemon runs
    already, it is asked instead.
    """
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--listen",
        type=_listening_time,
        default=20.0,
        metavar="SECONDS",
        help="how long to listen for batteries; 0 does not (default: %(default)g)",
    )
    _add_overrides(parser)
    _add_loglevel(parser, "critical")


def _listening_time(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST_LISTENING_S:
        raise argparse.ArgumentTypeError(f"this is 0..{_LONGEST_LISTENING_S:g} seconds")
    return seconds


def _doctor(given: argparse.Namespace) -> int:
    start_logging(sys.stderr, given.loglevel)
    from twisted.internet import reactor

    from astrameter.commands import doctor
    from astrameter.doctor.examination import Request

    request = Request(given.config, given.listen, _overrides(given))
    return doctor.run(reactor, request, sys.stdout, sys.stderr, as_json=given.json)


def _parse_explain(parser: argparse.ArgumentParser) -> None:
    """Say why the running appliance tells each battery what it tells it.

    Exit 1 when it does not run, or does not know the battery.
    """
    parser.add_argument("battery", nargs="?", metavar="MAC", help="this battery only, with figures")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--watch", action="store_true", help="go on with each new decision")


def _explain(given: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from astrameter.commands import explain

    wanted = explain.Wanted(given.battery, given.json, given.watch)
    return explain.run(reactor, given.config, wanted, sys.stdout, sys.stderr)


def _parse_console(parser: argparse.ArgumentParser) -> None:
    """Look at the running appliance live on this terminal, and steer it; `?` shows the keys."""
    parser.add_argument("--view", action="store_true", help="look only: nothing can be changed")


def _console(given: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from astrameter.commands import console

    return console.run(reactor, given.config, os.environ, sys.stderr, look_only=given.view)


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-t",
        "--skip-powermeter-test",
        action="store_true",
        help="start without reading each meter once",
    )
    parser.add_argument(
        "-d",
        "--device-types",
        nargs="+",
        choices=DEVICE_TYPES,
        metavar="TYPE",
        help="emulate these instead of [GENERAL] DEVICE_TYPE: " + ", ".join(DEVICE_TYPES),
    )
    parser.add_argument(
        "--device-ids", nargs="+", metavar="ID", help="instead of [GENERAL] DEVICE_IDS"
    )
    parser.add_argument(
        "--throttle-interval",
        type=float,
        metavar="SECONDS",
        help="instead of [GENERAL] THROTTLE_INTERVAL",
    )


def _add_loglevel(parser: argparse.ArgumentParser, default: str = "warning") -> None:
    parser.add_argument(
        "-log",
        "--loglevel",
        default=os.environ.get("LOG_LEVEL", default),
        metavar="LEVEL",
        help=f"critical, error, warning, info or debug (default: $LOG_LEVEL, else {default})",
    )


def _overrides(given: argparse.Namespace) -> Overrides:
    return Overrides(
        device_types=None if given.device_types is None else tuple(given.device_types),
        device_ids=None if given.device_ids is None else tuple(given.device_ids),
        skip_powermeter_test=given.skip_powermeter_test,
        throttle_interval=given.throttle_interval,
    )


_Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

COMMANDS: dict[str, _Command] = {
    "run": (_parse_run, _run),
    "check": (_parse_check, _check),
    "doctor": (_parse_doctor, _doctor),
    "read": (_parse_read, _read),
    "explain": (_parse_explain, _explain),
    "console": (_parse_console, _console),
    "show-config": (_parse_show_config, _show_config),
}
