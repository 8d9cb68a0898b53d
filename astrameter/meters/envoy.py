"""The Enphase Envoy, also called IQ Gateway (meters.md section 17).

The device is asked at home, over HTTPS, and wants a token that Enphase signs: the owner pastes
one, or AstraMeter obtains it from Enphase's cloud with the owner's login. What differs from
AstraMeter 2.x: after a failure the cloud is left alone for a while, where 2.x logged in again at
every reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred, gatherResults

from astrameter.meters.http import Answer, HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import number_at, value_at
from astrameter.meters.login import ExpiredError, Login, RefusedError
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import device_url, host, parse_url
from astrameter.options import Section, boolean, option, text
from astrameter.reading import MeterError

LOGIN_URL = "https://enlighten.enphaseenergy.com/login/login.json"
TOKENS_URL = "https://entrez.enphaseenergy.com/tokens"
"""Where Enphase's cloud makes tokens (meters.md section 17)."""

TIMEOUT_S = 10.0

_NET = "net-consumption"
_MAX_LINES = 3
_TOKEN = re.compile(r"eyJ[\w=-]*\.[\w=-]*\.[\w=-]*\Z", re.ASCII)
"""A JSON web token: three times base64url."""

_ONE_WORD = re.compile(r"[!-~]*\Z")


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[ENVOY]``."""

    host: str = option(host(), required=True, help="Address of the Envoy.", example="192.168.1.20")
    token: str = option(
        text(),
        default="",
        secret=True,
        help="Token from https://entrez.enphaseenergy.com, good for about a year. It needs no "
        "cloud, but has to be replaced in time.",
    )
    username: str = option(
        text(),
        default="",
        help="E-mail address of your account at Enphase. With PASSWORD and SERIAL, AstraMeter "
        "obtains tokens by itself. Accounts with a second factor do not work.",
    )
    password: str = option(text(), default="", secret=True, help="Password of that account.")
    serial: str = option(
        text(), default="", help="Serial number of the Envoy, 12 digits.", example="123456789012"
    )
    verify_ssl: bool = option(
        boolean(),
        default=False,
        help="Check the certificate of the Envoy. It is self-signed, so that this works only when "
        "this computer trusts it. Without the check, somebody in your network could pose as the "
        "Envoy and get the token. The connection to Enphase's cloud is always checked.",
    )

    @property
    def has_login(self) -> bool:
        """Whether tokens can be obtained from the cloud."""
        return bool(self.username and self.password and self.serial)


def _check(options: Options) -> Iterable[tuple[str, str]]:
    if not options.token and not options.has_login:
        yield "TOKEN", "set this, or USERNAME, PASSWORD and SERIAL to obtain tokens"
    if not _ONE_WORD.match(options.token):
        yield "TOKEN", "a token has neither blanks nor line breaks"


def parse(document: object) -> tuple[float, ...]:
    """The net consumption in ``production.json``: one entry a phase, or the total."""
    consumption = value_at(document, "consumption")
    if not isinstance(consumption, list):
        raise MeterError("bad_structure", "$.consumption is not a list")
    for i, entry in enumerate(consumption):
        if isinstance(entry, dict) and entry.get("measurementType") == _NET:
            lines = entry.get("lines")
            if not isinstance(lines, list) or not lines:
                return (number_at(document, "consumption", i, "wNow"),)
            count = min(len(lines), _MAX_LINES)
            steps = ("consumption", i, "lines")
            return tuple(number_at(document, *steps, line, "wNow") for line in range(count))
    raise MeterError(
        "missing_field",
        f"the Envoy tells no {_NET}: are its current transformers for consumption installed?",
    )


class Cloud:
    """Obtains tokens from Enphase."""

    def __init__(self, client: HttpClient, options: Options) -> None:
        self._client = client
        self._serial = options.serial
        self._username = options.username
        form = {"user[email]": options.username, "user[password]": options.password}
        self._ask_session = prepare(
            parse_url(LOGIN_URL),
            headers=[("Content-Type", "application/x-www-form-urlencoded")],
            method="POST",
            body=urlencode(form).encode("ascii"),
        )

    async def token(self) -> str:
        """A fresh token.

        :raises MeterError: ``auth_failed``, or why the cloud cannot be asked.
        """
        words = {
            "session_id": await self._session(),
            "serial_num": self._serial,
            "username": self._username,
        }
        request = prepare(
            parse_url(TOKENS_URL),
            headers=[("Content-Type", "application/json")],
            method="POST",
            body=json.dumps(words).encode("ascii"),
        )
        answer = _allowed(await self._client.send(request))
        token = answer.body.strip().decode("ascii", "replace")
        if not _TOKEN.match(token):
            raise RefusedError(
                "Enphase gives no token for this Envoy: check SERIAL; accounts with a second "
                "factor do not work"
            )
        return token

    async def _session(self) -> str:
        answer = _allowed(await self._client.send(self._ask_session))
        document = answer.json()
        session = document.get("session_id") if isinstance(document, dict) else None
        if not isinstance(session, str) or not session:
            raise _refused()
        return session


def _allowed(answer: Answer) -> Answer:
    if answer.status in {401, 403}:
        raise _refused()
    return answer.checked()


def _refused() -> RefusedError:
    return RefusedError("Enphase refuses the login: check USERNAME and PASSWORD")


class Envoy:
    """The requests to one Envoy."""

    def __init__(self, client: HttpClient, cloud: HttpClient, clock: Any, options: Options) -> None:
        self._client = client
        self._url = device_url(options.host, "/production.json", [("details", "1")], scheme="https")
        self._token = options.token
        self._login: Login[str] | None = None
        if options.has_login:
            obtain = Cloud(cloud, options).token
            self._login = Login(clock, obtain, session=options.token or None, patient=True)

    async def read(self) -> Sequence[float]:
        """The present power, after a login if one is needed."""
        if self._login is None:
            return parse(await self._production(self._token))
        return parse(await self._login.ask(self._production))

    async def _production(self, token: str) -> object:
        request = prepare(self._url, headers=[("Authorization", f"Bearer {token}")])
        try:
            answer = await self._client.send(request)
        except MeterError as error:
            if error.kind == "tls_certificate":
                raise MeterError(error.kind, f"{error}; or set VERIFY_SSL = no") from None
            raise
        if answer.status == 401:
            mend = "SERIAL" if self._login else "TOKEN, which is good for about a year"
            raise ExpiredError("http_status", f"the Envoy does not accept the token: check {mend}")
        return answer.checked().json()


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    make = partial(HttpClient, reactor, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)
    client, cloud = make(verify_tls=options.verify_ssl), make()
    envoy = Envoy(client, cloud, reactor, options)

    def close() -> Deferred[None]:
        closing = gatherResults([client.close(), cloud.close()], consumeErrors=True)
        return closing.addCallback(lambda _: None)

    return PolledMeter(section, reactor, envoy.read, close)


KIND = MeterKind(
    Section(
        "ENVOY",
        Options,
        help="An Enphase Envoy or IQ Gateway with current transformers for consumption. Should it "
        "tell import as negative, set POWER_MULTIPLIER = -1.",
        many=True,
        example={"HOST": "192.168.1.20", "TOKEN": "eyJ..."},
        check=_check,
    ),
    build,
)
