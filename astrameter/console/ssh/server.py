"""The service: a port, the people behind it, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from twisted.application import service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from astrameter.console.session import MakeApp
from astrameter.console.ssh.admission import Admission
from astrameter.console.ssh.algorithms import SIGNATURES
from astrameter.console.ssh.authorized import AuthorizedKeys
from astrameter.console.ssh.connection import Connection
from astrameter.console.ssh.hostkey import fingerprint, host_key_path, load_or_make
from astrameter.console.ssh.login import PublicKeyLogin
from astrameter.console.ssh.options import SshOptions
from astrameter.console.ssh.showing import Pace
from astrameter.deferreds import spawn
from astrameter.logs import RateLimited
from astrameter.ports import cannot_open

LOOK_S = 5.0
"""How soon a key that is taken out of the file loses its console."""

STOP_TIMEOUT_S = 3.0
_LONGEST_NAME = 32


class Host:
    """What all connections share.

    :ivar reactor: time.
    :ivar make_app: makes a console for one guest.
    :ivar host_algorithms: how the host's key signs.
    """

    _log = Logger()

    def __init__(self, reactor: Any, options: SshOptions, make_app: MakeApp) -> None:
        self.reactor = reactor
        self.make_app = make_app
        self.admission = Admission(reactor, options.max_sessions)
        self.keys = AuthorizedKeys(Path(options.authorized_keys))
        self.idle_timeout_s = options.idle_timeout_s
        self.pace = Pace()
        self.host_algorithms: list[bytes] = []
        self.connections: dict[Connection, float] = {}
        self._refusals = RateLimited(reactor)
        self._when_empty: Deferred[None] | None = None

    def configure(self, options: SshOptions) -> None:
        """Use other options from now on; who is inside stays, if the key still may."""
        self.admission.max_sessions = options.max_sessions
        self.keys = AuthorizedKeys(Path(options.authorized_keys))
        self.idle_timeout_s = options.idle_timeout_s

    def refused(self, connection: Connection, method: bytes) -> None:
        """A login failed."""
        if self._refusals.allow():
            why = "its key is not in the file" if method == b"publickey" else "only keys may"
            self._log.warn(
                "a login to the console over SSH from {address} was refused: {why} "
                "({more} more since the last such line)",
                address=connection.ticket.address,
                why=why,
                more=self._refusals.suppressed,
            )

    def welcomed(self, connection: Connection, user: bytes) -> None:
        """A login succeeded."""
        login = connection.login
        if login is None:
            return
        self._log.info(
            "{name} has logged in to the console over SSH, as {user!r} from {address}, to {role}",
            name=login.name,
            user=user[:_LONGEST_NAME].decode("utf-8", "replace"),
            address=connection.ticket.address,
            role=login.role.value,
        )

    def arrived(self, connection: Connection) -> None:
        """A connection has begun."""
        self.connections[connection] = self.reactor.seconds()

    def gone(self, connection: Connection) -> None:
        """A connection has ended."""
        since = self.connections.pop(connection, None)
        if connection.login is not None and since is not None:
            self._log.info(
                "{name} has left the console over SSH after {seconds:.0f} s",
                name=connection.login.name,
                seconds=self.reactor.seconds() - since,
            )
        if not self.connections and self._when_empty is not None:
            waiting, self._when_empty = self._when_empty, None
            waiting.callback(None)

    def look(self) -> None:
        """Show out who may no longer be here."""
        self.keys.refresh()
        for connection in list(self.connections):
            login = connection.login
            if login is None:
                continue
            now = self.keys.find(login.blob)
            if now is None or now.role is not login.role:
                _show_out(connection, "Closed: what your key may do has changed.")

    async def close(self) -> None:
        """Show everybody out; by force who does not go."""
        for connection in list(self.connections):
            _show_out(connection, "Closed: the server stops.")
        if not self.connections:
            return
        self._when_empty = Deferred()
        with suppress(WaitedTooLong):
            await self._when_empty.addTimeout(STOP_TIMEOUT_S, self.reactor)
            return
        self._when_empty = Deferred()
        for connection in list(self.connections):
            connection.abort()
        if self.connections:
            await self._when_empty


def _show_out(connection: Connection, words: str) -> None:
    if connection.channel is None:
        connection.end()
    else:
        connection.channel.end(words)


class SshFactory(Factory):
    """Makes connections for those who are admitted."""

    noisy = False

    def __init__(self, host: Host, key: Any) -> None:
        self.host = host
        self.use(key)

    def use(self, key: Any) -> None:
        """Be known by this host key from now on."""
        kind = key.sshType()
        self.publicKeys = {kind: key.public()}
        self.privateKeys = {kind: key}
        self.host.host_algorithms = list(SIGNATURES[kind])

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """None, which closes the connection, when there is no place."""
        ticket = self.host.admission.admit(str(getattr(addr, "host", "?")))
        if ticket is None:
            return None
        connection = Connection(self.host, ticket)
        # Conch declares its own factory, which knows of passwords and primes.
        connection.factory = cast(Any, self)
        self.host.arrived(connection)
        return connection

    def getService(self, transport: Connection, name: bytes) -> Callable[[], Any] | None:
        """The login is all that can be asked for; it leads to the rest."""
        return PublicKeyLogin if name == PublicKeyLogin.name else None


class SshServer(service.Service):
    """Serves consoles over SSH while it runs.

    Starting raises :class:`~astrameter.ports.PortError` when the port cannot be opened, and
    :class:`~astrameter.console.ssh.hostkey.HostKeyError` when there is no key to be known by.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, options: SshOptions, make_app: MakeApp, state_directory: Path | None
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._state_directory = state_directory
        self._host = Host(reactor, options, make_app)
        self._factory: SshFactory | None = None
        self._listening: IListeningPort | None = None
        self._looking = LoopingCall(self._host.look)
        self._looking.clock = reactor

    @property
    def listening(self) -> IListeningPort | None:
        """The open port, to be asked for its address; None while stopped."""
        return self._listening

    def accepts(self, options: SshOptions) -> bool:
        """Whether :meth:`configure` is enough for these options: they have the same port."""
        mine = self._options
        return (options.enable, options.host, options.port) == (mine.enable, mine.host, mine.port)

    def configure(self, options: SshOptions) -> None:
        """Become what the options say, without closing the port.

        :raises HostKeyError: nothing has changed then.
        """
        if options == self._options:
            return
        if options.host_key != self._options.host_key and self._factory is not None:
            self._factory.use(self._load(options))
        self._options = options
        self._host.configure(options)

    def privilegedStartService(self) -> None:
        self._listen()
        service.Service.privilegedStartService(self)

    def startService(self) -> None:
        self._listen()
        service.Service.startService(self)
        spawn(self._look(), "looking after the authorised keys", self._log)

    def stopService(self) -> Deferred[None]:
        """Close the port and every console; fires when all have gone."""
        service.Service.stopService(self)
        if self._looking.running:
            self._looking.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _look(self) -> None:
        await self._looking.start(LOOK_S)

    def _listen(self) -> None:
        if self._listening is not None:
            return
        options = self._options
        factory = SshFactory(self._host, self._load(options))
        try:
            self._listening = self._reactor.listenTCP(options.port, factory, interface=options.host)
        except CannotListenError as error:
            what = f"TCP port {options.port} at {options.host}, of the console over SSH,"
            key = ", or choose another port ([CONSOLE] PORT, or --ssh)"
            raise cannot_open(what, key, error) from None
        self._factory = factory

    def _load(self, options: SshOptions) -> Any:
        path = host_key_path(options.host_key, self._state_directory)
        key = load_or_make(path)
        self._log.info(
            "the console over SSH has the host key {fingerprint} ({path})",
            fingerprint=fingerprint(key),
            path=str(path),
        )
        return key

    async def _stop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)
            await self._host.close()


def serve(
    reactor: Any,
    options: SshOptions,
    make_app: MakeApp,
    state_directory: Path | None = None,
) -> SshServer:
    """A service that shows a console of its own to everybody whose key is authorised.

    :param reactor: time and network.
    :param make_app: makes a console for one guest, whose role depends on the key.
    :param state_directory: where the host key is kept, unless the options say where.
    """
    return SshServer(reactor, options, make_app, state_directory)
