"""A moment of the demo, made up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from astrameter.console.drawing.batteries import BatteryLook
from astrameter.console.drawing.log import Event
from simulator.demo.model import Running, Snapshot, Trends
from simulator.demo.money import MoneyLook

BATTERIES = (
    BatteryLook("Venus E v3", "A", -512.0, -530.0, 0.46, 0.3, 2500.0),
    BatteryLook("Venus E v2", "B", 711.0, 720.0, 0.38, 1.8, 2500.0),
    BatteryLook("Venus D", "C", 0.0, None, 0.57, None, 2500.0),
)
EVENTS = (
    Event(36_000.0, "3 batteries look for their meter", "heading"),
    Event(36_355.0, "Kettle on: 2000 W on A", "load"),
    Event(38_440.0, "a cloud before the sun", "solar"),
)
MONEY = MoneyLook(
    cost_ct=1.26,
    without_ct=-4.87,
    stored_wh=540.0,
    stored_ct=15.48,
    import_wh=70.0,
    export_wh=105.0,
    saving_ct_per_h=35.4,
)


def trends(points: int = 1200) -> Trends:
    """Minutes of a lively house."""
    made = Trends()
    for number in range(points):
        grid_w = 900.0 * math.sin(number / 9) * (number % 60 < 20)
        made.note((grid_w, 0.0, 0.0), 500.0 + 2000.0 * (number % 90 < 25), 2400.0)
    return made


def snapshot(**changes: Any) -> Snapshot:
    """Ten past ten."""
    made = Snapshot(
        second_of_day=36_630.0,
        speed=20.0,
        grid_w=(102.0, -614.0, 18.0),
        load_w=537.0,
        solar_w=2616.0,
        batteries=BATTERIES,
        running=(Running("Fridge", 90.0, "C"), Running("Washer heater", 2000.0, "C")),
        money=MONEY,
        trends=trends(),
        events=EVENTS,
        answers_per_s=4.8,
        latency_s=0.0021,
        link="http://127.0.0.1:52500/",
    )
    return replace(made, **changes)
