"""Any sensor that Home Assistant knows (meters.md section 8).

Home Assistant pushes the states of the entities we name, in its compressed form. A state that
stays as it is is as good as a new one: a sensor that is dead Home Assistant itself marks
``unavailable``, and a dead line is found out by pings. So readings of this meter do not expire.

A value counts as measured when it arrives. Home Assistant sends its own time along (``lu``), but
by its own clock on the wall, which nothing says is right, or the same as ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from astrameter.deferreds import sleep, spawn
from astrameter.meters.homeassistant_states import States
from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.json_device import lone_host
from astrameter.meters.options import MeterOptions
from astrameter.meters.pushed import PushedMeter
from astrameter.meters.urls import Url, device_url
from astrameter.meters.websocket import Message, Place, Trouble, WebSocketClient
from astrameter.options import Kind, Section, boolean, items, option, optional, port, text
from astrameter.reading import MeterError
from astrameter.tls import tls_to

SEED_AFTER_S = 0.2
"""Home Assistant sends what it knows right after the subscription; REST is for the rest."""

SEED_TIMEOUT_S = 10.0
"""For one answer; Home Assistant is slow while it starts."""

SUBSCRIPTION_ID = 1

_SUPERVISOR = "supervisor"
_ENTITY = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+\Z")


def supervisor_token() -> str:
    """The token that an add-on gets from its supervisor, who changes it now and then."""
    return os.environ.get("SUPERVISOR_TOKEN", "")


def _port_or_blank() -> Kind[int | None]:
    """A port; a key without a value is not set, as in AstraMeter 2.x."""
    one = port()
    return replace(optional(one), parse=lambda raw: one.parse(raw) if raw else None)


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[HOMEASSISTANT]``."""

    ip: str = option(
        lone_host(),
        required=True,
        help="Address of Home Assistant. `supervisor`: AstraMeter is an add-on and asks the "
        "supervisor, with the token it was given (environment variable SUPERVISOR_TOKEN).",
        example="192.168.1.20",
    )
    port: int | None = option(
        _port_or_blank(),
        help="TCP port of Home Assistant, usually 8123; not set: 80, and 443 with HTTPS.",
        example="8123",
    )
    https: bool = option(
        boolean(),
        default=False,
        help="Encrypt the connection. The certificate is always checked, against the system's "
        "authorities.",
    )
    accesstoken: str = option(
        text(),
        default="",
        secret=True,
        help="A long-lived access token, made in Home Assistant's user profile under Security. "
        "Not used with `IP = supervisor`.",
    )
    api_path_prefix: str = option(
        text(),
        default="",
        help="What comes before /api in the addresses: /core for the supervisor.",
        example="/core",
    )
    current_power_entity: tuple[str, ...] = option(
        items(),
        default=(),
        help="The sensor with the grid power in watts, or several, comma-separated, one a phase.",
        example="sensor.grid_power",
    )
    power_calculate: bool = option(
        boolean(),
        default=False,
        help="Import and export are sensors of their own: POWER_INPUT_ALIAS less "
        "POWER_OUTPUT_ALIAS is the reading, and CURRENT_POWER_ENTITY is not used.",
    )
    power_input_alias: tuple[str, ...] = option(
        items(),
        default=(),
        help="The sensor with the imported power in watts, or several, one a phase.",
        example="sensor.grid_import",
    )
    power_output_alias: tuple[str, ...] = option(
        items(),
        default=(),
        help="The sensor with the exported power in watts, or several, one a phase.",
        example="sensor.grid_export",
    )

    @property
    def by_supervisor(self) -> bool:
        return self.ip.lower() == _SUPERVISOR

    @property
    def pairs(self) -> tuple[tuple[str, str | None], ...]:
        """For each entry of the reading the entity to add, and the one to subtract if any."""
        if not self.power_calculate:
            return tuple((name.lower(), None) for name in self.current_power_entity)
        both = zip(self.power_input_alias, self.power_output_alias, strict=False)
        return tuple((plus.lower(), minus.lower()) for plus, minus in both)

    def url(self, path: str) -> Url:
        """The address of ``path`` (``/api/...``)."""
        prefix = self.api_path_prefix.strip("/")
        host = self.ip if self.port is None else f"{self.ip}:{self.port}"
        scheme = "https" if self.https else "http"
        return device_url(host, f"/{prefix}{path}" if prefix else path, scheme=scheme)


def check(options: Options) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if not options.accesstoken and not options.by_supervisor:
        where = "Home Assistant's user profile under Security"
        yield "ACCESSTOKEN", f"make a long-lived access token in {where}, and write it here"
    lists = {"CURRENT_POWER_ENTITY": options.current_power_entity}
    if options.power_calculate:
        lists = {
            "POWER_INPUT_ALIAS": options.power_input_alias,
            "POWER_OUTPUT_ALIAS": options.power_output_alias,
        }
        plus, minus = map(len, lists.values())
        if plus != minus:
            yield "POWER_OUTPUT_ALIAS", f"{minus} sensors cannot be taken from {plus}"
    for key, names in lists.items():
        if not names:
            yield key, "name the sensor, like sensor.grid_power"
        for name in names:
            if not _ENTITY.match(name.lower()):
                yield key, f"{name!r} is no entity; write it like sensor.grid_power"


