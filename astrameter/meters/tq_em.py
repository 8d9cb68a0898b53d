"""The TQ Energy Manager (meters.md section 15).

The device ties a login to a cookie. What differs from AstraMeter 2.x: the cookie is kept for
devices named by their IP address, too; a refused password is not tried again at every reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.login import ExpiredError, Login, RefusedError
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import device_url, host
from astrameter.options import Section, number, option, text
from astrameter.reading import MeterError

IDLE_S = 1800.0
"""After so long without a reading the device wants a new login (meters.md section 15)."""

EXPIRED_STATUS = 900
"""From here on ``status`` in an answer means that the session is over."""

_TOTAL = ("1-0:1.4.0*255", "1-0:2.4.0*255")
"""From the grid, to the grid; in watts, none below 0."""

_PHASES = (
    ("1-0:21.4.0*255", "1-0:22.4.0*255"),
    ("1-0:41.4.0*255", "1-0:42.4.0*255"),
    ("1-0:61.4.0*255", "1-0:62.4.0*255"),
)
_SERIALS = ("serial", "ieq_serial")


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[TQ_EM]``."""

    ip: str = option(
        host(), required=True, help="Address of the Energy Manager.", example="192.168.1.20"
    )
    password: str = option(
        text(), default="", secret=True, help="Password of its web page, if it asks for one."
    )
    timeout: float = option(
        number(0.1, 60),
        default=5.0,
        unit="s",
        help="How long to wait for an answer. A battery asks about once a second.",
    )


def parse(document: object) -> tuple[float, ...]:
    """The reading in the answer of ``data.php``: three phases, or the total.

    :raises MeterError: ``missing_field`` when neither is there; ``not_numeric``;
        ``bad_structure``.
    """
    if not isinstance(document, dict):
        raise MeterError("bad_structure", "the answer is not an object with OBIS codes")
    if any(code in document for phase in _PHASES for code in phase):
        return tuple(_net(document, *phase) for phase in _PHASES)
    if any(code in document for code in _TOTAL):
        return (_net(document, *_TOTAL),)
    raise MeterError("missing_field", f"the answer has no power: neither {_TOTAL[0]} nor a phase")


def _net(document: dict[str, object], bought: str, sold: str) -> float:
    """From the grid less to the grid; what is missing is 0."""
    return _power(document, bought) - _power(document, sold)


def _power(document: dict[str, object], code: str) -> float:
    return number_at(document, code) if code in document else 0.0


def has_expired(document: object) -> bool:
    """Whether an answer says, with a good HTTP status, that the session is over."""
    try:
        return number_at(document, "status") >= EXPIRED_STATUS
    except MeterError:
        return False


class Device:
    """The requests to one Energy Manager."""

    def __init__(self, client: HttpClient, clock: Any, options: Options) -> None:
        self._client = client
        self._clock = clock
        self._password = options.password
        self._start = device_url(options.ip, "/start.php")
        self._ask_start = prepare(self._start)
        self._ask_data = prepare(device_url(options.ip, "/mum-webservice/data.php"))
        self._login = Login(clock, self._log_in)
        self._asked_at = clock.seconds()

    async def read(self) -> Sequence[float]:
        """The present power, after a login if one is needed."""
        now = self._clock.seconds()
        if now - self._asked_at > IDLE_S:
            self._login.forget()
        self._asked_at = now
        return parse(await self._login.ask(self._data))

    async def _data(self, _serial: str) -> object:
        answer = await self._client.send(self._ask_data)
        if answer.status in {401, 403}:
            raise _expired()
        document = answer.checked().json()
        if has_expired(document):
            raise _expired()
        return document

    async def _log_in(self) -> str:
        document = (await self._client.send(self._ask_start)).checked().json()
        serial = _serial_of(document)
        if _is_authenticated(document):
            return serial
        fields = {"login": serial, "save_login": "1"}
        if self._password:
            fields["password"] = self._password
        request = prepare(
            self._start,
            headers=[("Content-Type", "application/x-www-form-urlencoded")],
            method="POST",
            body=urlencode(fields).encode("ascii"),
        )
        document = (await self._client.send(request)).checked().json()
        if _is_authenticated(document):
            return serial
        raise RefusedError("the Energy Manager refuses the login: check PASSWORD")


def _is_authenticated(document: object) -> bool:
    return isinstance(document, dict) and document.get("authentication") is True


def _serial_of(document: object) -> str:
    if not isinstance(document, dict):
        raise MeterError("bad_structure", "the answer to the login is not an object")
    for name in _SERIALS:
        serial = document.get(name)
        if isinstance(serial, (str, int)) and serial:
            return str(serial)
    raise MeterError("missing_field", "the device does not tell its serial number")


def _expired() -> ExpiredError:
    return ExpiredError(
        "session_expired", "the Energy Manager ends the session as soon as it has begun"
    )


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(
        reactor, timeout_s=options.timeout, connect_timeout_s=options.timeout, cookies=True
    )
    device = Device(client, reactor, options)
    return PolledMeter(section, reactor, device.read, client.close)


KIND = MeterKind(
    Section(
        "TQ_EM",
        Options,
        help="A TQ Energy Manager.",
        many=True,
        example={"IP": "192.168.1.20", "PASSWORD": "secret"},
    ),
    build,
)
