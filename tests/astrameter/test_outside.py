"""The daemon and what lies around it: its state over a restart, Redis, the cloud, Prometheus."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody
from twisted.web.server import Site

from astrameter.appliance import Appliance, Surroundings
from astrameter.backoff import Backoff
from astrameter.config import load_text
from astrameter.ct.wire import encode
from astrameter.metrics.exposition import MAX_BATTERIES
from astrameter.metrics.service import GOOD_FOR_S
from astrameter.mqtt import MqttClient, MqttSettings
from tests.astrameter.marstek.cloud_stub import (
    ADD,
    DATE,
    LIST,
    LOGIN,
    MAILBOX,
    PASSWORD,
    REPORT,
    CloudResource,
    CloudStub,
)
from tests.astrameter.test_process import ProcessCase
from tests.mosquitto import Mosquitto
from tests.process import Watched, until
from tests.redis_server import RedisServer

reactor: Any = _reactor
MAC = "aabbccddee01"
BATTERY = f"astrameter/ct002/device-1/consumer/{MAC}"
NO_DISK = {"STATE_DIRECTORY": "", "HOME": "", "XDG_STATE_HOME": ""}
PAUSED = {"active": False}


def entry(value: object) -> dict[str, object]:
    return {"changed_ms": 1_700_000_000_000, "value": value}


class State(ProcessCase):
    @property
    def path(self) -> Path:
        return self.directory / "state" / "state.json"

    def keep(self, **entries: object) -> None:
        self.path.parent.mkdir(exist_ok=True)
        listed = {key.replace("__", "/"): entry(value) for key, value in entries.items()}
        self.path.write_text(json.dumps({"astrameter_state": 1, "entries": listed}))

    def kept(self) -> dict[str, Any]:
        listed = json.loads(self.path.read_bytes())["entries"]
        return {key: one["value"] for key, one in listed.items()}

    async def test_a_paused_battery_is_paused_from_its_first_poll_on(self) -> None:
        self.keep(**{f"battery__ct002__{MAC}": PAUSED})
        self.write_config(active=True)
        daemon = self.start()
        await daemon.line("works")
        answer = await self.battery.ask(self.ct_port, "A", 300)
        self.assertEqual(answer[4], "-300")

    async def test_steering_that_was_switched_off_stays_off(self) -> None:
        self.keep(control__ct002={"active_control": False, "configured": True})
        self.write_config(active=True)
        daemon = self.start()
        await daemon.line("works")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[4:8], ["450", "-20", "33", "463"])

    async def test_killed_at_once_and_again_it_keeps_what_it_knew(self) -> None:
        self.keep(**{f"battery__ct002__{MAC}": PAUSED})
        self.write_config(active=True)
        for _ in range(3):
            daemon = self.start()
            await daemon.line("works")
            daemon.signal("KILL")
            await daemon.ended()
        daemon = self.start()
        await until(lambda: "device/ct002" in self.kept(), "the device's entry")
        daemon.signal("KILL")
        await daemon.ended()
        self.assertEqual(self.kept()[f"battery/ct002/{MAC}"], PAUSED)
        self.assertEqual(self.kept()["device/ct002"], {"id": "device-1"})

    async def test_a_broken_file_is_set_aside_and_batteries_are_answered(self) -> None:
        self.path.parent.mkdir()
        self.path.write_bytes(b'{"astrameter_state": 1, "entr')
        self.write_config()
        daemon = self.start()
        await daemon.line(r"ERROR:.*state.json cannot be used: it is no JSON.*state.json.broken")
        await daemon.line("works")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")
        await self.stop(daemon)
        self.assertEqual(self.kept()["device/ct002"], {"id": "device-1"})
        self.assertNotIn("Traceback", daemon.output)

    async def test_without_a_place_for_a_file_it_works(self) -> None:
        self.write_config()
        daemon = self.start(environ=NO_DISK)
        await daemon.line("WARNING:.*no place for what survives a restart: set STATE_DIRECTORY")
        await daemon.line("works")
        answer = await self.battery.ask(self.ct_port)
        self.assertEqual(answer[7], "463")
        self.assertLess(await self.stop(daemon), 2.0)


class Persistent(ProcessCase):
    async def persistent_ask(self, power_w: int = 0) -> list[str]:
        """The first answer; a battery asks until it gets one."""
        while True:
            try:
                return await self.battery.ask(self.ct_port, "A", power_w, within_s=1.0)
            except WaitedTooLong:
                continue


class Commanded(Persistent):
    """A daemon whose owner changes things by MQTT, at a real broker."""

    timeout = 240

    async def begin(self, *more: str) -> None:
        self.broker = Mosquitto(reactor, str(self.directory / "broker"))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.broker.stop()))
        await self.broker.start()
        self.published: dict[str, Any] = {}
        settings = MqttSettings("127.0.0.1", self.broker.port)
        self.client = MqttClient(reactor, settings, "TEST", backoff=Backoff(0.05, 0.2))
        self.client.subscribe(BATTERY, self.take)
        self.client.startService()
        self.addCleanup(self.client.stopService)
        broker = f"[MQTT_INSIGHTS]\nBROKER = 127.0.0.1\nPORT = {self.broker.port}\n"
        self.write_config(active=True, more="".join((broker, *more)))
        await until(lambda: self.client.connected)

    def take(self, _topic: str, payload: bytes, _retained: bool) -> None:
        self.published = json.loads(payload)

    async def wish(self, target_w: int) -> None:
        """Not retained: the broker does not remember it."""
        await self.client.publish(f"{BATTERY}/manual_target/set", str(target_w), qos=1)

    async def known_target(self) -> Any:
        """What the daemon believes when a battery has asked."""
        self.published = {}
        power_w = 0
        while not self.published:
            power_w = (power_w + 7) % 50  # what does not change is not published
            await self.persistent_ask(power_w)
            await deferLater(reactor, 0.05)
        return self.published["manual_target"]


class KilledAtWork(Commanded):
    ROUNDS = 6

    def kept(self) -> int:
        path = self.directory / "state" / "state.json"
        if not path.exists():
            return 0
        entry = json.loads(path.read_bytes())["entries"].get(f"battery/ct002/{MAC}", {})
        return int(entry.get("value", {}).get("manual_target", 0))

    async def test_kill_9_with_changes_in_flight_loses_none_that_was_kept(self) -> None:
        chance = random.Random(5)
        await self.begin()
        last = sent = in_flight = 0
        for _ in range(self.ROUNDS):
            daemon = self.start()
            await daemon.line("connected to the broker")
            self.assertEqual(await self.known_target(), last)
            sent += 1
            await self.wish(sent)
            await until(lambda before=last: self.kept() > before)
            for _ in range(chance.randrange(3, 40)):
                await deferLater(reactor, chance.random() * 0.003)
                sent += 1
                self.client.publish(f"{BATTERY}/manual_target/set", str(sent), qos=1)
            durable = self.kept()
            daemon.signal("KILL")
            await daemon.ended()
            last = self.kept()
            self.assertGreaterEqual(last, durable)
            self.assertLessEqual(last, sent)
            in_flight += sent - last
        # The test is worth something only when there was something to lose.
        self.assertGreater(in_flight, 0)


class InRedisByMqtt(Commanded):
    async def test_stopped_and_started_again_it_has_what_was_changed_meanwhile(self) -> None:
        server = RedisServer(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        await server.start()
        await self.begin(f"[STATE]\nURI = redis://127.0.0.1:{server.port}\n")
        daemon = self.start(environ=NO_DISK)
        await daemon.line("connected to the broker")
        await self.known_target()
        await self.wish(150)
        while "150" not in await server.ask("HGET", "astrameter:state", f"battery/ct002/{MAC}"):
            await deferLater(reactor, 0.02)
        await server.stop()
        await daemon.line("WARNING:.*keeping changes in Redis at .* failed")
        await self.wish(250)
        await until(lambda: self.published["manual_target"] == 250)
        self.assertEqual(await self.known_target(), 250)
        await server.start()
        await daemon.line("Redis at .* works again")
        while "250" not in await server.ask("HGET", "astrameter:state", f"battery/ct002/{MAC}"):
            await deferLater(reactor, 0.02)
        daemon.signal("KILL")
        await daemon.ended()
        daemon = self.start(environ=NO_DISK)
        await daemon.line("connected to the broker")
        self.assertEqual(await self.known_target(), 250)
        await self.stop(daemon)


class InRedis(Persistent):
    """A daemon without a disk, whose memory is elsewhere."""

    async def begin(self) -> RedisServer:
        server = RedisServer(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        await server.start()
        await server.ask(
            "HSET", "astrameter:state", f"battery/ct002/{MAC}", f"5 {json.dumps(PAUSED)}"
        )
        state = f"[STATE]\nURI = redis://127.0.0.1:{server.port}\n"
        self.write_config(active=True, more=state)
        return server

    async def test_a_paused_battery_is_paused_from_its_first_answer_on(self) -> None:
        await self.begin()
        daemon = self.start(environ=NO_DISK)
        await daemon.line("AstraMeter .* runs")
        self.assertEqual((await self.persistent_ask(300))[4], "-300")
        self.assertLess(await self.stop(daemon), 2.0)

    async def test_a_frozen_server_delays_the_first_answer_and_no_other(self) -> None:
        server = await self.begin()
        server.freeze()
        daemon = self.start(environ=NO_DISK)
        await daemon.line("AstraMeter .* runs")
        await daemon.line("Redis server .* did not answer")
        self.assertNotEqual((await self.persistent_ask(300))[4], "-300")
        server.thaw()
        await daemon.line("Redis .* works again")
        self.assertEqual((await self.persistent_ask(300))[4], "-300")
        self.assertLess(await self.stop(daemon), 4.0)
        kept = await server.ask("HGET", "astrameter:state", "device/ct002")
        self.assertIn('{"id":"device-1"}', kept)


class InTheCloud(ProcessCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud = CloudStub()
        site = Site(CloudResource(self.cloud))
        site.noisy = False
        listening = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.host = f"127.0.0.1:{listening.getHost().port}"

    def configure(self, marstek: str, ct: str = "") -> None:
        self.write_config(more=f"[MARSTEK]\nBASE_URL = http://{self.host}\n{marstek}")
        if ct:
            text = self.config.read_text().replace("[CT002]\n", f"[CT002]\n{ct}")
            self.config.write_text(text)

    async def reports(self, count: int) -> None:
        while self.cloud.paths.count(REPORT) < count:
            await deferLater(reactor, 0.02)

    async def test_registered_once_and_reported_ever_after(self) -> None:
        reporting = (
            f"CLOUD_REPORTING = yes\nCLOUD_REPORTING_HOST = {self.host}\n"
            "CLOUD_REPORTING_INTERVAL = 1\n"
        )
        login = f"MAILBOX = {MAILBOX}\nPASSWORD = {PASSWORD}\n"
        self.configure(f"ENABLE = yes\n{login}", reporting)
        daemon = self.start()
        await daemon.line("the account has a CT002 for us: 02b250")
        await self.reports(1)
        await self.stop(daemon)
        self.assertEqual(
            [p for p in self.cloud.paths if p not in (DATE, REPORT)],
            [
                LOGIN,
                LIST,
                ADD,
                LOGIN,
                LIST,
            ],
        )
        mac = self.cloud.devices[0]["mac"]
        self.assertEqual(self.cloud.asked[-1].fields["id"], mac)
        for secret in (PASSWORD, MAILBOX, "7d2d8cf9"):
            self.assertNotIn(secret, daemon.output)

        self.cloud.take()
        self.configure("ENABLE = yes\n", reporting)
        daemon = self.start()
        await self.reports(2)
        await self.stop(daemon)
        self.assertEqual(set(self.cloud.paths), {DATE, REPORT})
        self.assertEqual({one.fields.get("id", mac) for one in self.cloud.asked}, {mac})
        self.assertNotIn("WARNING", daemon.output)

    async def test_a_wrong_password_is_told_and_batteries_are_answered(self) -> None:
        self.configure(f"ENABLE = yes\nMAILBOX = {MAILBOX}\nPASSWORD = falsch\n")
        daemon = self.start()
        await daemon.line("ERROR:.*the account's password is wrong .code 4")
        self.assertEqual((await self.battery.ask(self.ct_port))[7], "463")
        await self.stop(daemon)
        self.assertEqual(self.cloud.paths, [LOGIN])

    async def test_switched_on_while_it_runs(self) -> None:
        self.configure("ENABLE = no\n")
        daemon = self.start()
        await daemon.line("works")
        self.assertEqual(self.cloud.paths, [])
        self.configure(f"ENABLE = yes\nMAILBOX = {MAILBOX}\nPASSWORD = {PASSWORD}\n")
        daemon.signal("HUP")
        await daemon.line("the account has a CT002 for us: 02b250")
        await self.stop(daemon)
        self.assertEqual(self.cloud.paths, [LOGIN, LIST, ADD, LOGIN, LIST])

    async def test_nothing_is_sent_unless_it_is_switched_on(self) -> None:
        self.configure(f"MAILBOX = {MAILBOX}\nPASSWORD = {PASSWORD}\n")
        daemon = self.start()
        await daemon.line("works")
        await self.battery.ask(self.ct_port)
        await deferLater(reactor, 0.3)
        await self.stop(daemon)
        self.assertEqual(self.cloud.paths, [])


class ForPrometheus(ProcessCase):
    async def scrape(self) -> str:
        url = f"http://127.0.0.1:{self.web_port}/metrics".encode()
        response = await Agent(reactor).request(b"GET", url)
        self.assertEqual(response.code, 200)
        return (await readBody(response)).decode()  # type: ignore[no-any-return]

    async def test_figures_of_a_running_daemon(self) -> None:
        self.write_config(active=True)
        daemon: Watched = self.start()
        await daemon.line("works")
        for _ in range(3):
            await self.battery.ask(self.ct_port, "A", 200)
        text = await self.scrape()
        labels = 'device="device-1",type="ct002"'
        for line in (
            'astrameter_grid_power_watts{meter="JSON_HTTP",phase="B"} -20.0',
            'astrameter_meter_up{meter="JSON_HTTP"} 1.0',
            f"astrameter_poll_seconds_count{{{labels}}} 3.0",
            f'astrameter_battery_power_watts{{battery="{MAC}",{labels}}} 200.0',
            f"astrameter_active_control{{{labels}}} 1.0",
        ):
            self.assertIn(line, text)
        await self.stop(daemon)
        self.assertNotIn("Traceback", daemon.output)

    async def test_thousands_of_invented_batteries_do_not_swell_it(self) -> None:
        self.write_config(active=True)
        await self.start().line("works")
        told = 0
        while told < MAX_BATTERIES:
            # Some come again, which makes batteries of them; most come once.
            for number in [*3 * [*range(200)], *range(1000, 3000)]:
                invented = ["VNSE3-0", f"{number:012X}", "HME-4", "112233445566", "A", "0"]
                self.battery.transport.write(encode(invented), ("127.0.0.1", self.ct_port))
                if number % 20 == 0:
                    await deferLater(reactor, 0.002)
            text = await self.scrape()
            samples = [
                one
                for family in text_string_to_metric_families(text)
                for one in family.samples
                if one.name.startswith("astrameter_")
            ]
            told = len({one.labels["battery"] for one in samples if "battery" in one.labels})
            self.assertLessEqual(told, MAX_BATTERIES)
            self.assertLess(len(samples), 5 * MAX_BATTERIES + 100)
            self.assertLess(len(text), 100_000)
            await deferLater(reactor, GOOD_FOR_S)  # the same again until then
        (known,) = [one.value for one in samples if one.name == "astrameter_batteries"]
        self.assertGreaterEqual(known, MAX_BATTERIES)


class AtHome(SynchronousTestCase):
    """What only looks around (`astrameter doctor`) speaks to nobody outside."""

    def test_neither_broker_nor_cloud_nor_redis(self) -> None:
        text = (
            "[GENERAL]\nDEVICE_TYPE = ct002\n"
            "[CT002]\nCT_MAC = 112233445566\nCLOUD_REPORTING = yes\n"
            "[MARSTEK]\nENABLE = yes\nMAILBOX = a\nPASSWORD = b\n"
            "[STATE]\nURI = redis://127.0.0.1\n[MQTT_INSIGHTS]\n"
        )
        settings = load_text(text, "config.ini")
        outward = Appliance(MemoryReactorClock(), settings, Surroundings())
        self.assertIsNotNone(outward.store.redis)
        self.assertIsNotNone(outward.insights)
        self.assertEqual(len(list(outward.cloud)), 2)
        at_home = Appliance(MemoryReactorClock(), settings, Surroundings(outward=False))
        self.assertIsNone(at_home.store.redis)
        self.assertIsNone(at_home.insights)
        self.assertEqual(list(at_home.cloud), [])
