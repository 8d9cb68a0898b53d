"""Sessions over real sockets, a real serial line, and the simulated network."""

from __future__ import annotations

import errno
import os
import termios
from pathlib import Path
from typing import Any

from serial import SerialException
from twisted.internet import error
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.backoff import Backoff
from astrameter.modbus.links import Link, TcpLink, UdpLink, silence_s
from astrameter.modbus.pdu import HOLDING, ModbusError, ReadRequest
from astrameter.modbus.serialline import SerialLink
from astrameter.modbus.session import ModbusSession
from astrameter.modbus.wires import DatagramWire
from simulator.world import World
from tests.astrameter.modbus.rig import (
    Asked,
    Script,
    SerialDevice,
    Talker,
    TcpDevice,
    UdpDevice,
    close,
    half_and_reset,
    raw,
    reactor,
    refuse,
    registers,
    say_nothing,
    until,
)

ONE = ReadRequest(HOLDING, 0, 1)
TWO = ReadRequest(HOLDING, 10, 2)

NOT_MODBUS = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class LinkTestCase(TestCase):
    timeout = 240

    def session(self, link: Link) -> ModbusSession:
        session = ModbusSession(reactor, link, Backoff(0.02, 0.1))
        session.acquire()
        self.addCleanup(self.end, session)
        return session

    def end(self, session: ModbusSession) -> Deferred[None] | None:
        return session.release() if session._users else None

    async def kind_of(self, reading: Deferred[Any]) -> str:
        return (await self.error_of(reading)).kind

    async def error_of(self, reading: Deferred[Any]) -> ModbusError:
        try:
            found = await reading
        except ModbusError as problem:
            return problem
        raise AssertionError(f"no failure but {found}")

    async def recovery(self, session: ModbusSession) -> tuple[int, ...]:
        """Read until it works; the test's timeout bounds it."""
        while True:
            try:
                return await session.read(1, ONE, 1.0)
            except ModbusError:
                await deferLater(reactor, 0.01)


class Tcp(LinkTestCase):
    def link(self, device: TcpDevice) -> TcpLink:
        return TcpLink("127.0.0.1", device.port, rtu=device.request_bytes == 8)

    async def test_reads_share_one_connection(self) -> None:
        device = TcpDevice(self, registers(1, 2))
        session = self.session(self.link(device))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))
        self.assertEqual(await session.read(7, TWO, 5.0), (1, 2))
        self.assertEqual(device.connections, 1)
        self.assertEqual([(a.transaction, a.unit) for a in device.received], [(1, 1), (2, 7)])

    async def test_serial_frames_through_a_gateway(self) -> None:
        device = TcpDevice(self, registers(1, 2), rtu=True)
        session = self.session(self.link(device))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))
        self.assertEqual(await session.read(7, TWO, 5.0), (1, 2))

    async def test_a_host_name(self) -> None:
        device = TcpDevice(self, registers(1))
        session = self.session(TcpLink("localhost", device.port))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))

    async def test_it_recovers_when_the_device_comes_back(self) -> None:
        device = TcpDevice(self, registers(5))
        session = self.session(self.link(device))
        await session.read(1, ONE, 5.0)
        await device.stop()
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertIn("refuses connections", str(problem))
        before = reactor.seconds()
        self.assertEqual(await self.kind_of(session.read(1, ONE, 10.0)), "connect")
        self.assertLess(reactor.seconds() - before, 5.0)
        device.start()
        self.assertEqual(await self.recovery(session), (5,))

    async def test_it_recovers_when_a_connection_breaks(self) -> None:
        for script, kind in ((close, "connect"), (half_and_reset, "connect")):
            device = TcpDevice(self, script, registers(5))
            session = self.session(self.link(device))
            self.assertEqual(await self.kind_of(session.read(1, ONE, 5.0)), kind)
            self.assertEqual(await self.recovery(session), (5,))
            self.assertEqual(device.connections, 2)

    async def test_it_recovers_from_whatever_a_device_sends(self) -> None:
        def answer_with(**false: int) -> Script:
            return raw(lambda asked: asked.answer([9], **false))

        for script, kind in (
            (say_nothing, "timeout"),
            (refuse(2), "modbus_exception"),
            (answer_with(unit=9), "timeout"),
            (answer_with(transaction=999), "timeout"),
            (raw(lambda asked: asked.answer([9])[:-1]), "timeout"),
            (raw(lambda asked: NOT_MODBUS), "undecodable"),
            (raw(lambda asked: asked.raw[:4] + b"\xff\xff" + asked.raw[6:]), "undecodable"),
            (raw(lambda asked: asked.framed(b"\3\0")), "too_short"),
            (raw(lambda asked: asked.framed(b"\3" + bytes(252))), "too_short"),
            (raw(lambda asked: asked.framed(b"\3\4\0\1\0\2")), "bad_structure"),
        ):
            device = TcpDevice(self, script, registers(5))
            session = self.session(self.link(device))
            timeout_s = 0.1 if kind == "timeout" else 5.0
            self.assertEqual(await self.kind_of(session.read(1, ONE, timeout_s)), kind)
            self.assertEqual(await self.recovery(session), (5,), kind)

    async def test_two_frames_in_a_chunk(self) -> None:
        device = TcpDevice(self, raw(lambda asked: asked.answer([1]) + asked.answer([2])))
        session = self.session(self.link(device))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))

    async def test_an_answer_byte_by_byte(self) -> None:
        def dribble(talker: Talker, asked: Asked) -> None:
            talker.transport.setTcpNoDelay(True)  # type: ignore[attr-defined]
            for i, byte in enumerate(asked.answer([5])):
                reactor.callLater(0.002 * i, talker.write, bytes([byte]))

        device = TcpDevice(self, dribble)
        session = self.session(self.link(device))
        self.assertEqual(await session.read(1, ONE, 5.0), (5,))

    async def test_stopping_closes_the_connection(self) -> None:
        device = TcpDevice(self, say_nothing)
        session = self.session(self.link(device))
        reading = session.read(1, ONE, 5.0)
        await until(lambda: device.received)
        await session.release()
        self.assertEqual(await self.kind_of(reading), "no_data")
        await until(lambda: not device.open)


