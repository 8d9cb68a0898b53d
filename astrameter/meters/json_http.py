"""Any device that serves its power as JSON over HTTP (meters.md section 14).

What differs from AstraMeter 2.x: commas inside a path's brackets or quotes belong to the path
(MJ04); a bad path or none refuses the file, where 2.x failed at the first read or told the
batteries 0 W for ever (MJ10); a redirect to another origin gets none of the HEADERS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import JsonPath, json_paths
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, http_url
from astrameter.options import Kind, Section, option, text

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


def headers() -> Kind[tuple[tuple[str, str], ...]]:
    """``Name: value; Name: value``; values may contain colons, items without one are dropped."""

    def parse(raw: str) -> tuple[tuple[str, str], ...]:
        found = []
        for item in raw.split(";"):
            name, colon, value = (part.strip() for part in item.partition(":"))
            if not colon:
                continue
            if not _HEADER_NAME.match(name):
                raise ValueError(f"{name!r} is no header name; write Name: value; Name: value")
            found.append((name, " ".join(value.split())))
        return tuple(found)

    def render(value: tuple[tuple[str, str], ...]) -> str:
        return "; ".join(f"{name}: {content}" for name, content in value)

    return Kind(parse, "list of Name: value, separated by ;", render, inline_comments=False)


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[JSON_HTTP]``."""

    url: Url = option(  # noqa: RUF009  it is dataclasses.field()
        http_url(),
        required=True,
        help="Complete address of the JSON document.",
        example="http://192.168.1.20/api/power",
    )
    json_paths: tuple[JsonPath, ...] = option(
        json_paths(),
        default=(),
        required=True,
        help="Where the power stands in the document, in watts, import positive: one JSON path "
        "for the total, or one for each phase, separated by commas.",
        example="$.power",
    )
    username: str = option(
        text(), default="", help="User name, if the device asks for one (basic authentication)."
    )
    password: str = option(
        text(), default="", secret=True, help="Password that belongs to the user name."
    )
    headers: tuple[tuple[str, str], ...] = option(
        headers(),
        default=(),
        secret=True,
        help="Headers to send along, like Authorization: Bearer TOKEN; X-Other: value.",
    )


def _check(options: Options) -> Iterable[tuple[str, str]]:
    if not options.json_paths:
        yield "JSON_PATHS", "is missing: write the path to the power, like $.power"


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(reactor)
    login = options.username or options.password
    request = prepare(
        options.url,
        headers=options.headers,
        login=(options.username, options.password) if login else None,
    )

    async def fetch() -> Sequence[float]:
        document = (await client.send(request)).checked().json()
        return [path.number(document) for path in options.json_paths]

    return PolledMeter(section, reactor, fetch, client.close)


KIND = MeterKind(
    Section(
        "JSON_HTTP",
        Options,
        help="Any device that serves its power as JSON over HTTP.",
        many=True,
        example={"URL": "http://192.168.1.20/api/power", "JSON_PATHS": "$.power"},
        check=_check,
    ),
    build,
)
