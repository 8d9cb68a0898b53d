"""What travels on the control socket: lines of JSON, and nothing longer than it may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = 1
"""Grows when a client of the version before would misunderstand."""

MAX_REQUEST = 4096
"""The longest line a client may send."""

MAX_ANSWER = 8 << 20
"""The longest line a client takes; 256 batteries with all their decisions need some 2 MiB."""

_LONGEST_TEXT = 400


class ControlError(Exception):
    """A request that cannot be followed.

    :ivar kind: one stable word: ``bad_request``, ``unknown_verb``, ``unknown_battery``,
        ``unknown_device``, ``refused``, ``too_many``, ``not_allowed`` or ``broken``; a client
        adds ``not_running``, ``other_version``, ``timeout`` and ``closed``.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text[:_LONGEST_TEXT])
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Request:
    """What a client wants.

    :ivar number: the client's own; the answer repeats it. None when it gave none.
    """

    number: int | str | None
    verb: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hello:
    """What the daemon says first.

    :ivar version: of the daemon, for people.
    """

    version: str
    protocol: int
    verbs: tuple[str, ...] = ()


class Lines:
    """Cuts a stream into lines.

    :param limit: the longest line, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their ends.

        :raises ControlError: a line is too long; the stream cannot be used any more.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > self._limit:
            raise ControlError("bad_request", f"a line has at most {self._limit} bytes")
        return lines


def encode(document: Mapping[str, Any]) -> bytes:
    """One line.

    :raises ValueError: there is something in it that JSON cannot say.
    """
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The JSON object on one line.

    :raises ControlError: there is none.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ControlError("bad_request", 'a line is a JSON object, like {"verb": "status"}')
    return document


def request_of(document: Mapping[str, Any]) -> Request:
    """Understand what a client sent.

    :raises ControlError: it is no request.
    """
    verb, args = document.get("verb"), document.get("args", {})
    if not isinstance(verb, str) or not verb:
        raise ControlError("bad_request", 'a request has a verb, like {"verb": "status"}')
    if not isinstance(args, dict):
        raise ControlError("bad_request", "args is a JSON object")
    return Request(number_of(document), verb, args)


def number_of(document: Mapping[str, Any]) -> int | str | None:
    """The ``id`` of a request or an answer; None when it has no proper one."""
    number = document.get("id")
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    return number


def result(number: int | str | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request that was followed."""
    return {"id": number, "result": found}


def refusal(number: int | str | None, error: ControlError) -> dict[str, Any]:
    """The answer to one that was not."""
    return {"id": number, "error": {"kind": error.kind, "text": str(error)}}


def event(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a client that watches is told."""
    return {"event": name, "data": data}


def hello(version: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    """What the daemon says first."""
    return {"astrameter": version, "protocol": PROTOCOL, "verbs": list(verbs)}


def hello_of(document: Mapping[str, Any]) -> Hello:
    """Understand what the daemon said first.

    :raises ControlError: it refused us, or it is no daemon.
    """
    raise_error(document)
    version, protocol = document.get("astrameter"), document.get("protocol")
    verbs = document.get("verbs")
    if not isinstance(version, str) or not isinstance(protocol, int):
        raise ControlError("other_version", "whoever listens there is no AstraMeter")
    words = [one for one in verbs if isinstance(one, str)] if isinstance(verbs, list) else []
    return Hello(version, protocol, tuple(words))


def raise_error(document: Mapping[str, Any]) -> None:
    """Raise the error that an answer holds, if it does.

    :raises ControlError: what the daemon said.
    """
    error = document.get("error")
    if error is None:
        return
    if not isinstance(error, dict):
        error = {}
    raise ControlError(str(error.get("kind", "broken")), str(error.get("text", "it failed")))
