"""The order of the filters around a meter (filters.md section 2)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from astrameter.filters.health import Health
from astrameter.filters.throttle import Throttle
from astrameter.filters.transform import Transform
from astrameter.meters.interface import IMeter, ISource
from astrameter.meters.options import MeterOptions


def build_chain(
    meter: IMeter,
    options: MeterOptions,
    clock: IReactorTime,
    changed: Callable[[str | None], None] = lambda _error: None,
) -> Health:
    """Wrap ``meter`` with the filters that its options switch on, health outermost.

    A filter that is off is absent. ``changed`` hears when reads begin to fail and when they
    work again.
    """
    source: ISource = meter
    if options.power_multiplier or options.power_offset:
        source = Transform(source, options, meter.section)
    if options.throttle_interval > 0:
        source = Throttle(source, options.throttle_interval, clock, meter.section)
    return Health(source, clock, changed)
