"""The power in an SML telegram, for all meters that bring telegrams (meters.md section 20.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from smllib.errors import SmlLibException
from smllib.sml_frame import SmlFrame

from astrameter.meters.options import MeterOptions
from astrameter.meters.sml_telegrams import Telegrams
from astrameter.options import Kind, option
from astrameter.reading import MeterError

_CODE = re.compile(r"[0-9a-f]{12}\Z")
_ENTRY = b"\x77\x07"
"""A list of seven elements that begins with a name of six bytes: an SML_ListEntry."""

_ELEMENTS = 7
_UNIT, _SCALER, _VALUE = 3, 4, 5
_WATT = 27
"""IEC 62056-62 table of units, as SML uses it."""

_MAX_VALUE = 2**63
_MAX_SCALER = 128
"""The scaler is an Integer8."""

_MORE = 0x80
_MAX_LENGTH_BYTES = 4
_MAX_DEPTH = 8
_SHOWN_CHARACTERS = 20


def obis_code() -> Kind[str]:
    """The number of a register as 12 hexadecimal digits; empty when it shall not be used."""

    def parse(raw: str) -> str:
        code = raw.lower()
        if code and not _CODE.match(code):
            raise ValueError("an OBIS code has 12 hexadecimal digits, like 0100100700ff")
        return code

    return Kind(parse, "12 hexadecimal digits or empty")


@dataclass(frozen=True)
class ObisOptions(MeterOptions):
    """Which registers of the telegram are the power; base of the options of SML meters."""

    obis_power_current: str = option(
        obis_code(),
        default="0100100700ff",
        help="The register with the total power, signed. Empty: none.",
    )
    obis_power_l1: str = option(
        obis_code(),
        default="0100240700ff",
        help="The register with the power of phase L1. The phases are used when the telegram "
        "has all three. Empty: use the total only.",
    )
    obis_power_l2: str = option(
        obis_code(), default="0100380700ff", help="The register with the power of phase L2."
    )
    obis_power_l3: str = option(
        obis_code(), default="01004c0700ff", help="The register with the power of phase L3."
    )

    @property
    def obis_phases(self) -> tuple[str, str, str]:
        """The registers of the three phases."""
        return (self.obis_power_l1, self.obis_power_l2, self.obis_power_l3)


def check(options: ObisOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if not options.obis_power_current and not all(options.obis_phases):
        yield "OBIS_POWER_CURRENT", "is empty, so all of OBIS_POWER_L1, _L2 and _L3 are needed"


def watts_in(data: bytes, codes: ObisOptions) -> Sequence[float]:
    """The power in the first intact telegram of ``data``, one entry a phase.

    :raises MeterError: ``undecodable`` when there is none, or as :func:`watts_of`.
    """
    contents = Telegrams().feed(data)
    if not contents:
        raise MeterError("undecodable", "there is no complete SML telegram with a right checksum")
    return watts_of(contents[0], codes)


def watts_of(content: bytes, codes: ObisOptions) -> Sequence[float]:
    """The power in one telegram, one entry a phase; positive is import.

    :param content: what stands between the marks, from :class:`Telegrams`.
    :raises MeterError: ``missing_field`` when the registers are not there, ``wrong_unit``,
        ``not_numeric`` or ``undecodable``.
    """
    phases = [_entry(content, code) for code in codes.obis_phases]
    known = [entry for entry in phases if entry is not None]
    if len(known) == len(phases):
        return [entry.watts for entry in known]
    total = _entry(content, codes.obis_power_current)
    if total is not None:
        return [total.watts]
    raise MeterError(
        "missing_field",
        "the telegram has no power register; does the meter want its PIN before it tells more "
        "than energy, or are other OBIS_POWER_ keys right?",
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a telegram says about a register."""

    code: str
    unit: object
    scaler: object
    value: object

    @property
    def watts(self) -> float:
        """:raises MeterError: ``wrong_unit`` or ``not_numeric``."""
        code, value, scaler = self.code, self.value, self.scaler or 0
        if self.unit != _WATT:
            found = _shown(self.unit)
            raise MeterError("wrong_unit", f"register {code} is not in watts (unit {found})")
        if not _is_whole(value, _MAX_VALUE) or not _is_whole(scaler, _MAX_SCALER):
            found = f"{_shown(value)} with scaler {_shown(scaler)}"
            raise MeterError("not_numeric", f"register {code} has {found}, which is not a power")
        return float(round(value * 10.0**scaler, abs(scaler) + 3)) if scaler else float(value)


def _entry(content: bytes, code: str) -> _Entry | None:
    """The last entry of a register; None when the telegram has none, or none with a value.

    :raises MeterError: ``undecodable``.
    """
    at = content.rfind(_ENTRY + bytes.fromhex(code)) if code else -1
    if at < 0:
        return None
    frame = SmlFrame(content, build_ctx={})
    frame.next_pos = at + 1
    try:
        elements = [_element(frame, 0) for _ in range(_ELEMENTS)]
    except (SmlLibException, ValueError, IndexError) as error:
        raise MeterError("undecodable", f"register {code} is no proper entry ({error})") from None
    if elements[_VALUE] is None:
        return None
    return _Entry(code, elements[_UNIT], elements[_SCALER], elements[_VALUE])


def _element(frame: SmlFrame, depth: int) -> object:
    """The element at the frame's position, which moves behind it."""
    head = frame.bytes[frame.next_pos : frame.next_pos + _MAX_LENGTH_BYTES]
    # smllib would fill the memory with a list as long as it says that it is.
    if head and all(byte & _MORE for byte in head):
        raise ValueError("it is too long")
    value = frame.get_value().value
    if not isinstance(value, list):
        return value
    if depth == _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    for _ in value:
        _element(frame, depth + 1)
    return None


def _is_whole(value: object, limit: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= limit


def _shown(value: object) -> str:
    return repr(value)[:_SHOWN_CHARACTERS]
