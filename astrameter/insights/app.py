"""Answers the Marstek app as a real CT does through the vendor's broker (mqtt.md section 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.insights.appframes import (
    Question,
    Slave,
    answer_topics,
    question,
    request_topics,
    runtime_frame,
    slave_list,
)
from astrameter.insights.inventory import CtDevice, Inventory
from astrameter.logs import FailureLog
from astrameter.marstek.managed import Managed, ManagedCts
from astrameter.mqtt import MqttClient
from astrameter.reading import Sample

FRESH_WAIT_S = 2.0
"""How long a pushed meter's next reading is waited for (section 8.6)."""

READ_WITHIN_S = 10.0
"""How long a reading may take; the app asks again."""

GOOD_FOR_S = 1.0
"""An app that asks faster gets the same reading: a slow meter has batteries to serve."""

LEAST_INTERVAL_S = 1.0


@dataclass(frozen=True)
class _Registered:
    """A CT that the app knows."""

    device: CtDevice
    managed: Managed


class AppResponder:
    """Sends readings to the app, asked or not.

    :param inventory: what there is at the time of the call.
    :param interval_s: how often a reading is sent without a question; 0 or less: never.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        client: MqttClient,
        inventory: Callable[[], Inventory],
        managed: ManagedCts,
        interval_s: float,
    ) -> None:
        self._clock = clock
        self._client = client
        self._inventory = inventory
        self._managed = managed
        self._interval_s = max(interval_s, LEAST_INTERVAL_S) if interval_s > 0 else 0.0
        self._by_topic: dict[str, str] = {}
        self._reading: Deferred[Any] | None = None
        self._waiting: dict[str, None] = {}
        self._sample: Sample | None = None
        self._read_at = 0.0
        self._failures = FailureLog(clock, self._log, "the reading for the Marstek app")
        self._call: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Listen to the app."""
        self._running = True
        self._managed.watch(self.refresh)
        self.refresh()
        for device in self._inventory().cts.values():
            if self._managed.get(device.spec.ct_type) is None:
                self._log.info(
                    "device {device}: the Marstek app is not answered, because no CT of this type "
                    "is registered with a Marstek account",
                    device=device.spec.device_id,
                )
        if self._interval_s > 0:
            self._call = self._clock.callLater(self._interval_s, self._broadcast_regularly)

    def stop(self) -> None:
        """Leave the app alone."""
        self._running = False
        self._managed.unwatch(self.refresh)
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._reading is not None:
            self._reading.cancel()

    def refresh(self) -> None:
        """There are other CTs, or other MACs: listen on their topics."""
        wanted = {
            topic: ct_type
            for ct_type, one in self._registered().items()
            for topic in request_topics(ct_type, one.managed.mac)
        }
        for topic in self._by_topic.keys() - wanted.keys():
            self._client.unsubscribe(topic)
        for topic in wanted.keys() - self._by_topic.keys():
            self._client.subscribe(topic, self._asked)
        self._by_topic = wanted

    def broadcast(self) -> None:
        """Send every CT's reading, if this is done at all."""
        if self._interval_s > 0 and self._client.connected:
            for ct_type in self._registered():
                self._send_reading(ct_type)

    # ---------------------------------------------------------------------------------------

    def _registered(self) -> dict[str, _Registered]:
        found = {}
        for device in self._inventory().cts.values():
            managed = self._managed.get(device.spec.ct_type)
            if managed is not None:
                found[device.spec.ct_type] = _Registered(device, managed)
        return found

    def _broadcast_regularly(self) -> None:
        self._call = self._clock.callLater(self._interval_s, self._broadcast_regularly)
        self.broadcast()

    def _asked(self, topic: str, payload: bytes, retained: bool) -> None:
        ct_type = self._by_topic.get(topic)
        # Nobody waits for the answer to a question that the broker has kept.
        asked = None if ct_type is None or retained else question(payload)
        if ct_type is None or asked is None:
            return
        if asked is Question.RUNTIME:
            self._send_reading(ct_type)
        else:
            self._send_slaves(ct_type)

    def _send_slaves(self, ct_type: str) -> None:
        one = self._registered().get(ct_type)
        if one is not None:
            fleet = sorted(one.device.ct.fleet, key=lambda battery: battery.consumer_id)
            slaves = (Slave(c.device_type, c.consumer_id, c.ip, c.phase) for c in fleet)
            self._send(ct_type, one.managed, slave_list(slaves))

    def _send_reading(self, ct_type: str) -> None:
        """Send it now when it is at hand, else once for all who asked meanwhile."""
        now = self._clock.seconds()
        if self._sample is not None and now - self._read_at < GOOD_FOR_S:
            self._send_sample(ct_type, self._sample)
            return
        self._waiting[ct_type] = None
        if self._reading is None:
            self._reading = reading = Deferred.fromCoroutine(self._read())
            reading.addTimeout(READ_WITHIN_S, self._clock)
            reading.addCallbacks(self._succeeded, self._failed).addBoth(self._ended)

    async def _read(self) -> Sample:
        """The meter itself, before any filter: the app shows the physical one."""
        device = self._inventory().house_meter()
        if device is None:
            return Sample((), self._clock.seconds())
        await device.meter.next_sample(FRESH_WAIT_S)
        sample: Sample = await device.meter.read()
        return sample

    def _succeeded(self, sample: Sample) -> None:
        self._failures.recovered()
        self._sample, self._read_at = sample, self._clock.seconds()
        for ct_type in self._waiting:
            self._send_sample(ct_type, sample)

    def _failed(self, failure: Failure) -> None:
        """Rather no answer than a made-up one."""
        if failure.check(WaitedTooLong) is not None:
            self._failures.failed(f"no reading within {READ_WITHIN_S:.0f} s")
        elif failure.check(CancelledError) is None:
            self._failures.failed(failure.getErrorMessage())

    def _ended(self, _result: object) -> None:
        self._reading = None
        self._waiting.clear()

    def _send_sample(self, ct_type: str, sample: Sample) -> None:
        one = self._registered().get(ct_type)
        if one is not None:
            slaves, managed = len(one.device.ct.fleet), one.managed
            text = runtime_frame(sample.watts, slaves, one.device.rssi, managed.version)
            self._send(ct_type, managed, text)

    def _send(self, ct_type: str, managed: Managed, text: str) -> None:
        if self._running:
            for topic in answer_topics(ct_type, managed.mac):
                self._client.publish(topic, text)
