"""A meter's infrared interface on a serial line, in SML (meters.md section 20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.meters.interface import MeterKind
from astrameter.meters.pushed import PushedMeter
from astrameter.meters.sml_telegrams import Telegrams
from astrameter.meters.sml_values import ObisOptions, check, watts_of
from astrameter.options import Section, option, text
from astrameter.reading import MeterError, Sample
from astrameter.serialline import ListeningLine, SerialLineError, listen

BAUDRATE = 9600
"""meters.md section 20; eight bits, no parity, one stop bit."""

MAX_AGE_S = 30.0
"""An older reading is none: meters send every few seconds at most."""

RETRY_AT_MOST_S = 10.0
"""Between two attempts to open the line: whoever plugs the head in again waits for it."""


@dataclass(frozen=True)
class Options(ObisOptions):
    """Keys of ``[SML]``."""

    serial: str = option(
        text(),
        default="",
        required=True,
        help="The serial line of the infrared head. The names in /dev/serial/by-id stay when "
        "adapters are plugged in another order.",
        example="/dev/serial/by-id/usb-IR-Head",
    )


class SmlMeter(PushedMeter):
    """Reads all the time; the newest telegram is the reading."""

    _log = Logger()

    def __init__(
        self, reactor: Any, section: str, options: Options, backoff: Backoff | None = None
    ) -> None:
        PushedMeter.__init__(self, reactor, section)
        self._reactor = reactor
        self._options = options
        self._backoff = backoff or Backoff(longest_s=RETRY_AT_MOST_S)
        self._opening = FailureLog(reactor, self._log, f"[{section}] {options.serial}")
        self._reading = FailureLog(reactor, self._log, f"[{section}] finding the power")
        self._telegrams = Telegrams()
        self._error: MeterError | None = None
        self._has_received = False
        self._work: Deferred[None] | None = None

    @property
    def online(self) -> bool:
        """The line is open, and the last reading is fresh."""
        return self.connected and self._is_fresh()

    def startService(self) -> None:
        Service.startService(self)
        self._work = spawn(self._keep_open(), f"[{self.section}] listening", self._log)

    def stopService(self) -> Deferred[None] | None:
        PushedMeter.stopService(self)
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        return work

    def read(self) -> Deferred[Sample]:
        # What stands in the way says more than how old the last reading is.
        if self._error is not None and not self._is_fresh():
            return fail(self._error)
        return PushedMeter.read(self)

    def absence(self) -> str:
        if self._error is not None:
            return str(self._error)
        line = self._options.serial
        if self._has_received:
            return f"what arrives on {line} is no SML; does the head sit right on the meter?"
        return f"nothing has arrived yet on {line}; does the head sit right on the meter?"

    async def _keep_open(self) -> None:
        while True:
            try:
                line = listen(self._reactor, self._options.serial, self._receive, BAUDRATE)
            except SerialLineError as error:
                self._failed(str(error))
            else:
                self._opened()
                await self._until_gone(line)
                self._failed("has gone; was the adapter pulled?")
            await sleep(self._reactor, self._backoff.next_wait_s())

    def _opened(self) -> None:
        self._opening.recovered()
        self._error = None
        self.connected = True

    async def _until_gone(self, line: ListeningLine) -> None:
        try:
            await line.gone
        finally:
            line.close()
            self.connected = False

    def _failed(self, why: str) -> None:
        self._error = MeterError("connect", f"{self._options.serial} {why}")
        self.store(None)
        self._opening.failed(why)

    def _receive(self, data: bytes) -> None:
        self._has_received = True
        damaged = self._telegrams.damaged
        for content in self._telegrams.feed(data):
            self._take(content)
        if self._telegrams.damaged > damaged and not self._is_fresh():
            self._error = MeterError("undecodable", _DAMAGED)

    def _take(self, content: bytes) -> None:
        try:
            self.arrived(watts_of(content, self._options))
        except MeterError as error:
            # Some meters tell the power in every other telegram only.
            if not self._is_fresh():
                self._error = error
                self._reading.failed(str(error))
        else:
            self._error = None
            self._reading.recovered()
            self._backoff.reset()

    def _is_fresh(self) -> bool:
        sample = self._sample
        return sample is not None and self._clock.seconds() - sample.measured_at <= MAX_AGE_S


_DAMAGED = "telegrams arrive damaged; does the head sit right, and does nothing shine into it?"


def build(reactor: Any, section: str, options: Options) -> SmlMeter:
    """The meter of a checked section."""
    return SmlMeter(reactor, section, options)


KIND = MeterKind(
    Section(
        "SML",
        Options,
        help="An electricity meter that is read through its infrared interface, with a head on a "
        "serial line of this computer. Some meters tell the power only after their PIN was "
        "entered.",
        many=True,
        example={"SERIAL": "/dev/ttyUSB0"},
        check=check,
    ),
    build,
    max_age_s=MAX_AGE_S,
)
