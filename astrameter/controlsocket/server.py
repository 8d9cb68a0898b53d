"""The control socket of the running daemon, as a service."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from twisted.application import service
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.controlsocket.connection import Connection
from astrameter.controlsocket.places import PlaceError, claimed, identity
from astrameter.controlsocket.watching import Watching
from astrameter.controlsocket.wire import ControlError, Request
from astrameter.logs import RateLimited

MOST_CLIENTS = 16

Verb = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Does what the arguments say and gives the result, or raises ControlError."""

WATCH, UNWATCH = "watch", "unwatch"
_KEPT = frozenset({"set", "active_control"})
"""What these change survives a restart: they are answered when it would."""

_CREDENTIALS = struct.Struct("3i")


class Answering(Protocol):
    """What the daemon offers over the socket."""

    @property
    def version(self) -> str: ...
    @property
    def verbs(self) -> Mapping[str, Verb]: ...
    @property
    def watching(self) -> Watching: ...
    @property
    def settled(self) -> Callable[[], Deferred[bool]]:
        """Tells when what was changed survives a crash."""


def peer_uid(transport: ITransport) -> int:
    """The user at the other end (``SO_PEERCRED``, unix(7))."""
    sock: socket.socket = transport.getHandle()  # type: ignore[attr-defined]
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(raw)[1]
    return uid


class ControlFactory(Factory):
    """Serves a bounded number of clients, of our own user or root.

    :ivar connections: those that are served.
    :ivar dropped: clients that were thrown out because they did not read.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        clock: Any,
        desk: Answering,
        uid_of: Callable[[ITransport], int] = peer_uid,
        trusted: frozenset[int] | None = None,
    ) -> None:
        self.connections: set[Connection] = set()
        self.dropped = 0
        self._clock = clock
        self._desk = desk
        self._uid_of = uid_of
        self._trusted = frozenset({os.geteuid(), 0}) if trusted is None else trusted
        self._complaints = RateLimited(clock)

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection(self._clock, self)

    def stop(self) -> None:
        """Say goodbye to all."""
        for connection in list(self.connections):
            connection.close()

    # -------------------------------------------------------------- what connections ask

    @property
    def version(self) -> str:
        return self._desk.version

    @property
    def verbs(self) -> tuple[str, ...]:
        return (*self._desk.verbs, WATCH, UNWATCH)

    def refusal(self, connection: Connection) -> ControlError | None:
        assert connection.transport is not None
        uid = self._uid_of(connection.transport)
        if uid not in self._trusted:
            if self._complaints.allow():
                self._log.warn("user {uid} may not use the control socket", uid=uid)
            return ControlError("not_allowed", "only the daemon's own user and root may do this")
        if len(self.connections) >= MOST_CLIENTS:
            return ControlError("too_many", f"{MOST_CLIENTS} clients are connected already")
        self.connections.add(connection)
        return None

    def answer(self, request: Request, connection: Connection) -> Mapping[str, Any]:
        if request.verb == WATCH:
            self._desk.watching.begin(connection, request.args)
            return {}
        if request.verb == UNWATCH:
            self._desk.watching.end(connection)
            return {}
        verb = self._desk.verbs.get(request.verb)
        if verb is None:
            known = ", ".join(self.verbs)
            raise ControlError("unknown_verb", f"there is {known}; not {request.verb[:32]!r}")
        return verb(request.args)

    def settled(self, verb: str) -> Deferred[bool] | None:
        return self._desk.settled() if verb in _KEPT else None

    def left(self, connection: Connection) -> None:
        self._desk.watching.end(connection)
        self.connections.discard(connection)

    def stuck(self, connection: Connection) -> None:
        self.dropped += 1
        if self._complaints.allow():
            self._log.warn(
                "a client of the control socket did not read: dropped ({count} so far)",
                count=self.dropped,
            )


class _Port(unix.Port):
    """Leaves the file to whoever made it."""

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)


class ControlServer(service.Service):
    """Listens while it runs. Where that cannot be, the daemon works without.

    :param path: where; None: nowhere.
    """

    _log = Logger()

    def __init__(self, reactor: Any, path: Path | None, factory: ControlFactory) -> None:
        self.path = path
        self.factory = factory
        self._reactor = reactor
        self._port: _Port | None = None
        self._made: tuple[Path, tuple[int, int] | None] | None = None

    @property
    def listening(self) -> bool:
        return self._port is not None

    def startService(self) -> None:
        service.Service.startService(self)
        self._listen()

    def stopService(self) -> Deferred[Any]:
        """Close the socket, take its file away, and let clients go."""
        service.Service.stopService(self)
        return self._close()

    def configure(self, path: Path | None) -> Deferred[Any]:
        """Be elsewhere; fires when it is."""
        if path == self.path:
            return succeed(None)
        self.path = path
        if not self.running:
            return succeed(None)
        return self._close().addCallback(lambda _: self._listen())

    def _listen(self) -> None:
        path = self.path
        if path is None:
            self._log.info("there is no control socket: commands cannot ask this daemon")
            return
        port = _Port(os.fsencode(path), self.factory, mode=0o600, reactor=self._reactor)
        try:
            with claimed(path):
                port.startListening()  # type: ignore[no-untyped-call]
                self._made = path, identity(path)
        except (PlaceError, CannotListenError) as error:
            self._log.warn("there is no control socket: {error}", error=error)
            return
        self._port = port
        self._log.info("commands and consoles find the daemon at {path}", path=path)

    def _close(self) -> Deferred[Any]:
        port, self._port = self._port, None
        made, self._made = self._made, None
        if port is None or made is None:
            return succeed(None)
        path, file = made
        if identity(path) == file:
            path.unlink(missing_ok=True)
        self.factory.stop()
        return maybeDeferred(port.stopListening)
