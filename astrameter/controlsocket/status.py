"""The status document of the control socket: that of ``/api/status``, and what consoles need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.fleet import Consumer
from astrameter.emulators import CtEmulator, Emulator, ShellyEmulator
from astrameter.filters.health import Health
from astrameter.metrics.counts import PollCounts
from astrameter.routing import Routes
from astrameter.steering.interface import INSPECTION
from astrameter.web.status import Status

WORKS, FAILS, UNREAD = "works", "fails", "unread"
"""The state of a meter; nobody has read it yet when it is ``unread``."""


def document(
    status: Status,
    chains: Mapping[str, Health],
    emulators: Sequence[Emulator],
    routes: Routes,
    now: float,
) -> dict[str, Any]:
    """Everything at one moment.

    :param status: what ``/api/status`` shows.
    :param chains: the meters with their filters, by section.
    """
    devices = [
        {**said, **_device(emulator, routes, now)}
        for said, emulator in zip(status["devices"], emulators, strict=True)
    ]
    meters = [{**said, **_meter(chains.get(said["section"]))} for said in status["meters"]]
    return {**status, "meters": meters, "devices": devices}


def _meter(chain: Health | None) -> dict[str, Any]:
    last = None if chain is None else chain.last
    state = UNREAD if last is None else WORKS if last.error is None else FAILS
    reads, failures = (0, 0) if chain is None else (chain.reads, chain.failures)
    return {"state": state, "reads": reads, "failures": failures}


def _device(emulator: Emulator, routes: Routes, now: float) -> dict[str, Any]:
    found: dict[str, Any] = _polls(emulator.service.protocol.counts)
    if isinstance(emulator, CtEmulator):
        ct = emulator.ct
        batteries = [_battery(ct, consumer, routes, now) for consumer in ct.fleet]
        found |= {"active_control": ct.active_control, "grid_w": ct.controller.last_grid_w}
    elif isinstance(emulator, ShellyEmulator):
        batteries = [
            {
                "id": one.ip,
                "ip": one.ip,
                "type": "",
                "phase": "",
                "power_w": None,
                "reading_w": None,
                "age_s": now - one.seen_at,
                "poll_interval_s": one.poll_interval_s,
                "meter": _section(routes, one.ip),
            }
            for one in emulator.service.protocol.presence.active()
        ]
    return {**found, "batteries": batteries}


def _polls(counts: PollCounts) -> dict[str, Any]:
    return {"answered": sum(counts.answered.counts), "dropped": sum(counts.dropped.values())}


def _battery(ct: EmulatedCt, consumer: Consumer, routes: Routes, now: float) -> dict[str, Any]:
    name, controller = consumer.consumer_id, ct.controller
    return {
        "id": name,
        "ip": consumer.ip,
        "type": consumer.device_type,
        "phase": "" if consumer.phase == INSPECTION else consumer.phase,
        "power_w": consumer.power_w,
        "target_w": finite(controller.intent_w(name)),
        "reading_w": finite(controller.last_reading_w(name)),
        "age_s": now - consumer.reported_at,
        "alive": now - consumer.reported_at <= consumer.window_s or consumer.waiting,
        "poll_interval_s": consumer.poll_interval_s,
        "mode": consumer.mode.value,
        "saturation": controller.saturation(name),
        "meter": _section(routes, consumer.ip),
        "settings": asdict(consumer.settings),
    }


def _section(routes: Routes, ip: str) -> str:
    """The meter that serves the client at ``ip``; empty when none does."""
    route = routes.find(ip)
    return "" if route is None else route.section


def finite(value: float | None) -> float | None:
    """The number as JSON can say it: None for what is infinite or none at all."""
    return value if value is not None and math.isfinite(value) else None
