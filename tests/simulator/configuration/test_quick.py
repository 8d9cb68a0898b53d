"""Without a file: simulator.md section 3."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from simulator.configuration.durations import seconds_of
from simulator.configuration.quick import quick


class Quick(SynchronousTestCase):
    def test_one_phase(self) -> None:
        setup = quick()
        self.assertEqual([one.config.mac for one in setup.batteries], ["02B250000001"])
        self.assertEqual(setup.base_load_w, (300, 0, 0))
        self.assertEqual((setup.base_noise_w, setup.ct_mac), (20, "112233445566"))
        self.assertEqual((setup.solar_max_w, setup.solar_phases), (2000, ("A",)))
        found = [(one.name, one.power_w, one.phase) for one in setup.loads]
        self.assertEqual(
            found,
            [
                ("LED lights", 30, "A"),
                ("TV + entertainment", 80, "A"),
                ("Router + NAS", 40, "A"),
                ("Microwave", 800, "A"),
                ("Washing machine", 400, "A"),
            ],
        )

    def test_three_phases(self) -> None:
        setup = quick(5, 3)
        self.assertEqual("".join(one.config.phase for one in setup.batteries), "ABCAB")
        self.assertEqual(setup.base_load_w, (100, 100, 100))
        self.assertEqual(setup.solar_phases, ("A", "B", "C"))
        self.assertEqual("".join(one.phase for one in setup.loads), "ABAAB")

    def test_macs_count_in_hexadecimal(self) -> None:
        self.assertEqual(quick(16).batteries[-1].config.mac, "02B250000010")

    def test_none_and_fewer_are_no_batteries(self) -> None:
        self.assertEqual((quick(0).batteries, quick(-3).batteries), ((), ()))

    def test_base_load_and_state_of_charge(self) -> None:
        setup = quick(2, 3, (500, 300, 200), 0.8)
        self.assertEqual(setup.base_load_w, (500, 300, 200))
        self.assertEqual(setup.batteries[1].config.initial_soc, 0.8)

    def test_values_that_cannot_be(self) -> None:
        with self.assertRaisesRegex(ValueError, "initial_soc must be 0.0-1.0, got 1.2"):
            quick(soc=1.2)
        with self.assertRaisesRegex(ValueError, "at most 1000"):
            quick(1001)


class Durations(SynchronousTestCase):
    def test_as_people_write_them(self) -> None:
        for text, seconds in (("90", 90), ("90s", 90), ("1.5m", 90), ("2H", 7200), ("1d", 86400)):
            self.assertEqual(seconds_of(text), seconds)
        self.assertEqual(seconds_of(30), 30)

    def test_what_is_none(self) -> None:
        wrong = ("", "x", "-1s", "31d", "s", "nan", "1e99h", None, True, float("nan"), 10**400)
        for value in wrong:
            with self.assertRaises(ValueError):
                seconds_of(value)
