"""The appliance's console without a terminal: keys, prompts, losses, events."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.model import view_of
from astrameter.console.session import Role
from tests.astrameter.console.rig import STATUS, Rig, battery, status, with_batteries

FIRST, DEVICE = "02b250000001", "ct002-1"


def typed(text: str) -> list[str]:
    return list(text)


class Steering(SynchronousTestCase):
    """Every action asks first, and does what the question says."""

    def setUp(self) -> None:
        self.rig = Rig()
        self.changed = self.rig.link.changed

    def check(self, keys: list[str], question: str, verb: str, **args: Any) -> None:
        self.rig.press(*keys)
        self.assertIn(question, self.rig.screen()[-1])
        self.assertEqual(self.rig.link.changed, [])
        self.rig.press("y")
        self.assertEqual(self.rig.link.changed, [(verb, args)])
        self.assertIn("done", self.rig.log[-1])

    def test_a_manual_target(self) -> None:
        self.check(
            ["m", *typed("350"), "enter"],
            f"Let {FIRST} deliver 350 W from now on?",
            "set",
            battery=FIRST,
            device=DEVICE,
            manual_target=350.0,
            auto_target=False,
        )

    def test_a_manual_target_that_charges(self) -> None:
        self.check(
            ["m", *typed("-50"), "backspace", "backspace", *typed("80.5"), "enter"],
            f"Let {FIRST} charge with 80 W from now on?",
            "set",
            battery=FIRST,
            device=DEVICE,
            manual_target=-80.5,
            auto_target=False,
        )

    def test_auto(self) -> None:
        self.check(
            ["a"],
            f"Steer {FIRST} again?",
            "set",
            battery=FIRST,
            device=DEVICE,
            auto_target=True,
        )

    def test_pause(self) -> None:
        self.check(["p"], f"Pause {FIRST}?", "set", battery=FIRST, device=DEVICE, active=False)

    def test_the_end_of_a_pause(self) -> None:
        paused = battery(1, mode="inactive", settings={"active": False})
        self.rig.tell(with_batteries(paused))
        self.check(
            ["p"],
            f"Take {FIRST} in again?",
            "set",
            battery=FIRST,
            device=DEVICE,
            active=True,
        )

    def test_the_weight(self) -> None:
        self.check(
            ["w", *typed("2.5"), "enter"],
            f"Give {FIRST} the weight 2.5?",
            "set",
            battery=FIRST,
            device=DEVICE,
            distribution_weight=2.5,
        )

    def test_rotation(self) -> None:
        self.check(["r"], "Let another battery take the lead?", "rotate", device=DEVICE)

    def test_the_end_of_steering(self) -> None:
        self.check(
            ["c"],
            f"Stop steering and relay the meter at ct002 {DEVICE}?",
            "active_control",
            device=DEVICE,
            on=False,
        )

    def test_steering_again(self) -> None:
        self.rig.tell(with_batteries(battery(1), active_control=False))
        self.check(
            ["c"],
            f"Steer the batteries at ct002 {DEVICE}?",
            "active_control",
            device=DEVICE,
            on=True,
        )

    def test_only_y_is_a_yes(self) -> None:
        for answer in ("n", "enter", "esc", "q", " ", "p"):
            self.rig.press("p", answer)
            self.assertIn("nothing was changed", self.rig.log[-1])
            self.assertNotIn("Pause", self.rig.screen()[-1])
        self.assertEqual(self.rig.link.changed, [])
        self.assertNoResult(self.rig.console.finished)

    def test_nonsense_is_refused_before_it_is_sent(self) -> None:
        for keys, words in (
            (["m", *typed("--5"), "enter"], "'--5' is not a number of W"),
            (["m", *typed("99999"), "enter"], "'99999' is not a number of W"),
            (["w", *typed("11"), "enter"], "'11' is not a weight from 0 to 10"),
            (["w", *typed("-1"), "enter"], "'-1' is not a weight"),
            (["w", "enter"], "nothing was changed"),
            (["m", *typed("5"), "esc"], "nothing was changed"),
        ):
            self.rig.press(*keys)
            self.assertIn(words, self.rig.log[-1])
        self.assertEqual(self.rig.link.changed, [])

    def test_what_is_typed_is_always_seen(self) -> None:
        self.rig.press("m", *typed("-1234.5"), "x")
        for columns in (80, 40, 20):
            self.assertIn("-1234.5_", self.rig.screen(columns, 10)[-1])
        self.rig.press(*typed("0" * 50))
        self.assertIn("-1234.5000_", self.rig.screen()[-1])

    def test_the_question_stays_with_its_battery(self) -> None:
        self.rig.press("p")
        self.rig.tell(with_batteries(battery(2)))
        self.rig.press("y")
        self.assertEqual(self.rig.link.changed[0][1]["battery"], FIRST)

    def test_a_refusal_is_told(self) -> None:
        self.rig.link.refusal = "no battery '02b250000001' has asked; known: none"
        self.rig.press("p", "y")
        self.assertIn("no battery '02b250000001' has asked", self.rig.text())

    def test_a_battery_at_a_shelly_cannot_be_steered(self) -> None:
        self.rig.tell(with_batteries(battery(1, mode="")))
        for key in "mapwr":
            self.rig.press(key)
            self.assertIn("steer themselves", self.rig.log[-1])
        self.assertNotIn("y yes", self.rig.screen()[-1])

    def test_without_batteries_and_cts_keys_are_harmless(self) -> None:
        rig = Rig(status(devices=[]))
        rig.press(*"mapwrcbe", "up", "down", "enter", "esc")
        self.assertEqual(rig.link.asked, [])
        self.assertIn("there is no CT that could steer", rig.log)

    def test_before_the_first_status_keys_are_harmless(self) -> None:
        rig = Rig(None)
        rig.press(*"mapwrcbe")
        self.assertEqual(rig.link.asked, [])
        self.assertIn("waiting for the daemon", rig.text())

    def test_who_may_only_look_is_asked_nothing(self) -> None:
        rig = Rig(role=Role.VIEW)
        for key in "mapwrcMAPWRC":
            rig.press(key)
            self.assertIn("you may only look", rig.log[-1])
            self.assertNotIn("y yes", rig.screen()[-1])
            rig.press("y")
        self.assertEqual(rig.link.changed, [])
        self.assertIn("looking only", rig.screen()[-1])


class Looking(SynchronousTestCase):
    def test_batteries_are_selected_in_both_directions(self) -> None:
        rig = Rig()
        self.assertIn(f"▸ {FIRST}", rig.text())
        for keys, number in ((["down"], 2), (["b"], 3), (["down"], 1), (["up"], 3), (["B"], 2)):
            rig.press(*keys)
            self.assertIn(f"▸ 02b25000000{number}", rig.text())

    def test_the_selected_battery_stays_selected_when_others_come_and_go(self) -> None:
        rig = Rig()
        rig.press("b", "b")
        rig.tell(with_batteries(battery(3), battery(4)))
        self.assertIn("▸ 02b250000003", rig.text())
        rig.tell(with_batteries())
        rig.tell(STATUS)
        self.assertIn("▸ 02b250000003", rig.text())

    def test_the_explanation_of_the_selected_battery_is_asked_for(self) -> None:
        rig = Rig()
        self.assertEqual(rig.link.asked, [("explain", {"battery": FIRST, "device": DEVICE})])
        self.assertIn("It charges with 300 W.", rig.text())
        rig.press("b")
        self.assertEqual(rig.link.asked[-1][1]["battery"], "02b250000002")

    def test_the_full_explanation_has_the_last_answers(self) -> None:
        for key in ("e", "enter"):
            rig = Rig()
            rig.press(key)
            text = rig.text()
            for part in (
                f"Why {FIRST}",
                "the last answers",
                "1.5 s    +144    +500    +150    -300    +450    +150  the gentle start",
            ):
                self.assertIn(part, text)
            rig.press("esc")
            self.assertNotIn("the last answers", rig.text())
            rig.press("esc")
            self.assertNotIn("the last answers", rig.text())

    def test_an_explanation_that_cannot_be_had_is_told(self) -> None:
        rig = Rig(None)
        rig.link.refusal = "the daemon has not answered for 10 s"
        rig.tell(STATUS)
        self.assertIn("the daemon has not answered", rig.text())

    def test_odd_explanations_are_harmless(self) -> None:
        odd: Any
        for odd in ({}, {"batteries": []}, {"batteries": [3]}, {"batteries": [{"why": 5}]}):
            rig = Rig(None)
            rig.link.why = odd
            rig.tell(STATUS)
            rig.press("e")
            self.assertIn("AstraMeter", rig.text())

    def test_help_tells_every_key(self) -> None:
        rig = Rig()
        rig.press("?")
        for words in ("let another battery take the lead", "its part of the work", "leave"):
            self.assertIn(words, rig.text())

    def test_it_ends_when_asked_to(self) -> None:
        for keys in (["q"], ["ctrl c"], ["m", "ctrl c"], ["p", "ctrl c"], ["?", "ctrl c"]):
            rig = Rig()
            rig.press(*keys)
            self.assertIsNone(self.successResultOf(rig.console.finished))

    def test_it_leaves_nothing_behind(self) -> None:
        rig = Rig()
        rig.console.stop()
        rig.console.stop()
        self.assertEqual((rig.link.started, rig.link.stopped), (1, 1))
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_it_holds_nothing_before_its_start(self) -> None:
        rig = Rig(None)
        rig.console.stop()
        self.assertEqual(rig.link.started, 1)

    def test_a_status_is_drawn_once_with_its_explanation(self) -> None:
        rig = Rig()
        rig.clock.advance(0.5)
        drawn = rig.drawn
        rig.tell(STATUS)
        for _ in range(9):
            rig.clock.advance(0.1)
        self.assertEqual(rig.drawn, drawn + 1)

    def test_ages_go_on_when_nothing_new_comes(self) -> None:
        rig = Rig()
        for _ in range(30):
            rig.clock.advance(1)
        self.assertIn("30 s", rig.text())
        self.assertTrue(25 <= rig.drawn <= 32, rig.drawn)


class Losses(SynchronousTestCase):
    def test_a_lost_connection_is_shown_and_its_return_too(self) -> None:
        rig = Rig()
        rig.link.state("the daemon has closed the connection")
        for _ in range(75):
            rig.clock.advance(1)
        self.assertIn("NO CONNECTION for 1:15", rig.screen()[0])
        self.assertIn(FIRST, rig.text())
        self.assertIn("75 s", rig.text())  # the ages go on
        rig.link.state("no daemon listens at /run/x")
        self.assertNotIn("no daemon listens", rig.text())  # the loss was told already
        rig.link.state(None)
        self.assertNotIn("NO CONNECTION", rig.text())
        self.assertEqual(rig.log[-1], "connected again")

    def test_trouble_before_the_first_status_is_shown(self) -> None:
        rig = Rig(None)
        rig.link.state("no daemon listens at /run/astrameter/control.sock")
        self.assertIn("no daemon listens at /run/astrameter/control.sock", rig.text())

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda one: (
                st.lists(one, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["meters", "devices", "batteries", "id", "watts", "port"]),
                    one,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_whatever_a_daemon_says_is_harmless(self, said: Any) -> None:
        document = said if isinstance(said, dict) else {"devices": said, "meters": said}
        view_of(document)
        rig = Rig(document)
        self.assertNotIn("cannot be drawn", rig.text())
        self.assertNotIn("cannot be drawn", rig.text(200, 60))


class Events(SynchronousTestCase):
    def test_events_of_the_daemon_are_told(self) -> None:
        rig = Rig()
        for name, data, line in (
            ("meter_changed", {"section": "X", "error": "gone"}, "the meter [X] fails: gone"),
            ("meter_changed", {"section": "X", "error": None}, "the meter [X] works again"),
            (
                "meter_switched",
                {"before": "X", "after": "Y", "why": "gone"},
                "[Y] is used instead of [X]: gone",
            ),
            (
                "meters_disagree",
                {"used": "X", "other": "Y", "difference_w": 123.4},
                "[Y] shows 123 W more than [X]",
            ),
            (
                "failsafe_changed",
                {"device_id": "d", "section": "X", "stage": "hold"},
                "batteries at d are told to stay: the meter [X] fails",
            ),
            (
                "failsafe_changed",
                {"device_id": "d", "section": "X", "stage": None},
                "the meter [X] is back: d steers as usual",
            ),
            (
                "battery_removed",
                {"device_id": "d", "consumer_id": FIRST},
                f"{FIRST} is silent and was left out",
            ),
            (
                "battery_removed",
                {"device_id": "d", "battery_ip": "10.0.0.1"},
                "10.0.0.1 is silent and was left out",
            ),
        ):
            rig.link.told(name, data)
            self.assertEqual(rig.log[-1], line)
        count = len(rig.log)
        rig.link.told("decision", {})
        rig.link.told("meter_changed", {})
        self.assertEqual(len(rig.log), count + 1)

    def test_what_others_change_is_told(self) -> None:
        rig = Rig()
        self.assertEqual(rig.log, ["AstraMeter 3.1: ct002 on port 12345; 2 meters"])
        manual = {"auto_target": False, "manual_target": -500.0}
        rig.tell(
            with_batteries(
                battery(1, settings=manual),
                battery(2, settings={"active": False}, alive=False),
                battery(3, settings={"distribution_weight": 2.0}, phase="A"),
                battery(4),
                active_control=False,
            )
        )
        for line in (
            "02b250000001 is set to -500 W by hand",
            "02b250000002 is paused",
            "02b250000002 has not asked for longer than usual",
            "02b250000003 has the weight 2",
            "02b250000003 is on phase A",
            "02b250000004 (HMG-50) asks on phase A",
            "ct002 ct002-1: active control off: the meter is relayed",
        ):
            self.assertIn(line, rig.log)
        rig.tell(STATUS)
        self.assertIn("02b250000001 is steered", rig.log)
        self.assertIn("02b250000002 is active again", rig.log)
        self.assertIn("ct002 ct002-1: active control on", rig.log)

    def test_a_target_that_is_changed_while_steered_is_no_news(self) -> None:
        rig = Rig()
        count = len(rig.log)
        rig.tell(
            with_batteries(battery(1, settings={"manual_target": 5.0}), battery(2), battery(3))
        )
        self.assertEqual(len(rig.log), count)
