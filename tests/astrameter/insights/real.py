"""The insights into a small house at a real broker, and somebody who watches there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from astrameter.backoff import Backoff
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.report import answered
from astrameter.ct.wire import encode
from astrameter.deferreds import sleep
from astrameter.devices import DeviceSpec
from astrameter.events import Bus
from astrameter.filters.health import Health
from astrameter.insights.inventory import CtDevice, Inventory, MeterDevice
from astrameter.insights.options import InsightsOptions
from astrameter.insights.service import Insights
from astrameter.marstek.managed import ManagedCts
from astrameter.mqtt import MqttClient, MqttSettings
from astrameter.reading import Sample
from tests.astrameter.insights.rig import Steering
from tests.doubles import StubMeter
from tests.mosquitto import Mosquitto

reactor: Any = real_reactor

PATIENCE_S = 30.0


def asynchronous(
    test: Callable[..., Coroutine[Deferred[Any], Any, None]],
) -> Callable[..., Deferred[None]]:
    @functools.wraps(test)
    def run(self: Any, *arguments: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self, *arguments))

    return run


class RealCase(TestCase):
    """:ivar got: what the watcher was told, in order."""

    timeout = 120

    def setUp(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.bus = Bus(reactor)
        self.managed = ManagedCts()
        self.cts: dict[str, CtDevice] = {}
        self.shellies: frozenset[str] = frozenset()
        self.meters: list[MeterDevice] = []

    # ----------------------------------------------------------------------------- the house

    def add_ct(self, device_id: str, ct_type: str = "HME-4", **options: Any) -> EmulatedCt:
        ct_options = CtOptions(**options)
        ct = EmulatedCt(ct_type, ct_options, 0.0, Steering())
        spec = DeviceSpec("ct002", device_id, 12345, 0.0, ct_options, ct_type)
        self.cts[device_id] = CtDevice(spec, ct)
        return ct

    def add_meter(self, section: str, watts: Any, online: bool | None = None) -> StubMeter:
        meter = StubMeter(watts, section)
        meter.online = online
        networks = (IPv4Network("0.0.0.0/0"),)
        self.meters.append(MeterDevice(section, meter, Health(meter, reactor), networks))
        return meter

    def poll(self, device: str, fields: Sequence[str], watts: Sequence[float]) -> None:
        """A battery polls a CT and is answered."""
        ct, now = self.cts[device].ct, reactor.seconds()
        poll = ct.receive(encode(list(fields)), ("127.0.0.1", 2000), now)
        assert poll is not None
        answer = ct.answer(poll, Sample(tuple(watts), now), "JSON_HTTP", now)
        assert answer is not None
        if poll.request.phase != "0":
            self.bus.publish(answered(device, ct, poll, answer, lambda: datetime.now(UTC)))

    def insights(self, port: int, **options: Any) -> Insights:
        """Started; ends with the test unless it was stopped before."""

        def connect(*arguments: Any, **more: Any) -> MqttClient:
            return MqttClient(*arguments, backoff=Backoff(0.05, 0.2), **more)

        more = {key: options.pop(key) for key in ("version", "commit") if key in options}
        insights = Insights(
            reactor,
            InsightsOptions(**{"broker": "127.0.0.1", "port": port, **options}),
            "MQTT_INSIGHTS",
            bus=self.bus,
            inventory=lambda: Inventory(dict(self.cts), self.shellies, tuple(self.meters)),
            managed=self.managed,
            wall_clock=lambda: datetime.now(UTC),
            connect=connect,
            **{"version": "3.0.0", **more},
        )
        insights.startService()
        self.addCleanup(lambda: insights.stopService() if insights.running else None)
        return insights

    # ---------------------------------------------------------------------------- the broker

    async def start_broker(self, **more: Any) -> Mosquitto:
        broker = Mosquitto(reactor, self.mktemp(), **more)
        self.addCleanup(lambda: Deferred.fromCoroutine(broker.stop()))
        await broker.start()
        return broker

    async def client(self, port: int, topic: str = "", handler: Any = None) -> MqttClient:
        """Somebody else at the broker, connected and subscribed."""
        settings = MqttSettings("127.0.0.1", port)
        client = MqttClient(reactor, settings, "TEST", backoff=Backoff(0.05, 0.2))
        if topic:
            client.subscribe(topic, handler)
        client.startService()
        self.addCleanup(client.stopService)
        await self.connected(client)
        return client

    async def connected(self, client: MqttClient) -> None:
        """It is, and the broker knows its subscriptions."""
        await self.until(lambda: client.connected, "a connection")
        # The broker handles what a client sends in order: this one is behind the subscriptions.
        self.assertTrue(await client.publish("fence", "", qos=1))

    async def watch(self, port: int, topic: str = "#") -> MqttClient:
        def take(topic: str, payload: bytes, _retained: bool) -> None:
            self.got.append((topic, payload))

        return await self.client(port, topic, take)

    async def retained(self, port: int) -> dict[str, bytes]:
        """What the broker keeps."""
        kept: dict[str, bytes] = {}

        def take(topic: str, payload: bytes, retained: bool) -> None:
            if retained:
                kept[topic] = payload
            elif topic == "end":
                done.append(topic)

        done: list[str] = []
        client = await self.client(port, "#", take)
        await client.publish("end", "")
        await self.until(lambda: done, "everything that is retained")
        await client.stopService()
        return kept

    async def until(self, true: Callable[[], object], what: str) -> None:
        give_up_at = reactor.seconds() + PATIENCE_S
        while not true():
            self.assertLess(reactor.seconds(), give_up_at, f"in vain: {what}")
            await sleep(reactor, 0.01)
