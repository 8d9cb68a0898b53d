"""A scripted HTTP device on 127.0.0.1, and the runner of the HTTP vectors of meters.json."""

from __future__ import annotations

import base64
import datetime
import functools
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as _reactor
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from astrameter.config import load_text
from astrameter.problems import ConfigError
from astrameter.reading import MeterError

reactor: Any = _reactor


def answer(
    body: bytes | str | Any = b"",
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
) -> bytes:
    """An HTTP answer; what is neither bytes nor text is sent as JSON.

    :param length: the Content-Length to claim instead of the true one; -1 claims none.
    """
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    if length != -1:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Received:
    """A request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Script = bytes | Callable[["_Connection"], object]
"""What happens at a request: these bytes are sent, or this is called."""


def then_close(data: bytes) -> Callable[[_Connection], None]:
    """Send ``data`` and close the connection in good order."""

    def run(connection: _Connection) -> None:
        connection.transport.write(data)
        connection.transport.loseConnection()

    return run


def then_reset(data: bytes) -> Callable[[_Connection], object]:
    """Send ``data`` and, when it has arrived, reset the connection."""

    def run(connection: _Connection) -> object:
        connection.transport.write(data)
        return reactor.callLater(0.05, connection.transport.abortConnection)

    return run


def say_nothing(_connection: _Connection) -> None:
    """Hang."""


class _Connection(Protocol):
    transport: Any

    def __init__(self, device: Device) -> None:
        self.device = device
        self._buffer = b""
        self._calls: list[Any] = []

    def connectionMade(self) -> None:
        self.device.connections += 1
        self.device.open.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._take()) is not None:
            self.device.received.append(request)
            script = self.device.script_for(request)
            if callable(script):
                script(self)
            else:
                self.transport.write(script)

    def connectionLost(self, _reason: object = None) -> None:
        self.device.open.discard(self)
        for call in self._calls:
            if call.active():
                call.cancel()

    def call_later(self, seconds: float, *call: Any) -> None:
        """Call something if the connection still stands by then."""
        self._calls.append(reactor.callLater(seconds, *call))

    def _take(self) -> Received | None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self._buffer = rest[length:]
        return Received(method, target, headers, rest[:length])


class Device(Factory):
    """Answers requests by its scripts, in turn; the last one repeats.

    :ivar connections: how many were accepted so far.
    """

    noisy = False

    def __init__(self, test: TestCase, *scripts: Script, tls: Any = None) -> None:
        self.scripts = list(scripts)
        self.received: list[Received] = []
        self.connections = 0
        self.open: set[_Connection] = set()
        self.tls = tls
        self.port = 0
        self._listening: Any = None
        self.start()
        test.addCleanup(self.stop)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}/api"

    def start(self) -> None:
        """Listen, after a :meth:`stop` on the same port."""
        if self.tls is None:
            self._listening = reactor.listenTCP(self.port, self, interface="127.0.0.1")
        else:
            self._listening = reactor.listenSSL(self.port, self, self.tls, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        """Stop listening and drop all connections."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()
        for connection in tuple(self.open):
            connection.transport.abortConnection()
        await self.idle()

    async def idle(self) -> None:
        """Wait until no connection is open; the test's timeout bounds it."""
        while self.open:
            await deferLater(reactor, 0.001)

    def script_for(self, request: Received) -> Script:
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def buildProtocol(self, addr: object) -> _Connection:
        return _Connection(self)


@functools.cache
def self_signed(name: str) -> Any:
    """TLS options of a server whose certificate for ``name`` nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ssl.PrivateCertificate.loadPEM(pem).options()


@dataclass
class Exchanges:
    """Checks requests against the exchanges of a vector and plays the responses."""

    exchanges: list[dict[str, Any]]
    parallel: bool = False
    faults: list[str] = field(default_factory=list)

    def device(self, test: TestCase, tls: Any = None) -> Device:
        """The device that the requests go to."""
        device = Device(test, b"", tls=tls)
        device.script_for = self.script_for  # type: ignore[method-assign]
        return device

    def check(self, test: TestCase) -> None:
        """All requests have come, and they were right."""
        test.assertEqual(self.faults, [])
        test.assertEqual(self.exchanges, [])

    def script_for(self, request: Received) -> Script:
        candidates = self.exchanges if self.parallel else self.exchanges[:1]
        for exchange in candidates:
            wanted = exchange["request"]
            if (wanted["method"], wanted["target"]) == (request.method, request.target):
                self.exchanges.remove(exchange)
                self._check_headers(wanted.get("headers", {}), request)
                if (body := wanted.get("body", "").encode()) != request.body:
                    self.faults.append(f"{request.body!r} instead of {body!r}")
                return _script_of(exchange["response"])
        self.faults.append(f"unexpected {request.method} {request.target}")
        return answer(status="599 Unexpected")

    def _check_headers(self, wanted: dict[str, str], request: Received) -> None:
        for name, value in wanted.items():
            if request.headers.get(name.lower()) != value:
                self.faults.append(f"{name}: {request.headers.get(name.lower())!r}")


def _script_of(response: dict[str, Any]) -> Script:
    body: Any = response.get("body", "")
    if "json" in response:
        body = json.dumps(response["json"]).encode()
    elif "body_b64" in response:
        body = base64.b64decode(response["body_b64"])
    data = answer(body, f"{response.get('status', 200)} X", response.get("headers"))
    if "delay" not in response:
        return data

    def later(connection: _Connection) -> None:
        connection.call_later(response["delay"], connection.transport.write, data)

    return later


class Ahead:
    """The reactor with a clock that stands until it is put forward; its timers go on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        return 1000.0 + self.ahead_s


async def run_http_vector(
    test: TestCase,
    case: dict[str, Any],
    differences: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Play one vector with ``transport`` http or https.

    :param differences: by id of the vector, what its steps shall give instead.
    """
    exchanges = Exchanges(list(case["exchanges"]), case.get("parallel", False))
    tls = self_signed("127.0.0.1") if case["transport"] == "https" else None
    device = exchanges.device(test, tls)
    places = {"addr": device.address, "host": "127.0.0.1", "port": str(device.port)}
    lines = [f"[{case['section']}]"]
    for key, value in case["config"].items():
        for place, text in places.items():
            value = value.replace(f"{{{place}}}", text)  # noqa: PLW2901  filled in step by step
        lines.append(f"{key} = {value}")
    [configured] = load_text("\n".join(lines), case["id"]).meters
    clock = Ahead()
    meter = configured.kind.build(clock, configured.section, configured.options)
    meter.startService()
    try:
        expectations = (differences or {}).get(case["id"])
        for i, step in enumerate(case["steps"]):
            if step["op"] == "advance":
                clock.ahead_s += step["s"]
                continue
            expected = expectations[i] if expectations else step["expect"]
            test.assertEqual(await _read(meter.read()), _comparable(expected))
    finally:
        await meter.stopService()
    exchanges.check(test)


def problems_of(section: str, *lines: str) -> list[str]:
    """What is wrong with a section of these lines, as ``KEY: message``."""
    try:
        load_text("\n".join([f"[{section}]", *lines]), "config.ini")
    except ConfigError as error:
        return [f"{problem.key}: {problem.message}" for problem in error.problems]
    return []


async def _read(reading: Deferred[Any]) -> dict[str, Any]:
    try:
        return {"watts": list((await reading).watts)}
    except MeterError as error:
        return {"error": error.kind}


def _comparable(expected: Mapping[str, Any]) -> dict[str, Any]:
    return {key: expected[key] for key in ("watts", "error") if key in expected}
