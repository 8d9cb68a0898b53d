"""The simulator's console on the terminal of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from astrameter.console.runner import LocalRunner
from astrameter.console.session import MakeApp, Role, Terminal
from simulator.console.app import Console
from simulator.control import SiteControl


def make_app(control: SiteControl, reactor: Any) -> MakeApp:
    """A session factory: each person gets a console of the same simulation."""

    def make(role: Role, terminal: Terminal) -> Console:
        return Console(control, reactor, role, terminal)

    return make


def run(control: SiteControl, reactor: Any, environ: Mapping[str, str]) -> Deferred[None]:
    """Show a simulation on this terminal; fires when the person has left it.

    The simulation goes on: who called decides what becomes of it. The terminal is given back
    before the reactor stops, whoever stops it.
    """
    console = Console(control, reactor, Role.STEER, Terminal(environ))
    runner = LocalRunner(reactor, console, environ)
    reactor.addSystemEventTrigger("before", "shutdown", runner.stop)
    return runner.start()
