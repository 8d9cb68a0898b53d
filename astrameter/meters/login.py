"""Logins that devices and clouds ask for: kept, renewed when they expire, not repeated too often.

Devices and clouds answer repeated wrong passwords by blocking whoever sends them, for longer and
longer. AstraMeter 2.x logged in again at every reading, so about once a second (meters.md
sections 17 and 23).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from random import Random
from typing import Generic, TypeVar

from astrameter.backoff import Backoff
from astrameter.deferreds import Clock
from astrameter.reading import MeterError

FIRST_PAUSE_S = 30.0
"""After the first refusal: long enough to harm nothing, short enough for who mends it."""

FIRST_SHORT_PAUSE_S = 5.0
"""After a failure that is no refusal: what is away at start may be there for the next attempt of
the start-up test (filters.md section 12)."""

LONGEST_PAUSE_S = 900.0

_LONGEST_BLOCK_S = 3600.0
"""No device can keep us away for longer; what it says may be nonsense."""

A = TypeVar("A")
S = TypeVar("S")


class ExpiredError(MeterError):
    """A request was refused: the session is over, or never had the right to make it."""


class RefusedError(MeterError):
    """A login was refused; trying the same once more is of no use.

    :ivar blocked_s: how long the device refuses every login from now on, seconds.
    """

    def __init__(self, message: str, blocked_s: float = 0.0) -> None:
        super().__init__("auth_failed", message)
        self.blocked_s = blocked_s


class Login(Generic[S]):
    """One session for all requests of a meter. Requests must not overlap.

    :param log_in: obtains a session, or fails with MeterError.
    :param session: what to begin with; None: log in first.
    :param patient: pause after every failure to log in, as is right towards a cloud, and not
        only after a refusal.
    :param random: for the jitter of the pauses.
    """

    def __init__(
        self,
        clock: Clock,
        log_in: Callable[[], Awaitable[S]],
        *,
        session: S | None = None,
        patient: bool = False,
        random: Random | None = None,
    ) -> None:
        self._clock = clock
        self._log_in = log_in
        self._session = session
        self._patient = patient
        self._pauses = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, random)
        self._short_pauses = Backoff(FIRST_SHORT_PAUSE_S, LONGEST_PAUSE_S, random)
        self._error: MeterError | None = None
        self._pause_ends_at = 0.0

    def forget(self) -> None:
        """Log in before the next request."""
        self._session = None

    async def ask(self, request: Callable[[S], Awaitable[A]]) -> A:
        """Make a request; when its session has expired, once more with a fresh one.

        :raises MeterError: as the request or the login; while logins pause, the failure of the
            last one.
        """
        try:
            return await self._attempt(request)
        except ExpiredError:
            self._session = None
        try:
            return await self._attempt(request)
        except ExpiredError as error:
            self._session = None
            self._pause(error)
            raise

    async def _attempt(self, request: Callable[[S], Awaitable[A]]) -> A:
        session = await self._fresh() if self._session is None else self._session
        answer = await request(session)
        self._error = None
        self._pauses.reset()
        self._short_pauses.reset()
        return answer

    async def _fresh(self) -> S:
        pause_s = self._pause_ends_at - self._clock.seconds()
        if self._error is not None and pause_s > 0:
            raise MeterError(
                self._error.kind, f"{self._error} (next login in {math.ceil(pause_s)} s)"
            )
        try:
            self._session = await self._log_in()
        except MeterError as error:
            if self._patient or isinstance(error, RefusedError):
                self._pause(error)
            raise
        return self._session

    def _pause(self, error: MeterError) -> None:
        if isinstance(error, RefusedError):
            blocked_s = min(error.blocked_s, _LONGEST_BLOCK_S)
            pause_s = max(self._pauses.next_wait_s(), blocked_s)
        elif isinstance(error, ExpiredError):
            pause_s = self._pauses.next_wait_s()
        else:
            pause_s = self._short_pauses.next_wait_s()
        self._error = error
        self._pause_ends_at = self._clock.seconds() + pause_s
