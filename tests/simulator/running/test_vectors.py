"""The vectors of simulator.md section 11, through the configuration file and the real parts."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import encode
from simulator.batteries.battery import Battery
from simulator.configuration.file import load_text
from simulator.running.simulation import RunningSimulation
from tests.vectors import each, load

VECTORS = load("simulator")
MAC = "02B250000001"


class ReactorClock(Clock):
    """A clock where a reactor is wanted."""


def simulation(document: dict[str, Any], **randoms: Random) -> RunningSimulation:
    setup = load_text(json.dumps(document), "sim.json").simulation
    return RunningSimulation(setup, ReactorClock(), lambda name: randoms.get(name, Random()))


def one_battery(**keys: Any) -> Battery:
    document = {"batteries": [{"mac": MAC, "phase": "A", "law": "classic", **keys}]}
    return simulation(document).pollers[0].battery


class LoadModel(SynchronousTestCase):
    @each(VECTORS["load_model"])
    def contribution(self, case: dict[str, Any]) -> None:
        site = simulation(
            {
                "powermeter": {
                    "base_load": case["base_load"],
                    "base_noise": case["base_noise"],
                    "loads": [
                        {
                            "name": "load",
                            "power": case["load_w"],
                            "phase": case["load_phase"],
                            "active": True,
                        }
                    ],
                    "solar": case["solar"],
                    "solar_phases": case["solar_phases"],
                }
            },
            noise=Random(case["seed"]),
        )
        self.assertEqual(list(site.household.contribution()), case["contribution"])

    def test_auto_mode(self) -> None:
        vector = VECTORS["auto"]
        loads = [{"name": str(i), "power": 1, "phase": "A"} for i in range(vector["loads"])]
        site = simulation(
            {
                "powermeter": {"loads": loads, "solar_max": vector["solar_max"]},
                "auto_interval": [10, 10],
            },
        )
        random = Random(vector["seed"])
        for step in vector["steps"]:
            site.household.auto_step(random)
            self.assertEqual([one.active for one in site.household.loads], step["on"])
            self.assertEqual(site.household.solar_w, step["solar"])


class Frames(SynchronousTestCase):
    @each(VECTORS["frames"])
    def datagram(self, case: dict[str, Any]) -> None:
        config = one_battery(
            participates=case["participates"],
            inspection_count=0 if case["inspected"] else 1,
        ).config
        battery = Battery(replace(config, initial_power_w=case["power_w"]))
        self.assertEqual(battery.poll(1.0).decode("latin-1"), case["datagram"])


class Physics(SynchronousTestCase):
    @each(VECTORS["physics"])
    def steps(self, case: dict[str, Any]) -> None:
        battery = one_battery(**case["battery"])
        for step in case["steps"]:
            battery.force(step["target_w"])
            battery.advance(step["dt_s"])
            self.assertAlmostEqual(battery.power_w, step["power_w"], 9)
            if "soc" in step:
                self.assertAlmostEqual(battery.soc, step["soc"], 7)

    def test_a_delayed_target(self) -> None:
        vector = VECTORS["delay"]
        battery = one_battery(
            power_update_delay_ticks=vector["delay"],
            startup_delay=0,
            inspection_count=0,
            law="unknown",
            unknown_law={"gain": 1.0, "up": 1e6, "down": 1e6},
        )
        rows = []
        for tick, reply_w in enumerate(vector["replies_w"], 1):
            battery.advance(1.0)
            power_w = battery.power_w
            applied_w = battery.applied_setpoint_w
            battery.poll(float(tick))
            grid_w = reply_w - round(battery.setpoint_w)
            fields = ["HME-4", "112233445566", "HMG-50", MAC, str(grid_w), "0", "0", str(grid_w)]
            battery.answer(encode([*fields, *["0"] * 16]), float(tick))
            rows.append([battery.setpoint_w, applied_w, power_w])
        self.assertEqual(rows, vector["rows"])
