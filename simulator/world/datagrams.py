"""Carries datagrams between the UDP sockets of the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.protocol import AbstractDatagramProtocol

from simulator.world.books import Counts, Transcript
from simulator.world.links import Links
from simulator.world.ports import LOOPBACK, Address, Ports, loopback_of
from simulator.world.timeline import Timeline

IN_FLIGHT_MAX = 100_000
"""Datagrams that are under way at once; what is more is thrown away and counted."""


class Socket(Protocol):
    """What this layer needs of a UDP socket.

    :ivar guarded: ask :meth:`admits` before delivery.
    :ivar wildcard: bound to all addresses: broadcasts reach it.
    :ivar groups: the multicast groups it has joined.
    :ivar hears_itself: what it sends to a group comes back to its own host.
    """

    host: str
    number: int
    maxPacketSize: int
    protocol: AbstractDatagramProtocol
    guarded: bool
    wildcard: bool
    groups: set[str]
    hears_itself: bool

    def admits(self, source: Address) -> bool:
        """Whether it is listening, and to that source."""

    def update_guard(self) -> None:
        """A host has gone or come back."""

    def close(self) -> None:
        """Close it now."""

    def vanish(self) -> None:
        """Close it without a word to the protocol: its program is gone."""

    def refused(self, peer: Address) -> None:
        """Nobody listens at ``peer``, to which this socket has sent something."""


class Datagrams:
    """The UDP layer of the world.

    :ivar ports: who listens where.
    :ivar counts: what became of the datagrams.
    """

    def __init__(self, timeline: Timeline, links: Links, transcript: Transcript | None) -> None:
        self.timeline = timeline
        self.links = links
        self.ports: Ports[Socket] = Ports()
        self.counts = Counts()
        self._transcript = transcript
        self._sockets = self.ports.sockets
        self._by_number: dict[int, list[Socket]] = {}
        self._routes: dict[str, dict[str, float]] = {}
        links.changed = self._links_changed

    def routes_of(self, host: str) -> dict[str, float]:
        """The hosts to which it sends with a constant delay and nothing else, seconds."""
        return self._routes.setdefault(host, {})

    def add(self, socket: Socket) -> None:
        """A socket has been bound."""
        self._by_number.setdefault(socket.number, []).append(socket)

    def remove(self, socket: Socket) -> None:
        """A socket is closed."""
        sockets = self._by_number[socket.number]
        sockets.remove(socket)
        if not sockets:
            del self._by_number[socket.number]

    def sockets_of(self, host: str) -> list[Socket]:
        """All sockets of a host, by port number."""
        everywhere = (s for number in sorted(self._by_number) for s in self._by_number[number])
        return [socket for socket in everywhere if socket.host == host]

    def send(self, packet: bytes, sender: Socket, ip: str, number: int) -> None:
        """Send to one host; the sender's own is among them."""
        if ip.startswith("127."):
            target, source = loopback_of(sender.host), (LOOPBACK, sender.number)
            self._dispatch(sender.host, sender.host, self.deliver, packet, (target, number), source)
            return
        source = (sender.host, sender.number)
        self._dispatch(sender.host, ip, self.deliver, packet, (ip, number), source)
        link = self.links.between(sender.host, ip)
        if link.plain and self.links.reachable(sender.host, ip):
            self._routes[sender.host][ip] = link.latency_s

    def spread(self, packet: bytes, sender: Socket, number: int, group: str | None) -> None:
        """Send to all who listen at a port in the sender's /24, or there in a multicast group."""
        network = sender.host.rpartition(".")[0]
        source = (sender.host, sender.number)
        for socket in self._by_number.get(number, ()):
            if group is None:
                wanted = socket.wildcard
            else:
                own = socket.host == sender.host
                wanted = group in socket.groups and (sender.hears_itself or not own)
            if wanted and socket.host.rpartition(".")[0] == network:
                self._dispatch(sender.host, socket.host, self._deliver_copy, packet, socket, source)

    def deliver(self, packet: bytes, destination: Address, source: Address) -> None:
        """A datagram to one host has arrived."""
        socket = self._sockets.get(destination)
        if socket is not None and (not socket.guarded or self._admits(socket, source)):
            self._hand_over(packet, socket, source)
        else:
            self._turn_away(destination, source)

    def _deliver_copy(self, packet: bytes, socket: Socket, source: Address) -> None:
        if not socket.guarded or self._admits(socket, source):
            self._hand_over(packet, socket, source)
        else:
            self.counts.in_flight -= 1
            self.counts.refused += 1

    def _hand_over(self, packet: bytes, socket: Socket, source: Address) -> None:
        counts = self.counts
        counts.in_flight -= 1
        counts.delivered += 1
        if len(packet) > socket.maxPacketSize:
            packet = packet[: socket.maxPacketSize]
        if self._transcript is not None:
            destination = (socket.host, socket.number)
            self._transcript.add(self.timeline.now, source, destination, packet)
        socket.protocol.datagramReceived(packet, source)

    def _dispatch(
        self,
        origin: str,
        target: str,
        arrive: Callable[..., None],
        packet: bytes,
        *to_and_from: Any,
    ) -> None:
        counts = self.counts
        counts.sent += 1
        if not self.links.reachable(origin, target):
            counts.unreachable += 1
            return
        now = self.timeline.now
        arrivals = self.links.arrivals(origin, target, now)
        counts.lost += not arrivals
        counts.duplicated += len(arrivals) > 1
        for at in arrivals:
            if counts.in_flight >= IN_FLIGHT_MAX:
                counts.overflowed += 1
            else:
                counts.in_flight += 1
                self.timeline.post_at(at, arrive, packet, *to_and_from)

    def _admits(self, socket: Socket, source: Address) -> bool:
        near = source[0] in (LOOPBACK, socket.host)
        return socket.admits(source) and (near or self.links.is_up(socket.host))

    def _turn_away(self, destination: Address, source: Address) -> None:
        """Count it; tell the sender as ICMP would (RFC 1122 section 4.1.3.3)."""
        self.counts.in_flight -= 1
        near = source[0] == LOOPBACK
        host = destination[0]
        if not near and not self.links.reachable(source[0], host):
            self.counts.unreachable += 1
            return
        self.counts.refused += 1
        sender = self._sockets.get((host if near else source[0], source[1]))
        if sender is not None:
            peer = (LOOPBACK, destination[1]) if near else destination
            delay_s = 0.0 if near else self.links.delay(host, source[0])
            self.timeline.post(delay_s, sender.refused, peer)

    def _links_changed(self) -> None:
        for routes in self._routes.values():
            routes.clear()
        for sockets in self._by_number.values():
            for socket in sockets:
                socket.update_guard()
