"""A simulation elsewhere as a console sees it: over its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail, succeed
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from simulator.api.events import EventParser, EventTooLongError
from simulator.api.requests import request_of
from simulator.control import Operation, OperationRefused, Refusal, Shutdown, Status
from simulator.running.local import Listeners

ANSWER_TIMEOUT_S = 5.0
"""Of a request (simulator.md section 2)."""

SILENCE_S = 10.0
"""A stream that says nothing for so long is dead: it speaks once a second."""

LONGEST_ANSWER = 4 << 20
MOST_WAITING = 500
"""Operations that wait for those before them."""

LONGEST_WAIT_S = 10.0


class RemoteControl(Service):
    """A :class:`~simulator.control.SiteControl`; while it runs it stays connected, or tries to.

    Operations go out one after the other, in the order of the calls.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        port: int,
        host: str = "localhost",
        *,
        agent: IAgent | None = None,
        random: Random | None = None,
    ) -> None:
        """:param agent: makes the requests; one of its own by default.

        :param random: for the pauses between attempts to connect.
        """
        self.status: Status | None = None
        self.trouble: str | None = None
        self._reactor = reactor
        self._url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        pool = HTTPConnectionPool(reactor, persistent=False)
        self._agent: Any = agent or Agent(reactor, connectTimeout=ANSWER_TIMEOUT_S, pool=pool)
        self._backoff = Backoff(1.0, LONGEST_WAIT_S, random)
        self._listeners = Listeners()
        self._lock = DeferredLock()
        self._waiting: set[Deferred[Status]] = set()
        self._connecting: Deferred[None] | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._connecting = spawn(self._stay_connected(), "listening to the simulator", self._log)

    def stopService(self) -> Deferred[None] | None:
        """Hang up; operations that wait are refused."""
        Service.stopService(self)
        for waiting in list(self._waiting):
            waiting.cancel()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        return connecting

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        return self._listeners.subscribe(listener)

    def perform(self, operation: Operation) -> Deferred[Status]:
        if len(self._waiting) >= MOST_WAITING:
            return fail(_unreachable("too much waits to be done already"))
        done: Deferred[Status] = self._lock.run(
            lambda: Deferred.fromCoroutine(self._perform(operation))
        )
        self._waiting.add(done)

        def ended(result: Any) -> Any:
            self._waiting.discard(done)
            if isinstance(result, Failure) and result.check(CancelledError):
                return Failure(_unreachable("the connection was closed"))
            return result

        return done.addBoth(ended)

    def fetch(self) -> Deferred[Status]:
        """Ask for the status once.

        :raises OperationRefused: (as failure) it cannot be reached, or is no simulator.
        """
        return Deferred.fromCoroutine(self._fetch())

    # ---------------------------------------------------------------------- requests

    async def _fetch(self) -> Status:
        self._changed(_status_of(await self._ask(b"GET", "/status")), None)
        assert self.status is not None, "just set"
        return self.status

    async def _perform(self, operation: Operation) -> Status:
        path, body = request_of(operation)
        document = await self._ask(b"POST", path, json.dumps(body).encode())
        if isinstance(operation, Shutdown):
            if self.status is None:
                raise _unreachable("it is shutting down")
            return self.status
        status = _status_of(document)
        self._changed(status, None)
        return status

    async def _ask(self, method: bytes, path: str, body: bytes | None = None) -> Any:
        asking: Deferred[tuple[int, bytes]] = Deferred.fromCoroutine(
            self._exchange(method, path, body)
        )
        try:
            code, content = await asking.addTimeout(ANSWER_TIMEOUT_S, self._reactor)
        except TimeoutError:
            raise _unreachable(f"{self._url} does not answer") from None
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  the agent raises whatever the network does
            raise _unreachable(f"cannot reach {self._url}: {_reason(error)}") from None
        return _answer_of(code, content)

    async def _exchange(self, method: bytes, path: str, body: bytes | None) -> tuple[int, bytes]:
        producer = None if body is None else _Payload(body)
        headers = Headers({b"Content-Type": [b"application/json"]})
        response = await self._agent.request(
            method, f"{self._url}{path}".encode(), headers, producer
        )
        collected = _Body(LONGEST_ANSWER)
        response.deliverBody(collected)
        return response.code, await collected.done

    # ---------------------------------------------------------------------- the stream

    async def _stay_connected(self) -> None:
        while self.running:
            try:
                await self._listen()
                reason = f"{self._url} has closed the connection"
            except (OperationRefused, EventTooLongError) as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001  as in _ask; also what cancelling makes of it
                reason = f"cannot reach {self._url}: {_reason(error)}"
            if not self.running:
                return
            self._changed(self.status, reason)
            await sleep(self._reactor, self._backoff.next_wait_s())

    async def _listen(self) -> None:
        """Listen until the stream ends; raises what ended it."""
        asked: Deferred[Any] = self._agent.request(b"GET", f"{self._url}/events".encode())
        response = await asked.addTimeout(ANSWER_TIMEOUT_S, self._reactor)
        if response.code != 200:
            collected = _Body(LONGEST_ANSWER)
            response.deliverBody(collected)
            content = await collected.done.addTimeout(ANSWER_TIMEOUT_S, self._reactor)
            _answer_of(response.code, content)
        stream = _Stream(self._reactor, self._told)
        response.deliverBody(stream)
        await stream.done

    def _told(self, data: bytes) -> None:
        try:
            status = _status_of(json.loads(data))
        except ValueError:
            raise _unreachable(f"{self._url} says what is no status") from None
        self._backoff.reset()
        self._changed(status, None)

    def _changed(self, status: Status | None, trouble: str | None) -> None:
        if trouble is not None and self.trouble is None:
            self._log.warn("{trouble}", trouble=trouble)
        self.status, self.trouble = status, trouble
        self._listeners.tell()


