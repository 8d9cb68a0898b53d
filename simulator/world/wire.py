"""One direction of a TCP connection: complete and in order, or silent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from simulator.world.links import Links
from simulator.world.timeline import Timeline

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 120.0
GIVE_UP_S = 924.6
"""How TCP repeats what is not acknowledged, and when it gives up (RFC 6298; Linux tcp(7),
``tcp_retries2`` = 15)."""


class Signal(Enum):
    """What travels besides data."""

    OPEN = "the connection is established"
    FIN = "no more data will follow"
    RST = "the connection is void"


Segment = bytes | Signal


class Wire:
    """Carries segments from one end of a connection to the other.

    While the other host cannot be reached they wait and are tried again now and then, as TCP
    does: a short gap is survived, a long one ends in ``gave_up``, and neither end hears
    anything in between. A reset is sent once, and then there is nothing left to try again.
    """

    def __init__(
        self,
        timeline: Timeline,
        links: Links,
        ends: tuple[str, str],
        deliver: Callable[[Segment], None],
        gave_up: Callable[[], None],
    ) -> None:
        self._timeline = timeline
        self._links = links
        self._origin, self._target = ends
        self._deliver = deliver
        self._gave_up = gave_up
        self._segments: deque[Segment] = deque()
        self._silent_since: float | None = None
        self._retry_s = FIRST_RETRY_S
        self._epoch = 0
        self._dead = False

    def send(self, segment: Segment) -> None:
        if self._dead:
            return
        if segment is Signal.RST and self._silent_since is not None:
            self._segments.clear()
            return
        self._segments.append(segment)
        if self._silent_since is None:
            self._schedule()

    def _schedule(self) -> None:
        delay_s = self._links.delay(self._origin, self._target)
        self._timeline.post(delay_s, self._arrive, self._epoch)

    def _arrive(self, epoch: int) -> None:
        """Some segment is due: whichever it was, the first that was sent is the next."""
        if epoch != self._epoch:
            return
        if self._links.reachable(self._origin, self._target):
            self._deliver(self._segments.popleft())
        else:
            self._fall_silent()

    def _fall_silent(self) -> None:
        self._epoch += 1
        if Signal.RST in self._segments:
            self._segments.clear()
            return
        self._silent_since = self._timeline.now
        self._retry_s = FIRST_RETRY_S
        self._timeline.post(self._retry_s, self._retry, self._silent_since)

    def _retry(self, silent_since: float) -> None:
        if not self._segments or self._links.reachable(self._origin, self._target):
            self._silent_since = None
            for _ in self._segments:
                self._schedule()
        elif self._timeline.now - silent_since >= GIVE_UP_S:
            self._dead = True
            self._segments.clear()
            self._gave_up()
        else:
            self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
            self._timeline.post(self._retry_s, self._retry, silent_since)
