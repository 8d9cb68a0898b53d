"""The responder against every case of the conformance vectors (ct-protocol.json)."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.aggregate import BUCKET_NAMES
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CLASSIC, CtOptions
from astrameter.ct.responder import CtProtocol
from astrameter.ct.settings import SettingError
from astrameter.events import Bus, CtAnswered
from astrameter.meters.options import EVERYBODY
from astrameter.reading import MeterError, sample_of
from astrameter.routing import Route, Routes
from astrameter.steering.controller import Steering
from tests.astrameter.ct.rig import FakeTransport, ScriptedMeter
from tests.vectors import each, load

VECTORS = load("ct-protocol")

DIFFERENT_ON_PURPOSE = {
    "meter_nan_relay_no_reply": "a reading that is no number is a failed meter: hold, so that "
    "the battery hears something, and nothing is poisoned",
    "meter_infinite_relay_no_reply": "as for NaN",
    "power_field_underscore_ok": "an accident of the predecessor's integer parser",
    "dedupe_sweep_with_short_fixed_ttl_forgets_early": "the window is kept as configured",
}


class Emulator:
    """One emulated CT under the vectors' clock."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.clock = Clock()
        self.clock.rightNow = 999.0
        ttl = config.get("CONSUMER_TTL")
        options = CtOptions(
            active_control=config["ACTIVE_CONTROL"],
            ct_mac=config.get("CT_MAC", ""),
            wifi_rssi=config.get("WIFI_RSSI", -50),
            consumer_ttl=ttl,
            answer_style=CLASSIC,
        )
        ct_type = "HME-3" if config.get("device") == "ct003" else "HME-4"
        dedupe = config.get("DEDUPE_TIME_WINDOW", 0.0)
        self.ct = EmulatedCt(ct_type, options, dedupe, Steering(options))
        self.bus = Bus(self.clock)
        self.events: list[CtAnswered] = []
        self.bus.subscribe(CtAnswered, self.events.append, name="test")
        self.meters = [
            ScriptedMeter(self.clock, f"M{i}") for i in range(len(config.get("meters", [1])))
        ]
        routes = Routes()
        masks = [
            [ipaddress.IPv4Network(n) for n in m["NETMASK"].split(",")]
            for m in config.get("meters", [])
        ] or [list(EVERYBODY)]
        routes.replace(
            [Route(m, m, mask, False) for m, mask in zip(self.meters, masks, strict=True)]
        )
        self.transport = FakeTransport()
        self.protocol = CtProtocol(
            self.clock,
            "device-1",
            self.ct,
            routes,
            self.bus,
            lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.protocol.transport = self.transport

    def at(self, time: float) -> None:
        self.clock.rightNow = time

    def feed(self, step: dict[str, Any]) -> None:
        scripts = step["meter"]
        if len(self.meters) == 1:
            scripts = [scripts]
        for meter, script in zip(self.meters, scripts, strict=True):
            meter.script(script)

    def poll(self, step: dict[str, Any]) -> bytes | None:
        self.feed(step)
        request = bytes.fromhex(step["request_hex"])
        for _ in range(step.get("repeat", 1)):
            self.transport.written.clear()
            self.events.clear()
            self.protocol.datagramReceived(request, tuple(step["from"]))
            self.clock.advance(0)
        written = self.transport.written
        if not written:
            return None
        (datagram, address), *others = written
        assert not others
        assert address == tuple(step["from"])
        return datagram


def flat(event: CtAnswered) -> dict[str, Any]:
    """The event in the shape of the vectors."""
    data = {k: v for k, v in event.data.items() if k != "last_seen"}
    data["grid_power"] = dict(
        zip(("l1", "l2", "l3"), event.grid_power, strict=True), total=sum(event.grid_power)
    )
    data["target"] = dict(zip(("l1", "l2", "l3"), event.target, strict=True))
    return {"device_id": event.device_id, "consumer_id": event.consumer_id, "data": data}


class Vectors(SynchronousTestCase):
    maxDiff = 4000

    @each([c for c in VECTORS["responder"] if c["name"] not in DIFFERENT_ON_PURPOSE])
    def responder(self, case: dict[str, Any]) -> None:
        emulator = Emulator(case["config"])
        for number, step in enumerate(case["steps"]):
            emulator.at(step["t"])
            getattr(self, "step_" + step["op"])(emulator, step, f"step {number}")

    def step_poll(self, emulator: Emulator, step: dict[str, Any], where: str) -> None:
        reply = emulator.poll(step)
        wanted = step["reply_hex"]
        self.assertEqual(reply, None if wanted is None else bytes.fromhex(wanted), where)
        if "event" in step:
            events = [flat(event) for event in emulator.events]
            self.assertEqual(events, [step["event"]] if step["event"] else [], where)

    def step_sweep(self, emulator: Emulator, step: dict[str, Any], where: str) -> None:
        self.assertEqual(sorted(emulator.protocol.sweep()), sorted(step["removed"]), where)

    def step_set(self, emulator: Emulator, step: dict[str, Any], where: str) -> None:
        value = step["value"]
        if isinstance(value, str):
            value = float(value)
        if step["setting"] == "active_control":
            emulator.ct.active_control = value
            return
        result = "ok"
        try:
            emulator.ct.change_setting(step["consumer"], step["setting"], value)
        except SettingError:
            result = "rejected"
        self.assertEqual(result, step["result"], where)

    def step_rows(self, emulator: Emulator, step: dict[str, Any], where: str) -> None:
        rows = [
            {
                "device_type": c.device_type.strip(),
                "consumer_id": c.consumer_id.strip(),
                "last_ip": c.ip,
                "phase": c.phase.lower(),
            }
            for c in sorted(emulator.ct.fleet, key=lambda c: c.consumer_id)
        ]
        self.assertEqual(rows, step["rows"], where)
        self.assertEqual(len(rows), step["reporting_count"], where)

    def step_buckets(self, emulator: Emulator, step: dict[str, Any], where: str) -> None:
        buckets = emulator.ct.buckets(emulator.clock.seconds())
        found = {
            name: {
                "chrg_power": buckets.charge_w[i],
                "dchrg_power": buckets.discharge_w[i],
                "active": buckets.is_active(i),
                "count": buckets.count[i],
            }
            for i, name in enumerate(BUCKET_NAMES)
        }
        self.assertEqual(found, step["buckets"], where)

    def test_every_difference_on_purpose_is_an_optional_case(self) -> None:
        optional = {c["name"] for c in VECTORS["responder"] if c.get("optional")}
        self.assertEqual(set(DIFFERENT_ON_PURPOSE) - optional, set())

    def test_a_source_refuses_what_is_no_number(self) -> None:
        for bad in (float("nan"), float("inf"), float("-inf")):
            self.assertRaises(MeterError, sample_of, [bad, 6, 7], 0.0)