class Udp(LinkTestCase):
    async def test_reads(self) -> None:
        device = UdpDevice(self, registers(1, 2))
        session = self.session(UdpLink("127.0.0.1", device.port))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))
        self.assertEqual(await session.read(7, TWO, 5.0), (1, 2))
        self.assertEqual([asked.transaction for asked in device.received], [1, 2])

    async def test_it_recovers_when_the_device_comes_back(self) -> None:
        device = UdpDevice(self, registers(5))
        session = self.session(UdpLink("127.0.0.1", device.port))
        await session.read(1, ONE, 5.0)
        await device.stop()
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertIn("refuses datagrams", str(problem))
        device.start()
        self.assertEqual(await self.recovery(session), (5,))

    async def test_it_recovers_from_whatever_a_device_sends(self) -> None:
        for make in (
            lambda asked: asked.answer([9])[:-1],
            lambda asked: NOT_MODBUS,
            lambda asked: asked.answer([9], transaction=999),
            lambda asked: bytes(8000),
        ):
            device = UdpDevice(self, raw(make), registers(5))
            session = self.session(UdpLink("127.0.0.1", device.port))
            self.assertEqual(await self.kind_of(session.read(1, ONE, 0.1)), "timeout")
            self.assertEqual(await session.read(1, ONE, 5.0), (5,))

    async def test_a_name_that_nobody_knows(self) -> None:
        class Resolving(MemoryReactorClock):
            def resolve(self, name: str) -> Deferred[str]:
                raise error.DNSLookupError(name)

        session = ModbusSession(Resolving(), UdpLink("meter", 502), Backoff(0.02, 0.1))
        session.acquire()
        expected = "meter:502 (UDP) cannot be reached: the name is not known here"
        self.assertEqual(str(await self.error_of(session.read(1, ONE, 5.0))), expected)
        await session.release()

    async def test_nobody_there_is_told_at_once(self) -> None:
        device = UdpDevice(self, registers(5))
        await device.stop()
        session = self.session(UdpLink("127.0.0.1", device.port))
        before = reactor.seconds()
        self.assertEqual(await self.kind_of(session.read(1, ONE, 10.0)), "connect")
        self.assertLess(reactor.seconds() - before, 5.0)

    def test_a_refused_datagram_is_told_by_other_reactors(self) -> None:
        told: list[str] = []

        class Note:
            def lost(self, _wire: object, why: str) -> None:
                told.append(why)

        DatagramWire(Note()).connectionRefused()  # type: ignore[arg-type]
        self.assertEqual(told, ["refuses datagrams; is Modbus over UDP switched on there?"])

    async def test_an_unreachable_network(self) -> None:
        device = UdpDevice(self, registers(5))
        session = self.session(UdpLink("127.0.0.1", device.port))
        await session.read(1, ONE, 5.0)

        def unreachable(_data: bytes) -> None:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

        transport: Any = session._wire.transport  # type: ignore[union-attr]
        self.patch(transport, "write", unreachable)
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertTrue(str(problem).endswith("cannot be reached: Network is unreachable"))
        self.assertEqual(await self.recovery(session), (5,))

    async def test_an_ipv6_address(self) -> None:
        opened: list[Any] = []

        class Listening(MemoryReactorClock):
            def listenUDP(self, port: int, protocol: Any, interface: str = "") -> None:
                opened.append((port, interface))
                protocol.transport = self

            def connect(self, *address: object) -> None:
                opened.append(address)

            def stopListening(self) -> Deferred[None]:
                return succeed(None)

        session = ModbusSession(Listening(), UdpLink("::1", 502), Backoff(0.02, 0.1))
        session.acquire()
        self.assertEqual(opened, [(0, "::"), ("::1", 502)])
        self.assertEqual(session.link.shown, "[::1]:502 (UDP)")
        await session.release()


