"""Who may change the simulation: no web page that somebody happens to look at.

A browser lets any page send requests to this machine. Such a request carries the page's origin; a
page that has let its name point here (DNS rebinding) carries that name as the host.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_CROSS = ("cross-site", "same-site")


def refusal(
    host: str | None, origin: str | None, fetch_site: str | None, *, loopback: bool
) -> str | None:
    """Why a request that changes something is not done; None when it may be.

    :param host, origin, fetch_site: the headers ``Host``, ``Origin`` and ``Sec-Fetch-Site``.
    :param loopback: the API can be reached from this machine only.
    """
    if loopback and host is not None and not is_local(_name_of(host)):
        return f"this simulator is reached as localhost, not as {host[:100]!r}"
    if fetch_site is not None and fetch_site.strip().lower() in _CROSS:
        return "no other web site may change the simulation"
    if origin is not None and _authority(origin) != (host or "").strip().lower():
        return f"no page of {origin[:100]!r} may change the simulation"
    return None


def is_local(name: str) -> bool:
    """Whether a host name or an address means this machine."""
    if name.lower().rstrip(".") in _LOCAL_NAMES:
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """``[::1]:8080`` and ``localhost:8080`` without the port."""
    host = host.strip()
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0]


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.strip().lower()).netloc
    except ValueError:
        return ""
