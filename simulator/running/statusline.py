"""A status as a line of text (simulator.md section 2.2)."""

from __future__ import annotations

from simulator.sitestatus import Status


def status_line(status: Status) -> str:
    """``grid=[-44, -60, 100] | 0001:A/130W/50% | 0002:B/180W/50%``"""
    grid = status.grid
    watts = ", ".join(str(round(power_w)) for power_w in (grid.a_w, grid.b_w, grid.c_w))
    parts = [f"grid=[{watts}]"]
    for one in status.batteries:
        parts.append(f"{one.mac[-4:]}:{one.phase}/{one.power_w}W/{one.soc:.0%}")
    return " | ".join(parts)
