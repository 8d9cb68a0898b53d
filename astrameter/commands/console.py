"""``console``: look at the running daemon, and steer it, on this terminal."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from astrameter.commands.explain import places
from astrameter.controlsocket.client import first_running
from astrameter.controlsocket.wire import ControlError
from astrameter.deferreds import spawn
from astrameter.monotonic import use_monotonic_time

NO_URWID = "the console needs urwid: pip install 'astrameter[console]'"
NO_TERMINAL = "the console needs a terminal; `astrameter explain` writes plain text"

_log = Logger()


def run(
    reactor: Any, config: str, environ: Mapping[str, str], errors: TextIO, *, look_only: bool
) -> int:
    """Run the reactor until the person leaves the console.

    :param look_only: nothing can be changed.
    :return: the exit status: 1 when there is no daemon, terminal or urwid.
    """
    try:
        from astrameter.console.runner import has_terminal  # noqa: PLC0415  it is optional
    except ModuleNotFoundError as error:
        if error.name != "urwid":
            raise
        errors.write(f"{NO_URWID}\n")
        return 1
    if not has_terminal(environ):
        errors.write(f"{NO_TERMINAL}\n")
        return 1
    use_monotonic_time(reactor)
    status = [0]
    paths = places(config, environ)

    async def work() -> None:
        try:
            (await first_running(reactor, paths)).close()
        except ControlError as error:
            # Said before the screen is taken, so that it stays on it.
            errors.write(f"{error}\n")
            status[0] = 1
        else:
            await _show(reactor, paths, environ, look_only)

    def finished(_result: object) -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    reactor.callWhenRunning(lambda: spawn(work(), "the console", _log).addBoth(finished))
    reactor.run()
    return status[0]


def _show(
    reactor: Any, paths: tuple[Path, ...], environ: Mapping[str, str], look_only: bool
) -> Deferred[None]:
    from astrameter.console.app import ApplianceConsole  # noqa: PLC0415  they need urwid
    from astrameter.console.links import SocketLink  # noqa: PLC0415
    from astrameter.console.runner import LocalRunner  # noqa: PLC0415
    from astrameter.console.session import Role, Terminal  # noqa: PLC0415

    role = Role.VIEW if look_only else Role.STEER
    app = ApplianceConsole(SocketLink(reactor, paths), reactor, role, Terminal(environ))
    runner = LocalRunner(reactor, app, environ)
    reactor.addSystemEventTrigger("before", "shutdown", runner.stop)
    return runner.start()