class _Body(Protocol):
    """Collects an answer, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._limit = limit
        self._received = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > self._limit:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(bytes(self._received))

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()  # all that the transport of a body can do


class _Stream(Protocol):
    """Hands on each event; silence and nonsense end it."""

    def __init__(self, reactor: Any, told: Callable[[bytes], None]) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._abort())
        self._parser = EventParser()
        self._told = told
        self._silence = reactor.callLater(SILENCE_S, self._silent)

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._silence.reset(SILENCE_S)
        try:
            for event in self._parser.feed(data):
                self._told(event)
        except (OperationRefused, EventTooLongError) as error:
            self._end(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(None)

    def _silent(self) -> None:
        self._end(_unreachable("the simulator has fallen silent"))

    def _end(self, error: Exception | None) -> None:
        self._abort()
        if self.done.called:
            return
        if error is None:
            self.done.callback(None)
        else:
            self.done.errback(error)

    def _abort(self) -> None:
        if self._silence.active():
            self._silence.cancel()
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()  # all that the transport of a body can do


@implementer(IBodyProducer)
class _Payload:
    """A small body, written at once."""

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def stopProducing(self) -> None:
        """It is over already."""

    pauseProducing = resumeProducing = stopProducing


def _answer_of(code: int, content: bytes) -> Any:
    """The JSON of an answer.

    :raises OperationRefused: when it is a refusal, or none of ours.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _unreachable(f"what answers is no simulator (HTTP {code})") from None
    if code == 200:
        return document
    message = document.get("error") if isinstance(document, dict) else None
    kind = {404: Refusal.NOT_FOUND, 503: Refusal.UNREACHABLE}.get(code, Refusal.BAD_VALUE)
    raise OperationRefused(str(message or f"refused with HTTP {code}"), kind)


def _status_of(document: object) -> Status:
    try:
        return Status.from_json(document)
    except ValueError as error:
        raise _unreachable(f"what answers is no simulator: {error}") from None


def _unreachable(message: str) -> OperationRefused:
    return OperationRefused(message, Refusal.UNREACHABLE)


def _reason(error: Exception) -> str:
    if isinstance(error, ResponseFailed) and error.reasons:
        error = error.reasons[0].value
    if isinstance(error, (ConnectingCancelledError, TimeoutError)):
        return "no answer"
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
