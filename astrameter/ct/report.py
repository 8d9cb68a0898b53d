"""What an answered CT poll tells the observers (ct-protocol.md sections 11.1 and 18)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from astrameter.ct.aggregate import BUCKET_NAMES
from astrameter.ct.emulator import Answer, EmulatedCt, Poll
from astrameter.events import CtAnswered

_ID_CHARACTERS = 16
_PEER_CHARACTERS = 8


def answered(
    device_id: str, ct: EmulatedCt, poll: Poll, answer: Answer, wall_clock: Callable[[], datetime]
) -> CtAnswered:
    """The event of one answered poll."""
    consumer, request, controller = poll.consumer, poll.request, ct.controller
    settings = consumer.settings
    return CtAnswered(
        device_id,
        consumer.consumer_id,
        answer.grid,
        answer.target,
        {
            "phase": request.phase,
            "reported_power": request.power_w,
            "device_type": request.device_type,
            "battery_ip": poll.address[0],
            "ct_type": request.ct_type,
            "ct_mac": request.ct_mac,
            "saturation": controller.saturation(consumer.consumer_id),
            "last_target": controller.last_reading_w(consumer.consumer_id),
            "active": settings.active,
            "poll_interval": consumer.poll_interval_s,
            "last_seen": wall_clock().isoformat(),
            "smooth_target": controller.last_grid_w,
            "manual_target": settings.manual_target,
            "auto_target": settings.auto_target,
            "distribution_weight": settings.distribution_weight,
            "efficiency_window_weight": settings.efficiency_window_weight,
            "min_dc_output": settings.min_dc_output,
            "active_control": ct.active_control,
            "efficiency_rotation": ct.rotates,
            "consumer_count": len(ct.fleet),
        },
    )


def status_line(ct: EmulatedCt, poll: Poll, answer: Answer, now: float) -> str:
    """The DEBUG_STATUS line of one answered poll (section 18)."""
    buckets = ct.buckets(now)
    charge = _by_bucket(buckets.charge_w)
    discharge = _by_bucket(buckets.discharge_w)
    peers = sorted(ct.fleet, key=lambda c: c.consumer_id)
    listed = " ".join(f"{c.consumer_id[:_PEER_CHARACTERS]}@{c.phase}:{c.power_w}" for c in peers)
    phases = " ".join(f"{name}:{int(w)}W" for name, w in zip("ABC", answer.target, strict=True))
    parts = (
        f"consumer {poll.consumer.consumer_id[:_ID_CHARACTERS]}",
        f"meter {sum(map(int, answer.grid))}W",
        f"phases {phases}",
        f"chrg {charge}",
        f"dchrg {discharge}",
        f"consumers {listed or 'none'}",
    )
    return " | ".join(parts)


def _by_bucket(values: list[int]) -> str:
    return " ".join(f"{name}:{value}" for name, value in zip(BUCKET_NAMES, values, strict=True))
