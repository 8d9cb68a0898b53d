"""The unmodified client in the simulator's virtual time and network."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from astrameter.mqtt import MqttClient, MqttSettings
from simulator.world import World
from tests.scripted_broker import (
    CONNACK,
    CONNECT,
    PINGREQ,
    PINGRESP,
    SUBACK,
    SUBSCRIBE,
    packet,
    parse,
    publication,
)

APPLIANCE, BROKER = "192.168.1.10", "192.168.1.2"


class SmallBroker(Protocol):
    """Greets, grants one subscription, answers pings."""

    transport: Any

    def __init__(self) -> None:
        self.pings = 0
        self._unparsed = b""

    def dataReceived(self, data: bytes) -> None:
        packets, self._unparsed = parse(self._unparsed + data)
        for one in packets:
            if one.kind == CONNECT:
                self.transport.write(packet(CONNACK, 0, b"\0\0"))
            elif one.kind == SUBSCRIBE:
                self.transport.write(packet(SUBACK, 0, one.body[:2] + b"\0"))
            elif one.kind == PINGREQ:
                self.pings += 1
                self.transport.write(packet(PINGRESP, 0, b""))


class Brokers(Factory[SmallBroker]):
    noisy = False

    def __init__(self) -> None:
        self.sessions: list[SmallBroker] = []

    def buildProtocol(self, addr: Any) -> SmallBroker:
        self.sessions.append(SmallBroker())
        return self.sessions[-1]


class InTheVirtualWorld(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.world.name("broker.home", BROKER)
        self.brokers = Brokers()
        self.world.host(BROKER).listenTCP(1883, self.brokers)
        self.got: list[bytes] = []
        settings = MqttSettings("broker.home")
        host = self.world.host(APPLIANCE)
        self.client = MqttClient(host, settings, "MQTT", random=Random(1))
        self.client.subscribe("p", lambda _topic, payload, _retained: self.got.append(payload))
        self.client.startService()
        self.world.advance(1.0)

    def tearDown(self) -> None:
        if self.client.running:
            self.world.wait(self.client.stopService())
        self.assertEqual(self.world.host(APPLIANCE).getDelayedCalls(), [])
        self.assertEqual(self.world.errors, 0)

    def test_messages_arrive(self) -> None:
        self.assertTrue(self.client.connected)
        self.brokers.sessions[0].transport.write(publication("p", b"1"))
        self.world.advance(0.1)
        self.assertEqual(self.got, [b"1"])

    def test_a_silent_day_is_bridged_by_pings_on_the_virtual_clock(self) -> None:
        self.world.advance(86_400.0)
        self.assertEqual(len(self.brokers.sessions), 1)
        self.assertIn(self.brokers.sessions[0].pings, range(2400, 2900))

    def test_a_half_open_line_is_noticed_and_restored(self) -> None:
        self.world.cut(APPLIANCE, BROKER)
        self.world.advance(45.0)
        self.assertFalse(self.client.connected)
        self.assertIn("fallen silent", self.client.trouble)
        self.world.join(APPLIANCE, BROKER)
        self.world.advance(75.0)
        self.assertTrue(self.client.connected)
        self.brokers.sessions[-1].transport.write(publication("p", b"2"))
        self.world.advance(0.1)
        self.assertEqual(self.got, [b"2"])
