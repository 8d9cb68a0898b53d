"""UDP sockets that can join multicast groups."""

from __future__ import annotations

from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import MulticastJoinError
from twisted.internet.interfaces import IMulticastTransport
from twisted.internet.protocol import AbstractDatagramProtocol
from zope.interface import implementer

from simulator.world.datagrams import Datagrams
from simulator.world.udp import UdpPort, is_multicast


@implementer(IMulticastTransport)
class MulticastPort(UdpPort):
    """A UDP socket that hears the groups it has joined, within its /24.

    :ivar shared: others that say so too may use the same port. Datagrams to the host itself
        go to the first of them; groups and broadcasts reach all.
    """

    def __init__(
        self,
        layer: Datagrams,
        host: str,
        number: int,
        protocol: AbstractDatagramProtocol,
        interface: str,
        maxPacketSize: int,
        shared: bool,
    ) -> None:
        super().__init__(layer, host, number, protocol, interface, maxPacketSize)
        self.shared = shared
        self._outgoing: str | int = "0.0.0.0"
        self._ttl = 1

    def joinGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """Hear a group; fails with MulticastJoinError when the address is none."""
        if not isIPAddress(addr) or not is_multicast(addr):
            return fail(MulticastJoinError(addr, interface, "not a multicast address"))
        self.groups.add(addr)
        return succeed(None)

    def leaveGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """Hear a group no longer; fails with MulticastJoinError when it was not joined."""
        if addr not in self.groups:
            return fail(MulticastJoinError(addr, interface, "not joined"))
        self.groups.remove(addr)
        return succeed(None)

    def getOutgoingInterface(self) -> str | int:
        return self._outgoing

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int]:
        self._outgoing = addr
        return succeed(1)

    def getLoopbackMode(self) -> bool:
        return self.hears_itself

    def setLoopbackMode(self, mode: bool) -> None:
        self.hears_itself = mode

    def getTTL(self) -> int:
        return self._ttl

    def setTTL(self, ttl: int) -> None:
        self._ttl = ttl

    def _bind(self) -> None:
        holder = self._layer.ports.sockets.get((self.host, self.number))
        if not (self.shared and isinstance(holder, MulticastPort) and holder.shared):
            super()._bind()
