"""One emulated CT without sockets and clock (ct-protocol.md sections 9 to 13)."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.answer import MAX_ANSWER
from astrameter.ct.emulator import MAX_REQUEST, Answer, EmulatedCt, Poll
from astrameter.ct.failsafe import Stage
from astrameter.ct.fleet import MAX_CONSUMERS
from astrameter.ct.options import CLASSIC, CtOptions
from astrameter.ct.settings import SettingError
from astrameter.ct.wire import encode
from astrameter.reading import Sample
from tests.astrameter.ct.rig import BATTERY, PEER, Caller, Reply, StubController, parsed

T0 = 1000.0
ELSEWHERE = ("192.168.1.99", 10000)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.use()

    def use(self, reading_w: float = 0.0, dedupe_s: float = 0.0, **options: Any) -> EmulatedCt:
        self.controller = StubController(reading_w)
        self.ct = EmulatedCt("HME-4", CtOptions(**options), dedupe_s, self.controller)
        return self.ct

    def receive(self, caller: Caller, now: float = T0, address: Any = None) -> Poll:
        poll = self.ct.receive(caller.datagram, address or caller.address, now)
        assert poll is not None
        return poll

    def refuse(self, datagram: bytes, now: float = T0) -> None:
        self.assertIsNone(self.ct.receive(datagram, BATTERY.address, now))

    def reply(self, caller: Caller, *watts: float, now: float = T0) -> Reply:
        """What ``caller`` is told when the meter reads ``watts``."""
        poll = self.receive(caller, now)
        return self.said(self.ct.answer(poll, Sample(watts, now), "METER", now))

    def said(self, answer: Answer | None) -> Reply:
        assert answer is not None
        return parsed(answer.datagram)


class Receiving(Case):
    def test_nonsense_leaves_no_trace(self) -> None:
        for datagram in (
            b"",
            b"hame",
            b"\x01\x02",
            BATTERY.datagram[:-1],
            BATTERY.datagram + b"\n",
            encode(["HMG-50", "AA", "HME-4"]),
            encode([*BATTERY.fields, "x" * MAX_REQUEST]),
        ):
            self.refuse(datagram)
        self.assertEqual(len(self.ct.fleet), 0)
        self.assertEqual(self.controller.reported, [])

    def test_a_foreign_request_leaves_no_trace(self) -> None:
        self.use(ct_mac="0011", dedupe_s=5.0)
        for foreign in ("", "0012", " 0011", "000000000000"):
            self.refuse(BATTERY.but(ct_mac=foreign).datagram)
        self.assertEqual(len(self.ct.fleet), 0)
        self.receive(BATTERY.but(ct_mac="0011"))

    def test_the_mac_is_compared_ignoring_case_and_echoed_as_asked(self) -> None:
        self.use(ct_mac="aaBBcc")
        self.assertEqual(self.reply(BATTERY.but(ct_mac="AAbbCC"), 0).names[1], "AAbbCC")

    def test_a_battery_is_known_by_its_mac_in_lower_case(self) -> None:
        self.receive(BATTERY)
        self.receive(BATTERY.but(mac="aabbccddee01"), address=ELSEWHERE)
        self.assertEqual([c.consumer_id for c in self.ct.fleet], ["aabbccddee01"])
        self.receive(BATTERY.but(mac=" aabbccddee01"))
        self.assertEqual(len(self.ct.fleet), 2)

    def test_without_a_mac_it_is_known_by_its_address(self) -> None:
        self.receive(BATTERY.but(mac=""))
        self.receive(BATTERY.but(mac=""), address=("192.168.1.50", 22223))
        known = [c.consumer_id for c in self.ct.fleet]
        self.assertEqual(known, ["192.168.1.50:22222", "192.168.1.50:22223"])

    def test_every_accepted_poll_is_reported_to_the_controller(self) -> None:
        self.receive(BATTERY)
        self.receive(BATTERY.but(phase="0"), T0 + 1)
        self.assertEqual(self.controller.reported, [BATTERY.id] * 2)

    def test_a_duplicate_neither_stores_nor_refreshes_anything(self) -> None:
        self.use(dedupe_s=1.0)
        self.receive(BATTERY.but(power_w=100))
        self.refuse(BATTERY.but(power_w=200).datagram, T0 + 0.5)
        (consumer,) = self.ct.fleet
        self.assertEqual((consumer.power_w, consumer.reported_at), (100, T0))
        self.assertIsNone(consumer.poll_interval_s)

    def test_garbage_opens_no_dedupe_window(self) -> None:
        self.use(dedupe_s=1.0)
        self.refuse(BATTERY.datagram[:-1])
        self.receive(BATTERY)

    def test_polls_beyond_a_full_table_are_not_answered(self) -> None:
        for number in range(MAX_CONSUMERS):
            for at in (T0, T0 + 1):
                self.receive(BATTERY.but(mac=str(number)), at)
        self.refuse(PEER.datagram, T0 + 1)
        self.assertEqual(len(self.ct.fleet), MAX_CONSUMERS)

    def test_whoever_makes_room_is_forgotten_everywhere(self) -> None:
        told: list[str] = []
        self.ct.forgotten = told.append
        for number in range(MAX_CONSUMERS + 1):
            self.receive(BATTERY.but(mac=str(number)), T0 + number / 1000)
        self.assertEqual(told, ["0"])
        self.assertEqual(self.controller.forgotten, ["0"])


class Waiting(Case):
    """While the meter takes its time."""

    def test_a_battery_that_asks_again_gets_one_answer_at_its_newest_address(self) -> None:
        poll = self.receive(BATTERY.but(power_w=100))
        self.ct.wait(poll)
        again = BATTERY.but(power_w=250, phase="B")
        self.assertIsNone(self.ct.receive(again.datagram, ELSEWHERE, T0 + 1))
        self.assertEqual(poll.address, ELSEWHERE)
        self.assertEqual((poll.request.power_w, poll.request.phase), (250, "B"))
        self.controller.reading_w = 70
        self.assertEqual(
            self.said(self.ct.answer_without_meter(poll, Stage.HOLD, "M", T0 + 2)).counts,
            [0, 1, 0, 0],
        )

    def test_after_its_answer_it_is_answered_again(self) -> None:
        poll = self.receive(BATTERY)
        self.ct.wait(poll)
        self.ct.drop(poll)
        self.assertIsNot(self.receive(BATTERY, T0 + 1), poll)

    def test_others_are_not_held_up(self) -> None:
        self.ct.wait(self.receive(BATTERY))
        self.receive(PEER)

    def test_a_foreign_poll_meanwhile_changes_nothing(self) -> None:
        self.use(ct_mac=BATTERY.ct_mac)
        poll = self.receive(BATTERY)
        self.ct.wait(poll)
        foreign = BATTERY.but(ct_mac="AAAAAAAAAAAA", power_w=999)
        self.assertIsNone(self.ct.receive(foreign.datagram, ELSEWHERE, T0 + 1))
        self.assertEqual((poll.address, poll.request.power_w), (BATTERY.address, 0))
        (consumer,) = self.ct.fleet
        self.assertEqual(consumer.power_w, 0)

    def test_a_sweep_meanwhile_leaves_it_alone(self) -> None:
        poll = self.receive(BATTERY.but(power_w=100))
        self.ct.wait(poll)
        self.assertEqual(self.ct.sweep(T0 + 100), [])
        self.controller.reading_w = 50
        answer = self.ct.answer(poll, Sample((50.0,), T0 + 100), "M", T0 + 100)
        self.assertEqual(self.said(answer).phases, [50, 0, 0])
        (_, _, fleet) = self.controller.calls[-1]
        self.assertEqual(fleet, [BATTERY.id])
        self.ct.drop(poll)
        self.assertEqual(self.ct.sweep(T0 + 100), [BATTERY.id])


class SafeAnswers(Case):
    def test_the_instruction_goes_where_every_firmware_looks(self) -> None:
        self.use(reading_w=-123.5)
        self.assertEqual(self.reply(PEER, 1, 2, 3).phases, [0, -124, 0])
        self.assertEqual(self.reply(PEER, 1, 2, 3).total, -124)

    def test_the_controller_sees_the_reading_and_who_is_alive(self) -> None:
        self.receive(PEER, T0 - 100)
        sample = Sample((1.0, 2.0), T0)
        self.ct.answer(self.receive(BATTERY), sample, "METER", T0)
        self.assertEqual(self.controller.calls, [(BATTERY.id, sample, [BATTERY.id])])

    def test_an_instruction_keeps_its_sign_in_sixteen_bits(self) -> None:
        for reading_w, sent in ((50_000.0, 32767), (-1e9, -32767), (32767.4, 32767)):
            self.use(reading_w=reading_w)
            self.assertEqual(self.reply(BATTERY, 0).phases, [sent, 0, 0])

    def test_it_is_never_longer_than_a_battery_accepts(self) -> None:
        sizes = []
        for length in range(100, 300):
            poll = self.receive(BATTERY.but(mac="A" * length, ct_type="HME-3"))
            answer = self.ct.answer(poll, Sample((1.0,), T0), "METER", T0)
            sizes.append(0 if answer is None else len(answer.datagram))
            self.ct.sweep(T0 + 1000)
        self.assertEqual(max(sizes), MAX_ANSWER)
        longest = sizes.index(MAX_ANSWER)
        self.assertEqual(set(sizes[longest + 1 :]), {0})

    def test_an_inspecting_battery_sees_the_true_phases(self) -> None:
        self.use(reading_w=999)
        caller = BATTERY.but(phase="0", ct_type="")
        reply = self.reply(caller, 450.4, -20, 33)
        self.assertEqual((reply.phases, reply.total), ([450, -20, 33], 463))
        self.assertEqual(reply.names, ["", caller.ct_mac, caller.type, caller.mac])
        self.assertEqual(self.controller.calls, [])

    def test_an_inspecting_battery_with_energies_gets_28_fields(self) -> None:
        self.assertEqual(len(self.reply(BATTERY.but(phase="0", ct_type="HME-3"), 1).energies), 4)
        self.assertEqual(len(self.reply(BATTERY.but(phase="0"), 1).energies), 0)

    def test_energies_are_integrated_from_the_readings_of_each_meter(self) -> None:
        ct003 = BATTERY.but(ct_type="HME-3")
        self.assertEqual(self.reply(ct003, 720, 0, 0).energies, [0, 0, 0, 0])
        self.assertEqual(self.reply(ct003, -360, now=T0 + 10).energies, [20, 0, 0, 0])
        self.assertEqual(self.reply(ct003, 0, now=T0 + 20).energies, [20, 0, 10, 0])
        poll = self.receive(PEER.but(ct_type="TPM2-0"), T0 + 21)
        other = self.ct.answer(poll, Sample((5.0,), T0 + 21), "OTHER", T0 + 21)
        self.assertEqual(self.said(other).energies, [0, 0, 0, 0])

    def test_energies_stand_still_while_the_meter_fails(self) -> None:
        ct003 = BATTERY.but(ct_type="HME-3")
        self.reply(ct003, 720)
        self.reply(ct003, 720, now=T0 + 10)
        held = self.ct.answer_without_meter(
            self.receive(ct003, T0 + 20), Stage.HOLD, "METER", T0 + 20
        )
        self.assertEqual(self.said(held).energies, [20, 0, 0, 0])


class NoMeterForThisBattery(Case):
    def answer(self, caller: Caller, now: float = T0) -> Reply:
        return self.said(self.ct.answer(self.receive(caller, now), None, "", now))

    def test_zeros_before_it_was_ever_given_a_reading(self) -> None:
        self.use(reading_w=500)
        self.assertEqual(self.answer(BATTERY).phases, [0, 0, 0])
        self.assertEqual(self.controller.calls, [])
        self.assertEqual(self.answer(BATTERY.but(phase="0")).total, 0)

    def test_then_the_last_reading_of_this_battery(self) -> None:
        self.use(reading_w=500)
        self.reply(BATTERY, 7, 8, 9)
        self.assertEqual(self.answer(BATTERY, T0 + 1).total, 500)
        self.assertEqual(self.controller.calls[-1][1], Sample((7, 8, 9), T0))
        self.assertEqual(self.answer(BATTERY.but(phase="0"), T0 + 2).phases, [7, 8, 9])
        self.assertEqual(self.answer(PEER, T0 + 2).total, 0)

    def test_in_relay_mode_too(self) -> None:
        self.use(active_control=False)
        self.assertEqual(self.answer(BATTERY).total, 0)
        self.reply(BATTERY, 7, 8, 9)
        self.assertEqual(self.answer(BATTERY, T0 + 1).phases, [7, 8, 9])


class Hold(Case):
    def hold(self, caller: Caller, now: float = T0) -> Reply:
        return self.said(
            self.ct.answer_without_meter(self.receive(caller, now), Stage.HOLD, "METER", now)
        )

    def test_zeros_in_every_mode_and_the_controller_is_not_asked(self) -> None:
        for options in ({}, {"answer_style": CLASSIC}, {"active_control": False}):
            for phase in "ABCD0":
                self.use(reading_w=500, **options)
                reply = self.hold(BATTERY.but(phase=phase, power_w=300))
                self.assertEqual((reply.phases, reply.total), ([0, 0, 0], 0))
                self.assertEqual(self.controller.calls, [])

    def test_the_battery_is_expected_to_stay_where_it_is(self) -> None:
        self.hold(BATTERY.but(power_w=300))
        (consumer,) = self.ct.fleet
        self.assertEqual(consumer.expected_net_w, 300)

    def test_the_last_reading_is_kept_and_not_replaced_by_zeros(self) -> None:
        self.reply(BATTERY, 7, 8, 9)
        self.hold(BATTERY, T0 + 1)
        (consumer,) = self.ct.fleet
        self.assertEqual(consumer.sample, Sample((7, 8, 9), T0))


class RunTimeSwitch(Case):
    def test_it_takes_effect_with_the_next_answer_and_clears_nothing(self) -> None:
        self.use(reading_w=200)
        self.assertEqual(self.reply(BATTERY, 7, 8, 9).total, 200)
        self.ct.active_control = False
        relayed = self.reply(BATTERY, 7, 8, 9)
        self.assertEqual((relayed.phases, relayed.total), ([7, 8, 9], 24))
        self.ct.active_control = True
        self.assertEqual(self.reply(BATTERY, 7, 8, 9).total, 200)
        self.assertEqual(self.controller.forgotten, [])

    def test_it_applies_to_a_poll_that_waits(self) -> None:
        self.use(reading_w=200)
        poll = self.receive(BATTERY)
        self.ct.wait(poll)
        self.ct.active_control = False
        answer = self.ct.answer(poll, Sample((7, 8, 9), T0), "METER", T0)
        self.assertEqual(self.said(answer).total, 24)

    def test_other_options_apply_from_the_next_poll_on_and_the_fleet_stays(self) -> None:
        self.reply(BATTERY, 0)
        self.ct.configure("HME-3", CtOptions(active_control=False, wifi_rssi=-77), 5.0)
        self.assertEqual([c.consumer_id for c in self.ct.fleet], [BATTERY.id])
        reply = self.reply(BATTERY, 7, now=T0 + 1)
        self.assertEqual((reply.names[0], reply.rssi), ("HME-3", -77))
        self.refuse(BATTERY.datagram, T0 + 2)


class Relay(Case):
    def setUp(self) -> None:
        self.use(active_control=False)

    def test_settings_of_the_owner_have_no_effect(self) -> None:
        before = self.reply(BATTERY, 7, 8, 9)
        for name, value in (("active", False), ("auto_target", False), ("manual_target", 500)):
            self.ct.change_setting(BATTERY.id, name, value)
        after = self.reply(BATTERY, 7, 8, 9)
        self.assertEqual(after.phases, before.phases)
        self.assertEqual(self.controller.calls, [])

    def test_an_expired_peer_is_out_of_the_counts_before_it_is_swept(self) -> None:
        self.reply(PEER, 0)
        self.assertEqual(self.reply(BATTERY, 0, now=T0 + 30).counts, [1, 1, 0, 0])
        self.assertEqual(self.reply(BATTERY, 0, now=T0 + 30.5).counts, [1, 0, 0, 0])
        self.assertEqual(len(self.ct.fleet), 2)


class ExpiredPeers(Case):
    def test_they_are_out_of_the_pool_before_they_are_swept(self) -> None:
        self.reply(PEER, 0)
        self.reply(BATTERY, 0, now=T0 + 30.5)
        self.assertEqual(self.controller.calls[-1][2], [BATTERY.id])
        self.assertEqual(len(self.ct.fleet), 2)

    def test_a_sweep_forgets_them_everywhere(self) -> None:
        told: list[str] = []
        self.ct.forgotten = told.append
        self.reply(PEER, 0)
        self.assertEqual(self.ct.sweep(T0 + 31), [PEER.id])
        self.assertEqual((self.controller.forgotten, told), ([PEER.id], [PEER.id]))


class Index(Case):
    def index(self, caller: Caller) -> int:
        return self.reply(caller, 0).index

    def test_one_counter_for_all_from_0_to_255_and_again(self) -> None:
        found = [self.index(BATTERY if i % 3 else PEER) for i in range(600)]
        self.assertEqual(found, [i % 256 for i in range(600)])

    def test_every_kind_of_answer_has_its_own(self) -> None:
        poll = self.receive(BATTERY)
        indices = [
            self.reply(BATTERY, 0).index,
            self.said(self.ct.answer_without_meter(poll, Stage.HOLD, "METER", T0)).index,
            self.reply(BATTERY.but(phase="0"), 0).index,
            self.said(self.ct.answer(poll, None, "", T0)).index,
        ]
        self.assertEqual(indices, [0, 1, 2, 3])

    def test_what_is_not_answered_consumes_none(self) -> None:
        self.index(BATTERY)
        self.refuse(b"nonsense")
        self.assertEqual(self.index(BATTERY), 1)

    def test_it_never_repeats_for_a_battery_whatever_lies_between(self) -> None:
        for between in (254, 255, 256, 257, 511):
            self.use()
            before = None
            for _ in range(4):
                index = self.index(BATTERY)
                self.assertNotEqual(index, before, between)
                before = index
                for _ in range(between):
                    self.index(PEER)


class OwnersSettings(Case):
    def test_a_battery_starts_anew_when_its_mode_changes(self) -> None:
        self.reply(BATTERY, 0)
        for name, value, anew in (
            ("auto_target", False, True),
            ("manual_target", 200, False),
            ("auto_target", True, True),
            ("active", False, False),
            ("active", True, True),
            ("active", True, False),
            ("distribution_weight", 2, False),
        ):
            self.controller.forgotten.clear()
            self.ct.change_setting(BATTERY.id, name, value)
            wanted = [BATTERY.id] if anew else []
            self.assertEqual(self.controller.forgotten, wanted, (name, value))

    def test_a_refused_setting_changes_nothing(self) -> None:
        self.reply(BATTERY, 0)
        self.assertRaises(
            SettingError, self.ct.change_setting, BATTERY.id, "distribution_weight", 99
        )
        self.assertEqual(self.controller.forgotten, [])


class PhaseLog(Case):
    """Section 18: detected, changed; a single stray poll is no battery yet."""

    def lines(self, *phases: str) -> list[str]:
        with capturedLogs() as events:
            for number, phase in enumerate(phases):
                self.receive(BATTERY.but(phase=phase), T0 + number)
        self.assertTrue(all(event["log_level"] is LogLevel.info for event in events))
        return [f"{event['phase']} {event['what']}" for event in events]

    def test_the_first_phase_is_detected_and_told_once(self) -> None:
        self.assertEqual(self.lines("A", "A", "A"), ["A detected"])

    def test_a_single_poll_says_nothing(self) -> None:
        self.assertEqual(self.lines("A"), [])

    def test_another_phase_is_a_change(self) -> None:
        self.assertEqual(self.lines("A", "A", "B"), ["A detected", "B changed"])

    def test_inspection_in_between_makes_it_a_detection(self) -> None:
        self.assertEqual(self.lines("A", "A", "0", "B"), ["A detected", "B detected"])

    def test_inspection_alone_says_nothing(self) -> None:
        self.assertEqual(self.lines("0", "0", "0"), [])
