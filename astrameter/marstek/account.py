"""Requests to the vendor's account server, and what its answers mean (marstek-cloud.md part A).

No network here: URLs and headers go out, documents come in.
"""

from __future__ import annotations

import enum
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from astrameter.marstek.managed import Managed, firmware_number, normalize_mac
from astrameter.meters.http import Answer, Request, prepare
from astrameter.meters.urls import Url
from astrameter.redaction import redact

PREFIX = "02b250"
"""Marks the devices that are ours: locally administered, so no real device has it (A.4)."""

VERSION = "121"
"""The firmware that a CT says it has, in the account and in reports alike (A.5, B.2)."""

LABELS = {"HME-4": "CT002", "HME-3": "CT003"}

_APP = ("User-Agent", "Dart/2.19 (dart:io)")  # what the app sends; whether it matters is unknown
_SHOWN_CHARACTERS = 200
_DRAWS = 200

_LOGGED_IN = "2"
_WRONG_PASSWORD = "4"
_NO_ACCESS = "8"
_ADDED = frozenset({"1", "2"})
_PASSWORD_WORDS = ("密码错误", "password")


class Patience(enum.Enum):
    """When a failed attempt may be repeated.

    SOON: nothing was refused. LATER: the server does not want us at present. NEVER: not before
    the owner has mended something.
    """

    SOON = "soon"
    LATER = "later"
    NEVER = "never"


class CloudError(Exception):
    """An attempt failed; the text says why, in the owner's words.

    :ivar after_s: how long the server wants to be left alone, when it says so.
    """

    def __init__(self, text: str, patience: Patience, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.patience = patience
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Listed:
    """One device of the account, as far as it matters here."""

    devid: str
    name: str
    mac: str
    type: str
    version: object


@dataclass(frozen=True)
class Account:
    """Who logs in where."""

    base: Url
    mailbox: str
    password: str
    timezone: str

    @property
    def fingerprint(self) -> str:
        """Tells accounts apart without naming them."""
        words = f"{self.base.host}\n{self.mailbox.strip().lower()}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    # ------------------------------------------------------------------------------ requests

    def login(self) -> Request:
        """Request 1. The unsalted MD5 is the vendor's scheme (A.3)."""
        digest = hashlib.md5(self.password.encode(), usedforsecurity=False).hexdigest()
        query = {"mailbox": self.mailbox, "pwd": digest}
        return prepare(self._url("/app/Solar/v2_get_device.php", query))

    def device_list(self, token: str) -> Request:
        """Request 2."""
        query = {"mailbox": self.mailbox, "token": token}
        return prepare(self._url("/ems/api/v1/getDeviceList", query), headers=[_APP])

    def add(self, token: str, ct_type: str, devid: str) -> Request:
        """Request 4 (A.5)."""
        query = {
            "name": f"AstraMeter {LABELS[ct_type]}",
            "mailbox": self.mailbox,
            "devid": devid,
            "mac": devid,
            "type": ct_type,
            "token": token,
            "access": "1",
            "bluetooth_name": f"MST-SMR_{devid[-4:]}",
            "position": "{}",
            "timeZone": self.timezone,
            "version": VERSION,
        }
        headers = [
            _APP,
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("token", token),
        ]
        return prepare(self._url("/app/Solar/v2_add_device.php", query), headers=headers)

    def _url(self, path: str, query: Mapping[str, str]) -> Url:
        return replace(self.base, path=self.base.path.rstrip("/") + path, query=urlencode(query))


# ------------------------------------------------------------------------------------- answers


def document_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer.

    :raises CloudError: it is none, or the server refuses.
    """
    where = answer.url.shown
    if answer.status == 429:
        after_s = _retry_after_s(answer)
        raise CloudError(f"{where} has had too many requests (429)", Patience.LATER, after_s)
    said = redact(answer.body[:_SHOWN_CHARACTERS].decode("utf-8", "replace"))
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        text = f"{where} answers {answer.status} with something that is not JSON: {said!r}"
        raise CloudError(text, Patience.SOON)
    if _code(document) == _NO_ACCESS:
        text = f"the cloud refuses access at present (code 8: {_message(document)})"
        raise CloudError(text, Patience.LATER)
    if not 200 <= answer.status < 300:
        raise CloudError(f"{where} answers {answer.status}: {said}", Patience.SOON)
    return document


def token_of(document: Mapping[str, Any]) -> str:
    """The token of a login.

    :raises CloudError: the login is refused.
    """
    code, message, token = _code(document), _message(document), document.get("token")
    if code == _LOGGED_IN and isinstance(token, str) and token:
        return token
    if code == _WRONG_PASSWORD and any(word in message.lower() for word in _PASSWORD_WORDS):
        text = f"the account's password is wrong (code 4: {message})"
        raise CloudError(text, Patience.NEVER)
    raise CloudError(f"the account refuses the login (code {code}: {message})", Patience.LATER)


def check_added(document: Mapping[str, Any], ct_type: str) -> None:
    """:raises CloudError: the account does not take the new device."""
    code = _code(document)
    if code not in _ADDED:
        text = f"the account takes no new {LABELS[ct_type]} (code {code}: {_message(document)})"
        raise CloudError(text, Patience.LATER)


def devices_of(logged_in: Mapping[str, Any], listed: Mapping[str, Any]) -> list[Listed]:
    """The devices of both lists, merged; the first one says which there are (A.3)."""
    others = {str(one.get("devid")): one for one in _records(listed)}
    found = []
    for one in _records(logged_in):
        other = others.get(str(one.get("devid")), {})

        def text(name: str, one: Any = one, other: Any = other) -> str:
            value = one.get(name) or other.get(name)
            return value if isinstance(value, str) else ""

        devid = str(one.get("devid") or "")
        version = other.get("version")
        found.append(Listed(devid, text("name"), text("mac"), text("type"), version))
    return found


def managed_among(devices: Sequence[Listed], ct_type: str) -> Managed | None:
    """The device of that type that is ours (A.4); whatever its owner calls it.

    :raises CloudError: it has a MAC that is none.
    """
    for one in devices:
        mac = normalize_mac(one.mac)
        ours = all(name.lower().startswith(PREFIX) for name in (one.devid, mac or one.mac))
        if one.type == ct_type and ours:
            if not mac:
                label = LABELS[ct_type]
                text = f"the account's {label} has the MAC {one.mac!r}: delete it in the app"
                raise CloudError(text, Patience.LATER)
            return Managed(mac, firmware_number(one.version))
    return None


def new_id(devices: Sequence[Listed], chance: random.Random) -> str:
    """An id that no device of the account has (A.5).

    :raises CloudError: none was found.
    """
    taken = {name.lower() for one in devices for name in (one.devid, one.mac)}
    for _ in range(_DRAWS):
        found = f"{PREFIX}{chance.randrange(1 << 24):06x}"
        if found not in taken:
            return found
    raise CloudError("no free device id could be made up", Patience.LATER)


def _records(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = document.get("data")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _code(document: Mapping[str, Any]) -> str:
    return str(document.get("code"))


def _message(document: Mapping[str, Any]) -> str:
    return redact(str(document.get("msg") or document.get("message") or "no reason given"))[:200]


def _retry_after_s(answer: Answer) -> float:
    text = answer.header("Retry-After") or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0
