"""The order of the filters around a meter (filters.md section 2)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from astrameter.filters.age import AgeLimit
from astrameter.filters.applied import Applied, Step
from astrameter.filters.deadband import Deadband
from astrameter.filters.hampel import Hampel
from astrameter.filters.health import Health
from astrameter.filters.pid import Pid
from astrameter.filters.smooth import Smooth
from astrameter.filters.throttle import Throttle
from astrameter.filters.transform import Transform
from astrameter.meters.interface import IMeter, ISource
from astrameter.meters.options import MeterOptions


def build_chain(
    meter: IMeter,
    options: MeterOptions,
    clock: IReactorTime,
    changed: Callable[[str | None], None] = lambda _error: None,
    *,
    max_age_s: float = 0.0,
) -> Health:
    """Wrap ``meter`` with the filters that its options switch on, health outermost.

    :param max_age_s: how old a reading of this kind of meter may get, unless the options say
        otherwise; 0 is no limit.

    A filter that is off is absent. ``changed`` hears when reads begin to fail and when they
    work again.
    """
    source: ISource = meter
    if options.max_age is not None:
        max_age_s = options.max_age
    if max_age_s > 0:
        source = AgeLimit(source, max_age_s, clock)
    if options.power_multiplier or options.power_offset:
        source = Transform(source, options, meter.section)
    if options.throttle_interval > 0:
        source = Throttle(source, options.throttle_interval, clock, meter.section)
    steps = _steps(options)
    if not steps:
        return Health(source, clock, changed)
    applied = Applied(source, steps)
    return Health(applied, clock, changed, applied.reset)


def _steps(options: MeterOptions) -> list[Step]:
    steps: list[Step] = []
    if options.hampel_window > 0:
        steps.append(Hampel(options))
    if options.smooth_target_alpha > 0:
        steps.append(Smooth(options))
    if options.deadband > 0:
        steps.append(Deadband(options))
    if options.pid_kp > 0:
        steps.append(Pid(options))
    return steps
