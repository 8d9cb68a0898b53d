"""Configuration, network, clock and the machine."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.doctor import clock, configuration, network
from astrameter.doctor.machine import Machine, Network, this_machine
from astrameter.doctor.targets import Target, target_of
from astrameter.problems import ConfigError
from simulator.world import World
from tests.astrameter.doctor.rig import METER, brief, settings, with_devices

NOW = datetime(2026, 6, 21, 12, tzinfo=UTC)
GENERAL = "[GENERAL]\nDEVICE_TYPE = ct002\n"


def machine(*addresses: str, in_container: bool = False) -> Machine:
    networks = [Network(f"eth{i}", ipaddress.IPv4Interface(a)) for i, a in enumerate(addresses)]
    return Machine(networks, in_container, lambda: NOW)


class Configuration(SynchronousTestCase):
    def said(self, text: str) -> list[tuple[str, str]]:
        return brief(configuration.judge(settings(text)))

    def test_a_good_file_with_what_it_makes(self) -> None:
        expected = "config.ini: can be used: 1 meter, emulates ct002"
        self.assertEqual(self.said(GENERAL + METER), [("ok", expected)])

    def test_its_warnings(self) -> None:
        said = self.said(GENERAL + "COLOUR = red\n" + METER)
        self.assertEqual(said[1][0], "warn")
        self.assertIn("config.ini:3 [GENERAL] COLOUR = red: unknown key", said[1][1])

    def test_a_file_without_a_meter_is_a_problem(self) -> None:
        self.assertEqual(self.said(GENERAL)[-1][0], "problem")

    def test_a_refused_file_says_everything(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            load_text("[CT002]\nUDP_PORT = 99999\nX = 1\n[JSON_HTTP]\n", "config.ini")
        said = brief(configuration.refused(caught.exception))
        self.assertEqual([severity for severity, _ in said].count("problem"), 3)
        self.assertIn("unknown key", next(text for severity, text in said if severity == "warn"))

    def test_a_ct_mac_that_no_battery_sends(self) -> None:
        said = brief(configuration.judge(with_devices("ct002", CT_MAC="00:11:22:33:44:55")))
        self.assertEqual(said[1][0], "warn")
        self.assertIn("[CT002] CT_MAC: 00:11:22:33:44:55 will match no battery", said[1][1])

    def test_a_good_ct_mac_and_one_that_is_not_used(self) -> None:
        for given in (
            with_devices("ct002", CT_MAC="0011223344fF"),
            with_devices("shellyemg3", CT_MAC="00:11"),
        ):
            self.assertEqual(len(brief(configuration.judge(given))), 1)


class Networks(SynchronousTestCase):
    def said(self, where: Machine, text: str = GENERAL + METER) -> list[tuple[str, str]]:
        return brief(network.judge(where, settings(text)))

    def test_each_address_with_its_mask(self) -> None:
        self.assertEqual(
            self.said(machine("192.168.1.2/24", "10.0.0.2/8")),
            [("ok", "eth0: 192.168.1.2/24"), ("ok", "eth1: 10.0.0.2/8")],
        )

    def test_no_address_at_all(self) -> None:
        (severity, text) = self.said(machine())[0]
        self.assertEqual(severity, "problem")
        self.assertIn("no battery can reach it", text)

    def test_a_container_with_a_network_of_its_own(self) -> None:
        for address in ("172.17.0.2/16", "10.88.0.5/16"):
            severity, text = self.said(machine(address, in_container=True))[1]
            self.assertEqual(severity, "warn")
            self.assertIn("network_mode: host", text)

    def test_a_container_in_the_host_s_network_and_a_host_with_a_bridge(self) -> None:
        self.assertEqual(len(self.said(machine("192.168.1.2/24", in_container=True))), 1)
        self.assertEqual(len(self.said(machine("172.17.0.1/16"))), 1)

    def test_netmasks_that_hold_no_network_of_this_machine(self) -> None:
        text = GENERAL + METER + "NETMASK = 10.1.0.0/16\n"
        severity, words = self.said(machine("192.168.1.2/24"), text)[-1]
        self.assertEqual(severity, "warn")
        self.assertIn("mend NETMASK", words)

    def test_netmasks_that_hold_one_of_them_or_a_part(self) -> None:
        text = GENERAL + METER + "NETMASK = 192.168.1.50/32\n"
        self.assertEqual(len(self.said(machine("10.0.0.1/8", "192.168.1.2/24"), text)), 2)

    def test_a_name_that_cannot_be_found(self) -> None:
        world = World()
        host = world.host("192.168.1.2")
        world.name("meter.lan", "192.168.1.3")
        text = GENERAL
        for number, name in enumerate(("meter.lan", "192.168.1.4", "lost.local")):
            text += f"[JSON_HTTP_{number}]\nURL = http://{name}/\nJSON_PATHS = $\n"
        (finding,) = world.wait(Deferred.fromCoroutine(network.examine(host, settings(text))))
        self.assertEqual((finding.where, finding.severity.value), ("[JSON_HTTP_2]", "problem"))
        self.assertIn("the name lost.local cannot be found", finding.what)
        self.assertIn("mDNS", finding.mend[0])
        self.assertEqual(world.getDelayedCalls(), [])

    def test_a_resolver_that_never_answers(self) -> None:
        world = World()
        host = world.host("192.168.1.2")

        class Deaf:
            def resolveHostName(self, receiver: Any, *_more: object) -> None:
                """No answer."""

        host.installNameResolver(Deaf())  # type: ignore[arg-type]
        began = world.seconds()
        self.assertEqual(world.wait(Deferred.fromCoroutine(network.resolve(host, "meter.lan"))), [])
        self.assertEqual(world.seconds() - began, network.RESOLVE_TIMEOUT_S)


class Targets(SynchronousTestCase):
    def target(self, text: str) -> Target | None:
        return target_of(settings(GENERAL + text).meters[0].options)

    def test_of_each_way_to_name_a_device(self) -> None:
        for text, expected in (
            ("[JSON_HTTP]\nURL = https://h.lan/x\nJSON_PATHS = $\n", Target("h.lan", True)),
            ("[SHELLY]\nTYPE = 3EM\nIP = shelly.lan:81\n", Target("shelly.lan", False)),
            ("[MODBUS]\nHOST = inverter\nADDRESS = 1\n", Target("inverter", False)),
            ("[MQTT]\nBROKER = b.lan\nTOPIC = x\nTLS = yes\n", Target("b.lan", True)),
            ("[MQTT]\nURI = mqtt://u:p@b.lan\nTOPIC = x\n", Target("b.lan", False)),
        ):
            self.assertEqual(self.target(text), expected, text)

    def test_a_serial_line_is_none(self) -> None:
        text = "[MODBUS]\nTRANSPORT = RTU\nSERIAL = /dev/ttyUSB0\nADDRESS = 1\n"
        self.assertIsNone(self.target(text))

    def test_sections_with_tls(self) -> None:
        text = GENERAL + METER + "[MQTT]\nBROKER = b\nTOPIC = x\nTLS = yes\n"
        self.assertEqual(network.tls_sections(settings(text)), ["MQTT"])


class Clock(SynchronousTestCase):
    def test_a_sane_time(self) -> None:
        self.assertEqual(clock.judge(NOW, ["MQTT"]).severity.value, "ok")

    def test_a_machine_that_woke_up_in_1970(self) -> None:
        finding = clock.judge(datetime(1970, 1, 1, tzinfo=UTC), [])
        self.assertEqual(finding.severity.value, "warn")
        self.assertIn("steering does not depend on it", finding.what)
        self.assertIn("NTP", finding.mend[0])

    def test_is_a_problem_where_tls_is_used(self) -> None:
        finding = clock.judge(datetime(2150, 1, 1, tzinfo=UTC), ["MQTT"])
        self.assertEqual(finding.severity.value, "problem")
        self.assertIn("[MQTT] cannot be reached with TLS", finding.what)

    def test_a_clock_that_was_set_meanwhile(self) -> None:
        self.assertIsNone(clock.stepped(20.5, 20.0))
        finding = clock.stepped(3620.0, 20.0)
        assert finding is not None
        self.assertIn("was set by +3600 s", finding.what)
        self.assertEqual(finding.severity.value, "note")


class ThisMachine(SynchronousTestCase):
    def test_is_described_without_loopback(self) -> None:
        found = this_machine()
        for one in found.networks:
            self.assertFalse(one.address.is_loopback)
            self.assertTrue(one.interface)
        self.assertEqual(found.wall_clock().tzinfo, UTC)
