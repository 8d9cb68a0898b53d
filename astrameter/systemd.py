"""Tells systemd how the daemon is doing, in the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_STATUS_LIMIT = 500


class Notifier:
    """Sends notifications to the service manager; without one, does nothing.

    Never blocks and never raises: a manager that cannot be reached is mentioned once.
    """

    _log = Logger()

    def __init__(self, address: str) -> None:
        """``address`` as in ``$NOTIFY_SOCKET``: a path, ``@abstract``, or empty for nobody."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._unreachable = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Notifier:
        """The manager that started this process, if there is one."""
        address = environ.get("NOTIFY_SOCKET", "")
        return cls(address if address.startswith(("/", "@")) else "")

    def ready(self) -> None:
        """Start-up or re-reading the configuration is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being re-read; :meth:`ready` has to follow."""
        # systemd compares this with CLOCK_MONOTONIC, which is what Python reads here.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Shutdown has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send("STATUS=" + " ".join(text.split())[:_STATUS_LIMIT])

    def watchdog(self) -> None:
        """Still alive."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode("utf-8", "replace"), self._address)
        except (OSError, ValueError) as error:
            if not self._unreachable:
                self._log.warn("the service manager cannot be told: {error}", error=error)
            self._unreachable = True
        else:
            self._unreachable = False


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two pings, half of what the manager allows; None when it wants none.

    ``$WATCHDOG_USEC`` is meant for the process ``$WATCHDOG_PID``, if that is set
    (sd_watchdog_enabled(3)).
    """
    wanted = environ.get("WATCHDOG_USEC", "")
    if not (wanted.isascii() and wanted.isdigit()) or int(wanted) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(wanted) / 1e6 / 2


class WatchdogService(Service):
    """Pings the manager's watchdog for as long as the daemon really is alive.

    When ``alive`` says no, the pings stop, and the manager restarts the daemon unless they
    come back in time.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        notifier: Notifier,
        environ: Mapping[str, str],
        alive: Callable[[], bool],
        pid: int | None = None,
    ) -> None:
        self._clock = clock
        self._notifier = notifier
        self._interval_s = watchdog_interval_s(environ, os.getpid() if pid is None else pid)
        self._alive = alive
        self._was_alive = True
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Ping at once and then regularly, if the manager has a watchdog."""
        Service.startService(self)
        if self._interval_s is not None and self._call is None:
            self._ping(self._interval_s)

    def stopService(self) -> None:
        """No more pings."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        Service.stopService(self)

    def _ping(self, interval_s: float) -> None:
        self._call = self._clock.callLater(interval_s, self._ping, interval_s)
        alive = self._is_alive()
        if alive:
            self._notifier.watchdog()
        elif self._was_alive:
            self._log.error("the daemon does not work: the service manager may restart it")
        self._was_alive = alive

    def _is_alive(self) -> bool:
        try:
            return self._alive()
        except Exception:  # noqa: BLE001  a check that breaks has not found us alive
            if self._was_alive:
                self._log.failure("the check of the daemon's health failed")
            return False
