"""The samples of AstraMeter 2.2.3 from the whole appliance: real polls over UDP, a real HTTP meter,
a real broker.

Not compared are the times, our version, and what the steering makes of a reading: that is another
one on purpose.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.web.server import Site

from astrameter import __version__
from astrameter.appliance import Appliance, Surroundings
from astrameter.config import load_text
from astrameter.ct import responder
from astrameter.ct.wire import encode
from astrameter.deferreds import sleep
from astrameter.insights import views
from astrameter.marstek.managed import Managed
from astrameter.services import start, stop
from astrameter.shelly import presence
from tests.astrameter.insights.played import PlayedCase
from tests.astrameter.insights.real import asynchronous, reactor
from tests.astrameter.insights.vectors import COMMIT, expected
from tests.astrameter.test_process import Meter
from tests.homeassistant import faults_of_all

A_MAC = "02b250b71db3"
EM = json.dumps({"id": 1, "method": "EM.GetStatus", "params": {"id": 0}}).encode()
FOO = json.dumps({"id": 1, "method": "Foo", "params": {"id": 0}}).encode()
BATTERY = ("HMG-50", "AABBCCDDEEFF", "HME-4", "02b250000001")

OURS = ("target", "last_target", "saturation", "poll_interval", "last_seen", "version")


class Ports:
    """The real reactor, except that UDP ports are somewhere else: fixed ones may be taken.

    :ivar real: where each port is.
    """

    def __init__(self) -> None:
        self.real: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def listenUDP(self, port: int, protocol: Any, interface: str = "") -> Any:
        listening = reactor.listenUDP(0, protocol, interface="127.0.0.1")
        self.real[port] = listening.getHost().port
        return listening


class Caller(DatagramProtocol):
    """A battery at an address of its own."""

    noisy = False

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.answers.append(datagram)


class House(PlayedCase):
    async def begin(self, general: str, more: str, broker: str, **environ: str) -> None:
        """A house, all of it, at a broker."""
        self.patch(views, "MIN_GRACE_S", 0.0)
        self.broker = await self.start_broker()
        await self.watch(self.broker.port)
        self.meter = Meter()
        site = Site(self.meter)
        site.noisy = False
        listening = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        url = f"URL = http://127.0.0.1:{listening.getHost().port}/"
        broker = broker.replace("<port>", str(self.broker.port))
        text = (
            f"[GENERAL]\nSKIP_POWERMETER_TEST = True\nENABLE_WEB_SERVER = no\n{general}\n"
            f"{more.replace('<url>', url).replace('<port>', str(self.broker.port))}\n"
            f"[MQTT_INSIGHTS]\nPUBLISH_INTERVAL = 0\n{broker}\n"
        )
        self.ports = Ports()
        settings = load_text(text, "config.ini")
        self.appliance = Appliance(self.ports, settings, Surroundings(environ=environ))

    def run_it(self) -> None:
        start(self.appliance)
        self.addCleanup(lambda: stop(self.appliance) if self.appliance.running else None)

    async def ask(self, port: int, request: bytes, ip: str = "127.0.0.1") -> bytes | None:
        """The answer to a battery; None when there is none within a moment."""
        caller = Caller()
        socket = reactor.listenUDP(0, caller, interface=ip)
        socket.write(request, ("127.0.0.1", self.ports.real[port]))
        give_up_at = reactor.seconds() + (1.0 if request == FOO else 15.0)
        while not caller.answers and reactor.seconds() < give_up_at:
            await sleep(reactor, 0.01)
        await socket.stopListening()
        return caller.answers[0] if caller.answers else None

    async def poll(self, fields: tuple[str, ...], phase: str, power_w: int) -> None:  # type: ignore[override]
        answer = await self.ask(12345, encode([*fields, phase, str(power_w)]))
        self.assertIsNotNone(answer)

    async def shelly_poll(self, port: int, ip: str) -> None:
        self.assertIsNotNone(await self.ask(port, EM, ip))

    def same(self, wanted: dict[str, Any], found: dict[str, Any]) -> bool:
        """All keys in their order; of the values those that do not depend on us."""
        if "last_seen" in found:
            self.assertIsNotNone(datetime.fromisoformat(found["last_seen"]).tzinfo)
        if found.get("version", __version__) != __version__:
            return False
        kept = {key: value for key, value in found.items() if key not in OURS}
        return list(found) == list(wanted) and kept == {
            key: value for key, value in wanted.items() if key not in OURS
        }

    def last(self, topic: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.standing[topic])
        return found


class OfAHouse(House):
    timeout = 180

    @asynchronous
    async def test_context_a(self) -> None:
        self.patch(responder, "SWEEP_EVERY_S", 0.5)
        await self.begin(
            "DEVICE_TYPE = ct002,shellyemg3",
            "[JSON_HTTP]\n<url>\nJSON_PATHS = $.watts[0], $.watts[1], $.watts[2]",
            "BROKER = 127.0.0.1\nPORT = <port>\nPOWERMETER_HEALTH_INTERVAL = 1\n"
            "MARSTEK_MQTT_INTERVAL = 600",
        )
        self.meter.watts = [120.0, 0.0, -30.0]
        self.appliance.managed.put("HME-4", Managed(A_MAC))
        self.run_it()
        await self.until(lambda: "astrameter/status" in dict(self.got), "a start")
        for case_id in ("start-status", "start-hub-discovery", "start-bridge"):
            await self.wait_for(case_id)
        for case_id in ("pm-health-3ph-online", "pm-discovery", "app-broadcast-at-connect"):
            await self.wait_for(case_id)
        self.got.clear()
        await self._batteries()
        self.meter.status = 500
        await self.poll(BATTERY, "A", 50)
        await self.expect("ct-poll-meter-down")
        await self.expect("pm-health-offline")
        await self._inspecting_one_goes()
        await stop(self.appliance)
        await self.expect("stop-graceful")

    async def _batteries(self) -> None:
        await self.poll(BATTERY, "A", 0)
        await self.expect("ct-first-poll")
        state = "astrameter/ct002/device-1/consumer/aabbccddeeff"
        self.assertIsNone(self.last(state)["poll_interval"])
        await sleep(reactor, 1.8)
        await self.poll(BATTERY, "A", 50)
        await self.expect("ct-second-poll")
        self.assertAlmostEqual(self.last(state)["poll_interval"], 1.8, delta=1.0)
        await self.poll(("HMJ-2", "112233445566", *BATTERY[2:]), "B", 100)
        await self.expect("ct-b2500-first-poll-discovery")
        await self.poll(("VNSA-0", "998877665544", *BATTERY[2:]), "D", 10)
        await self.expect("ct-combined-first-poll")
        self.got.clear()
        await self.poll(("HMG-50", "DEADBEEF0001", *BATTERY[2:]), "0", 0)
        await sleep(reactor, 0.2)
        self.assertEqual([one for one in self.got if "powermeter" not in one[0]], [])
        await self.shelly_poll(2222, "127.0.0.50")
        await self.expect("shelly-first-poll")
        self.assertIsNone(await self.ask(2222, FOO, "127.0.0.51"))
        self.assertEqual([one for one in self.got if "powermeter" not in one[0]], [])
        self.assertEqual(expected("shelly-unknown-method"), [])
        await self._home_assistant_takes_it()
        self.silence("aabbccddeeff")
        await self.expect("ct-eviction")

    async def _home_assistant_takes_it(self) -> None:
        kept = {t: text.decode() for t, text in (await self.retained(self.broker.port)).items()}
        documents = {topic: text for topic, text in kept.items() if topic.endswith("/config")}
        self.assertEqual(len(documents), 8)
        self.assertEqual(faults_of_all(documents, kept), [])

    async def _inspecting_one_goes(self) -> None:
        """2.x published that a battery went that had never been there (mqtt.md section 9.4)."""
        self.silence("deadbeef0001")
        fleet = self.appliance.inventory.cts["device-1"].ct.fleet
        await self.until(lambda: fleet.get("deadbeef0001") is None, "the sweep")
        await sleep(reactor, 1.2)
        (unwanted,) = expected("ct-eviction-inspection")
        self.assertNotIn(unwanted["topic"], dict(self.got))

    def silence(self, battery_id: str) -> None:
        """Nobody waits for it any more."""
        battery = self.appliance.inventory.cts["device-1"].ct.fleet.get(battery_id)
        assert battery is not None
        battery.window_s = 0.0

    @asynchronous
    async def test_context_b(self) -> None:
        await self.begin(
            "DEVICE_TYPE = ct003\nDEVICE_IDS = my dev.1",
            "[CT002]\nCONSUMER_TTL = 600\nMIN_EFFICIENT_POWER = 150\n"
            "[JSON_HTTP_roof]\n<url>\nJSON_PATHS = $.watts[0]",
            "URI = mqtt://127.0.0.1:<port>\nBASE_TOPIC = site/astra\nHA_DISCOVERY_PREFIX = ha\n"
            "ADDON_SLUG = a0ef98c5_b2500_meter\nMARSTEK_MQTT_INTERVAL = 0\n"
            "POWERMETER_HEALTH_INTERVAL = 0",
            GIT_COMMIT_SHA=COMMIT,
        )
        self.meter.watts = [120.0]
        self.run_it()
        await self.expect("B-start")
        await self.poll(("HMJ-2", "AABBCCDDEEFF", "HME-3", "02b250000001"), "A", 0)
        await self.expect("B-first-poll")
        await self.kept("B-start", "B-first-poll")

    @asynchronous
    async def test_context_c(self) -> None:
        self.patch(presence, "SILENT_AFTER_S", 2.0)
        await self.begin(
            "DEVICE_TYPE = shellyproem50\nWAIT_FOR_NEXT_MESSAGE = False",
            "[MQTT_garage meter]\nBROKER = 127.0.0.1\nPORT = <port>\nTOPIC = meter/p",
            "BROKER = 127.0.0.1\nPORT = <port>\nPOWERMETER_HEALTH_INTERVAL = 2\n"
            "MARSTEK_MQTT_ENABLED = false",
        )
        self.run_it()
        await self.expect("C-pm-before-first-value")
        sender = await self.client(self.broker.port)
        await sender.publish("meter/p", "-412.5", qos=1, retain=True)
        await self.until(
            lambda: b'"total": -412.5' in dict(self.got).get(_GARAGE, b""), "the first value"
        )
        for ip in ("127.0.0.60", "127.0.0.61"):
            await self.shelly_poll(2223, ip)
            await sleep(reactor, 1.2)  # so that they fall silent one after the other
        await self.expect("C-shelly-removal")
        await self.shelly_poll(2223, "127.0.0.60")
        await self.expect("C-shelly-return")
        (state,) = [
            one for one in expected("C-shelly-return") if "grid_power" in one.get("json", {})
        ]
        self.assertGreater(self.last(state["topic"])["poll_interval"], 2.0)

    @asynchronous
    async def test_context_d(self) -> None:
        await self.begin(
            "DEVICE_TYPE = shellyproem50\nWAIT_FOR_NEXT_MESSAGE = False",
            "[JSON_HTTP]\n<url>\nJSON_PATHS = $.watts[0]",
            "BROKER = 127.0.0.1\nPORT = <port>\nPOWERMETER_HEALTH_INTERVAL = 2\n"
            "HA_DISCOVERY = false",
        )
        self.meter.watts = [120.0]
        self.run_it()
        meter = "astrameter/powermeter/JSON_HTTP"
        await self.until(lambda: len(self.about({meter})) == 2, "two looks at the meter")
        await self.shelly_poll(2223, "127.0.0.62")
        await self.wait_for("D-no-ha")
        unwanted = [t for t, _ in self.got if t.startswith("homeassistant") or t.endswith("bridge")]
        self.assertEqual(unwanted, [])


_GARAGE = "astrameter/powermeter/MQTT_garage_meter"
