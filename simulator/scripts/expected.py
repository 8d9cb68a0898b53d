"""``expect``: what is to come of it."""

from __future__ import annotations

from typing import Any

from simulator.configuration.checked import Object, is_number
from simulator.configuration.file import LARGEST_W
from simulator.household import PHASES
from simulator.scripts.model import GRID, POWER, SOC, Expectation
from simulator.scripts.names import Names, time_of

TOTAL = "total"

_WITHIN = {GRID: 50.0, POWER: 50.0, SOC: 0.02}


class Expected:
    """Reads the objects under ``expect``."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def expectations(self, entry: Object, at_s: float) -> list[Expectation]:
        if "expect" not in entry:
            return []
        if isinstance(entry.raw("expect"), list):
            objects = entry.objects("expect")
        else:
            objects = [entry.inside("expect")]
        found: list[Expectation] = []
        for one in objects:
            before = len(found)
            found.extend(self._expected(one, at_s))
            if len(found) == before and list(one):
                one.findings.problem(one.path, f"what is expected? {GRID}, {SOC} or {POWER}")
            one.unknown()
        return found

    def _expected(self, one: Object, at_s: float) -> list[Expectation]:
        times = {
            "for_s": time_of(one, "for"),
            "before_s": time_of(one, "before"),
            "average_s": time_of(one, "average"),
        }
        within = one.number("within", -1.0, 0.0, LARGEST_W)
        found: list[tuple[str, str, Object, str]] = []
        for kind in (GRID, SOC, POWER):
            if kind not in one:
                continue
            value = one.raw(kind)
            if kind == GRID and is_number(value):
                found.append((kind, TOTAL, one, kind))
                continue
            inside = one.inside(kind)
            if kind == GRID and {"min", "max"} & set(inside):
                found.append((kind, TOTAL, one, kind))
                continue
            for key in inside:
                inside.raw(key)
                found.append((kind, self._place(kind, inside, key), inside, key))
        return [
            Expectation(at_s, kind, of, *self._limits(kind, holder, key, within), **times)
            for kind, of, holder, key in found
        ]

    def _place(self, kind: str, one: Object, key: str) -> str:
        if kind != GRID:
            return self._names.mac(one, key)
        if key not in (TOTAL, *PHASES):
            one.wrong(key, "total, A, B or C is wanted")
        return key

    def _limits(self, kind: str, one: Object, key: str, within: float) -> tuple[float, float]:
        value: Any = one.raw(key)
        if is_number(value):
            half = within if within >= 0 else _WITHIN[kind]
            return value - half, value + half
        if not isinstance(value, dict) or not {"min", "max"} & value.keys():
            one.wrong(key, 'a number is wanted, or {"min": ..., "max": ...}')
            return 0.0, 0.0
        limits = one.inside(key)
        low = limits.number("min", -LARGEST_W) if "min" in limits else -float("inf")
        high = limits.number("max", LARGEST_W) if "max" in limits else float("inf")
        limits.unknown()
        if low > high:
            one.wrong(key, "min is larger than max")
        return low, high
