"""The ways to a daemon: over its control socket, and from inside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.console.model import LinkError
from astrameter.controlsocket.client import ControlClient, first_running
from astrameter.controlsocket.watching import EVENTS
from astrameter.controlsocket.wire import ControlError
from astrameter.deferreds import sleep, spawn
from astrameter.events import Bus, Subscription

Told = Callable[[str, Mapping[str, Any]], None]
State = Callable[[str | None], None]
Verb = Callable[[Mapping[str, Any]], Mapping[str, Any]]

LONGEST_WAIT_S = 8.0
"""Between two attempts to reach the daemon; somebody is looking."""

EVERY_S = 1.0


class SocketLink:
    """To the daemon at the first of ``paths`` where one listens."""

    _log = Logger()

    def __init__(self, reactor: Any, paths: Sequence[Path], random: Random | None = None) -> None:
        self._reactor = reactor
        self._paths = tuple(paths)
        self._backoff = Backoff(longest_s=LONGEST_WAIT_S, random=random)
        self._client: ControlClient | None = None
        self._living: Deferred[None] | None = None
        self._lost: Deferred[ControlError] | None = None

    def start(self, told: Told, state: State) -> None:
        """See :class:`~astrameter.console.model.Link`."""
        self._living = spawn(self._live(told, state), "talking to the daemon", self._log)

    def request(self, verb: str, **args: Any) -> Deferred[Mapping[str, Any]]:
        """See :class:`~astrameter.console.model.Link`."""
        return Deferred.fromCoroutine(self._request(verb, args))

    def stop(self) -> None:
        """See :class:`~astrameter.console.model.Link`."""
        living, self._living = self._living, None
        if living is not None:
            living.cancel()
        self._hang_up()

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _live(self, told: Told, state: State) -> None:
        while True:
            try:
                error = await self._talk(told, state)
            except ControlError as refused:
                error = refused
            except CancelledError:
                self._hang_up()
                raise
            self._hang_up()
            state(str(error))
            await sleep(self._reactor, self._backoff.next_wait_s())

    async def _talk(self, told: Told, state: State) -> ControlError:
        """One connection, until it is lost; returns why."""
        lost: Deferred[ControlError] = Deferred()
        self._lost = lost
        self._client = await first_running(self._reactor, self._paths, self._was_lost)
        await self._client.watch(told)
        self._backoff.reset()
        state(None)
        return await lost

    def _was_lost(self, error: ControlError) -> None:
        lost, self._lost = self._lost, None
        if lost is not None and not lost.called:
            lost.callback(error)

    async def _request(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._client is None:
            raise LinkError("there is no connection to the daemon: nothing was changed")
        try:
            return await self._client.request(verb, **args)
        except ControlError as error:
            raise LinkError(str(error)) from None


class InnerLink:
    """To the daemon of this process, for consoles over SSH.

    :param verbs: those of the control socket (:class:`astrameter.controlsocket.desk.Desk`).
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, verbs: Mapping[str, Verb], bus: Bus) -> None:
        self._clock = clock
        self._verbs = verbs
        self._bus = bus
        self._told: Told | None = None
        self._ticking: IDelayedCall | None = None
        self._subscriptions: list[Subscription] = []
        self._broken = False

    def start(self, told: Told, state: State) -> None:
        """See :class:`~astrameter.console.model.Link`."""
        self._told = told
        for kind, name in EVENTS.items():
            handler = partial(self._pass_on, name)
            self._subscriptions.append(self._bus.subscribe(kind, handler, name="a console"))
        self._ticking = self._clock.callLater(0, self._tick)
        state(None)

    def request(self, verb: str, **args: Any) -> Deferred[Mapping[str, Any]]:
        """See :class:`~astrameter.console.model.Link`."""
        return Deferred.fromCoroutine(self._request(verb, args))

    def stop(self) -> None:
        """See :class:`~astrameter.console.model.Link`."""
        self._told = None
        for one in self._subscriptions:
            self._bus.unsubscribe(one)
        self._subscriptions.clear()
        ticking, self._ticking = self._ticking, None
        if ticking is not None and ticking.active():
            ticking.cancel()

    def _tick(self) -> None:
        self._ticking = self._clock.callLater(EVERY_S, self._tick)
        if self._told is not None:
            self._told("status", self._verbs["status"]({}))

    def _pass_on(self, name: str, happened: Any) -> None:
        if self._told is not None:
            self._told(name, dataclasses.asdict(happened))

    async def _request(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        follow = self._verbs.get(verb)
        if follow is None:
            raise LinkError(f"this daemon cannot do that: {verb}")
        try:
            return follow(args)
        except ControlError as error:
            raise LinkError(str(error)) from None
        except Exception as error:  # noqa: BLE001  a console must not fail with the daemon
            if not self._broken:
                self._broken = True
                self._log.failure("{verb} failed, asked by a console", verb=verb)
            raise LinkError(f"that failed inside the daemon: {error!r}") from None
