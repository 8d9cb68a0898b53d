"""A source on a websocket, scripted; in the virtual world and on 127.0.0.1."""

from __future__ import annotations

import datetime
import functools
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.websocket import WebSocketResource, WebSocketTransport

from astrameter.config import ConfiguredMeter, load_text
from astrameter.filters.chain import build_chain
from astrameter.filters.health import Health
from astrameter.reading import MeterError
from simulator.world import Link, World
from tests.astrameter.mqtt.rig import LogWatch

APPLIANCE, SOURCE = "192.168.1.10", "192.168.1.2"
PORT = 8123

Play = Callable[["Peer"], Iterator[Any]]
"""How the source talks: yields ``peer.heard`` to wait for a message, a number to wait seconds."""


class Peer:
    """The source's end of one connection.

    :ivar received: the messages that came, parsed.
    :ivar pings: unanswered or not, how often the client asked whether we live.
    """

    transport: Any

    def __init__(self, source: Source) -> None:
        self.source = source
        self.received: list[Any] = []
        self.lost: Failure | None = None
        self._unread: deque[Any] = deque()
        self._play: Iterator[Any] = iter(())
        self._waiting = False
        self._pause: Any = None

    # What plays do

    def heard(self) -> Any:
        """The next message; yield this method first."""
        return self._unread.popleft()

    def send(self, *messages: object) -> None:
        for message in messages:
            self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        if self.lost is None:
            self.transport.sendTextMessage(text)

    def send_bytes(self, data: bytes) -> None:
        self.transport.sendBytesMessage(data)

    def send_raw(self, data: bytes) -> None:
        """Anything at all, right on the wire."""
        self.transport.transport.write(data)

    def close(self) -> None:
        self.transport.loseConnection()

    def reset(self) -> None:
        self.transport.transport.abortConnection()

    # What Twisted calls

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        self.transport = transport

    def negotiationFinished(self) -> None:
        self._play = self.source.play(self)
        self._go_on()

    def textMessageReceived(self, message: str) -> None:
        self.received.append(json.loads(message))
        self._unread.append(self.received[-1])
        if self._waiting:
            self._waiting = False
            self._go_on()

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        raise AssertionError(f"the client sent {data!r}")

    def pongReceived(self, payload: bytes) -> None:
        """Nobody asked."""

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason
        self.source.open.discard(self)
        if self._pause is not None and self._pause.active():
            self._pause.cancel()

    def _go_on(self) -> None:
        for wanted in self._play:
            if wanted == self.heard:
                if not self._unread:
                    self._waiting = True
                    return
            else:
                self._pause = self.source.reactor.callLater(wanted, self._go_on)
                return


class Source:
    """Listens, and plays with each client; answers other GET requests from ``rest``.

    :ivar peers: all connections there were.
    :ivar rest: status and body by path.
    :ivar hold: keep answers back, in ``held``; see :meth:`let_go`.
    :ivar requests: what came by plain HTTP: path and headers.
    :ivar upgrades: path and headers of the websocket requests.
    """

    def __init__(self, reactor: Any, play: Play, *, tls: Any = None, interface: str = "") -> None:
        self.reactor = reactor
        self.play = play
        self.peers: list[Peer] = []
        self.open: set[Peer] = set()
        self.rest: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.upgrades: list[tuple[str, dict[str, str]]] = []
        self.hold = False
        self.held: list[tuple[Request, bytes]] = []
        self._tls = tls
        self._interface = interface
        self._listening: Any = None
        self.port = 0

    @property
    def peer(self) -> Peer:
        return self.peers[-1]

    def start(self, port: int = 0) -> None:
        site: Any = Site(_Everything(self), reactor=self.reactor)
        site.noisy = False
        if self._tls is not None:
            site = TLSMemoryBIOFactory(self._tls, False, site, clock=self.reactor)
            site.noisy = False
        self._listening = self.reactor.listenTCP(port or self.port, site, interface=self._interface)
        self.port = self._listening.getHost().port

    def let_go(self) -> None:
        """Give the answers that were held back."""
        while self.held:
            request, body = self.held.pop()
            request.write(body)
            request.finish()

    def stop(self) -> Deferred[None] | None:
        """Stop listening and reset all connections."""
        for peer in tuple(self.open):
            peer.reset()
        stopped: Deferred[None] | None = self._listening.stopListening()
        return stopped

    def buildProtocol(self, request: Request) -> Peer:
        peer = Peer(self)
        self.peers.append(peer)
        self.open.add(peer)
        return peer


