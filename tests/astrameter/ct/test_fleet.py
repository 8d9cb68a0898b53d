"""Who polls: expiry, cadence, duplicates, bounds (ct-protocol.md sections 5, 9.4, 12, 14)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.fleet import MAX_CONSUMERS, Consumer, Fleet
from astrameter.ct.request import Request
from astrameter.ct.settings import SettingError
from astrameter.steering.interface import Mode

T0 = 1000.0


def a_request(phase: str = "A", power_w: int = 0, participates: bool = True) -> Request:
    return Request("HMG-50", "AA", "HME-4", "11", phase, power_w, participates)


class Case(SynchronousTestCase):
    def fleet(self, ttl_s: float | None = None, dedupe_s: float = 0.0) -> Fleet:
        self.gone: list[str] = []
        return Fleet(ttl_s, dedupe_s, self.gone.append)

    def poll(self, fleet: Fleet, consumer_id: str, at: float, **said: Any) -> Consumer:
        consumer = fleet.report(consumer_id, a_request(**said), "192.168.1.50", at)
        assert consumer is not None
        return consumer

    def alive(self, fleet: Fleet, at: float) -> list[str]:
        return [consumer.consumer_id for consumer in fleet.alive(at)]


class Reports(Case):
    def test_a_report_is_kept(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "b", T0, phase="C", power_w=-80, participates=False)
        consumer = fleet.get("b")
        assert consumer is not None
        self.assertEqual(
            (consumer.device_type, consumer.phase, consumer.power_w, consumer.participates),
            ("HMG-50", "C", -80, False),
        )
        self.assertEqual((consumer.reported_at, consumer.ip), (T0, "192.168.1.50"))

    def test_a_later_address_replaces_the_earlier_one(self) -> None:
        fleet = self.fleet()
        first = self.poll(fleet, "b", T0)
        again = fleet.report("b", a_request(), "192.168.1.77", T0 + 1)
        self.assertIs(first, again)
        self.assertEqual(first.ip, "192.168.1.77")
        self.assertEqual(len(fleet), 1)

    def test_a_battery_may_change_its_phase_at_any_poll(self) -> None:
        fleet = self.fleet()
        consumer = self.poll(fleet, "b", T0, phase="A")
        self.poll(fleet, "b", T0 + 1, phase="B")
        self.assertEqual(consumer.phase, "B")

    def test_a_battery_that_opts_out_is_inactive_until_it_opts_in(self) -> None:
        fleet = self.fleet()
        consumer = self.poll(fleet, "b", T0, participates=False)
        self.assertIs(consumer.mode, Mode.INACTIVE)
        self.poll(fleet, "b", T0 + 1)
        self.assertIs(consumer.mode, Mode.AUTO)


class Cadence(Case):
    def intervals(self, *gaps_s: float) -> list[float | None]:
        fleet = self.fleet()
        at = T0
        consumer = self.poll(fleet, "b", at)
        found = [consumer.poll_interval_s]
        for gap_s in gaps_s:
            at += gap_s
            self.poll(fleet, "b", at)
            found.append(consumer.poll_interval_s)
        return found

    def test_it_is_unknown_until_the_second_poll(self) -> None:
        self.assertEqual(self.intervals(), [None])

    def test_the_second_poll_sets_it_and_the_following_ones_are_smoothed(self) -> None:
        self.assertEqual(self.intervals(4, 14), [None, 4.0, 7.0])

    def test_it_is_rounded_to_tenths_at_every_step(self) -> None:
        # Rounded at the end only it would be 1.2, 1.2, 1.3, 1.3.
        self.assertEqual(self.intervals(1.25, 1.0, 1.5, 1.5), [None, 1.2, 1.1, 1.2, 1.3])

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
    def test_it_stays_between_the_shortest_and_the_longest_gap(self, gaps_s: list[float]) -> None:
        last = self.intervals(*gaps_s)[-1]
        assert last is not None
        self.assertGreaterEqual(last, min(gaps_s) - 0.11)
        self.assertLessEqual(last, max(gaps_s) + 0.11)


class Expiry(Case):
    def assert_window(self, fleet: Fleet, consumer_id: str, last: float, window_s: float) -> None:
        """Alive at exactly the window, expired just after it."""
        self.assertIn(consumer_id, self.alive(fleet, last + window_s))
        self.assertNotIn(consumer_id, self.alive(fleet, last + window_s + 0.001))

    def test_a_single_poll_counts_for_thirty_seconds(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "b", T0)
        self.assert_window(fleet, "b", T0, 30.0)

    def test_a_known_cadence_counts_for_twice_as_long(self) -> None:
        fleet = self.fleet()
        for at in (T0, T0 + 4, T0 + 18):
            self.poll(fleet, "b", at)
        self.assert_window(fleet, "b", T0 + 18, 14.0)

    def test_a_fast_battery_has_five_seconds_at_least(self) -> None:
        fleet = self.fleet()
        for at in (T0, T0 + 0.5):
            self.poll(fleet, "b", at)
        self.assert_window(fleet, "b", T0 + 0.5, 5.0)

    def test_a_fixed_time_replaces_the_adaptive_one(self) -> None:
        fleet = self.fleet(ttl_s=120)
        self.poll(fleet, "b", T0)
        self.assert_window(fleet, "b", T0, 120)
        self.poll(fleet, "b", T0 + 1)
        self.assert_window(fleet, "b", T0 + 1, 120)

    def test_another_time_applies_to_those_who_are_known(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "b", T0)
        fleet.configure(10, 0.0)
        self.assert_window(fleet, "b", T0, 10)
        fleet.configure(None, 0.0)
        self.assert_window(fleet, "b", T0, 30)

    def test_with_a_time_of_zero_only_the_asking_battery_counts(self) -> None:
        fleet = self.fleet(ttl_s=0)
        self.poll(fleet, "a", T0)
        self.poll(fleet, "b", T0 + 0.1)
        self.assertEqual(self.alive(fleet, T0 + 0.1), ["b"])

    def test_whoever_waits_for_a_slow_meter_counts(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "b", T0).waiting = True
        self.assertEqual(self.alive(fleet, T0 + 500), ["b"])

    def test_a_sweep_forgets_the_expired_and_nobody_else(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "old", T0)
        self.poll(fleet, "new", T0 + 1)
        self.assertEqual(fleet.sweep(T0 + 30), [])
        self.assertEqual(fleet.sweep(T0 + 30.5), ["old"])
        self.assertEqual(self.gone, ["old"])
        self.assertIsNone(fleet.get("old"))
        self.assertEqual([c.consumer_id for c in fleet], ["new"])

    def test_a_sweep_skips_whoever_waits_for_a_slow_meter(self) -> None:
        fleet = self.fleet()
        consumer = self.poll(fleet, "b", T0)
        consumer.waiting = True
        self.assertEqual(fleet.sweep(T0 + 500), [])
        consumer.waiting = False
        self.assertEqual(fleet.sweep(T0 + 500), ["b"])

    def test_a_battery_that_returns_starts_with_an_unknown_cadence(self) -> None:
        fleet = self.fleet()
        for at in (T0, T0 + 1):
            self.poll(fleet, "b", at)
        fleet.sweep(T0 + 100)
        self.assertIsNone(self.poll(fleet, "b", T0 + 101).poll_interval_s)
        self.assert_window(fleet, "b", T0 + 101, 30)


class Duplicates(Case):
    def test_without_a_window_nothing_is_a_duplicate(self) -> None:
        for dedupe_s in (0.0, -1.0):
            fleet = self.fleet(dedupe_s=dedupe_s)
            self.assertFalse(fleet.is_duplicate("b", T0))
            self.assertFalse(fleet.is_duplicate("b", T0))

    def test_the_window_ends_exactly_after_its_time(self) -> None:
        fleet = self.fleet(dedupe_s=0.5)
        self.assertFalse(fleet.is_duplicate("b", T0))
        self.assertTrue(fleet.is_duplicate("b", T0 + 0.499))
        self.assertFalse(fleet.is_duplicate("b", T0 + 0.5))

    def test_an_ignored_poll_does_not_extend_the_window(self) -> None:
        fleet = self.fleet(dedupe_s=1.0)
        answered = [not fleet.is_duplicate("b", T0 + i / 4) for i in range(9)]
        self.assertEqual(answered, [True, False, False, False] * 2 + [True])

    def test_each_battery_has_its_own_window(self) -> None:
        fleet = self.fleet(dedupe_s=1.0)
        self.assertFalse(fleet.is_duplicate("a", T0))
        self.assertFalse(fleet.is_duplicate("b", T0))

    def test_a_window_longer_than_the_expiry_is_kept(self) -> None:
        fleet = self.fleet(ttl_s=2, dedupe_s=60.0)
        fleet.is_duplicate("b", T0)
        fleet.sweep(T0 + 59)
        self.assertTrue(fleet.is_duplicate("b", T0 + 59))

    def test_a_sweep_forgets_old_marks(self) -> None:
        fleet = self.fleet(dedupe_s=1.0)
        for number in range(50):
            fleet.is_duplicate(str(number), T0)
        fleet.sweep(T0 + 31)
        self.assertEqual(len(fleet._accepted_at), 0)

    def test_the_memory_is_bounded_and_the_oldest_mark_goes_first(self) -> None:
        fleet = self.fleet(dedupe_s=60.0)
        for number in range(5000):
            fleet.is_duplicate(str(number), T0 + number / 1000)
        self.assertLessEqual(len(fleet._accepted_at), 1024)
        self.assertTrue(fleet.is_duplicate("4999", T0 + 5))
        self.assertFalse(fleet.is_duplicate("0", T0 + 5))


class Bounds(Case):
    def full(self, established: int) -> Fleet:
        """A full table; the first ``established`` batteries have polled more than once."""
        fleet = self.fleet()
        for number in range(MAX_CONSUMERS):
            self.poll(fleet, f"{number}", T0 + number / 1000)
        for number in range(established):
            self.poll(fleet, f"{number}", T0 + 1 + number / 1000)
        return fleet

    def test_the_oldest_of_those_seen_once_makes_room(self) -> None:
        fleet = self.full(established=200)
        self.poll(fleet, "new", T0 + 2)
        self.assertEqual(len(fleet), MAX_CONSUMERS)
        self.assertEqual(self.gone, ["200"])

    def test_a_flood_of_names_never_pushes_out_an_established_battery(self) -> None:
        fleet = self.full(established=MAX_CONSUMERS - 1)
        for number in range(1000):
            self.poll(fleet, f"flood {number}", T0 + 2 + number / 1000)
        known = {consumer.consumer_id for consumer in fleet}
        self.assertLessEqual({str(i) for i in range(MAX_CONSUMERS - 1)}, known)
        self.assertEqual(len(fleet), MAX_CONSUMERS)

    def test_a_table_full_of_established_batteries_takes_no_more(self) -> None:
        fleet = self.full(established=MAX_CONSUMERS)
        self.assertIsNone(fleet.report("new", a_request(), "10.0.0.1", T0 + 2))
        self.assertEqual(self.gone, [])
        self.poll(fleet, "7", T0 + 2)

    def test_an_established_battery_that_has_expired_makes_room(self) -> None:
        fleet = self.full(established=MAX_CONSUMERS)
        for number in range(1, MAX_CONSUMERS):
            self.poll(fleet, f"{number}", T0 + 6)
        self.poll(fleet, "new", T0 + 6.5)
        self.assertEqual(self.gone, ["0"])

    def test_whoever_waits_for_a_slow_meter_does_not_make_room(self) -> None:
        fleet = self.full(established=0)
        for consumer in fleet:
            consumer.waiting = consumer.consumer_id != "77"
        self.poll(fleet, "new", T0 + 2)
        self.assertEqual(self.gone, ["77"])

    def test_remembered_settings_are_bounded(self) -> None:
        fleet = self.fleet()
        for number in range(5000):
            fleet.change_setting(str(number), "manual_target", number)
        self.assertLessEqual(len(fleet._settings), 1024)
        self.assertEqual(fleet.settings_of("4999").manual_target, 4999)


class OwnersSettings(Case):
    def test_they_apply_to_a_battery_at_once(self) -> None:
        fleet = self.fleet()
        consumer = self.poll(fleet, "b", T0)
        for name, value in (
            ("auto_target", False),
            ("manual_target", 300),
            ("distribution_weight", 2.5),
            ("min_dc_output", 80),
        ):
            fleet.change_setting("b", name, value)
        self.assertIs(consumer.mode, Mode.MANUAL)
        self.assertEqual(
            (consumer.manual_target_w, consumer.weight, consumer.min_output_w), (300, 2.5, 80)
        )
        fleet.change_setting("b", "active", False)
        self.assertIs(consumer.mode, Mode.INACTIVE)

    def test_settings_of_batteries_that_do_not_exist_push_out_none_that_do(self) -> None:
        fleet = self.fleet()
        fleet.change_setting("b", "active", False)
        self.poll(fleet, "b", T0)
        for number in range(3000):
            fleet.change_setting(f"invented {number}", "active", False)
        self.assertFalse(fleet.settings_of("b").active)
        self.assertTrue(fleet.settings_of("invented 0").active)

    def test_all_six_survive_eviction(self) -> None:
        fleet = self.fleet()
        self.poll(fleet, "b", T0)
        values = {
            "active": False,
            "auto_target": False,
            "manual_target": -100.0,
            "distribution_weight": 3.0,
            "efficiency_window_weight": 0.5,
            "min_dc_output": 40.0,
        }
        for name, value in values.items():
            fleet.change_setting("b", name, value)
        fleet.sweep(T0 + 100)
        self.assertEqual(len(fleet), 0)
        back = self.poll(fleet, "b", T0 + 200)
        self.assertEqual({name: getattr(back.settings, name) for name in values}, values)

    def test_they_can_be_made_before_the_battery_is_there(self) -> None:
        fleet = self.fleet()
        fleet.change_setting("b", "active", False)
        self.assertEqual(len(fleet), 0)
        self.assertIs(self.poll(fleet, "b", T0).mode, Mode.INACTIVE)

    def test_a_refused_value_leaves_the_old_one(self) -> None:
        fleet = self.fleet()
        consumer = self.poll(fleet, "b", T0)
        fleet.change_setting("b", "distribution_weight", 2)
        for value in (11, float("nan"), "5"):
            self.assertRaises(SettingError, fleet.change_setting, "b", "distribution_weight", value)
        self.assertEqual(consumer.weight, 2)
        self.assertEqual(fleet.settings_of("b").distribution_weight, 2)

    def test_a_refused_value_leaves_no_trace(self) -> None:
        fleet = self.fleet()
        self.assertRaises(SettingError, fleet.change_setting, "b", "nothing", 1)
        self.assertEqual(len(fleet._settings), 0)
