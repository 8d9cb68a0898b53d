"""A battery on the network: one datagram and one new socket for each poll (simulator.md 1, 6)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from astrameter.logs import FailureLog
from astrameter.udp import Address, TimeAndUdp
from simulator.batteries.acceptance import Rejection
from simulator.batteries.battery import Battery
from simulator.batteries.cadence import SHORTEST_S, cadence_of
from simulator.running.sitetime import SiteTime
from simulator.running.target import CtTarget

REPLY_TIMEOUT_S = 2.0
"""Seconds of the clock, whatever the speed of the site (simulator.md section 6.2)."""


class Poller(Service):
    """Polls for as long as it runs: a request, its answer or the time-out, a pause, and so on.

    :ivar battery: may be changed at any time; answers under way then are not for the new one.
    :ivar online: False lets none of its datagrams through.
    :ivar answered_at: site time of the last answer that was taken; None before the first.
    """

    _log = Logger()

    def __init__(
        self,
        battery: Battery,
        reactor: TimeAndUdp,
        time: SiteTime,
        target: CtTarget,
        random: Random,
        loss: Callable[[], float],
    ) -> None:
        """:param random: of this battery alone.

        :param loss: the present fraction of datagrams that vanish.
        """
        self.battery = battery
        self.online = True
        self.answered_at: float | None = None
        self._reactor = reactor
        self._time = time
        self._target = target
        self._random = random
        self._loss = loss
        self._cadence = cadence_of(battery.config)
        self._polled_at = 0.0
        self._timer: IDelayedCall | None = None
        self._port: IListeningPort | None = None
        self._exchange: _Exchange | None = None
        self._closing: Deferred[None] = succeed(None)
        self._sending = FailureLog(reactor, self._log, f"battery {battery.mac}: sending")

    def startService(self) -> None:
        Service.startService(self)
        self.battery.begin(self._time.seconds())
        first_s = self._cadence.answered_s * self._random.random() / self._time.speed
        self._timer = self._reactor.callLater(first_s, self._poll)

    def stopService(self) -> Deferred[None]:
        """No more polls; fires when the socket of the last one is closed."""
        Service.stopService(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close()
        return self._closing

    def replace(self, battery: Battery) -> None:
        """Poll for another battery from now on; what is under way is forgotten."""
        battery.begin(self._time.seconds())
        self.battery = battery
        self._cadence = cadence_of(battery.config)
        self.answered_at = None
        self._close()

    # ---------------------------------------------------------------------- one poll

    def _poll(self) -> None:
        self._timer = self._reactor.callLater(REPLY_TIMEOUT_S, self._given_up)
        now = self._polled_at = self._time.seconds()
        battery = self.battery
        battery.advance_to(now)
        datagram = battery.poll(now)
        address = self._target.address
        if address is not None and self._arrives():
            self._send(datagram, address)

    def _arrives(self) -> bool:
        if not self.online:
            return False
        loss = self._loss()
        return not loss or self._random.random() >= loss

    def _send(self, datagram: bytes, address: Address) -> None:
        exchange = self._exchange = _Exchange(self)
        try:
            self._port = self._reactor.listenUDP(0, exchange)
            assert exchange.transport is not None, "its port is bound"
            exchange.transport.write(datagram, address)
        except (CannotListenError, OSError) as error:
            self._sending.failed(str(error))
        else:
            self._sending.recovered()

    def received(self, exchange: _Exchange, datagram: bytes) -> None:
        """Something came back to the socket of a poll."""
        if exchange is not self._exchange or not self._arrives():
            return
        now = self._time.seconds()
        battery = self.battery
        battery.advance_to(now)
        taken = not isinstance(battery.answer(datagram, now), Rejection)
        if taken:
            self.answered_at = now
        self._target.answered()
        self._pause(taken)

    def _given_up(self) -> None:
        self._timer = None
        self._target.unanswered()
        self._pause(False)

    def _pause(self, answered: bool) -> None:
        """Close the socket, and poll again after the interval.

        An interval that was asked for runs from the end of a poll, as simulator.md section 6.3 has
        it; the firmware's own cadence from its beginning.
        """
        self._close()
        if self._timer is not None:
            self._timer.cancel()
        cadence = self._cadence
        interval_s = cadence.answered_s if answered else cadence.unanswered_s
        pause_s = cadence.draw(interval_s, self._random)
        if self.battery.config.poll_interval_s is None:
            pause_s -= self._time.seconds() - self._polled_at
        pause_s = max(SHORTEST_S, pause_s / self._time.speed)
        self._timer = self._reactor.callLater(pause_s, self._poll)

    def _close(self) -> None:
        self._exchange = None
        port, self._port = self._port, None
        if port is not None:
            closed = port.stopListening()
            if closed is not None:
                self._closing = closed


class _Exchange(DatagramProtocol):
    """The socket of one poll."""

    noisy = False

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    def datagramReceived(self, datagram: bytes, _addr: Address) -> None:
        self._poller.received(self, datagram)
