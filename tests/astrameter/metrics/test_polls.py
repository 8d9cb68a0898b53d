"""What is counted while polls come in: every one of them once, with what became of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct import responder as ct_responder
from astrameter.ct.fleet import Fleet
from astrameter.shelly import responder as shelly_responder
from tests.astrameter.ct.rig import BATTERY, PEER, Rig
from tests.astrameter.shelly.test_responder import EVERYBODY
from tests.astrameter.shelly.test_responder import Rig as ShellyRig
from tests.doubles import StubMeter, routes_for


class AtACt(SynchronousTestCase):
    def answered(self, rig: Rig) -> int:
        return sum(rig.protocol.counts.answered.counts)

    def test_answers_and_how_long_they_took(self) -> None:
        rig = Rig()
        rig.send(BATTERY)
        held = rig.meter.hold_back()
        rig.send(PEER)
        self.assertEqual(self.answered(rig), 1)
        rig.clock.advance(0.3)
        held.pop().callback(rig.meter.sample(1.0))
        counts = rig.protocol.counts
        self.assertEqual(self.answered(rig), 2)
        self.assertAlmostEqual(counts.answered.sum_s, 0.3)
        self.assertEqual(counts.dropped, {})

    def test_a_battery_that_asks_again_waits_since_it_asked_first(self) -> None:
        rig = Rig()
        held = rig.meter.hold_back()
        rig.send(BATTERY)
        rig.clock.advance(1.0)
        rig.send(BATTERY)
        rig.clock.advance(0.5)
        held.pop().callback(rig.meter.sample(1.0))
        self.assertAlmostEqual(rig.protocol.counts.answered.sum_s, 1.5)
        self.assertEqual(self.answered(rig), 1)

    def test_what_is_dropped_and_why(self) -> None:
        rig = Rig(ct_mac="112233445566", dedupe_s=1.0)
        rig.send(BATTERY)
        rig.send(BATTERY)
        rig.send(PEER.but(ct_mac="000000000000"))
        rig.send(b"rubbish")
        rig.send(b"x" * 600)
        self.assertEqual(
            rig.protocol.counts.dropped,
            {"duplicate": 1, "foreign_mac": 1, "too_short": 1, "too_long": 1},
        )

    def test_a_search_is_no_poll(self) -> None:
        rig = Rig()
        rig.send(b"hame")
        self.assertEqual(self.answered(rig), 0)
        self.assertEqual(rig.protocol.counts.dropped, {})

    def test_silence_of_the_failsafe(self) -> None:
        rig = Rig(failsafe="silent", failsafe_after=5.0)
        rig.meter.script("error")
        rig.send(BATTERY)
        rig.clock.advance(6)
        rig.send(BATTERY)
        self.assertEqual(rig.protocol.counts.dropped, {ct_responder.FAILSAFE: 1})
        self.assertEqual(self.answered(rig), 1)

    def test_names_that_make_no_frame(self) -> None:
        rig = Rig()
        rig.send(BATTERY.but(type="T" * 400))
        self.assertEqual(rig.protocol.counts.dropped, {ct_responder.UNREADABLE: 1})

    def test_while_the_settings_are_not_known_nobody_is_answered_or_remembered(self) -> None:
        rig = Rig()
        rig.ct.answering = False
        rig.send(BATTERY)
        self.assertEqual(rig.take(), [])
        self.assertEqual(rig.protocol.counts.dropped, {ct_responder.NOT_READY: 1})
        self.assertEqual(len(rig.ct.fleet), 0)
        rig.ct.answering = True
        self.assertEqual(len(rig.replies(BATTERY)), 1)
        self.assertIsInstance(rig.ct.fleet, Fleet)


class AtAShelly(SynchronousTestCase):
    def test_answers_and_what_is_dropped(self) -> None:
        meter = StubMeter()
        rig = ShellyRig(routes_for([(meter, EVERYBODY)]))
        self.assertEqual(len(rig.ask()), 1)
        self.assertEqual(rig.ask(b"rubbish"), [])
        counts = rig.responder.protocol.counts
        self.assertEqual(sum(counts.answered.counts), 1)
        self.assertEqual(sum(counts.dropped.values()), 1)
        meter.reading = "error"
        self.assertEqual(rig.ask(), [])
        self.assertEqual(counts.dropped[shelly_responder.METER_FAILED], 1)
