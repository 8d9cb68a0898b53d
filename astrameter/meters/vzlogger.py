"""Channels of vzlogger, from its local web server (meters.md section 9).

What differs from AstraMeter 2.x: fractions of a watt count; without PORT or UUID, or with an
empty entry among the UUIDs, the file is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred

from astrameter.meters.http import Answer, HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import lone_host, phase_list, reading_of
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url
from astrameter.options import Section, option, port


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[VZLOGGER]``."""

    ip: str = option(
        lone_host(),
        required=True,
        help="Address of the computer that vzlogger runs on.",
        example="192.168.1.20",
    )
    port: int = option(
        port(), required=True, help="TCP port of vzlogger's web server.", example="8080"
    )
    uuid: tuple[str, ...] = option(
        phase_list(),
        default=(),
        required=True,
        help="UUID of the channel with the power in watts, import positive; several, "
        "comma-separated, one a phase.",
        example="a1b2c3d4-0000-11ee-8000-0123456789ab",
    )


def _check(options: Options) -> Iterable[tuple[str, str]]:
    if not all(options.uuid):
        yield "UUID", "one of the UUIDs between the commas is empty"


def urls_of(options: Options) -> tuple[Url, ...]:
    """Where the channels are, in the order of the phases."""
    address = f"{options.ip}:{options.port}"
    return tuple(device_url(address, f"/{quote(uuid, safe='')}") for uuid in options.uuid)


def parse(document: object) -> tuple[float, ...]:
    """The latest value of one channel; vzlogger lists the newest first."""
    return (number_at(document, "data", 0, "tuples", 0, 1),)


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(reactor)
    requests = [prepare(url) for url in urls_of(options)]

    async def fetch() -> Sequence[float]:
        sent = [client.send(request) for request in requests]
        try:
            return [watts for one in sent for watts in reading_of(await one, parse)]
        finally:
            _drop(sent)

    return PolledMeter(section, reactor, fetch, client.close)


def _drop(sent: Iterable[Deferred[Answer]]) -> None:
    """Nobody waits for these any more: one of them failed, or the meter stops."""
    for one in sent:
        one.addErrback(lambda _: None)
        one.cancel()


KIND = MeterKind(
    Section(
        "VZLOGGER",
        Options,
        help="Channels of vzlogger (volkszaehler.org), from its local web server.",
        many=True,
        example={"IP": "192.168.1.20", "PORT": "8080"},
        check=_check,
    ),
    build,
)
