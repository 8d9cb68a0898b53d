"""One connection to a Redis server: commands that answer in time, or an error that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from astrameter.statefile import StateError
from astrameter.store.options import RedisAddress
from astrameter.tls import tls_to

CONNECT_S = 5.0
ANSWER_S = 3.0
"""A Redis server answers within milliseconds; one that is frozen or overloaded is given up."""

_MENDS = {
    "NOAUTH": "put its password into [STATE] URI",
    "WRONGPASS": "mend user and password in [STATE] URI",
    "NOPERM": "give the user the rights that docs/state.md names",
    "WRONGTYPE": "choose another PREFIX: this one is used for something else",
    "OOM": "give that server more memory",
    "MISCONF": "make room on the disk of that server",
    "READONLY": "use the server that this one is a copy of",
}
"""What its owner can do, by the first word of the server's refusal."""


class RedisError(StateError):
    """The server could not be reached, did not answer, or refused."""


class Link:
    """A connection that is up.

    :ivar lost: it is over; no command is of use any more.
    :ivar on_lost: called when that happens.
    """

    def __init__(self, clock: Any, protocol: Any, shown: str) -> None:
        self.lost = False
        self.on_lost: Callable[[], None] = _nobody
        self._clock = clock
        self._protocol = protocol
        self._shown = shown
        self._why = ""
        self._ended: list[Deferred[None]] = []
        # The library does not hand on why a connection ended, which is where TLS says it.
        self._end = protocol.connectionLost
        protocol.connectionLost = self._gone

    async def call(self, *command: str | int) -> Any:
        """The answer to a command: text, number, None, or a list of these.

        :raises RedisError: it was refused, or there was no answer in time; the connection is
            dropped then, because a late answer would be taken for that of the next command.
        """
        # txredisapi itself waits for ever, also for a server that is gone.
        answer = maybeDeferred(self._protocol.execute_command, *command)
        try:
            return await answer.addTimeout(ANSWER_S, self._clock, self._too_late)
        except RedisError:
            self.drop()
            raise
        except _refusal() as error:
            mend = _MENDS.get(str(error).partition(" ")[0])
            text = f"{error} ({mend})" if mend else f"{error}"
            raise RedisError(f"the Redis server {self._shown} refuses: {text}") from None
        except _trouble() as error:
            self.drop()
            why = self._why or error
            raise RedisError(f"the Redis server {self._shown} is lost: {why}") from None

    def drop(self) -> Deferred[None]:
        """End it now; fires when it has ended."""
        if self.lost:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._ended.append(ended)
        self._protocol.transport.abortConnection()
        return ended

    def _too_late(self, _cancelled: object, seconds: float) -> None:
        raise RedisError(f"the Redis server {self._shown} did not answer within {seconds:g} s")

    def _gone(self, reason: Failure) -> None:
        self.lost = True
        self._why = reason.getErrorMessage()
        self._end(reason)
        self.on_lost()
        ended, self._ended = self._ended, []
        for one in ended:
            one.callback(None)


async def connect(reactor: Any, address: RedisAddress) -> Link:
    """Connect and log in.

    :raises RedisError: what did not work.
    """
    # Imports the global reactor, and most houses have no Redis.
    from txredisapi import RedisProtocol  # noqa: PLC0415

    factory: Any = Factory.forProtocol(RedisProtocol)
    factory.noisy = False
    factory.buildProtocol = lambda _: _protocol(reactor, RedisProtocol)
    endpoint: Any = HostnameEndpoint(reactor, address.host, address.port, CONNECT_S)
    if address.tls:
        endpoint = wrapClientTLS(tls_to(address.host), endpoint, reactor)
    connecting: Deferred[Any] = endpoint.connect(factory)
    try:
        protocol = await connecting.addTimeout(CONNECT_S, reactor)
    except CancelledError:
        raise
    except Exception as error:  # noqa: BLE001  endpoints fail in many ways; all mean no connection
        text = str(error) or type(error).__name__
        raise RedisError(
            f"no connection to the Redis server {address.shown}: {text.rstrip('.')}. Does it run "
            "there, and is [STATE] URI right?"
        ) from None
    link = Link(reactor, protocol, address.shown)
    if address.password is not None:
        user = (address.username,) if address.username else ()
        try:
            await link.call("AUTH", *user, address.password)
        except RedisError:
            link.drop()
            raise
    return link


def _nobody() -> None:
    """Until somebody wants to know."""


def _protocol(reactor: Any, kind: Any) -> Any:
    # "001" is a text, and what is no UTF-8 comes as bytes. The login is ours: theirs, when it
    # fails, would end all further attempts.
    protocol = kind(convertNumbers=False)
    protocol.callLater = reactor.callLater
    return protocol


def _refusal() -> Any:
    from txredisapi import ResponseError  # noqa: PLC0415

    return ResponseError


def _trouble() -> Any:
    from txredisapi import RedisError as LibraryError  # noqa: PLC0415

    return LibraryError
