"""How many may knock, and how many may be inside: a bound on everything a stranger can cost.

A handshake costs about 2 ms of processor time, and whoever has not logged in yet pays nothing
for it. Loopback connections all have one address, so an address gets enough for a person who is
quick, and too little for a program that means harm.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from astrameter.deferreds import Clock

STARTING = 12
"""Connections that have not logged in yet, at once."""

STARTING_PER_ADDRESS = 4

RATE_PER_S = 20.0
BURST = 40
RATE_PER_ADDRESS_S = 4.0
BURST_PER_ADDRESS = 20
"""How many may begin: so many at once, then so many a second."""

_ADDRESSES = 256


class Bucket:
    """Lets ``burst`` happen at once, and ``rate_per_s`` in the long run."""

    def __init__(self, clock: Clock, rate_per_s: float, burst: float) -> None:
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._left = burst
        self._at = clock.seconds()

    @property
    def left(self) -> float:
        """How many may happen now."""
        now = self._clock.seconds()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate_per_s)
        self._at = now
        return self._left

    def take(self, count: float = 1) -> None:
        """So many have happened."""
        self._left = self.left - count


class Ticket:
    """The place of one connection, until :meth:`release`."""

    def __init__(self, admission: Admission, address: str) -> None:
        self.address = address
        self._admission = admission
        self.inside = False
        self._held = True

    def enter(self) -> bool:
        """Become a session; False when there is no place for one."""
        self.inside = self.inside or (self._held and self._admission.enter(self))
        return self.inside

    def release(self) -> None:
        """The connection has ended; twice is harmless."""
        if self._held:
            self._held = False
            self._admission.left(self)


class Admission:
    """Who may come in now.

    :ivar max_sessions: may be changed; who is inside stays.
    """

    def __init__(self, clock: Clock, max_sessions: int) -> None:
        self.max_sessions = max_sessions
        self._clock = clock
        self._sessions = 0
        self._starting: dict[str, int] = {}
        self._all = Bucket(clock, RATE_PER_S, BURST)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def admit(self, address: str) -> Ticket | None:
        """A place for a new connection; None when it is to be closed at once."""
        group = group_of(address)
        bucket = self._bucket(group)
        full = sum(self._starting.values()) >= STARTING
        crowded = self._starting.get(group, 0) >= STARTING_PER_ADDRESS
        if full or crowded or self._all.left < 1 or bucket.left < 1:
            return None
        self._all.take()
        bucket.take()
        self._starting[group] = self._starting.get(group, 0) + 1
        return Ticket(self, address)

    def enter(self, ticket: Ticket) -> bool:
        """See :meth:`Ticket.enter`."""
        if self._sessions >= self.max_sessions:
            return False
        self._sessions += 1
        self._started(ticket)
        return True

    def left(self, ticket: Ticket) -> None:
        """See :meth:`Ticket.release`."""
        if ticket.inside:
            self._sessions -= 1
        else:
            self._started(ticket)

    def _started(self, ticket: Ticket) -> None:
        group = group_of(ticket.address)
        self._starting[group] -= 1
        if not self._starting[group]:
            del self._starting[group]

    def _bucket(self, group: str) -> Bucket:
        bucket = self._buckets.get(group)
        if bucket is None:
            bucket = Bucket(self._clock, RATE_PER_ADDRESS_S, BURST_PER_ADDRESS)
            self._buckets[group] = bucket
            if len(self._buckets) > _ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(group)
        return bucket


def group_of(address: str) -> str:
    """What counts as one address: with IPv6 a whole network, because one computer has it all."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
    return str(parsed)
