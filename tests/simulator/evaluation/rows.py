"""Rows for tests, without running anything."""

from __future__ import annotations

from typing import Any

from simulator.evaluation.rows import ADDED, REPORTED


def row(scenario: str = "one", plant: str = "classic", **more: Any) -> dict[str, Any]:
    """A row whose figures are all 10, unless they are given."""
    return {
        "scenario": scenario,
        "plant": plant,
        "group": "standard",
        "about": "a test",
        "seed": 1,
        "duration_h": 1.0,
        "duration_s": 3600.0,
        "events_measured": 1,
        **dict.fromkeys((*REPORTED, *ADDED), 10.0),
        "problems": [],
        "compared": [],
        "events": [],
        **more,
    }


def drawn(scenario: str = "one", **more: Any) -> dict[str, Any]:
    """A row with all that the report draws."""
    event = {
        "at_s": 600.0,
        "label": "kettle_on",
        "settled": True,
        "settle_s": 8.0,
        "bound_s": 6.0,
        "ratio": 1.33,
        "overshoot_w": 12.0,
    }
    made = {
        "at_s": 601.0,
        "battery": 1,
        "grid_w": 2000,
        "age_s": 0.5,
        "delay_s": 0.4,
        "load_w": 2300,
        "share_w": 2300,
        "power_w": 300,
        "intent_w": 2300,
        "reading_w": 2000,
        "expected_w": None,
        "delivered_w": None,
        "why": "held: 2300 → 300 W",
    }
    return row(
        scenario,
        **{
            "events": [event, {**event, "settled": False, "bound_s": None, "ratio": None}],
            "battery_labels": ["B1 HMG-50"],
            "marks": [[600.0, "kettle_on"]],
            "grid_trace": [0.0, 2000.0, -30.0, 5.0],
            "consumption_trace": [300.0, 2300.0, 2300.0, 2300.0],
            "battery_traces": [[300.0, 300.0, 2330.0, 2295.0]],
            "target_traces": [[300.0, 2300.0, 2300.0, 2300.0]],
            "soc_traces": [[0.6, 0.6, 0.59, 0.58]],
            "explained": [{"at_s": 600.0, "label": "kettle_on", "made": [made]}],
            **more,
        },
    )