class HomeAssistantMeter(PushedMeter):
    """Subscribes to some entities; their numbers are the reading."""

    _log = Logger()

    def __init__(self, reactor: Any, section: str, options: Options) -> None:
        PushedMeter.__init__(self, reactor, section)
        self._options = options
        self._states = States(section, options.pairs, reactor)
        url = options.url("/api/websocket")
        self._shown = url.shown
        place = Place(
            url,
            lambda: tls_to(url.host),
            "add it to this computer's trusted certificates, or set HTTPS = no",
        )
        self._client = WebSocketClient(reactor, section, place, self)
        self._http = HttpClient(
            reactor, timeout_s=SEED_TIMEOUT_S, connect_timeout_s=SEED_TIMEOUT_S / 2
        )
        self._seeding: Deferred[None] | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        PushedMeter.stopService(self)
        closing = [self._client.stopService(), self._http.close()]
        return gatherResults(closing).addCallback(lambda _: None)

    def absence(self) -> str:
        return self._client.trouble or self._states.absence()

    # ------------------------------------------------------------------ the dialogue

    def stream_opened(self) -> None:
        """Home Assistant speaks first."""

    def stream_closed(self) -> None:
        """What we knew may be wrong by the time we hear of it again."""
        self.connected = False
        if self._seeding is not None:
            self._seeding.cancel()
            self._seeding = None
        self._states.forget()
        self.store(None)

    def stream_message(self, message: Message) -> None:
        match message.get("type"):
            case "event" if self.connected:
                self._update(self._states.apply(message.get("event")))
            case "auth_required" if not self.connected:
                self._log_in()
            case "auth_ok" if not self.connected:
                self._subscribe()
            case "auth_invalid":
                self._refused()
            case "result" if message.get("id") == SUBSCRIPTION_ID:
                self._answered(message)

    def _log_in(self) -> None:
        token = self._token()
        if token:
            self._client.send({"type": "auth", "access_token": token})
        else:
            text = (
                "there is no environment variable SUPERVISOR_TOKEN: IP = supervisor works only "
                "in an add-on of Home Assistant with access to its API"
            )
            self._client.give_up(Trouble("token", text, patient=True))

    def _refused(self) -> None:
        advice = "check ACCESSTOKEN, or make a new one in Home Assistant's user profile"
        if self._options.by_supervisor:
            advice = "it is the one in SUPERVISOR_TOKEN; has the add-on access to the API?"
        text = f"{self._shown} refused our token: {advice}"
        self._client.give_up(Trouble("refused", text, patient=True))

    def _subscribe(self) -> None:
        self.connected = True
        self._client.send(
            {
                "id": SUBSCRIPTION_ID,
                "type": "subscribe_entities",
                "entity_ids": [entity.name for entity in self._states.entities],
            }
        )
        self._seeding = spawn(self._seed(), "asking Home Assistant for states", self._log)

    def _answered(self, message: Message) -> None:
        if message.get("success") is True:
            self._client.accepted()
            self._client.delivers()
            return
        error = message.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        text = (
            f"{self._shown} refused our subscription ({str(code)[:40]!r}): Home Assistant has to "
            "be of 2022.4 or later, and the names of the sensors right"
        )
        self._client.give_up(Trouble("subscription", text, patient=True))

    def _update(self, news: bool) -> None:
        self.store(self._states.reading())
        if news:
            self.wake()

    # ------------------------------------------------------------------ what is not pushed

    async def _seed(self) -> None:
        """Ask once for the states that do not come by themselves.

        Home Assistant sends nothing about an entity that was not loaded yet when we subscribed;
        it may then stay as it is for a long time.
        """
        await sleep(self._clock, SEED_AFTER_S)
        for entity in self._states.entities:
            if entity.heard:
                continue
            url = self._options.url(f"/api/states/{entity.name}")
            request = prepare(url, headers=[("Authorization", f"Bearer {self._token()}")])
            try:
                answer = await self._http.send(request)
                document = answer.json() if answer.status == 200 else None
            except MeterError as error:
                self._log.debug("{url}: {error}", url=url.shown, error=str(error))
                continue
            if entity.heard:
                continue  # the stream was faster, and is newer
            if answer.status == 404:
                entity.absence = f"Home Assistant does not know {entity.name}"
            elif isinstance(document, dict) and "state" in document:
                self._update(entity.take(document["state"]))

    def _token(self) -> str:
        return supervisor_token() if self._options.by_supervisor else self._options.accesstoken


KIND = MeterKind(
    Section(
        "HOMEASSISTANT",
        Options,
        help="Sensors of Home Assistant. It pushes their states as they change; the readings do "
        "not expire, because Home Assistant says itself when a sensor is unavailable.",
        many=True,
        example={
            "IP": "192.168.1.20",
            "PORT": "8123",
            "ACCESSTOKEN": "the long-lived token",
            "CURRENT_POWER_ENTITY": "sensor.grid_power",
        },
        check=check,
    ),
    HomeAssistantMeter,
)
