"""The FRITZ!Smart Energy 250 read head, through a FRITZ!Box (meters.md section 23).

The box speaks AVM's AHA HTTP interface: log in, ask for all devices, answers in XML. What differs
from AstraMeter 2.x: a refused login is not tried again at every reading, because the box blocks
who does that for longer and longer; a head that the box has lost is an error; the old kind of
login works for passwords with any letter.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from astrameter.meters.http import Answer, HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import as_number
from astrameter.meters.login import ExpiredError, Login, RefusedError
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.meters.urls import Url, device_url, host
from astrameter.options import Kind, Section, boolean, number, option, text
from astrameter.reading import MeterError

NO_SESSION = "0000000000000000"
"""What the box says instead of a session."""

MAX_ROUNDS = 1_000_000
"""Of a challenge's key derivation. Boxes want some 66 000, 20 ms here; the reactor waits for it."""

_DEFAULT_HOST = "fritz.box"
_SCHEMES = ("http", "https")
_SUB_UNIT = re.compile(r"-[0-9]+\Z")
_CHALLENGE = re.compile(
    r"2\$([0-9]{1,9})\$((?:[0-9A-Fa-f]{2})+)\$([0-9]{1,9})\$((?:[0-9A-Fa-f]{2})+)\Z"
)
_SESSION = re.compile(r"[0-9A-Za-z]{1,64}\Z")
_LAST_LATIN = 255
_MILLIWATTS = 1000.0


def _box() -> Kind[str]:
    """A host as other meters have it; with http:// or https:// in front, that counts."""
    any_host = host()

    def parse(raw: str) -> str:
        scheme, found, rest = raw.partition("://")
        if not found:
            return any_host.parse(raw or _DEFAULT_HOST)
        if scheme not in _SCHEMES:
            raise ValueError("this is the address of the box, like fritz.box")
        return f"{scheme}://{any_host.parse(rest)}"

    return Kind(parse, "host, host:port or address", inline_comments=False)


def _ain() -> Kind[str]:
    """The number of a device; without a sub-unit the first one is meant."""

    def parse(raw: str) -> str:
        ain = "".join(raw.split())
        return ain if not ain or _SUB_UNIT.search(ain) else f"{ain}-1"

    return Kind(parse, "device number", inline_comments=False)


@dataclass(frozen=True)
class Options(MeterOptions):
    """Options of ``[FRITZ]``."""

    host: str = option(
        _box(),
        default=_DEFAULT_HOST,
        help="Address of the FRITZ!Box; http:// or https:// may stand in front.",
        example="192.168.178.1",
    )
    user: str = option(
        text(),
        default="",
        help="User of the box, with the right Smart Home.",
        example="astrameter",
    )
    password: str = option(text(), default="", secret=True, help="Password of that user.")
    ain: str = option(
        _ain(),
        required=True,
        help="Number of the read head, as the box shows it (AIN). Without -1 or -2 behind it, -1 "
        "is meant; both tell the power with its sign.",
        example="12345 0123456",
    )
    https: bool = option(
        boolean(), default=False, help="Use https, where HOST does not say what to use."
    )
    verify_ssl: bool = option(
        boolean(),
        default=True,
        help="With https, check the certificate of the box. Boxes sign their own: turn it off "
        "unless this computer trusts it.",
    )
    timeout: float = option(
        number(0.1, 60),
        default=10.0,
        unit="s",
        help="How long to wait for an answer. A battery asks about once a second.",
    )

    def url(self, path: str, query: str) -> Url:
        """The address of ``path`` on the box.

        :param query: escaped.
        """
        scheme, found, name = self.host.partition("://")
        if not found:
            scheme, name = ("https" if self.https else "http"), self.host
        return replace(device_url(name, path, scheme=scheme), query=query)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What the box says about a login.

    :ivar sid: the session; None when there is none.
    :ivar challenge: what the next login has to answer.
    :ivar blocked_s: how long the box takes no login, seconds.
    """

    sid: str | None
    challenge: str
    blocked_s: float


def session_info(body: bytes) -> SessionInfo:
    """Read an answer of ``login_sid.lua``.

    :raises MeterError: ``undecodable`` when it is no XML; ``missing_field`` without a ``SID``.
    """
    root = _xml(body)
    sid = _text(root, "SID")
    if not _SESSION.match(sid):
        raise MeterError("missing_field", "the answer has no session: is it a FRITZ!Box?")
    try:
        blocked_s = as_number(_text(root, "BlockTime"), "BlockTime")
    except MeterError:
        blocked_s = 0.0
    return SessionInfo(None if sid == NO_SESSION else sid, _text(root, "Challenge"), blocked_s)


def power_of(body: bytes, ain: str) -> float:
    """Watts of one device in an answer to ``getdevicelistinfos``.

    :param ain: its number without blanks.
    :raises MeterError: ``missing_field`` when the box has no such device, or one that does not
        measure; ``device_status`` when it lost the device; ``not_numeric``; ``undecodable``.
    """
    for device in _xml(body).iter("device"):
        if "".join(device.get("identifier", "").split()) != ain:
            continue
        if _text(device, "present") == "0":
            raise MeterError(
                "device_status",
                f"the box has lost {ain}: is it in reach, is its battery full?",
            )
        power = device.find("powermeter/power")
        if power is None:
            raise MeterError("missing_field", f"{ain} tells no power: is it the read head?")
        return as_number(power.text or "", f"the power of {ain}") / _MILLIWATTS
    raise MeterError("missing_field", f"the box knows no device {ain}: check AIN")


def _xml(body: bytes) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        return ElementTree.fromstring(body, parser)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise MeterError("undecodable", "the answer is no XML: is it a FRITZ!Box?") from None


class _Builder(ElementTree.TreeBuilder):
    """Refuses document types: no box sends one, and their entities can fill the memory."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise ValueError("a document type")


