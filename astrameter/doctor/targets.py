"""Where a meter is, by the names that all meters give to such options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.meters import mqtt
from astrameter.meters.urls import Url, parse_url


@dataclass(frozen=True)
class Target:
    """A device or server that a meter is read from.

    :ivar host: name or address.
    """

    host: str
    tls: bool


def target_of(options: Any) -> Target | None:
    """The device that checked options name; None for a serial line and the like."""
    if isinstance(options, mqtt.Options):
        broker = mqtt.settings_of(options)
        return Target(broker.host, broker.tls)
    url = getattr(options, "url", None)
    if isinstance(url, Url):
        return Target(url.host, url.scheme == "https")
    host = getattr(options, "ip", "") or getattr(options, "host", "")
    if not isinstance(host, str) or not host:
        return None
    # A certificate is only spoken of where there is TLS.
    tls = bool(getattr(options, "https", hasattr(options, "verify_ssl")))
    try:
        return Target(parse_url(f"http://{host}").host, tls)
    except ValueError:
        return Target(host, tls)
