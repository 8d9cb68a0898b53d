"""What happens between two hosts: delay, loss, duplicates, overtaking, and being cut off."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import TypeVar

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Link:
    """The way from one host to another.

    Only datagrams are lost, duplicated or overtaken; TCP is delayed and otherwise reliable.

    :ivar latency_s: delay of everything.
    :ivar jitter_s: a further delay, drawn evenly from 0 to this. By itself it changes no order.
    :ivar loss: fraction of datagrams that vanish.
    :ivar duplicate: fraction of the others that arrive twice.
    :ivar reorder: fraction that is held back, so that later ones may overtake it.
    :ivar reorder_s: for at most how long it is held back.
    """

    latency_s: float = 0.002
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_s: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            highest = math.inf if field.name.endswith("_s") else 1.0
            if not 0.0 <= value <= highest or value == math.inf:
                raise ValueError(f"{field.name} = {value}: a time is 0 or more, a fraction 0..1")

    @property
    def plain(self) -> bool:
        """Nothing happens but a fixed delay."""
        return not (self.jitter_s or self.loss or self.duplicate or self.reorder)

    def then(self, other: Link) -> Link:
        """This link and another, one behind the other."""
        return Link(
            self.latency_s + other.latency_s,
            self.jitter_s + other.jitter_s,
            1.0 - (1.0 - self.loss) * (1.0 - other.loss),
            1.0 - (1.0 - self.duplicate) * (1.0 - other.duplicate),
            1.0 - (1.0 - self.reorder) * (1.0 - other.reorder),
            max(self.reorder_s, other.reorder_s),
        )


LOCAL = Link(latency_s=0.0)
"""From a host to itself."""


class Links:
    """The links between all hosts, and which of them are cut.

    A pair's own link goes before the hosts' own links (both in series when both have one), and
    those go before the default.

    :ivar changed: called after every change; caches of routes hang on it.
    """

    def __init__(self, default: Link, chance: Random) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._default = default
        self._chance = chance
        self._of_host: dict[str, Link] = {}
        self._of_pair: dict[tuple[str, str], Link] = {}
        self._between: dict[tuple[str, str], Link] = {}
        self._last_arrival: dict[tuple[str, str], float] = {}
        self._hosts: set[str] = set()
        self._down: set[str] = set()
        self._cut: set[tuple[str, str]] = set()

    @property
    def default(self) -> Link:
        return self._default

    def set_default(self, link: Link) -> None:
        self._default = link
        self._change()

    def set_host(self, address: str, link: Link | None) -> None:
        """Give all traffic of a host its own link; None takes it back."""
        _put(self._of_host, address, link)
        self._change()

    def set_pair(self, a: str, b: str, link: Link | None) -> None:
        """Give two hosts their own link, both ways; None takes it back."""
        _put(self._of_pair, _pair(a, b), link)
        self._change()

    def add_host(self, address: str) -> None:
        self._hosts.add(address)
        self._change()

    def set_up(self, address: str, up: bool) -> None:
        (self._down.discard if up else self._down.add)(address)
        self._change()

    def set_cut(self, a: str, b: str, cut: bool) -> None:
        (self._cut.add if cut else self._cut.discard)(_pair(a, b))
        self._change()

    def is_up(self, address: str) -> bool:
        return address not in self._down

    def reachable(self, a: str, b: str) -> bool:
        """Whether anything gets from ``a`` to ``b``; a host always reaches itself."""
        if a == b:
            return True
        apart = a in self._down or b in self._down or _pair(a, b) in self._cut
        return b in self._hosts and not apart

    def between(self, a: str, b: str) -> Link:
        """The link that holds from ``a`` to ``b``."""
        link = self._between.get((a, b))
        if link is None:
            link = self._look_up(a, b)
            if b in self._hosts:
                self._between[a, b] = link
        return link

    def delay(self, a: str, b: str) -> float:
        """Draw the delay of something that is neither lost nor duplicated, seconds."""
        link = self.between(a, b)
        if link.jitter_s:
            return link.latency_s + link.jitter_s * self._chance.random()
        return link.latency_s

    def arrivals(self, a: str, b: str, now: float) -> list[float]:
        """Draw the times at which the copies of a datagram arrive; none when it is lost."""
        link = self.between(a, b)
        if link.loss and self._chance.random() < link.loss:
            return []
        copies = 2 if link.duplicate and self._chance.random() < link.duplicate else 1
        return [self._arrival(a, b, link, now) for _ in range(copies)]

    def _arrival(self, a: str, b: str, link: Link, now: float) -> float:
        arrival = max(now + self.delay(a, b), self._last_arrival.get((a, b), 0.0))
        if link.reorder and self._chance.random() < link.reorder:
            return arrival + link.reorder_s * self._chance.random()
        self._last_arrival[a, b] = arrival
        return arrival

    def _look_up(self, a: str, b: str) -> Link:
        if a == b:
            return LOCAL
        own = self._of_pair.get(_pair(a, b))
        if own is not None:
            return own
        of_a, of_b = self._of_host.get(a), self._of_host.get(b)
        if of_a is not None and of_b is not None:
            return of_a.then(of_b)
        return of_a or of_b or self._default

    def _change(self) -> None:
        self._between.clear()
        self.changed()


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)


def _put(table: dict[K, Link], key: K, link: Link | None) -> None:
    if link is None:
        table.pop(key, None)
    else:
        table[key] = link
