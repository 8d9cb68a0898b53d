"""The law copies against the simulator's laws, which were written from the specification alone."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.models.b2500 import ClassicB2500, FieldB2500
from astrameter.steering.models.bank import bank_for
from astrameter.steering.models.integer import IntegerLaw
from astrameter.steering.models.law import Law, choose
from astrameter.steering.models.venus_c import VenusC
from simulator.batteries import integer_law
from simulator.batteries.classic.venus_c import RampLaw
from simulator.batteries.classic.venus_d import Integrator
from simulator.batteries.families import IntegerFamily, family_of

ROUNDS = 40
POLLS = 60
UNSETTLED_S = 60.0
LIMIT_W = 2400


def a_reading(source: Random) -> int:
    return round(source.choice((5, 15, 40, 200, 900)) * source.uniform(-1, 1))


class AgainstTheSimulator(SynchronousTestCase):
    def test_the_ramp_law(self) -> None:
        for seed in range(ROUNDS):
            source = Random(seed)
            mine, theirs = VenusC(), RampLaw(2500, 2500, rest_w=20)
            output_w = 0
            for _ in range(POLLS):
                reading_w = a_reading(source)
                if abs(theirs.charge_w) > LIMIT_W:
                    break
                mine.step(reading_w, output_w, 0.0)
                theirs.step(reading_w, output_w)
                self.assertAlmostEqual(mine.setpoint_w, -theirs.charge_w, places=3)
                output_w = round(output_w + source.random() * (mine.setpoint_w - output_w))

    def test_the_integer_law_when_every_step_has_settled(self) -> None:
        family = family_of("VNSE3-0")
        assert isinstance(family, IntegerFamily)
        for seed in range(ROUNDS):
            source = Random(seed)
            mine, theirs = IntegerLaw(family.gate_w), integer_law.IntegerLaw(family)
            for poll in range(POLLS):
                reading_w = a_reading(source)
                output_w = round(mine.setpoint_w)
                mine.step(reading_w, output_w, poll * UNSETTLED_S)
                theirs.step(reading_w, output_w, 1, -1e9, 1e9)
                self.assertEqual(mine.setpoint_w, theirs.setpoint_w)

    def test_the_classic_venus_d(self) -> None:
        for seed in range(ROUNDS):
            source = Random(seed)
            mine, theirs = IntegerLaw(10, None), Integrator()
            for poll in range(POLLS):
                reading_w = a_reading(source)
                mine.step(reading_w, mine.setpoint_w, float(poll))
                theirs.step(reading_w, reading_w, -1_000_000, 1_000_000)
                self.assertEqual(mine.setpoint_w, theirs.setpoint_w)


class Choosing(SynchronousTestCase):
    def laws(self) -> tuple[Law, ...]:
        return (VenusC(), IntegerLaw(), IntegerLaw(10, None), FieldB2500(300.0, True))

    def test_the_target_is_reached_in_a_few_polls(self) -> None:
        for law in self.laws():
            for target_w in (700.0, 250.0, 400.0):
                for poll in range(12):
                    now = poll * UNSETTLED_S
                    law.step(choose(law, target_w, law.setpoint_w, now, 1.0), law.setpoint_w, now)
                self.assertApproximates(law.setpoint_w, target_w, 8)

    def test_a_classic_b2500_steps_towards_it(self) -> None:
        law = ClassicB2500(400.0)
        for _ in range(10):
            law.step(choose(law, 200.0, law.setpoint_w, 0.0, 1.0), law.setpoint_w, 0.0)
        self.assertApproximates(law.setpoint_w, 200, 34)

    def test_a_copy_has_a_life_of_its_own(self) -> None:
        for law in (*self.laws(), ClassicB2500()):
            twin = law.copy()
            self.assertEqual(twin, law)
            twin.settle(123.0)
            self.assertNotEqual(twin.setpoint_w, law.setpoint_w)


class Banks(SynchronousTestCase):
    def test_an_unknown_type_begins_like_a_venus(self) -> None:
        for kind in ("", "XYZ-9", "HMG-50", "VNSE3-0"):
            self.assertIsInstance(bank_for(kind, 50).law, IntegerLaw)
            self.assertEqual(bank_for(kind, 50).law.setpoint_w, 50)
        self.assertIsInstance(bank_for(" hma-1", 0).law, FieldB2500)

    def test_the_copy_that_explains_it_best_takes_over(self) -> None:
        bank = bank_for("HMG-50", 0)
        truth = VenusC()
        for poll in range(60):
            before_w = truth.setpoint_w
            reading_w = 400 if poll % 20 < 10 else -300
            bank.step(reading_w, before_w, float(poll))
            truth.step(reading_w, before_w, float(poll))
            bank.judge(truth.setpoint_w, 2000.0, before_w)
        self.assertIsInstance(bank.law, VenusC)

    def test_an_idle_venus_is_asked_for_nothing_that_it_never_acts_on(self) -> None:
        for kind, rest_w in (("HMG-50", 20), ("VNSE3-0", 10)):
            law = bank_for(kind, 0).law
            for wanted_w in (-1, -15, -300):
                self.assertNotIn(-rest_w, law.candidates(wanted_w, 0))
                self.assertIn(-rest_w, law.candidates(wanted_w, -100))
