"""What somebody on the network says in a datagram, as far as that can be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

from astrameter.ct.request import parse_request
from astrameter.ct.responder import SEARCH
from astrameter.ct.wire import FrameError, decode
from astrameter.shelly.rpc import MAX_REQUEST_BYTES

_SHOWN_CHARACTERS = 32


class Speech(Enum):
    """The language of a datagram."""

    SEARCH = "search for a CT"
    CT = "CT poll"
    SHELLY = "Shelly request"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Message:
    """One datagram.

    :ivar device_type, mac, ct_type, ct_mac, phase, participates: of a CT poll.
    :ivar method: of a Shelly request.
    """

    speech: Speech
    device_type: str = ""
    mac: str = ""
    ct_type: str = ""
    ct_mac: str = ""
    phase: str = ""
    participates: bool = True
    method: str = ""


OTHER = Message(Speech.OTHER)


def understand(datagram: bytes) -> Message:
    """Read one datagram. Total: never raises, whatever the bytes; texts are short."""
    if datagram == SEARCH:
        return Message(Speech.SEARCH)
    if datagram[:1] == b"\x01":
        return _ct(datagram)
    return _shelly(datagram)


def _ct(datagram: bytes) -> Message:
    try:
        request = parse_request(decode(datagram))
    except FrameError:
        return OTHER
    if request is None:
        return OTHER
    return Message(
        Speech.CT,
        brief(request.device_type),
        brief(request.battery_mac),
        brief(request.ct_type),
        brief(request.ct_mac),
        request.phase,
        request.participates,
    )


def _shelly(datagram: bytes) -> Message:
    if len(datagram) > MAX_REQUEST_BYTES:
        return OTHER
    try:
        document = json.loads(datagram.decode("utf-8"))
    except (ValueError, RecursionError):
        return OTHER
    method = document.get("method") if isinstance(document, dict) else None
    if not isinstance(method, str):
        return OTHER
    return Message(Speech.SHELLY, method=brief(method))


def brief(text: str) -> str:
    """A field as it is shown and compared: without outer blanks, and short."""
    return text.strip()[:_SHOWN_CHARACTERS]
