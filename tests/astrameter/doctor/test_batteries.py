"""What is said of the batteries, from what was heard of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import Settings
from astrameter.doctor import batteries
from astrameter.doctor.configuration import ct_section
from astrameter.doctor.datagrams import understand
from astrameter.doctor.findings import Finding
from astrameter.doctor.hearing import MAX_CALLERS, Hearing
from astrameter.doctor.serving import Heard
from tests.astrameter.doctor.rig import CT_MAC, EM, IP, brief, poll, rpc, settings, with_devices


class House(SynchronousTestCase):
    """Twenty seconds of listening, as a test tells it."""

    def setUp(self) -> None:
        self.hearing = Hearing()
        self.settings = with_devices("ct002")
        self.deaf: Sequence[int] = ()
        self.served: Callable[[str], bool] = lambda _ip: True

    def heard(
        self,
        datagram: bytes,
        times: int = 20,
        *,
        port: int = 12345,
        ip: str = IP,
        reason: str = "",
        answered: int | None = None,
        took_s: float = 0.02,
    ) -> None:
        """``datagram`` comes once a second; the first ``answered`` of them are answered."""
        message = understand(datagram)
        expected = times if answered is None else answered
        if message.phase == "0":
            expected = 0  # the daemon tells nothing of these answers
        for second in range(times):
            self.hearing.heard(port, ip, datagram, float(second), reason)
            if not reason and second < expected:
                self.hearing.answered(port, ip, message.speech, message.mac, second + took_s)

    def findings(self, given: Settings | None = None) -> list[Finding]:
        used = given or self.settings
        heard = Heard(
            20.0,
            used.devices,
            self.hearing.callers,
            {device.udp_port: ct_section(used, device) for device in used.devices},
            self.served,
            ("192.168.1.0/24",),
            self.deaf,
            self.hearing.more,
        )
        return list(batteries.judge(heard))

    def one(self, given: Settings | None = None) -> tuple[str, str]:
        """Severity and text of the only finding."""
        (found,) = brief(self.findings(given))
        return found


class AtCt(House):
    def test_an_answered_battery_with_model_mac_port_pace_and_phase(self) -> None:
        self.heard(poll(phase="B"))
        severity, text = self.one()
        self.assertEqual(severity, "ok")
        self.assertEqual(
            text,
            f"{IP}: VNSE3-0 (02b250000001) asks ct002 on UDP port 12345 every 1.0 s for phase B; "
            "20 of 20 polls answered, in 20 ms at most",
        )

    def test_a_battery_that_balances_the_whole_house(self) -> None:
        self.heard(poll(phase="D"))
        self.assertIn("for the whole house", self.one()[1])

    def test_a_battery_that_gets_no_answer_is_a_problem(self) -> None:
        self.heard(poll(), answered=0)
        severity, text = self.one()
        self.assertEqual(severity, "problem")
        self.assertIn("gets no answer", text)
        self.assertIn("see Meters", text)

    def test_a_single_poll_may_still_wait_for_the_meter(self) -> None:
        self.heard(poll(), 1, answered=0)
        self.assertEqual(self.one()[0], "warn")

    def test_many_lost_answers_or_slow_ones_are_a_warning(self) -> None:
        self.heard(poll(), answered=12)
        severity, text = self.one()
        self.assertEqual(severity, "warn")
        self.assertIn("12 of 20 polls answered", text)

    def test_a_slow_answer_is_a_warning(self) -> None:
        self.heard(poll(), took_s=1.2)
        severity, text = self.one()
        self.assertEqual(severity, "warn")
        self.assertIn("1.2 s at most", text)

    def test_an_unknown_phase_says_that_it_does_not_regulate_and_what_to_do(self) -> None:
        self.heard(poll(phase="0"))
        severity, text = self.one()
        self.assertEqual(severity, "warn")
        self.assertIn("does not know its phase", text)
        self.assertIn("start the detection again", text)

    def test_a_phase_found_while_listening_is_no_warning(self) -> None:
        self.heard(poll(phase="0"), 5)
        self.heard(poll(phase="C"), 15)
        severity, text = self.one()
        self.assertEqual(severity, "ok")
        self.assertIn("for phase C; 15 of 15", text)

    def test_a_phase_that_changes_is_a_warning(self) -> None:
        self.heard(poll(phase="A"), 3)
        self.heard(poll(phase="B"), 3)
        self.assertIn("claimed the phases A, B in turn", brief(self.findings())[-1][1])

    def test_a_battery_that_asks_not_to_be_counted(self) -> None:
        self.heard(poll("02b250000001", "A", CT_MAC, "HME-4", "0"))
        severity, text = brief(self.findings())[1]
        self.assertEqual(severity, "note")
        self.assertIn("manual or schedule mode", text)

    def test_an_unknown_type_of_ct_and_none(self) -> None:
        self.heard(poll(ct_type="XYZ-1"))
        self.heard(poll("02b250000002", ct_type=""))
        texts = [text for severity, text in brief(self.findings()) if severity == "note"]
        self.assertIn("unknown type XYZ-1", texts[0])
        self.assertIn("does not say which type", texts[1])

    def test_known_types_of_ct_are_not_mentioned(self) -> None:
        for number, known in enumerate(("HME-3", "TPM2-0", "SMR-2")):
            self.heard(poll(f"02b25000000{number}", ct_type=known))
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["ok"] * 3)

    def test_a_battery_outside_every_netmask(self) -> None:
        self.served = lambda ip: ip != IP
        self.heard(poll())
        severity, text = brief(self.findings())[1]
        self.assertEqual(severity, "problem")
        self.assertIn(f"Add {IP}/32", text)

    def test_copies_that_are_ignored_on_purpose_are_only_noted(self) -> None:
        self.heard(poll())
        self.heard(poll(), 5, reason="duplicate")
        severity, text = brief(self.findings())[0]
        self.assertEqual(severity, "note")
        self.assertIn("5 of 25 polls came too soon", text)

    def test_a_dedupe_window_longer_than_the_poll_interval_is_a_warning(self) -> None:
        self.heard(poll(), 5)
        self.heard(poll(), 20, reason="duplicate")
        severity, text = brief(self.findings())[0]
        self.assertEqual(severity, "warn")
        self.assertIn("Lower DEDUPE_TIME_WINDOW", text)

    def test_a_battery_for_whom_there_is_no_room(self) -> None:
        self.heard(poll(), reason="crowded")
        self.assertEqual(self.one()[0], "problem")


class ForeignMac(House):
    def setUp(self) -> None:
        super().setUp()
        self.settings = with_devices("ct002", CT_MAC="001122334455")

    def test_it_says_the_mac_that_the_battery_is_paired_with_and_where_to_put_it(self) -> None:
        self.heard(poll(), reason="foreign_mac")
        severity, text = self.one()
        self.assertEqual(severity, "problem")
        self.assertIn(f"paired with the CT {CT_MAC}, but CT_MAC is 001122334455", text)
        self.assertIn(f"Set CT_MAC = {CT_MAC} in [CT002]", text)

    def test_the_section_is_the_one_that_counts(self) -> None:
        mac = "CT_MAC = 001122334455\n"
        meter = "[JSON_HTTP]\nURL = http://h/\nJSON_PATHS = $\n"
        text = f"[GENERAL]\nDEVICE_TYPE = ct003\n[CT003]\n{mac}{meter}"
        self.heard(poll(), reason="foreign_mac")
        self.assertIn("in [CT003]", self.one(settings(text))[1])
        text = f"[GENERAL]\nDEVICE_TYPE = ct003\n[CT002]\n{mac}{meter}"
        self.assertIn("in [CT002]", self.one(settings(text))[1])

    def test_where_others_are_answered_it_may_be_meant_so(self) -> None:
        self.heard(poll("02b250000002", ct_mac="001122334455"))
        self.heard(poll(), reason="foreign_mac")
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["ok", "warn"])

    def test_a_battery_without_a_ct(self) -> None:
        for number, none in enumerate(("", "000000000000")):
            self.heard(poll(f"02b25000000{number}", ct_mac=none), reason="foreign_mac")
        for _, text in brief(self.findings()):
            self.assertIn("is not paired with a CT yet", text)
            self.assertIn("[CT002] CT_MAC empty", text)


class Searching(House):
    def test_a_search_alone_means_that_no_ct_was_chosen(self) -> None:
        self.hearing.heard(12345, IP, b"hame", 0.0)
        severity, text = self.one()
        self.assertEqual(severity, "warn")
        self.assertIn("searches for a CT", text)
        self.assertIn("Choose the CT in the Marstek app", text)

    def test_a_search_before_polls_is_nothing_to_tell(self) -> None:
        self.hearing.heard(12345, IP, b"hame", 0.0)
        self.heard(poll())
        self.assertEqual(self.one()[0], "ok")

    def test_the_search_of_another_battery_still_is(self) -> None:
        self.hearing.heard(12345, "192.168.1.51", b"hame", 0.0)
        self.heard(poll())
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["warn", "ok"])


class NotUnderstood(House):
    def test_damaged_frames(self) -> None:
        self.hearing.heard(12345, IP, b"\x01\x02junk", 0.0, "bad_checksum")
        found = brief(self.findings())
        self.assertEqual(found[0][0], "warn")
        self.assertIn("could not be understood (a damaged frame)", found[0][1])
        self.assertIn("report its model and firmware", found[0][1])

    def test_noise_is_no_battery(self) -> None:
        self.hearing.heard(12345, IP, b"junk", 0.0, "too_short")
        self.assertIn("no battery has asked anything in 20 s", brief(self.findings())[1][1])

    def test_a_shelly_request_at_a_ct_and_a_ct_poll_at_a_shelly(self) -> None:
        self.settings = with_devices("ct002", "shellyemg3")
        self.hearing.heard(12345, IP, EM, 0.0, "missing_soh_stx")
        self.hearing.heard(2222, IP, poll(), 0.0, "not_json")
        texts = [text for _, text in brief(self.findings())]
        self.assertIn("the port of a ct002, but a Shelly request came", texts[0])
        self.assertIn("the port of a shellyemg3, but a CT poll came", texts[1])
        self.assertEqual(len(texts), 2)

    def test_a_search_at_a_shelly(self) -> None:
        self.settings = with_devices("shellyemg3")
        self.hearing.heard(2222, IP, b"hame", 0.0, "not_json")
        self.assertIn("the port of a shellyemg3, but a search for a CT came", self.one()[1])

    def test_a_flood_of_senders(self) -> None:
        for number in range(MAX_CALLERS + 5):
            self.hearing.heard(12345, f"10.0.{number // 250}.{number % 250}", poll(), 0.0)
        self.assertIn("5 more datagrams came", brief(self.findings())[-1][1])


class AtShelly(House):
    def setUp(self) -> None:
        super().setUp()
        self.settings = with_devices("shellyemg3")

    def test_an_answered_battery(self) -> None:
        self.heard(rpc("EM1.GetStatus"), port=2222)
        severity, text = self.one()
        self.assertEqual(severity, "ok")
        self.assertIn("asks shellyemg3 on UDP port 2222 every 1.0 s; 20 of 20 polls", text)

    def test_a_method_that_is_not_answered_is_named(self) -> None:
        self.heard(rpc("Sys.GetStatus"), port=2222, reason="other_method")
        severity, text = self.one()
        self.assertEqual(severity, "warn")
        self.assertIn("for Sys.GetStatus, which gets no answer", text)

    def test_beside_good_requests_it_is_only_noted(self) -> None:
        self.heard(EM, port=2222)
        self.heard(rpc("Sys.GetStatus"), 3, port=2222, reason="other_method")
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["note", "ok"])

    def test_a_request_without_id(self) -> None:
        self.heard(EM, port=2222, reason="no_id")
        self.assertIn("a request without id", self.one()[1])

    def test_a_battery_outside_every_netmask(self) -> None:
        self.served = lambda _ip: False
        self.heard(EM, port=2222, reason="no_meter")
        severity, text = self.one()
        self.assertEqual(severity, "problem")
        self.assertIn("is in no NETMASK", text)

    def test_two_batteries_at_one_shelly_work_against_each_other(self) -> None:
        self.heard(EM, port=2222)
        self.heard(EM, port=2222, ip="192.168.1.51")
        severity, text = brief(self.findings())[-1]
        self.assertEqual(severity, "warn")
        self.assertIn("192.168.1.50, 192.168.1.51", text)
        self.assertIn("DEVICE_TYPE = ct002", text)

    def test_two_shellys_with_a_battery_each_are_fine(self) -> None:
        self.settings = with_devices("shellyemg3", "shellyproem50")
        self.heard(EM, port=2222)
        self.heard(EM, port=2223, ip="192.168.1.51")
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["ok", "ok"])


class Elsewhere(House):
    def test_a_battery_that_asks_for_a_shelly_that_is_not_emulated(self) -> None:
        for port, word in (
            (1010, "shellypro3em"),
            (2220, "shellypro3em"),
            (2222, "shellyemg3"),
            (2223, "shellyproem50"),
        ):
            self.hearing = Hearing()
            self.hearing.heard(port, IP, EM, 0.0)
            severity, text = self.one()
            self.assertEqual(severity, "problem")
            self.assertIn(f"asks for a Shelly on UDP port {port}", text)
            self.assertIn(f"Add {word} to DEVICE_TYPE", text)

    def test_the_other_half_of_a_pro_3em(self) -> None:
        self.hearing.heard(2220, IP, EM, 0.0)
        self.assertIn("Add shellypro3em_new to", self.one(with_devices("shellypro3em_old"))[1])
        self.hearing = Hearing()
        self.hearing.heard(1010, IP, EM, 0.0)
        self.assertIn("Add shellypro3em_old to", self.one(with_devices("shellypro3em_new"))[1])

    def test_a_battery_that_asks_for_a_ct(self) -> None:
        given = with_devices("shellyemg3")
        self.hearing.heard(12345, IP, poll(), 0.0)
        self.assertIn("Add ct002 to DEVICE_TYPE", self.one(given)[1])
        self.hearing = Hearing()
        self.hearing.heard(12345, IP, poll(ct_type="HME-3"), 0.0)
        self.assertIn("Add ct003 to DEVICE_TYPE", self.one(given)[1])

    def test_a_battery_that_searches_for_a_ct(self) -> None:
        self.hearing.heard(12345, IP, b"hame", 0.0)
        severity, text = self.one(with_devices("shellyemg3"))
        self.assertEqual(severity, "problem")
        self.assertIn("a battery searches for a CT on UDP port 12345", text)

    def test_a_ct_on_another_port_than_batteries_use(self) -> None:
        self.hearing.heard(12345, IP, poll(), 0.0)
        severity, text = self.one(with_devices("ct002", UDP_PORT="12346"))
        self.assertEqual(severity, "problem")
        self.assertIn("remove UDP_PORT", text)

    def test_where_others_are_answered_it_may_be_meant_so(self) -> None:
        self.heard(poll())
        self.hearing.heard(2220, "192.168.1.51", EM, 0.0)
        self.assertEqual([severity for severity, _ in brief(self.findings())], ["ok", "warn"])

    def test_noise_there_is_nobody_s_business(self) -> None:
        self.heard(poll())
        self.hearing.heard(1010, IP, b"noise", 0.0)
        self.assertEqual(self.one()[0], "ok")


class Nobody(House):
    def mends(self, given: Settings) -> list[str]:
        (finding,) = self.findings(given)
        self.assertEqual(finding.severity.value, "problem")
        self.assertIn("no battery has asked anything in 20 s", finding.what)
        return list(finding.mend)

    def test_first_the_app_then_the_network(self) -> None:
        mends = self.mends(with_devices("ct002"))
        self.assertIn("choose the CT for the battery", mends[0])
        self.assertIn("192.168.1.0/24", mends[1])
        self.assertIn("client isolation", mends[1])
        self.assertIn("firewall", mends[2])

    def test_for_a_shelly_the_firmware_that_can_do_it(self) -> None:
        mends = self.mends(with_devices("shellypro3em"))
        self.assertIn("(shellypro3em is emulated)", mends[0])
        self.assertIn("firmware 120", mends[0])

    def test_the_port_by_firmware_where_it_could_not_be_heard(self) -> None:
        self.deaf = (1010, 2220)
        old = " ".join(self.mends(with_devices("shellypro3em_old")))
        self.assertIn("firmware 226 or newer asks on port 2220", old)
        new = " ".join(self.mends(with_devices("shellypro3em_new")))
        self.assertIn("firmware 224 or older ask on port 1010", new)
        self.assertNotIn("port 1010", " ".join(self.mends(with_devices("shellypro3em"))))

    def test_a_port_that_was_listened_at_is_no_reason(self) -> None:
        text = " ".join(self.mends(with_devices("shellypro3em_old")))
        self.assertNotIn("port 2220", text)

    def test_a_ct_on_another_port(self) -> None:
        text = " ".join(self.mends(with_devices("ct002", UDP_PORT="12346")))
        self.assertIn("this ct002 listens on 12346: remove UDP_PORT", text)
