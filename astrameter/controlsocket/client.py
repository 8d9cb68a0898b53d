"""The other end of the control socket: for commands and consoles on the same machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.controlsocket import wire
from astrameter.controlsocket.wire import (
    MAX_ANSWER,
    MAX_REQUEST,
    PROTOCOL,
    ControlError,
    Hello,
    Lines,
)

CONNECT_S = 5.0
ANSWER_S = 10.0
"""How long the daemon may take; one that is asked to do much answers within milliseconds."""

Listener = Callable[[str, Mapping[str, Any]], None]
"""Takes the name of an event (``status``, ``meter_changed``, ...) and its data."""


class _Talk(StreamProtocol):
    """The connection, while it lasts."""

    _log = Logger()

    def __init__(self) -> None:
        self.greeted: Deferred[Hello] = Deferred()
        self.lost: Callable[[ControlError], None] = lambda _error: None
        self.listener: Listener | None = None
        self._lines = Lines(MAX_ANSWER)
        self._waiting: dict[int, Deferred[dict[str, Any]]] = {}
        self._count = 0
        self._ended = False

    def request(self, verb: str, args: Mapping[str, Any]) -> Deferred[dict[str, Any]]:
        self._count = number = self._count + 1
        line = wire.encode({"id": number, "verb": verb, "args": dict(args)})
        if len(line) > MAX_REQUEST:
            raise ControlError("bad_request", f"a request has at most {MAX_REQUEST} bytes")
        if self._ended or self.transport is None:
            raise ControlError("closed", "the daemon has closed the connection")
        done: Deferred[dict[str, Any]] = Deferred(lambda _: self._forget(number))
        self._waiting[number] = done
        self.transport.write(line)
        return done

    def dataReceived(self, data: bytes) -> None:
        try:
            for line in self._lines.feed(data):
                if not self._ended:
                    self._take(wire.decode(line))
        except ControlError as error:
            self._end(error)
            if self.transport is not None:
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(ControlError("closed", "the daemon has closed the connection"))

    def _take(self, document: dict[str, Any]) -> None:
        if not self.greeted.called:
            self.greeted.callback(wire.hello_of(document))
        elif "event" in document:
            self._tell(str(document["event"]), document.get("data") or {})
        else:
            number = wire.number_of(document)
            done = self._waiting.pop(number, None) if isinstance(number, int) else None
            if done is not None:
                self._answer(done, document)
            elif number is None:
                wire.raise_error(document)

    def _tell(self, event: str, data: Mapping[str, Any]) -> None:
        if self.listener is None:
            return
        try:
            self.listener(event, data)
        except Exception:  # noqa: BLE001  whatever a listener raises is no fault of the daemon's
            self._log.failure("who listens to the daemon failed on {event}", event=event)

    def _answer(self, done: Deferred[dict[str, Any]], document: dict[str, Any]) -> None:
        try:
            wire.raise_error(document)
        except ControlError as error:
            done.errback(error)
        else:
            found = document.get("result")
            done.callback(found if isinstance(found, dict) else {})

    def _forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def _end(self, error: ControlError) -> None:
        if self._ended:
            return
        self._ended = True
        if not self.greeted.called:
            self.greeted.errback(error)
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            done.errback(error)
        self.lost(error)


class ControlClient:
    """Talks to the daemon at ``path``. All times are on ``reactor``.

    Whatever goes wrong is a :class:`~astrameter.controlsocket.wire.ControlError` whose text can
    be shown to people.

    :param lost: told once why a connection that had been made is gone.
    :ivar hello: what the daemon said first; None while not connected.
    """

    def __init__(
        self,
        reactor: Any,
        path: str | Path,
        lost: Callable[[ControlError], None] = lambda _error: None,
    ) -> None:
        self.path = Path(path)
        self.hello: Hello | None = None
        self._reactor = reactor
        self._lost = lost
        self._talk: _Talk | None = None

    def connect(self) -> Deferred[Hello]:
        """Connect and learn who is there.

        :raises ControlError: (as failure) ``not_running``, ``not_allowed``, ``too_many``,
            ``other_version`` or ``timeout``.
        """
        return Deferred.fromCoroutine(self._connect())

    def request(self, verb: str, **args: Any) -> Deferred[dict[str, Any]]:
        """Ask for something.

        :raises ControlError: (as failure) it is refused, or there is no answer.
        """
        return Deferred.fromCoroutine(self._request(verb, args))

    def watch(self, listener: Listener, **what: bool) -> Deferred[dict[str, Any]]:
        """Tell ``listener`` of everything from now on, until the connection is closed.

        :param what: ``status``, ``events`` (both unless said otherwise), ``decisions``.
        """
        if self._talk is not None:
            self._talk.listener = listener
        return self.request("watch", **what)

    def close(self) -> None:
        """Hang up; what is under way fails with ``closed``, and ``lost`` is not told."""
        talk, self._talk, self.hello = self._talk, None, None
        if talk is not None and talk.transport is not None:
            talk.lost = lambda _error: None
            talk.listener = None
            talk.transport.loseConnection()

    async def _connect(self) -> Hello:
        self.close()
        endpoint = UNIXClientEndpoint(self._reactor, os.fspath(self.path), timeout=CONNECT_S)
        try:
            talk = await endpoint.connect(Factory.forProtocol(_Talk))
        except ConnectError as error:
            raise self._no_connection(error) from None
        greeted = talk.greeted.addTimeout(CONNECT_S, self._reactor, _late)
        try:
            hello: Hello = await greeted
            if hello.protocol != PROTOCOL:
                raise ControlError(
                    "other_version",
                    f"the daemon is AstraMeter {hello.version}, which speaks another language "
                    "at its control socket: use the commands of that version, or restart it",
                )
        except (ControlError, CancelledError):
            talk.transport.abortConnection()
            raise
        talk.lost = self._gone
        self._talk, self.hello = talk, hello
        return hello

    async def _request(self, verb: str, args: Mapping[str, Any]) -> dict[str, Any]:
        if self._talk is None:
            raise ControlError("closed", "there is no connection to the daemon")
        done = self._talk.request(verb, args)
        return await done.addTimeout(ANSWER_S, self._reactor, _late)

    def _gone(self, error: ControlError) -> None:
        self._talk = self.hello = None
        self._lost(error)

    def _no_connection(self, error: ConnectError) -> ControlError:
        number = getattr(error, "osError", None)
        if number in (errno.EACCES, errno.EPERM):
            return ControlError(
                "not_allowed",
                f"{self.path} belongs to another user: ask as that user, or as root (sudo)",
            )
        return ControlError("not_running", f"no daemon listens at {self.path}")


def _late(_result: object, seconds: float) -> Any:
    raise ControlError("timeout", f"the daemon has not answered for {seconds:g} s")


async def first_running(
    reactor: Any,
    paths: Sequence[Path],
    lost: Callable[[ControlError], None] = lambda _error: None,
) -> ControlClient:
    """A client of the first of ``paths`` where a daemon listens, connected.

    :raises ControlError: there is none; the text names the places, or what is in the way.
    """
    if not paths:
        raise ControlError("not_running", "the control socket is off: [GENERAL] CONTROL_SOCKET")
    for path in paths:
        client = ControlClient(reactor, path, lost)
        try:
            await client.connect()
        except ControlError as error:
            if error.kind != "not_running":
                raise
        else:
            return client
    places = " or ".join(map(str, paths))
    raise ControlError("not_running", f"no daemon listens at {places}: is it running?")
