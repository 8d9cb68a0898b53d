"""The daemon itself at a real broker: batteries over UDP, signals, a stored registration."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep
from astrameter.mqtt import MqttClient, MqttSettings
from tests.astrameter.mqtt.test_real_broker import LOOPBACK, self_signed
from tests.astrameter.test_process import ProcessCase
from tests.homeassistant import faults_of_all
from tests.mosquitto import Mosquitto

reactor: Any = real_reactor

MAC = "aabbccddee01"
STATE = f"astrameter/ct002/device-1/consumer/{MAC}"
CONFIG = f"homeassistant/device/astrameter_ct002_device-1_{MAC}/config"
APP_MAC = "02b250b71db3"

SOON_S = 8.0
"""Containers are killed after 10 s; usually it takes 0.3 s."""


class AtBroker(ProcessCase):
    async def begin(self) -> None:
        self.broker = Mosquitto(reactor, str(self.directory / "broker"))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.broker.stop()))
        await self.broker.start()
        self.got: list[tuple[str, str]] = []
        self.kept: dict[str, str] = {}
        settings = MqttSettings("127.0.0.1", self.broker.port)
        self.client = MqttClient(reactor, settings, "TEST", backoff=Backoff(0.05, 0.2))
        self.client.subscribe("#", self.take)
        self.client.startService()
        self.addCleanup(self.client.stopService)
        await self.until(lambda: self.client.connected)
        await self.client.publish("fence", "", qos=1)

    def take(self, topic: str, payload: bytes, _retained: bool) -> None:
        self.got.append((topic, payload.decode()))
        self.kept[topic] = payload.decode()

    async def until(self, true: Any) -> None:
        give_up_at = reactor.seconds() + 20.0
        while not true():
            self.assertLess(reactor.seconds(), give_up_at, sorted(self.kept))
            await sleep(reactor, 0.02)

    def section(self, more: str = "") -> str:
        return f"[MQTT_INSIGHTS]\nBROKER = 127.0.0.1\nPORT = {self.broker.port}\n{more}"

    async def test_a_battery_is_published_commanded_and_gone_with_the_daemon(self) -> None:
        await self.begin()
        self.write_config(active=True, more=self.section())
        daemon = self.start()
        await daemon.line("connected to the broker")
        await self.battery.ask(self.ct_port, "B", 55)
        await self.until(lambda: STATE in self.kept and "astrameter/bridge" in self.kept)
        state = json.loads(self.kept[STATE])
        self.assertEqual((state["phase"], state["reported_power"]), ("B", 55))
        self.assertEqual(state["grid_power"]["total"], 463.0)
        await self.until(lambda: CONFIG in self.kept)
        await self.until(lambda: "astrameter/powermeter/JSON_HTTP" in self.kept)
        documents = {t: p for t, p in self.kept.items() if t.endswith("/config")}
        self.assertEqual(faults_of_all(documents, self.kept), [])
        await self.client.publish(f"{STATE}/active/set", "false", qos=1, retain=True)
        await self.until(lambda: not json.loads(self.kept[STATE])["active"])
        fields = await self.battery.ask(self.ct_port, "B", 55)
        self.assertEqual(fields[5], "-55")
        self.assertLess(await self.stop(daemon), SOON_S)
        await self.until(lambda: self.kept["astrameter/status"] == "offline")
        self.assertNotIn("Traceback", daemon.output)

    async def test_a_broker_that_is_killed_delays_no_answer_and_gets_everything_when_it_is_back(
        self,
    ) -> None:
        await self.begin()
        self.write_config(active=True, more=self.section("PUBLISH_INTERVAL = 0\n"))
        daemon = self.start()
        await daemon.line("connected to the broker")
        await self.battery.ask(self.ct_port, "B", 55)
        await self.until(lambda: CONFIG in self.kept)
        before = {t for t in self.kept if t.startswith(("astrameter/", "homeassistant/"))}
        await self.broker.stop("KILL")
        self.kept.clear()
        for power_w in range(60, 70):
            await self.battery.ask(self.ct_port, "B", power_w, within_s=5.0)
        await self.broker.start()
        await self.until(lambda: before <= self.kept.keys())
        self.assertEqual(json.loads(self.kept[STATE])["reported_power"], 69)
        # Once for each reason: it hung up, it refuses connections.
        self.assertIn(daemon.output.count("trying again"), (1, 2), daemon.output)
        await daemon.line("again after")
        self.assertLess(await self.stop(daemon), SOON_S)

    async def test_a_killed_daemon_is_offline(self) -> None:
        await self.begin()
        self.write_config(active=True, more=self.section())
        daemon = self.start()
        await self.until(lambda: self.kept.get("astrameter/status") == "online")
        daemon.signal("KILL")
        await self.until(lambda: self.kept["astrameter/status"] == "offline")
        await daemon.ended()

    async def test_a_retained_command_holds_at_the_first_poll_after_a_restart(self) -> None:
        await self.begin()
        topic = "astrameter/ct002/device-1/set"
        await self.client.publish(topic, '{"active_control": false}', qos=1, retain=True)
        self.write_config(active=True, more=self.section())
        daemon = self.start()
        await daemon.line("active control off, by MQTT")
        fields = await self.battery.ask(self.ct_port)
        self.assertEqual(fields[4:8], ["450", "-20", "33", "463"])
        await self.stop(daemon)

    async def test_only_a_changed_section_makes_a_new_connection(self) -> None:
        await self.begin()
        self.write_config(active=True, more=self.section())
        daemon = self.start()
        await daemon.line("connected to the broker")
        await self.battery.ask(self.ct_port)
        await self.until(lambda: STATE in self.kept)
        self.write_config(active=True, general="THROTTLE_INTERVAL = 1\n", more=self.section())
        daemon.signal("HUP")
        await daemon.line("was re-read")
        words = [payload for topic, payload in self.got if topic == "astrameter/status"]
        self.assertEqual(words, ["online"])
        seen = len(daemon.output)
        self.write_config(active=True, more=self.section("BASE_TOPIC = other\n"))
        daemon.signal("HUP")
        await daemon.line("was re-read", since=seen)
        await self.until(lambda: self.kept.get("other/status") == "online")
        self.assertEqual(self.kept["astrameter/status"], "offline")
        seen = len(daemon.output)
        self.write_config(active=True)
        daemon.signal("HUP")
        await daemon.line("was re-read", since=seen)
        await self.until(lambda: self.kept["other/status"] == "offline")
        self.assertLess(await self.stop(daemon), SOON_S)
        self.assertNotIn("Traceback", daemon.output)

    async def test_the_app_is_answered_from_a_stored_registration(self) -> None:
        await self.begin()
        state = self.directory / "state" / "state.json"
        state.parent.mkdir()
        entries = {"marstek/HME-4": {"changed_ms": 1, "value": {"mac": APP_MAC, "version": 7}}}
        state.write_text(json.dumps({"astrameter_state": 1, "entries": entries}))
        self.write_config(active=True, more=self.section())
        daemon = self.start()
        await daemon.line("connected to the broker")
        answer = f"marstek_energy/HME-4/device/{APP_MAC}/ctrl"
        await self.until(lambda: answer in self.kept)  # the first is sent without a question
        self.got.clear()
        await self.client.publish(f"hame_energy/HME-4/App/{APP_MAC}/ctrl", "cd=1")
        await self.until(lambda: answer in [topic for topic, _ in self.got])
        self.assertTrue(self.kept[answer].startswith("pwr_a=450,pwr_b=-20,pwr_c=33,pwr_t=463,"))
        self.assertIn("ver_v=7,", self.kept[answer])
        self.assertLess(await self.stop(daemon), SOON_S)


class Encrypted(ProcessCase):
    password = "p@ss/w%rd"

    def written(self, name: str, content: bytes) -> str:
        path = self.directory.absolute() / name
        path.write_bytes(content)
        return str(path)

    async def begin(self) -> str:
        """A broker with a certificate of its own; gives the file of that."""
        certificate, key = self_signed((LOOPBACK,))
        files = self.written("certificate", certificate), self.written("key", key)
        directory, users = str(self.directory / "broker"), {"me": self.password}
        broker = Mosquitto(reactor, directory, users=users, tls=files)
        self.addCleanup(lambda: Deferred.fromCoroutine(broker.stop()))
        await broker.start()
        uri = f"mqtts://me:p%40ss%2Fw%25rd@127.0.0.1:{broker.port}"
        self.write_config(more=f"[MQTT_INSIGHTS]\nURI = {uri}\n")
        return files[0]

    async def test_one_line_is_enough(self) -> None:
        certificate = await self.begin()
        daemon = self.start(environ={"SSL_CERT_FILE": certificate})
        await daemon.line("connected to the broker")
        self.assertNotIn("p%40ss", daemon.output)
        self.assertNotIn(self.password, daemon.output)

    async def test_a_certificate_that_nobody_vouches_for_is_refused(self) -> None:
        await self.begin()
        daemon = self.start()
        await daemon.line("no authority known to this system has signed")
        await self.battery.ask(self.ct_port)
        self.assertNotIn("p%40ss", daemon.output)
        self.assertNotIn("connected to the broker", daemon.output)
