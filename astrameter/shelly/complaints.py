"""What an emulated Shelly says about repeated trouble: the first time, then every 30 s."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.deferreds import Clock
from astrameter.logs import FailureLog, RateLimited
from astrameter.reading import MeterError
from astrameter.shelly.rpc import Rejection


class Complaints:
    """Logs the trouble of one emulated meter.

    A battery polls every second or so and anybody may flood the port: a line for each
    occurrence would bury everything else.
    """

    _log = Logger()

    def __init__(self, clock: Clock, port: int) -> None:
        self._clock = clock
        self._port = port
        self._meters: dict[str, FailureLog] = {}
        self._rejected = RateLimited(clock)
        self._unserved = RateLimited(clock)
        self._overload = RateLimited(clock)
        self._sending = RateLimited(clock)
        self._crowded = RateLimited(clock)

    def meter_failed(self, section: str, failure: Failure) -> None:
        """A poll stays without an answer because the meter could not be read."""
        trouble = self._meters.get(section)
        if trouble is None:
            what = f"[{section}] reading for Shelly polls"
            trouble = self._meters[section] = FailureLog(self._clock, self._log, what)
        if failure.check(MeterError) is None and not trouble.failures:
            self._log.failure("[{section}] failed unexpectedly", failure, section=section)
        trouble.failed(failure.getErrorMessage())

    def meter_works(self, section: str) -> None:
        """The meter was read; ends what :meth:`meter_failed` began."""
        trouble = self._meters.get(section)
        if trouble is not None:
            trouble.recovered()

    def rejected(self, ip: str, why: Rejection) -> None:
        """A datagram is not a request that can be answered."""
        if self._rejected.allow():
            self._log.info(
                "Shelly port {port}: a datagram of {ip} is not answered: {why} ({more} before it)",
                port=self._port,
                ip=ip,
                why=why.value,
                more=self._rejected.suppressed,
            )

    def not_served(self, ip: str) -> bool:
        """No meter is configured for this battery; returns whether that was logged now."""
        if not self._unserved.allow():
            return False
        self._log.warn(
            "battery {ip} at Shelly port {port} gets no answer: add its address to the NETMASK "
            "of a meter",
            ip=ip,
            port=self._port,
        )
        return True

    def overloaded(self, ip: str, waiting: int) -> None:
        """A request was dropped because too many wait for a meter."""
        if self._overload.allow():
            self._log.warn(
                "Shelly port {port}: dropped a request of {ip}, {waiting} wait for a meter",
                port=self._port,
                ip=ip,
                waiting=waiting,
            )

    def cannot_send(self, ip: str, error: OSError) -> None:
        """The operating system refused to send a reply."""
        if self._sending.allow():
            self._log.warn(
                "Shelly port {port}: cannot send to {ip}: {error}",
                port=self._port,
                ip=ip,
                error=error,
            )

    def crowded(self) -> bool:
        """A new battery displaced another; returns whether arrivals may be logged now."""
        return self._crowded.allow()