class Serial(LinkTestCase):
    def new_path(self) -> Path:
        return Path(self.mktemp()).absolute()

    async def test_reads(self) -> None:
        device = SerialDevice(self, registers(1, 2))
        session = self.session(SerialLink(device.path))
        self.assertEqual(await session.read(1, ONE, 5.0), (1,))
        self.assertEqual(await session.read(7, TWO, 5.0), (1, 2))
        self.assertEqual([asked.unit for asked in device.received], [1, 7])

    async def test_the_line_is_set_as_told(self) -> None:
        device = SerialDevice(self, registers(1))
        # A pseudo terminal knows speed and stop bits, but takes no parity.
        session = self.session(SerialLink(device.path, 19200, "N", 2))
        await session.read(1, ONE, 5.0)
        _, _, control, _, _, speed, _ = termios.tcgetattr(device._slave)
        self.assertEqual(speed, termios.B19200)
        self.assertEqual(control & termios.CSTOPB, termios.CSTOPB)
        self.assertEqual(control & termios.CSIZE, termios.CS8)

    async def test_it_recovers_from_whatever_arrives(self) -> None:
        def noise(asked: Asked) -> bytes:
            return b"\xff\0\1\3" + asked.answer([5]) + b"\xff"

        def wrong(asked: Asked) -> bytes:
            return asked.answer([5])[:-1] + b"\0"

        device = SerialDevice(self, raw(noise), refuse(2), say_nothing, raw(wrong), registers(5))
        session = self.session(SerialLink(device.path))
        self.assertEqual(await session.read(1, ONE, 5.0), (5,))
        self.assertEqual(await self.kind_of(session.read(1, ONE, 5.0)), "modbus_exception")
        self.assertEqual(await self.kind_of(session.read(1, ONE, 0.1)), "timeout")
        self.assertEqual(await self.kind_of(session.read(2, ONE, 0.1)), "timeout")
        self.assertEqual(await self.recovery(session), (5,))

    async def test_it_recovers_when_the_adapter_is_plugged_in_again(self) -> None:
        device = SerialDevice(self, registers(5))
        path = self.new_path()
        path.symlink_to(device.path)
        session = self.session(SerialLink(str(path)))
        await session.read(1, ONE, 5.0)
        path.unlink()
        device.unplug()
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertIn("does not exist; is the adapter plugged in?", str(problem))
        path.symlink_to(SerialDevice(self, registers(6)).path)
        self.assertEqual(await self.recovery(session), (6,))

    async def test_an_adapter_pulled_during_a_read(self) -> None:
        device = SerialDevice(self, close)
        session = self.session(SerialLink(device.path))
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertIn("has gone; was the adapter pulled?", str(problem))

    async def test_two_masters_are_kept_from_one_line(self) -> None:
        device = SerialDevice(self, registers(5))
        first = self.session(SerialLink(device.path))
        await first.read(1, ONE, 5.0)
        second = self.session(SerialLink(device.path, 19200))
        problem = await self.error_of(second.read(1, ONE, 5.0))
        self.assertEqual(problem.kind, "connect")
        self.assertIn("is in use by another program, or by a section with", str(problem))
        await first.release()
        self.assertEqual(await self.recovery(second), (5,))

    async def test_what_is_no_serial_line(self) -> None:
        path = self.new_path()
        session = self.session(SerialLink(str(path)))
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertEqual(str(problem), f"{path} does not exist; is the adapter plugged in?")
        path.write_bytes(b"")
        session = self.session(SerialLink(str(path)))
        problem = await self.error_of(session.read(1, ONE, 5.0))
        self.assertIn("cannot be used as a serial line: ", str(problem))

    async def test_who_gets_an_answer_may_close_the_line(self) -> None:
        device = SerialDevice(self, registers(5))
        session = self.session(SerialLink(device.path))
        await session.read(1, ONE, 5.0).addCallback(lambda _: session.release())
        await deferLater(reactor, 0.01)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_it_may_be_closed_while_something_is_to_be_written(self) -> None:
        """The reactor then goes on to write, to a line that is no more."""
        closed: list[Deferred[None]] = []

        class Closing:
            def received(self, wire: Any, _data: bytes) -> None:
                closed.append(wire.close())

        device = SerialDevice(self, say_nothing)
        wire = await SerialLink(device.path).open(reactor, Closing())  # type: ignore[arg-type]
        os.write(device.fileno(), b"x")
        wire.send(b"y")
        await until(lambda: closed)
        await closed[0]
        self.assertEqual(self.flushLoggedErrors(), [])


