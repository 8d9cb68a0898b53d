"""The branch of the daemon that is the console over SSH, when it is wanted.

Imports neither Conch nor urwid before that: together they take 10 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application import service
from twisted.logger import Logger

from astrameter.console.ssh.options import SshOptions
from astrameter.controlsocket.server import Verb
from astrameter.events import Bus
from astrameter.services import adopt, dismiss

if TYPE_CHECKING:
    from astrameter.console.ssh.daemon import DaemonSsh


class ConsoleBranch(service.MultiService):
    """No server or one, as ``[CONSOLE]`` says.

    :param options: None when there is no such section.
    :param verbs: what the daemon can be asked, as over the control socket.
    :param state_directory: where the host key is kept.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        options: SshOptions | None,
        verbs: Mapping[str, Verb],
        bus: Bus,
        state_directory: Path | None,
    ) -> None:
        service.MultiService.__init__(self)
        self._reactor = reactor
        self._verbs = verbs
        self._bus = bus
        self._state_directory = state_directory
        self._server = self._next = self._made(options)
        if self._server is not None:
            adopt(self, self._server)

    @property
    def server(self) -> DaemonSsh | None:
        """The server, to be asked for its port; None when there is none."""
        return self._server

    def prepare(self, options: SshOptions | None) -> None:
        """Open what the options ask for, beside what there is; :meth:`become` follows.

        :raises PortError: a new port cannot be opened; nothing has changed then.
        """
        if self._server is not None and options is not None and self._server.accepts(options):
            self._next = self._server
            return
        following = self._made(options)
        if following is not None:
            following.privilegedStartService()
        self._next = following

    async def become(self, options: SshOptions | None) -> None:
        """What was prepared is what there is."""
        before, self._server = self._server, self._next
        if self._server is not None and self._server is before and options is not None:
            self._server.use(options)
            return
        if self._server is not None:
            adopt(self, self._server)
        if before is not None:
            await dismiss(before)

    def _made(self, options: SshOptions | None) -> DaemonSsh | None:
        if options is None or not options.enable:
            return None
        try:
            from astrameter.console.ssh.daemon import DaemonSsh, apps  # noqa: PLC0415  see above
        except ImportError as error:
            self._log.error(
                "there is no console over SSH, because its parts are not installed ({error}): "
                "pip install 'astrameter[ssh]'",
                error=error,
            )
            return None
        app = apps(self._reactor, self._verbs, self._bus)
        return DaemonSsh(self._reactor, options, app, self._state_directory)
