"""``run``: a simulation in the foreground, with a console or without."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from astrameter.monotonic import use_monotonic_time
from astrameter.ports import PortError
from simulator.api.server import PortTakenError
from simulator.commands import setup
from simulator.commands.logs import SimulatorLog, start_logging
from simulator.commands.readiness import Readiness
from simulator.commands.terminal import HINT, has_terminal
from simulator.configuration.checked import Problem, ProblemsError
from simulator.configuration.file import Loaded
from simulator.running.tree import Tree

HOST_KEY = ".astra-sim.ssh_host_ed25519_key"

_log = Logger(namespace="simulator.runner")


def run(options: argparse.Namespace) -> int:
    """Run until a signal, a key, a script's end or a request ends it.

    :return: 0; 1 when it cannot start, or an expectation of a script was not met.
    """
    readiness = Readiness(getattr(options, "ready_fd", None))
    try:
        script = _script(options)
        loaded = setup.load(options) if script is None else script.loaded(options)
    except ProblemsError as error:
        _warn(error.warnings)
        return readiness.failed(str(error))
    except setup.UsageError as error:
        return readiness.failed(str(error))
    _warn(loaded.warnings)
    if options.virtual is not None:
        from simulator.commands import virtual  # noqa: PLC0415  it brings the whole appliance

        return virtual.run(options, loaded.simulation, script)
    return _Foreground(options, loaded, script, readiness).run()


def _warn(warnings: tuple[Problem, ...]) -> None:
    sys.stderr.writelines(f"astra-sim: warning: {one}\n" for one in warnings)


def _script(options: argparse.Namespace) -> Any:
    if options.script is None:
        return None
    from simulator.commands import playing  # noqa: PLC0415  it brings YAML

    return playing.Scripted(options.script)


class _Foreground:
    """The process around a simulation in real time."""

    def __init__(
        self, options: argparse.Namespace, loaded: Loaded, script: Any, readiness: Readiness
    ) -> None:
        self._options = options
        self._loaded = loaded
        self._script = script
        self._readiness = readiness
        self._console: Any = None
        self._log: SimulatorLog | None = None
        self._status = 0

    def run(self) -> int:
        from twisted.internet import reactor  # noqa: PLC0415  only entry points know it

        self._choose_console()
        self._log = start_logging(sys.stderr, self._level())
        use_monotonic_time(reactor)
        tree = Tree(self._loaded.simulation, reactor, _stopper(reactor))
        parts: list[Any] = [tree]
        try:
            if self._options.ssh is not None:
                parts.append(self._ssh(reactor, tree))
            for part in parts:
                part.privilegedStartService()
        except (PortTakenError, PortError, setup.UsageError) as error:
            return self._readiness.failed(str(error))
        reactor_: Any = reactor
        reactor_.callWhenRunning(self._start, reactor_, tree, parts)
        for part in parts:
            reactor_.addSystemEventTrigger("before", "shutdown", part.stopService)
        reactor_.run()
        self._log.release()
        return self._status

    def _choose_console(self) -> None:
        """The console, when it is wanted and can be had."""
        options = self._options
        if options.no_tui or options.script is not None or not has_terminal():
            return
        try:
            from simulator import console  # noqa: PLC0415  it needs what may not be installed
        except ModuleNotFoundError as error:
            if error.name != "urwid":
                raise
            sys.stderr.write(f"astra-sim: {HINT}\n")
            sys.stdout.write("Falling back to headless mode.\n")
            sys.stdout.flush()
        else:
            self._console = console

    def _level(self) -> str:
        if self._options.verbose:
            return "debug"
        return "info" if self._console is None else "warn"

    def _ssh(self, reactor: Any, tree: Tree) -> Any:
        from simulator.commands import ssh  # noqa: PLC0415  it needs what may not be installed

        return ssh.server(reactor, tree.control, self._options, Path.home() / HOST_KEY)

    def _start(self, reactor: Any, tree: Tree, parts: list[Any]) -> None:
        for part in parts:
            part.startService()
        address = f"{self._loaded.simulation.http_host}:{tree.api.port}"
        _log.info("the HTTP API listens on {address}", address=address)
        self._readiness.ready()
        if self._script is not None:
            self._play(reactor, tree)
        elif self._console is not None:
            self._show(reactor, tree)

    def _play(self, reactor: Any, tree: Tree) -> None:
        def ended(met: bool) -> None:
            self._status = 0 if met else 1

        self._status = 1  # until it has come to its end
        playing: Deferred[bool] = self._script.play(tree.simulation, reactor)
        playing.addCallback(ended)
        playing.addErrback(self._failed)
        playing.addBoth(lambda _: _stopper(reactor)())

    def _show(self, reactor: Any, tree: Tree) -> None:
        assert self._log is not None, "logging has begun"
        self._log.hold()
        shown: Deferred[None] = self._console.run(tree.control, reactor, os.environ)
        shown.addErrback(self._failed)
        shown.addBoth(lambda _: _stopper(reactor)())

    def _failed(self, failure: Any) -> None:
        self._status = 1
        _log.failure("that went wrong", failure=failure)


def _stopper(reactor: Any) -> Callable[[], None]:
    """Ends the process, once."""

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    return stop
