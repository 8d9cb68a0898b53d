"""What an emulated Shelly says about repeated trouble: the first time, then every 30 s."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.reading import MeterError
from astrameter.shelly.rpc import Rejection

LOG_EVERY_S = 30.0
"""What keeps going wrong is logged this often (ct-protocol.md section 13.1)."""


class _Trouble:
    """Counts one kind of trouble, and says when it deserves a line."""

    __slots__ = ("_said_at", "count")

    def __init__(self) -> None:
        self.count = 0
        self._said_at = -math.inf

    def speak(self, now: float) -> bool:
        self.count += 1
        if now - self._said_at < LOG_EVERY_S:
            return False
        self._said_at = now
        return True


class Complaints:
    """Logs the trouble of one emulated meter.

    A battery polls every second or so and anybody may flood the port: a line for each
    occurrence would bury everything else.
    """

    _log = Logger()

    def __init__(self, now: Callable[[], float], port: int) -> None:
        self._now = now
        self._port = port
        self._meters: dict[str, _Trouble] = {}
        self._rejected = _Trouble()
        self._unserved = _Trouble()
        self._overload = _Trouble()
        self._sending = _Trouble()
        self._crowded = _Trouble()

    def meter_failed(self, section: str, failure: Failure) -> None:
        """A poll stays without an answer because the meter could not be read."""
        trouble = self._meters.setdefault(section, _Trouble())
        if not trouble.speak(self._now()):
            return
        if failure.check(MeterError) is not None:
            self._log.warn(
                "meter {section} failed, batteries get no answer ({count} so far): {error}",
                section=section,
                count=trouble.count,
                error=failure.getErrorMessage(),
            )
        else:
            self._log.failure(
                "meter {section} failed unexpectedly, batteries get no answer ({count} so far)",
                failure=failure,
                section=section,
                count=trouble.count,
            )

    def meter_works(self, section: str) -> None:
        """The meter was read; ends what :meth:`meter_failed` began."""
        trouble = self._meters.pop(section, None)
        if trouble is not None:
            self._log.info(
                "meter {section} answers again after {count} failed reads",
                section=section,
                count=trouble.count,
            )

    def rejected(self, ip: str, why: Rejection) -> None:
        """A datagram is not a request that can be answered."""
        if self._rejected.speak(self._now()):
            self._log.info(
                "Shelly port {port}: a datagram of {ip} is not answered: {why} ({count} so far)",
                port=self._port,
                ip=ip,
                why=why.value,
                count=self._rejected.count,
            )

    def not_served(self, ip: str) -> bool:
        """No meter is configured for this battery; returns whether that was logged now."""
        if not self._unserved.speak(self._now()):
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
        if self._overload.speak(self._now()):
            self._log.warn(
                "Shelly port {port}: dropped a request of {ip}, {waiting} wait for a meter",
                port=self._port,
                ip=ip,
                waiting=waiting,
            )

    def cannot_send(self, ip: str, error: OSError) -> None:
        """The operating system refused to send a reply."""
        if self._sending.speak(self._now()):
            self._log.warn(
                "Shelly port {port}: cannot send to {ip}: {error}",
                port=self._port,
                ip=ip,
                error=error,
            )

    def crowded(self) -> bool:
        """A new battery displaced another; returns whether arrivals may be logged now."""
        return self._crowded.speak(self._now())
