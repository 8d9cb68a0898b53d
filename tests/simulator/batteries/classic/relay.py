"""The harness of ``steering-scenarios.json``, for a controller that only passes the meter on.

The file says that the meter samples before an action event of the same time. Its results say the
opposite: all of them come out to the last digit when the action is first, and none of S37 and S47
when the sample is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.reading import PhaseWatts, Sample
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig
from simulator.gridmeter import GridMeter
from tests.simulator.batteries.rig import sent

CT_MAC = "112233445566"
SAMPLING_S = 0.5
SWEEP_S = 5.0
_U32 = 0xFFFFFFFF


def noise(seed: int, second: int, phase: int) -> float:
    """The harness's noise function, -1..1."""
    x = (seed * 0x9E3779B1 + second * 0x85EBCA6B + phase * 0xC2B2AE35) & _U32
    x ^= x >> 16
    x = x * 0x7FEB352D & _U32
    x ^= x >> 15
    x = x * 0x846CA68B & _U32
    x ^= x >> 16
    return 2 * x / 2**32 - 1


def config_of(unit: dict[str, Any], **changes: Any) -> BatteryConfig:
    """A battery of a scenario's fleet, as the predecessor simulates it."""
    given: dict[str, Any] = {
        "mac": unit["mac"],
        "device_type": unit["device_type"],
        "phase": unit["phase"],
        "wired_to": unit["electrical_phase"],
        "law": "classic",
        "reads": unit["reads"],
        "stepping": "poll",
        "poll_interval_s": unit["poll_s"],
        "max_charge_w": unit["max_charge_w"],
        "max_discharge_w": unit["max_discharge_w"],
        "capacity_wh": unit["capacity_wh"],
        "initial_soc": unit["soc0"],
        "ramp_w_per_s": unit["ramp_w_per_s"],
        "startup_delay_s": unit["startup_delay_s"],
        "min_power_w": unit["min_power_w"],
        "inspection_polls": unit["inspection_polls"],
        "max_dc_input_w": unit["max_dc_input_w"],
        "dc_input_w": unit["dc_input_w"],
        "initial_power_w": unit["initial_power_w"],
        "participates": unit["participate"],
    }
    return BatteryConfig(**{**given, **changes})


class _Nobody:
    """A controller that is never asked."""

    def report(self, _battery: Any, _now: float) -> None:
        """Relay mode does not care."""


@dataclass
class Seen:
    """What came of a scenario.

    :ivar rows: one for each poll, in the format of ``reference_trace``.
    :ivar grid_w: the true total every SAMPLING_S.
    :ivar powers_w: of each battery at these times.
    """

    rows: list[list[Any]] = field(default_factory=list)
    grid_w: list[float] = field(default_factory=list)
    powers_w: list[tuple[float, ...]] = field(default_factory=list)

    def results(self, scenario: dict[str, Any], batteries: list[Battery]) -> dict[str, Any]:
        """Those figures of ``reference_result`` that need no search for events."""
        start, end = (round(at / SAMPLING_S) for at in scenario["steady_window_s"])
        steady_w = self.grid_w[start : end + 1]
        units = range(len(batteries))
        return {
            "steady_grid_mean_w": round(_mean(steady_w), 1),
            "steady_grid_rms_w": round(_rms(steady_w), 1),
            "steady_grid_abs_max_w": round(max(map(abs, steady_w)), 1),
            "grid_rms_all_w": round(_rms(self.grid_w), 1),
            "battery_steady_mean_w": [
                round(_mean([p[i] for p in self.powers_w[start : end + 1]]), 1) for i in units
            ],
            "battery_travel_w_per_h": [round(self._travel_w(i, scenario)) for i in units],
            "band_crossings": self._crossings(),
            "final_power_w": [round(battery.power_w, 1) for battery in batteries],
            "final_soc": [round(battery.soc, 4) for battery in batteries],
        }

    def _travel_w(self, unit: int, scenario: dict[str, Any]) -> float:
        powers_w = [p[unit] for p in self.powers_w]
        travel_w = sum(abs(b - a) for a, b in pairwise(powers_w))
        return float(travel_w * 3600 / scenario["duration_s"])

    def _crossings(self) -> int:
        signs = [math.copysign(1, grid_w) for grid_w in self.grid_w if abs(grid_w) > 20]
        return sum(a != b for a, b in pairwise(signs))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _rms(values: list[float]) -> float:
    return math.sqrt(_mean([value * value for value in values]))


