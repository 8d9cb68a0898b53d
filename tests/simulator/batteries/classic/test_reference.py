"""Law, plant and meter together against the predecessor's traces (steering-scenarios.json)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from tests.simulator.batteries.classic.relay import Harness, config_of, noise
from tests.simulator.batteries.rig import datagram, numbers, sent
from tests.vectors import each, load

SCENARIOS = load("steering-scenarios")
TRACED = [one for one in SCENARIOS["scenarios"] if "reference_trace" in one]
RELAYED = [one for one in TRACED if one["config"].get("ACTIVE_CONTROL") is False]


class ClosedLoop(SynchronousTestCase):
    """Relay mode: the appliance itself answers."""

    @each(RELAYED)
    def trace(self, scenario: dict[str, Any]) -> None:
        rows = Harness(scenario).play().rows
        self.assertEqual(rows[: len(_rows(scenario))], _rows(scenario))

    @each(RELAYED)
    def result(self, scenario: dict[str, Any]) -> None:
        harness = Harness(scenario)
        harness.play()
        wanted = scenario["reference_result"]
        found = harness.results()
        self.assertEqual(found, {name: wanted[name] for name in found})

    def test_there_are_four_of_them(self) -> None:
        self.assertEqual([one["id"][:3] for one in RELAYED], ["S37", "S46", "S47", "S48"])


class Replayed(SynchronousTestCase):
    """Steered by the predecessor: its answers are played to our batteries."""

    @each(TRACED)
    def requests(self, scenario: dict[str, Any]) -> None:
        batteries = {unit["mac"]: Battery(config_of(unit)) for unit in scenario["fleet"]}
        for at_s, mac, letter, power_w, _, response_w, counts in _rows(scenario):
            request = batteries[mac].poll(at_s)
            self.assertEqual(sent(request), (letter, power_w), at_s)
            answer = numbers(response_w[:3], response_w[3], counts)
            device_type = batteries[mac].config.device_type
            batteries[mac].answer(datagram(answer, device_type=device_type, mac=mac.upper()), at_s)


class Rig(SynchronousTestCase):
    def test_the_noise_of_the_harness(self) -> None:
        for check in SCENARIOS["harness"]["noise_check"]:
            found = noise(check["seed"], check["k"], check["p"])
            self.assertApproximates(found, check["U"], 1e-9)


def _rows(scenario: dict[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = scenario["reference_trace"]["rows"]
    return rows
