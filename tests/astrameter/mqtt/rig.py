"""A client, a scripted broker, and the clock that both live by."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from astrameter.mqtt import MqttClient, MqttSettings
from tests.scripted_broker import ScriptedBroker, settle

SETTINGS = MqttSettings("broker.example", username="u", password="secret")


@implementer(ILogObserver)
class LogWatch:
    """What was logged as info or louder, as people read it."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self._events: list[Any] = []
        globalLogPublisher.addObserver(self)
        test.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: Any) -> None:
        self._events.append(event)

    def clear(self) -> None:
        self._events.clear()

    def lines(self, level: LogLevel = LogLevel.info) -> list[str]:
        return [
            formatEvent(event)
            for event in self._events
            if event.get("log_namespace", "").startswith("astrameter")
            and event["log_level"] >= level
        ]

    def warnings(self) -> list[str]:
        return self.lines(LogLevel.warn)


class MqttTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = ScriptedBroker(self.clock)
        self.log = LogWatch(self)
        self.got: list[tuple[str, bytes, bool]] = []
        self.changes: list[str] = []
        self.addCleanup(self.assert_nothing_left)

    def client(self, settings: MqttSettings = SETTINGS, **more: Any) -> MqttClient:
        more.setdefault("random", Random(1))
        client = MqttClient(
            self.clock, settings, "MQTT", endpoint_factory=self.broker.endpoint, **more
        )
        client.watch(
            lambda: self.changes.append("connected"), lambda: self.changes.append("disconnected")
        )
        self.addCleanup(self.stop, client)
        return client

    def started(self, settings: MqttSettings = SETTINGS, **more: Any) -> MqttClient:
        """A client that had time to connect and subscribe, to ``home/#``."""
        client = self.client(settings, **more)
        client.subscribe("home/#", self.take)
        client.startService()
        settle(self.clock)
        return client

    def stop(self, client: MqttClient) -> None:
        if client.running:
            done = client.stopService()
            settle(self.clock)
            if not self.broker.closes:
                self.clock.advance(2.0)
                settle(self.clock)
            self.successResultOf(done)

    def assert_nothing_left(self) -> None:
        settle(self.clock)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        self.got.append((topic, payload, retained))

    def pass_time(self, seconds: float, step_s: float = 0.5) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            settle(self.clock, 5)

    def advance_until(self, done: Callable[[], bool], limit_s: float) -> float:
        """Seconds until ``done`` is true."""
        start = self.clock.seconds()
        while not done():
            self.assertLess(self.clock.seconds() - start, limit_s, "it did not happen in time")
            self.clock.advance(0.05)
            settle(self.clock, 3)
        return self.clock.seconds() - start