def _text(root: ElementTree.Element, name: str) -> str:
    return (root.findtext(name) or "").strip()


class Answers:
    """Answers the challenges of a box for one password."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._first = (b"", 0, b"")

    def response(self, challenge: str) -> str:
        """The answer to a challenge (meters.md section 23).

        :raises MeterError: ``bad_structure`` when it asks for more than :data:`MAX_ROUNDS`.
        """
        found = _CHALLENGE.match(challenge)
        if found is None:
            return _md5_response(challenge, self._password)
        rounds, second_rounds = int(found[1]), int(found[3])
        if not rounds or not second_rounds or rounds + second_rounds > MAX_ROUNDS:
            raise MeterError("bad_structure", "the box asks for an impossible login")
        first = self._derived(bytes.fromhex(found[2]), rounds)
        second = hashlib.pbkdf2_hmac("sha256", first, bytes.fromhex(found[4]), second_rounds)
        return f"{found[4]}${second.hex()}"

    def _derived(self, salt: bytes, rounds: int) -> bytes:
        """The slow half; it stays the same from login to login."""
        if self._first[:2] != (salt, rounds):
            derived = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, rounds)
            self._first = (salt, rounds, derived)
        return self._first[2]


def _md5_response(challenge: str, password: str) -> str:
    """Older boxes; they see a dot for each letter beyond Latin-1."""
    dotted = "".join(x if ord(x) <= _LAST_LATIN else "." for x in password)
    words = f"{challenge}-{dotted}".encode("utf-16-le", "replace")
    return f"{challenge}-{hashlib.md5(words, usedforsecurity=False).hexdigest()}"


class Box:
    """The requests to one FRITZ!Box."""

    def __init__(self, client: HttpClient, clock: Any, options: Options) -> None:
        self._client = client
        self._options = options
        self._answers = Answers(options.password)
        self._login = Login(clock, self._log_in)

    async def read(self) -> Sequence[float]:
        """The present power, after a login if one is needed."""
        body = await self._login.ask(self._devices)
        return [power_of(body, self._options.ain)]

    async def _devices(self, sid: str) -> bytes:
        query = f"switchcmd=getdevicelistinfos&sid={sid}"
        answer = await self._get("/webservices/homeautoswitch.lua", query)
        if answer.status == 403:
            raise ExpiredError(
                "session_expired",
                "the box does not let this user: does USER have the right Smart Home?",
            )
        return answer.checked().body

    async def _log_in(self) -> str:
        info = await self._session("version=2")
        if info.sid is not None:
            return info.sid
        response = quote(self._answers.response(info.challenge), safe="$")
        user = quote(self._options.user, safe="")
        info = await self._session(f"version=2&username={user}&response={response}")
        if info.sid is None:
            blocked = f"; the box blocks for {info.blocked_s:.0f} s" if info.blocked_s > 0 else ""
            raise RefusedError(
                f"the box refuses the login: check USER and PASSWORD{blocked}", info.blocked_s
            )
        return info.sid

    async def _session(self, query: str) -> SessionInfo:
        return session_info((await self._get("/login_sid.lua", query)).checked().body)

    async def _get(self, path: str, query: str) -> Answer:
        try:
            return await self._client.send(prepare(self._options.url(path, query)))
        except MeterError as error:
            if error.kind == "tls_certificate":
                raise MeterError(error.kind, f"{error}; or set VERIFY_SSL = no") from None
            raise


def _check(options: Options) -> Iterable[tuple[str, str]]:
    if not options.ain:
        yield "AIN", "is missing: the box shows it on the page of the read head"


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(
        reactor,
        timeout_s=options.timeout,
        connect_timeout_s=options.timeout,
        verify_tls=options.verify_ssl,
    )
    return PolledMeter(section, reactor, Box(client, reactor, options).read, client.close)


KIND = MeterKind(
    Section(
        "FRITZ",
        Options,
        help="A FRITZ!Smart Energy 250 on the electricity meter, read through a FRITZ!Box. It has "
        "a new value every 10 s at best: set THROTTLE_INTERVAL = 10. On battery power it has one "
        "every 2 minutes, which is too slow to steer by.",
        many=True,
        example={"USER": "astrameter", "PASSWORD": "secret", "AIN": "12345 0123456"},
    ),
    build,
)
