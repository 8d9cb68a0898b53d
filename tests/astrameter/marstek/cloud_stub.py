"""Stands in for the vendor's cloud: answers as it does, refuses as it does, remembers devices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twisted.internet.defer import Deferred, fail, succeed
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource

from astrameter.meters.http import Answer, Request
from astrameter.reading import MeterError

MAILBOX = "user@example.com"
PASSWORD = "geheim%1"
TOKEN = "TOK123"

LOGIN = "/app/Solar/v2_get_device.php"
LIST = "/ems/api/v1/getDeviceList"
ADD = "/app/Solar/v2_add_device.php"
DATE = "/app/neng/getDateInfoeu.php"
REPORT = "/prod/api/v1/setCtReporting"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    query: str
    headers: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


Said = tuple[int, bytes]
"""Status and body."""


def said(document: object, status: int = 200) -> Said:
    """A JSON answer."""
    return status, json.dumps(document, ensure_ascii=False).encode()


class CloudStub:
    """The server.

    :ivar asked: every request.
    :ivar devices: what the account has.
    :ivar instead: by path, what is answered instead of the truth; may be an exception.
    :ivar adds: whether an accepted device appears in the lists.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.devices: list[dict[str, Any]] = []
        self.instead: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.adds = True

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def take(self) -> list[Asked]:
        """The requests since the last call."""
        asked, self.asked = self.asked, []
        return asked

    def handle(self, target: str, headers: dict[str, str]) -> Said:
        """The answer to one request.

        :raises MeterError: there is none.
        """
        parts = urlsplit(target)
        asked = Asked(parts.path, parts.query, headers)
        self.asked.append(asked)
        instead = self.instead.get(asked.path)
        if isinstance(instead, Exception):
            raise instead
        if instead is not None:
            return instead() if callable(instead) else instead
        answers: dict[str, Callable[[dict[str, str]], Said]] = {
            LOGIN: self._log_in,
            LIST: self._list,
            ADD: self._add,
            DATE: lambda _: (200, b"_2026_11_21_10_00_00_06_0_0_0"),
            REPORT: lambda _: said({"code": 1, "msg": "ok"}),
        }
        return answers[asked.path](asked.fields)

    def _log_in(self, fields: dict[str, str]) -> Said:
        digest = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
        if fields.get("mailbox") != MAILBOX or fields.get("pwd") != digest:
            return said({"code": "4", "msg": "密码错误"})
        names = ("devid", "name", "mac", "type", "sn", "access", "bluetooth_name")
        data = [{name: one.get(name, "") for name in names} for one in self.devices]
        return said({"code": "2", "token": TOKEN, "data": data})

    def _list(self, fields: dict[str, str]) -> Said:
        if fields.get("token") != TOKEN:
            return said({"code": "5", "msg": "token"}, 403)
        data = [{"devid": one["devid"], "version": one.get("version")} for one in self.devices]
        return said({"code": 1, "data": data})

    def _add(self, fields: dict[str, str]) -> Said:
        known = any(one["devid"] == fields["devid"] for one in self.devices)
        if self.adds and not known:
            self.devices.append(dict(fields))
        return said({"code": "2" if known else "1"})

    # ------------------------------------------------------------------ the ways to reach it

    def send(self, request: Request) -> Deferred[Answer]:
        """Instead of HttpClient.send."""
        headers = {
            name.decode().lower(): values[-1].decode()
            for name, values in request.headers.getAllRawHeaders()
        }
        try:
            status, body = self.handle(request.uri.decode(), headers)
        except MeterError as error:
            return fail(error)
        sent = Headers({name: [value] for name, value in self.headers.items()})
        return succeed(Answer(request.url, status, "", sent, body))


class CloudResource(Resource):
    """The same over HTTP."""

    isLeaf = True

    def __init__(self, stub: CloudStub) -> None:
        super().__init__()
        self._stub = stub

    def render_GET(self, request: Any) -> bytes:
        headers = {
            name.decode().lower(): values[-1].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        status, body = self._stub.handle(request.uri.decode(), headers)
        request.setResponseCode(status)
        return body
