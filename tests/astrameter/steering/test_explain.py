"""What is said of a decision: to home owners in sentences, to machines in figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import Sample
from astrameter.steering import trace as names
from astrameter.steering.explain import Situation, documents, sentences
from astrameter.steering.interface import Mode
from astrameter.steering.trace import Decision, Limit

T0 = 1000.0

DECISION = Decision(
    at=T0,
    sample=Sample((20.0, -8.0, 6.0), T0 - 0.6),
    mode=Mode.AUTO,
    power_w=400.0,
    before_w=400.0,
    setpoint_w=413.0,
    slew_w_per_s=400.0,
    load_w=826.0,
    noise_w=5.0,
    delay_s=0.75,
    pool_w=826.0,
    pool=2,
    share_w=413.0,
    low_w=-math.inf,
    high_w=math.inf,
    joining=False,
    held=0,
    intent_w=413.0,
    stays="",
    limits=(),
    reading_w=18.0,
)

BATTERY = Situation(
    device_type="VNSE3-0",
    phase="A",
    power_w=400.0,
    age_s=0.3,
    alive=True,
    mode=Mode.AUTO,
    paused=False,
    manual_target_w=0.0,
    weight=1.0,
    steered=True,
    meter="SHELLY",
)


class Saying(SynchronousTestCase):
    def said(self, situation: dict[str, Any] | None = None, **decision: Any) -> str:
        """Everything that is said after a decision like :data:`DECISION`."""
        last = DECISION._replace(**decision)
        decisions = [DECISION._replace(at=T0 - 1), last]
        battery = replace(BATTERY, **{"decisions": decisions, **(situation or {})})
        found = sentences(battery)
        for sentence in found:
            self.assertTrue(sentence[0].isupper() or sentence[0].isdigit(), sentence)
            self.assertTrue(sentence.endswith("."), sentence)
            self.assertNotIn("  ", sentence)
            for word in ("inf", "nan", "None", "-0 W"):
                self.assertNotIn(f" {word}", sentence)
        return "\n".join(found)


class Ordinarily(Saying):
    def test_from_the_meter_to_what_was_sent(self) -> None:
        meter, house, part, sent, became = self.said().splitlines()[1:]
        self.assertEqual(self.said().splitlines()[0], "It discharges 400 W.")
        self.assertEqual(
            meter,
            "The meter [SHELLY] said 18 W from the grid (read 0.6 s before it asked, and taken to "
            "be 0.75 s late).",
        )
        self.assertEqual(house, "Without batteries, the house would take 826 W from the grid.")
        self.assertEqual(
            part,
            "2 batteries are steered and are to deliver 826 W together; with a weight of 1, its "
            "part is 413 W of discharge.",
        )
        self.assertEqual(
            sent,
            "Sent: +18 W, which means: deliver more or charge less. It is expected to go from "
            "+400 W to +413 W.",
        )
        self.assertEqual(
            became,
            "The answer before that was to take it to +413 W by now; it is at +400 W, so it "
            "follows.",
        )

    def test_in_surplus_it_charges(self) -> None:
        said = self.said(
            {"power_w": -300.0},
            sample=Sample((-500.0,), T0),
            power_w=-300.0,
            before_w=-300.0,
            setpoint_w=-600.0,
            load_w=-1200.0,
            pool_w=-1200.0,
            share_w=-600.0,
            reading_w=-300.0,
        )
        self.assertIn("It charges with 300 W.", said)
        self.assertIn("said 500 W into the grid", said)
        self.assertIn("the house would give 1200 W to the grid", said)
        self.assertIn("to charge with 1200 W together", said)
        self.assertIn("its part is 600 W of charge", said)
        self.assertIn("deliver less or charge more", said)
        self.assertIn("from -300 W to -600 W", said)

    def test_idle(self) -> None:
        nothing = {"power_w": 0.4, "before_w": 0.0, "setpoint_w": -0.2, "share_w": 0.1}
        said = self.said(
            {"power_w": 0.4},
            **nothing,
            load_w=0.2,
            pool_w=0.2,
            sample=Sample((-0.2,), T0),
            stays=names.NOISE,
            reading_w=-0.3,
        )
        self.assertIn("It rests (0 W).", said)
        self.assertIn("said 0 W (read", said)
        self.assertIn("stay as it is: what is missing is within the noise of the meter.", said)
        self.assertIn("Sent: 0 W, which means: stay at 0 W.", said)

    def test_alone_it_has_it_all(self) -> None:
        self.assertIn("the only one that is steered, so its part is 413 W", self.said(pool=1))

    def test_an_answer_that_cannot_act_yet_is_told(self) -> None:
        self.assertIn("It is expected not to act on that yet", self.said(setpoint_w=400.0))

    def test_one_that_is_on_its_way_is_told_nothing_new(self) -> None:
        said = self.said(stays=names.NOISE, setpoint_w=1245.0, reading_w=0.0)
        self.assertIn("told nothing new, as it is on its way: what is missing", said)
        self.assertIn("Sent: 0 W, which means: go on to 1245 W of discharge.", said)

    def test_one_that_does_not_follow_is_told(self) -> None:
        said = self.said({"power_w": 0.0}, power_w=0.0, held=1)
        self.assertIn("by now; it is at 0 W.", said)
        self.assertIn("It has not followed up lately", said)
        self.assertIn("not followed down lately", self.said(held=-1))

    def test_a_meter_that_has_never_been_understood_is_left_out(self) -> None:
        self.assertNotIn("Without batteries", self.said(load_w=None, share_w=None))


class Limited(Saying):
    def test_a_limiter_says_what_it_changed_and_why(self) -> None:
        said = self.said(limits=(Limit(names.OPENING, 600.0, 150.0),))
        self.assertIn(
            "Gentle start: 600 W of discharge became 150 W of discharge (the other batteries may "
            "not have asked yet).",
            said,
        )

    def test_one_with_a_mere_name_does_too(self) -> None:
        said = self.said(limits=(Limit("soft start", -600.0, 0.0),))
        self.assertIn("Soft start: 600 W of charge became 0 W.", said)

    def test_what_is_less_than_a_watt_is_not_worth_a_sentence(self) -> None:
        self.assertNotIn("Reach", self.said(limits=(Limit(names.REACH, 100.2, 100.1),)))

    def test_an_empty_one(self) -> None:
        self.assertIn("cannot discharge at present: empty", self.said(share_w=0.0, high_w=0.0))

    def test_a_full_one(self) -> None:
        said = self.said(share_w=0.0, low_w=0.0, pool_w=-900.0)
        self.assertIn("cannot charge at present: full", said)

    def test_limits_that_were_learned(self) -> None:
        said = self.said(share_w=800.0, high_w=800.0, pool_w=2000.0)
        self.assertIn("More than 800 W it could not deliver", said)
        said = self.said(share_w=-700.0, low_w=-700.0, pool_w=-2000.0)
        self.assertIn("With more than 700 W it could not charge", said)

    def test_those_that_do_not_matter_now_are_not_told(self) -> None:
        said = self.said(share_w=413.0, low_w=0.0, high_w=800.0)
        self.assertNotIn("could not", said)
        self.assertNotIn("cannot", said)

    def test_a_full_pack_passes_through_what_its_panels_deliver(self) -> None:
        said = self.said(share_w=300.0, low_w=300.0, pool_w=-900.0)
        self.assertIn("Less than 300 W it does not deliver, or is not to.", said)

    def test_one_without_an_inverter_cannot_be_charged_from_the_house(self) -> None:
        b2500 = {"device_type": "HMA-1"}
        said = self.said(b2500, share_w=0.0, low_w=0.0, pool_w=-900.0)
        self.assertIn("cannot be charged from the house", said)
        said = self.said(b2500, share_w=0.0, high_w=0.0)
        self.assertIn("so little is wanted that it sleeps", said)

    def test_in_efficiency_mode(self) -> None:
        self.assertIn("It is at rest", self.said(share_w=0.0, low_w=0.0, high_w=0.0))
        self.assertIn("just been called to work", self.said(joining=True))

    def test_a_weight_of_zero(self) -> None:
        said = self.said({"weight": 0.0}, share_w=0.0, high_w=0.0)
        self.assertIn("Its weight is 0, so its part is 0 W.", said)
        self.assertNotIn("cannot", said)


class Unsteered(Saying):
    def test_manual(self) -> None:
        said = self.said({"mode": Mode.MANUAL, "manual_target_w": -250.0}, mode=Mode.MANUAL)
        self.assertIn("Its owner has set it to 250 W of charge (manual mode).", said)
        self.assertNotIn("its part", said)

    def test_paused_by_its_owner_or_by_itself(self) -> None:
        for paused, word in ((True, "Its owner has paused it"), (False, "asks not to be counted")):
            said = self.said({"mode": Mode.INACTIVE, "paused": paused}, mode=Mode.INACTIVE)
            self.assertIn(word, said)
            self.assertNotIn("its part", said)

    def only(self, **situation: Any) -> str:
        """What is said of one that is not steered: what it does, and why."""
        does, why = self.said(situation).splitlines()
        self.assertEqual(does, "It discharges 400 W.")
        return why

    def test_finding_its_phase(self) -> None:
        self.assertIn("finding out its phase", self.only(phase="0"))

    def test_without_a_meter(self) -> None:
        self.assertIn("No meter serves it", self.only(meter=""))

    def test_when_the_meter_fails(self) -> None:
        why = self.only(failing="hold", error="no answer")
        self.assertEqual(
            why, "The meter [SHELLY] fails (no answer), so the battery is told to stay as it is."
        )
        why = self.only(failing="power", error="no answer", failsafe_w=-200.0)
        self.assertIn("taken to its part of 200 W of charge (FAILSAFE_POWER)", why)
        self.assertIn("not answered any more", self.only(failing="silent", error="x"))

    def test_relaying(self) -> None:
        self.assertIn("ACTIVE_CONTROL is off", self.only(steered=False))

    def test_silent(self) -> None:
        said = self.said({"alive": False, "age_s": 17.0})
        self.assertIn("It has not asked for 17 s, so it is left out.", said)

    def test_never_answered(self) -> None:
        self.assertIn("has not been answered yet", self.said({"decisions": ()}))


class Figures(SynchronousTestCase):
    def test_they_are_plain_json_each_with_what_became_of_it(self) -> None:
        limits = (Limit("soft start", 600.0, 413.0),)
        later = DECISION._replace(at=T0 + 1, power_w=405.0, limits=limits)
        first, second = json.loads(json.dumps(documents([DECISION, later]), allow_nan=False))
        self.assertEqual(
            first["became"], {"after_s": 1.0, "expected_w": 413.0, "delivered_w": 405.0}
        )
        self.assertIsNone(second["became"])
        self.assertEqual((first["grid_w"], first["phases_w"]), (18.0, [20.0, -8.0, 6.0]))
        self.assertEqual((first["mode"], first["low_w"], first["high_w"]), ("auto", None, None))
        self.assertEqual(
            second["limits"], [{"name": "soft start", "before_w": 600.0, "after_w": 413.0}]
        )
        self.assertAlmostEqual(first["sample_age_s"], 0.6)
        self.assertEqual(documents([]), [])
