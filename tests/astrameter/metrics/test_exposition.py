"""The text of /metrics, read back by Prometheus' own parser."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from astrameter.metrics.counts import BOUNDS_S, Durations, PollCounts
from astrameter.metrics.exposition import CONTENT_TYPE, MAX_BATTERIES, MAX_LABEL, render
from astrameter.metrics.figures import (
    BatteryFigures,
    DeviceFigures,
    Figures,
    Link,
    MeterFigures,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

METER = MeterFigures("JSON_HTTP", True, (100.5, -20.0, 3.0), 0.5, 12, 2, None)
BATTERY = BatteryFigures("aabbccddee01", -250.0, -300.0, -50.0, 0.25, 1.5)


def figures(**changes: Any) -> Figures:
    known: dict[str, Any] = {
        "version": "3.0",
        "uptime_s": 61.5,
        "meters": [METER],
        "devices": [device()],
        "lag": Durations(),
        "worst_lag_s": 0.002,
    }
    return Figures(**{**known, **changes})


def device(*batteries: BatteryFigures, **changes: Any) -> DeviceFigures:
    known: dict[str, Any] = {"type": "ct002", "id": "device-1", "polls": PollCounts()}
    return DeviceFigures(**{**known, "batteries": batteries or (BATTERY,), **changes})


def samples(some: Figures) -> Samples:
    """Name and labels of every sample, with its value; names of our own only."""
    found: Samples = {}
    for family in text_string_to_metric_families(render(some).decode()):
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found, f"{key} is there twice"
            if one.name.startswith("astrameter_"):
                found[key] = one.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"astrameter_{name}", tuple(sorted(labels.items()))]


class Values(SynchronousTestCase):
    def test_the_daemon(self) -> None:
        found = samples(figures())
        self.assertEqual(value(found, "build_info", version="3.0"), 1)
        self.assertEqual(value(found, "uptime_seconds"), 61.5)
        self.assertTrue(CONTENT_TYPE.startswith(b"text/plain; version="))

    def test_a_meter(self) -> None:
        found = samples(figures())
        self.assertEqual(value(found, "meter_up", meter="JSON_HTTP"), 1)
        self.assertEqual(value(found, "meter_sample_age_seconds", meter="JSON_HTTP"), 0.5)
        self.assertEqual(value(found, "meter_reads_total", meter="JSON_HTTP"), 12)
        self.assertEqual(value(found, "meter_read_failures_total", meter="JSON_HTTP"), 2)
        phases = {p: value(found, "grid_power_watts", meter="JSON_HTTP", phase=p) for p in "ABC"}
        self.assertEqual(phases, {"A": 100.5, "B": -20, "C": 3})

    def test_what_is_not_known_is_not_told(self) -> None:
        none = MeterFigures("MQTT", None, (), None, 0, 0, 3)
        found = samples(figures(meters=[none], devices=[]))
        names = {name for name, _ in found}
        self.assertNotIn("astrameter_meter_up", names)
        self.assertNotIn("astrameter_grid_power_watts", names)
        self.assertNotIn("astrameter_meter_sample_age_seconds", names)
        self.assertEqual(value(found, "meter_connections_total", meter="MQTT"), 3)

    def test_a_battery(self) -> None:
        found = samples(figures())
        labels = {"type": "ct002", "device": "device-1", "battery": "aabbccddee01"}
        self.assertEqual(value(found, "battery_power_watts", **labels), -250)
        self.assertEqual(value(found, "battery_target_watts", **labels), -300)
        self.assertEqual(value(found, "battery_reading_watts", **labels), -50)
        self.assertEqual(value(found, "battery_saturation_ratio", **labels), 0.25)
        self.assertEqual(value(found, "battery_last_poll_age_seconds", **labels), 1.5)
        self.assertEqual(value(found, "batteries", type="ct002", device="device-1"), 1)

    def test_a_battery_at_a_shelly_tells_less(self) -> None:
        silent = BatteryFigures("10.0.0.1", None, None, None, None, 2.0)
        names = {name for name, _ in samples(figures(devices=[device(silent)]))}
        self.assertNotIn("astrameter_battery_power_watts", names)
        self.assertNotIn("astrameter_active_control", names)
        self.assertIn("astrameter_battery_last_poll_age_seconds", names)

    def test_polls(self) -> None:
        polls = PollCounts()
        for seconds in (0.0005, 0.003, 0.003, 99.0):
            polls.answered.add(seconds)
        polls.drop("bad_checksum")
        polls.drop("bad_checksum")
        found = samples(figures(devices=[device(polls=polls, steers=True)]))
        labels = {"type": "ct002", "device": "device-1"}
        self.assertEqual(value(found, "poll_seconds_count", **labels), 4)
        self.assertAlmostEqual(value(found, "poll_seconds_sum", **labels), 99.0065)
        for bound, count in (("0.001", 1), ("0.0025", 1), ("0.005", 3), ("10.0", 3), ("+Inf", 4)):
            self.assertEqual(value(found, "poll_seconds_bucket", le=bound, **labels), count)
        dropped = value(found, "polls_dropped_total", reason="bad_checksum", **labels)
        self.assertEqual(dropped, 2)
        self.assertEqual(value(found, "active_control", **labels), 1)

    def test_the_loop_links_and_observers(self) -> None:
        lag = Durations()
        lag.add(0.03)
        links = [Link("redis", True, 2), Link("mqtt_insights", False, 7)]
        found = samples(figures(lag=lag, links=links, events_dropped={"MQTT insights": 5}))
        self.assertEqual(value(found, "loop_lag_seconds_count"), 1)
        self.assertEqual(value(found, "loop_lag_worst_seconds"), 0.002)
        self.assertEqual(value(found, "link_up", link="redis"), 1)
        self.assertEqual(value(found, "link_up", link="mqtt_insights"), 0)
        self.assertEqual(value(found, "link_connections_total", link="mqtt_insights"), 7)
        self.assertEqual(value(found, "events_dropped_total", observer="MQTT insights"), 5)

    def test_the_process(self) -> None:
        text = render(figures()).decode()
        self.assertIn("\nprocess_resident_memory_bytes ", text)
        self.assertIn("\nprocess_cpu_seconds_total ", text)


class Bounds(SynchronousTestCase):
    """Anybody in the network can invent batteries; each label would be a series for ever."""

    def batteries(self, names: list[str]) -> list[str]:
        crowd = [BatteryFigures(name, 1.0, 2.0, 3.0, 0.0, 4.0) for name in names]
        found = samples(figures(devices=[device(*crowd)]))
        return [
            dict(labels)["battery"]
            for name, labels in found
            if name == "astrameter_battery_power_watts"
        ]

    def test_the_number_of_batteries(self) -> None:
        names = self.batteries([f"{n:012x}" for n in range(300)])
        self.assertEqual(len(names), MAX_BATTERIES)

    def test_the_length_of_a_name(self) -> None:
        self.assertEqual(self.batteries(["x" * 500]), ["x" * MAX_LABEL])

    def test_names_that_are_the_same_once_they_are_cut(self) -> None:
        self.assertEqual(self.batteries(["x" * 100 + "a", "x" * 100 + "b"]), ["x" * MAX_LABEL])

    def test_names_with_anything_in_them(self) -> None:
        odd = ['a"b', "a\\b", "a\nb", "ä", "\x00", "}", "a b"]
        self.assertEqual(self.batteries(odd), odd)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.text(max_size=80), max_size=4), st.text(max_size=80))
    def test_no_name_breaks_the_text(self, names: list[str], meter: str) -> None:
        crowd = [BatteryFigures(name, 1.0, None, None, None, 0.0) for name in names]
        one = MeterFigures(meter, True, (1.0,), 0.0, 1, 0, None)
        found = samples(figures(meters=[one, one], devices=[device(*crowd), device(id=meter)]))
        self.assertEqual(value(found, "uptime_seconds"), 61.5)

    def test_numbers_that_are_none(self) -> None:
        odd = BatteryFigures("a", math.inf, math.nan, -math.inf, None, 0.0)
        samples(figures(devices=[device(odd)]))


class Counting(SynchronousTestCase):
    def test_every_duration_has_its_class(self) -> None:
        durations = Durations()
        for bound in BOUNDS_S:
            durations.add(bound)
        durations.add(1e9)
        self.assertEqual(durations.counts, [1] * (len(BOUNDS_S) + 1))
        self.assertAlmostEqual(durations.sum_s, sum(BOUNDS_S) + 1e9)
