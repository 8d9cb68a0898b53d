"""Addresses of meters that speak HTTP: read, built, and shown without secrets."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_plus, unquote, urljoin, urlsplit

from astrameter.options import Kind

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SAFE = "/:@!$&'()*+,;=~-._%"
_QUERY_SAFE = _PATH_SAFE + "?[]"


@dataclass(frozen=True, slots=True)
class Url:
    """The complete address of one resource, escaped as it is sent.

    :ivar host: in lower case; an IPv6 address without its brackets.
    :ivar path: starts with a slash.
    :ivar query: without the question mark; empty when there is none.
    :ivar login: user name and password given inside the address; None when there is none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    login: tuple[str, str] | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two addresses have in common that may share a secret."""
        return (self.scheme, self.host, self.port)

    @property
    def netloc(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For logs and errors: neither login nor query, either may hold a secret."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def sent(self) -> bytes:
        """What an HTTP agent is asked for: everything but the login."""
        text = f"{self.shown}?{self.query}" if self.query else self.shown
        return text.encode("ascii")

    def follow(self, location: str) -> Url:
        """The address that a redirect from here leads to; a login is not handed on.

        :raises ValueError: when the location is no http(s) address.
        """
        return replace(parse_url(urljoin(self.sent.decode("ascii"), location)), login=None)


def parse_url(text: str) -> Url:
    """Read a complete address, escaping what may not be sent as written.

    A blank of the query becomes ``+``, a stray ``%`` becomes ``%25``, a fragment is dropped
    (meters.md section 1.2).

    :raises ValueError: whose text says what is wanted.
    """
    wanted = "this is an address like http://192.168.1.20/status"
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname or ""
    except ValueError:
        raise ValueError(wanted) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{wanted}: it starts with http:// or https://")
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{wanted}: a port is 1..65535") from None
    login = None
    if parts.username is not None:
        login = (unquote(parts.username), unquote(parts.password or ""))
    return Url(
        parts.scheme,
        _checked_host(host, wanted),
        _DEFAULT_PORTS[parts.scheme] if port is None else port,
        quote(_STRAY_PERCENT.sub("%25", parts.path or "/"), safe=_PATH_SAFE),
        quote(_STRAY_PERCENT.sub("%25", parts.query.replace(" ", "+")), safe=_QUERY_SAFE),
        login,
    )


def device_url(
    host: str, path: str, query: Sequence[tuple[str, str | None]] = (), *, scheme: str = "http"
) -> Url:
    """The address of ``path`` on a device; names and values of the query are escaped.

    :param host: as the kind :func:`host` leaves it.
    :param query: names and values; None is a name alone (``?heute``).
    """
    base = parse_url(f"{scheme}://{host}")
    words = [quote_plus(k) if v is None else f"{quote_plus(k)}={quote_plus(v)}" for k, v in query]
    path = base.path.rstrip("/") + quote(_STRAY_PERCENT.sub("%25", path), safe=_PATH_SAFE)
    return replace(base, path=path, query="&".join(words))


def http_url() -> Kind[Url]:
    """The kind of an option that holds a complete http or https address."""
    return Kind(parse_url, "http(s) address", _render, inline_comments=False)


def host() -> Kind[str]:
    """The kind of an option that names a device: ``host``, ``host:port`` or ``[IPv6]:port``.

    People also write ``http://`` in front or a slash behind; both are dropped.
    """

    def parse(raw: str) -> str:
        name = raw.removeprefix("http://").rstrip("/")
        if "://" in name:
            raise ValueError("this is only the device's address, like 192.168.1.20")
        with contextlib.suppress(ValueError):
            name = f"[{ipaddress.IPv6Address(name)}]"
        try:
            url = parse_url(f"http://{name}")
        except ValueError:
            raise ValueError("this is the device's address, like 192.168.1.20") from None
        if url.query or "#" in name:
            raise ValueError("this is only the device's address, like 192.168.1.20")
        return name

    return Kind(parse, "host or host:port", inline_comments=False)


def _checked_host(host: str, wanted: str) -> str:
    if not host:
        raise ValueError(f"{wanted}: no host in it")
    try:
        if ":" in host and "%" not in host:
            return str(ipaddress.IPv6Address(host))
        ascii_host = host.encode("idna").decode("ascii")
    except ValueError:
        ascii_host = ""
    if not _HOST_NAME.match(ascii_host):
        raise ValueError(f"{wanted}: {host!r} is no host")
    return ascii_host


def _render(url: Url) -> str:
    text = url.sent.decode("ascii")
    if url.login is None:
        return text
    user, password = (quote(word, safe="") for word in url.login)
    return text.replace("://", f"://{user}:{password}@", 1)
