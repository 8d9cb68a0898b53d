"""The options of ``[STATE]``: where to keep what survives a restart, besides the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from astrameter.options import Kind, Section, option, text

PORT = 6379

_FORM = "write it like redis://user:password@host:6379, or rediss:// for TLS"
_ENCODE = "write @ : / ? # % in a name or password as %40 %3A %2F %3F %23 %25"


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis server is, and how to log in.

    :ivar username: empty for the server's default user.
    :ivar password: None does not log in.
    """

    host: str
    port: int = PORT
    username: str = ""
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @property
    def shown(self) -> str:
        """``host:port`` for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(raw: str) -> RedisAddress:
    """Read ``redis[s]://[[user]:password@]host[:port][/]``.

    :raises ValueError: whose text says what is wanted, and never repeats a password.
    """
    scheme, colon, rest = raw.strip().partition("://")
    tls = scheme.lower() == "rediss"
    if not colon or not (tls or scheme.lower() == "redis"):
        raise ValueError(f"the scheme is redis or rediss: {_FORM}")
    if any(c in rest for c in "?#") or any(c.isspace() for c in rest):
        raise ValueError(f"no parameters and no blanks belong here: {_FORM}; {_ENCODE}")
    try:
        parts = urlsplit(f"//{rest}")
        host = parts.hostname or ""
        username = unquote(parts.username or "", errors="strict")
        password = None if parts.password is None else unquote(parts.password, errors="strict")
    except ValueError:
        raise ValueError(f"host, user or password cannot be read; {_FORM}; {_ENCODE}") from None
    try:
        port = PORT if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"the port is 1..65535; {_ENCODE}")
    if parts.path not in ("", "/"):
        raise ValueError("no database number: two that share a server have each a PREFIX instead")
    if not host:
        raise ValueError(f"the host is missing: {_FORM}")
    if username and password is None:
        raise ValueError(f"a user needs a password; a password alone is :password@; {_FORM}")
    return RedisAddress(host, port, username, password, tls)


def prefix() -> Kind[str]:
    """The kind of an option that holds the beginning of a Redis key."""

    def parse(raw: str) -> str:
        if not raw or len(raw) > 64 or not all(c.isascii() and c.isprintable() for c in raw):
            raise ValueError("this is 1..64 plain characters, like astrameter")
        return raw

    base = text()
    return Kind(parse, "text of 1..64 characters", base.render, inline_comments=False)


@dataclass(frozen=True)
class StateOptions:
    """Options of ``[STATE]``."""

    uri: str = option(
        text(),
        default="",
        secret=True,
        help="A Redis server that also keeps what survives a restart: where the daemon has no "
        "disk of its own, or where another computer is to go on with it. Not set: the file alone.",
        example="redis://:password@192.168.1.5:6379",
    )
    prefix: str = option(
        prefix(),
        default="astrameter",
        help="Begins the name of the one key we use there (PREFIX:state). Houses that share a "
        "server each have their own.",
    )

    @property
    def address(self) -> RedisAddress | None:
        """The server, of checked options; None when there is none."""
        return parse_address(self.uri) if self.uri else None


def check(options: StateOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    try:
        parse_address(options.uri or "redis://none")
    except ValueError as error:
        # Said here, because of a secret value the loader says no more than that it is wrong.
        yield "URI", str(error)


STATE = Section(
    "STATE",
    StateOptions,
    help="What survives a restart: the settings of each battery, energy counters, what was "
    "learned and registered. It is kept in state.json in the directory $STATE_DIRECTORY, else "
    "~/.local/state/astrameter; no setting is needed for that.",
    check=check,
)
