"""Answers who asks for ``/metrics``, and costs next to nothing until somebody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from astrameter.metrics.counts import Durations

if TYPE_CHECKING:
    from astrameter.metrics.figures import Figures

GOOD_FOR_S = 1.0
"""Whoever asks more often gets the same again."""

_TICK_S = 1.0


class LoopLag:
    """How late the reactor is with a timer, which is what everything in the daemon waits for.

    :ivar durations: every lateness.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.durations = Durations()
        self._clock = clock
        self._worst_s = 0.0
        self._due_at = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Look from now on; a second start changes nothing."""
        if self._call is None:
            self._schedule()

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def take_worst_s(self) -> float:
        """The worst since the last call."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def _schedule(self) -> None:
        self._due_at = self._clock.seconds() + _TICK_S
        self._call = self._clock.callLater(_TICK_S, self._look)

    def _look(self) -> None:
        late_s = max(0.0, self._clock.seconds() - self._due_at)
        self.durations.add(late_s)
        self._worst_s = max(self._worst_s, late_s)
        self._schedule()


class Metrics(Service):
    """The figures of the daemon, gathered when they are asked for.

    :param gather: makes them, given what this knows of the loop.
    """

    def __init__(self, clock: IReactorTime, gather: Callable[[LoopLag], Figures]) -> None:
        self._clock = clock
        self._gather = gather
        self._lag = LoopLag(clock)
        self._text = b""
        self._rendered_at: float | None = None

    def stopService(self) -> None:
        self._lag.stop()
        Service.stopService(self)

    def render(self) -> tuple[bytes, bytes]:
        """Content type and text."""
        from astrameter.metrics.exposition import CONTENT_TYPE, render  # noqa: PLC0415

        now = self._clock.seconds()
        if self._rendered_at is None or now - self._rendered_at >= GOOD_FOR_S:
            if self.running:
                self._lag.start()
            self._text = render(self._gather(self._lag))
            self._rendered_at = now
        return CONTENT_TYPE, self._text