class Explanations(SynchronousTestCase):
    def test_a_network_that_does_not_answer(self) -> None:
        link = TcpLink("h", 502)
        for problem, text in (
            (error.ConnectionRefusedError(), "refuses connections; is Modbus switched on there"),
            (error.TimeoutError(), "cannot be reached: no answer within 3 s"),
            (error.TCPTimedOutError(), "cannot be reached: no answer within 3 s"),
            (error.DNSLookupError(), "cannot be reached: the name is not known here"),
            (error.NoRouteError("x"), "cannot be reached: No route to host: x"),
            (ValueError(), "cannot be reached: ValueError()"),
        ):
            found = link.why(Failure(problem))
            self.assertTrue(found.startswith(text), found)

    def test_a_serial_line_that_cannot_be_opened(self) -> None:
        link = SerialLink("/dev/ttyUSB0")
        for problem, text in (
            (SerialException(errno.ENOENT, "x"), "does not exist"),
            (SerialException(errno.EACCES, "x"), "may not be opened by this user"),
            (SerialException(errno.EBUSY, "x"), "is in use by another program"),
            (SerialException("odd"), "cannot be used as a serial line: odd"),
            (termios.error(5, "I/O"), "cannot be used as a serial line: "),
            (AttributeError("addReader"), "cannot be opened: AttributeError('addReader')"),
        ):
            found = link.why(Failure(problem))
            self.assertTrue(found.startswith(text), found)

    def test_the_silence_between_frames(self) -> None:
        """MBSL section 2.5.1.1."""
        self.assertAlmostEqual(silence_s(9600), 0.0040104, 6)
        self.assertEqual(silence_s(115200), 0.00175)
        self.assertEqual(TcpLink("h", 502).silence_s, 0.0)
        self.assertEqual(TcpLink("h", 502, rtu=True).silence_s, SerialLink("x").silence_s)

    def test_where_a_connection_goes(self) -> None:
        for host in ("192.168.1.5", "my_meter", "::1"):
            memory = MemoryReactorClock()
            link = TcpLink(host, 1502)
            opening = link.open(memory, None)  # type: ignore[arg-type]
            self.assertEqual(memory.tcpClients[0][:2], (host, 1502))
            memory.advance(3.0)
            why = link.why(self.failureResultOf(opening))
            self.assertEqual(why, "cannot be reached: no answer within 3 s")
        self.assertEqual(TcpLink("::1", 502).shown, "[::1]:502")


class Simulated(SynchronousTestCase):
    """In the simulator's network, where a cable can be pulled."""

    def setUp(self) -> None:
        self.world = World()
        self.near, self.far = self.world.host("192.168.1.10"), self.world.host("192.168.1.20")
        self.device = TcpDevice(None, registers(5))
        self.far.listenTCP(502, self.device.factory)
        backoff = Backoff(0.5, 30.0, self.world.random("modbus"))
        self.session = ModbusSession(self.near, TcpLink("192.168.1.20", 502), backoff)
        self.session.acquire()

    def read(self) -> str | tuple[int, ...]:
        try:
            return self.world.wait(self.session.read(1, ONE, 1.0))
        except ModbusError as problem:
            return problem.kind

    def test_a_pulled_cable(self) -> None:
        """Nobody hears of it; it costs a few reads their patience, and then none."""
        self.assertEqual(self.read(), (5,))
        self.far.down()
        kinds = [self.read() for _ in range(6)]
        self.assertEqual(kinds, ["timeout"] * 3 + ["connect"] * 3)
        before = self.world.seconds()
        self.assertEqual([self.read() for _ in range(5)], ["connect"] * 5)
        self.assertEqual(self.world.seconds(), before)
        self.world.advance(300.0)
        self.far.up()
        self.world.advance(33.0)
        self.assertEqual(self.read(), (5,))

    def test_a_restarted_device(self) -> None:
        self.assertEqual(self.read(), (5,))
        self.far.crash()
        self.assertEqual(self.read(), "connect")
        self.far.boot()
        self.far.listenTCP(502, self.device.factory)
        self.world.advance(2.0)
        self.assertEqual(self.read(), (5,))

    def test_nothing_is_left_when_it_ends(self) -> None:
        self.read()
        self.world.wait(self.session.release())
        self.world.advance(1.0)
        self.assertEqual(self.near.getDelayedCalls(), [])
        self.assertEqual(self.near.connections, [])
