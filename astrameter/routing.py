"""Which meter serves which battery (filters.md sections 10 and 11)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from astrameter.meters.interface import IMeter, ISource
from astrameter.reading import Sample

FRESH_WAIT_S = 2.0
"""How long a poll waits for a pushed meter's next sample (filters.md section 10)."""

_REMEMBERED_CLIENTS = 512


@implementer(ISource)
class Route:
    """A meter with its filters, and the networks whose batteries it serves."""

    def __init__(
        self,
        meter: IMeter,
        chain: ISource,
        networks: Sequence[ipaddress.IPv4Network],
        wait_for_next: bool,
    ) -> None:
        self.section = meter.section
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


class Routes:
    """All meters in file order; the first that serves a client is used, with no fall-through."""

    def __init__(self) -> None:
        self._routes: tuple[Route, ...] = ()
        self._known: dict[str, Route | None] = {}

    def replace(self, routes: Sequence[Route]) -> None:
        """Use these routes from the next poll on."""
        self._routes = tuple(routes)
        self._known.clear()

    def find(self, ip: str) -> Route | None:
        """The route of the client at ``ip`` (dotted IPv4, also ``::ffff:a.b.c.d``)."""
        try:
            return self._known[ip]
        except KeyError:
            pass
        if len(self._known) >= _REMEMBERED_CLIENTS:
            self._known.clear()
        route = self._known[ip] = self._search(ip)
        return route

    def _search(self, ip: str) -> Route | None:
        try:
            address = int(ipaddress.IPv4Address(ip.lower().removeprefix("::ffff:")))
        except ValueError:
            return None
        return next((route for route in self._routes if route.serves(address)), None)