class _Everything(Resource):
    isLeaf = True

    def __init__(self, source: Source) -> None:
        Resource.__init__(self)
        self._source = source
        self._socket = WebSocketResource(source)

    def render_GET(self, request: Request) -> Any:
        path = request.uri.decode("ascii")
        raw = request.requestHeaders.getAllRawHeaders()
        headers = {key.decode().lower(): values[0].decode() for key, values in raw}
        if "upgrade" in headers:
            self._source.upgrades.append((path, headers))
            return self._socket.render_GET(request)
        self._source.requests.append((path, headers))
        status, body = self._source.rest.get(path, (404, b""))
        request.setResponseCode(status)
        if self._source.hold:
            self._source.held.append((request, body))
            return NOT_DONE_YET
        return body


def configured(section: str, **config: object) -> ConfiguredMeter:
    """A section through the loader of the house."""
    lines = "\n".join(f"{key} = {value}" for key, value in config.items())
    [meter] = load_text(f"[{section}]\n{lines}\n", "config.ini").meters
    return meter


class WebSocketTestCase(SynchronousTestCase):
    """A meter and its source in a virtual world without delays."""

    SECTION = ""
    CONFIG: ClassVar[Mapping[str, object]] = {}

    def setUp(self) -> None:
        self.world = World(link=Link(latency_s=0.0))
        self.host = self.world.host(APPLIANCE)
        self.there = self.world.host(SOURCE)
        self.log = LogWatch(self)
        self.addCleanup(self.assert_nothing_left)

    def source(self, play: Play, tls: Any = None) -> Source:
        source = Source(self.there, play, tls=tls)
        source.start(PORT)
        return source

    def meter(self, **config: object) -> Any:
        """A meter that was built from its section, and runs; see also :attr:`chain`."""
        one = configured(self.SECTION, **(dict(self.CONFIG) | config))
        meter = one.kind.build(self.host, one.section, one.options)
        self.chain: Health = build_chain(
            meter, one.options, self.host, max_age_s=one.kind.max_age_s
        )
        meter.startService()
        self.addCleanup(self.stop, meter)
        return meter

    def stop(self, meter: Any) -> None:
        if meter.running:
            self.world.wait(meter.stopService())

    def assert_nothing_left(self) -> None:
        self.assertEqual(self.host.getDelayedCalls(), [])
        self.assertEqual(self.host.connections, [])
        self.assertEqual(self.world.errors, 0)

    def read(self) -> Any:
        """What the chain brings: watts, or the kind of the error."""
        try:
            return self.world.wait(self.chain.read()).watts
        except MeterError as error:
            return error.kind

    def error(self) -> str:
        """Why there is no reading."""
        try:
            sample = self.world.wait(self.chain.read())
        except MeterError as error:
            return str(error)
        raise AssertionError(f"read {sample}")


class Script:
    """The play of a vector, connection by connection.

    :ivar unfinished: connections that have not been played to the end.
    :ivar jumps: the seconds that the client's clock is to jump before the play goes on.
    """

    def __init__(self, case: Mapping[str, Any]) -> None:
        self._connections = deque(case["connections"])
        self.unfinished = len(self._connections)
        self.jumps: list[float] = []

    def __call__(self, peer: Peer) -> Iterator[Any]:
        connection = self._connections.popleft()
        path, _headers = peer.source.upgrades[-1]
        assert path == connection["target"], path
        for step in connection["script"]:
            match step:
                case {"send": message}:
                    peer.send(message)
                case {"send_text": text}:
                    peer.send_text(text)
                case {"expect_client": message}:
                    yield peer.heard
                    heard = peer.heard()
                    assert heard == message, heard
                case {"pause_s": seconds}:
                    yield seconds
                case {"advance_clock_s": seconds}:
                    self.jumps.append(seconds)
                    yield seconds
                case {"close": True}:
                    peer.close()
                case _:
                    raise AssertionError(step)
        self.unfinished -= 1


