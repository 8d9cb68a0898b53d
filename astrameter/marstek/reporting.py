"""Tells the vendor's cloud the readings, when the owner wants that (marstek-cloud.md part B)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.marstek.managed import ManagedCts
from astrameter.marstek.report import Report, handshake_url, report_url
from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.interface import IMeter
from astrameter.meters.urls import Url
from astrameter.reading import MeterError

ANSWER_S = 10.0
CONNECT_S = 5.0
FRESH_WAIT_S = 2.0
READ_S = 10.0

LONGEST_WAIT_S = 900.0
"""Between two attempts while the cloud is away; an interval that is longer stays as it is."""


class CloudReporting(Service):
    """Reports one emulated CT for as long as it runs.

    It is known to the cloud by the MAC that was registered, else by CT_MAC; while there is
    neither, nothing is sent.

    :param registering: whether somebody sees to it that one is registered.
    :param house_meter: the meter that is reported, at the time of the call; None: zeros.
    :param mqtt: whether readings are published to a broker, too.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        options: CtOptions,
        ct_type: str,
        ct: EmulatedCt,
        managed: ManagedCts,
        registering: Callable[[], bool],
        house_meter: Callable[[], IMeter | None],
        mqtt: Callable[[], bool],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._reactor = reactor
        self._options = options
        self._ct_type = ct_type
        self._ct = ct
        self._managed = managed
        self._registering = registering
        self._house_meter = house_meter
        self._mqtt = mqtt
        self._wall_clock = wall_clock
        self._client = HttpClient(reactor, timeout_s=ANSWER_S, connect_timeout_s=CONNECT_S)
        interval_s = options.cloud_reporting_interval
        self._backoff = Backoff(interval_s, max(interval_s, LONGEST_WAIT_S))
        self._work: Deferred[None] | None = None
        self._greeted = ""
        self._named: Deferred[None] | None = None
        host = options.cloud_reporting_host
        self._sending = FailureLog(reactor, self._log, f"reporting to the cloud at {host}")
        self._reading = FailureLog(reactor, self._log, "the reading for the cloud")

    def startService(self) -> None:
        Service.startService(self)
        self._log.info(
            "{type} is reported to the cloud at {host} every {interval_s:g} s, unencrypted",
            type=self._ct_type,
            host=self._options.cloud_reporting_host,
            interval_s=self._options.cloud_reporting_interval,
        )
        self._managed.watch(self._look_again)
        self._work = spawn(self._run(), "reporting to the cloud", self._log)

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        if self._work is not None:
            self._managed.unwatch(self._look_again)
            self._work.cancel()
            self._work = None
        return self._client.close()

    async def _run(self) -> None:
        while True:
            identity = self._identity()
            if not identity:
                await self._to_be_named()
                continue
            wait_s = self._options.cloud_reporting_interval
            try:
                await self._report(identity)
            except MeterError as error:
                self._sending.failed(str(error))
                wait_s = self._backoff.next_wait_s()
            else:
                self._sending.recovered()
                self._backoff.reset()
            await sleep(self._reactor, wait_s)

    def _identity(self) -> str:
        managed = self._managed.get(self._ct_type)
        return self._options.ct_mac if managed is None else managed.mac

    def _to_be_named(self) -> Deferred[None]:
        """Fires when there is an identity."""
        if not self._registering():
            self._log.warn(
                "nothing is reported to the cloud: it knows only CTs that are registered; switch "
                "on [MARSTEK] ENABLE, or set CT_MAC"
            )
        self._named = Deferred()
        return self._named

    def _look_again(self) -> None:
        if self._named is not None and self._identity():
            named, self._named = self._named, None
            named.callback(None)

    async def _report(self, identity: str) -> None:
        host = self._options.cloud_reporting_host
        if self._greeted != identity:
            await self._send(handshake_url(host, identity, self._ct_type))
            self._greeted = identity
        try:
            watts = await self._watts()
        except MeterError as error:
            self._reading.failed(str(error))
            return
        except WaitedTooLong:
            self._reading.failed(f"no reading within {READ_S:g} s")
            return
        self._reading.recovered()
        report = Report(
            watts,
            self._ct.buckets(self._reactor.seconds()),
            len(self._ct.fleet),
            self._options.wifi_rssi,
            self._mqtt(),
            self._wall_clock().astimezone(),
        )
        await self._send(report_url(host, identity, self._ct_type, report))

    async def _watts(self) -> tuple[float, ...]:
        """The meter itself, before any filter: the cloud shows the physical one (mqtt.md 8.6)."""
        meter = self._house_meter()
        if meter is None:
            return ()
        await meter.next_sample(FRESH_WAIT_S)
        sample = await meter.read().addTimeout(READ_S, self._reactor)
        return tuple(sample.watts)

    async def _send(self, url: Url) -> None:
        (await self._client.send(prepare(url))).checked()
