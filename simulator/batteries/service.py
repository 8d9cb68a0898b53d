"""The socket and the clock of a simulated battery."""

from __future__ import annotations

from ipaddress import IPv4Address
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from astrameter.logs import FailureLog
from astrameter.udp import Address, TimeAndUdp, UdpService
from simulator.batteries.acceptance import Rejection
from simulator.batteries.battery import Battery
from simulator.batteries.cadence import cadence_of


class BatteryService(UdpService):
    """Polls a CT for as long as it runs.

    One timer is pending at any time: the next poll. An answer moves it where the cadence of the
    firmware depends on being answered; without an answer it is the time-out as well.

    :ivar battery: the battery it drives.
    """

    def __init__(
        self,
        battery: Battery,
        reactor: TimeAndUdp,
        ct: Address,
        random: Random,
        *,
        port: int = 0,
        interface: str = "",
        first_poll_s: float | None = None,
    ) -> None:
        """:param ct: IPv4 address (or the subnet's broadcast address) and port of the CT.

        :param random: of this battery alone, so that batteries do not disturb each other.
        :param port: own port; a real battery uses 22222, 0 is any free one.
        :param first_poll_s: from the start to the first poll; None draws it from one interval.
        :raises ValueError: when the address is not an IPv4 address in dotted form.
        """
        IPv4Address(ct[0])
        self.battery = battery
        protocol = _Polling(battery, reactor, ct, random, first_poll_s)
        super().__init__(reactor, port, protocol, interface)
        self._polling = protocol

    @property
    def round_trip_s(self) -> float | None:
        """From the last answered poll to its answer; None before the first answer."""
        return self._polling.round_trip_s

    def stopService(self) -> Deferred[None]:
        self._polling.stop()
        return super().stopService()


class _Polling(DatagramProtocol):
    """Polls from the moment its port is bound."""

    _log = Logger()
    noisy = False

    def __init__(
        self,
        battery: Battery,
        clock: TimeAndUdp,
        ct: Address,
        random: Random,
        first_poll_s: float | None,
    ) -> None:
        self._battery = battery
        self._clock = clock
        self._ct = ct
        self._random = random
        self._first_poll_s = first_poll_s
        self._cadence = cadence_of(battery.config)
        self._waits_for_answer = self._cadence.answered_s != self._cadence.unanswered_s
        self.round_trip_s: float | None = None
        self._polled_at = 0.0
        self._awaiting = False
        self._lost = False
        self._next: IDelayedCall | None = None
        self._sending = FailureLog(clock, self._log, f"battery {battery.mac}: sending")

    def startProtocol(self) -> None:
        first_s = self._first_poll_s
        if first_s is None:
            first_s = self._cadence.unanswered_s * self._random.random()
        self._battery.begin(self._clock.seconds())
        self._next = self._clock.callLater(first_s, self._poll)

    def stop(self) -> None:
        """No more polls; answers that are still under way are ignored."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def stopProtocol(self) -> None:
        self.stop()

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        if self._next is None:
            return
        now = self._clock.seconds()
        battery = self._battery
        battery.advance_to(now)
        judged = battery.answer(datagram, now)
        if not self._awaiting or isinstance(judged, Rejection):
            return
        self._awaiting = False
        self.round_trip_s = now - self._polled_at
        if self._waits_for_answer:
            interval_s = self._cadence.draw(self._cadence.answered_s, self._random)
            self._next.reset(max(0.0, self._polled_at + interval_s - now))
        if self._lost:
            self._lost = False
            self._log.info("battery {mac}: the CT answers again", mac=battery.mac)

    def _poll(self) -> None:
        now = self._clock.seconds()
        battery = self._battery
        battery.advance_to(now)
        datagram = battery.poll(now)
        self._polled_at = now
        self._awaiting = True
        interval_s = self._cadence.draw(self._cadence.unanswered_s, self._random)
        self._next = self._clock.callLater(interval_s, self._poll)
        assert self.transport is not None, "polls only while its port is bound"
        try:
            self.transport.write(datagram, self._ct)
        except OSError as error:
            self._sending.failed(str(error))
        else:
            self._sending.recovered()
        if battery.meter_lost and not self._lost:
            self._lost = True
            self._log.warn(
                "battery {mac}: no CT answers at {host}:{port}; output to zero",
                mac=battery.mac,
                host=self._ct[0],
                port=self._ct[1],
            )
