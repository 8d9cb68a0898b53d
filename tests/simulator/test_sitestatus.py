"""The status document: simulator.md section 7."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.sitestatus import BatteryStatus, GridStatus, LoadStatus, SolarStatus, Status

SAMPLE: dict[str, Any] = json.loads(
    """
{"grid": {"phase_a": 150.0, "phase_b": -120.0, "phase_c": 60.0, "total": 90.0},
 "loads": [{"name": "L1", "power": 30, "phase": "A", "active": true},
           {"name": "L2", "power": 80, "phase": "B", "active": false}],
 "solar": {"current": 0.0, "max": 2000, "phases": ["A", "B"]},
 "auto_mode": false,
 "batteries": [{"mac": "02B250000001", "phase": "A", "power": 0, "target": 0,
   "applied_target": 0, "power_update_delay_ticks": 2, "soc": 0.5, "max_charge": 800,
   "max_discharge": 800, "max_dc_input": 0, "dc_input": 0}]}
"""
)

_watts = st.floats(-1e6, 1e6)
_whole = st.integers(-40000, 40000)
_battery = st.builds(
    BatteryStatus,
    mac=st.from_regex(r"[0-9A-F]{12}", fullmatch=True),
    phase=st.sampled_from("ABCD"),
    power_w=_whole,
    target_w=_whole,
    applied_target_w=_whole,
    delay_polls=st.integers(0, 9),
    soc=st.floats(0, 1),
    max_charge_w=_whole,
    max_discharge_w=_watts,
    max_dc_input_w=_whole,
    dc_input_w=_whole,
    device_type=st.text(max_size=10),
    law=st.sampled_from(("field", "classic")),
    participates=st.booleans(),
    online=st.booleans(),
    meter_lost=st.booleans(),
    poll_age_s=st.none() | st.floats(0, 1e6),
)
_status = st.builds(
    Status,
    grid=st.builds(GridStatus, _watts, _watts, _watts, _watts),
    loads=st.lists(
        st.builds(LoadStatus, st.text(max_size=20), _whole, st.sampled_from("ABC"), st.booleans()),
        max_size=3,
    ).map(tuple),
    solar=st.builds(SolarStatus, _watts, _whole, st.just(("A", "C"))),
    auto_mode=st.booleans(),
    batteries=st.lists(_battery, max_size=3).map(tuple),
    elapsed_s=st.floats(0, 1e9),
    speed=st.floats(0.1, 100),
    cost_ct=_watts,
    import_wh=_watts,
    export_wh=_watts,
    ct_host=st.text(max_size=9),
    ct_port=st.integers(0, 65535),
    ct_mac=st.text(max_size=12),
    pid=st.integers(0, 1 << 22),
)


class Documents(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(_status)
    def test_what_is_written_is_read_as_it_was(self, status: Status) -> None:
        text = json.dumps(status.to_json(), allow_nan=False)
        self.assertEqual(Status.from_json(json.loads(text)), status)

    def test_the_predecessors_document_can_be_read(self) -> None:
        status = Status.from_json(SAMPLE)
        self.assertEqual(status.grid.total_w, 90.0)
        self.assertEqual(status.batteries[0].delay_polls, 2)
        self.assertEqual(status.ct_port, 0)

    def test_its_keys_come_first_in_ours_and_in_its_order(self) -> None:
        ours = Status.from_json(SAMPLE).to_json()
        self.assertEqual(list(ours)[: len(SAMPLE)], list(SAMPLE))
        battery = SAMPLE["batteries"][0]
        self.assertEqual(list(ours["batteries"][0])[: len(battery)], list(battery))
        self.assertEqual(
            {key: ours[key] for key in SAMPLE if key != "batteries"}
            | {"batteries": [{key: ours["batteries"][0][key] for key in battery}]},
            SAMPLE,
        )

    def test_numbers_keep_their_type(self) -> None:
        self.assertIn('"max": 2000,', json.dumps(Status.from_json(SAMPLE).to_json()))

    def test_a_battery_is_found_in_any_case(self) -> None:
        status = Status.from_json(SAMPLE)
        self.assertIs(status.battery("02b250000001"), status.batteries[0])
        self.assertIsNone(status.battery("02B250000009"))

    def test_what_is_no_status_says_why(self) -> None:
        for document, wanted in (
            ([], "status: an object is wanted, got list"),
            ({}, "status: 'grid' is missing"),
            ({**SAMPLE, "solar": 5}, "status.solar: an object is wanted"),
            ({**SAMPLE, "auto_mode": "yes"}, "'auto_mode' is to be true or false"),
            ({**SAMPLE, "loads": {}}, "'loads' is to be a list"),
            ({**SAMPLE, "loads": [{"name": 5}]}, "status.loads[0]: 'name' is to be text"),
            ({**SAMPLE, "speed": float("nan")}, "'speed' is to be a finite number"),
            ({**SAMPLE, "solar": {"current": True}}, "'current' is to be a number"),
            ({**SAMPLE, "solar": {"current": 1, "max": 2, "phases": [1]}}, "a list of texts"),
        ):
            with self.assertRaises(ValueError) as caught:
                Status.from_json(document)
            self.assertIn(wanted, str(caught.exception))
