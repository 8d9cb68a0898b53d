"""The owner's settings over a restart (ct-protocol.md section 12)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.settings import DEFAULTS, BatterySettings
from astrameter.services import start, stop
from astrameter.store.entries import Entry, text_of
from astrameter.store.options import StateOptions
from astrameter.store.remembered import KNOWN_WITHIN_S, Remembered
from astrameter.store.service import Store
from tests.astrameter.ct.rig import NOON, StubController
from tests.logged import logged

MAC = "aabbccddee01"
ALL: dict[str, Any] = {
    "active": False,
    "manual_target": -450.0,
    "auto_target": False,
    "distribution_weight": 2.5,
    "efficiency_window_weight": 0.25,
    "min_dc_output": 33.0,
}


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(self.mktemp())
        self.stub = StubController()
        self.begin()

    def begin(self, **options: Any) -> None:
        """A life of the daemon, with what the one before has kept."""
        self.store = Store(self.clock, self.directory, StateOptions(), lambda: NOON)
        start(self.store)
        self.remembered = Remembered(self.clock, self.store)
        self.ct = EmulatedCt("HME-4", CtOptions(**options), 0.0, self.stub)
        self.remembered.attach("ct002", self.ct)

    def restart(self, **options: Any) -> None:
        self.successResultOf(stop(self.store))
        self.begin(**options)

    def settings(self) -> BatterySettings:
        return self.ct.fleet.settings_of(MAC)


class Batteries(Case):
    def test_every_setting_is_back_after_a_restart(self) -> None:
        for name, value in ALL.items():
            self.ct.change_setting(MAC, name, value)
        self.restart()
        self.assertEqual(asdict(self.settings()), ALL)

    def test_it_is_attached_once_however_often_that_is_asked(self) -> None:
        self.remembered.attach("ct002", self.ct)
        self.assertEqual(len(self.ct.setting_changed), 1)
        self.ct.change_setting(MAC, "active", False)
        self.remembered.attach("ct002", self.ct)
        self.assertFalse(self.settings().active)

    def test_what_was_never_set_follows_the_defaults(self) -> None:
        self.ct.change_setting(MAC, "active", False)
        self.assertEqual(self.store.get(f"battery/ct002/{MAC}"), {"active": False})
        self.ct.change_setting(MAC, "active", True)
        self.assertEqual(self.store.get(f"battery/ct002/{MAC}"), {})
        self.restart()
        self.assertEqual(self.settings(), DEFAULTS)

    def test_a_change_is_acknowledged_when_it_is_in_the_file(self) -> None:
        self.ct.change_setting(MAC, "active", False)
        self.assertFalse((self.directory / "state.json").exists())
        self.clock.advance(0)
        self.assertIn(MAC, (self.directory / "state.json").read_text())

    def test_what_is_refused_and_what_is_no_change_is_not_stored(self) -> None:
        self.assertRaises(ValueError, self.ct.change_setting, MAC, "distribution_weight", 11)
        self.ct.change_setting(MAC, "active", True)
        self.assertIsNone(self.store.get(f"battery/ct002/{MAC}"))

    def test_restoring_stores_nothing(self) -> None:
        self.ct.change_setting(MAC, "active", False)
        self.restart()
        self.clock.advance(0)
        before = (self.directory / "state.json").stat().st_mtime_ns
        self.clock.advance(10)
        self.assertEqual((self.directory / "state.json").stat().st_mtime_ns, before)

    def test_each_ct_has_its_own(self) -> None:
        other = EmulatedCt("HME-3", CtOptions(), 0.0, StubController())
        self.remembered.attach("ct003", other)
        self.ct.change_setting(MAC, "active", False)
        other.change_setting(MAC, "manual_target", 7)
        self.assertEqual(self.store.get(f"battery/ct002/{MAC}"), {"active": False})
        self.assertEqual(self.store.get(f"battery/ct003/{MAC}"), {"manual_target": 7.0})

    def test_an_id_may_hold_anything(self) -> None:
        odd = "10.0.0.1:5/a b"
        self.ct.change_setting(odd, "active", False)
        self.restart()
        self.assertFalse(self.ct.fleet.settings_of(odd).active)

    def test_what_a_hand_has_written_is_checked_piece_by_piece(self) -> None:
        wrong = {"distribution_weight": 99, "active": "no", "unknown": 1, "manual_target": 5}
        self.store.put(f"battery/ct002/{MAC}", wrong)
        with logged() as lines:
            self.restart()
        self.assertEqual(self.settings(), BatterySettings(manual_target=5.0))
        self.assertEqual(len(lines), 3)
        self.assertIn(f"a part of battery/ct002/{MAC} is ignored", lines[0])

    def test_one_that_is_not_used_any_longer_stores_nothing(self) -> None:
        self.remembered.detach(self.ct)
        self.ct.change_setting(MAC, "active", False)
        self.assertIsNone(self.store.get(f"battery/ct002/{MAC}"))


class Switch(Case):
    """Active control, switched at run time."""

    def test_it_is_back_after_a_restart(self) -> None:
        self.ct.active_control = False
        self.restart()
        self.assertFalse(self.ct.active_control)
        self.ct.active_control = True
        self.restart()
        self.assertTrue(self.ct.active_control)

    def test_without_a_switch_the_configuration_counts(self) -> None:
        self.restart(active_control=False)
        self.assertFalse(self.ct.active_control)

    def test_a_configuration_that_has_changed_since_counts_too(self) -> None:
        self.ct.active_control = False
        self.restart(active_control=False)
        self.assertFalse(self.ct.active_control)
        self.ct.active_control = True
        self.restart(active_control=True)
        self.assertTrue(self.ct.active_control)
        self.restart(active_control=False)
        self.assertTrue(self.ct.active_control)

    def test_a_reload_that_says_nothing_new_leaves_it(self) -> None:
        self.ct.active_control = False
        self.ct.configure("HME-4", CtOptions(wifi_rssi=-60), 0.0)
        self.assertFalse(self.ct.active_control)
        self.ct.configure("HME-4", CtOptions(active_control=False), 0.0)
        self.ct.configure("HME-4", CtOptions(active_control=True), 0.0)
        self.assertTrue(self.ct.active_control)

    def test_what_a_hand_has_written_is_checked(self) -> None:
        for wrong in ({"active_control": 0, "configured": True}, {"active_control": False}, {}):
            self.store.put("control/ct002", wrong)
            self.restart()
            self.assertTrue(self.ct.active_control)


class Late(Case):
    """What Redis brings when the daemon runs already."""

    def arrive(self, key: str, document: dict[str, Any]) -> None:
        entry = Entry(int(NOON.timestamp() * 1000) + 1000, text_of(document))
        self.assertTrue(self.store._entries.take(key, entry))
        self.store._arrived([key])

    def test_settings(self) -> None:
        self.ct.change_setting(MAC, "manual_target", 5)
        self.arrive(f"battery/ct002/{MAC}", {"active": False})
        self.assertEqual(self.settings(), BatterySettings(active=False))

    def test_what_arrives_is_not_taken_for_a_change_of_the_owner(self) -> None:
        key = f"battery/ct002/{MAC}"
        self.arrive(key, {"active": False, "manual_target": 5})
        entry = self.store._entries.get(key)
        assert entry is not None
        self.assertEqual(entry.changed_ms, int(NOON.timestamp() * 1000) + 1000)

    def test_the_switch(self) -> None:
        self.arrive("control/ct002", {"active_control": False, "configured": True})
        self.assertFalse(self.ct.active_control)

    def test_what_is_of_no_ct_of_ours(self) -> None:
        self.arrive(f"battery/ct003/{MAC}", {"active": False})
        self.arrive("control/ct003", {"active_control": False, "configured": True})
        self.assertTrue(self.ct.active_control)
        self.assertEqual(self.settings(), DEFAULTS)

    def test_a_battery_that_is_resumed_starts_anew(self) -> None:
        self.ct.change_setting(MAC, "active", False)
        self.stub.forgotten.clear()
        self.arrive(f"battery/ct002/{MAC}", {})
        self.assertEqual(self.stub.forgotten, [MAC])


class Holding(SynchronousTestCase):
    """Until the settings are known, batteries wait."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Store(self.clock, None, StateOptions(), lambda: NOON)
        self.store._known = False  # as with Redis, which this clock cannot reach
        self.remembered = Remembered(self.clock, self.store)
        self.ct = EmulatedCt("HME-4", CtOptions(), 0.0, StubController())
        self.remembered.attach("ct002", self.ct)

    def test_for_no_longer_than_it_takes(self) -> None:
        self.remembered.hold_polls()
        self.assertFalse(self.ct.answering)
        self.store._now_known()
        self.assertTrue(self.ct.answering)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_but_not_for_ever(self) -> None:
        self.remembered.hold_polls()
        self.clock.advance(KNOWN_WITHIN_S - 0.1)
        self.assertFalse(self.ct.answering)
        self.clock.advance(0.1)
        self.assertTrue(self.ct.answering)

    def test_nor_when_they_are_known(self) -> None:
        self.store._now_known()
        self.remembered.hold_polls()
        self.assertTrue(self.ct.answering)

    def test_a_stop_leaves_no_timer(self) -> None:
        start(self.store)
        self.remembered.hold_polls()
        self.successResultOf(stop(self.store))
        self.assertEqual(self.clock.getDelayedCalls(), [])
