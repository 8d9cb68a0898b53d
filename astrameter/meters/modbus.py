"""Any meter that speaks Modbus: TCP, UDP, RTU on a serial line or through a gateway.

meters.md section 12. What differs from AstraMeter 2.x is in docs/differences.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, succeed

from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.modbus.links import Link, TcpLink, UdpLink
from astrameter.modbus.pdu import HOLDING, INPUT, MAX_REGISTERS, ModbusError, ReadRequest
from astrameter.modbus.session import ModbusSession, shared_session
from astrameter.modbus.values import TYPES, registers_of
from astrameter.modbus.values import number as number_in
from astrameter.options import Kind, Section, choice, integer, number, option, optional, port, text
from astrameter.reading import MeterError

_LAST_ADDRESS = 0xFFFF
_PHASES = 3
_ADDRESS = re.compile(r"[0-9]{1,6}\Z|0x[0-9a-f]{1,6}\Z", re.IGNORECASE)
_FUNCTIONS = {"HOLDING": HOLDING, "INPUT": INPUT}
_PARITIES = {"NONE": "N", "EVEN": "E", "ODD": "O"}


def _addresses() -> Kind[tuple[int, ...]]:
    wanted = f"an address is 0..{_LAST_ADDRESS}, also written 0x34; give one, or one for each phase"

    def parse(raw: str) -> tuple[int, ...]:
        items = [item.strip() for item in raw.split(",") if item.strip()]
        if not 1 <= len(items) <= _PHASES or not all(map(_ADDRESS.match, items)):
            raise ValueError(wanted)
        found = tuple(int(item, 16 if "x" in item.lower() else 10) for item in items)
        if max(found) > _LAST_ADDRESS:
            raise ValueError(wanted)
        return found

    def render(value: tuple[int, ...]) -> str:
        return ", ".join(map(str, value))

    return Kind(parse, f"comma-separated list of addresses 0..{_LAST_ADDRESS}", render)


def _order() -> Kind[str]:
    words = choice("BIG", "LITTLE")
    # Without a value it is not set, as in AstraMeter 2.x.
    return replace(words, parse=lambda raw: words.parse(raw or "BIG"))


def _parity() -> Kind[str]:
    words = choice("N", "E", "O")
    return replace(words, parse=lambda raw: words.parse(_PARITIES.get(raw.upper(), raw)))


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[MODBUS]``."""

    transport: str = option(
        choice("TCP", "UDP", "RTU", "RTU_OVER_TCP"),
        default="TCP",
        help="How the device is reached. RTU is a serial line of this computer; RTU_OVER_TCP is "
        "one behind a gateway that passes its bytes on unchanged.",
    )
    host: str = option(
        text(),
        default="",
        help="Host name or address of the device or gateway; not for RTU.",
        example="192.168.1.20",
    )
    port: int = option(port(), default=502, help="Its TCP or UDP port.")
    serial: str = option(
        text(),
        default="",
        help="The serial line, for RTU. A name in /dev/serial/by-id stays the same when adapters "
        "are plugged elsewhere.",
        example="/dev/ttyUSB0",
    )
    baudrate: int = option(
        integer(300, 921_600), default=9600, unit="bit/s", help="Speed of the serial line."
    )
    parity: str = option(_parity(), default="N", help="Parity of the serial line.")
    stopbits: int = option(integer(1, 2), default=1, help="Stop bits of the serial line.")
    unit_id: int = option(
        integer(0, 255), default=1, help="The device's Modbus address (unit or slave number)."
    )
    address: tuple[int, ...] = option(
        _addresses(),
        default=(0,),
        help="First register of the power, as it is sent: many manuals count from 1 or write "
        "40001 for register 0. One address for the total, or one for each phase.",
        example="52",
    )
    count: int | None = option(
        optional(integer(1, MAX_REGISTERS)),
        help="Registers to read at each address; not set: as many as DATA_TYPE takes. More are "
        "for devices that only give whole blocks; the first ones count.",
        example="2",
    )
    data_type: str = option(choice(*TYPES), default="UINT16", help="What the registers hold.")
    byte_order: str = option(
        _order(), default="BIG", help="Which byte of a register comes first; nearly always BIG."
    )
    word_order: str = option(
        _order(), default="BIG", help="Which register of a longer number comes first."
    )
    register_type: str = option(
        choice("HOLDING", "INPUT"),
        default="HOLDING",
        help="Which registers: HOLDING (function 3) or INPUT (function 4).",
    )
    timeout: float = option(
        number(0.1, 10),
        default=1.0,
        unit="s",
        help="How long to wait for an answer. A battery asks about once a second.",
    )

    @property
    def bare_host(self) -> str:
        """The host; an IPv6 address without brackets."""
        return self.host.removeprefix("[").removesuffix("]")

    @property
    def registers(self) -> int:
        """How many registers are read at each address."""
        return registers_of(self.data_type) if self.count is None else self.count


