"""Modbus devices: in memory for a session, and over real sockets and a real serial line."""

from __future__ import annotations

import os
import tty
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
)
from twisted.internet import reactor as _reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from astrameter.modbus.framing import MbapFraming, RtuFraming, crc16, mbap, rtu

reactor: Any = _reactor


def answer_pdu(registers: list[int], function: int = 3) -> bytes:
    """What a device says, as pymodbus says it."""
    kind = ReadHoldingRegistersResponse if function == 3 else ReadInputRegistersResponse
    return bytes([function]) + kind(registers=registers).encode()


def refusal_pdu(code: int, function: int = 3) -> bytes:
    return bytes([function | 0x80]) + ExceptionResponse(function, code).encode()


# ---------------------------------------------------------------------------------- in memory


class FakeWire:
    """An open link of a test.

    :ivar sent: every frame of the session.
    :ivar closed: the session closed it.
    """

    def __init__(self, receiver: Any) -> None:
        self.receiver = receiver
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, data: bytes) -> None:
        assert not self.closed, "sent on a closed wire"
        self.sent.append(data)

    def close(self) -> Deferred[None]:
        assert not self.closed, "closed twice"
        self.closed = True
        return succeed(None)

    def feed(self, data: bytes) -> None:
        """Bytes arrive."""
        self.receiver.received(self, data)

    def answer(self, registers: list[int], unit: int = 1) -> None:
        """Answer the last request."""
        self.feed(self.framed(answer_pdu(registers), unit))

    def framed(self, pdu: bytes, unit: int = 1) -> bytes:
        """``pdu`` as the answer to the last request."""
        last = self.sent[-1]
        if crc16(last) == 0:
            return rtu(unit, pdu)
        return mbap(unit, int.from_bytes(last[:2], "big"), pdu)

    def hang_up(self, why: str = "closed the connection") -> None:
        self.receiver.lost(self, why)


class FakeLink:
    """A link of a test.

    :ivar wires: every one that was opened; the last is in use.
    :ivar refusal: why it cannot be opened, when set.
    :ivar opening: set by ``hang``: fires when the test wants it.
    """

    shown = "device:502"
    hint = "is that so?"

    def __init__(self, framing: Any = MbapFraming, silence_s: float = 0.0) -> None:
        self.framing = framing
        self.silence_s = silence_s
        self.wires: list[FakeWire] = []
        self.refusal = ""
        self.attempts = 0
        self.opening: Deferred[Any] | None = None

    @property
    def wire(self) -> FakeWire:
        return self.wires[-1]

    def hang(self) -> None:
        """The next attempt to open it waits until ``opening`` fires."""
        self.opening = Deferred()

    def open(self, reactor: Any, receiver: Any) -> Deferred[Any]:
        self.attempts += 1
        if self.refusal:
            raise OSError(self.refusal)
        opened = self.opening or succeed(None)
        return opened.addCallback(lambda _: self._new_wire(receiver))

    def why(self, failure: Failure) -> str:
        return f"cannot be reached: {failure.getErrorMessage()}"

    def _new_wire(self, receiver: Any) -> FakeWire:
        self.wires.append(FakeWire(receiver))
        return self.wire


def serial_link() -> FakeLink:
    """A serial line in memory, at 9600 baud."""
    return FakeLink(RtuFraming, 0.004)


def advance(clock: Clock, seconds: float, step_s: float = 0.05) -> None:
    for _ in range(round(seconds / step_s)):
        clock.advance(step_s)


# ---------------------------------------------------------------------------------- over wires


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    raw: bytes
    unit: int
    transaction: int | None
    function: int
    address: int
    count: int

    def framed(self, pdu: bytes, unit: int | None = None, transaction: int | None = None) -> bytes:
        """The frame of an answer; unit and transaction may be false."""
        unit = self.unit if unit is None else unit
        if self.transaction is None:
            return rtu(unit, pdu)
        return mbap(unit, self.transaction if transaction is None else transaction, pdu)

    def answer(self, registers: list[int], **false: int) -> bytes:
        return self.framed(answer_pdu(registers, self.function), **false)

    def refuse(self, code: int) -> bytes:
        return self.framed(refusal_pdu(code, self.function))


def asked_in(raw: bytes) -> Asked:
    """Read a request; whether it is RTU is told by the checksum."""
    is_rtu = len(raw) == 8 and crc16(raw) == 0
    unit, pdu = (raw[0], raw[1:-2]) if is_rtu else (raw[6], raw[7:])
    transaction = None if is_rtu else int.from_bytes(raw[:2], "big")
    message = ReadHoldingRegistersRequest()
    message.decode(pdu[1:])
    return Asked(raw, unit, transaction, pdu[0], message.address, message.count)


