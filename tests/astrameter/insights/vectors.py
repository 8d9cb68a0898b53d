"""The samples of AstraMeter 2.2.3, and what we do otherwise on purpose."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from astrameter.events import CtAnswered, ShellyAnswered
from tests.vectors import load

VECTORS = load("mqtt")
PUBLICATIONS: list[dict[str, Any]] = VECTORS["publications"]
COMMANDS: list[dict[str, Any]] = VECTORS["commands"]
PURE: dict[str, list[dict[str, Any]]] = VECTORS["pure_functions"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def named(function: str) -> list[dict[str, Any]]:
    """The cases of one pure function, each with a name."""
    return [{**case, "name": str(i)} for i, case in enumerate(PURE[function])]


def expected(case_id: str) -> list[dict[str, Any]]:
    """What a case of the publications expects, with our deviations."""
    (case,) = [case for case in PUBLICATIONS if case["id"] == case_id]
    return [_ours(one) for one in case["expect"]]


def _ours(one: dict[str, Any]) -> dict[str, Any]:
    """Phase D is among the options (mqtt.md section 9.5)."""
    found = copy.deepcopy(one)
    phase = found.get("json", {}).get("components", {}).get("phase")
    if phase is not None:
        assert phase["options"] == ["A", "B", "C"]
        phase["options"].append("D")
    return found


def states(part: str) -> Iterator[dict[str, Any]]:
    """Every sample of a state topic with ``part`` in its name, each with a name."""
    for case in PUBLICATIONS:
        for i, one in enumerate(case["expect"]):
            if "json" in one and part in one["topic"] and "/device/" not in one["topic"]:
                yield {**one, "name": f"{case['id']} {i}"}


def documents() -> Iterator[dict[str, Any]]:
    """Every announcement to Home Assistant, each with a name."""
    for case in PUBLICATIONS:
        for i, one in enumerate(expected(case["id"])):
            if one["topic"].endswith("/config"):
                yield {**one, "name": f"{case['id']} {i}", "context": case["context"][0]}


def ct_answered(device: str, battery: str, state: dict[str, Any], **more: Any) -> CtAnswered:
    """The answer that is published as ``state``."""
    rest = {key: value for key, value in state.items() if key not in ("grid_power", "target")}
    return CtAnswered(
        device, battery, _phases(state["grid_power"]), _phases(state["target"]), {**rest, **more}
    )


def shelly_answered(device: str, ip: str, state: dict[str, Any], count: int) -> ShellyAnswered:
    return ShellyAnswered(
        device, ip, _phases(state["grid_power"]), state["poll_interval"], count, state["last_seen"]
    )


def _phases(power: dict[str, float]) -> tuple[float, float, float]:
    return power["l1"], power["l2"], power["l3"]
