"""What repeated reads say about a meter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.doctor import meters
from astrameter.doctor.findings import Finding
from astrameter.doctor.meters import Read, Watched, refresh_s
from astrameter.meters.options import MeterOptions
from tests.astrameter.doctor.rig import brief


def polled(
    values: Sequence[Sequence[float]], took_s: float = 0.02, every_s: float = 1.0, **options: Any
) -> Watched:
    """A meter that was asked again and again."""
    reads = [
        Read(i * every_s + took_s, tuple(v), i * every_s + took_s) for i, v in enumerate(values)
    ]
    times = [took_s] * len(reads)
    return Watched("METER", False, MeterOptions(**options), 0.0, reads, times)


def pushed(times: Sequence[float], until: float = 20.0, **options: Any) -> Watched:
    """A meter that sent something else at each of ``times``, and was looked at all the time."""
    reads = []
    for quarter in range(int(times[0] * 4), int(until * 4) + 1):
        now = quarter / 4
        last = max(at for at in times if at <= now)
        reads.append(Read(now, (100.0 + last,), last))
    return Watched("METER", True, MeterOptions(**options), options.pop("max_age_s", 0.0), reads)


def failing(good: int, bad: int) -> Watched:
    reads = [Read(float(i), (100.0 + i,), float(i)) for i in range(good)]
    error = Read(99.0, error="it did not answer within 2 s", kind="timeout")
    return Watched("METER", False, MeterOptions(), 0.0, [*reads, *[error] * bad])


LIVELY = [[450.0 + i, -20.0, 33.0] for i in range(20)]


class Case(SynchronousTestCase):
    def said(self, watched: Watched) -> list[tuple[str, str]]:
        return brief(self.findings(watched))

    def findings(self, watched: Watched) -> list[Finding]:
        return list(meters.judge(watched))

    def find(self, watched: Watched, words: str) -> tuple[str, str]:
        """The only finding with these words."""
        found = [one for one in self.said(watched) if words in one[1]]
        self.assertEqual(len(found), 1, self.said(watched))
        return found[0]

    def assert_silent(self, watched: Watched, words: str) -> None:
        self.assertNotIn(words, " ".join(text for _, text in self.said(watched)))


class Working(Case):
    def test_a_good_meter_with_speed_phases_and_sign(self) -> None:
        said = self.said(polled(LIVELY))
        self.assertEqual([severity for severity, _ in said], ["ok", "note"])
        self.assertEqual(
            said[0][1],
            "[METER]: answers in 20 ms (20 ms to 20 ms); 3 phases: A 469 W, B -20 W, C 33 W",
        )
        self.assertIn("the house takes 482 W from the grid", said[1][1])
        self.assertIn("If it feeds in at this moment, set POWER_MULTIPLIER = -1", said[1][1])

    def test_one_value_is_shown_as_phase_a(self) -> None:
        watched = polled([[100.0 + i] for i in range(9)])
        self.assertIn("one value, shown as phase A: 108 W", self.said(watched)[0][1])

    def test_the_median_does_not_follow_one_slow_answer(self) -> None:
        watched = polled(LIVELY)
        said = self.said(replace(watched, times=[*watched.times, 1.9]))
        self.assertIn("answers in 20 ms (20 ms to 1900 ms)", said[0][1])

    def test_a_meter_that_was_never_read_alone_has_no_speed(self) -> None:
        said = self.said(replace(polled(LIVELY), times=[]))
        self.assertIn("[METER]: answers; 3 phases", said[0][1])

    def test_the_multiplier_is_in_what_is_shown(self) -> None:
        watched = polled([[-100.0 - i] for i in range(9)], power_multiplier=(-1.0,))
        said = self.said(watched)
        self.assertIn("takes 108 W from the grid", said[1][1])
        self.assertIn("change the sign of POWER_MULTIPLIER", said[1][1])


class Failing(Case):
    def test_a_dead_meter_with_its_error_and_a_mend(self) -> None:
        severity, text = self.said(failing(0, 3))[0]
        self.assertEqual(severity, "problem")
        self.assertIn("cannot be read: it did not answer within 2 s", text)
        self.assertIn("Wi-Fi", text)
        self.assertEqual(len(self.said(failing(0, 3))), 1)

    def test_nothing_but_a_hurry(self) -> None:
        watched = Watched("METER", True, MeterOptions(), 0.0, [])
        self.assertEqual(self.said(watched)[0][0], "problem")

    def test_some_failures_are_a_warning_and_few_a_note(self) -> None:
        self.assertEqual(self.find(failing(10, 5), "5 of 15 reads failed")[0], "warn")
        self.assertEqual(self.find(failing(19, 1), "1 of 20 reads failed")[0], "note")

    def test_a_reading_beyond_max_age_has_failed(self) -> None:
        reads = [Read(400.0 + i, (5.0,), 20.0) for i in range(3)]
        watched = Watched("METER", True, MeterOptions(), 360.0, reads)
        self.assertEqual(self.find(watched, "more than MAX_AGE (360 s)")[0], "problem")
        watched = Watched("METER", True, MeterOptions(), 0.0, reads)
        self.assert_silent(watched, "MAX_AGE")


class Speed(Case):
    def test_a_fast_meter_is_not_blamed(self) -> None:
        self.assert_silent(polled(LIVELY, 0.4), "to answer")

    def test_a_slow_one_is_noted_and_a_very_slow_one_warned_of(self) -> None:
        self.assertEqual(self.find(polled(LIVELY, 0.7), "takes 0.7 s to answer")[0], "note")
        self.assertEqual(self.find(polled(LIVELY, 1.4), "takes 1.4 s to answer")[0], "warn")

    def test_values_that_change_seldom_suggest_a_throttle(self) -> None:
        watched = polled([[100.0 + i // 5] for i in range(20)])
        self.assertEqual(refresh_s(watched), 5.0)
        severity, text = self.find(watched, "shows a new value only every 5 s")
        self.assertEqual(severity, "note")
        self.assertIn("THROTTLE_INTERVAL = 5 ", text)

    def test_who_throttles_already_is_not_told_to(self) -> None:
        watched = polled([[100.0 + i // 5] for i in range(20)], throttle_interval=5.0)
        self.assert_silent(watched, "THROTTLE_INTERVAL")

    def test_values_that_change_with_each_read_do_not(self) -> None:
        self.assert_silent(polled(LIVELY), "new value only")

    def test_two_changes_are_too_few_to_tell(self) -> None:
        self.assertIsNone(refresh_s(polled([[100.0], [101.0], [101.0], [102.0]])))


class Pushing(Case):
    def test_one_that_sends_every_second_is_fine(self) -> None:
        watched = pushed([float(i) for i in range(21)])
        said = self.said(watched)
        self.assertEqual([severity for severity, _ in said], ["ok", "ok", "note"])
        self.assertIn("sends; one value", said[0][1])
        self.assertIn("sends every 1.0 s", said[1][1])

    def test_a_slow_one_must_not_be_waited_for(self) -> None:
        severity, text = self.find(pushed([0.0, 10.0, 20.0]), "sends every 10.0 s")
        self.assertEqual(severity, "warn")
        self.assertIn("each poll waits 2 s", text)
        self.assertIn("Set WAIT_FOR_NEXT_MESSAGE = no", text)

    def test_a_slow_one_that_is_not_waited_for_is_only_noted(self) -> None:
        watched = pushed([0.0, 10.0, 20.0], wait_for_next_message=False)
        self.assertEqual(self.find(watched, "sends every 10.0 s")[0], "note")
        self.assert_silent(watched, "WAIT_FOR_NEXT_MESSAGE")

    def test_a_fast_one_could_be_waited_for(self) -> None:
        watched = pushed([float(i) for i in range(21)], wait_for_next_message=False)
        severity, text = self.find(watched, "sends every 1.0 s")
        self.assertEqual(severity, "note")
        self.assertIn("WAIT_FOR_NEXT_MESSAGE = yes", text)

    def test_one_that_sent_nothing_new_is_a_warning(self) -> None:
        severity, text = self.find(pushed([0.0]), "has sent nothing new for 20 s")
        self.assertEqual(severity, "warn")
        self.assertIn("one the broker kept", text)

    def test_a_short_look_is_no_reason(self) -> None:
        self.assert_silent(pushed([0.0], until=5.0), "nothing new")


class Values(Case):
    def test_export_is_said_in_words(self) -> None:
        watched = polled([[-300.0 - i] for i in range(9)])
        _, text = self.find(watched, "the house feeds 308 W into the grid")
        self.assertIn("If it takes power at this moment, set POWER_MULTIPLIER = -1", text)

    def test_exactly_nothing_is_a_warning(self) -> None:
        severity, text = self.find(polled([[0.0, 0.0, 0.0]] * 5), "says exactly 0 W")
        self.assertEqual(severity, "warn")
        self.assertIn("clamps", text)
        self.assertEqual(len(self.said(polled([[0.0]] * 5))), 2)

    def test_a_dead_phase_is_noted(self) -> None:
        watched = polled([[100.0 + i, 0.0, 50.0] for i in range(9)])
        self.assertEqual(self.find(watched, "exactly 0 W on phase B all the time")[0], "note")

    def test_a_phase_that_is_zero_once_is_not(self) -> None:
        watched = polled([[100.0 + i, float(i), 50.0] for i in range(9)])
        self.assert_silent(watched, "exactly 0 W")

    def test_a_clamp_that_may_sit_backwards(self) -> None:
        watched = polled([[500.0 + i, -200.0, 50.0] for i in range(9)])
        severity, text = self.find(watched, "phase B feeds in while the house takes power")
        self.assertEqual(severity, "note")
        self.assertIn("set POWER_MULTIPLIER = 1, -1, 1", text)

    def test_feeding_in_on_all_phases_is_no_backward_clamp(self) -> None:
        watched = polled([[-500.0 - i, -200.0, -50.0] for i in range(9)])
        self.assert_silent(watched, "feeds in while")

    def test_a_house_never_draws_that_much(self) -> None:
        watched = polled([[463000.0 + i] for i in range(9)])
        severity, text = self.find(watched, "more than a house connection carries")
        self.assertEqual(severity, "warn")
        self.assertIn("set POWER_MULTIPLIER = 0.001", text)

    def test_kilowatts(self) -> None:
        watched = polled([[0.463 + i / 1000] for i in range(9)])
        severity, text = self.find(watched, "small numbers with fractions")
        self.assertEqual(severity, "note")
        self.assertIn("set POWER_MULTIPLIER = 1000", text)

    def test_a_scaled_meter_is_told_to_change_its_scale(self) -> None:
        watched = polled([[463000.0 + i] for i in range(9)], power_multiplier=(1.0,))
        self.find(watched, "multiply POWER_MULTIPLIER by 0.001")

    def test_whole_watts_near_zero_are_no_kilowatts(self) -> None:
        self.assert_silent(polled([[5.0 + i] for i in range(9)]), "small numbers")

    def test_a_value_that_never_changes_is_noted(self) -> None:
        severity, text = self.find(polled([[463.0]] * 20), "did not change at all for 19 s")
        self.assertEqual(severity, "note")
        self.assertIn("Switch something big on", text)

    def test_odd_numbers_of_values(self) -> None:
        for count, severity in ((0, "problem"), (2, "warn"), (4, "warn")):
            watched = polled([[100.0 + i] * count for i in range(9)])
            self.assertEqual(self.find(watched, f"delivers {count} values")[0], severity)
