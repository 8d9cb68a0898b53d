"""The whole examination in a virtual house, with batteries that ask odd things."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request as HttpRequest

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import load_text
from astrameter.doctor.examination import Request, examine
from astrameter.doctor.findings import Finding, exit_status
from astrameter.doctor.machine import Machine, Network
from astrameter.doctor.trial import ALONE_S
from astrameter.services import start, stop
from simulator.httpmeter import QuietSite
from simulator.world import Link, World
from tests.astrameter.doctor.rig import EM, brief, poll, rpc

HERE = "192.168.1.2"
METER = "192.168.1.3"
BATTERY = "192.168.1.50"
OTHER = "192.168.1.51"

GENERAL = "[GENERAL]\nDEVICE_TYPE = ct002\n"
HTTP = f"[JSON_HTTP]\nURL = http://{METER}/power\nJSON_PATHS = $[0], $[1], $[2]\n"


class LivelyMeter(Resource):
    """Serves three phases that change with every reading."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)
        self.reads = 0
        self.code = 200

    def render_GET(self, request: HttpRequest) -> bytes:
        self.reads += 1
        request.setResponseCode(self.code)
        return json.dumps([450.0 + self.reads % 7, 40.0, 33.0]).encode()


class Talker(DatagramProtocol):
    """A battery that says the same again and again."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def datagramReceived(self, datagram: bytes, _addr: object) -> None:
        self.answers.append(datagram)


class House(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(1)
        self.host = self.world.host(HERE)
        self.resource = LivelyMeter()
        meter_host: Any = self.world.host(METER)
        meter_host.listenTCP(80, QuietSite(self.resource, meter_host))
        self.config = Path(self.mktemp())
        self.told: list[str] = []
        self.wall = datetime(2026, 6, 21, tzinfo=UTC)
        self.talking: list[LoopingCall] = []

    def machine(self) -> Machine:
        began = self.world.seconds()
        address = ipaddress.IPv4Interface(f"{HERE}/24")
        return Machine(
            [Network("eth0", address)],
            False,
            lambda: self.wall + timedelta(seconds=self.world.seconds() - began),
        )

    def talk(
        self, datagram: bytes, port: int = 12345, ip: str = BATTERY, every_s: float = 1.0
    ) -> Talker:
        """A battery begins to talk."""
        host = self.world.host(ip)
        talker = Talker()
        socket = host.listenUDP(0, talker)
        call = LoopingCall(socket.write, datagram, (HERE, port))
        call.clock = host
        call.start(every_s)
        self.talking.append(call)
        return talker

    def begin(self, text: str = GENERAL + HTTP, listen_s: float = 20.0) -> Deferred[list[Finding]]:
        self.config.write_text(text)
        request = Request(self.config, listen_s, progress=self.told.append)
        return Deferred.fromCoroutine(examine(self.host, self.machine(), request))

    def examine(self, text: str = GENERAL + HTTP, listen_s: float = 20.0) -> list[Finding]:
        """The findings; nothing may be left behind."""
        findings = self.world.wait(self.begin(text, listen_s))
        self.assert_clean()
        return findings

    def assert_clean(self) -> None:
        for call in self.talking:
            call.stop()
        self.talking.clear()
        self.world.advance(1.0)
        self.assertEqual(self.host.getDelayedCalls(), [])
        self.assertEqual(self.host._datagrams.sockets_of(HERE), [])
        self.assertEqual(self.world.errors, 0)

    def group(self, findings: list[Finding], name: str) -> list[tuple[str, str]]:
        return brief(one for one in findings if one.group.value == name)


class AllIsWell(House):
    def test_a_house_that_works_has_nothing_but_good_news(self) -> None:
        talker = self.talk(poll())
        findings = self.examine()
        severities = {finding.severity.value for finding in findings}
        self.assertEqual(severities, {"ok", "note"}, brief(findings))
        self.assertEqual(exit_status(findings), 0)
        groups = [finding.group.value for finding in findings]
        for name in ("Configuration", "Meters", "Ports", "Network", "Clock", "Batteries"):
            self.assertIn(name, groups)
        self.assertGreater(len(talker.answers), 15, "it answers as the daemon would")
        (severity, text) = self.group(findings, "Batteries")[0]
        self.assertEqual(severity, "ok")
        self.assertRegex(text, r"for phase A; (20|21) of (20|21) polls answered")

    def test_it_lasts_as_long_as_asked_and_tells_how_it_goes(self) -> None:
        began = self.world.seconds()
        self.examine(listen_s=30.0)
        self.assertApproximates(self.world.seconds() - began, 30.0 + ALONE_S, 2.5)
        told = " ".join(self.told)
        self.assertIn("reading the meters: 34 s left", told)
        self.assertIn("listening for batteries (0 heard): 29 s left", told)

    def test_a_meter_is_read_about_once_a_second(self) -> None:
        self.examine()
        self.assertApproximates(self.resource.reads, 20 + ALONE_S, 2)

    def test_without_listening_it_only_reads_the_meters(self) -> None:
        talker = self.talk(poll())
        began = self.world.seconds()
        findings = self.examine(listen_s=0.0)
        self.assertLess(self.world.seconds() - began, 8.0)
        self.assertEqual(talker.answers, [])
        self.assertEqual(self.group(findings, "Batteries")[0][0], "note")
        self.assertIn("answers in", self.group(findings, "Meters")[0][1])
        self.assertGreaterEqual(self.resource.reads, 3)

    def test_a_clock_that_was_set_meanwhile(self) -> None:
        examining = self.begin()
        self.world.advance(5.0)
        self.wall += timedelta(hours=1)
        findings = self.world.wait(examining)
        self.assertIn("was set by +3600 s", self.group(findings, "Clock")[1][1])
        self.assert_clean()


class Batteries(House):
    def said(self, text: str = GENERAL + HTTP) -> list[tuple[str, str]]:
        return self.group(self.examine(text), "Batteries")

    def test_a_foreign_ct_mac(self) -> None:
        talker = self.talk(poll())
        severity, text = self.said(GENERAL + "[CT002]\nCT_MAC = 001122334455\n" + HTTP)[0]
        self.assertEqual(severity, "problem")
        self.assertIn("Set CT_MAC = 112233445566 in [CT002]", text)
        self.assertEqual(talker.answers, [])

    def test_a_search_without_a_poll(self) -> None:
        talker = self.talk(b"hame")
        severity, text = self.said()[0]
        self.assertEqual(severity, "warn")
        self.assertIn("was told that one is here", text)
        self.assertEqual(talker.answers[0], b"ack")

    def test_a_phase_that_is_not_known(self) -> None:
        talker = self.talk(poll(phase="0"))
        severity, text = self.said()[0]
        self.assertEqual(severity, "warn")
        self.assertIn("does not know its phase", text)
        self.assertGreater(len(talker.answers), 15)

    def test_a_damaged_frame(self) -> None:
        self.talk(poll()[:-2] + b"zz")
        self.assertIn("a damaged frame", self.said()[0][1])

    def test_a_battery_outside_every_netmask(self) -> None:
        self.talk(poll())
        self.talk(poll("02b250000002"), ip=OTHER)
        said = self.said(GENERAL + HTTP + f"NETMASK = {OTHER}/32\n")
        problems = [text for severity, text in said if severity == "problem"]
        self.assertEqual(len(problems), 1)
        self.assertIn(f"Add {BATTERY}/32", problems[0])

    def test_a_shelly_asked_by_a_battery_and_by_a_curious_program(self) -> None:
        self.talk(EM, 2222)
        self.talk(rpc("Shelly.GetDeviceInfo"), 2222, OTHER)
        said = self.said("[GENERAL]\nDEVICE_TYPE = shellyemg3\n" + HTTP)
        self.assertEqual([severity for severity, _ in said], ["ok", "warn"])
        self.assertRegex(said[0][1], r"(20|21) of (20|21) polls answered")
        self.assertIn("for Shelly.GetDeviceInfo", said[1][1])

    def test_both_ports_of_a_pro_3em_are_told_apart(self) -> None:
        self.talk(EM, 2220)
        said = self.said("[GENERAL]\nDEVICE_TYPE = shellypro3em\n" + HTTP)
        self.assertEqual(len(said), 1)
        self.assertIn("asks shellypro3em_new on UDP port 2220", said[0][1])

    def test_a_battery_that_asks_for_what_is_not_emulated(self) -> None:
        talker = self.talk(EM, 2220)
        severity, text = self.said()[0]
        self.assertEqual(severity, "problem")
        self.assertIn("Add shellypro3em to DEVICE_TYPE", text)
        self.assertEqual(talker.answers, [])

    def test_a_port_that_could_not_be_listened_at(self) -> None:
        program = self.host.listenUDP(2220, DatagramProtocol())
        text = "[GENERAL]\nDEVICE_TYPE = shellypro3em_old\n" + HTTP
        findings = self.world.wait(self.begin(text))
        program.stopListening()
        self.assertIn("asks on port 2220", self.group(findings, "Batteries")[0][1])
        self.assert_clean()

    def test_a_meter_that_fails_leaves_a_shelly_s_battery_without_answer(self) -> None:
        self.resource.code = 500
        self.talk(EM, 2222)
        findings = self.examine("[GENERAL]\nDEVICE_TYPE = shellyemg3\n" + HTTP)
        severity, text = self.group(findings, "Batteries")[0]
        self.assertEqual(severity, "problem")
        self.assertIn("and gets no answer", text)
        severity, text = self.group(findings, "Meters")[0]
        self.assertEqual(severity, "problem")
        self.assertIn("500", text)

    def test_a_slow_meter_shows_in_the_answers(self) -> None:
        self.world.set_link(Link(latency_s=0.3), METER)
        self.talk(poll())
        findings = self.examine()
        self.assertIn("takes 0.6 s to answer", str(self.group(findings, "Meters")))
        self.assertIn("600 ms at most", self.group(findings, "Batteries")[0][1])

    def test_a_battery_without_a_mac_is_answered_too(self) -> None:
        self.talk(poll(""))
        severity, text = self.said()[0]
        self.assertEqual(severity, "ok")
        self.assertIn("VNSE3-0 asks ct002", text)

    def test_a_flood_is_survived(self) -> None:
        def flood() -> None:
            for _ in range(100):
                socket.write(b"x" * 1400, (HERE, 12345))

        socket = self.world.host(OTHER).listenUDP(0, DatagramProtocol())
        call = LoopingCall(flood)
        call.clock = self.world.host(OTHER)
        call.start(0.1)
        self.talking.append(call)
        self.talk(poll())
        self.assertIn("ok", [severity for severity, _ in self.said()])


class Trouble(House):
    def test_a_refused_file_is_all_there_is_to_say(self) -> None:
        findings = self.examine("[CT002]\nUDP_PORT = 99999\n[JSON_HTTP]\n")
        self.assertEqual({finding.group.value for finding in findings}, {"Configuration"})
        self.assertEqual(exit_status(findings), 1)

    def test_a_taken_port_says_so_and_the_others_are_heard(self) -> None:
        program = self.host.listenUDP(12345, DatagramProtocol())
        self.talk(EM, 2222)
        text = "[GENERAL]\nDEVICE_TYPE = ct002, shellyemg3\n" + HTTP
        findings = self.world.wait(self.begin(text))
        program.stopListening()
        severity, words = self.group(findings, "Ports")[0]
        self.assertEqual(severity, "problem")
        self.assertIn("UDP port 12345 of ct002 cannot be opened: another program", words)
        self.assertNotIn("It may be AstraMeter itself", words)
        self.assertIn("asks shellyemg3", str(self.group(findings, "Batteries")))
        self.assert_clean()

    def test_a_taken_port_may_be_a_daemon_that_cannot_be_asked(self) -> None:
        program = self.host.listenUDP(12345, DatagramProtocol())
        text = "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n" + HTTP
        began = self.world.seconds()
        findings = self.world.wait(self.begin(text))
        self.assertIn("It may be AstraMeter itself", self.group(findings, "Ports")[0][1])
        self.assertLess(self.world.seconds() - began, 8.0, "there is nobody to listen for")
        program.stopListening()
        self.assert_clean()

    def test_a_web_port_that_another_program_has(self) -> None:
        program = self.host.listenTCP(52500, Factory.forProtocol(Protocol))
        findings = self.world.wait(self.begin())
        self.assertIn("TCP port 52500 of the status page", self.group(findings, "Ports")[1][1])
        program.stopListening()
        self.assert_clean()

    def test_a_port_that_is_snatched_after_it_was_tried(self) -> None:
        opened: list[int] = []
        listen: Callable[..., Any] = self.host.listenUDP

        def snatched(port: int, *more: Any, **keys: Any) -> Any:
            opened.append(port)
            if opened.count(12345) > 1:
                raise CannotListenError("0.0.0.0", port, OSError(98, "Address already in use"))
            return listen(port, *more, **keys)

        self.patch(self.host, "listenUDP", snatched)
        findings = self.examine()
        self.assertIn("cannot be opened", self.group(findings, "Ports")[-1][1])
        self.assertIn("answers in", self.group(findings, "Meters")[0][1])
        self.assertEqual(exit_status(findings), 1)

    def test_an_interrupt_before_listening_blames_nobody(self) -> None:
        examining = self.begin()
        self.world.advance(2.0)
        examining.cancel()
        findings = self.world.wait(examining)
        (severity, text) = self.group(findings, "Batteries")[0]
        self.assertEqual((severity, text), ("note", ": nobody was listened to"))
        self.assert_clean()

    def test_an_interrupt_while_listening_shows_what_is_known(self) -> None:
        self.talk(poll())
        examining = self.begin(listen_s=3600.0)
        self.world.advance(7.0)
        examining.cancel()
        findings = self.world.wait(examining)
        self.assertEqual(self.group(findings, "Batteries")[0][0], "ok")
        self.assertIn("answers in", self.group(findings, "Meters")[0][1])
        self.assert_clean()

    def test_a_name_that_cannot_be_found(self) -> None:
        findings = self.examine(GENERAL + HTTP.replace(METER, "meter.local"), 0.0)
        self.assertIn("the name meter.local cannot be found", str(self.group(findings, "Network")))
        self.assertEqual(self.group(findings, "Meters")[0][0], "problem")

    def test_a_broker_that_does_not_answer_is_waited_for_long_enough(self) -> None:
        text = GENERAL + f"[MQTT]\nBROKER = {METER}\nTOPIC = x\n"
        began = self.world.seconds()
        findings = self.examine(text, 0.0)
        self.assertGreater(self.world.seconds() - began, 14.0)
        severity, words = self.group(findings, "Meters")[0]
        self.assertEqual(severity, "problem")
        self.assertIn("cannot be reached", words)


class ADaemonRuns(House):
    def setUp(self) -> None:
        super().setUp()
        self.daemon = Appliance(self.host, load_text(GENERAL + HTTP, "config.ini"), Surroundings())
        start(self.daemon)
        self.world.advance(2.0)

    def finish(self) -> None:
        self.world.wait(stop(self.daemon))
        self.assert_clean()

    def test_it_is_asked_and_not_disturbed(self) -> None:
        talker = self.talk(poll())
        self.world.advance(5.0)
        reads = self.resource.reads
        findings = self.world.wait(self.begin())
        self.assertEqual(exit_status(findings), 0, brief(findings))
        self.assertIn("has been running here", self.group(findings, "Ports")[0][1])
        self.assertIn("the daemon reads A 45", self.group(findings, "Meters")[0][1])
        self.assertIn("VNSE3-0 (02b250000001) asks", self.group(findings, "Batteries")[0][1])
        self.assertLess(self.resource.reads - reads, 10, "only the battery's polls read the meter")
        self.assertGreater(len(talker.answers), 8)
        self.finish()

    def test_nobody_asks_it(self) -> None:
        findings = self.world.wait(self.begin())
        self.assertEqual(exit_status(findings), 1)
        self.assertIn("no battery has asked", self.group(findings, "Batteries")[0][1])
        self.finish()

    def test_it_has_other_settings(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE = shellyemg3\n" + HTTP
        findings = self.world.wait(self.begin(text))
        self.assertIn("uses other settings", self.group(findings, "Configuration")[1][1])
        self.finish()

    def test_it_is_stopped_meanwhile(self) -> None:
        examining = self.begin()
        self.world.advance(1.0)
        self.world.wait(stop(self.daemon))
        findings = self.world.wait(examining)
        self.assertIn("has been running here", self.group(findings, "Ports")[0][1])
        self.assert_clean()


class AnotherWebServer(House):
    def serve(self, answers: dict[bytes, bytes]) -> Any:
        class Pages(Resource):
            isLeaf = True

            def render_GET(self, request: HttpRequest) -> bytes:
                return answers.get(request.path, b"{}")

        return self.host.listenTCP(52500, QuietSite(Pages(), self.host))

    def test_of_an_astrameter_that_tells_nothing(self) -> None:
        port = self.serve({b"/health": b'{"service": "astrameter"}'})
        findings = self.world.wait(self.begin())
        severity, text = self.group(findings, "Ports")[0]
        self.assertEqual(severity, "problem")
        self.assertIn("Stop it, and run this again", text)
        port.stopListening()

    def test_of_another_program(self) -> None:
        port = self.serve({b"/health": b'["ok"]'})
        findings = self.world.wait(self.begin(listen_s=1.0))
        self.assertIn("TCP port 52500 of the status page", self.group(findings, "Ports")[1][1])
        port.stopListening()
