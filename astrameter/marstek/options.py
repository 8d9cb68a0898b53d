"""The options about the vendor's account and cloud; everything is off unless it is switched on."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from astrameter.meters.urls import Url, host, http_url, parse_url
from astrameter.options import Kind, Section, boolean, number, option, text

DEFAULT_HOST = "eu.hamedata.com"

_BASE_URL = parse_url(f"https://{DEFAULT_HOST}")


def _host() -> Kind[str]:
    """A device's address; none means the vendor's server."""
    kind = host()
    return Kind(lambda raw: kind.parse(raw or DEFAULT_HOST), kind.describe, inline_comments=False)


@dataclass(frozen=True)
class MarstekOptions:
    """Options of ``[MARSTEK]`` (marstek-cloud.md section A.1)."""

    enable: bool = option(
        boolean(),
        default=False,
        help="Create a CT in your Marstek account, so that the app offers it to the batteries and "
        "AstraMeter can answer the app. Sends e-mail address and password to the vendor, once.",
    )
    base_url: Url = option(  # noqa: RUF009  it is dataclasses.field()
        http_url(),
        default=_BASE_URL,
        help="The vendor's server of your region.",
        example="https://us.hamedata.com",
    )
    mailbox: str = option(
        text(), default="", help="The account's e-mail address.", example="me@example.com"
    )
    password: str = option(
        text(),
        default="",
        secret=True,
        help="The account's password. It and the address may be deleted when the CT has been "
        "created: that is remembered.",
        example="password",
    )
    timezone: str = option(
        text(), default="Europe/Berlin", help="Where the account is told the CT stands."
    )


@dataclass(frozen=True)
class CloudReportingOptions:
    """Options in each CT section (marstek-cloud.md section B.1)."""

    cloud_reporting: bool = option(
        boolean(),
        default=False,
        help="Send the readings and the powers of the batteries to the vendor's cloud, as a real "
        "CT does: unencrypted and regularly. Experimental; batteries do not need it.",
    )
    cloud_reporting_host: str = option(
        _host(),
        default=DEFAULT_HOST,
        help="Where they are sent: host or host:port.",
        example="us.hamedata.com",
    )
    cloud_reporting_interval: float = option(
        number(1, clamp=True), default=60.0, unit="s", help="How often they are sent."
    )


def check(options: MarstekOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    url = options.base_url
    if url.scheme == "http" and options.enable and not _is_here(url.host):
        yield "BASE_URL", "use https://: the password would be sent for everybody to read"


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


MARSTEK = Section(
    "MARSTEK",
    MarstekOptions,
    help="Your account at the vendor of the batteries. Nothing is sent there unless ENABLE is on; "
    "docs/marstek-cloud.md says what is sent then.",
    check=check,
)
