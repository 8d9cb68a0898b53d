"""What /metrics tells of a house whose truth is known: the appliance in virtual time."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from simulator.house import Plan, venus
from simulator.virtualhouse import OVER_HTTP, PUSHED, VirtualHouse

PLAN = Plan((venus(1, "A"), venus(2, "B")), base_noise_w=0.0, solar_peak_w=0.0, start_s=0.0)
DEVICE = {"type": "ct002", "device": "device-1"}
FIRST, SECOND = "02b250000001", "02b250000002"


class Case(SynchronousTestCase):
    def live(self, config: str = PUSHED) -> VirtualHouse:
        house = VirtualHouse(PLAN, config, 1)
        house.start()
        self.addCleanup(house.stop)
        return house

    def tell(self, house: VirtualHouse) -> None:
        """Ask for the metrics, when those of the last time are not good any more."""
        house.world.advance(1.0)
        _, text = house.appliance.metrics.render()
        self.found = {
            (one.name.removeprefix("astrameter_"), tuple(sorted(one.labels.items()))): one.value
            for family in text_string_to_metric_families(text.decode())
            for one in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.found[name, tuple(sorted(labels.items()))]


class Truth(Case):
    def test_batteries_are_told_as_they_are(self) -> None:
        house = self.live()
        house.world.advance(120.0)
        self.tell(house)
        self.assertEqual(self.value("batteries", **DEVICE), 2)
        for name, battery in zip((FIRST, SECOND), house.house.batteries, strict=True):
            labels = {**DEVICE, "battery": name}
            self.assertApproximates(
                self.value("battery_power_watts", **labels), battery.power_w, 20.0
            )
            self.assertApproximates(
                self.value("battery_target_watts", **labels), battery.power_w, 30.0
            )
            self.assertEqual(self.value("battery_saturation_ratio", **labels), 0.0)
            self.assertLess(self.value("battery_last_poll_age_seconds", **labels), 2.0)

    def test_a_battery_that_cannot_follow_is_saturated(self) -> None:
        house = self.live()
        house.house.site.household.set_base_load("A", 9000.0)
        house.world.advance(300.0)
        self.tell(house)
        self.assertGreater(
            self.value("battery_saturation_ratio", **DEVICE, battery=FIRST), 0.5, self.found
        )

    def test_grid_power_is_that_of_the_meter(self) -> None:
        house = self.live()
        house.world.advance(60.0)
        self.tell(house)
        told = [self.value("grid_power_watts", meter="SIMULATED", phase=phase) for phase in "ABC"]
        self.assertApproximates(sum(told), sum(house.house.site.grid_w), 30.0)
        self.assertLess(self.value("meter_sample_age_seconds", meter="SIMULATED"), 3.0)
        self.assertEqual(self.value("meter_up", meter="SIMULATED"), 1)

    def test_every_poll_is_counted(self) -> None:
        house = self.live()
        house.world.advance(60.0)
        self.tell(house)
        first = self.value("poll_seconds_count", **DEVICE)
        self.assertGreater(first, 90)
        house.world.advance(29.0)
        self.tell(house)
        self.assertApproximates(self.value("poll_seconds_count", **DEVICE) - first, 60, 8)
        self.assertEqual(self.value("active_control", **DEVICE), 1)

    def test_a_meter_that_fails_is_down_and_grows_old(self) -> None:
        house = self.live(OVER_HTTP)
        house.world.advance(30.0)
        self.tell(house)
        self.assertEqual(self.value("meter_up", meter="JSON_HTTP"), 1)
        reads = self.value("meter_reads_total", meter="JSON_HTTP")
        self.assertGreater(reads, 20)
        self.assertEqual(self.value("meter_read_failures_total", meter="JSON_HTTP"), 0)
        house.world.wait(house._parts[0].stopService())
        house.world.advance(30.0)
        self.tell(house)
        self.assertEqual(self.value("meter_up", meter="JSON_HTTP"), 0)
        self.assertGreater(self.value("meter_read_failures_total", meter="JSON_HTTP"), 5)
        self.assertGreater(self.value("meter_sample_age_seconds", meter="JSON_HTTP"), 25.0)
        self.assertNotIn("grid_power_watts", {name for name, _ in self.found})
        del house._parts[0]

    def test_the_loop_is_watched_from_the_first_question_on(self) -> None:
        house = self.live()
        self.tell(house)
        self.assertEqual(self.value("loop_lag_seconds_count"), 0)
        house.world.advance(30.0)
        self.tell(house)
        self.assertGreater(self.value("loop_lag_seconds_count"), 28)
        self.assertLess(self.value("loop_lag_worst_seconds"), 0.01)
