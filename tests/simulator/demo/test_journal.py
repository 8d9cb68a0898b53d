"""What happens in the house, as lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.log import LONGEST
from simulator.dayprofile import HOUR_S, SUNRISE_S, SUNSET_S, Cloud, Day
from simulator.demo.journal import CLEAR, CLOUDY, NIGHT, Journal
from simulator.household import Load

NOON_S = 13 * HOUR_S
CLEAR_DAY = Day((), ())
CLOUDY_DAY = Day((), (Cloud(NOON_S, NOON_S + 600, 0.3),))


class Watching(SynchronousTestCase):
    def setUp(self) -> None:
        self.journal = Journal()
        self.loads = (Load("Kettle", 2000, "A"), Load("Drum", 300, "C"), Load("Lamp", 9, "B"))
        self.now = 100.0
        self.look()

    def look(self, day: Day = CLEAR_DAY, at_s: float = NOON_S) -> list[str]:
        """What is new."""
        before = len(self.journal.events)
        self.journal.look(self.loads, day, at_s, self.now)
        return [event.text for event in list(self.journal.events)[before:]]

    def switch(self, number: int, active: bool) -> list[str]:
        self.loads[number].active = active
        return self.look()

    def test_nothing_is_told_of_what_was_so_before(self) -> None:
        self.assertEqual(list(self.journal.events), [])

    def test_a_big_load_is_told_each_time(self) -> None:
        self.assertEqual(self.switch(0, True), ["Kettle on: 2000 W on A"])
        self.assertEqual(self.look(), [])
        self.assertEqual(self.switch(0, False), ["Kettle off"])
        self.assertEqual(self.switch(0, True), ["Kettle on: 2000 W on A"])

    def test_a_load_that_comes_and_goes_is_told_once(self) -> None:
        self.assertEqual(self.switch(1, True), ["Drum on: 300 W on C"])
        for _ in range(10):
            self.now += 6
            self.assertEqual(self.switch(1, not self.loads[1].active), [])
        self.now += 60
        self.switch(1, False)
        self.now += 60
        self.assertEqual(self.switch(1, True), ["Drum on: 300 W on C"])

    def test_a_lamp_is_no_event(self) -> None:
        self.assertEqual(self.switch(2, True), [])

    def test_clouds_come_and_go(self) -> None:
        self.assertEqual(self.look(CLOUDY_DAY, NOON_S - 1), [])
        self.assertEqual(self.look(CLOUDY_DAY, NOON_S + 60), ["a cloud before the sun"])
        self.assertEqual(self.journal.sky, CLOUDY)
        self.assertEqual(self.look(CLOUDY_DAY, NOON_S + 70), [])
        self.assertEqual(self.look(CLOUDY_DAY, NOON_S + 600), ["the sun is back"])
        self.assertEqual(self.journal.sky, CLEAR)

    def test_the_sun_sets_and_rises(self) -> None:
        self.assertEqual(self.look(at_s=SUNSET_S + 1), ["the sun has set"])
        self.assertEqual(self.journal.sky, NIGHT)
        self.assertEqual(self.look(at_s=SUNRISE_S + 60), ["the sun rises"])

    def test_it_is_bounded(self) -> None:
        for number in range(LONGEST + 50):
            self.journal.add(0.0, str(number))
        self.assertEqual(len(self.journal.events), LONGEST)
        self.assertEqual(self.journal.events[-1].text, str(LONGEST + 49))