Script = Callable[["Talker", Asked], object]
"""What happens at a request."""


def registers(*values: int) -> Script:
    """Answer with these; the last are left out when fewer were asked for."""
    return lambda talker, asked: talker.write(asked.answer(list(values[: asked.count])))


def refuse(code: int) -> Script:
    return lambda talker, asked: talker.write(asked.refuse(code))


def raw(make: Callable[[Asked], bytes]) -> Script:
    return lambda talker, asked: talker.write(make(asked))


def say_nothing(_talker: Talker, _asked: Asked) -> None:
    """Hang."""


def close(talker: Talker, _asked: Asked) -> None:
    talker.close()


def half_and_reset(talker: Talker, asked: Asked) -> None:
    """Half an answer, then, when that has arrived, the connection breaks."""
    talker.write(asked.answer([1] * asked.count)[:9])
    reactor.callLater(0.02, talker.abort)


class Talker:
    """The device's end of whatever carries the frames."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._buffer = b""

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """Bytes of the appliance; requests have 8 bytes on a serial line, 12 elsewhere."""
        self._buffer += data
        size = self.device.request_bytes
        while len(self._buffer) >= size:
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            asked = asked_in(request)
            self.device.received.append(asked)
            scripts = self.device.scripts
            (scripts.pop(0) if len(scripts) > 1 else scripts[0])(self, asked)


class Device:
    """Answers requests by its scripts, in turn; the last one repeats.

    :ivar received: every request.
    """

    request_bytes = 12

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.received: list[Asked] = []


class _Connection(Protocol, Talker):
    transport: Any
    device: TcpDevice

    def connectionMade(self) -> None:
        self.device.connections += 1
        self.device.open.add(self)

    def dataReceived(self, data: bytes) -> None:
        self.take(data)

    def connectionLost(self, _reason: object = None) -> None:
        self.device.open.discard(self)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()


class TcpDevice(Device):
    """On 127.0.0.1; without a test nowhere, until its factory is made to listen.

    :ivar connections: how many were accepted so far.
    """

    def __init__(self, test: TestCase | None, *scripts: Script, rtu: bool = False) -> None:
        Device.__init__(self, *scripts)
        self.request_bytes = 8 if rtu else 12
        self.connections = 0
        self.open: set[_Connection] = set()
        self.port = 0
        self.factory = Factory.forProtocol(lambda: _Connection(self))
        self.factory.noisy = False
        self._listening: Any = None
        if test is not None:
            self.start()
            test.addCleanup(self.stop)

    def start(self) -> None:
        """Listen, after a :meth:`stop` on the same port."""
        self._listening = reactor.listenTCP(self.port, self.factory, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        """Stop listening and break all connections."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()
        for connection in tuple(self.open):
            connection.abort()
        await until(lambda: not self.open)


class _Datagrams(DatagramProtocol, Talker):
    transport: Any
    _from: Any = None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._from = addr
        self.take(datagram)

    def write(self, data: bytes) -> None:
        self.transport.write(data, self._from)


class UdpDevice(Device):
    """On 127.0.0.1."""

    def __init__(self, test: TestCase, *scripts: Script) -> None:
        Device.__init__(self, *scripts)
        self.port = 0
        self._listening: Any = None
        self.start()
        test.addCleanup(self.stop)

    def start(self) -> None:
        self._listening = reactor.listenUDP(self.port, _Datagrams(self), interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()


class SerialDevice(Device, FileDescriptor, Talker):
    """At the other end of a pseudo terminal.

    :ivar path: the serial line of the appliance.
    """

    request_bytes = 8

    def __init__(self, test: TestCase, *scripts: Script) -> None:
        Device.__init__(self, *scripts)
        FileDescriptor.__init__(self, reactor)
        Talker.__init__(self, self)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.connected = 1
        self.startReading()
        test.addCleanup(self.unplug)

    def fileno(self) -> int:
        return self._master

    def doRead(self) -> None:
        self.take(os.read(self._master, 4096))

    def writeSomeData(self, data: bytes) -> int:
        return os.write(self._master, data)

    def unplug(self) -> None:
        """The adapter is pulled."""
        if self._master >= 0:
            self.connectionLost(Failure(ConnectionDone()))
            os.close(self._slave)
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        self.unplug()

    def abort(self) -> None:
        self.unplug()


async def until(condition: Callable[[], object]) -> None:
    """Wait for it; the test's timeout bounds it."""
    while not condition():
        await deferLater(reactor, 0.002)
