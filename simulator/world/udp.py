"""UDP sockets as a host's programs see them."""

from __future__ import annotations

import errno
import os

from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.internet.protocol import AbstractDatagramProtocol
from zope.interface import implementer

from simulator.world.datagrams import IN_FLIGHT_MAX, Datagrams
from simulator.world.ports import WILDCARD, Address

DATAGRAM_MAX = 65507
"""Octets in one datagram: 65535 less the IPv4 and UDP headers (RFC 791, RFC 768)."""
EVERYBODY = "255.255.255.255"


@implementer(IListeningPort, IUDPTransport)
class UdpPort:
    """A bound UDP socket; behaves as Twisted's does on Linux.

    Broadcasts must be allowed before they are sent, and reach only sockets bound to the
    wildcard address. After ``stopListening`` it is deaf at once; the port is free, and the
    Deferred fires, in the next turn.

    :ivar host: address of the host it is on.
    :ivar number: its port number.
    """

    def __init__(
        self,
        layer: Datagrams,
        host: str,
        number: int,
        protocol: AbstractDatagramProtocol,
        interface: str,
        maxPacketSize: int,
    ) -> None:
        self.host = host
        self.number = number
        self.protocol = protocol
        self.maxPacketSize = maxPacketSize
        self.wildcard = interface in WILDCARD
        self.groups: set[str] = set()
        self.hears_itself = True
        self.guarded = True
        self._interface = interface
        self._layer = layer
        self._counts = layer.counts
        self._post = layer.timeline.post
        self._deliver = layer.deliver
        self._routes: dict[str, float] = {}
        self._source: Address = (host, number)
        self._bound = self._listening = False
        self._may_broadcast = False
        self._peer: Address | None = None
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Bind, and connect the protocol.

        :raises CannotListenError: when the port is taken or the interface is not the host's.
        """
        self._bind()
        self._layer.add(self)
        self._source = (self.host, self.number)
        self._routes = self._layer.routes_of(self.host)
        self._bound = self._listening = True
        self.update_guard()
        self.protocol.makeConnection(self)

    def write(self, packet: bytes, addr: Address | None = None) -> None:
        """Send a datagram; ``addr`` may be left out when connected.

        :raises MessageLengthError: when it is longer than 65507 octets.
        :raises InvalidAddressError: when ``addr`` is not an IPv4 address.
        :raises PermissionError: on a broadcast that was not allowed before.
        """
        delay_s = None if addr is None else self._routes.get(addr[0])
        counts = self._counts
        if delay_s is None or len(packet) > DATAGRAM_MAX or counts.in_flight >= IN_FLIGHT_MAX:
            self._send(packet, addr)
            return
        counts.sent += 1
        counts.in_flight += 1
        self._post(delay_s, self._deliver, bytes(packet), addr, self._source)

    def connect(self, host: str, port: int) -> None:
        """Send to this address only, and hear from it only."""
        if self._peer is not None:
            raise RuntimeError("already connected")
        if not isIPAddress(host):
            raise InvalidAddressError(host, "not an IPv4 address")
        self._peer = (host, port)
        self._routes = {}
        self.update_guard()

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "0.0.0.0" if self.wildcard else self._interface, self.number)

    def setBroadcastAllowed(self, enabled: bool) -> None:
        self._may_broadcast = enabled

    def getBroadcastAllowed(self) -> bool:
        return self._may_broadcast

    def stopListening(self) -> Deferred[None] | None:
        """Stop; the Deferred fires when the port is free. None when it is not bound."""
        if not self._bound:
            return None
        if self._stopped is None:
            self._stopped = Deferred()
            self._listening = False
            self.update_guard()
            self._post(0.0, self.close)
        return self._stopped

    def vanish(self) -> None:
        """Close without a word to the protocol: its program is gone."""
        if self._bound:
            self._bound = self._listening = False
            self.guarded = True
            self._routes = {}
            self._layer.remove(self)
            self._layer.ports.release(self.host, self._interface, self.number, self)

    def admits(self, source: Address) -> bool:
        return self._listening and self._peer in (None, source)

    def update_guard(self) -> None:
        up = self._layer.links.is_up(self.host)
        self.guarded = not (self._listening and up and self._peer is None)

    def refused(self, peer: Address) -> None:
        """Tell a connected protocol that nobody listens there."""
        if self._listening and self._peer == peer:
            self.protocol.connectionRefused()  # type: ignore[attr-defined]

    def _bind(self) -> None:
        self.number = self._layer.ports.claim(self.host, self._interface, self.number, self)

    def close(self) -> None:
        if not self._bound:
            return
        self.vanish()
        self.protocol.doStop()
        if self._stopped is not None:
            self._stopped.callback(None)

    def _send(self, packet: bytes, addr: Address | None) -> None:
        if not self._bound:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._peer is not None and addr not in (None, self._peer):
            raise ValueError(f"connected to {self._peer}, cannot send to {addr}")
        destination = self._peer or addr
        if destination is None:
            raise ValueError("a datagram needs an address unless connected")
        if len(packet) > DATAGRAM_MAX:
            raise MessageLengthError("message too long")
        ip, number = destination
        if ip == "<broadcast>":
            ip = EVERYBODY
        if not isIPAddress(ip):
            raise InvalidAddressError(ip, "write() only accepts IPv4 addresses")
        packet = bytes(packet)
        if ip in (EVERYBODY, self.host.rpartition(".")[0] + ".255"):
            if not self._may_broadcast:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._layer.spread(packet, self, number, None)
        elif is_multicast(ip):
            self._layer.spread(packet, self, number, ip)
        else:
            self._layer.send(packet, self, ip, number)


def is_multicast(ip: str) -> bool:
    """Whether an IPv4 address is a group (RFC 5771 section 3)."""
    return 224 <= int(ip.partition(".")[0]) <= 239
