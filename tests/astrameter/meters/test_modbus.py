"""``[MODBUS]``: options, readings, and what its owner is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

import astrameter
from astrameter.config import Settings, load_text
from astrameter.meters.interface import IMeter
from astrameter.meters.modbus import ModbusMeter, link_of
from astrameter.modbus.links import TcpLink, UdpLink
from astrameter.modbus.serialline import SerialLink
from astrameter.reading import MeterError
from tests.astrameter.meters.http_rig import problems_of
from tests.astrameter.modbus.rig import (
    Script,
    SerialDevice,
    TcpDevice,
    UdpDevice,
    close,
    reactor,
    refuse,
    registers,
    say_nothing,
)
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "modbus"]

REQUESTS = {
    # COUNT is taken from the type; the predecessor asked for one register and failed.
    "MM09": ["000100000006010300000002"],
}


def configured(*lines: str) -> Settings:
    return load_text("\n".join(["[MODBUS]", *lines]), "config.ini")


def meter_of(*lines: str, world: Any = reactor) -> ModbusMeter:
    [one] = configured(*lines).meters
    meter: ModbusMeter = one.kind.build(world, one.section, one.options)
    return meter


class MeterTestCase(TestCase):
    timeout = 240

    def started(self, *lines: str) -> ModbusMeter:
        if not any(line.startswith("TIMEOUT") for line in lines):
            lines = (*lines, "TIMEOUT = 10")  # for a busy computer
        meter = meter_of(*lines)
        meter.startService()
        self.addCleanup(lambda: meter.stopService() if meter.running else None)
        return meter

    def at(self, device: TcpDevice | UdpDevice, *lines: str) -> ModbusMeter:
        return self.started("HOST = 127.0.0.1", f"PORT = {device.port}", *lines)

    async def error_of(self, reading: Deferred[Any]) -> MeterError:
        try:
            found = await reading
        except MeterError as error:
            return error
        raise AssertionError(f"no failure but {found}")

    async def recovery(self, meter: ModbusMeter) -> tuple[float, ...]:
        while True:
            try:
                return (await meter.read()).watts
            except MeterError:
                await deferLater(reactor, 0.01)


class VectorTests(MeterTestCase):
    @each(CASES)
    async def vector(self, case: dict[str, Any]) -> None:
        script: Script = registers(*case.get("registers", ()))
        if "exception_code" in case:
            script = refuse(case["exception_code"])
        device = TcpDevice(self, script)
        places = {"host": "127.0.0.1", "port": device.port}
        config = {key: value.format_map(places) for key, value in case["config"].items()}
        meter = self.started(*(f"{key} = {value}" for key, value in config.items()))
        # Starting never fails; what the predecessor failed with is what reads fail with.
        steps = case.get("steps", [{"expect": case.get("expect_start_error")}])
        for step in steps:
            expected = step["expect"]
            if "error" in expected:
                self.assertEqual((await self.error_of(meter.read())).kind, expected["error"])
            else:
                self.assertEqual(list((await meter.read()).watts), expected["watts"])
        requests = REQUESTS.get(case["id"], case.get("request_hex", []))
        self.assertEqual([asked.raw.hex() for asked in device.received], requests)

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MM{i:02}" for i in range(1, 13)])


class OptionTests(SynchronousTestCase):
    def options(self, *lines: str) -> Any:
        [meter] = configured(*lines).meters
        return meter.options

    def problems(self, *lines: str) -> list[str]:
        return problems_of("MODBUS", *lines)

    def test_defaults_are_the_predecessors(self) -> None:
        options = self.options("HOST = meter")
        self.assertEqual(link_of(options), TcpLink("meter", 502))
        self.assertEqual((options.unit_id, options.address, options.registers), (1, (0,), 1))
        orders = (options.byte_order, options.word_order)
        self.assertEqual((options.data_type, *orders), ("UINT16", "BIG", "BIG"))
        self.assertEqual((options.register_type, options.timeout), ("HOLDING", 1.0))

    def test_words_may_be_written_in_any_case(self) -> None:
        options = self.options(
            "HOST = meter",
            "TRANSPORT = udp",
            "DATA_TYPE = float64",
            "BYTE_ORDER = little",
            "WORD_ORDER = Little",
            "REGISTER_TYPE = input",
        )
        orders = (options.byte_order, options.word_order)
        self.assertEqual((options.data_type, *orders), ("FLOAT64", "LITTLE", "LITTLE"))
        self.assertEqual((options.transport, options.register_type), ("UDP", "INPUT"))

    def test_the_ways_to_a_device(self) -> None:
        for lines, link in (
            (("HOST = [::1]", "PORT = 1502"), TcpLink("::1", 1502)),
            (("HOST = ::1",), TcpLink("::1", 502)),
            (("HOST = h", "TRANSPORT = UDP"), UdpLink("h", 502)),
            (("HOST = h", "TRANSPORT = RTU_OVER_TCP"), TcpLink("h", 502, rtu=True)),
            (("TRANSPORT = RTU", "SERIAL = /dev/ttyS0"), SerialLink("/dev/ttyS0", 9600, "N", 1)),
            (
                (
                    "TRANSPORT = rtu",
                    "SERIAL = /dev/ttyS0",
                    "BAUDRATE = 19200",
                    "PARITY = even",
                    "STOPBITS = 2",
                ),
                SerialLink("/dev/ttyS0", 19200, "E", 2),
            ),
        ):
            self.assertEqual(link_of(self.options(*lines)), link)

    def test_parity_may_be_a_letter_or_a_word(self) -> None:
        for text in ("O", "o", "ODD", "Odd"):
            self.assertEqual(self.options("HOST = h", f"PARITY = {text}").parity, "O")

    def test_addresses(self) -> None:
        for text, addresses in (
            ("40071", (40071,)),
            ("0x34", (52,)),
            ("12, 14,0X10", (12, 14, 16)),
            ("0 # the first", (0,)),
        ):
            self.assertEqual(self.options("HOST = h", f"ADDRESS = {text}").address, addresses)
        for text in ("-1", "65536", "1.5", "x10", "1, 2, 3, 4", ",", "1 2", "0xFFFFF"):
            [problem] = self.problems("HOST = h", f"ADDRESS = {text}")
            self.assertTrue(problem.startswith("ADDRESS: an address is 0..65535, also"), problem)

    def test_addresses_round_trip(self) -> None:
        settings = configured("HOST = h", "ADDRESS = 0x0C, 14").sections[-1].settings
        [setting] = [one for one in settings if one.option.key == "ADDRESS"]
        self.assertEqual(setting.text, "12, 14")

    def test_count_follows_from_the_type(self) -> None:
        for name, count in (("INT16", 1), ("UINT32", 2), ("FLOAT32", 2), ("INT64", 4)):
            self.assertEqual(self.options("HOST = h", f"DATA_TYPE = {name}").registers, count)
        self.assertEqual(self.options("HOST = h", "COUNT = 3").registers, 3)

    def test_too_small_a_count_is_refused(self) -> None:
        self.assertEqual(
            self.problems("HOST = h", "DATA_TYPE = INT32", "COUNT = 1"),
            ["COUNT: INT32 takes 2 registers; remove this line, or write COUNT = 2"],
        )

    def test_registers_beyond_the_last_are_refused(self) -> None:
        self.options("HOST = h", "DATA_TYPE = INT32", "ADDRESS = 65534")
        self.assertEqual(
            self.problems("HOST = h", "DATA_TYPE = INT32", "ADDRESS = 1, 65535"),
            ["ADDRESS: the last register would be 65536; the highest is 65535"],
        )

    def test_an_order_without_a_value_is_the_usual_one(self) -> None:
        options = self.options("HOST = h", "BYTE_ORDER =", "WORD_ORDER = # LITTLE")
        self.assertEqual((options.byte_order, options.word_order), ("BIG", "BIG"))

    def test_unknown_words_are_refused_with_those_that_are_known(self) -> None:
        for key, words in (
            ("BYTE_ORDER", "BIG, LITTLE"),
            ("WORD_ORDER", "BIG, LITTLE"),
            ("REGISTER_TYPE", "HOLDING, INPUT"),
            ("TRANSPORT", "TCP, UDP, RTU, RTU_OVER_TCP"),
            ("PARITY", "N, E, O"),
            (
                "DATA_TYPE",
                "UINT16, INT16, UINT32, INT32, UINT64, INT64, FLOAT32, FLOAT64",
            ),
        ):
            problems = self.problems("HOST = h", f"{key} = middle")
            self.assertEqual(problems, [f"{key}: choose one of {words}"])

    def test_a_device_must_be_named(self) -> None:
        self.assertEqual(self.problems(), ["HOST: name the device's host or address here"])
        [problem] = self.problems("SERIAL = /dev/ttyUSB0")
        self.assertTrue(problem.endswith("; or is it a serial line? then write TRANSPORT = RTU"))
        self.assertEqual(
            self.problems("TRANSPORT = RTU", "HOST = h"),
            ["SERIAL: name the serial line, like /dev/ttyUSB0"],
        )

    def test_a_host_is_a_host_alone(self) -> None:
        for text in ("192.168.1.5:502", "http://meter", "tcp://h", "my meter"):
            [problem] = self.problems(f"HOST = {text}")
            self.assertTrue(problem.startswith("HOST: this is a host alone, like"), problem)

    def test_a_serial_line_has_no_unit_0(self) -> None:
        [problem] = self.problems("TRANSPORT = RTU", "SERIAL = /dev/ttyS0", "UNIT_ID = 0")
        self.assertTrue(problem.startswith("UNIT_ID: nobody answers to 0"), problem)
        self.options("HOST = h", "UNIT_ID = 0")


class MeterTests(MeterTestCase):
    def test_it_is_a_meter_that_does_nothing_before_it_starts(self) -> None:
        world = MemoryReactorClock()
        meter = meter_of("HOST = 192.168.1.5", world=world)
        verifyObject(IMeter, meter)
        self.assertEqual((meter.section, meter.online), ("MODBUS", None))
        self.assertEqual((world.tcpClients, world.getDelayedCalls()), ([], []))
        self.successResultOf(meter.stopService())

    async def test_one_address_a_phase(self) -> None:
        device = TcpDevice(self, registers(0, 100), registers(0xFFFF, 0xFF38), registers(0, 7))
        meter = self.at(device, "DATA_TYPE = INT32", "ADDRESS = 12, 0x0E, 16", "UNIT_ID = 3")
        self.assertEqual((await meter.read()).watts, (100.0, -200.0, 7.0))
        self.assertEqual([asked.address for asked in device.received], [12, 14, 16])

    async def test_fifty_simultaneous_reads_are_one_request(self) -> None:
        device = TcpDevice(self, registers(5))
        meter = self.at(device)
        samples = await gatherResults([meter.read() for _ in range(50)])
        self.assertEqual({sample.watts for sample in samples}, {(5.0,)})
        self.assertEqual(len(device.received), 1)

    async def test_sections_of_one_device_share_the_connection(self) -> None:
        device = TcpDevice(self, registers(5))
        first, second = self.at(device, "ADDRESS = 1"), self.at(device, "ADDRESS = 2")
        await gatherResults([first.read(), second.read()])
        self.assertEqual(device.connections, 1)
        await first.stopService()
        await second.read()
        self.assertEqual(device.connections, 1)

    async def test_sections_of_one_serial_line_share_it(self) -> None:
        device = SerialDevice(self, registers(5))
        lines = ("TRANSPORT = RTU", f"SERIAL = {device.path}")
        first, second = self.started(*lines, "UNIT_ID = 1"), self.started(*lines, "UNIT_ID = 2")
        samples = await gatherResults([first.read(), second.read()])
        self.assertEqual([sample.watts for sample in samples], [(5.0,), (5.0,)])
        self.assertEqual([asked.unit for asked in device.received], [1, 2])

    async def test_it_works_by_every_transport(self) -> None:
        gateway, udp = TcpDevice(self, registers(5), rtu=True), UdpDevice(self, registers(6))
        line = SerialDevice(self, registers(7))
        meters = (
            self.at(gateway, "TRANSPORT = RTU_OVER_TCP"),
            self.at(udp, "TRANSPORT = UDP"),
            self.started("TRANSPORT = RTU", f"SERIAL = {line.path}"),
        )
        samples = [await meter.read() for meter in meters]
        self.assertEqual([sample.watts for sample in samples], [(5.0,), (6.0,), (7.0,)])

    async def test_stopping_ends_a_read_under_way_and_closes_the_connection(self) -> None:
        device = TcpDevice(self, say_nothing)
        meter = self.at(device)
        reading = meter.read()
        await meter.stopService()
        self.assertEqual((await self.error_of(reading)).kind, "no_data")
        self.assertEqual((await self.error_of(meter.read())).kind, "no_data")

    async def test_it_may_be_started_again(self) -> None:
        device = TcpDevice(self, registers(5))
        meter = self.at(device)
        await meter.read()
        await meter.stopService()
        meter.startService()
        self.assertEqual((await meter.read()).watts, (5.0,))


class BadInputTests(MeterTestCase):
    """What is wrong is told, and passes; frames are fuzzed with the wire's own tests."""

    async def test_one_phase_that_fails_fails_the_reading(self) -> None:
        device = TcpDevice(self, registers(1), refuse(2), registers(3))
        meter = self.at(device, "ADDRESS = 1, 2, 3")
        error = await self.error_of(meter.read())
        self.assertEqual(error.kind, "modbus_exception")
        self.assertIn("no holding registers at 2", str(error))
        self.assertEqual(len(device.received), 2)

    async def test_what_is_no_power_is_refused(self) -> None:
        device = TcpDevice(self, registers(0x7FC0, 0))
        meter = self.at(device, "DATA_TYPE = FLOAT32")
        self.assertEqual((await self.error_of(meter.read())).kind, "not_numeric")

    async def test_it_recovers_without_a_restart(self) -> None:
        """The predecessor needed one; each of its reads took 12 s until then."""
        device = TcpDevice(self, registers(5))
        meter = self.at(device)
        await meter.read()
        await device.stop()
        before = reactor.seconds()
        for _ in range(20):
            self.assertEqual((await self.error_of(meter.read())).kind, "connect")
        self.assertLess(reactor.seconds() - before, 10.0)
        device.start()
        self.assertEqual(await self.recovery(meter), (5.0,))

    async def test_a_hanging_device_costs_the_timeout(self) -> None:
        device = TcpDevice(self, say_nothing, registers(5))
        meter = self.at(device, "TIMEOUT = 0.2")
        before = reactor.seconds()
        error = await self.error_of(meter.read())
        self.assertLess(reactor.seconds() - before, 5.0)
        self.assertEqual(error.kind, "timeout")
        expected = f"unit 1 at 127.0.0.1:{device.port} did not answer within 0.2 s"
        self.assertEqual(str(error), expected)
        self.assertEqual(await self.recovery(meter), (5.0,))

    async def test_a_device_that_closes_after_each_request_is_told(self) -> None:
        device = TcpDevice(self, close)
        meter = self.at(device)
        expected = f"127.0.0.1:{device.port} closed the connection"
        self.assertEqual(str(await self.error_of(meter.read())), expected)


class ImportTests(SynchronousTestCase):
    def imported_by(self, section: str) -> list[str]:
        program = (
            "import sys\n"
            "from astrameter.meters import discovery\n"
            f"assert discovery.find({section!r}).section.name == {section!r}\n"
            "heavy = ('pymodbus', 'pymodbus.client', 'pymodbus.server', 'serial')\n"
            "print(*(name for name in heavy if name in sys.modules))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(astrameter.__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.split()

    def test_only_who_needs_it_loads_it(self) -> None:
        self.assertEqual(self.imported_by("JSON_HTTP"), [])
        self.assertEqual(self.imported_by("MODBUS"), ["pymodbus"])
