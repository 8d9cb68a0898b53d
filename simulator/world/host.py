"""One computer in the world, as its programs see it: a Twisted reactor in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost, ReactorAlreadyRunning, ReactorNotRunning
from twisted.internet.interfaces import (
    IDelayedCall,
    IHostnameResolver,
    IProtocolFactory,
    IReactorCore,
    IReactorFromThreads,
    IReactorMulticast,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
)
from twisted.internet.protocol import AbstractDatagramProtocol, ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from simulator.world.connection import Connection
from simulator.world.datagrams import Datagrams
from simulator.world.handshake import Connector
from simulator.world.links import Links
from simulator.world.multicast import MulticastPort
from simulator.world.names import FirstAddress, Resolver
from simulator.world.tcp import Streams, TcpPort
from simulator.world.timeline import DelayedCall, Timeline
from simulator.world.triggers import Trigger, Triggers
from simulator.world.udp import UdpPort


@implementer(
    IReactorCore,
    IReactorFromThreads,
    IReactorMulticast,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
)
class HostReactor:
    """A host with one IPv4 address, from :meth:`simulator.world.World.host`.

    It runs from the beginning and cannot be run: time is moved by the world.

    :ivar address: its IPv4 address.
    :ivar running: its programs run; False after :meth:`stop` and :meth:`crash`.
    """

    def __init__(
        self,
        address: str,
        timeline: Timeline,
        links: Links,
        datagrams: Datagrams,
        streams: Streams,
        names: Mapping[str, str],
    ) -> None:
        self.address = address
        self.running = False
        self._timeline = timeline
        self._links = links
        self._datagrams = datagrams
        self._streams = streams
        self._resolver: IHostnameResolver = Resolver(self, names)
        self._triggers = Triggers(timeline.note_error)
        self._stopping = False
        self.boot()

    # The network cable and the power switch

    def down(self) -> None:
        """Unplug it: datagrams vanish, connections fall silent and nobody is told."""
        self._links.set_up(self.address, False)

    def up(self) -> None:
        """Plug it in again."""
        self._links.set_up(self.address, True)

    def boot(self) -> None:
        """Switch it on: the startup event.

        :raises ReactorAlreadyRunning: when it is on.
        """
        if self.running:
            raise ReactorAlreadyRunning
        self.running = True
        self._stopping = False
        self.addSystemEventTrigger("during", "shutdown", self._disconnect)
        self._triggers.fire("startup")

    def crash(self) -> None:
        """Its programs end without a word: no timer of theirs runs, no socket stays open.

        Other hosts' connections to it are reset; when it is unplugged at the time they hear
        that only when they send something after it is back.
        """
        self.running = False
        self._triggers.clear()
        self._triggers = Triggers(self._timeline.note_error)
        for call in self._timeline.pending(self):
            call.cancel()
        for end in self._streams.ends_of(self.address):
            end.vanish()
        for tcp_port in self._streams.ports_of(self.address):
            tcp_port.vanish()
        for udp_port in self._datagrams.sockets_of(self.address):
            udp_port.vanish()

    @property
    def connections(self) -> list[Connection]:
        """Its ends of established TCP connections, the oldest first."""
        return [end for end in self._streams.ends_of(self.address) if end.connected]

    # IReactorTime and IReactorFromThreads

    def seconds(self) -> float:
        """Virtual time, the same for all hosts."""
        return self._timeline.now

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002  the interface's name
        *args: object,
        **kwargs: object,
    ) -> DelayedCall:
        """Schedule a call.

        :raises ValueError: when the delay is negative or not finite.
        """
        return self._timeline.call_later(self, delay, callable, args, kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """The timers of this host's programs, the next first."""
        return self._timeline.pending(self)

    def callFromThread(
        self,
        callable: Callable[..., object],  # noqa: A002  the interface's name
        *args: object,
        **kwargs: object,
    ) -> None:
        """Call in the next turn; there are no other threads in the world."""
        self._timeline.call_later(self, 0.0, callable, args, kwargs)

    # IReactorUDP and IReactorMulticast

    def listenUDP(
        self,
        port: int,
        protocol: AbstractDatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,
    ) -> UdpPort:
        """Bind a UDP socket; see :class:`UdpPort`."""
        udp_port = UdpPort(self._datagrams, self.address, port, protocol, interface, maxPacketSize)
        udp_port.startListening()
        return udp_port

    def listenMulticast(
        self,
        port: int,
        protocol: AbstractDatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> MulticastPort:
        """Bind a UDP socket that can join groups; see :class:`MulticastPort`."""
        multicast_port = MulticastPort(
            self._datagrams, self.address, port, protocol, interface, maxPacketSize, listenMultiple
        )
        multicast_port.startListening()
        return multicast_port

    # IReactorTCP

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> TcpPort:
        """Accept connections; see :class:`TcpPort`. The backlog is never full."""
        tcp_port = TcpPort(self._streams, self, self.address, port, factory, interface)
        tcp_port.startListening()
        return tcp_port

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> Connector:
        """Connect; of ``bindAddress`` only the port counts."""
        local_port = 0 if bindAddress is None else bindAddress[1]
        connector = Connector(self._streams, self, (host, port), factory, timeout, local_port)
        connector.connect()
        return connector

    # IReactorPluggableNameResolver and IReactorCore

    @property
    def nameResolver(self) -> IHostnameResolver:
        return self._resolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        previous, self._resolver = self._resolver, resolver
        return previous

    def resolve(self, name: str, timeout: Sequence[int] = (1, 3, 11, 45)) -> Deferred[str]:
        """The address of a name; fails with DNSLookupError."""
        if isIPAddress(name):
            return succeed(name)
        first = FirstAddress(name)
        self._resolver.resolveHostName(first, name)
        return first.found

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[..., Any],  # noqa: A002  the interface's name
        *args: object,
        **kwargs: object,
    ) -> Trigger:
        return self._triggers.add(Trigger(phase, eventType, callable, args, kwargs))

    def removeSystemEventTrigger(self, triggerID: Trigger) -> None:
        self._triggers.remove(triggerID)

    def fireSystemEvent(self, eventType: str) -> None:
        self._triggers.fire(eventType)

    def callWhenRunning(
        self,
        callable: Callable[..., Any],  # noqa: A002  the interface's name
        *args: object,
        **kwargs: object,
    ) -> Trigger | None:
        if self.running:
            callable(*args, **kwargs)
            return None
        return self.addSystemEventTrigger("after", "startup", callable, *args, **kwargs)

    def stop(self) -> None:
        """End its programs in an orderly way: the shutdown event, then :meth:`crash`.

        :raises ReactorNotRunning: when they do not run, or are ending already.
        """
        if not self.running or self._stopping:
            raise ReactorNotRunning("cannot stop what is not running")
        self._stopping = True
        self.callLater(0.0, self._triggers.fire, "shutdown")

    def run(self) -> None:
        """Refused: :meth:`simulator.world.World.advance` moves time."""
        raise RuntimeError("time is moved by the world, not by a host")

    def iterate(self, delay: float = 0) -> None:
        """Refused, as :meth:`run`."""
        self.run()

    def _disconnect(self) -> None:
        """The first thing of a shutdown, as in Twisted's reactors: everything is closed."""
        self.running = False
        for tcp_port in self._streams.ports_of(self.address):
            tcp_port.close()
        for udp_port in self._datagrams.sockets_of(self.address):
            udp_port.close()
        for end in self._streams.ends_of(self.address):
            end.connectionLost(Failure(ConnectionLost()))
        self._timeline.post(0.0, self._end)

    def _end(self) -> None:
        if not self.running:
            self.crash()
