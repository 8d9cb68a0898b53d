"""SMA's Energy Meter and Sunny Home Manager, which send to a multicast group (meters.md 18)."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import CannotListenError, MulticastJoinError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter
from astrameter.meters.speedwire import MeterTelegram, decode
from astrameter.options import Kind, Section, integer, option, port

MAX_AGE_S = 30.0
"""An older measurement is none: the meter sends one every second."""

REJOIN_AFTER_S = 60.0
"""A group that is silent for so long is joined anew.

Switches forget who wants a group when nobody in the network asks who does (RFC 4541), and a
group joined on an interface that has gone meanwhile stays silent for ever.
"""

SUSY_IDS = frozenset({270, 349, 372, 501})
"""The types of device that are taken without being named."""

_LONGEST_DATAGRAM = 2048
_MAX_SERIAL = 2**32 - 1


def multicast_group() -> Kind[str]:
    """The address of an IPv4 multicast group."""

    def parse(raw: str) -> str:
        try:
            address = ipaddress.IPv4Address(raw)
        except ValueError:
            address = ipaddress.IPv4Address(0)
        if not address.is_multicast:
            raise ValueError("a multicast group is 224.0.0.0 to 239.255.255.255")
        return str(address)

    return Kind(parse, "IPv4 multicast address")


def own_address() -> Kind[str]:
    """An IPv4 address of this computer, or empty."""

    def parse(raw: str) -> str:
        try:
            return str(ipaddress.IPv4Address(raw)) if raw else ""
        except ValueError:
            raise ValueError(
                "this is the address of this computer in the meter's network, like 192.168.1.5"
            ) from None

    return Kind(parse, "IPv4 address")


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[SMA_ENERGY_METER]``."""

    multicast_group: str = option(
        multicast_group(), default="239.12.255.254", help="The group that the meter sends to."
    )
    port: int = option(port(), default=9522, help="The UDP port that the meter sends to.")
    serial_number: int = option(
        integer(0),
        default=0,
        help="Serial number of the meter. 0: the first energy meter or Sunny Home Manager that "
        "is heard, until restart.",
        example="1901234567",
    )
    interface: str = option(
        own_address(),
        default="",
        help="This computer has several networks: its own address in the meter's network.",
        example="192.168.1.5",
    )


def check(options: Options) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if options.serial_number > _MAX_SERIAL:
        yield "SERIAL_NUMBER", f"there is none above {_MAX_SERIAL}; see the label of the meter"


class SmaEnergyMeter(PushedMeter):
    """Listens to the group; never sends, but for what joining a group takes."""

    _log = Logger()

    def __init__(
        self, reactor: Any, section: str, options: Options, backoff: Backoff | None = None
    ) -> None:
        PushedMeter.__init__(self, reactor, section)
        self._reactor = reactor
        self._options = options
        self._backoff = backoff or Backoff()
        self._where = f"{options.multicast_group}:{options.port}"
        self._failures = FailureLog(reactor, self._log, f"[{section}] listening on {self._where}")
        self._trouble = ""
        self._serial = options.serial_number
        self._has_told_of_others = options.serial_number != 0
        self._heard_at = 0.0
        self._work: Deferred[None] | None = None

    @property
    def online(self) -> bool:
        """The group is joined, and the last measurement is fresh."""
        fresh = self._clock.seconds() - self._heard_at <= MAX_AGE_S
        return self.connected and self._sample is not None and fresh

    def startService(self) -> None:
        Service.startService(self)
        self._work = spawn(self._keep_listening(), f"[{self.section}] listening", self._log)

    def stopService(self) -> Deferred[None] | None:
        PushedMeter.stopService(self)
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        return work

    def absence(self) -> str:
        return self._trouble or f"no energy meter was heard yet on {self._where}"

    async def _keep_listening(self) -> None:
        while True:
            try:
                listening = await self._join()
            except (CannotListenError, MulticastJoinError) as error:
                self._failed(self._why(error))
                await sleep(self._reactor, self._backoff.next_wait_s())
                continue
            self._backoff.reset()
            self.connected = True
            try:
                await self._silence()
            finally:
                self.connected = False
                await maybeDeferred(listening.stopListening)
            self._failed(
                f"no energy meter was heard for {REJOIN_AFTER_S:g} s; does multicast reach this "
                "computer (a container needs the host's network), and is INTERFACE right?"
            )

    async def _join(self) -> Any:
        """The open port, as a member of the group.

        :raises CannotListenError:
        :raises MulticastJoinError:
        """
        options = self._options
        listening = self._reactor.listenMulticast(
            options.port,
            SpeedwireListener(self._hear),
            maxPacketSize=_LONGEST_DATAGRAM,
            listenMultiple=True,
        )
        try:
            await listening.joinGroup(options.multicast_group, options.interface)
        except (MulticastJoinError, CancelledError):
            await maybeDeferred(listening.stopListening)
            raise
        return listening

    async def _silence(self) -> None:
        """Return when the meter has not been heard for :data:`REJOIN_AFTER_S`."""
        joined_at = self._clock.seconds()
        while True:
            quiet_s = self._clock.seconds() - max(joined_at, self._heard_at)
            if quiet_s >= REJOIN_AFTER_S:
                return
            await sleep(self._reactor, REJOIN_AFTER_S - quiet_s)

    def _failed(self, why: str) -> None:
        self._trouble = f"listening on {self._where} failed: {why}"
        self._failures.failed(why)

    def _why(self, error: Exception) -> str:
        problem = error.socketError if isinstance(error, CannotListenError) else error
        if errno.EADDRINUSE in (getattr(problem, "errno", None), *problem.args):
            return "another program has the port to itself; stop that one"
        if errno.ENODEV in problem.args:
            own = self._options.interface
            if own:
                return f"this computer has no network with the address {own}; is INTERFACE right?"
            return "there is no network yet; with several networks INTERFACE says which"
        return str(problem.args[-1] if problem.args else problem)

    def _hear(self, datagram: bytes) -> None:
        telegram = decode(datagram)
        if telegram is None or not (self._serial or telegram.susy_id in SUSY_IDS):
            return
        if self._serial and telegram.serial != self._serial:
            self._tell_of_another(telegram)
            return
        watts = telegram.watts
        if not watts:
            return
        if not self._serial:
            self._serial = telegram.serial
            self._log.info(
                "[{section}] follows the meter {serial}", section=self.section, serial=self._serial
            )
        self._heard_at = self._clock.seconds()
        self._trouble = ""
        self._failures.recovered()
        self.arrived(watts)

    def _tell_of_another(self, telegram: MeterTelegram) -> None:
        if not self._has_told_of_others and telegram.susy_id in SUSY_IDS:
            self._has_told_of_others = True
            self._log.warn(
                "[{section}] follows the meter {serial} and also hears {other}; SERIAL_NUMBER "
                "says which one",
                section=self.section,
                serial=self._serial,
                other=telegram.serial,
            )


class SpeedwireListener(DatagramProtocol):
    """Passes datagrams on."""

    noisy = False

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear

    def datagramReceived(self, datagram: bytes, _addr: Any) -> None:
        self._hear(datagram)


def build(reactor: Any, section: str, options: Options) -> SmaEnergyMeter:
    """The meter of a checked section."""
    return SmaEnergyMeter(reactor, section, options)


KIND = MeterKind(
    Section(
        "SMA_ENERGY_METER",
        Options,
        help="SMA Energy Meter and Sunny Home Manager, which send their measurements to the "
        "network. Nothing has to be set when there is one of them and one network.",
        many=True,
        check=check,
    ),
    build,
    max_age_s=MAX_AGE_S,
)
