"""The JSON file: simulator.md section 4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.batteries.config import BatteryConfig
from simulator.configuration.checked import LONGEST_FILE, Findings, ProblemsError
from simulator.configuration.file import Loaded, load_document, load_file, load_text
from tests.vectors import each

MAC = "02B250000001"
SEED_GUIDE = Path(__file__).parent / "guide"


def battery(**more: Any) -> dict[str, Any]:
    return {"mac": MAC, "phase": "A", **more}


def load(document: object) -> Loaded:
    return load_text(json.dumps(document), "sim.json")


def one(**more: Any) -> BatteryConfig:
    """The battery with these keys."""
    return load({"batteries": [battery(**more)]}).simulation.batteries[0].config


def problems(document: object) -> list[str]:
    """What is said of it, a line each; empty when it can be used."""
    try:
        load(document)
    except ProblemsError as error:
        return str(error).splitlines()
    return []


WRONG: list[dict[str, Any]] = [
    # Section 4.3, row by row, then what it does not validate.
    {"name": "phase", "battery": {"phase": "X"}, "says": f"Battery {MAC}: invalid phase 'X'"},
    {
        "name": "soc",
        "battery": {"initial_soc": 1.2},
        "says": "initial_soc must be 0.0-1.0, got 1.2",
    },
    {"name": "power", "battery": {"max_charge_power": -1}, "says": "power values must be >= 0"},
    {
        "name": "delay",
        "battery": {"power_update_delay_ticks": -1},
        "says": "power_update_delay_ticks must be >= 0, got -1",
    },
    {
        "name": "dc maximum",
        "battery": {"max_dc_input": -1},
        "says": "max_dc_input must be >= 0, got -1",
    },
    {
        "name": "dc input",
        "battery": {"dc_input_power": 10.0},
        "says": "dc_input_power must be within [0, max_dc_input=0], got 10.0",
    },
    {"name": "mac", "battery": {"mac": "xx"}, "says": "Battery MAC must be 12 hex chars"},
    {
        "name": "device type",
        "battery": {"meter_dev_type": None},
        "says": "meter_dev_type must be a string, got None",
    },
    {
        "name": "load phase",
        "top": {"powermeter": {"loads": [{"name": "x", "power": 1, "phase": "D"}]}},
        "says": "Load 'x': invalid phase 'D'",
    },
    {
        "name": "solar phase",
        "top": {"powermeter": {"solar_phases": ["Z"]}},
        "says": "Invalid solar phase 'Z'",
    },
    {
        "name": "time scale",
        "top": {"time_scale": 0},
        "says": "time_scale = 0: time_scale must be positive, got 0",
    },
    {
        "name": "auto interval",
        "top": {"auto_interval": 5},
        "says": "auto_interval = 5: a list is wanted",
    },
    {
        "name": "auto interval backwards",
        "top": {"auto_interval": [30, 10]},
        "says": "the smaller first",
    },
    {
        "name": "port",
        "top": {"ct": {"port": 70000}},
        "says": "ct.port = 70000: a whole number from 1 to 65535",
    },
    {
        "name": "port as text",
        "top": {"http": {"port": "8080"}},
        "says": 'http.port = "8080": a whole number',
    },
    {
        "name": "host",
        "top": {"http": {"host": "a b"}},
        "says": "a host name or an address is wanted",
    },
    {
        "name": "base load",
        "top": {"powermeter": {"base_load": [1, "x"]}},
        "says": "a list of watts for phase A, B and C",
    },
    {
        "name": "noise",
        "top": {"powermeter": {"base_noise": -1}},
        "says": "powermeter.base_noise = -1: a number from 0",
    },
    {
        "name": "poll interval",
        "battery": {"poll_interval": -1},
        "says": "batteries[0].poll_interval = -1",
    },
    {"name": "ramp", "battery": {"ramp_rate": 0}, "says": "ramp_rate must be > 0"},
    {
        "name": "true is no number",
        "battery": {"capacity_wh": True},
        "says": "a finite number is wanted",
    },
    {"name": "law", "battery": {"law": "filed"}, "says": "invalid law 'filed'"},
    {"name": "law of all", "top": {"law": "filed"}, "says": 'law = "filed": use field'},
    {
        "name": "packet loss",
        "top": {"packet_loss": 2},
        "says": "packet_loss = 2: a number from 0 to 1",
    },
    {
        "name": "b2500",
        "battery": {"b2500": {"standby_passes": 99}},
        "says": "standby_passes must be 3..10",
    },
    {
        "name": "b2500 flag",
        "battery": {"b2500": {"single_output": 5}},
        "says": "b2500.single_output = 5: true or false",
    },
    {"name": "ct mac", "top": {"ct": {"mac": "1|2"}}, "says": "a CT MAC is 12 hexadecimal digits"},
    {"name": "batteries", "top": {"batteries": {}}, "says": "a list is wanted"},
    {
        "name": "a battery",
        "top": {"batteries": [5]},
        "says": "batteries[0] = 5: an object is wanted",
    },
    {"name": "too fast", "top": {"time_scale": 1e9}, "says": "time_scale is at most 10000"},
    {
        "name": "too much power",
        "battery": {"max_charge_power": 40000},
        "says": "power values must be <= 32767",
    },
]


class Problems(SynchronousTestCase):
    @each(WRONG)
    def wrong(self, case: dict[str, Any]) -> None:
        document = {"batteries": [battery(**case.get("battery", {}))], **case.get("top", {})}
        found = problems(document)
        self.assertTrue(any(case["says"] in line for line in found), found)
        self.assertTrue(all(line.startswith("sim.json: ") for line in found), found)

    def test_missing_keys_are_named(self) -> None:
        for document, key in (
            ({"batteries": [{"phase": "A"}]}, "batteries[0].mac"),
            ({"batteries": [{"mac": MAC}]}, "batteries[0].phase"),
            ({"powermeter": {"loads": [{"power": 1, "phase": "A"}]}}, "powermeter.loads[0].name"),
        ):
            self.assertIn(f"{key}: this key is missing", problems(document)[0])

    def test_a_mac_given_twice_in_any_case(self) -> None:
        found = problems({"batteries": [battery(), battery(mac=MAC.lower())]})
        self.assertEqual(len(found), 1)
        self.assertIn(f"Duplicate battery MAC: {MAC.lower()}", found[0])

    def test_all_problems_are_told_at_once_in_the_old_order(self) -> None:
        found = problems(
            {
                "time_scale": -1,
                "powermeter": {"solar_phases": ["Z"], "loads": [{"name": "x", "power": 1}]},
                "batteries": [battery(phase="X", initial_soc=3), battery(mac="1")],
            }
        )
        order = ("phase", "initial_soc", "batteries[1].mac", "loads[0]", "solar", "time_scale")
        places = [next(i for i, line in enumerate(found) if word in line) for word in order]
        self.assertEqual(places, sorted(places), found)

    def test_what_is_no_json(self) -> None:
        for text, wanted in (
            ("{", "is not JSON: "),
            ("[" * 100_000, "is not JSON"),
            ('{"a": 1, "a": 2}', "a: this key is given twice"),
            ("5", "an object is wanted"),
        ):
            with self.assertRaises(ProblemsError) as caught:
                load_text(text, "sim.json")
            self.assertIn(wanted, str(caught.exception))

    def test_numbers_that_are_none(self) -> None:
        for value in ("NaN", "Infinity", "1e999", "1" + "0" * 400):
            with self.assertRaises(ProblemsError) as caught:
                load_text(f'{{"powermeter": {{"solar_max": {value}}}}}', "sim.json")
            self.assertIn("powermeter.solar_max", str(caught.exception))

    def test_files_that_are_none(self) -> None:
        path = Path(self.mktemp())
        for content, wanted in (
            (None, "cannot be read: No such file"),
            (b"\xff\xfe", "is no UTF-8 text"),
            (b" " * (LONGEST_FILE + 1), "is longer than"),
        ):
            if content is not None:
                path.write_bytes(content)
            with self.assertRaises(ProblemsError) as caught:
                load_file(str(path))
            self.assertIn(wanted, str(caught.exception))

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ("ct", "http", "powermeter", "batteries", "loads", "mac", "phase", "b2500",
                     "base_load", "solar_phases", "auto_interval", "time_scale", "law", "zz")
                ),
                inner,
                max_size=4,
            ),
            max_leaves=12,
        )
    )  # fmt: skip
    def test_nothing_else_is_ever_raised(self, document: object) -> None:
        try:
            load_document(document, Findings("sim.json"))
        except ProblemsError as error:
            self.assertTrue(error.problems)


class Meanings(SynchronousTestCase):
    def test_an_empty_object_is_a_house_without_batteries(self) -> None:
        setup = load({}).simulation
        self.assertEqual(setup.batteries, ())
        self.assertEqual((setup.ct_host, setup.ct_port), ("127.0.0.1", 12345))
        self.assertEqual(setup.ct_mac, "112233445566")
        self.assertEqual((setup.http_host, setup.http_port), ("127.0.0.1", 8080))
        self.assertEqual((setup.base_load_w, setup.base_noise_w), ((100, 100, 100), 20))
        self.assertEqual((setup.solar_max_w, setup.solar_phases), (2000, ("A",)))
        self.assertEqual((setup.auto_mode, setup.auto_interval_s), (False, (10, 30)))
        self.assertEqual((setup.log_interval_s, setup.time_scale), (5, 1.0))

    def test_the_defaults_of_a_battery(self) -> None:
        config = one()
        self.assertEqual(config.device_type, "HMG-50")
        self.assertEqual((config.max_charge_w, config.max_discharge_w), (800, 800))
        self.assertEqual((config.capacity_wh, config.initial_soc), (2560, 0.5))
        self.assertEqual((config.ramp_w_per_s, config.poll_interval_s), (200, 1.0))
        self.assertEqual((config.poll_jitter_s, config.law), (0.5, "field"))
        self.assertEqual((config.min_power_w, config.startup_delay_s), (20, 2))
        self.assertTrue(config.participates)

    def test_keys_of_a_battery(self) -> None:
        config = load(
            {
                "ct": {"mac": "AABBCCDDEEFF"},
                "law": "classic",
                "batteries": [
                    battery(
                        mac=MAC.lower(), meter_dev_type="VNSD-0", capacity_wh=0, ramp_rate=150,
                        poll_interval=2, max_dc_input=800, dc_input_power=300, participates=False,
                        power_update_delay_ticks=3, startup_delay=0, efficiency=0.9,
                    )
                ],
            }
        ).simulation.batteries[0].config  # fmt: skip
        self.assertEqual((config.mac, config.ct_mac), (MAC, "AABBCCDDEEFF"))
        self.assertEqual((config.law, config.device_type), ("classic", "VNSD-0"))
        self.assertEqual((config.capacity_wh, config.ramp_w_per_s), (0, 150))
        self.assertEqual((config.max_dc_input_w, config.dc_input_w), (800, 300))
        self.assertEqual((config.power_update_delay_polls, config.startup_delay_s), (3, 0))
        self.assertFalse(config.participates)

    def test_a_battery_has_its_own_law_and_delay_or_those_of_all(self) -> None:
        batteries = load(
            {
                "law": "classic",
                "power_update_delay_ticks": 2,
                "batteries": [
                    battery(),
                    battery(mac="02B250000002", law="field", power_update_delay_ticks=0),
                ],
            }
        ).simulation.batteries
        found = [(one.config.law, one.config.power_update_delay_polls) for one in batteries]
        self.assertEqual(found, [("classic", 2), ("field", 0)])

    def test_the_cadence_of_the_firmware(self) -> None:
        config = (
            load({"batteries": [battery(poll_interval="firmware")]}).simulation.batteries[0].config
        )
        self.assertIsNone(config.poll_interval_s)
        self.assertEqual(config.poll_jitter_s, 0)

    def test_a_combined_battery_delivers_where_it_is_wired_to(self) -> None:
        config = (
            load({"batteries": [battery(phase="D", wired_to="B")]}).simulation.batteries[0].config
        )
        self.assertEqual((config.phase, config.wired_phase), ("D", "B"))

    def test_types_that_nobody_knows_behave_as_a_venus_and_say_so(self) -> None:
        loaded = load({"batteries": [battery(meter_dev_type="XYZ-1")]})
        config = loaded.simulation.batteries[0].config
        self.assertEqual((config.device_type, config.family.name), ("XYZ-1", "HMG"))
        self.assertIn("it behaves as HMG-50", str(loaded.warnings[0]))

    def test_families_by_device_type(self) -> None:
        for device_type, family in (
            ("HMA-1", "B2500"), ("HMJ-2", "B2500"), ("HMK-1", "B2500"), ("HMN-1", "Jupiter"),
            ("HMM-1", "Jupiter"), ("JPLS-8H", "Jupiter"), ("VNSD-0", "VNSD"), ("VNSE3-0", "VNSE3"),
        ):  # fmt: skip
            loaded = load({"batteries": [battery(meter_dev_type=device_type)]})
            self.assertEqual(loaded.simulation.batteries[0].config.family.name, family)
            self.assertEqual(loaded.warnings, ())

    def test_a_short_base_load_and_numbers_that_keep_their_type(self) -> None:
        setup = load({"powermeter": {"base_load": [-250], "solar_max": 5000}}).simulation
        self.assertEqual(setup.base_load_w, (-250,))
        self.assertIsInstance(setup.solar_max_w, int)

    def test_unknown_keys_are_warnings_with_the_nearest_name(self) -> None:
        loaded = load({"auto_mod": True, "ct": {"prot": 1}, "batteries": [battery(ramp_rat=3)]})
        texts = sorted(map(str, loaded.warnings))
        self.assertEqual(len(texts), 3)
        self.assertTrue(any("auto_mod: this key" in one and "'auto_mode'" in one for one in texts))
        self.assertTrue(any("ct.prot" in one and "'port'" in one for one in texts))
        self.assertTrue(
            any("batteries[0].ramp_rat" in one and "'ramp_rate'" in one for one in texts)
        )

    def test_the_guides_two_examples_are_as_they_stand(self) -> None:
        first = load_file(str(SEED_GUIDE / "sim_config.json"))
        second = load_file(str(SEED_GUIDE / "household.json"))
        for loaded in (first, second):
            self.assertEqual(loaded.warnings, ())
            self.assertEqual(loaded.simulation.http_host, "0.0.0.0")
        self.assertEqual([one.config.mac[-1] for one in first.simulation.batteries], ["1", "2"])
        self.assertEqual(len(second.simulation.loads), 9)
        self.assertEqual(second.simulation.batteries[0].config.ramp_w_per_s, 150)
        self.assertEqual(second.simulation.auto_interval_s, (15, 45))
