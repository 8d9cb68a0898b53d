"""The load of a course: noise, profiles, and what is refused."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.course import (
    Course,
    Happening,
    Load,
    half_sine_pv,
    pulse_train,
    sine,
    uniform,
)
from simulator.evaluation.scenarios import battery
from tests.vectors import load as vectors


def course(**more: object) -> Course:
    given: dict[str, object] = {
        "name": "c",
        "batteries": (battery(0),),
        "first_polls_s": (0.5,),
        "duration_s": 60.0,
        "base_w": (300.0, 0.0, 0.0),
        **more,
    }
    return Course(**given)  # type: ignore[arg-type]


class Noise(SynchronousTestCase):
    def test_the_checks_of_the_file(self) -> None:
        for check in vectors("steering-scenarios")["harness"]["noise_check"]:
            found = uniform(check["seed"], check["k"], check["p"])
            self.assertAlmostEqual(found, check["U"], places=9)

    def test_it_changes_every_second_and_not_in_between(self) -> None:
        load = Load(course(noise_w=10.0), 1)
        self.assertEqual(load.at(3.0), load.at(3.9))
        self.assertNotEqual(load.at(3.9), load.at(4.0))

    def test_phases_that_begin_without_load_have_none(self) -> None:
        load = Load(course(noise_w=10.0), 1)
        load.add((0.0, 500.0, 0.0))
        self.assertEqual(load.at(7.0)[1:], (500.0, 0.0))

    def test_phase_a_has_it_even_without_load(self) -> None:
        self.assertNotEqual(Load(course(noise_w=10.0, base_w=(0.0, 0.0, 0.0)), 1).at(1.0)[0], 0.0)

    def test_another_seed_is_another_noise(self) -> None:
        one, other = Load(course(), 1), Load(course(), 2)
        self.assertNotEqual(one.at(1.0), other.at(1.0))


class Profiles(SynchronousTestCase):
    def test_a_pulse_train(self) -> None:
        at = pulse_train(180, 1020, 16, 13, 120, 0)
        self.assertEqual([at(t)[0] for t in (179.9, 180, 192.9, 193, 196)], [0, 120, 120, 0, 120])
        self.assertEqual(at(1020)[0], 0)

    def test_panels_with_clouds(self) -> None:
        at = half_sine_pv(0, 3600, 1800, 1, ((1440, 1560, 0.2),))
        self.assertEqual(at(1800), (0.0, -1800.0, 0.0))
        clear_w = -1800 * math.sin(math.pi * 1440 / 3600)
        self.assertAlmostEqual(at(1440)[1], 0.2 * clear_w)
        self.assertEqual(at(3600), (0.0, 0.0, 0.0))

    def test_a_sine(self) -> None:
        self.assertAlmostEqual(sine(50, 40, 2)(10)[2], 50)

    def test_profiles_add_up(self) -> None:
        load = Load(course(noise_w=0.0, profiles=(sine(50, 40, 0), sine(50, 40, 0))), 1)
        self.assertAlmostEqual(load.at(10)[0], 400)


class Happenings(SynchronousTestCase):
    def test_an_unknown_action_is_refused_with_those_there_are(self) -> None:
        error = self.assertRaises(ValueError, Happening, 1.0, action="explode")
        self.assertIn("meter_fail", str(error))
