"""Energy counters and what the steering has learned, over a restart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.energy import EnergyCounter
from astrameter.ct.keeper import SAVE_EVERY_S, Keeper
from astrameter.ct.options import CtOptions
from astrameter.services import start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.astrameter.ct.rig import NOON, StubController


class Learning(StubController):
    """A controller that finds things out."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Any] = {}
        self.recalled: list[tuple[Mapping[str, Any], float]] = []

    def learned(self) -> dict[str, Any]:
        return self.known

    def recall(self, learned: Mapping[str, Any], now: float) -> None:
        self.recalled.append((learned, now))


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(self.mktemp())
        self.begin()

    def begin(self) -> None:
        self.store = Store(self.clock, self.directory, StateOptions(), lambda: NOON)
        self.controller = Learning()
        self.ct = EmulatedCt("HME-4", CtOptions(), 0.0, self.controller)
        self.cts = {"ct002": self.ct}
        self.keeper = Keeper(self.clock, self.store, lambda: self.cts)
        start(self.store)
        start(self.keeper)

    def end(self) -> None:
        self.successResultOf(stop(self.keeper))
        self.successResultOf(stop(self.store))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def restart(self) -> None:
        self.end()
        self.begin()

    def counted(self) -> dict[str, tuple[float, float]]:
        return {s: (c.imported_ws, c.exported_ws) for s, c in self.ct.energies.items()}


class Energy(Case):
    def test_it_survives(self) -> None:
        self.ct.energies["METER"] = EnergyCounter(5.0, 7.0)
        self.restart()
        self.assertEqual(self.counted(), {"METER": (5.0, 7.0)})

    def test_it_is_saved_now_and_then(self) -> None:
        self.ct.energies["METER"] = EnergyCounter(5.0, 7.0)
        self.clock.advance(SAVE_EVERY_S - 1)
        self.assertIsNone(self.store.get("energy/ct002"))
        self.clock.advance(1)
        self.assertEqual(self.store.get("energy/ct002"), {"METER": [5.0, 7.0]})
        self.ct.energies["METER"].imported_ws = 6.0
        self.clock.advance(SAVE_EVERY_S)
        self.assertEqual(self.store.get("energy/ct002"), {"METER": [6.0, 7.0]})

    def test_a_meter_that_is_away_for_a_while_keeps_its_own(self) -> None:
        self.ct.energies["OLD"] = EnergyCounter(5.0, 7.0)
        self.restart()
        del self.ct.energies["OLD"]
        self.ct.energies["NEW"] = EnergyCounter(1.0, 0.0)
        self.restart()
        self.assertEqual(self.counted(), {"OLD": (5.0, 7.0), "NEW": (1.0, 0.0)})

    def test_a_ct_that_is_added_later_gets_its_own(self) -> None:
        self.store.put("energy/ct003", {"METER": [9.0, 9.0]})
        other = EmulatedCt("HME-3", CtOptions(), 0.0, StubController())
        other.energies["METER"] = EnergyCounter(1.0, 2.0)
        self.cts["ct003"] = other
        self.clock.advance(SAVE_EVERY_S)
        self.assertEqual(self.store.get("energy/ct003"), {"METER": [10.0, 11.0]})

    def test_what_is_no_counter_is_left_out(self) -> None:
        wrong = {"A": [1], "B": ["x", 1], "C": [-1, 1], "D": [True, 1], "E": [10**400, 1], "F": 5}
        self.store.put("energy/ct002", {**wrong, "METER": [1, 2.5]})
        self.restart()
        self.assertEqual(self.counted(), {"METER": (1.0, 2.5)})

    def test_nothing_is_saved_before_it_is_known_what_there_was(self) -> None:
        self.end()
        self.store = Store(self.clock, None, StateOptions(), lambda: NOON)
        self.store._known = False
        self.keeper = Keeper(self.clock, self.store, lambda: self.cts)
        start(self.store)
        start(self.keeper)
        self.ct.energies["METER"] = EnergyCounter(1.0, 1.0)
        self.clock.advance(10 * SAVE_EVERY_S)
        self.assertIsNone(self.store.get("energy/ct002"))
        self.store._entries.put("energy/ct002", {"METER": [100.0, 100.0]})
        self.store._now_known()
        self.assertEqual(self.counted(), {"METER": (101.0, 101.0)})
        self.end()

    def test_a_stop_before_that_saves_nothing(self) -> None:
        self.end()
        self.store = Store(self.clock, None, StateOptions(), lambda: NOON)
        self.store._known = False
        self.keeper = Keeper(self.clock, self.store, lambda: self.cts)
        start(self.store)
        start(self.keeper)
        self.ct.energies["METER"] = EnergyCounter(1.0, 1.0)
        self.end()
        self.assertIsNone(self.store.get("energy/ct002"))


class Learned(Case):
    def test_it_survives(self) -> None:
        self.controller.known = {"limits_w": {"a": [None, 800.0]}}
        self.clock.advance(5)
        self.restart()
        self.assertEqual(self.controller.recalled, [({"limits_w": {"a": [None, 800.0]}}, 5.0)])

    def test_the_first_time_there_is_nothing_to_recall(self) -> None:
        self.assertEqual(self.controller.recalled, [])

    def test_a_controller_that_does_not_learn_is_left_alone(self) -> None:
        self.ct.controller = StubController()
        self.restart()
        self.assertIsNone(self.store.get("learned/ct003"))
