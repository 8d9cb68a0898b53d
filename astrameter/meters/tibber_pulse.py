"""The bridge of the Tibber Pulse on an infrared port (meters.md section 21).

It hands out the last telegram that the meter sent, in SML. What differs from AstraMeter 2.x: a
telegram counts from when it first came, so that a bridge whose Pulse has fallen silent is noticed;
one without a power is an error, where 2.x told the batteries 0 W.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from astrameter.meters import sml_values
from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.interface import MeterKind
from astrameter.meters.polled import PolledMeter
from astrameter.meters.sml_values import ObisOptions
from astrameter.meters.urls import device_url, host
from astrameter.options import Section, option, text
from astrameter.reading import MeterError, Sample, sample_of

REUSE_S = 15.0
"""How long a good reading stands in for telegrams that the bridge hands out half-written."""

MAX_AGE_S = 60.0
"""The Pulse sends every few seconds, and each telegram has counters that go on."""


@dataclass(frozen=True)
class Options(ObisOptions):
    """Options of ``[TIBBER_PULSE]``."""

    ip: str = option(
        host(),
        required=True,
        help="Address of the bridge. Its web server has to be switched on: parameter "
        "webserver-force-enable.",
        example="192.168.1.20",
    )
    user: str = option(text(), default="admin", help="User name at the bridge.")
    password: str = option(
        text(),
        default="",
        secret=True,
        help="The nine characters printed on the bridge, with the dash.",
    )
    node_id: str = option(text(), default="1", help="Number of the Pulse at this bridge.")


class Bridge:
    """The telegrams of one bridge as readings."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._body = b""
        self._last: Sample | None = None
        self._good_at = 0.0

    def sample(self, body: bytes, now: float) -> Sample:
        """The reading in an answer that came ``now``.

        :raises MeterError: ``undecodable`` when it cannot be read and the last good one is too
            old; ``missing_field``, ``wrong_unit`` or ``not_numeric`` when it has no power.
        """
        try:
            watts = sml_values.watts_in(body, self._options)
        except MeterError as error:
            if error.kind != "undecodable" or not self._can_reuse(now):
                raise
        else:
            if self._last is None or body != self._body:
                self._last = sample_of(watts, now)
                self._body = body
            self._good_at = now
        assert self._last is not None
        return self._last

    def _can_reuse(self, now: float) -> bool:
        return self._last is not None and now - self._good_at <= REUSE_S


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    client = HttpClient(reactor)
    url = device_url(options.ip, "/data.json", [("node_id", options.node_id)])
    request = prepare(url, login=(options.user, options.password))
    bridge = Bridge(options)

    async def fetch() -> Sample:
        answer = (await client.send(request)).checked()
        return bridge.sample(answer.body, reactor.seconds())

    return PolledMeter(section, reactor, fetch, client.close)


KIND = MeterKind(
    Section(
        "TIBBER_PULSE",
        Options,
        help="The bridge of a Tibber Pulse on the infrared port of the meter, asked at home "
        "without Tibber's cloud.",
        many=True,
        example={"IP": "192.168.1.20", "PASSWORD": "ABCD-1234"},
        check=sml_values.check,
    ),
    build,
    max_age_s=MAX_AGE_S,
)