class VectorTestCase(WebSocketTestCase):
    """Runs the vectors with transport ws and wss."""

    def run_vector(
        self, case: Mapping[str, Any], differences: Mapping[int, Mapping[str, Any]], tls: Any = None
    ) -> None:
        """:param differences: by number of the step, what we expect instead."""
        script = Script(case)
        source = self.source(script, tls)
        wanted_headers = {}
        for exchange in case.get("exchanges", ()):
            answer = exchange["response"]
            body = json.dumps(answer["json"]) if "json" in answer else answer["body"]
            path = exchange["request"]["target"]
            source.rest[path] = (answer.get("status", 200), body.encode())
            wanted_headers[path] = exchange["request"]["headers"]["Authorization"]
        places = {"host": SOURCE, "port": PORT, "addr": f"{SOURCE}:{PORT}"}
        meter = self.meter(**{k: v.format(**places) for k, v in case["config"].items()})
        origin = self.world.seconds()
        for i, step in enumerate(case["steps"]):
            if step["op"] == "sleep":
                self.sleep(step["s"], script)
            elif step["op"] == "advance":
                # The recorded clock stood still while the recorder slept.
                origin += step["s"]
                self.world.run_until(origin)
            else:
                expected = differences.get(i, step["expect"])
                wanted = {k: v for k, v in expected.items() if k != "python_exception"}
                self.assertEqual(self.do(meter, step), wanted, f"step {i}")
        for path, headers in source.requests:
            self.assertEqual(headers["authorization"], wanted_headers[path])
        self.assertEqual(script.unfinished, 0)

    def do(self, meter: Any, step: Mapping[str, Any]) -> dict[str, Any]:
        """What a step brings, in the words of the vectors."""
        match step["op"]:
            case "get":
                found = self.read()
                return {"error": found} if isinstance(found, str) else {"watts": list(found)}
            case "stream_online":
                return {"stream_online": meter.online}
            case "wait_for_message":
                self.world.wait(meter.first_sample(step["timeout"]))
                return {"wait_for_message": "ok"}
            case "wait_for_next_message":
                end = self.world.seconds() + step["timeout"]
                self.world.wait(meter.next_sample(step["timeout"]))
                in_time = self.world.seconds() < end - 1e-6
                return {"wait_for_next_message": "ok" if in_time else "timeout"}
            case _:
                raise AssertionError(step)

    def sleep(self, seconds: float, script: Script) -> None:
        """Real time passes; a jump of the clock comes on top."""
        end = self.world.seconds() + seconds
        while self.world.seconds() < end:
            self.world.run_until(min(end, self.world.seconds() + 0.05))
            while script.jumps:
                jump = script.jumps.pop()
                end += jump
                self.world.advance(jump)


# ------------------------------------------------------------------------------ certificates


@functools.cache
def key(_name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def subject_of(*common_names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def certificate(
    common_names: Sequence[str],
    *,
    issuer: str | None = "Test CA",
    alternative: Sequence[x509.GeneralName] = (),
    valid_days: int = 1,
) -> x509.Certificate:
    """A certificate for the key of the first name; issued by the key of ``issuer`` or itself."""
    own = common_names[0] if common_names else "nobody"
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_of(*common_names))
        .issuer_name(subject_of(issuer or own))
        .public_key(key(own).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    return builder.sign(key(issuer or own), hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(serialization.Encoding.PEM).decode("ascii")


def server_tls(one: x509.Certificate, owner: str) -> Any:
    """TLS options of the server that has this certificate and the key of ``owner``."""
    private = key(owner).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ssl.PrivateCertificate.loadPEM(pem(one).encode() + private).options()


class Recorder(Protocol):
    """Says ``hello`` and takes down what comes."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.lost: Any = None

    def connectionMade(self) -> None:
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


def shake_hands(client_tls: Any, tls: Any) -> tuple[Recorder, Recorder]:
    """Client and server after their TLS handshake."""
    world = World()
    here, there = world.host("192.168.1.10"), world.host("192.168.1.2")
    client, server = Recorder(), Recorder()
    serving = Factory.forProtocol(lambda: server)
    there.listenTCP(443, TLSMemoryBIOFactory(tls, False, serving, clock=there))
    endpoint = TCP4ClientEndpoint(here, "192.168.1.2", 443)
    connecting = wrapClientTLS(client_tls, endpoint, here).connect(
        Factory.forProtocol(lambda: client)
    )
    world.wait(connecting)
    world.advance(1.0)
    assert world.errors == 0
    return client, server
