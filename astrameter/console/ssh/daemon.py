"""The console over SSH inside the daemon: never a reason for the daemon not to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

from astrameter.console.app import ApplianceConsole
from astrameter.console.links import InnerLink, Verb
from astrameter.console.session import MakeApp, Role, Terminal
from astrameter.console.ssh.hostkey import HostKeyError
from astrameter.console.ssh.options import SshOptions
from astrameter.console.ssh.server import SshServer
from astrameter.events import Bus
from astrameter.ports import PortError

_READING = frozenset(("status", "explain"))
"""The verbs that change nothing."""


class DaemonSsh(SshServer):
    """As configured in ``[CONSOLE]``.

    Without a usable host key there is no console, and the batteries are served all the same: it
    is logged, and tried again when the configuration is read again.
    """

    _log = Logger()

    def use(self, options: SshOptions) -> None:
        """Become what the options say, without closing the port."""
        try:
            self.configure(options)
        except HostKeyError as error:
            self._log.error("the console over SSH goes on as it was: {error}", error=error)
        try:
            if self.running:
                self._listen()
        except PortError as error:
            self._log.error("there is no console over SSH: {error}", error=error)

    def _listen(self) -> None:
        try:
            SshServer._listen(self)
        except HostKeyError as error:
            self._log.error("there is no console over SSH: {error}", error=error)


def apps(reactor: Any, verbs: Mapping[str, Verb], bus: Bus) -> MakeApp:
    """Consoles of the daemon of this process; those who may only look have no way to change it."""
    looking = {name: verb for name, verb in verbs.items() if name in _READING}

    def make(role: Role, terminal: Terminal) -> ApplianceConsole:
        link = InnerLink(reactor, verbs if role is Role.STEER else looking, bus)
        return ApplianceConsole(link, reactor, role, terminal)

    return make
