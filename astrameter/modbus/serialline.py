"""A serial line of this computer."""

from __future__ import annotations

import errno
import termios
from dataclasses import dataclass
from typing import Any

import serial
from twisted.internet import error
from twisted.internet.defer import Deferred, succeed
from twisted.internet.serialport import SerialPort
from twisted.python.failure import Failure

from astrameter.modbus.framing import RtuFraming
from astrameter.modbus.links import silence_s
from astrameter.modbus.wires import Receiver, StreamWire


@dataclass(frozen=True)
class SerialLink:
    """A serial line of this computer, eight bits a character.

    :ivar parity: ``N``, ``E`` or ``O``.
    :ivar stopbits: 1 or 2.
    """

    path: str
    baudrate: int = 9600
    parity: str = "N"
    stopbits: int = 1

    hint = "do BAUDRATE, PARITY and STOPBITS fit, and the wiring?"
    framing = RtuFraming

    @property
    def shown(self) -> str:
        return self.path

    @property
    def silence_s(self) -> float:
        return silence_s(self.baudrate)

    def open(self, reactor: Any, receiver: Receiver) -> Deferred[Any]:
        wire = SerialWire(receiver)
        port: Any = _Port
        port(
            wire,
            self.path,
            reactor,
            baudrate=self.baudrate,
            parity=self.parity,
            stopbits=self.stopbits,
        )
        return succeed(wire)

    def why(self, failure: Failure) -> str:
        problem = failure.value
        number = getattr(problem, "errno", None)
        if number == errno.ENOENT:
            return "does not exist; is the adapter plugged in?"
        if number in (errno.EACCES, errno.EPERM):
            return "may not be opened by this user; the group dialout usually may"
        if number in (errno.EAGAIN, errno.EBUSY):
            return "is in use by another program, or by a section with another BAUDRATE or PARITY"
        if isinstance(problem, (OSError, ValueError, termios.error)):
            return f"cannot be used as a serial line: {failure.getErrorMessage()}"
        return f"cannot be opened: {problem!r}"


class _Exclusive(serial.Serial):
    # Two masters on one line understand neither the devices nor each other.
    def __init__(self, port: str, **keywords: Any) -> None:
        super().__init__(port, exclusive=True, **keywords)


class _Port(SerialPort):
    _serialFactory: Any = _Exclusive

    def writeSomeData(self, data: bytes) -> Any:
        # The reactor goes on to write when a reader has closed the port in the same turn.
        return 0 if self.disconnected else SerialPort.writeSomeData(self, data)


class SerialWire(StreamWire):
    """A serial port."""

    def cut(self) -> None:
        # A serial port knows no abort, and would wait for a device that takes nothing.
        self.transport.connectionLost(Failure(error.ConnectionAborted()))

    def why(self, reason: Failure) -> str:
        return "has gone; was the adapter pulled?"