class Harness:
    """One relay scenario."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.batteries = [Battery(config_of(unit)) for unit in scenario["fleet"]]
        self._scenario = scenario
        self._base = scenario["load"]["base"]
        self._added = [0.0, 0.0, 0.0]
        options = CtOptions(ct_mac=CT_MAC, active_control=False)
        self._ct = EmulatedCt("HME-4", options, 0.0, _Nobody())  # type: ignore[arg-type]
        self._meter = GridMeter(self._truth)
        self._delivery: deque[tuple[float, PhaseWatts]] = deque()
        self._shown: PhaseWatts | None = None
        self._seen = Seen()

    def play(self) -> Seen:
        """Things at one time happen in the order of their kinds."""
        for at_s, kind, number in sorted(self._agenda()):
            (self._act, self._sample, self._look, self._sweep, self._poll)[kind](at_s, number)
        return self._seen

    def results(self) -> dict[str, Any]:
        return self._seen.results(self._scenario, self.batteries)

    def _agenda(self) -> Iterator[tuple[float, int, int]]:
        end_s = self._scenario["duration_s"]
        fleet = self._scenario["fleet"]
        for number, event in enumerate(self._scenario["events"]):
            yield float(event["t"]), 0, number
        yield from _times(0.0, self._scenario["meter"]["interval_s"], end_s, 1)
        yield from _times(0.0, SAMPLING_S, end_s, 2)
        yield from _times(SWEEP_S, SWEEP_S, end_s, 3)
        for number, unit in enumerate(fleet):
            yield from _times(unit["first_poll_s"], unit["poll_s"], end_s, 4, number)

    def _truth(self, now: float) -> PhaseWatts:
        load = self._scenario["load"]
        phases = []
        for phase in range(3):
            watts = self._base[phase] + self._added[phase]
            if load["noise_w"] and (phase == 0 or self._base[phase]):
                watts += load["noise_w"] * noise(load["noise_seed"], int(now), phase)
            for battery in self.batteries:
                if battery.wired_phase == "ABC"[phase]:
                    watts -= battery.power_w_at(now)
            phases.append(watts)
        return (phases[0], phases[1], phases[2])

    def _sample(self, now: float, _number: int) -> None:
        latency_s = self._scenario["meter"]["latency_s"]
        self._delivery.append((now + latency_s, self._meter.measure(now)))

    def _act(self, _now: float, number: int) -> None:
        added = self._scenario["events"][number]["add"]
        self._added = [a + b for a, b in zip(self._added, added, strict=True)]

    def _look(self, now: float, _number: int) -> None:
        self._seen.grid_w.append(sum(self._truth(now)))
        self._seen.powers_w.append(tuple(b.power_w_at(now) for b in self.batteries))

    def _sweep(self, now: float, _number: int) -> None:
        self._ct.sweep(now)

    def _poll(self, now: float, number: int) -> None:
        battery = self.batteries[number]
        datagram = battery.poll(now)
        poll = self._ct.receive(datagram, (battery.mac, 22222), now)
        assert poll is not None
        watts = self._read(now)
        answer = self._ct.answer(poll, Sample(watts, now), "METER", now)
        assert answer is not None
        accepted = battery.answer(answer.datagram, now)
        self._seen.rows.append(
            [
                round(now, 3),
                battery.mac.lower(),
                *sent(datagram),
                list(watts),
                [*accepted.phase_w, accepted.total_w],  # type: ignore[union-attr]
                list(accepted.counts),  # type: ignore[union-attr]
            ]
        )

    def _read(self, now: float) -> PhaseWatts:
        while self._delivery and self._delivery[0][0] <= now:
            self._shown = self._delivery.popleft()[1]
        return self._shown if self._shown is not None else self._meter.measure(now)


def _times(
    first_s: float, every_s: float, end_s: float, kind: int, number: int = 0
) -> Iterator[tuple[float, int, int]]:
    count = 0
    while first_s + count * every_s <= end_s:
        yield first_s + count * every_s, kind, number
        count += 1
