"""A real broker that is away, dies, refuses, stalls, floods, and keeps rubbish."""

from __future__ import annotations

import gc
import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import LoopingCall

from astrameter.deferreds import sleep
from astrameter.insights import leftovers
from astrameter.insights.discovery import Discovery
from astrameter.insights.topics import Topics
from astrameter.mqtt import session
from tests.astrameter.insights.real import RealCase, asynchronous, reactor
from tests.astrameter.mqtt.rig import LogWatch

MAC = "aabbccddeeff"
STATE = f"astrameter/ct002/device-1/consumer/{MAC}"
FIELDS = ["HMG-50", MAC.upper(), "HME-4", "02b250000001", "A", "0"]
WATTS = (120.0, 0.0, -30.0)


class Relay(Protocol):
    """Between a client and the broker; its other side is ``peer``."""

    peer: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.loseConnection()


class Wire:
    """A connection to the broker that can be clogged.

    :ivar open: the client's ends of what is connected.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.open: list[Relay] = []
        factory = Factory.forProtocol(Relay)
        factory.buildProtocol = self.accept  # type: ignore[method-assign]
        factory.noisy = False
        self.listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.port = self.listening.getHost().port

    def accept(self, _address: Any) -> Relay:
        near, far = Relay(), Relay()
        near.peer, far.peer = far, near
        factory = Factory.forProtocol(Relay)
        factory.noisy = False

        class Connecting(Factory):
            noisy = False

            def startedConnecting(self, _connector: Any) -> None:
                """Nothing to do."""

            def clientConnectionFailed(self, _connector: Any, _reason: Any) -> None:
                near.transport.loseConnection()

            def clientConnectionLost(self, _connector: Any, _reason: Any) -> None:
                """The relay has told its peer."""

        connecting = Connecting()
        connecting.protocol = None
        connecting.buildProtocol = lambda _address: far  # type: ignore[method-assign]
        reactor.connectTCP("127.0.0.1", self._port, connecting)
        self.open.append(near)
        return near

    def clog(self) -> None:
        """What the client sends is not taken any more."""
        for one in self.open:
            one.transport.pauseProducing()

    def release(self) -> None:
        for one in self.open:
            one.transport.resumeProducing()

    def swallow(self) -> None:
        """What is connected now stays so, and nothing arrives any more, on either side."""
        for one in self.open:
            one.peer.peer = one.peer = None
        self.open.clear()


class TroubleCase(RealCase):
    def setUp(self) -> None:
        super().setUp()
        self.ct = self.add_ct("device-1")
        self.add_meter("JSON_HTTP", WATTS)

    def ask(self, power_w: int = 0, mac: str = MAC) -> None:
        fields = [FIELDS[0], mac.upper(), *FIELDS[2:5], str(power_w)]
        self.poll("device-1", fields, WATTS)

    def shown(self) -> int | None:
        """The reported power that the watcher saw last."""
        states = [payload for topic, payload in self.got if topic == STATE]
        return json.loads(states[-1])["reported_power"] if states else None


class Absence(TroubleCase):
    @asynchronous
    async def test_a_broker_that_comes_later_gets_everything(self) -> None:
        broker = await self.start_broker()
        await broker.stop()
        insights = self.insights(broker.port)
        for power_w in range(50):
            self.ask(power_w)
        await self.until(lambda: insights.client.trouble, "the first failure")
        await broker.start()
        await self.connected(insights.client)
        await self.until(lambda: not insights._board.pending, "everything sent")
        kept = await self.retained(broker.port)
        self.assertEqual(json.loads(kept[STATE])["reported_power"], 49)
        self.assertEqual(kept["astrameter/status"], b"online")

    @asynchronous
    async def test_50_restarts(self) -> None:
        broker = await self.start_broker()
        insights = self.insights(broker.port, publish_interval=0.0)
        self.ask()
        objects = []
        for i in range(50):
            await broker.stop("KILL" if i % 2 else "TERM")
            self.ask(i)
            await broker.start()
            await self.until(lambda: insights.client.connected, f"connection {i}")
            if i in (9, 49):
                gc.collect()
                objects.append(_objects_of_ours())
        self.assertLess(objects[1] - objects[0], 50)
        await self.until(lambda: not insights._board.pending, "everything sent")
        kept = await self.retained(broker.port)
        self.assertEqual(json.loads(kept[STATE])["reported_power"], 49)
        self.assertEqual(kept[f"{STATE}/availability"], b"online")

    @asynchronous
    async def test_a_killed_daemon_is_offline_and_a_stopped_one_says_so(self) -> None:
        broker = await self.start_broker()
        await self.watch(broker.port, "astrameter/status")
        insights = self.insights(broker.port)
        await self.until(lambda: self.got, "online")
        insights.client._session.transport.abortConnection()  # type: ignore[union-attr]
        await self.until(lambda: len(self.got) == 3, "the will, and online again")
        started_at = reactor.seconds()
        await insights.stopService()
        self.assertLess(reactor.seconds() - started_at, 8.0)
        await self.until(lambda: len(self.got) == 4, "offline")
        words = [payload for _, payload in self.got]
        self.assertEqual(words, [b"online", b"offline", b"online", b"offline"])

    @asynchronous
    async def test_wrong_credentials_are_told_once_and_right_ones_let_in(self) -> None:
        broker = await self.start_broker(users={"me": "secret"})
        wrong = self.insights(broker.port, username="me", password="guess")
        await self.until(lambda: wrong.client.trouble, "the refusal")
        self.assertIn("wrong user name or password", wrong.client.trouble)
        right = self.insights(broker.port, username="me", password="secret")
        await self.connected(right.client)

    @asynchronous
    async def test_a_refusal_is_repeated_with_patience_and_told_once(self) -> None:
        broker = await self.start_broker(users={"me": "secret"})
        log = LogWatch(self)
        insights = self.insights(broker.port, username="me", password="guess")
        backoff, waits = insights.client._backoff, []
        next_wait_s = backoff.next_wait_s

        def counted(patient: bool) -> float:
            waits.append(patient)
            return next_wait_s(False)

        self.patch(backoff, "next_wait_s", counted)
        await self.until(lambda: len(waits) >= 5, "some attempts")
        refusals = [line for line in log.warnings() if "wrong user name or password" in line]
        self.assertEqual(len(refusals), 1)
        self.assertEqual(set(waits), {True})
        self.assertNotIn("guess", " ".join(log.lines()))

    @asynchronous
    async def test_two_appliances_do_not_kick_each_other_out(self) -> None:
        broker = await self.start_broker()
        both = [self.insights(broker.port, base_topic=base) for base in ("one", "two")]
        await self.until(lambda: all(one.client.connected for one in both), "both")
        await sleep(reactor, 0.3)
        self.assertEqual([one.client.connections for one in both], [1, 1])


class Stalling(TroubleCase):
    @asynchronous
    async def test_a_broker_that_takes_nothing_costs_nothing_and_gets_the_newest(self) -> None:
        broker = await self.start_broker()
        wire = Wire(broker.port)
        self.addCleanup(wire.listening.stopListening)
        await self.watch(broker.port)
        insights = self.insights(wire.port, publish_interval=0.0)
        await self.connected(insights.client)
        stalled = insights.client._session
        assert stalled is not None
        wire.clog()
        while not stalled._blocked:  # what the system itself buffers is some megabytes
            insights.client.publish("stuff", bytes(500_000))
            await sleep(reactor, 0)
        waiting = len(stalled._outgoing)
        for i in range(20_000):
            self.ask(i)
            if i % 100 == 0:
                await sleep(reactor, 0)
        self.assertLessEqual(len(stalled._outgoing), waiting + 1)
        self.assertLess(len(insights._board), 20)
        wire.release()
        await self.until(lambda: self.shown() == 19_999, "the newest")

    @asynchronous
    async def test_a_line_that_is_dead_without_a_word_is_found_out_and_replaced(self) -> None:
        self.patch(session, "PING_AFTER_S", 0.5)
        self.patch(session, "PING_ANSWER_S", 0.5)
        self.patch(session, "_CHECK_EVERY_S", 0.1)
        broker = await self.start_broker()
        wire = Wire(broker.port)
        self.addCleanup(wire.listening.stopListening)
        await self.watch(broker.port)
        insights = self.insights(wire.port, publish_interval=0.0)
        await self.connected(insights.client)
        self.ask(1)
        await self.until(lambda: self.shown() == 1, "the battery")
        wire.swallow()
        self.ask(2)
        await self.until(lambda: "fallen silent" in insights.client.trouble, "the discovery")
        self.ask(3)
        await self.until(lambda: self.shown() == 3, "the newest, on another line")
        self.assertEqual(insights.client.connections, 2)
        words = [payload for topic, payload in self.got if topic == "astrameter/status"]
        self.assertEqual(words, [b"online", b"offline", b"online"])


class Rubbish(TroubleCase):
    @asynchronous
    async def test_10000_commands_in_a_burst_delay_no_datagram_for_long(self) -> None:
        broker = await self.start_broker()
        insights = self.insights(broker.port)
        sender = await self.client(broker.port)
        await self.connected(insights.client)
        self.ask()
        echo = Echo()
        port = reactor.listenUDP(0, echo, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        echo.begin(port.getHost().port)
        self.addCleanup(echo.end)
        for i in range(10_000):
            field = ("active", "manual_target", "bogus", "auto_target")[i % 4]
            await sender.publish(f"{STATE}/{field}/set", str(i % 3))
        await sender.publish(f"{STATE}/distribution_weight/set", "7.5")
        await self.until(
            lambda: self.ct.fleet.settings_of(MAC).distribution_weight == 7.5, "the last of them"
        )
        echo.end()
        self.assertLess(len(insights._board), 20)
        self.assertLess(sorted(echo.trips)[len(echo.trips) * 99 // 100], 2.0)

    @asynchronous
    async def test_garbage_of_every_kind(self) -> None:
        broker = await self.start_broker()
        insights = self.insights(broker.port)
        sender = await self.client(broker.port)
        await self.connected(insights.client)
        self.ask()
        big = bytes(1_000_000)
        garbage: list[bytes] = [b"NaN", b"\xff\xfe", b"[" * 5000, b"{" * 500, b"null", big]
        garbage += [b'{"active_control": NaN}', b'{"active_control": 1e999}', b"1e999", b"-inf"]
        topics = [f"{STATE}/{one}/set" for one in ("active", "manual_target", "", "x" * 300)]
        topics += ["astrameter/ct002/device-1/set", "astrameter/ct002/nobody/set"]
        topics += [f"astrameter/ct002/{'y' * 3000}/consumer/{'z' * 3000}/active/set"]
        before = self.ct.fleet.settings_of(MAC)
        for topic in topics:
            for payload in garbage:
                await sender.publish(topic, payload)
        await sender.publish(f"{STATE}/manual_target/set", "12")
        await self.until(lambda: self.ct.fleet.settings_of(MAC).manual_target == 12.0, "the last")
        self.assertEqual(self.ct.fleet.settings_of(MAC).active, before.active)
        self.assertTrue(self.ct.active_control)
        self.assertEqual(insights.client.connections, 1)

    @asynchronous
    async def test_a_retained_message_above_the_limit_does_not_end_every_connection(self) -> None:
        broker = await self.start_broker()
        await (await self.client(broker.port)).stopService()
        huge = await _RawPublisher.publish(broker.port, f"{STATE}/active/set", 3 << 20)
        insights = self.insights(broker.port)
        sender = await self.client(broker.port)
        await self.connected(insights.client)
        await sender.publish(f"{STATE}/manual_target/set", "12")
        await self.until(lambda: self.ct.fleet.settings_of(MAC).manual_target == 12.0, "a command")
        self.assertEqual(insights.client.connections, 1)
        huge.transport.loseConnection()
        await huge.gone

    @asynchronous
    async def test_retained_leftovers_of_batteries_long_gone(self) -> None:
        self.patch(leftovers, "REMOVE_AFTER_S", 2.0)
        self.patch(leftovers, "CALL_AWAY_AFTER_S", 0.5)
        topics = Topics("astrameter")
        discovery = Discovery(topics, "unknown")
        broker = await self.start_broker()
        sender = await self.client(broker.port)
        long_ago = json.dumps({"last_seen": "2020-01-01T00:00:00+00:00"})
        for i in range(50):
            mac = f"0000000000{i:02x}"
            state, node = topics.consumer("device-1", mac), topics.consumer_node("device-1", mac)
            document = discovery.consumer("device-1", mac, "HMG-50", rotates=False)
            await sender.publish(topics.config(node), document, retain=True)
            await sender.publish(state, long_ago, retain=True)
            await sender.publish(topics.availability(state), "online", retain=True)
            command = topics.consumer_command("device-1", mac, "active")
            await sender.publish(command, "false", qos=1, retain=True)
        self.insights(broker.port, publish_interval=1.0)
        self.ask()
        watched = self.retained
        give_up_at = reactor.seconds() + 15.0
        while True:
            kept = await watched(broker.port)
            left = [one for one in kept if "/0000000000" in one and not one.endswith("/set")]
            left += [one for one in kept if "_0000000000" in one]
            if not left:
                break
            self.assertLess(reactor.seconds(), give_up_at, left[:3])
            await sleep(reactor, 0.5)
        self.assertIn(STATE, kept)
        self.assertIn(topics.config(topics.consumer_node("device-1", MAC)), kept)


class FormerTimes(TroubleCase):
    @asynchronous
    async def test_entities_of_an_earlier_release_are_ended(self) -> None:
        topics = Topics("astrameter")
        config = topics.config(topics.consumer_node("device-1", MAC))
        document = json.loads(
            Discovery(topics, "x").consumer("device-1", MAC, "HMG-50", rotates=True)
        )
        document["components"]["old"] = {"platform": "sensor", "unique_id": "x", "state_topic": "y"}
        broker = await self.start_broker()
        sender = await self.watch(broker.port, topics.config("+"))
        await sender.publish(config, json.dumps(document), qos=1, retain=True)
        await self.until(lambda: self.got, "the echo")
        self.insights(broker.port)
        self.ask()
        await self.until(lambda: len(self.announced(config)) >= 3, "both announcements")
        before, *_, farewell, last = self.announced(config)
        gone = {"old": {"platform": "sensor"}, "efficiency_window_weight": {"platform": "number"}}
        self.assertEqual(farewell, {**last, **gone})
        self.assertEqual(before.keys() - last.keys(), gone.keys())
        kept = await self.retained(broker.port)
        self.assertEqual(json.loads(kept[config])["components"], last)

    def announced(self, config: str) -> list[dict[str, Any]]:
        return [json.loads(payload)["components"] for topic, payload in self.got if topic == config]


class Echo(DatagramProtocol):
    """How long a datagram to ourselves takes, which is what a battery notices.

    :ivar trips: seconds.
    """

    noisy = False

    def __init__(self) -> None:
        self.trips: list[float] = []
        self._sent_at = 0.0
        self._call = LoopingCall(self._send)

    def begin(self, port: int) -> None:
        self._port = port
        self._call.start(0.005)

    def end(self) -> None:
        if self._call.running:
            self._call.stop()

    def _send(self) -> None:
        if not self._sent_at:
            self._sent_at = reactor.seconds()
            self.transport.write(b"x", ("127.0.0.1", self._port))

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.trips.append(reactor.seconds() - self._sent_at)
        self._sent_at = 0.0


class _RawPublisher(Protocol):
    """Publishes what our own client refuses to."""

    def __init__(self, topic: str, size: int) -> None:
        name = topic.encode()
        length, encoded = 2 + len(name) + size, bytearray()
        while length:
            length, digit = divmod(length, 128)
            encoded.append(digit | (0x80 if length else 0))
        connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01r"
        head = b"\x31" + bytes(encoded) + len(name).to_bytes(2, "big") + name
        self._data = connect + head + bytes(size) + b"\xc0\x00"
        self.done: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    @classmethod
    async def publish(cls, port: int, topic: str, size: int) -> _RawPublisher:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        found: _RawPublisher = await connectProtocol(endpoint, cls(topic, size))
        await found.done
        return found

    def connectionMade(self) -> None:
        self.transport.write(self._data)

    def dataReceived(self, data: bytes) -> None:
        if b"\xd0\x00" in data and not self.done.called:
            self.done.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(None)


def _objects_of_ours() -> int:
    ours = ("astrameter", "twisted.internet", "paho")
    return sum(str(type(one).__module__).startswith(ours) for one in gc.get_objects())
