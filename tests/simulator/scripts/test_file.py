"""Script files: every problem at once, with its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.configuration.checked import ProblemsError
from simulator.control import (
    SetAuto,
    SetBaseLoad,
    SetMaxPower,
    SetMeterLatency,
    SetOnline,
    SetPacketLoss,
    SetPhase,
    SetSoc,
    SetSolar,
)
from simulator.scripts.file import load_script
from simulator.scripts.model import Expectation, Script, SwitchLoad
from tests.vectors import each

MAC, OTHER = "02B250000001", "02B250000002"
CONFIG = {
    "powermeter": {"loads": [{"name": "Kettle", "power": 900, "phase": "A"}]},
    "batteries": [{"mac": MAC, "phase": "A"}, {"mac": OTHER, "phase": "B"}],
}

WRONG: list[dict[str, Any]] = [
    {"name": "no at", "entry": {"set": {}}, "says": "timeline[0].at: this key is missing"},
    {"name": "at", "entry": {"at": "soon", "set": {}}, "says": 'timeline[0].at = "soon": seconds'},
    {"name": "nothing", "entry": {"at": 1}, "says": "timeline[0]: nothing happens here"},
    {
        "name": "load",
        "entry": {"at": 1, "set": {"load": {"Oven": True}}},
        "says": "timeline[0].set.load.Oven = true: there is no such load; there are Kettle",
    },
    {
        "name": "load state",
        "entry": {"at": 1, "set": {"load": {"Kettle": "on"}}},
        "says": "true or false is wanted",
    },
    {
        "name": "battery",
        "entry": {"at": 1, "set": {"soc": {"9": 0.5}}},
        "says": f"timeline[0].set.soc.9 = 0.5: there is no such battery; there are {MAC}, {OTHER}",
    },
    {"name": "soc", "entry": {"at": 1, "set": {"soc": {"1": 5}}}, "says": "a number from 0 to 1"},
    {"name": "solar", "entry": {"at": 1, "set": {"solar": "x"}}, "says": 'watts are wanted, "max"'},
    {"name": "phase", "entry": {"at": 1, "set": {"phase": {"1": "Z"}}}, "says": "a phase is A, B"},
    {
        "name": "loss",
        "entry": {"at": 1, "set": {"packet_loss": 2}},
        "says": "set.packet_loss = 2: a number from 0 to 1",
    },
    {
        "name": "base load",
        "entry": {"at": 1, "set": {"base_load": {"D": 1}}},
        "says": "set.base_load.D = 1: a phase is A, B or C",
    },
    {"name": "expect", "entry": {"at": 1, "expect": {"within": 5}}, "says": "what is expected?"},
    {
        "name": "expect grid",
        "entry": {"at": 1, "expect": {"grid": {"D": 5}}},
        "says": "expect.grid.D = 5: total, A, B or C",
    },
    {
        "name": "expect power",
        "entry": {"at": 1, "expect": {"power": {"1": "much"}}},
        "says": 'expect.power.1 = "much": a number is wanted',
    },
    {
        "name": "expect backwards",
        "entry": {"at": 1, "expect": {"power": {"1": {"min": 5, "max": 1}}}},
        "says": "min is larger than max",
    },
]


class ScriptCase(SynchronousTestCase):
    def path(self, content: str, name: str = "script.json") -> str:
        directory = Path(self.mktemp())
        directory.mkdir()
        path = directory / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def load(self, *timeline: dict[str, Any], **more: Any) -> Script:
        document = {"config": CONFIG, "timeline": timeline, **more}
        return load_script(self.path(json.dumps(document)))[0]

    def problems(self, document: object) -> list[str]:
        with self.assertRaises(ProblemsError) as caught:
            load_script(self.path(json.dumps(document)))
        return str(caught.exception).splitlines()


class Problems(ScriptCase):
    @each(WRONG)
    def wrong(self, case: dict[str, Any]) -> None:
        found = self.problems({"config": CONFIG, "timeline": [case["entry"]]})
        self.assertTrue(any(case["says"] in line for line in found), found)

    def test_all_at_once_those_of_the_configuration_too(self) -> None:
        found = self.problems(
            {
                "config": {"batteries": [{"mac": "x", "phase": "A"}]},
                "timeline": [{"at": -1, "set": {"solar": "x"}}, {"at": 1}],
            }
        )
        self.assertEqual(len(found), 4, found)
        self.assertIn("config.batteries[0].mac", found[0])

    def test_without_a_configuration_or_a_timeline(self) -> None:
        found = self.problems({})
        self.assertIn("config: this key is missing", found[0])
        self.assertIn("timeline: this key is missing", found[1])

    def test_no_yaml(self) -> None:
        with self.assertRaisesRegex(ProblemsError, "is not YAML"):
            load_script(self.path("a: [", "script.yaml"))

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("timeline", "at", "set", "expect", "load", "solar", "soc", "grid",
                                 "power", "min", "max", "for", "1", "A", "Kettle", "duration")),
                inner,
                max_size=4,
            ),
            max_leaves=15,
        )
    )  # fmt: skip
    def test_nothing_else_is_ever_raised(self, timeline: object) -> None:
        path = self.path(json.dumps({"config": CONFIG, "timeline": timeline}))
        try:
            load_script(path)
        except ProblemsError as error:
            self.assertTrue(error.problems)


class Meanings(ScriptCase):
    def test_everything_that_can_be_set(self) -> None:
        script = self.load(
            {
                "at": "1m",
                "set": {
                    "load": {"Kettle": True, "1": False}, "solar": "max", "auto": True,
                    "packet_loss": 0.1, "meter_latency": "2s", "base_load": {"B": -5},
                    "soc": {"1": 0.5}, "phase": {OTHER.lower(): "C"}, "offline": {"2": True},
                    "max_power": {"1": 300},
                },
            }
        )  # fmt: skip
        self.assertEqual(script.steps[0].at_s, 60)
        self.assertEqual(
            set(script.steps[0].operations),
            {
                SwitchLoad("Kettle", True), SwitchLoad("1", False), SetSolar("max"), SetAuto(True),
                SetPacketLoss(0.1), SetMeterLatency(2.0), SetBaseLoad("B", -5), SetSoc(MAC, 0.5),
                SetPhase(OTHER, "C"), SetOnline(OTHER, False), SetMaxPower(MAC, 300, 300),
            },
        )  # fmt: skip

    def test_expectations(self) -> None:
        script = self.load(
            {"at": 5, "expect": {"grid": 0, "within": 20, "for": 10, "before": 5, "average": 3}},
            {"at": 6, "expect": [{"grid": {"A": 5}}, {"grid": {"max": 7}}, {"soc": {"1": 0.5}}]},
            {"at": 7, "expect": {"power": {"1": {"min": 3}, "2": 100}}},
        )
        infinite = float("inf")
        self.assertEqual(
            list(script.expectations),
            [
                Expectation(5, "grid", "total", -20, 20, 10, 5, 3),
                Expectation(6, "grid", "A", -45, 55),
                Expectation(6, "grid", "total", -infinite, 7),
                Expectation(6, "soc", MAC, 0.48, 0.52),
                Expectation(7, "power", MAC, 3, infinite),
                Expectation(7, "power", OTHER, 50, 150),
            ],
        )
        self.assertEqual(script.ends_s, 20)

    def test_it_lasts_as_long_as_it_says_or_longer(self) -> None:
        self.assertEqual(self.load({"at": 5, "set": {}}, duration="2m").ends_s, 120)
        self.assertEqual(self.load({"at": 5, "set": {}}).ends_s, 5)

    def test_steps_are_in_the_order_of_time(self) -> None:
        script = self.load({"at": 9, "set": {}}, {"at": 3, "set": {}})
        self.assertEqual([one.at_s for one in script.steps], [3, 9])

    def test_yaml_with_numbers_as_keys_and_a_bare_off(self) -> None:
        steps = "- at: 5\n  set: {solar: off, soc: {1: 0.5}, load: {Kettle: on}}\n"
        text = f"config: {json.dumps(CONFIG)}\ntimeline:\n{steps}"
        script, _ = load_script(self.path(text, "script.yaml"))
        self.assertEqual(
            script.steps[0].operations,
            (SwitchLoad("Kettle", True), SetSolar("off"), SetSoc(MAC, 0.5)),
        )

    def test_a_configuration_beside_it(self) -> None:
        path = Path(self.path(json.dumps({"config": "sim.json", "timeline": []})))
        (path.parent / "sim.json").write_text(json.dumps(CONFIG))
        self.assertEqual(len(load_script(str(path))[1].simulation.batteries), 2)

    def test_unknown_keys_are_warnings(self) -> None:
        path = self.path(
            json.dumps({"config": CONFIG, "timeline": [{"at": 1, "sett": 1, "set": {}}]})
        )
        _, loaded = load_script(path)
        self.assertIn("timeline[0].sett", str(loaded.warnings[0]))
        self.assertIn("'set'", str(loaded.warnings[0]))
