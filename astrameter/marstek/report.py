"""What a CT tells the vendor's cloud, as URLs (marstek-cloud.md part B)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from astrameter.ct.aggregate import Buckets
from astrameter.marstek.account import VERSION
from astrameter.meters.urls import Url, parse_url

FIRMWARE_DATE = "202409090159"

_CT003 = "HME-3"
_CHARGE = ("cz", "ca", "cb", "cc", "cd")
_DISCHARGE = ("dz", "da", "db", "dc", "dd")


@dataclass(frozen=True)
class Report:
    """What is known at one moment.

    :ivar watts: the meter's phases, unfiltered.
    :ivar slaves: batteries that have polled.
    :ivar mqtt: readings are published to a broker, too.
    :ivar at: the time of day at the house.
    """

    watts: Sequence[float]
    buckets: Buckets
    slaves: int
    rssi: int
    mqtt: bool
    at: datetime


def handshake_url(host: str, identity: str, ct_type: str) -> Url:
    """Asks for the time, and registers type and firmware: they must be those of the account, or
    the app takes the device for something else (B.2)."""
    model = quote(ct_type, safe="")
    query = f"uid={quote(identity, safe='')}&fcv={FIRMWARE_DATE}&aid={model}&sv={VERSION}"
    return parse_url(f"http://{host}/app/neng/getDateInfoeu.php?{query}")


def report_url(host: str, identity: str, ct_type: str, report: Report) -> Url:
    """One report (B.3)."""
    return parse_url(
        f"http://{host}/prod/api/v1/setCtReporting?{_query(identity, ct_type, report)}"
    )


def _query(identity: str, ct_type: str, report: Report) -> str:
    phases = [round(value) for value in (*report.watts, 0.0, 0.0, 0.0)[:3]]
    a, b, c = phases
    head = f"id={quote(identity, safe='')}&eled=0&elet=0&ap={a}&bp={b}&cp={c}&dp={sum(phases)}"
    # A real CT003 leaves out the & behind slv, and the server knows it so.
    gap = "" if ct_type == _CT003 else "&"
    link = f"rssi={report.rssi}&slv={report.slaves}{gap}udp=1&mqtt={int(report.mqtt)}"
    time = f"timeNo={int(report.at.timestamp())}&date={report.at:%Y-%m-%d}"
    parts = [head, link, time]
    if ct_type != _CT003:
        parts.append("va=0&vb=0&vc=0&ia=0.00&ib=0.00&ic=0.00")
    for names, powers in (
        (_CHARGE, report.buckets.charge_w),
        (_DISCHARGE, report.buckets.discharge_w),
    ):
        parts += [f"{name}={power}" for name, power in zip(names, powers, strict=True)]
    return "&".join(parts)
