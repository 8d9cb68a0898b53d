"""Against a real broker over real sockets, and against real servers that are none."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate
from twisted.trial.unittest import TestCase

from astrameter.backoff import Backoff
from astrameter.config import load_text
from astrameter.deferreds import sleep
from astrameter.meters.mqtt import MqttMeter, settings_of
from astrameter.mqtt import MqttClient, MqttSettings, Will, session
from astrameter.mqtt.endpoints import broker_endpoint
from tests.mosquitto import Mosquitto

reactor: Any = real_reactor

PATIENCE_S = 10.0


def asynchronous(
    test: Callable[[Any], Coroutine[Deferred[Any], Any, None]],
) -> Callable[[Any], Deferred[None]]:
    @functools.wraps(test)
    def run(self: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    return run


class RealTestCase(TestCase):
    timeout = 240

    def setUp(self) -> None:
        self.got: list[tuple[str, bytes, bool]] = []

    async def broker(self, *, start: bool = True, **more: Any) -> Mosquitto:
        broker = Mosquitto(reactor, self.mktemp(), **more)
        self.addCleanup(lambda: Deferred.fromCoroutine(broker.stop()))
        if start:
            await broker.start()
        return broker

    def client(self, port: int, **more: Any) -> MqttClient:
        settings = more.pop("settings", MqttSettings("127.0.0.1", port))
        client = MqttClient(reactor, settings, "MQTT", backoff=Backoff(0.05, 0.2), **more)
        client.subscribe("home/#", self.take)
        client.startService()
        self.addCleanup(client.stopService)
        return client

    def meter(self, port: int, **config: Any) -> MqttMeter:
        lines = "\n".join(f"{key} = {value}" for key, value in config.items())
        text = f"[MQTT]\nBROKER = 127.0.0.1\nPORT = {port}\n{lines}\n"
        (configured,) = load_text(text, "config.ini").meters
        settings = settings_of(configured.options)
        client = MqttClient(reactor, settings, "MQTT", backoff=Backoff(0.05, 0.2))
        meter = MqttMeter(reactor, "MQTT", configured.options, client)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        self.got.append((topic, payload, retained))

    async def until(self, true: Callable[[], object], what: str) -> None:
        give_up_at = reactor.seconds() + PATIENCE_S
        while not true():
            self.assertLess(reactor.seconds(), give_up_at, f"in vain: {what}")
            await sleep(reactor, 0.01)

    async def connected(self, *clients: MqttClient) -> None:
        await self.until(lambda: all(one.connected for one in clients), "a connection")

    def server(self, protocol: type[Protocol]) -> int:
        port = reactor.listenTCP(0, Factory.forProtocol(protocol), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)


class WithMosquitto(RealTestCase):
    @asynchronous
    async def test_a_value_arrives(self) -> None:
        broker = await self.broker()
        meter = self.meter(broker.port, TOPIC="home/+/power", JSON_PATH="$.w")
        publisher = self.client(broker.port)
        await self.connected(publisher, meter._client)
        waiting = meter.first_sample(PATIENCE_S)
        self.assertTrue(await publisher.publish("home/cellar/power", '{"w": -12.5}', qos=1))
        await waiting
        self.assertEqual((await meter.read()).watts, (-12.5,))
        self.assertTrue(meter.online)

    @asynchronous
    async def test_a_retained_value_greets_who_comes_later(self) -> None:
        broker = await self.broker()
        publisher = self.client(broker.port)
        await self.connected(publisher)
        self.assertTrue(await publisher.publish("home/p", "77", qos=1, retain=True))
        meter = self.meter(broker.port, TOPIC="home/p")
        await meter.first_sample(PATIENCE_S)
        self.assertEqual((await meter.read()).watts, (77.0,))
        later = self.client(broker.port)
        await self.connected(later)
        await self.until(lambda: ("home/p", b"77", True) in self.got, "the mark of retention")

    @asynchronous
    async def test_a_broker_that_comes_up_late_is_found(self) -> None:
        broker = await self.broker(start=False)
        client = self.client(broker.port)
        await self.until(lambda: client.trouble, "the first failure")
        self.assertIn("refuses connections", client.trouble)
        await broker.start()
        await self.connected(client)

    @asynchronous
    async def test_a_broker_that_dies_and_returns_is_found_again(self) -> None:
        broker = await self.broker()
        meter = self.meter(broker.port, TOPIC="home/p")
        publisher = self.client(broker.port)
        await self.connected(publisher, meter._client)
        self.assertTrue(await publisher.publish("home/p", "1", qos=1))
        await meter.first_sample(PATIENCE_S)
        await broker.stop("KILL")
        await self.until(lambda: not meter.online, "the loss to be noticed")
        self.assertEqual((await meter.read()).watts, (1.0,))
        await broker.start()
        started_at = reactor.seconds()
        await self.connected(publisher, meter._client)
        self.assertLess(reactor.seconds() - started_at, 2.0)
        self.assertTrue(await publisher.publish("home/p", "2", qos=1))
        await self.until(lambda: meter._sample and meter._sample.watts == (2.0,), "the new value")
        self.assertTrue(meter.online)

    @asynchronous
    async def test_the_right_password_is_let_in(self) -> None:
        broker = await self.broker(users={"u": "right"})
        client = self.client(
            broker.port, settings=MqttSettings("127.0.0.1", broker.port, "u", "right")
        )
        await self.connected(client)

    @asynchronous
    async def test_a_wrong_password_is_named(self) -> None:
        broker = await self.broker(users={"u": "right"})
        settings = MqttSettings("127.0.0.1", broker.port, "u", "wrong")
        client = self.client(broker.port, settings=settings)
        await self.until(lambda: client.trouble, "the refusal")
        self.assertEqual(
            client.trouble,
            f"the broker at 127.0.0.1:{broker.port} refused user 'u': wrong user name or password",
        )

    @asynchronous
    async def test_a_missing_password_is_named(self) -> None:
        broker = await self.broker(users={"u": "right"})
        client = self.client(broker.port)
        await self.until(lambda: client.trouble, "the refusal")
        self.assertIn("it wants a user name and a password", client.trouble)

    @asynchronous
    async def test_a_megabyte_passes(self) -> None:
        broker = await self.broker()
        client = self.client(broker.port)
        await self.connected(client)
        payload = bytes(range(250)) * 4000
        self.assertTrue(await client.publish("home/big", payload, qos=1))
        await self.until(lambda: self.got, "the megabyte")
        self.assertEqual(self.got, [("home/big", payload, False)])

    @asynchronous
    async def test_a_thousand_messages_pass_in_order(self) -> None:
        broker = await self.broker()
        client = self.client(broker.port)
        await self.connected(client)
        results = [client.publish("home/n", str(i)) for i in range(1000)]
        self.assertTrue(all([await one for one in results]))
        await self.until(lambda: len(self.got) == 1000, "all of them")
        self.assertEqual([int(payload) for _, payload, _ in self.got], list(range(1000)))

    @asynchronous
    async def test_the_will_is_published_for_the_dead_and_not_for_those_who_say_goodbye(
        self,
    ) -> None:
        broker = await self.broker()
        watcher = self.client(broker.port)
        await self.connected(watcher)
        # Heard by itself: now the broker knows what it wants to hear.
        watcher.publish("home/watcher", "here", retain=True)
        await self.until(lambda: self.got, "its own message")
        polite = self.client(broker.port, will=Will("home/polite", b"gone"))
        dead = self.client(broker.port, will=Will("home/dead", b"gone"))
        await self.connected(polite, dead)
        await self.until(lambda: len(self.got) == 3, "the same for the other two")
        await polite.stopService()
        assert dead._session is not None
        dead._session.transport.abortConnection()
        await self.until(lambda: ("home/dead", b"gone", False) in self.got, "the will")
        self.assertNotIn("home/polite", [topic for topic, _, _ in self.got])

    @asynchronous
    async def test_the_shutdown_of_a_publisher_is_quick(self) -> None:
        broker = await self.broker()
        client = self.client(broker.port)
        await self.connected(client)
        started_at = reactor.seconds()
        self.assertTrue(await client.publish("home/status", "offline", qos=1, retain=True))
        await client.stopService()
        self.assertLess(reactor.seconds() - started_at, 1.0)


class Garbage(Protocol):
    """A mail server, say."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.example ESMTP\r\n")


