"""Two hosts, a listening port, and protocols that note what happens to them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from simulator.world import Link, World

SERVER, CLIENT = "192.168.1.5", "192.168.1.10"


class Talker(Protocol):
    """Notes what happens to it, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.data = b""
        self.chunks = 0
        self.made_at: float | None = None
        self.lost_at: float | None = None
        self.lost: type[BaseException] | None = None

    def connectionMade(self) -> None:
        self.made_at = self.world.seconds()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.chunks += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost_at = self.world.seconds()
        self.lost = reason.type


@implementer(IHalfCloseableProtocol)
class HalfTalker(Talker):
    """Notes the ends of the two directions one by one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.halves: list[str] = []

    def readConnectionLost(self) -> None:
        self.halves.append("read")

    def writeConnectionLost(self) -> None:
        self.halves.append("write")


class Listening(Factory[Talker]):
    """Makes talkers and keeps them."""

    noisy = False

    def __init__(self, world: World, kind: type[Talker] = Talker) -> None:
        self.world = world
        self.kind = kind
        self.talkers: list[Talker] = []
        self.events: list[str] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")

    def buildProtocol(self, addr: Any) -> Talker | None:
        self.talkers.append(self.kind(self.world))
        return self.talkers[-1]


class Dialling(ClientFactory[Talker]):
    """Notes the fate of its connection."""

    noisy = False

    def __init__(self, world: World, kind: type[Talker] = Talker) -> None:
        self.talker = kind(world)
        self.world = world
        self.events: list[Any] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.events.append("connecting")

    def buildProtocol(self, addr: Any) -> Talker | None:
        self.events.append(addr)
        return self.talker

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.events.append((reason.type, self.world.seconds()))

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.events.append(reason.type)


class TcpCase(SynchronousTestCase):
    kind: type[Talker] = Talker

    def setUp(self) -> None:
        self.world = World(link=Link(latency_s=0.01))
        self.server = self.world.host(SERVER)
        self.client = self.world.host(CLIENT)
        self.listening = Listening(self.world, self.kind)
        self.port = self.server.listenTCP(80, self.listening)

    def dial(self, host: str = SERVER, port: int = 80, **options: Any) -> Any:
        self.dialling = Dialling(self.world, self.kind)
        return self.client.connectTCP(host, port, self.dialling, **options)

    def connect(self) -> tuple[Any, Any]:
        """Both ends of a new connection."""
        self.dial()
        self.world.advance(0.1)
        return self.dialling.talker, self.listening.talkers[-1]


@implementer(IPushProducer)
class Pushing:
    """Writes every millisecond unless paused."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0
        self.paused = self.stopped = False
        transport.registerProducer(self, True)
        self.push()

    def push(self) -> None:
        if not self.stopped and self.written < 1_000_000:
            self.transport.reactor.callLater(0.001, self.push)
            if not self.paused:
                self.transport.write(bytes(10_000))
                self.written += 10_000

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class Pulling:
    """Writes once each time it is asked."""

    def __init__(self, transport: Any, left: int) -> None:
        self.transport = transport
        self.left = left
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        if self.left < 0:
            raise ValueError("nothing there")
        self.transport.write(bytes(10_000))
        self.left -= 1
        if self.left == 0:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.left = 0
