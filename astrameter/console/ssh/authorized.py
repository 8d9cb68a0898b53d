"""Who may log in: a file like OpenSSH's authorized_keys, with a role for each key.

A line is ``[options] kind base64 [comment]``. Without options a key may look;
``role="steer"`` lets it steer as well.
"""

from __future__ import annotations

import binascii
import os
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key
from twisted.logger import Logger

from astrameter.console.session import Role
from astrameter.console.ssh.algorithms import RSA_BITS, SIGNATURES
from astrameter.console.ssh.guarded import WRITABLE_BY_OTHERS, FileRefusedError, read_guarded

MAX_BYTES = 262_144
MAX_KEYS = 256
_MAX_LINE = 8192
_MAX_NAME = 64
_MAX_TOLD = 20

_OPTION = re.compile(r'([A-Za-z0-9@._-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^",\s]*)))?(,|(?=\s)|\Z)')
_HOLDS_ANYWAY = frozenset(
    ("restrict", "no-agent-forwarding", "no-port-forwarding", "no-user-rc", "no-x11-forwarding")
)
"""Options of OpenSSH that forbid what is never allowed here."""


@dataclass(frozen=True)
class AuthorizedKey:
    """A key that may log in.

    :ivar blob: the public key on the wire, by which it is found.
    :ivar name: the comment of its line, or its line number: for the log.
    """

    blob: bytes
    key: Key
    role: Role
    name: str


def parse(content: bytes) -> tuple[dict[bytes, AuthorizedKey], list[str]]:
    """The keys of a file by their blobs, and what is wrong with its lines, as "line N: ..."."""
    found: dict[bytes, AuthorizedKey] = {}
    wrong: list[str] = []
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            one = _line(raw, number)
            if one is None:
                continue
            if one.blob in found:
                raise ValueError("this key is there already; the first line counts")
            if len(found) >= MAX_KEYS:
                raise ValueError(f"there are more than {MAX_KEYS} keys; the rest is left out")
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            if len(found) >= MAX_KEYS:
                break
        else:
            found[one.blob] = one
    return found, wrong


def _line(raw: bytes, number: int) -> AuthorizedKey | None:
    """:raises ValueError: whose text says what is wrong with the line."""
    if len(raw) > _MAX_LINE:
        raise ValueError(f"it is longer than {_MAX_LINE} characters")
    line = raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    if not line or line.startswith("#"):
        return None
    role, rest = Role.VIEW, line
    if not _begins_with_kind(line):
        role, rest = _options(line)
    kind, _, rest = rest.partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    key = _key(kind, encoded)
    return AuthorizedKey(key.blob(), key, role, _name(comment) or f"the key of line {number}")


def _begins_with_kind(line: str) -> bool:
    kind = line.split(maxsplit=1)[0]
    return kind.encode() in SIGNATURES or kind.startswith(("ssh-", "ecdsa-", "sk-"))


def _options(line: str) -> tuple[Role, str]:
    """The role that the options give, and the line after them."""
    role, at = Role.VIEW, 0
    while True:
        found = _OPTION.match(line, at)
        if found is None:
            raise ValueError('the options cannot be read; write them like role="steer"')
        name, quoted, bare, end = found.groups()
        role = _option(name.lower(), bare if quoted is None else quoted, role)
        at = found.end()
        if end != ",":
            return role, line[at:].strip()


def _option(name: str, value: str | None, role: Role) -> Role:
    if name == "role":
        try:
            return Role((value or "").lower())
        except ValueError:
            raise ValueError(f'role="{value or ""}" is unknown; it is view or steer') from None
    if name in _HOLDS_ANYWAY and value is None:
        return role
    # Whoever wrote from="..." relies on it: a key without its limits is no key.
    raise ValueError(f"the option {name} is not supported here, so the key is left out")


def _key(kind: str, encoded: str) -> Key:
    if kind.encode() not in SIGNATURES:
        mend = "make one with ssh-keygen -t ed25519"
        if kind == "ssh-dss":
            raise ValueError(f"ssh-dss keys are too weak; {mend}")
        if kind.startswith("sk-") or "-cert-" in kind:
            raise ValueError(f"security keys and certificates are not supported; {mend}")
        raise ValueError(f"{kind[:40]!r} is no kind of key that is known here; {mend}")
    try:
        blob = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        mend = "it is the one long line of ssh-keygen's .pub file"
        raise ValueError(f"the key is damaged; {mend}") from None
    try:
        if getNS(blob)[0] != kind.encode():
            raise ValueError
        key: Key = Key.fromString(blob, type="blob")
        # What Conch reads beyond the end, or leaves, would be found under another blob.
        if key.blob() != blob:
            raise ValueError
    except Exception:  # noqa: BLE001  Conch's parsers raise whatever they stumble over
        raise ValueError(f"the key is damaged: it is no {kind} key") from None
    if key.type() == "RSA" and key.size() < RSA_BITS:
        raise ValueError(f"an RSA key has at least {RSA_BITS} bits, this one {key.size()}")
    return key


def _name(comment: str) -> str:
    cleaned = "".join(c if c.isprintable() else "?" for c in comment.strip())
    return cleaned[:_MAX_NAME]


class AuthorizedKeys:
    """The file, read again whenever it has changed.

    What is wrong with it is logged once for each change; nobody can log in with it then, or
    with the line that is wrong.
    """

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: Mapping[bytes, AuthorizedKey] = {}
        self._seen: object = self  # unlike any signature

    def find(self, blob: bytes) -> AuthorizedKey | None:
        """The key with this blob, if it may log in now."""
        self.refresh()
        return self._keys.get(blob)

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            content = read_guarded(self._path, WRITABLE_BY_OTHERS, "go-w", MAX_BYTES)
        except FileRefusedError as error:
            self._keys = {}
            self._log.error(
                "nobody can log in to the console over SSH: the file of authorised keys {error}",
                error=error,
            )
            return
        self._keys, wrong = parse(content)
        self._tell(wrong)

    def _tell(self, wrong: list[str]) -> None:
        for line in _shortened(wrong):
            self._log.warn("{path} {line}", path=str(self._path), line=line)
        steering = sum(one.role is Role.STEER for one in self._keys.values())
        self._log.info(
            "{path}: {keys} keys may log in to the console over SSH, {steering} of them may steer",
            path=str(self._path),
            keys=len(self._keys),
            steering=steering,
        )

    def _signature(self) -> object:
        try:
            status = os.stat(self._path)
        except OSError as error:
            return error.errno
        return (
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_size,
            status.st_ino,
            status.st_dev,
        )


def _shortened(wrong: list[str]) -> Iterator[str]:
    yield from wrong[:_MAX_TOLD]
    if len(wrong) > _MAX_TOLD:
        yield f"and {len(wrong) - _MAX_TOLD} more lines that cannot be used"
