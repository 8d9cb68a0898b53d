"""What the meters have in common that answer one GET with one JSON document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from astrameter.meters.http import Answer, HttpClient, prepare
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, host
from astrameter.options import Kind
from astrameter.reading import MeterError

Parse = Callable[[object], Sequence[float]]
"""A parsed document to watts, one entry a phase; fails with MeterError."""


def json_meter(
    reactor: Any, section: str, url: Url, parse: Parse, *, any_status: bool = False
) -> PolledMeter:
    """A meter whose whole reading is in the document at ``url``.

    :param any_status: take a usable document whatever its HTTP status; see :func:`reading_of`.
    """
    client = HttpClient(reactor)
    request = prepare(url)

    async def fetch() -> Sequence[float]:
        answer = await client.send(request)
        return reading_of(answer, parse) if any_status else parse(answer.checked().json())

    return PolledMeter(section, reactor, fetch, client.close)


def reading_of(answer: Answer, parse: Parse) -> Sequence[float]:
    """The reading in an answer of a device whose HTTP status means little.

    A document with the power in it counts even with status 500 (meters.md section 1.2, MH03).
    Where there is no power in it, a bad status is the better explanation.

    :raises MeterError: ``http_status``, or what ``parse`` says.
    """
    try:
        return parse(answer.json())
    except MeterError:
        answer.checked()
        raise


def lone_host() -> Kind[str]:
    """The kind of an option that names a device whose port is an option of its own."""
    wanted = "this is the device's address alone, like 192.168.1.20; its port belongs to PORT"
    any_host = host()

    def parse(raw: str) -> str:
        name = any_host.parse(raw)
        parts = urlsplit(f"//{name}")
        if parts.port is not None or parts.path:
            raise ValueError(wanted)
        return name

    return Kind(parse, "host", inline_comments=False)


def phase_list() -> Kind[tuple[str, ...]]:
    """The kind of an option that holds comma-separated words, one a phase.

    Empty words are kept, for the section to refuse where they matter: without them the words
    behind would serve the wrong phase.
    """

    def parse(raw: str) -> tuple[str, ...]:
        return tuple(item.strip() for item in raw.split(",")) if raw else ()

    return Kind(parse, "comma-separated list", ", ".join, inline_comments=False)
