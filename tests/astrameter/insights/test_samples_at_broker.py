"""Every sample of AstraMeter 2.2.3 at a real broker, from data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from astrameter.deferreds import sleep
from astrameter.events import CtRemoved, ShellyRemoved
from astrameter.insights import views
from astrameter.insights.service import Insights
from astrameter.insights.topics import Topics
from astrameter.marstek.managed import Managed
from astrameter.mqtt import MqttClient
from tests.astrameter.insights.played import PlayedCase
from tests.astrameter.insights.real import RealCase, asynchronous, reactor
from tests.astrameter.insights.test_commands import payload_of
from tests.astrameter.insights.vectors import (
    COMMANDS,
    COMMIT,
    PURE,
    VECTORS,
    ct_answered,
    expected,
    shelly_answered,
)
from tests.vectors import each

A_MAC = "02b250b71db3"
A_SHELLY = "shellyemg3-ec4609c439c2"
C_SHELLY = "shellyproem50-ec4609c439c1"


class Publications(PlayedCase):
    async def begin(self, base: str, **options: Any) -> None:
        self.patch(views, "MIN_GRACE_S", 0.0)
        self.topics = Topics(base)
        self.broker = await self.start_broker()
        await self.watch(self.broker.port)
        self.service: Insights = self.insights(
            self.broker.port, base_topic=base, publish_interval=0.0, version="2.2.3", **options
        )

    def answer(self, case_id: str, **changes: Any) -> None:
        """A CT has answered as a case tells."""
        wanted = {one["topic"]: one for one in expected(case_id)}
        for topic, one in wanted.items():
            place = self.topics.place(topic)
            if place is None or not place.battery or "json" not in one:
                continue
            status = wanted[self.topics.ct(place.device)]["json"]
            changed = {**one["json"], **changes}
            self.bus.publish(ct_answered(place.device, place.battery, changed, **status))

    def shelly_answer(self, case_id: str, ip: str, count: int, **changes: Any) -> None:
        for one in expected(case_id):
            if "/battery/" in one["topic"] and "json" in one and "/device/" not in one["topic"]:
                device = one["topic"].split("/")[-3]
                event = shelly_answered(device, ip, {**one["json"], **changes}, count)
                self.bus.publish(event)

    @asynchronous
    async def test_context_a(self) -> None:
        self.add_ct("device-1")
        self.shellies = frozenset([A_SHELLY])
        meter = self.add_meter("JSON_HTTP", (120.0, 0.0, -30.0))
        self.managed.put("HME-4", Managed(A_MAC))
        await self.begin("astrameter", powermeter_health_interval=1.0, marstek_mqtt_interval=6.0)
        for case_id in ("start-status", "start-hub-discovery", "start-bridge"):
            await self.wait_for(case_id)
        for case_id in ("pm-health-3ph-online", "pm-discovery", "app-broadcast-at-connect"):
            await self.wait_for(case_id)
        await self.kept("start-status", "start-bridge", "pm-discovery", "app-broadcast-at-connect")
        await self._batteries_of_a()
        meter.reading = "error"
        await self.expect("pm-health-offline")
        await self.service.stopService()
        await self.expect("stop-graceful")

    async def _batteries_of_a(self) -> None:
        self.answer("ct-first-poll")
        await self.expect("ct-first-poll")
        await self.kept("ct-first-poll")
        self.answer("ct-second-poll")
        await self.expect("ct-second-poll")
        state = next(o["json"] for o in expected("ct-first-poll") if "target" in o.get("json", {}))
        dc = {**state, "phase": "B", "reported_power": 100, "device_type": "HMJ-2"}
        self.bus.publish(ct_answered("device-1", "112233445566", dc, consumer_count=2))
        await self.expect("ct-b2500-first-poll-discovery")
        self.answer("ct-combined-first-poll")
        await self.expect("ct-combined-first-poll")
        await self.until(lambda: self.about({"astrameter/powermeter/JSON_HTTP"}), "a quiet moment")
        self.got.clear()
        self.poll("device-1", ["HMG-50", "DEADBEEF0001", "HME-4", "02b250000001", "0", "0"], (1.0,))
        await self.expect_nothing("ct-inspection-poll")
        self.shelly_answer("shelly-first-poll", "127.0.0.50", 1)
        await self.expect("shelly-first-poll")
        self.bus.publish(CtRemoved("device-1", "aabbccddeeff"))
        await self.expect("ct-eviction")
        # 2.x published that a battery went that had never been there (mqtt.md section 9.4).
        self.bus.publish(CtRemoved("device-1", "deadbeef0001"))
        await sleep(reactor, 1.2)
        self.assertFalse(self.about({expected("ct-eviction-inspection")[0]["topic"]}))
        self.answer("ct-poll-meter-down")
        await self.expect("ct-poll-meter-down")
        # "shelly-unknown-method": no answer and no event, see tests.astrameter.shelly

    @asynchronous
    async def test_context_a_killed(self) -> None:
        await self.begin("astrameter")
        await self.expect("start-status")
        self.service.client._session.transport.abortConnection()  # type: ignore[union-attr]
        await self.expect("stop-kill")
        await self.expect("start-status")

    @asynchronous
    async def test_context_b(self) -> None:
        self.add_ct("my dev.1", "HME-3", min_efficient_power=150)
        await self.begin(
            "site/astra",
            ha_discovery_prefix="ha",
            addon_slug="a0ef98c5_b2500_meter",
            marstek_mqtt_interval=0.0,
            powermeter_health_interval=0.0,
            commit=COMMIT,
        )
        await self.expect("B-start")
        self.answer("B-first-poll")
        await self.expect("B-first-poll")
        await self.kept("B-start", "B-first-poll")

    @asynchronous
    async def test_context_c(self) -> None:
        self.shellies = frozenset([C_SHELLY])
        self.add_meter("MQTT_garage meter", "error", online=False)
        await self.begin("astrameter", powermeter_health_interval=2.0, marstek_mqtt_enabled=False)
        await self.expect("C-pm-before-first-value")
        batteries = ("127.0.0.60", "127.0.0.61")
        for count, ip in enumerate(batteries, 1):
            self.shelly_answer("C-shelly-return", ip, count, last_seen="before")
        await self.expect("both", [{"topic": "astrameter/bridge", "json": _bridge(2)}])
        for ip in batteries:
            self.bus.publish(ShellyRemoved(C_SHELLY, ip))
            await sleep(reactor, 1.1)
        await self.expect("C-shelly-removal")
        self.shelly_answer("C-shelly-return", batteries[0], 2)
        await self.expect("C-shelly-return")

    @asynchronous
    async def test_context_d(self) -> None:
        self.shellies = frozenset([C_SHELLY])
        self.add_meter("JSON_HTTP", (120.0,))
        await self.begin("astrameter", powermeter_health_interval=2.0, ha_discovery=False)
        meter = "astrameter/powermeter/JSON_HTTP"
        await self.until(lambda: len(self.about({meter})) == 2, "two looks at the meter")
        self.shelly_answer("D-no-ha", "127.0.0.62", 1)
        await self.wait_for("D-no-ha")
        unwanted = [t for t, _ in self.got if t.startswith("homeassistant") or t.endswith("bridge")]
        self.assertEqual(unwanted, [])

    def test_no_case_is_left_out(self) -> None:
        source = Path(__file__).read_text(encoding="utf-8")
        for case in VECTORS["publications"]:
            self.assertIn(f'"{case["id"]}"', source)


def _bridge(count: int) -> dict[str, Any]:
    return {"version": "2.2.3", "consumer_count": count}


class Commanded(RealCase):
    """Context B, with a fence: a command that has an effect, behind the one that may have none."""

    base = "site/astra"
    battery = "aabbccddeeff"

    async def begin(self) -> None:
        self.ct = self.add_ct("my dev.1", "HME-3", min_efficient_power=150)
        self.broker = await self.start_broker()
        self.service = self.insights(
            self.broker.port,
            base_topic=self.base,
            publish_interval=0.0,
            marstek_mqtt_interval=0.0,
            powermeter_health_interval=0.0,
        )
        self.sender: MqttClient = await self.watch(self.broker.port, f"{self.base}/#")
        await self.connected(self.service.client)
        self.fence = 0

    async def send(self, topic: str, payload: bytes) -> None:
        self.fence += 1
        await self.sender.publish(topic, payload)
        fence = f"{self.base}/ct002/my dev.1/consumer/fence/manual_target/set"
        await self.sender.publish(fence, str(self.fence))
        await self.until(lambda: self.settings("fence")["manual_target"] == self.fence, "the fence")

    def settings(self, battery: str) -> dict[str, Any]:
        settings = self.ct.fleet.settings_of(battery)
        return {name: getattr(settings, name) for name in views.SETTINGS}

    def ask(self) -> None:
        fields = ["HMJ-2", self.battery.upper(), "HME-3", "02b250000001", "A", "100"]
        self.poll("my dev.1", fields, (120.0,))

    def states(self) -> list[dict[str, Any]]:
        topic = f"{self.base}/ct002/my dev.1/consumer/{self.battery}"
        return [json.loads(payload) for where, payload in self.got if where == topic]

    def statuses(self) -> list[dict[str, Any]]:
        topic = f"{self.base}/ct002/my dev.1/status"
        return [json.loads(payload) for where, payload in self.got if where == topic]


class Commands(Commanded):
    @asynchronous
    async def test_every_sample(self) -> None:
        await self.begin()
        self.ask()
        await self.until(self.states, "the battery")
        for case in COMMANDS:
            with self.subTest(case["id"]):
                await self.check(case)

    async def check(self, case: dict[str, Any]) -> None:
        for name, value in case.get("state_before", {}).items():
            self.ct.change_setting(self.battery, name, value)
        before = self.settings(self.battery)
        await sleep(reactor, 0.02)
        self.got.clear()
        await self.send(case["topic"], payload_of(case))
        wanted = {**before, **case.get("changed", {})}
        self.assertEqual(self.settings(self.battery), wanted, case)
        if payload_of(case).strip() and (
            case.get("changed") or "warning" in str(case.get("logged"))
        ):
            await self.until(lambda: self.states() or self.statuses(), f"an answer: {case}")
        for status in (case.get("status_after_next_poll"), case.get("status_after")):
            if status is not None:
                self.assertEqual(self.ct.active_control, status["active_control"], case)
        self.got.clear()
        self.ask()
        target = case.get("next_poll_target")
        mode = self.ct.fleet.settings_of(self.battery)
        if target is None or (mode.active and mode.auto_target):
            expected = wanted
        else:
            expected = {**wanted, "target": target}

        def told() -> bool:
            # The answer to the change itself may still be on its way.
            return any(expected.items() <= state.items() for state in self.states())

        await self.until(told, f"the next poll with {expected}: {case}")


class Restoring(Commanded):
    @asynchronous
    async def test_what_the_broker_has_kept_holds_at_the_first_poll(self) -> None:
        (case,) = VECTORS["restore"]
        broker = await self.start_broker()
        sender = await self.client(broker.port)
        for topic, payload in case["retained_set_topics"].items():
            await sender.publish(topic, payload, qos=1, retain=True)
        self.ct = self.add_ct("my dev.1", "HME-3", min_efficient_power=150)
        await self.watch(broker.port, f"{self.base}/#")
        self.got.clear()
        self.insights(broker.port, base_topic=self.base)
        await self.until(lambda: not self.ct.active_control, "the commands")
        await self.until(lambda: self.settings(self.battery)["min_dc_output"], "all of them")
        self.ask()
        await self.until(
            lambda: self.states() and self.statuses() and self.statuses()[-1]["consumer_count"],
            "the first poll",
        )
        state = self.states()[-1]
        self.assertEqual({**state, "last_seen": ""}, {**case["state_after"], "last_seen": ""})
        self.assertEqual(self.statuses()[-1], case["status_after"])


class App(RealCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_ct("device-1")
        self.meter = self.add_meter("JSON_HTTP", (120.0, 0.0, -30.0))
        self.managed.put("HME-4", Managed(A_MAC))

    @each(VECTORS["app_responder"])
    def answers(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.check(case))

    @asynchronous
    async def test_every_question(self) -> None:
        """The grammar of section 8.3, each question behind the answers to the one before."""
        broker = await self.start_broker()
        asker = await self.watch(broker.port, "hame_energy/+/device/+/ctrl")
        insights = self.insights(broker.port, marstek_mqtt_interval=0.0)
        await self.connected(insights.client)
        self.poll("device-1", ["A", "112233445566", "HME-4", "02b250000001", "B", "0"], (1.0,))
        topic = f"marstek_energy/HME-4/App/{A_MAC}/ctrl"
        for case in PURE["app_poll_payload"]:
            self.got.clear()
            await asker.publish(topic, case["input"])
            await asker.publish(topic, "cd=4,p1=9")
            wanted = 1 + (case["result"] is not None)
            await self.until(lambda wanted=wanted: len(self.got) >= wanted, f"answers to {case}")
            kinds = [payload[:5] for _, payload in self.got]
            runtime = case["result"] is not None and case["result"]["kind"] == 1
            first = b"pwr_a" if runtime else b"slv_t"
            self.assertEqual(kinds, [first, b"slv_t"][-wanted:], case)

    async def check(self, case: dict[str, Any]) -> None:
        broker = await self.start_broker()
        watcher = await self.watch(broker.port, "+/+/device/+/ctrl")
        options = {"marstek_mqtt_interval": 0.0, "powermeter_health_interval": 0.0}
        insights = self.insights(broker.port, **options)
        await self.connected(insights.client)
        for fields in (
            ["HMJ-2", "112233445566", "HME-4", "02b250000001", "B", "0"],
            ["VNSA-0", "998877665544", "HME-4", "02b250000001", "D", "0"],
            ["HMG-50", "DEADBEEF0001", "HME-4", "02b250000001", "0", "0"],
        ):
            self.poll("device-1", fields, (120.0,))
        if "failing" in case["context"]:
            self.meter.reading = "error"
        await watcher.publish(case["request_topic"], case["request_payload"])
        # The list of batteries is always answered; it comes behind.
        await watcher.publish(f"hame_energy/HME-4/App/{A_MAC}/ctrl", "cd=4,p1=9")
        wanted = [(one["topic"], one["payload"].encode()) for one in case["replies"]]
        await self.until(lambda: len(self.got) >= len(wanted) + 2, "the answers")
        self.assertEqual(self.got[:-2], wanted)
        kept = await self.retained(broker.port)
        self.assertEqual([topic for topic in kept if "energy" in topic], [])
