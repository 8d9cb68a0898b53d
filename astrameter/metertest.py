"""The test of every meter at start-up (filters.md section 12)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from astrameter.deferreds import sleep
from astrameter.meters.interface import IMeter, ISource
from astrameter.reading import MeterError

ATTEMPTS = 4
RETRY_AFTER_S = 5.0
FIRST_SAMPLE_S = 30.0

_log = Logger()


async def test_meters(meters: Sequence[tuple[IMeter, ISource]], clock: IReactorTime) -> str | None:
    """Read each meter once; returns what is wrong with the first that cannot be read.

    :param meters: each meter with the chain of filters around it.
    """
    for meter, chain in meters:
        error = await _test(meter, chain, clock)
        if error is not None:
            return f"[{meter.section}] could not be read in {ATTEMPTS} attempts: {error}"
    return None


async def _test(meter: IMeter, chain: ISource, clock: IReactorTime) -> str | None:
    error = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            await sleep(clock, RETRY_AFTER_S)
        try:
            await meter.first_sample(FIRST_SAMPLE_S)
            sample = await chain.read()
        except MeterError as failure:
            error = str(failure)
            if not attempt:
                _log.warn(
                    "[{section}] does not work yet: {error}", section=meter.section, error=error
                )
        else:
            watts = ", ".join(f"{w:g}" for w in sample.watts)
            _log.info("[{section}] works: {watts} W", section=meter.section, watts=watts)
            return None
    return error
