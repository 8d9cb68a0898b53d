"""Shelly meters and switches of the first and second generation (meters.md section 3).

What differs from AstraMeter 2.x: fractions of a watt count; a device without a channel is an
error, where 2.x told the batteries 0 W; a METER_INDEX that no device can have refuses the file;
PER_PHASE is new.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.web.http_headers import Headers

from astrameter.meters.digest import DigestLogin
from astrameter.meters.http import Answer, HttpClient, Request, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import number_at, value_at
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url, host
from astrameter.options import Section, boolean, choice, option, text

_CHANNELS = {"1PM": "meters", "EM": "emeters", "3EM": "emeters"}
"""First generation: where ``/status`` has the channels; one channel is at ``/meter/0``."""

_METHODS = {"PLUS1PM": "Switch.GetStatus", "3EMPro": "EM.GetStatus"}
"""Second generation: what is called."""

_TOTALS = {"PLUS1PM": "apower", "3EMPro": "total_act_power"}
_PHASES = ("a_act_power", "b_act_power", "c_act_power")

_USER = "admin"
"""The only user that the second generation knows (meters.md section 3)."""


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[SHELLY]``."""

    type: str = option(
        choice("1PM", "PLUS1PM", "EM", "3EM", "3EMPro", ignore_case=False),
        required=True,
        help="The model, spelled like here.",
        example="3EMPro",
    )
    ip: str = option(host(), required=True, help="Address of the Shelly.", example="192.168.1.20")
    user: str = option(
        text(),
        default="",
        help="User name, if the device is protected. PLUS1PM and 3EMPro always call it admin, "
        "which is assumed when only PASS is given.",
        example="admin",
    )
    password: str = option(
        text(), key="PASS", default="", secret=True, help="Password of that user."
    )
    meter_index: str = option(
        text(),
        default="",
        help="1PM, EM and 3EM: read only this channel, counted from 0. Not set: all of them, "
        "one a phase.",
        example="0",
    )
    per_phase: bool = option(
        boolean(),
        default=False,
        help="3EMPro: give the three phases one by one. The batteries follow their sum, so it "
        "makes a difference only for who looks at the phases.",
    )


def _check(options: Options) -> Iterable[tuple[str, str]]:
    index = options.meter_index
    if options.type in _CHANNELS and index and not (index.isascii() and index.isdigit()):
        yield "METER_INDEX", "this is the number of a channel: 0, 1 or 2"


def url_of(options: Options) -> Url:
    """Where the device tells its power."""
    if options.type in _METHODS:
        return device_url(options.ip, f"/rpc/{_METHODS[options.type]}", [("id", "0")])
    if options.meter_index:
        channel = _CHANNELS[options.type].removesuffix("s")
        return device_url(options.ip, f"/{channel}/{options.meter_index}")
    return device_url(options.ip, "/status")


def parse(document: object, options: Options) -> tuple[float, ...]:
    """The reading of what is at :func:`url_of`."""
    if options.type in _METHODS:
        phases = options.per_phase and options.type == "3EMPro"
        names = _PHASES if phases else (_TOTALS[options.type],)
        return tuple(number_at(document, name) for name in names)
    if options.meter_index:
        return (number_at(document, "power"),)
    name = _CHANNELS[options.type]
    value_at(document, name, 0)
    channels = value_at(document, name)
    assert isinstance(channels, list)
    return tuple(number_at(document, name, i, "power") for i in range(len(channels)))


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(reactor)
    url = url_of(options)
    if options.type in _METHODS:
        user = options.user or (_USER if options.password else "")
        login = DigestLogin(user, options.password, make_cnonce) if user else None
        ask = partial(_ask, client, prepare(url), login)
    else:
        basic = (options.user, options.password) if options.user else None
        ask = partial(_ask, client, prepare(url, login=basic), None)

    async def fetch() -> Sequence[float]:
        return parse((await ask()).checked().json(), options)

    return PolledMeter(section, reactor, fetch, client.close)


def make_cnonce() -> str:
    """A random text for each answer to a digest challenge."""
    return secrets.token_hex(8)


async def _ask(client: HttpClient, request: Request, login: DigestLogin | None) -> Answer:
    """Send a request, twice when a digest challenge has to be answered."""
    if login is None:
        return await client.send(request)
    answer = await client.send(_signed(request, login))
    if answer.status == 401 and login.challenged(_challenges(answer.headers)):
        answer = await client.send(_signed(request, login))
    return answer


def _signed(request: Request, login: DigestLogin) -> Request:
    url = request.url
    target = f"{url.path}?{url.query}" if url.query else url.path
    authorization = login.authorization(request.method.decode("ascii"), target)
    if authorization is None:
        return request
    headers = request.headers.copy()
    headers.setRawHeaders("Authorization", [authorization])
    return Request(url, request.uri, headers, request.method, request.body)


def _challenges(headers: Headers) -> list[str]:
    values = headers.getRawHeaders(b"WWW-Authenticate", [])
    return [value.decode("utf-8", "replace") for value in values]


KIND = MeterKind(
    Section(
        "SHELLY",
        Options,
        help="A Shelly 1PM, EM, 3EM, Plus 1PM or Pro 3EM. What it measures is taken for the power "
        "of the grid connection.",
        many=True,
        example={"TYPE": "3EMPro", "IP": "192.168.1.20"},
        check=_check,
    ),
    build,
)
