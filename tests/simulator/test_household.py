"""The load model: simulator.md sections 5 and 11."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from simulator.household import Household, Load

FIVE_LOADS = (
    ("LED lights", 30),
    ("TV + entertainment", 80),
    ("Router + NAS", 40),
    ("Microwave", 800),
    ("Washing machine", 400),
)


def household(seed: int = 1, **options: Any) -> Household:
    values: dict[str, Any] = {
        "base_load_w": (100, 0, 50),
        "loads": (Load("load", 800, "B", active=True),),
        "solar_phases": "AC",
        **options,
    }
    return Household(Random(seed), **values)


class Vectors(SynchronousTestCase):
    def test_load_model_with_noise(self) -> None:
        house = household()
        house.set_solar(900)
        self.assertEqual(
            house.contribution(), (-364.6254302355039, 813.8973494774893, -389.4490152409354)
        )

    def test_load_model_without_noise(self) -> None:
        house = household(base_noise_w=0)
        house.set_solar(900)
        self.assertEqual(house.contribution(), (-350, 800, -400))

    def test_a_short_base_load_list_and_a_negative_base(self) -> None:
        house = household(base_load_w=(-250, 0), loads=())
        self.assertEqual(house.contribution(), (-250, 0, 0))

    def test_auto_step(self) -> None:
        loads = [Load(name, watts, "A") for name, watts in FIVE_LOADS]
        house = household(loads=loads)
        random = Random(7)
        house.auto_step(random)
        self.assertEqual([load.active for load in loads], [False, True, False, True, False])
        self.assertEqual(house.solar_w, 731.377833825171)
        house.auto_step(random)
        self.assertEqual([load.active for load in loads], [True] * 5)
        self.assertEqual(house.solar_w, 181.42602668773011)


class Behaviour(SynchronousTestCase):
    def test_one_draw_per_loaded_phase_and_call(self) -> None:
        noise, reference = Random(5), Random(5)
        house = Household(noise, base_load_w=(100, 0, -50), loads=[Load("x", 10, "B", True)])
        house.contribution()
        reference.random()
        reference.random()
        self.assertEqual(noise.random(), reference.random())

    def test_the_noise_is_drawn_anew_at_each_call(self) -> None:
        house = household()
        self.assertNotEqual(house.contribution(), house.contribution())

    def test_toggling_counts_from_one(self) -> None:
        house = household(base_noise_w=0)
        self.assertFalse(house.toggle_load(1).active)
        self.assertEqual(house.contribution()[1], 0)
        for number in (0, -1, 2):
            error = self.assertRaises(IndexError, house.toggle_load, number)
            self.assertEqual(str(error), f"Load index out of range: {number}")

    def test_switching_by_name(self) -> None:
        house = household(base_noise_w=0)
        house.switch("load", False)
        house.switch("nothing of that name", True)
        self.assertEqual(house.contribution(), (100, 0, 50))
        house.switch("load", True)
        self.assertEqual(house.contribution(), (100, 800, 50))

    def test_the_sun_is_clamped(self) -> None:
        house = household()
        for watts, wanted in ((-5, 0), (5000, 2000), (float("inf"), 2000), (1234, 1234)):
            house.set_solar(watts)
            self.assertEqual(house.solar_w, wanted)
        self.assertRaises(ValueError, house.set_solar, float("nan"))

    def test_the_base_load_can_be_changed(self) -> None:
        house = household(base_noise_w=0)
        house.set_base_load("A", -300)
        self.assertEqual(house.base_load_w, (-300, 0, 50))
        self.assertEqual(house.contribution(), (-300, 800, 50))
        self.assertRaises(ValueError, house.set_base_load, "D", 1)
        self.assertRaises(ValueError, house.set_base_load, "A", float("nan"))

    def test_what_does_not_exist_is_refused(self) -> None:
        error = self.assertRaises(ValueError, Load, "x", 1, "D")
        self.assertIn("Load 'x': invalid phase 'D'", str(error))
        self.assertRaises(ValueError, Load, "x", float("inf"), "A")
        error = self.assertRaises(ValueError, household, solar_phases="AZ")
        self.assertIn("Invalid solar phase 'Z'", str(error))
        self.assertRaises(ValueError, household, base_load_w=(float("nan"),))

    def test_a_house_without_solar_phases(self) -> None:
        house = household(base_noise_w=0, solar_phases="")
        house.set_solar(1000)
        self.assertEqual(house.contribution(), (100, 800, 50))

    @settings(deadline=None, derandomize=True)
    @given(st.integers(0, 2**32), st.floats(0, 500), st.lists(st.floats(-5000, 5000), max_size=3))
    def test_the_noise_stays_within_its_width(
        self, seed: int, noise_w: float, base_w: list[float]
    ) -> None:
        house = Household(Random(seed), base_load_w=base_w, base_noise_w=noise_w)
        for found_w, quiet_w in zip(house.contribution(), house.base_load_w, strict=True):
            self.assertLessEqual(abs(found_w - quiet_w), noise_w + 1e-6 if quiet_w > 0 else 0)
