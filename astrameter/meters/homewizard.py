"""HomeWizard's P1 meter, by the local API v2 (meters.md section 16).

The meter pushes a measurement about once a second. It counts as measured when it arrives: the
time in it is that of the electricity meter, in an unknown time zone and with an unknown error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from astrameter.meters.homewizard_tls import appliance_tls
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import as_number
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter
from astrameter.meters.urls import device_url, host
from astrameter.meters.websocket import Complaints, Message, Place, Trouble, WebSocketClient
from astrameter.options import Section, boolean, option, text
from astrameter.reading import MeterError, sample_of

MAX_AGE_S = 30.0
"""An older measurement is none: the meter sends one every second."""

WATCHDOG_S = 45.0
"""A meter that answers pings and has stopped measuring is connected to anew after this time."""

_PHASES = ("power_l1_w", "power_l2_w", "power_l3_w")
_SERIAL = re.compile(r"[0-9a-f]{12}\Z")
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[HOMEWIZARD]``."""

    ip: str = option(host(), required=True, help="Address of the P1 meter.", example="192.168.1.20")
    token: str = option(
        text(),
        required=True,
        default="",
        secret=True,
        help="Token of the local API v2. To get one, press the meter's button and within 30 s "
        "send POST https://ADDRESS/api/user with the header X-Api-Version: 2 and the body "
        '{"name": "local/astrameter"}.',
        example="32 hexadecimal digits",
    )
    serial: str = option(
        text(),
        default="",
        help="Serial number of the meter, 12 hexadecimal digits, as on its label and in the app. "
        "Its certificate has to be for this number. Needed unless VERIFY_SSL = no.",
        example="5c2fafaabbcc",
    )
    verify_ssl: bool = option(
        boolean(),
        default=True,
        help="Check that it is the meter of this SERIAL, by a certificate that HomeWizard signed. "
        "Without this check, anybody in the network can pretend to be the meter.",
    )

    @property
    def digits(self) -> str:
        """The serial number as it is in the certificate; it is often written like a MAC."""
        return re.sub(r"[:\s-]", "", self.serial).lower()


def check(options: Options) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if options.verify_ssl and not _SERIAL.match(options.digits):
        digits = "the 12 hexadecimal digits on the meter's label"
        yield "SERIAL", f"these are {digits}; they are needed unless VERIFY_SSL = no"


def watts_of(data: object) -> tuple[float, ...] | None:
    """The power in a measurement: three phases, or the total; None when there is none in it.

    A phase that is not mentioned is 0.

    :raises MeterError: ``not_numeric``; also for null, which the predecessor passed on.
    """
    if not isinstance(data, Mapping):
        return None
    if _PHASES[0] in data:
        return tuple(as_number(data.get(key, 0), key) for key in _PHASES)
    if "power_w" in data:
        return (as_number(data["power_w"], "power_w"),)
    return None


class HomeWizardMeter(PushedMeter):
    """Logs in, subscribes to measurements, and notices when they stop."""

    _log = Logger()

    def __init__(self, reactor: Any, section: str, options: Options) -> None:
        PushedMeter.__init__(self, reactor, section)
        self._options = options
        url = device_url(options.ip, "/api/ws", scheme="https")
        self._shown = url.shown
        place = Place(
            url,
            lambda: appliance_tls(options.digits if options.verify_ssl else None),
            "HomeWizard has not signed it; is it the right address? VERIFY_SSL = no does not check",
        )
        self._client = WebSocketClient(reactor, section, place, self)
        self._measured_at: float | None = None
        self._healthy = False
        self._watchdog: IDelayedCall | None = None
        self._measurements = Complaints(reactor)
        self._errors = Complaints(reactor)

    @property
    def online(self) -> bool:
        """Measurements come: the last is fresh, and followed another soon.

        A broken meter accepts every connection and repeats one old measurement; with a look at
        the last one alone it would seem to come and go.
        """
        at = self._measured_at
        fresh = at is not None and self._clock.seconds() - at <= MAX_AGE_S
        return self.connected and self._healthy and fresh

    def startService(self) -> None:
        Service.startService(self)
        if not self._options.verify_ssl:
            self._log.warn(
                "[{section}] VERIFY_SSL = no: anybody in the network can pretend to be this meter",
                section=self.section,
            )
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        PushedMeter.stopService(self)
        return self._client.stopService()

    def absence(self) -> str:
        return self._client.trouble or f"{self._shown} has not sent a measurement yet"

    # ------------------------------------------------------------------ the dialogue

    def stream_opened(self) -> None:
        """The meter speaks first."""

    def stream_closed(self) -> None:
        """The last measurement stays, until it is too old."""
        self.connected = False
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def stream_message(self, message: Message) -> None:
        match message.get("type"):
            case "measurement" if self.connected:
                self._measurement(message.get("data"))
            case "authorization_requested" if not self.connected:
                self._client.send({"type": "authorization", "data": self._options.token})
            case "authorized" if not self.connected:
                self.connected = True
                self._client.accepted()
                self._client.send({"type": "subscribe", "data": "measurement"})
                self._watchdog = self._clock.callLater(WATCHDOG_S, self._stalled)
            case "error":
                self._error(message.get("data"))

    def _measurement(self, data: object) -> None:
        try:
            watts = watts_of(data)
            if watts is None:
                return
            sample = sample_of(watts, self._clock.seconds())
        except MeterError as error:
            if self._measurements.bad():
                self._log.warn(
                    "[{section}] a measurement is of no use: {error}",
                    section=self.section,
                    error=str(error),
                )
            return
        last, self._measured_at = self._measured_at, sample.measured_at
        self._healthy = last is not None and sample.measured_at - last <= MAX_AGE_S
        if self._watchdog is not None:
            self._watchdog.reset(WATCHDOG_S)
        if self._healthy:
            self._client.delivers()
        if self._measurements.good():
            self._log.info("[{section}] measurements are good again", section=self.section)
        self.store(sample)
        self.wake()

    def _error(self, data: object) -> None:
        said = str(data.get("message") if isinstance(data, dict) else data)[:_SHOWN_CHARACTERS]
        if self.connected:
            if self._errors.bad():
                self._log.warn(
                    "[{section}] {url} reports {said!r}",
                    section=self.section,
                    url=self._shown,
                    said=said,
                )
            return
        text = f"{self._shown} refused us ({said!r})"
        if "unauthorized" in said:
            text = f"{self._shown} refused our token ({said!r}): check TOKEN, or get a new one"
        self._client.give_up(Trouble("refused", text, patient=True))

    def _stalled(self) -> None:
        self._watchdog = None
        text = f"{self._shown} has not sent a good measurement for {WATCHDOG_S:.0f} s"
        self._client.give_up(Trouble("stalled", text))


KIND = MeterKind(
    Section(
        "HOMEWIZARD",
        Options,
        help="HomeWizard's P1 meter, by its local API v2. It pushes a measurement every second.",
        many=True,
        example={
            "IP": "192.168.1.20",
            "TOKEN": "32 hexadecimal digits",
            "SERIAL": "5c2fafaabbcc",
        },
        check=check,
    ),
    HomeWizardMeter,
    max_age_s=MAX_AGE_S,
)
