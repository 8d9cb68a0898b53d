"""Where a broker is and how to log in: the settings and their URI form (meters.md section 13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

PORT = 1883
TLS_PORT = 8883

_FORM = "write it like mqtt://user:password@host:1883, or mqtts:// for TLS"
_ENCODE = "write @ : / ? # % in a name or password as %40 %3A %2F %3F %23 %25"


@dataclass(frozen=True)
class MqttSettings:
    """One broker, as seen by one client.

    :ivar username: None logs in without a name; the password is then not sent either.
    :ivar client_id: as the broker knows us; empty is replaced by a random one.
    """

    host: str
    port: int = PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    client_id: str = ""

    @property
    def address(self) -> str:
        """``host:port`` for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_uri(text: str) -> MqttSettings:
    """Read ``mqtt[s]://[user[:password]@]host[:port][/]``.

    Strict, because a path or a query that is dropped in silence makes its author believe that it
    has an effect.

    :raises ValueError: when it has another form; the text never repeats the URI, which may hold a
        password.
    """
    text = text.strip()
    scheme, colon, rest = text.partition("://")
    tls = scheme.lower() == "mqtts"
    if not colon or not (tls or scheme.lower() == "mqtt"):
        raise ValueError(f"the scheme is mqtt or mqtts: {_FORM}")
    if any(character in rest for character in "?#;"):
        raise ValueError(f"no parameters, query or fragment belong here: {_FORM}; {_ENCODE}")
    if any(character.isspace() or not character.isprintable() for character in rest):
        raise ValueError(f"no blanks belong into a URI; {_FORM}")
    try:
        parts = urlsplit(f"//{rest}")
        host = parts.hostname or ""
        username = unquote(parts.username or "", errors="strict")
        password = None if parts.password is None else unquote(parts.password, errors="strict")
    except ValueError:
        raise ValueError(f"host, user or password cannot be read; {_FORM}; {_ENCODE}") from None
    if parts.path not in ("", "/"):
        raise ValueError(f"nothing may follow host and port: {_FORM}; {_ENCODE}")
    if not host:
        raise ValueError(f"the host is missing: {_FORM}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"the port is 1..65535; {_ENCODE}")
    return MqttSettings(host, port or (TLS_PORT if tls else PORT), username or None, password, tls)
