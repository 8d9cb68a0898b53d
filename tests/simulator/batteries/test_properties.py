"""What no answer, however strange, may do to a battery."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import encode
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.batteries.variants import B2500Settings, UnknownLaw
from tests.simulator.batteries.rig import CT_MAC, MAC, datagram, numbers, steered

PROFILE = settings(deadline=None, derandomize=True, max_examples=150)

WATTS = st.integers(-40_000, 40_000)
SMALL = st.integers(0, 300)
SUMS = st.lists(WATTS, min_size=5, max_size=5)

GOOD = st.builds(
    lambda phases, total, counts, charge, discharge, index: datagram(
        numbers(phases, total, counts, charge, discharge), index
    ),
    st.lists(WATTS, min_size=3, max_size=3),
    WATTS,
    st.lists(SMALL, min_size=4, max_size=4),
    st.one_of(st.just([0] * 5), SUMS),
    st.one_of(st.just([0] * 5), SUMS),
    st.integers(0, 255),
)

TEXT = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="|"), max_size=9),
    st.sampled_from(["nan", "inf", "-inf", "1e308", "", "-", "9" * 60, "0x10", "1_0"]),
)

ODD = st.builds(
    lambda texts: encode(["HME-4", CT_MAC, "VNSE3-0", MAC, *texts]),
    st.lists(TEXT, min_size=18, max_size=26),
)

ANSWERS = st.one_of(GOOD, ODD, st.binary(max_size=300), st.none())

EXCHANGES = st.lists(
    st.tuples(ANSWERS, st.floats(0.0, 30.0, allow_nan=False)), min_size=1, max_size=40
)

STEERED = st.lists(
    st.tuples(st.integers(-3000, 3000), st.floats(0.1, 3.0)), min_size=1, max_size=60
)

CONFIGS = st.fixed_dictionaries(
    {
        "device_type": st.sampled_from(["HMG-50", "VNSE3-0", "VNSA-0", "VNSD-0", "HMA-1", "HMN-1"]),
        "law": st.sampled_from(["field", "classic", "unknown"]),
        "reads": st.sampled_from(["sum", "own_phase"]),
        "stepping": st.sampled_from(["continuous", "poll"]),
        "duplicate_drop": st.booleans(),
        "b2500": st.builds(
            B2500Settings, st.booleans(), st.booleans(), st.integers(3, 10), st.booleans()
        ),
        "unknown_law": st.builds(
            UnknownLaw, st.floats(0.1, 5), st.floats(0, 50), st.floats(1, 9999), st.floats(1, 9999)
        ),
        "phase": st.sampled_from("ABCD05"),
        "recharge_mode": st.sampled_from([0, 1]),
        "firmware": st.sampled_from([0, 144, 151]),
        "ctrl_ratio": st.integers(0, 200),
        "report_index": st.sampled_from([None, 0, 1, 2, 255]),
        "max_charge_w": st.sampled_from([0, 800, 2500]),
        "max_discharge_w": st.sampled_from([0, 800, 2500]),
        "max_dc_input_w": st.just(1000),
        "dc_input_w": st.sampled_from([0, 300, 1000]),
        "initial_soc": st.floats(0.0, 1.0),
        "min_soc": st.sampled_from([0.0, 0.11]),
        "efficiency": st.sampled_from([1.0, 0.9]),
        "capacity_wh": st.sampled_from([0, 1, 2560]),
        "min_power_w": st.sampled_from([0, 5, 20]),
        "startup_delay_s": st.sampled_from([0, 2]),
        "power_update_delay_polls": st.sampled_from([0, 1, 3]),
        "inspection_polls": st.sampled_from([0, 1]),
    }
)


def run(config: BatteryConfig, exchanges: list[tuple[bytes | None, float]]) -> list[Any]:
    battery = Battery(config)
    seen: list[Any] = []
    now = 0.0
    for answer, pause_s in exchanges:
        now += pause_s
        battery.advance_to(now)
        seen.append(battery.poll(now))
        if answer is not None:
            battery.answer(answer, now)
        seen.append((battery.power_w, battery.soc, battery.setpoint_w))
    return seen


class Properties(SynchronousTestCase):
    @PROFILE
    @given(CONFIGS, EXCHANGES)
    def test_outputs_stay_within_the_limits_and_soc_within_0_and_1(
        self, options: dict[str, Any], exchanges: list[tuple[bytes | None, float]]
    ) -> None:
        config = BatteryConfig(MAC, **options)
        most_w = max(config.max_discharge_w, config.dc_input_w)
        for power_w, soc, setpoint_w in run(config, exchanges)[1::2]:
            self.assertTrue(-config.charge_limit_w <= power_w <= most_w, power_w)
            self.assertTrue(0.0 <= soc <= 1.0, soc)
            self.assertTrue(math.isfinite(setpoint_w))
            if config.law == "classic":
                continue  # its setpoint may be beyond what the inverter does
            # A parked HMG keeps a hundredth of a watt, one in conflict a tenth.
            self.assertLessEqual(setpoint_w, config.max_discharge_w + 0.1)
            self.assertGreaterEqual(setpoint_w, -config.charge_limit_w)

    @PROFILE
    @given(CONFIGS, EXCHANGES)
    def test_the_same_answers_give_the_same_bytes(
        self, options: dict[str, Any], exchanges: list[tuple[bytes | None, float]]
    ) -> None:
        config = BatteryConfig(MAC, **options)
        self.assertEqual(run(config, exchanges), run(config, exchanges))

    @PROFILE
    @given(CONFIGS, EXCHANGES)
    def test_looking_changes_nothing(
        self, options: dict[str, Any], exchanges: list[tuple[bytes | None, float]]
    ) -> None:
        battery = Battery(BatteryConfig(MAC, **options))
        now = 0.0
        for answer, pause_s in exchanges:
            seen_w = battery.power_w_at(now + pause_s / 2)
            before = (battery.power_w, battery.soc, battery.setpoint_w)
            self.assertTrue(math.isfinite(seen_w))
            self.assertEqual(before, (battery.power_w, battery.soc, battery.setpoint_w))
            now += pause_s
            expected_w = battery.power_w_at(now)
            battery.advance_to(now)
            self.assertEqual(battery.power_w, expected_w)
            battery.poll(now)
            battery.answer(answer or b"", now)

    @PROFILE
    @given(CONFIGS, STEERED)
    def test_steered_for_long_every_law_keeps_within_its_limits(
        self, options: dict[str, Any], steering: list[tuple[int, float]]
    ) -> None:
        options = {**options, "phase": "A", "inspection_polls": 0, "initial_soc": 0.5}
        config = BatteryConfig(MAC, **options)
        exchanges: list[tuple[bytes | None, float]] = [
            (steered(g, 1 + number % 255), pause_s) for number, (g, pause_s) in enumerate(steering)
        ]
        most_w = max(config.max_discharge_w, config.dc_input_w)
        for power_w, _, setpoint_w in run(config, exchanges)[1::2]:
            self.assertTrue(-config.charge_limit_w <= power_w <= most_w, power_w)
            if config.law != "classic":
                self.assertLessEqual(setpoint_w, config.max_discharge_w + 0.1)
                self.assertGreaterEqual(setpoint_w, -config.charge_limit_w)
            elif not config.b2500.channel_wraps:
                self.assertLessEqual(abs(setpoint_w), 2500)
