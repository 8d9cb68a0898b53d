"""A serial line of this computer that is only listened to."""

from __future__ import annotations

import errno
import termios
from collections.abc import Callable
from typing import Any

import serial
from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.serialport import SerialPort
from twisted.python.failure import Failure


class SerialLineError(Exception):
    """A line cannot be opened; the text completes a sentence that begins with its path."""


class ListeningLine(Protocol):
    """An open line, eight bits without parity, that nothing is sent to.

    :ivar gone: fires when the line has ended, by :meth:`close` or without our doing.
    """

    transport: Any

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self.gone: Deferred[None] = Deferred()
        self._received = received
        self._is_open = True

    def close(self) -> None:
        """End it now, if it has not ended."""
        if self._is_open:
            # A serial port knows no abort, and would wait for what is unsent.
            self.transport.connectionLost(Failure(error.ConnectionAborted()))

    def dataReceived(self, data: bytes) -> None:
        if self._is_open:
            self._received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_open = False
        if not self.gone.called:  # a serial port may say it twice
            self.gone.callback(None)


def listen(
    reactor: Any, path: str, received: Callable[[bytes], None], baudrate: int = 9600
) -> ListeningLine:
    """Open a line; what arrives is passed on as it comes.

    :raises SerialLineError: it cannot be opened.
    """
    if not IReactorFDSet.providedBy(reactor):
        raise SerialLineError("cannot be opened: this world has no serial lines")
    line = ListeningLine(received)
    port: Any = _Port
    try:
        port(line, path, reactor, baudrate=baudrate)
    except (OSError, ValueError, termios.error) as problem:
        raise SerialLineError(_why(problem)) from problem
    return line


def _why(problem: Exception) -> str:
    number = getattr(problem, "errno", None)
    if number == errno.ENOENT:
        return "does not exist; is the adapter plugged in?"
    if number in (errno.EACCES, errno.EPERM):
        return "may not be opened by this user; the group dialout usually may"
    if number in (errno.EAGAIN, errno.EBUSY):
        return "is in use by another program"
    return f"cannot be used as a serial line: {problem}"


class _Exclusive(serial.Serial):
    # Of two who read one line, each gets half of what arrives.
    def __init__(self, port: str, **keywords: Any) -> None:
        super().__init__(port, exclusive=True, **keywords)


class _Port(SerialPort):
    _serialFactory: Any = _Exclusive
