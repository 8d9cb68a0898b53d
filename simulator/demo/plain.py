"""The demo as plain lines, for logs and pipes: ASCII, one line a second."""

from __future__ import annotations

from astrameter.console.drawing.words import clock, money
from simulator.demo.model import Snapshot


def plain_line(snapshot: Snapshot) -> str:
    """Everything that matters, on one line."""
    a, b, c = map(round, snapshot.grid_w)
    parts = [
        clock(snapshot.second_of_day, seconds=True),
        f"grid {round(snapshot.total_w):5d} W (A {a:5d} B {b:5d} C {c:5d})",
        f"house {round(snapshot.load_w):5d} W",
        f"solar {round(snapshot.solar_w):5d} W",
    ]
    for number, one in enumerate(snapshot.batteries, 1):
        target = "-" if one.target_w is None else f"{round(one.target_w)}"
        parts.append(f"battery {number} {round(one.power_w):5d} W ->{target:>6} W {one.soc:4.0%}")
    look = snapshot.money
    parts.append(f"cost {money(look.cost_ct)}, saved {money(look.saved_ct)}")
    return " | ".join(parts)


def summary_line(snapshot: Snapshot, means_w: tuple[float, float]) -> str:
    """What is left to say at the end.

    :param means_w: mean distance of the grid power from zero, with and without batteries.
    """
    look = snapshot.money
    return (
        f"At {clock(snapshot.second_of_day)} in the house: "
        f"bought {look.import_wh / 1000:.3f} kWh, sold {look.export_wh / 1000:.3f} kWh, "
        f"stored {look.stored_wh / 1000:+.3f} kWh; "
        f"grid bill {money(look.cost_ct)} instead of {money(look.without_ct)}, "
        f"saved {money(look.saved_ct)} with what is stored; "
        f"mean distance of the grid from zero {means_w[0]:.0f} W instead of {means_w[1]:.0f} W."
    )
