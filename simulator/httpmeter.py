"""The simulated grid meter as JSON over HTTP (simulator.md section 7).

An appliance reads it with ``[JSON_HTTP]``, ``URL = http://host:port/power`` and
``JSON_PATHS = $.phase_a,$.phase_b,$.phase_c``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.application.service import Service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.protocols.policies import WrappingFactory
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from astrameter.deferreds import Clock
from simulator.gridmeter import GridMeter

JSON_TYPE = b"application/json; charset=utf-8"


class TimeAndTcp(Clock, Protocol):
    """A reactor's IReactorTime and IReactorTCP."""

    def callLater(
        self, delay: float, function: Callable[..., Any], /, *args: object, **kw: object
    ) -> IDelayedCall: ...

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort: ...


class PowerResource(Resource):
    """``GET /power``: watts on each phase, as the meter shows them at this moment."""

    isLeaf = True

    def __init__(self, meter: GridMeter, clock: Clock) -> None:
        Resource.__init__(self)
        self._meter = meter
        self._clock = clock

    def render_GET(self, request: Request) -> bytes:
        a, b, c = self._meter.read(self._clock.seconds()).watts
        request.setHeader(b"Content-Type", JSON_TYPE)
        return json.dumps({"phase_a": a, "phase_b": b, "phase_c": c}).encode()


class QuietSite(Site):
    """A site that keeps no access log: it would write a line per reading."""

    def __init__(self, root: Resource, reactor: TimeAndTcp) -> None:
        Site.__init__(self, root, reactor=reactor)

    def log(self, request: HttpRequest) -> None:
        """Nothing."""


class HttpMeter(Service):
    """Serves ``/power`` while it runs.

    :ivar port: the TCP port; 0 until it has started when any port was asked for.
    """

    def __init__(
        self, meter: GridMeter, reactor: TimeAndTcp, port: int = 0, interface: str = "127.0.0.1"
    ) -> None:
        root = Resource()
        root.putChild(b"power", PowerResource(meter, reactor))
        site = QuietSite(root, reactor)
        self.port = port
        self._reactor = reactor
        self._interface = interface
        self._connections: WrappingFactory[Any] = WrappingFactory(site)
        self._listening: IListeningPort | None = None

    def startService(self) -> None:
        """:raises CannotListenError: when the port cannot be bound."""
        self._listening = self._reactor.listenTCP(
            self.port, self._connections, interface=self._interface
        )
        self.port = cast(IPv4Address, self._listening.getHost()).port
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Close the port and all connections."""
        Service.stopService(self)
        listening, self._listening = self._listening, None
        for connection in list(self._connections.protocols):
            connection.transport.abortConnection()
        closed = None if listening is None else listening.stopListening()
        return succeed(None) if closed is None else closed
