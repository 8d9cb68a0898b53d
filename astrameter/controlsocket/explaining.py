"""Why batteries are told what they are told, for whoever asks over the control socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from astrameter.controlsocket.orders import find_battery
from astrameter.controlsocket.wire import ControlError
from astrameter.ct.fleet import Consumer
from astrameter.emulators import CtEmulator
from astrameter.events import SteeringDecided
from astrameter.filters.health import Health
from astrameter.insights.inventory import CtDevice
from astrameter.redaction import redact
from astrameter.routing import Routes
from astrameter.steering import explain
from astrameter.steering.interface import INSPECTION
from astrameter.steering.trace import KEPT


def explained(
    emulators: Sequence[CtEmulator],
    chains: Mapping[str, Health],
    routes: Routes,
    now: float,
    args: Mapping[str, Any],
) -> dict[str, Any]:
    """One battery with all decisions that are kept, or all with their last ones.

    :param args: ``battery``, ``device`` and ``decisions`` (how many) may be in it.
    :raises ControlError: there is no such battery.
    """
    one = args.get("battery") is not None
    most = args.get("decisions", KEPT if one else 1)
    if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= KEPT:
        raise ControlError("bad_request", f"decisions is 0..{KEPT}")
    if one:
        cts = {e.spec.device_id: CtDevice(e.spec, e.ct) for e in emulators}
        ct, name = find_battery(cts, args)
        found = [(e, c) for e in emulators if e.ct is ct and (c := ct.fleet.get(name)) is not None]
        if not found:
            raise ControlError("unknown_battery", f"{name} has settings, but it does not ask")
    else:
        found = [(e, c) for e in emulators for c in sorted(e.ct.fleet, key=lambda c: c.consumer_id)]
    return {"batteries": [_battery(e, c, chains, routes, now, most) for e, c in found]}


def decided(event: SteeringDecided) -> dict[str, Any]:
    """A decision as those who watch are told."""
    before = event.before
    return {
        "device": event.device_id,
        "battery": event.consumer_id,
        "decision": explain.document(event.decision),
        "before": None if before is None else before._asdict(),
    }


def _battery(
    emulator: CtEmulator,
    consumer: Consumer,
    chains: Mapping[str, Health],
    routes: Routes,
    now: float,
    most: int,
) -> dict[str, Any]:
    situation = _situation(emulator, consumer, chains, routes, now)
    return {
        "id": consumer.consumer_id,
        "device": emulator.spec.device_id,
        "ct": emulator.spec.type,
        "type": consumer.device_type,
        "phase": "" if consumer.phase == INSPECTION else consumer.phase,
        "mode": consumer.mode.value,
        "age_s": now - consumer.reported_at,
        "poll_interval_s": consumer.poll_interval_s,
        "why": explain.sentences(situation),
        "now": now,
        "decisions": explain.documents(situation.decisions)[-most:] if most else [],
    }


def _situation(
    emulator: CtEmulator,
    consumer: Consumer,
    chains: Mapping[str, Health],
    routes: Routes,
    now: float,
) -> explain.Situation:
    ct = emulator.ct
    route = routes.find(consumer.ip)
    section = "" if route is None else route.section
    stage = ct.failsafe.stage(section)
    chain = chains.get(section)
    error = None if chain is None or chain.last is None else chain.last.error
    return explain.Situation(
        device_type=consumer.device_type,
        phase=consumer.phase,
        power_w=consumer.power_w,
        age_s=now - consumer.reported_at,
        alive=now - consumer.reported_at <= consumer.window_s or consumer.waiting,
        mode=consumer.mode,
        paused=not consumer.settings.active,
        manual_target_w=consumer.manual_target_w,
        weight=consumer.weight,
        steered=ct.active_control,
        meter=section,
        failing="" if stage is None else stage.value,
        error=redact(error or "it cannot be read"),
        failsafe_w=ct.failsafe.power_w,
        decisions=emulator.trace.of(consumer.consumer_id),
    )
