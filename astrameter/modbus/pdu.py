"""Messages without their framing: what we ask, and what the answer means.

The one adapter around pymodbus, whose API moves in minor releases. Nothing is imported from its
clients and servers: together with the framers that come along, its PDUs take half a megabyte.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

HOLDING = ReadHoldingRegistersRequest.function_code
INPUT = ReadInputRegistersRequest.function_code

EXCEPTION = 0x80
"""Added to the function code of an answer that is a refusal (MAP section 7)."""

MAX_REGISTERS = 125
"""Registers in one answer (MAP sections 6.3 and 6.4)."""

_REQUESTS: dict[int, type[ModbusPDU]] = {
    HOLDING: ReadHoldingRegistersRequest,
    INPUT: ReadInputRegistersRequest,
}
_ANSWERS: dict[int, type[ModbusPDU]] = {
    HOLDING: ReadHoldingRegistersResponse,
    INPUT: ReadInputRegistersResponse,
}
_NAMES = {HOLDING: "holding", INPUT: "input"}

# MAP section 7.
_REFUSALS = {
    1: "illegal function: it has no {kind} registers",
    2: "illegal data address: it has no {kind} registers at {span}",
    3: "illegal data value: it does not give {count} registers at once",
    4: "device failure",
    5: "acknowledge: it needs longer for this",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable: the gateway does not know this unit",
    11: "gateway target failed to respond: nothing behind the gateway has this unit number",
}


class ModbusError(Exception):
    """Registers could not be read; the text says why, in the owner's words.

    :ivar kind: a short stable word, as that of :class:`astrameter.reading.MeterError`.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Reads ``count`` registers (1..125) from ``address`` (0-based, as on the wire).

    :ivar function: :data:`HOLDING` or :data:`INPUT`.
    :ivar encoded: the message.
    :raises ValueError: when address or count are out of range.
    """

    function: int
    address: int
    count: int
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        request = _REQUESTS[self.function](address=self.address, count=self.count)
        object.__setattr__(self, "encoded", bytes([self.function]) + request.encode())

    def fits(self, pdu: bytes) -> bool:
        """Whether ``pdu`` has the form of an answer to this request, or refuses it.

        On a serial line nothing but the form tells whose answer it is.
        """
        function, body = pdu[0], pdu[1:]
        if function == self.function | EXCEPTION:
            return len(body) == 1
        return function == self.function and body[:1] == bytes([2 * self.count])

    def registers(self, pdu: bytes) -> tuple[int, ...]:
        """The values that ``pdu``, an answer of at least one byte, brings: 0..65535 each.

        :raises ModbusError: ``modbus_exception`` when the device refused, ``too_short`` when it
            sent fewer registers than asked, ``bad_structure`` when it is something else.
        """
        function, body = pdu[0], pdu[1:]
        if function == self.function | EXCEPTION:
            raise ModbusError("modbus_exception", f"the device refused: {self._refusal(body)}")
        if function != self.function:
            raise ModbusError("bad_structure", f"the answer has the wrong function {function}")
        answer = _ANSWERS[function]()
        try:
            answer.decode(body)
        except (ModbusException, ValueError, IndexError) as error:
            raise ModbusError("too_short", "the answer breaks off") from error
        found = len(answer.registers)
        if found < self.count:
            said = f"{found} instead of {self.count} registers"
            raise ModbusError("too_short", f"the device sent {said} at {self.address}")
        if found > self.count or len(body) != 1 + 2 * found:
            raise ModbusError("bad_structure", "the answer is longer than what was asked for")
        return tuple(answer.registers)

    def _refusal(self, body: bytes) -> str:
        answer = ExceptionResponse(self.function)
        if len(body) != 1:
            return "with an exception that cannot be read"
        answer.decode(body)
        last = self.address + self.count - 1
        span = str(last) if self.count == 1 else f"{self.address}..{last}"
        text = _REFUSALS.get(answer.exception_code, "for a reason of its own")
        words = text.format(kind=_NAMES[self.function], span=span, count=self.count)
        return f"exception {answer.exception_code}, {words}"
