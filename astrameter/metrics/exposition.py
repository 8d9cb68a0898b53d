"""The figures as Prometheus reads them.

Imported when somebody asks for them the first time: the client library costs 0.8 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from astrameter.metrics.counts import BOUNDS_S, Durations
from astrameter.metrics.figures import BatteryFigures, DeviceFigures, Figures, MeterFigures

CONTENT_TYPE = CONTENT_TYPE_LATEST.encode("ascii")

MAX_BATTERIES = 64
"""At one emulated meter. Anybody in the network can invent names, and each is a new series."""

MAX_LABEL = 64

_DEVICE = ("type", "device")


def render(figures: Figures) -> bytes:
    """The text of ``/metrics``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield _gauge("astrameter_build_info", "1", ["version"], [([figures.version], 1.0)])
        yield _gauge("astrameter_uptime_seconds", "Since the start.", [], [([], figures.uptime_s)])
        yield from _loop(figures)
        yield from _meters(figures.meters)
        yield from _polls(figures.devices)
        yield from _batteries(figures.devices)
        yield from _links(figures)


def _loop(figures: Figures) -> Iterator[Metric]:
    name = "astrameter_loop_lag_seconds"
    what = "How late the event loop was with a timer of one second."
    family = HistogramMetricFamily(name, what)
    family.add_metric([], *_histogram(figures.lag))
    yield family
    what = "The worst of it since the last scrape."
    yield _gauge("astrameter_loop_lag_worst_seconds", what, [], [([], figures.worst_lag_s)])
    what = "Events that an observer was too slow for."
    dropped = [([name], float(n)) for name, n in figures.events_dropped.items()]
    yield _counter("astrameter_events_dropped", what, ["observer"], dropped)


def _meters(meters: Sequence[MeterFigures]) -> Iterator[Metric]:
    def rows(values: Iterable[tuple[MeterFigures, float | None]]) -> _Rows:
        return [([one.section], float(value)) for one, value in values if value is not None]

    label = ["meter"]
    up = rows((m, None if m.works is None else float(m.works)) for m in meters)
    yield _gauge("astrameter_meter_up", "Whether the last reading went well.", label, up)
    ages = rows((m, m.age_s) for m in meters)
    yield _gauge(
        "astrameter_meter_sample_age_seconds", "Of the last reading that went well.", label, ages
    )
    reads = rows((m, m.reads) for m in meters)
    yield _counter("astrameter_meter_reads", "Readings asked for.", label, reads)
    failures = rows((m, m.failures) for m in meters)
    yield _counter("astrameter_meter_read_failures", "Readings that failed.", label, failures)
    connections = rows((m, m.connections) for m in meters)
    what = "How often the stream of the meter has come up."
    yield _counter("astrameter_meter_connections", what, label, connections)
    phases = [
        ([m.section, phase], watts)
        for m in meters
        for phase, watts in zip("ABC", m.watts, strict=False)
    ]
    what = "Grid power, import positive; one phase stands for all where there is one."
    yield _gauge("astrameter_grid_power_watts", what, ["meter", "phase"], phases)


def _polls(devices: Sequence[DeviceFigures]) -> Iterator[Metric]:
    answered = HistogramMetricFamily(
        "astrameter_poll_seconds", "From a poll to its answer.", labels=_DEVICE
    )
    for one in devices:
        labels = [_label(one.type), _label(one.id)]
        answered.add_metric(labels, *_histogram(one.polls.answered))
    yield answered
    dropped = [
        ([one.type, one.id, reason], float(n))
        for one in devices
        for reason, n in one.polls.dropped.items()
    ]
    labels = [*_DEVICE, "reason"]
    yield _counter("astrameter_polls_dropped", "Polls without an answer.", labels, dropped)
    steers = [([d.type, d.id], float(d.steers)) for d in devices if d.steers is not None]
    what = "Whether the batteries are steered; else readings are relayed."
    yield _gauge("astrameter_active_control", what, _DEVICE, steers)


def _batteries(devices: Sequence[DeviceFigures]) -> Iterator[Metric]:
    counts = [([one.type, one.id], float(len(one.batteries))) for one in devices]
    yield _gauge("astrameter_batteries", "Batteries that poll.", _DEVICE, counts)
    shown = [(one, battery) for one in devices for battery in one.batteries[:MAX_BATTERIES]]
    for name, what, value_of in _OF_BATTERIES:
        rows = []
        for one, battery in shown:
            value = value_of(battery)
            if value is not None:
                rows.append(([one.type, one.id, battery.id], value))
        yield _gauge(f"astrameter_battery_{name}", what, [*_DEVICE, "battery"], rows)


_OF_BATTERIES: tuple[tuple[str, str, Callable[[BatteryFigures], float | None]], ...] = (
    ("power_watts", "What it reports, discharge positive.", lambda b: b.power_w),
    ("target_watts", "The output it is meant to reach.", lambda b: b.target_w),
    ("reading_watts", "The grid power it was told last.", lambda b: b.reading_w),
    ("saturation_ratio", "0 follows, 1 cannot follow.", lambda b: b.saturation),
    ("last_poll_age_seconds", "Since its last poll.", lambda b: b.age_s),
)


def _links(figures: Figures) -> Iterator[Metric]:
    up = [([one.name], float(one.connected)) for one in figures.links]
    yield _gauge("astrameter_link_up", "Whether it is connected.", ["link"], up)
    made = [([one.name], float(one.connections)) for one in figures.links]
    yield _counter("astrameter_link_connections", "How often it has connected.", ["link"], made)


_Rows = Sequence[tuple[list[str], float]]


def _gauge(name: str, what: str, labels: Sequence[str], rows: _Rows) -> Metric:
    return _filled(GaugeMetricFamily(name, what, labels=labels), rows)


def _counter(name: str, what: str, labels: Sequence[str], rows: _Rows) -> Metric:
    return _filled(CounterMetricFamily(name, what, labels=labels), rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: _Rows) -> Metric:
    """Prometheus refuses everything when two rows of one name have the same labels, and names
    that were cut may be the same."""
    seen = set()
    for values, value in rows:
        labels = tuple(map(_label, values))
        if labels not in seen:
            seen.add(labels)
            family.add_metric(labels, value)
    return family


def _histogram(durations: Durations) -> tuple[list[tuple[str, float]], float]:
    """Buckets as Prometheus wants them, each with all that is below it."""
    buckets, total = [], 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), durations.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets, durations.sum_s


def _label(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")[:MAX_LABEL]
