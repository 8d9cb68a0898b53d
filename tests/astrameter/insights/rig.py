"""A house in a few lines, and the insights into it at a broker in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.report import answered
from astrameter.ct.wire import encode
from astrameter.devices import DeviceSpec
from astrameter.events import Bus, CtAnswered, CtRemoved, ShellyAnswered, ShellyRemoved
from astrameter.filters.health import Health
from astrameter.insights.inventory import CtDevice, Inventory, MeterDevice
from astrameter.insights.options import InsightsOptions
from astrameter.insights.service import Insights
from astrameter.marstek.managed import ManagedCts
from astrameter.mqtt import MqttClient
from astrameter.reading import Sample
from astrameter.steering.interface import Battery, Mode
from tests.astrameter.mqtt.rig import LogWatch
from tests.doubles import StubMeter
from tests.scripted_broker import PUBLISH, ScriptedBroker, settle

START = datetime(2026, 11, 21, 5, 31, tzinfo=UTC)
MAC = "aabbccddeeff"
WATTS = (120.0, 0.0, -30.0)


class Steering:
    """A controller without any ideas.

    :ivar rotated: whom it was to rotate.
    :ivar forgotten: whom it was to start anew.
    """

    def __init__(self) -> None:
        self.last_grid_w = 0.0
        self.rotated: list[list[str]] = []
        self.forgotten: list[str] = []
        self._readings: dict[str, float] = {}

    def report(self, battery: Battery, now: float) -> None:
        """Nothing to learn."""

    def instruct(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], now: float
    ) -> float:
        self.last_grid_w = float(sum(map(int, sample.phases)))
        if battery.mode is Mode.INACTIVE:
            reading_w = float(-battery.power_w)
        elif battery.mode is Mode.MANUAL:
            reading_w = battery.manual_target_w - battery.power_w
        else:
            reading_w = 30.0
        self._readings[battery.consumer_id] = reading_w
        return reading_w

    def intent_w(self, consumer_id: str) -> float | None:
        return None

    def last_reading_w(self, consumer_id: str) -> float | None:
        return self._readings.get(consumer_id)

    def saturation(self, consumer_id: str) -> float:
        return 0.0

    def forget(self, consumer_id: str) -> None:
        self.forgotten.append(consumer_id)

    def rotate(self, consumer_ids: Collection[str]) -> None:
        self.rotated.append(list(consumer_ids))


@dataclass(frozen=True)
class Published:
    """A publication as the broker got it."""

    topic: str
    payload: str
    qos: int = 0
    retain: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


def publications(received: Sequence[Any]) -> list[Published]:
    """The publications among what a line of the scripted broker received."""
    found = []
    for one in received:
        if one.kind == PUBLISH:
            qos = one.flags >> 1 & 3
            length = int.from_bytes(one.body[:2], "big")
            topic, rest = one.body[2 : 2 + length].decode(), one.body[2 + length :]
            payload = rest[2:] if qos else rest
            found.append(Published(topic, payload.decode(), qos, bool(one.flags & 1)))
    return found


class HouseCase(SynchronousTestCase):
    """:ivar meters: by section; the first serves everybody.

    :ivar cts: the emulated CTs by device id; ``device-1`` is there at the start.
    :ivar asked_for: how the insights wanted their client.
    """

    options: dict[str, Any] = {}  # noqa: RUF012  what a test case wants otherwise

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = ScriptedBroker(self.clock)
        self.log = LogWatch(self)
        self.bus = Bus(self.clock)
        self.managed = ManagedCts()
        self.cts: dict[str, CtDevice] = {}
        self.shellies: set[str] = {"shellyemg3-ec4609c439c2"}
        self.meters: dict[str, tuple[StubMeter, Health]] = {}
        self.seen = 0
        self.add_ct("device-1")
        self.add_meter("JSON_HTTP", WATTS)

    # ----------------------------------------------------------------------------- the house

    def add_ct(self, device_id: str, ct_type: str = "HME-4", **options: Any) -> CtDevice:
        ct_options = CtOptions(**options)
        ct = EmulatedCt(ct_type, ct_options, 0.0, Steering())
        spec = DeviceSpec("ct002", device_id, 12345, 0.0, ct_options, ct_type)
        self.cts[device_id] = CtDevice(spec, ct)
        return self.cts[device_id]

    def add_meter(self, section: str, watts: Any) -> StubMeter:
        meter = StubMeter(watts, section)
        self.meters[section] = (meter, Health(meter, self.clock))
        return meter

    def inventory(self) -> Inventory:
        anywhere = (IPv4Network("0.0.0.0/0"),)
        meters = (
            MeterDevice(section, meter, chain, anywhere)
            for section, (meter, chain) in self.meters.items()
        )
        return Inventory(dict(self.cts), frozenset(self.shellies), tuple(meters))

    def now(self) -> datetime:
        return START + timedelta(seconds=self.clock.seconds())

    def event(
        self,
        mac: str = MAC,
        phase: str = "A",
        power_w: int = 0,
        watts: Sequence[float] = WATTS,
        device: str = "device-1",
        device_type: str = "HMG-50",
    ) -> CtAnswered:
        """A battery polls and is answered."""
        ct = self.cts[device].ct
        fields = [device_type, mac.upper(), "HME-4", "02b250000001", phase, str(power_w)]
        now = self.clock.seconds()
        poll = ct.receive(encode(fields), ("127.0.0.1", 2000), now)
        assert poll is not None
        answer = ct.answer(poll, Sample(tuple(watts), now), "JSON_HTTP", now)
        assert answer is not None
        return answered(device, ct, poll, answer, self.now)

    def poll(self, mac: str = MAC, **more: Any) -> None:
        """The same, and the observers are told."""
        self.bus.publish(self.event(mac, **more))
        settle(self.clock)

    def remove(self, mac: str = MAC, device: str = "device-1") -> None:
        self.bus.publish(CtRemoved(device, mac))
        settle(self.clock)

    def shelly_poll(self, ip: str = "127.0.0.50", watts: Any = WATTS, count: int = 1) -> None:
        (device,) = self.shellies
        seen = self.now().isoformat()
        self.bus.publish(ShellyAnswered(device, ip, watts, None, count, seen))
        settle(self.clock)

    def shelly_remove(self, ip: str = "127.0.0.50") -> None:
        (device,) = self.shellies
        self.bus.publish(ShellyRemoved(device, ip))
        settle(self.clock)

    # -------------------------------------------------------------------------- the insights

    def make(self, **options: Any) -> Insights:
        def connect(reactor: Any, settings: Any, section: str, **more: Any) -> MqttClient:
            self.asked_for = dict(more)
            made = {"endpoint_factory": self.broker.endpoint, "random": Random(1)}
            # What settles needs no time.
            return MqttClient(reactor, settings, section, **{**more, **made, "rest_s": 0.0})

        self.insights = Insights(
            self.clock,
            InsightsOptions(**{"publish_interval": 5.0, **self.options, **options}),
            "MQTT_INSIGHTS",
            bus=self.bus,
            inventory=self.inventory,
            managed=self.managed,
            wall_clock=self.now,
            version="3.0.0",
            connect=connect,
        )
        self.addCleanup(self.end)
        return self.insights

    def start(self, **options: Any) -> Insights:
        insights = self.make(**options)
        insights.startService()
        settle(self.clock)
        return insights

    def end(self) -> None:
        if self.insights.running:
            self.stop()
        settle(self.clock)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def stop(self) -> None:
        done = self.insights.stopService()
        settle(self.clock)
        if not done.called:
            self.clock.advance(2.0)
            settle(self.clock)
        self.successResultOf(done)

    def pass_time(self, seconds: float, step_s: float = 0.5) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            settle(self.clock, 5)

    # ---------------------------------------------------------------------------- the broker

    def published(self) -> list[Published]:
        """Everything in this connection."""
        return publications(self.broker.line.received)

    def news(self) -> list[Published]:
        """What came since the last look, in this connection."""
        everything = self.published()
        found, self.seen = everything[self.seen :], len(everything)
        return found

    def topics(self) -> list[str]:
        return [one.topic for one in self.news()]

    def retained(self) -> dict[str, str]:
        """What a broker would have kept of this connection."""
        kept: dict[str, str] = {}
        for one in self.published():
            if one.retain and one.payload:
                kept[one.topic] = one.payload
            elif one.retain:
                kept.pop(one.topic, None)
        return kept

    def command(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.broker.line.publish(topic, data, retain=retain)
        settle(self.clock)

    def reconnect(self) -> None:
        """The broker dies and is back."""
        lines = len(self.broker.lines)
        self.broker.line.hang_up()
        settle(self.clock)
        while len(self.broker.lines) == lines:
            self.clock.advance(1.0)
            settle(self.clock)
        self.seen = 0
