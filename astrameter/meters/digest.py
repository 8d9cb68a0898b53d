"""HTTP digest authentication, the client's side (RFC 7616, meters.md section 3).

Pure: challenges in, Authorization headers out. A client uses it like this::

    login = DigestLogin("admin", "secret", lambda: secrets.token_hex(8))
    answer = send(authorization=login.authorization("GET", "/status"))
    if answer.status == 401 and login.challenged(answer.www_authenticate):
        answer = send(authorization=login.authorization("GET", "/status"))
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_HASHES: dict[str, Callable[[bytes], Any]] = {
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "SHA": partial(hashlib.sha1, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
}
_SESSION = "-SESS"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))', re.DOTALL)
_SCHEME = re.compile(_TOKEN)
_BETWEEN = re.compile(r"[\s,]*")
_REST_OF_JUNK = re.compile(r"[^,]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server wants to have answered.

    :ivar algorithm: as the server writes it; empty when it names none, which means MD5.
    :ivar qop: whether it takes quality of protection ``auth``; else the old form of RFC 2069.
    :ivar stale: the user is right, only the nonce was too old.
    """

    realm: str
    nonce: str
    algorithm: str = ""
    qop: bool = True
    opaque: str | None = None
    stale: bool = False

    @property
    def session(self) -> bool:
        """Whether the user's hash is made once for all requests under this nonce."""
        return self.algorithm.upper().endswith(_SESSION)

    def digest(self, text: str) -> str:
        """The hash of a text, in hexadecimal digits."""
        name = self.algorithm.upper().removesuffix(_SESSION) or "MD5"
        return str(_HASHES[name](text.encode()).hexdigest())


def challenge_of(headers: Iterable[str]) -> Challenge | None:
    """The first challenge that can be answered, of all WWW-Authenticate headers of an answer.

    Servers write the one that they like best first (RFC 7616 section 3.7).
    """
    for header in headers:
        for scheme, parameters in _challenges(header):
            if scheme == "digest" and (found := _usable(parameters)) is not None:
                return found
    return None


class DigestLogin:
    """Answers the challenges of one server for one user.

    Keeps the last challenge, so that later requests are right at once.

    :param cnonce: makes a fresh random text, never the same twice.
    """

    def __init__(self, user: str, password: str, cnonce: Callable[[], str]) -> None:
        self._user = user
        self._password = password
        self._make_cnonce = cnonce
        self._challenge: Challenge | None = None
        self._cnonce = ""
        self._count = 0

    def challenged(self, headers: Iterable[str]) -> bool:
        """Take in the WWW-Authenticate headers of a 401: is it worth asking again?

        Not when there is nothing to answer, nor when it was just answered: then user name or
        password are wrong.
        """
        before, self._challenge = self._challenge, challenge_of(headers)
        self._count = 0
        if self._challenge is None or before is None or self._challenge.stale:
            return self._challenge is not None
        if self._challenge.nonce == before.nonce:
            self._challenge = None
            return False
        return True

    def authorization(self, method: str, uri: str) -> str | None:
        """The Authorization header of the next request; None before the first challenge.

        :param uri: path and query as they are sent.
        """
        challenge = self._challenge
        if challenge is None:
            return None
        self._count += 1
        if self._count == 1 or not challenge.session:
            self._cnonce = self._make_cnonce()
        return _authorization(
            challenge, self._user, self._password, method, uri, self._count, self._cnonce
        )


def _authorization(
    challenge: Challenge, user: str, password: str, method: str, uri: str, count: int, cnonce: str
) -> str:
    """RFC 7616 section 3.4."""
    digest = challenge.digest
    secret = digest(f"{user}:{challenge.realm}:{password}")
    if challenge.session:
        secret = digest(f"{secret}:{challenge.nonce}:{cnonce}")
    quality = f"{count:08x}:{cnonce}:auth:" if challenge.qop else ""
    response = digest(f"{secret}:{challenge.nonce}:{quality}{digest(f'{method}:{uri}')}")
    parts = [
        f"username={_quoted(user)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f'uri="{uri}"',
        f'response="{response}"',
    ]
    if challenge.opaque is not None:
        parts.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.algorithm:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        parts += ["qop=auth", f"nc={count:08x}"]
    if challenge.qop or challenge.session:
        parts.append(f'cnonce="{cnonce}"')
    return f"Digest {', '.join(parts)}"


def _usable(parameters: dict[str, str]) -> Challenge | None:
    algorithm = parameters.get("algorithm", "")
    offered = {word.strip().lower() for word in parameters.get("qop", "").split(",")} - {""}
    known = not algorithm or algorithm.upper().removesuffix(_SESSION) in _HASHES
    if not known or "nonce" not in parameters or (offered and "auth" not in offered):
        return None
    return Challenge(
        parameters.get("realm", ""),
        parameters["nonce"],
        algorithm,
        bool(offered),
        parameters.get("opaque"),
        parameters.get("stale", "").lower() == "true",
    )


def _challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The schemes of a WWW-Authenticate header, in lower case, with their parameters.

    What is neither is passed over up to the next comma.
    """
    scheme, parameters = "", dict[str, str]()
    at = 0
    while (at := _end(_BETWEEN, header, at)) < len(header):
        if parameter := _PARAMETER.match(header, at):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            at = parameter.end()
        elif word := _SCHEME.match(header, at):
            yield scheme, parameters
            scheme, parameters = word[0].lower(), {}
            at = word.end()
        else:
            at = _end(_REST_OF_JUNK, header, at)
    yield scheme, parameters


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a match of ``pattern``, which may be empty, ends."""
    found = pattern.match(text, at)
    assert found is not None
    return found.end()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