class WithStrangeServers(RealTestCase):
    @asynchronous
    async def test_a_server_that_accepts_and_says_nothing_is_left(self) -> None:
        self.patch(session, "CONNACK_S", 0.2)
        client = self.client(self.server(Protocol))
        await self.until(lambda: client.trouble, "the end of patience")
        self.assertIn("did not greet us", client.trouble)

    @asynchronous
    async def test_garbage_is_refused(self) -> None:
        client = self.client(self.server(Garbage))
        await self.until(lambda: client.trouble, "the refusal")
        self.assertIn("no usable MQTT broker", client.trouble)

    @asynchronous
    async def test_a_server_that_hangs_up_is_tried_again(self) -> None:
        connections = []

        class Shy(Protocol):
            transport: Any

            def connectionMade(self) -> None:
                connections.append(self)
                self.transport.loseConnection()

        client = self.client(self.server(Shy))
        await self.until(lambda: len(connections) > 3, "more attempts")
        self.assertIn("hung up", client.trouble)

    @asynchronous
    async def test_a_server_that_speaks_first_is_not_taken_for_tls(self) -> None:
        port = self.server(Garbage)
        client = self.client(port, settings=MqttSettings("127.0.0.1", port, tls=True))
        await self.until(lambda: client.trouble, "the refusal")
        self.assertIn("does not speak TLS at this port", client.trouble)

    @asynchronous
    async def test_stopping_amid_a_silent_greeting_leaves_nothing(self) -> None:
        connections: list[Protocol] = []

        class Mute(Protocol):
            def connectionMade(self) -> None:
                connections.append(self)

        client = self.client(self.server(Mute))
        await self.until(lambda: connections, "the connection")
        await client.stopService()


