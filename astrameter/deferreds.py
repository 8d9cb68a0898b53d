"""Small helpers around Deferreds: run, wait, give up in time."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")


class Clock(Protocol):
    """Whoever only wants to know the time: monotonic seconds (part of IReactorTime)."""

    def seconds(self) -> float: ...


def spawn(work: Coroutine[Deferred[Any], Any, Any], what: str, log: Logger) -> Deferred[None]:
    """Start work that nobody waits for.

    A failure is logged with ``what``; cancellation is quiet. The Deferred fires when the work
    has ended, never with a failure, and cancels the work when it is cancelled.
    """

    def failed(failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            log.failure("{what} failed", failure=failure, what=what)

    done: Deferred[Any] = Deferred.fromCoroutine(work)
    return done.addCallbacks(lambda _: None, failed)


def sleep(clock: IReactorTime, seconds: float) -> Deferred[None]:
    """Fire after ``seconds`` on ``clock``; cancelling it takes the timer off the clock."""
    done: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, done.callback, None)
    return done
