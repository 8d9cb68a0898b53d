"""The simulator's console without a terminal: keys, losses, errors, and how often it draws."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.base import LEAST_GAP_S
from astrameter.console.drawing.log import LONGEST
from astrameter.console.session import Role
from simulator.console.scene import POINTS
from simulator.control import (
    MAX,
    OFF,
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    GridStatus,
    Operation,
    OperationRefused,
    Refusal,
    SetOnline,
    SetSoc,
    SetSolar,
    SolarStatus,
    ToggleAuto,
    ToggleLoad,
)
from tests.simulator.console.rig import STATUS, FakeControl, Rig, battery

FIRST, SECOND = "02B250000001", "02B250000002"

KEYS: dict[str, Operation] = {
    **{str(number): ToggleLoad(number) for number in range(1, 9)},
    "9": SetSoc(FIRST, 1.0),
    "0": SetSoc(FIRST, 0.0),
    "up": ChangeSolar(100.0),
    "down": ChangeSolar(-100.0),
    "s": SetSolar(MAX),
    "S": SetSolar(OFF),
    "shift s": SetSolar(OFF),
    "left": ChangeSoc(FIRST, -0.1),
    "right": ChangeSoc(FIRST, 0.1),
    "p": ChangeMaxPower(FIRST, -100.0),
    "P": ChangeMaxPower(FIRST, 100.0),
    "shift p": ChangeMaxPower(FIRST, 100.0),
    "a": ToggleAuto(),
    " ": ToggleLoad(1),
    "enter": ToggleLoad(1),
    "o": SetOnline(FIRST, online=False),
}


class Keys(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()
        self.performed = self.rig.control.performed

    def test_a_load_that_does_not_exist_is_ignored(self) -> None:
        rig = Rig(FakeControl(replace(STATUS, loads=STATUS.loads[:2])))
        rig.press("3", "8", "2")
        self.assertEqual(rig.control.performed, [ToggleLoad(2)])

    def test_the_next_battery_is_selected_and_after_the_last_the_first(self) -> None:
        self.rig.press("b", "right")
        self.assertEqual(self.performed, [ChangeSoc(SECOND, 0.1)])
        self.assertIn("▸ 02B250000002", self.rig.text())
        self.rig.press("b", "b", "b", "9", "B", "0")
        self.assertEqual(self.performed[1:], [SetSoc(FIRST, 1.0), SetSoc("02B250000004", 0.0)])

    def test_loads_beyond_the_eighth_are_reached_with_the_cursor(self) -> None:
        self.assertNotIn("Vacuum cleaner", self.rig.text())
        self.rig.press("L")
        self.assertIn("▸  Vacuum cleaner", self.rig.text())
        self.rig.press(" ", "l", "enter", "page down", "page down", "page up", " ")
        self.assertEqual(self.performed, [ToggleLoad(9), ToggleLoad(1), ToggleLoad(2)])

    def test_the_cursor_follows_the_number_keys(self) -> None:
        self.rig.press("5", "enter")
        self.assertEqual(self.performed, [ToggleLoad(5), ToggleLoad(5)])

    def test_keys_pressed_fast_are_all_done_in_their_order(self) -> None:
        self.rig.press(*["up"] * 20, "down", *["left"] * 3)
        wanted = [ChangeSolar(100.0)] * 20 + [ChangeSolar(-100.0)] + [ChangeSoc(FIRST, -0.1)] * 3
        self.assertEqual(self.performed, wanted)

    def test_a_battery_that_is_offline_is_put_back(self) -> None:
        self.rig.control.tell(batteries=(battery(1, online=False),))
        self.rig.press("o")
        self.assertEqual(self.performed, [SetOnline(FIRST, online=True)])

    def test_without_batteries_and_loads_keys_are_harmless(self) -> None:
        rig = Rig(FakeControl(replace(STATUS, batteries=(), loads=())))
        rig.press("b", "B", "9", "left", "p", "o", "1", "l", "L", " ")
        self.assertEqual(rig.control.performed, [])
        self.assertEqual(rig.log[-1], "there is no battery")
        self.assertIn("no batteries", rig.text())
        self.assertIn("no loads", rig.text())

    def test_before_the_first_status_keys_are_harmless(self) -> None:
        rig = Rig(FakeControl(None))
        rig.press(*KEYS)
        self.assertIn("waiting for the simulation", rig.text())
        self.assertEqual([one for one in rig.control.performed if isinstance(one, SetSoc)], [])

    def test_unknown_keys_are_not_taken(self) -> None:
        for key in ("x", "f7", "meta a", "shift up"):
            self.assertFalse(self.rig.console.key(key))
        self.assertEqual(self.performed, [])

    def test_help_is_over_the_screen_until_the_next_key(self) -> None:
        self.rig.press("?")
        text = self.rig.text()
        for words in ("100 W more or less sun", "make it empty; full", "switch the selected load"):
            self.assertIn(words, text)
        self.rig.press("9")
        self.assertNotIn("make it empty; full", self.rig.text())
        self.assertEqual(self.performed, [])

    def test_it_ends_when_asked_to(self) -> None:
        for key in ("q", "Q", "ctrl c"):
            rig = Rig()
            self.assertNoResult(rig.console.finished)
            rig.press(key, key)
            self.assertIsNone(self.successResultOf(rig.console.finished))

    def test_ctrl_c_ends_it_from_the_help_too(self) -> None:
        self.rig.press("?", "ctrl c")
        self.assertIsNone(self.successResultOf(self.rig.console.finished))

    def test_who_may_only_look_changes_nothing_and_is_told(self) -> None:
        for key in KEYS:
            rig = Rig(role=Role.VIEW)
            self.assertTrue(rig.console.key(key))
            self.assertEqual(rig.control.performed, [], key)
            self.assertIn("you may only look", rig.log[-1])
            self.assertIn("you may only look", rig.text())
        rig = Rig(role=Role.VIEW)
        rig.press("b", "l")
        self.assertIn("▸ 02B250000002", rig.text())
        self.assertIn("looking only", rig.screen()[-1])
        rig.press("?")
        self.assertNotIn("auto mode on or off", rig.text())


def _key_test(key: str, wanted: Operation) -> None:
    def test(self: Keys) -> None:
        self.assertTrue(self.rig.console.key(key))
        self.assertEqual(self.performed, [wanted])

    setattr(Keys, f"test_key_{'space' if key == ' ' else key.replace(' ', '_')}", test)


for _key, _wanted in KEYS.items():
    _key_test(_key, _wanted)


class Losses(SynchronousTestCase):
    def test_a_lost_connection_is_shown_and_its_return_too(self) -> None:
        rig = Rig()
        rig.control.lose("http://localhost:8080: connection refused")
        rig.clock.advance(12)
        self.assertIn("NO CONNECTION for 0:12", rig.screen()[0])
        self.assertIn("connection refused", rig.text())
        self.assertIn("02B250000001", rig.text())
        rig.control.lose(None)
        self.assertNotIn("NO CONNECTION", rig.text())
        self.assertEqual(rig.log[-1], "connected again")

    def test_each_loss_is_told_once(self) -> None:
        rig = Rig()
        for _ in range(5):
            rig.control.lose("gone")
            rig.clock.advance(1)
        self.assertEqual(rig.log.count("gone"), 1)

    def test_the_plot_waits_while_there_is_no_connection(self) -> None:
        rig = Rig()
        rig.control.lose("gone")
        before = rig.text().count("⣿")
        for _ in range(20):
            rig.clock.advance(1)
        self.assertEqual(rig.text().count("⣿"), before)

    def test_trouble_before_the_first_status_is_shown(self) -> None:
        control = FakeControl(None)
        control.trouble = "http://localhost:8080: connection refused"
        self.assertIn("connection refused", Rig(control).text())

    def test_a_refused_operation_is_told(self) -> None:
        rig = Rig()
        rig.control.refusal = OperationRefused("Load index out of range: 8", Refusal.BAD_VALUE)
        rig.press("8")
        self.assertIn("Load index out of range: 8", rig.text())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_operation_that_fails_is_told_and_logged(self) -> None:
        rig = Rig()
        with patch.object(rig.control, "perform", lambda _one: fail(KeyError("something"))):
            rig.press("8")
        self.assertIn("something", rig.text())
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_key_that_fails_takes_nothing_down(self) -> None:
        rig = Rig()
        with patch.object(rig.control, "perform", side_effect=ZeroDivisionError("oh")):
            self.assertTrue(rig.console.key("a"))
        self.assertIn("that failed", rig.log[-1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_screen_that_cannot_be_drawn_says_so_and_takes_nothing_down(self) -> None:
        rig = Rig()
        with patch("simulator.console.app.draw", side_effect=ZeroDivisionError("oh")):
            for _ in range(3):
                self.assertIn("this cannot be drawn", rig.text())
                rig.console.changed()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        rig.console.changed()
        self.assertIn("02B250000001", rig.text())


class Log(SynchronousTestCase):
    def test_what_has_changed_is_told(self) -> None:
        rig = Rig()
        loads = tuple(replace(one, active=not one.active) for one in STATUS.loads[:2])
        rig.control.tell(
            auto_mode=False,
            loads=(*loads, *STATUS.loads[2:]),
            batteries=(
                battery(1, online=False),
                battery(2, meter_lost=True),
                battery(3, soc=1.0),
                battery(4, soc=0.0, max_charge_w=700, max_discharge_w=500, phase="A"),
            ),
        )
        for line in (
            "auto mode off",
            "LED lights on: 30 W on A",
            "Router + NAS off",
            "02B250000001 is offline",
            "02B250000002 gets no answer and gives up",
            "02B250000003 is full",
            "02B250000004 is empty",
            "02B250000004 is on phase A now",
            "02B250000004 takes at most 700 W, gives at most 500 W",
        ):
            self.assertIn(line, rig.log)
        rig.control.tell(STATUS)
        self.assertIn("02B250000001 is back", rig.log)
        self.assertIn("02B250000002 is answered again", rig.log)

    def test_the_first_answer_of_a_battery_is_told(self) -> None:
        rig = Rig(FakeControl(replace(STATUS, batteries=(battery(1, poll_age_s=None),))))
        rig.control.tell(STATUS)
        self.assertIn("02B250000001 is answered for the first time", rig.log)

    def test_a_sun_that_moves_has_one_line(self) -> None:
        rig = Rig()
        for watts in (900.0, 1000.0, 1100.0):
            rig.control.tell(solar=SolarStatus(watts, 5000, ("A",)))
        self.assertEqual(rig.log[1:], ["the sun: 1100 W"])

    def test_it_begins_with_what_there_is(self) -> None:
        self.assertEqual(Rig().log, ["4 batteries, 9 loads; the batteries ask 127.0.0.1:12345"])

    def test_log_and_history_are_bounded(self) -> None:
        rig = Rig()
        for number in range(3 * LONGEST):
            rig.control.tell(auto_mode=bool(number % 2))
        self.assertEqual(len(rig.console.events), LONGEST)
        for _ in range(POINTS + 10):
            rig.clock.advance(1)
        for trace in rig.console._trends.traces:
            self.assertEqual(len(trace.history.last(10 * POINTS)), POINTS)

    def test_what_others_say_cannot_command_the_terminal(self) -> None:
        rig = Rig()
        rig.control.refusal = OperationRefused("a\x1b[2Jb\nc" + "x" * 5000)
        rig.press("a")
        self.assertTrue(rig.log[-1].startswith("a?[2Jb c"))
        self.assertLessEqual(len(rig.log[-1]), 400)


class Drawing(SynchronousTestCase):
    def test_it_draws_only_when_something_has_changed(self) -> None:
        rig = Rig()
        rig.clock.advance(0)
        self.assertEqual(rig.drawn, 1)
        for _ in range(60):
            rig.clock.advance(1)
        self.assertEqual(rig.drawn, 1)
        rig.control.tell(elapsed_s=800.0)
        rig.clock.advance(0)
        self.assertEqual(rig.drawn, 2)

    def test_however_much_happens_it_draws_ten_times_a_second_at_most(self) -> None:
        rig = Rig()
        for number in range(200):
            rig.control.tell(elapsed_s=float(number))
            rig.press("b")
            rig.clock.advance(0.01)
        self.assertLessEqual(rig.drawn, 2 / LEAST_GAP_S + 2)
        self.assertGreater(rig.drawn, 10)

    def test_a_key_shows_at_once(self) -> None:
        rig = Rig()
        rig.clock.advance(0)
        rig.clock.advance(5)
        drawn = rig.drawn
        rig.press("b")
        rig.clock.advance(0)
        self.assertEqual(rig.drawn, drawn + 1)

    def test_it_leaves_nothing_behind(self) -> None:
        rig = Rig()
        rig.control.tell(elapsed_s=1.0)
        rig.console.stop()
        rig.console.stop()
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        self.assertEqual(rig.control.listeners, [])
        rig.press("b")
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_consoles_of_the_same_simulation_have_their_own_state(self) -> None:
        control = FakeControl()
        one, other = Rig(control), Rig(control)
        one.press("b")
        self.assertIn("▸ 02B250000002", one.text())
        self.assertIn("▸ 02B250000001", other.text(200, 60))

    def test_batteries_that_have_gone_cannot_stay_selected(self) -> None:
        rig = Rig()
        rig.press("B", "L")
        rig.control.tell(batteries=STATUS.batteries[:1], loads=STATUS.loads[:1])
        rig.press("9", " ")
        self.assertEqual(rig.control.performed, [SetSoc(FIRST, 1.0), ToggleLoad(1)])

    def test_the_plot_rolls(self) -> None:
        rig = Rig()
        rig.control.tell(grid=GridStatus(300.0, 0.0, 0.0, 300.0))
        for _ in range(30):
            rig.clock.advance(1)
        some = rig.text().count("⣿")
        for _ in range(30):
            rig.clock.advance(1)
        self.assertGreater(rig.text().count("⣿"), some)