class WithTls(RealTestCase):
    async def tls_broker(self, *names: x509.GeneralName) -> tuple[Mosquitto, Certificate]:
        certificate, key = self_signed(names)
        files = self.written(certificate), self.written(key)
        return await self.broker(tls=files), Certificate.loadPEM(certificate)

    def written(self, content: bytes) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_bytes(content)
        return str(path)

    def tls_client(self, broker: Mosquitto, trusted: Certificate | None) -> MqttClient:
        return self.client(
            broker.port,
            settings=MqttSettings("127.0.0.1", broker.port, tls=True),
            endpoint_factory=functools.partial(broker_endpoint, trust_root=trusted),
        )

    @asynchronous
    async def test_a_trusted_certificate_is_accepted(self) -> None:
        broker, root = await self.tls_broker(LOOPBACK)
        client = self.tls_client(broker, root)
        await self.connected(client)
        self.assertTrue(await client.publish("home/p", "1", qos=1))
        await self.until(lambda: self.got, "the message")

    @asynchronous
    async def test_a_megabyte_passes_through_tls(self) -> None:
        broker, root = await self.tls_broker(LOOPBACK)
        client = self.tls_client(broker, root)
        await self.connected(client)
        self.assertTrue(await client.publish("home/big", bytes(1_000_000), qos=1))
        await self.until(lambda: self.got, "the megabyte")
        self.assertEqual(len(self.got[0][1]), 1_000_000)

    @asynchronous
    async def test_a_self_signed_certificate_is_refused(self) -> None:
        broker, _root = await self.tls_broker(LOOPBACK)
        client = self.tls_client(broker, None)
        await self.until(lambda: client.trouble, "the refusal")
        self.assertIn("no authority known to this system has signed", client.trouble)
        self.assertNotIn("\n", client.trouble)
        self.assertFalse(client.connected)

    @asynchronous
    async def test_a_certificate_for_another_name_is_refused(self) -> None:
        broker, root = await self.tls_broker(x509.DNSName("other.example"))
        client = self.tls_client(broker, root)
        await self.until(lambda: client.trouble, "the refusal")
        self.assertIn("a certificate for another name", client.trouble)

    @asynchronous
    async def test_tls_to_a_port_without_it_is_named(self) -> None:
        broker = await self.broker()
        client = self.tls_client(broker, None)
        await self.until(lambda: client.trouble, "the failure")
        self.assertIn("hung up instead of answering; is this its port for TLS?", client.trouble)
        self.assertFalse(client.connected)

    @asynchronous
    async def test_no_tls_to_a_port_with_it_is_guessed(self) -> None:
        broker, _root = await self.tls_broker(LOOPBACK)
        client = self.client(broker.port)
        await self.until(lambda: client.trouble, "the failure")
        self.assertIn("hung up instead of answering; does this port want TLS?", client.trouble)
        self.assertFalse(client.connected)


LOOPBACK = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))


def self_signed(names: tuple[x509.GeneralName, ...]) -> tuple[bytes, bytes]:
    """Certificate and key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test broker")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
