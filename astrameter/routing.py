"""Which meter serves which battery (filters.md sections 10 and 11)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from astrameter.meters.interface import IMeter, ISource
from astrameter.reading import Sample

FRESH_WAIT_S = 2.0
"""How long a poll waits for a pushed meter's next sample (filters.md section 10)."""

_REMEMBERED_CLIENTS = 512


class ServingRoute(Protocol):
    """What answers a poll: one meter, or several that stand in for each other.

    :ivar section: of the meter that is read now.
    """

    @property
    def section(self) -> str: ...

    def read(self) -> Deferred[Sample]: ...


@implementer(ISource)
class Route:
    """A meter with its filters, and the networks whose batteries it serves.

    :ivar priority: its place among the meters that stand in for each other; None: alone.
    :ivar plausible_w: how far it may be from the meter in use; None does not compare.
    """

    def __init__(
        self,
        meter: IMeter,
        chain: ISource,
        networks: Sequence[ipaddress.IPv4Network],
        wait_for_next: bool,
        priority: int | None = None,
        plausible_w: float | None = None,
    ) -> None:
        self.section = meter.section
        self.priority = priority
        self.plausible_w = plausible_w
        self._meter = meter
        self._chain = chain
        self._wait = wait_for_next
        self._networks = [(int(net.network_address), int(net.netmask)) for net in networks]

    def serves(self, address: int) -> bool:
        """Whether the IPv4 ``address`` (as a number) lies in one of the networks."""
        return any(address & mask == network for network, mask in self._networks)

    def read(self) -> Deferred[Sample]:
        if not self._wait:
            return self._chain.read()
        return self._meter.next_sample(FRESH_WAIT_S).addCallback(lambda _: self._chain.read())


Group = Callable[[Sequence[Route]], ServingRoute]


class Routes:
    """All meters in file order; the first that serves a client is used.

    When it has a priority, all others with one that serve the client stand in for it.
    """

    def __init__(self, group: Group = lambda routes: routes[0]) -> None:
        """:param group: makes one of several routes, the best first."""
        self._group = group
        self._groups: dict[tuple[Route, ...], ServingRoute] = {}
        self._routes: tuple[Route, ...] = ()
        self._known: dict[str, ServingRoute | None] = {}

    def replace(self, routes: Sequence[Route]) -> None:
        """Use these routes from the next poll on."""
        self._routes = tuple(routes)
        self._groups.clear()
        self._known.clear()

    def find(self, ip: str) -> ServingRoute | None:
        """The route of the client at ``ip`` (dotted IPv4, also ``::ffff:a.b.c.d``)."""
        try:
            return self._known[ip]
        except KeyError:
            pass
        if len(self._known) >= _REMEMBERED_CLIENTS:
            self._known.clear()
        route = self._known[ip] = self._search(ip)
        return route

    def _search(self, ip: str) -> ServingRoute | None:
        try:
            address = int(ipaddress.IPv4Address(ip.lower().removeprefix("::ffff:")))
        except ValueError:
            return None
        serving = [route for route in self._routes if route.serves(address)]
        if not serving:
            return None
        if serving[0].priority is None:
            return serving[0]
        ranked = [(route.priority, route) for route in serving if route.priority is not None]
        key = tuple(route for _, route in sorted(ranked, key=lambda pair: pair[0]))
        if len(key) == 1:
            return key[0]
        if key not in self._groups:
            self._groups[key] = self._group(key)
        return self._groups[key]
