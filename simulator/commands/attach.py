"""``attach``: the console of a simulator that runs elsewhere on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from twisted.internet.defer import Deferred

from astrameter.monotonic import use_monotonic_time
from simulator.commands.client import Refused, Unreachable, ask
from simulator.commands.logs import start_logging
from simulator.commands.terminal import HINT, has_terminal


def run(options: argparse.Namespace) -> int:
    """Show the console until it is left; the simulator goes on."""
    try:
        ask(options.http_port, "GET", "/status")
    except (Unreachable, Refused):
        sys.stdout.write(f"Cannot connect to daemon on port {options.http_port}\n")
        return 1
    if not has_terminal():
        sys.stderr.write("astra-sim: attach needs a terminal; try `astra-sim status`\n")
        return 1
    try:
        from simulator import console  # noqa: PLC0415  it needs what may not be installed
    except ModuleNotFoundError as error:
        if error.name != "urwid":
            raise
        sys.stderr.write(f"astra-sim: {HINT}\n")
        return 1
    from twisted.internet import reactor  # noqa: PLC0415  only entry points know it

    return _attach(reactor, options.http_port, console)


def _attach(reactor: Any, port: int, console: Any) -> int:
    from simulator.api.remote import RemoteControl  # noqa: PLC0415  as above

    use_monotonic_time(reactor)
    log = start_logging(sys.stderr, "warn")
    control = RemoteControl(reactor, port)
    failed: list[str] = []

    def start() -> None:
        control.startService()
        log.hold()
        shown: Deferred[None] = console.run(control, reactor, os.environ)
        shown.addErrback(lambda failure: failed.append(failure.getErrorMessage()))
        shown.addBoth(lambda _: reactor.stop() if reactor.running else None)

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", control.stopService)
    reactor.run()
    log.release()
    sys.stderr.writelines(f"astra-sim: {reason}\n" for reason in failed)
    return 1 if failed else 0
