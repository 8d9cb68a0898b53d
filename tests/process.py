"""The real daemon in a process of its own, watched from a test on the real reactor."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import DatagramProtocol, ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from astrameter.ct.wire import decode, encode

reactor: Any = _reactor
ROOT = Path(__file__).parent.parent
WAIT_S = 60
ANSWER_S = 30
"""Far longer than any of it takes: on a busy machine everything takes its time."""


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def until(true: Callable[[], Any], what: str = "what was waited for") -> None:
    """Look again and again until something is so."""
    give_up_at = reactor.seconds() + WAIT_S
    while not true():
        if reactor.seconds() > give_up_at:
            raise AssertionError(f"never came: {what}")
        await deferLater(reactor, 0.01)


def hear_interrupts() -> None:
    """Before a child begins: a shell's background job, as these tests may be, is deaf to SIGINT,
    and so are its children. (Those of Twisted are not.)"""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Watched(ProcessProtocol):
    """A child process whose output a test waits for.

    :param terminal: both ends and the name of a pseudo-terminal for it, else it has pipes.
    :ivar status: its exit status once it has ended; a negative signal number when killed.
    """

    def __init__(
        self,
        arguments: list[str],
        environ: dict[str, str] | None = None,
        terminal: tuple[int, int, str] | None = None,
    ) -> None:
        self.output = ""
        self.status: int | None = None
        self._ended: list[Deferred[int]] = []
        self._awaited: list[tuple[re.Pattern[str], int, Deferred[str]]] = []
        given = {**os.environ, "PYTHONPATH": str(ROOT), "LOG_LEVEL": "info", **(environ or {})}
        self.process = reactor.spawnProcess(
            self, arguments[0], arguments, env=given, usePTY=terminal or False
        )

    def line(self, pattern: str, since: int = 0) -> Deferred[str]:
        """Fires with the first output from position ``since`` that matches ``pattern``."""
        waiting: Deferred[str] = Deferred()
        self._awaited.append((re.compile(pattern), since, waiting))
        self._look()
        return waiting.addTimeout(WAIT_S, reactor, self._never(pattern))

    def _never(self, pattern: str) -> Any:
        def failed(_failure: Failure, _seconds: float) -> None:
            raise AssertionError(f"{pattern!r} never appeared in:\n{self.output}")

        return failed

    def ended(self) -> Deferred[int]:
        """Fires with the exit status."""
        done: Deferred[int] = Deferred()
        if self.status is not None:
            done.callback(self.status)
        else:
            self._ended.append(done)
        return done.addTimeout(WAIT_S, reactor)

    def signal(self, name: str) -> None:
        # It may have ended without the news having arrived.
        if self.status is None:
            with suppress(ProcessExitedAlready):
                self.process.signalProcess(name)

    def outReceived(self, data: bytes) -> None:
        self.output += data.decode("utf-8", "replace")
        self._look()

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if reason.check(ProcessDone):
            self.status = 0
        elif reason.check(ProcessTerminated):
            value = reason.value
            self.status = value.exitCode if value.exitCode is not None else -value.signal
        waiting, self._ended = self._ended, []
        for one in waiting:
            one.callback(self.status)

    def _look(self) -> None:
        for entry in list(self._awaited):
            pattern, since, waiting = entry
            found = pattern.search(self.output, since)
            if found:
                self._awaited.remove(entry)
                if not waiting.called:
                    waiting.callback(found.group())


def astrameter(*arguments: str, environ: dict[str, str] | None = None) -> Watched:
    """``astrameter ARGUMENTS`` as a child process."""
    return Watched([sys.executable, "-m", "astrameter", *arguments], environ)


class Battery(DatagramProtocol):
    """A battery that asks when the test says so."""

    noisy = False

    def __init__(self, mac: str = "AABBCCDDEE01") -> None:
        self._mac = mac
        self._waiting: Deferred[list[str]] | None = None

    def ask(
        self, port: int, phase: str = "A", power_w: int = 0, within_s: float = ANSWER_S
    ) -> Deferred[list[str]]:
        """The fields of the answer; times out when there is none."""
        fields = ["VNSE3-0", self._mac, "HME-4", "112233445566", phase, str(power_w)]
        self._waiting = Deferred()
        self.transport.write(encode(fields), ("127.0.0.1", port))
        return self._waiting.addTimeout(within_s, reactor)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(decode(datagram))
