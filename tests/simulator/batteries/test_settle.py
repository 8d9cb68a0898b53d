"""Pacing of the steps: marstek-devices.md section 1.7."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.battery import Battery
from simulator.batteries.settle import HOLD_S, SettleGate
from tests.simulator.batteries.rig import config, exchange, steered
from tests.vectors import each

TICK_S = 0.05


def busy_for(gate: SettleGate, outputs_w: list[float]) -> float:
    """How long the gate stays busy while the output takes these values, one a tick."""
    for count, (before_w, after_w) in enumerate(pairwise(outputs_w), 1):
        gate.moved(before_w, after_w, TICK_S)
        if not gate.busy:
            return round(count * TICK_S, 6)
    return -1.0


class Gate(SynchronousTestCase):
    def gate(self, index: int, setpoint_w: float) -> SettleGate:
        gate = SettleGate(HOLD_S[index], ramp_w_per_s=400)
        gate.executed(setpoint_w)
        return gate

    def test_a_step_that_has_arrived_is_settled_after_1_5_or_10_seconds(self) -> None:
        for index, seconds in ((0, 1.0), (1, 5.0), (2, 10.0)):
            self.assertEqual(busy_for(self.gate(index, 100), [100.0] * 300), seconds)

    def test_within_30_watts_counts_as_arrived(self) -> None:
        self.assertEqual(busy_for(self.gate(0, 100), [70.0] * 300), 1.0)
        self.assertEqual(busy_for(self.gate(0, 100), [130.0] * 300), 1.0)

    def test_a_step_that_never_arrives_is_settled_after_3_seconds_more(self) -> None:
        for index, seconds in ((0, 4.0), (1, 8.0), (2, 13.0)):
            self.assertEqual(busy_for(self.gate(index, 100), [69.0] * 300), seconds)

    def test_to_zero_only_the_deadline_counts(self) -> None:
        self.assertEqual(busy_for(self.gate(0, 0.0), [0.0] * 300), 4.0)

    def test_an_interruption_starts_the_time_anew(self) -> None:
        wave = [100.0] * 16 + [60.0] * 2 + [100.0] * 200
        # Near for 0.75 s, then away for two looks, and back at about 0.9 s.
        self.assertApproximates(busy_for(self.gate(0, 100), wave), 1.9, 0.051)

    def test_the_arrival_is_computed_within_a_long_step(self) -> None:
        """0 to 400 W at 400 W/s: near after 0.925 s, settled 1 s later."""
        for look_s in (0.1, 0.5, 1.0):
            gate, power_w, now = self.gate(0, 400), 0.0, 0.0
            while gate.busy:
                after_w = min(400.0, power_w + 400 * look_s)
                gate.moved(power_w, after_w, look_s)
                power_w, now = after_w, now + look_s
            self.assertGreaterEqual(now, 1.925 - 1e-6)
            self.assertLess(now, 1.925 + look_s)

    def test_a_firmware_without_the_gate_is_never_busy(self) -> None:
        gate = SettleGate(None, 400)
        gate.executed(100)
        self.assertFalse(gate.busy)


# "Apply a constant 300 W import for 30 s and count output steps."
FIELD_CHECK: list[dict[str, Any]] = [
    {"name": "e3_index_0_every_second", "index": 0, "gap": (1.0, 2.0)},
    {"name": "e3_index_1_every_5_seconds", "index": 1, "gap": (5.0, 6.2)},
    {"name": "e3_index_2_every_10_seconds", "index": 2, "gap": (10.0, 11.3)},
    {"name": "e3_slow_ramp_every_4_seconds", "index": 0, "ramp": 30, "gap": (4.0, 4.5)},
    {"name": "hmg_unset_is_index_1", "type": "HMG-50", "gap": (5.0, 6.2)},
    {
        "name": "hmg_unset_with_a_ct003_is_index_2",
        "type": "HMG-50",
        "ct": "HME-3",
        "gap": (10.0, 11.3),
    },
    {
        "name": "hmg_v151_steps_at_every_answer",
        "type": "HMG-50",
        "firmware": 151,
        "gap": (0.45, 0.45),
    },
]


class Cadence(SynchronousTestCase):
    @each(FIELD_CHECK)
    def constant_import(self, case: dict[str, Any]) -> None:
        battery = Battery(
            config(
                device_type=case.get("type", "VNSE3-0"),
                ct_type=case.get("ct", "HME-4"),
                firmware=case.get("firmware", 0),
                report_index=case.get("index"),
                ramp_w_per_s=case.get("ramp", 400),
                max_discharge_w=32000,
            )
        )
        steps = []
        for poll in range(200):
            now, before_w = poll * 0.45, battery.setpoint_w
            exchange(battery, now, steered(300, ct_type=case.get("ct", "HME-4")))
            if battery.setpoint_w != before_w:
                self.assertEqual(battery.setpoint_w - before_w, 295)
                steps.append(now)
            if battery.setpoint_w > 30_000:
                break
        gaps = [b - a for a, b in pairwise(steps[1:])]
        low, high = case["gap"]
        self.assertGreater(len(gaps), 5)
        self.assertGreaterEqual(min(gaps), low - 1e-6)
        self.assertLessEqual(max(gaps), high + 1e-6)

    def test_a_held_sample_does_not_make_it_wait(self) -> None:
        battery = Battery(config())
        exchange(battery, 0.0, steered(5))
        exchange(battery, 0.1, steered(40))
        self.assertEqual(battery.setpoint_w, 35)
