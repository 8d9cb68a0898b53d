"""Batteries and answers for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astrameter.ct.wire import decode, encode
from simulator.batteries.acceptance import Answer
from simulator.batteries.battery import Battery
from simulator.batteries.config import BatteryConfig

MAC = "02B250000001"
CT_MAC = "112233445566"


def config(**changes: Any) -> BatteryConfig:
    """A quick Venus E v3 of 2500 W on phase A, without inspection."""
    values: dict[str, Any] = {
        "mac": MAC,
        "device_type": "VNSE3-0",
        "inspection_polls": 0,
        "max_charge_w": 2500,
        "max_discharge_w": 2500,
        "ramp_w_per_s": 400,
        "min_power_w": 5,
        "startup_delay_s": 0,
    }
    return BatteryConfig(**{**values, **changes})


def numbers(
    phase_w: Sequence[int] = (0, 0, 0),
    total_w: int | None = None,
    counts: Sequence[int] = (0, 0, 0, 0),
    charge_w: Sequence[int] = (0, 0, 0, 0, 0),
    discharge_w: Sequence[int] = (0, 0, 0, 0, 0),
) -> Answer:
    """The numbers of an answer; the sums are those of x, A, B, C, ABC."""
    total = sum(phase_w) if total_w is None else total_w
    return Answer(tuple(phase_w), total, tuple(counts), 0, tuple(charge_w), tuple(discharge_w))


def fields_of(answer: Answer, index: int = 0, **texts: str) -> list[str]:
    """The 24 fields; ``ct_type``, ``ct_mac``, ``device_type`` and ``mac`` replace the usual."""
    head = {"ct_type": "HME-4", "ct_mac": CT_MAC, "device_type": "VNSE3-0", "mac": MAC, **texts}
    values = [
        *answer.phase_w,
        answer.total_w,
        *answer.counts,
        -50,
        index,
        *answer.charge_w,
        *answer.discharge_w,
    ]
    return [*head.values(), *map(str, values)]


def datagram(answer: Answer, index: int = 0, **texts: str) -> bytes:
    """A complete answer."""
    return encode(fields_of(answer, index, **texts))


def steered(value_w: int, index: int = 0, **texts: str) -> bytes:
    """The recommended encoding for one value on phase A (marstek-devices.md section 1.5)."""
    return datagram(numbers((value_w, 0, 0), counts=(1, 0, 0, 0)), index, **texts)


def sent(request: bytes) -> tuple[str, int]:
    """Phase letter and power of a request."""
    fields = decode(request)
    return fields[4], int(fields[5])


def exchange(battery: Battery, now: float, answer: bytes | None) -> bytes:
    """Time passes, one poll goes out and is answered at once."""
    battery.advance_to(now)
    request = battery.poll(now)
    if answer is not None:
        battery.answer(answer, now)
    return request