def check(options: Options) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    yield from _check_link(options)
    needed = registers_of(options.data_type)
    if options.registers < needed:
        word = f"{options.data_type} takes {needed} registers"
        yield "COUNT", f"{word}; remove this line, or write COUNT = {needed}"
    last = max(options.address) + options.registers - 1
    if last > _LAST_ADDRESS:
        yield "ADDRESS", f"the last register would be {last}; the highest is {_LAST_ADDRESS}"


def _check_link(options: Options) -> Iterator[tuple[str, str]]:
    host = options.bare_host
    if options.transport == "RTU":
        if not options.serial:
            yield "SERIAL", "name the serial line, like /dev/ttyUSB0"
    elif not host:
        hint = "; or is it a serial line? then write TRANSPORT = RTU" if options.serial else ""
        yield "HOST", f"name the device's host or address here{hint}"
    elif not isIPv6Address(host) and any(c in host for c in ":/ "):
        yield "HOST", "this is a host alone, like 192.168.1.20; its port belongs into PORT"
    if options.unit_id == 0 and options.transport.startswith("RTU"):
        yield "UNIT_ID", "nobody answers to 0 on a serial line; a device has 1..247"


def link_of(options: Options) -> Link:
    """The way to the device that a checked section names."""
    if options.transport == "RTU":
        # pyserial only where there is a serial line: it takes 0.3 MB.
        from astrameter.modbus.serialline import SerialLink  # noqa: PLC0415

        return SerialLink(options.serial, options.baudrate, options.parity, options.stopbits)
    if options.transport == "UDP":
        return UdpLink(options.bare_host, options.port)
    return TcpLink(options.bare_host, options.port, rtu=options.transport == "RTU_OVER_TCP")


class ModbusMeter(PolledMeter):
    """Reads a number at one or several addresses of one device."""

    def __init__(
        self, reactor: Any, section: str, options: Options, session: ModbusSession
    ) -> None:
        """:param session: to the device; others may use it, too."""
        PolledMeter.__init__(self, section, reactor, self._read_all, self._let_go)
        function = _FUNCTIONS[options.register_type]
        self._options = options
        self._session = session
        self._holds_session = False
        self._requests = [
            ReadRequest(function, address, options.registers) for address in options.address
        ]

    def startService(self) -> None:
        Service.startService(self)
        if not self._holds_session:
            self._holds_session = True
            self._session.acquire()

    def _let_go(self) -> Deferred[None]:
        if not self._holds_session:
            return succeed(None)
        self._holds_session = False
        return self._session.release()

    async def _read_all(self) -> Sequence[float]:
        return [await self._read_one(request) for request in self._requests]

    async def _read_one(self, request: ReadRequest) -> float:
        options = self._options
        try:
            registers = await self._session.read(options.unit_id, request, options.timeout)
        except ModbusError as error:
            raise MeterError(error.kind, str(error)) from None
        return number_in(
            registers,
            options.data_type,
            low_word_first=options.word_order == "LITTLE",
            low_byte_first=options.byte_order == "LITTLE",
        )


def build(reactor: Any, section: str, options: Options) -> ModbusMeter:
    """The meter of a checked section. Sections with the same link share it."""
    return ModbusMeter(reactor, section, options, shared_session(reactor, link_of(options)))


KIND = MeterKind(
    Section(
        "MODBUS",
        Options,
        help="A meter or inverter that speaks Modbus. Sections that name the same device or the "
        "same serial line share one connection. Scale with POWER_MULTIPLIER.",
        many=True,
        example={"HOST": "192.168.1.20", "ADDRESS": "52", "DATA_TYPE": "FLOAT32"},
        check=check,
    ),
    build,
)
