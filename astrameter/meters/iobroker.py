"""States of ioBroker, through its simple API adapter (meters.md section 7).

What differs from AstraMeter 2.x: fractions of a watt count; an alias that is missing from the
answer is an error also with POWER_CALCULATE, where 2.x took it for 0 W (MH08); an alias may hold
any character; without PORT or the aliases in use the file is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import json_meter, lone_host
from astrameter.meters.jsonpaths import as_number, value_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url
from astrameter.options import Section, boolean, option, port, text
from astrameter.reading import MeterError


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[IOBROKER]``."""

    ip: str = option(
        lone_host(), required=True, help="Address of ioBroker.", example="192.168.1.20"
    )
    port: int = option(
        port(), required=True, help="TCP port of the simple API adapter.", example="8087"
    )
    current_power_alias: str = option(
        text(),
        default="",
        help="Id of the state with the power in watts, import positive.",
        example="alias.0.power",
    )
    power_calculate: bool = option(
        boolean(), default=False, help="The power is import minus export, each a state."
    )
    power_input_alias: str = option(
        text(),
        default="",
        help="With POWER_CALCULATE: id of the state with the import.",
        example="alias.0.import",
    )
    power_output_alias: str = option(
        text(),
        default="",
        help="With POWER_CALCULATE: id of the state with the export.",
        example="alias.0.export",
    )


def _check(options: Options) -> Iterable[tuple[str, str]]:
    used = {"CURRENT_POWER_ALIAS": options.current_power_alias}
    if options.power_calculate:
        used = {
            "POWER_INPUT_ALIAS": options.power_input_alias,
            "POWER_OUTPUT_ALIAS": options.power_output_alias,
        }
    for key, alias in used.items():
        if not alias:
            yield key, "this key is required: write the id of the state, like alias.0.power"


def url_of(options: Options) -> Url:
    """Where the states in use are."""
    aliases = [options.current_power_alias]
    if options.power_calculate:
        aliases = [options.power_input_alias, options.power_output_alias]
    path = ",".join(quote(alias, safe="") for alias in aliases)
    return device_url(f"{options.ip}:{options.port}", f"/getBulk/{path}")


def parse(document: object, options: Options) -> tuple[float, ...]:
    """The reading in the answer to ``/getBulk``, whose states come in any order."""
    if not options.power_calculate:
        return (_state(document, options.current_power_alias),)
    drawn = _state(document, options.power_input_alias)
    return (drawn - _state(document, options.power_output_alias),)


def _state(document: object, alias: str) -> float:
    if not isinstance(document, list):
        raise MeterError("bad_structure", "the answer is not a list of states")
    for state in document:
        if isinstance(state, dict) and state.get("id") == alias:
            return as_number(value_at(state, "val"), f"the state {alias}")
    raise MeterError("missing_field", f"no state {alias} in the answer: check its id")


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    read = partial(parse, options=options)
    return json_meter(reactor, section, url_of(options), read, any_status=True)


KIND = MeterKind(
    Section(
        "IOBROKER",
        Options,
        help="A state of ioBroker, read through its simple API adapter.",
        many=True,
        example={
            "IP": "192.168.1.20",
            "PORT": "8087",
            "CURRENT_POWER_ALIAS": "alias.0.power",
        },
        check=_check,
    ),
    build,
)
