"""The whole appliance is ended and started again in the same house: what it still knows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import load_text
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.energy import EnergyCounter
from astrameter.ct.keeper import SAVE_EVERY_S
from astrameter.ct.settings import DEFAULTS
from astrameter.emulators import CtEmulator
from astrameter.marstek.managed import Managed
from astrameter.services import start, stop
from simulator.house import House, Plan, venus
from simulator.pushmeter import simulated_kind
from simulator.virtualhouse import APPLIANCE, CT_PORT
from simulator.world import World

FIRST, SECOND = "02b250000001", "02b250000002"
PLAN = Plan((venus(1, "A"), venus(2, "B")), base_noise_w=0.0, solar_peak_w=0.0, start_s=0.0)
CONFIG = (
    "[GENERAL]\nDEVICE_TYPE = {types}\nWAIT_FOR_NEXT_MESSAGE = no\n[CT002]\n{ct}\n[SIMULATED]\n"
)
DEVICE, PRO_EM = "device-1", "shellyproem50-ec4609c439c2"
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)


class Life:
    """The appliance from a start to its end, with a house around it.

    :ivar ct: the first emulated CT.
    """

    def __init__(self, directory: Path, number: int, types: str, ct: str) -> None:
        self.world = World(number)
        hosts = [self.world.host(f"192.168.1.{11 + n}") for n in range(len(PLAN.batteries))]
        self.house = House(PLAN, self.world, hosts, (APPLIANCE, CT_PORT), self.world.random)
        kinds = [simulated_kind(self.house.meter)]
        settings = load_text(CONFIG.format(types=types, ct=ct), "config.ini", extra_kinds=kinds)
        self._born_at = NOON + timedelta(days=number)
        around = Surroundings(state_directory=directory, wall_clock=self._wall_clock)
        self.appliance = Appliance(self.world.host(APPLIANCE), settings, around)
        start(self.appliance)

    def _wall_clock(self) -> datetime:
        return self._born_at + timedelta(seconds=self.world.seconds())

    @property
    def ct(self) -> EmulatedCt:
        return next(e.ct for e in self.appliance.emulators if isinstance(e, CtEmulator))

    @property
    def ids(self) -> list[str]:
        return [one.spec.device_id for one in self.appliance.emulators]

    def learned(self) -> Any:
        controller: Any = self.ct.controller
        return controller.learned()

    def let_batteries_ask(self, seconds: float) -> None:
        start(self.house)
        self.world.advance(seconds)
        self.world.wait(stop(self.house))

    def end(self) -> None:
        self.world.wait(stop(self.appliance))


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.lives: list[Life] = []

    def live(self, types: str = "ct002", ct: str = "") -> Life:
        life = Life(self.directory, len(self.lives), types, ct)
        self.lives.append(life)
        return life

    def live_again(self, *how: str) -> Life:
        self.lives[-1].end()
        return self.live(*how)

    def tearDown(self) -> None:
        self.lives[-1].end()


class Battery(Case):
    WANTED = (
        ("manual_target", -321.0),
        ("auto_target", False),
        ("active", False),
        ("distribution_weight", 2.5),
        ("efficiency_window_weight", 0.5),
        ("min_dc_output", 40.0),
    )

    def test_every_override_of_its_owner_is_back(self) -> None:
        for name, value in self.WANTED:
            self.live().ct.change_setting(FIRST, name, value)
            settings = self.live_again().ct.fleet.settings_of(FIRST)
            self.assertEqual(getattr(settings, name), value, name)
            self.lives[-1].end()
        settings = asdict(self.live().ct.fleet.settings_of(FIRST))
        # Nothing may be added to the settings and forgotten here.
        self.assertEqual(settings, dict(self.WANTED))

    def test_also_after_a_power_cut(self) -> None:
        """What was acknowledged is in the file: nobody needs an orderly end."""
        self.live().ct.change_setting(FIRST, "active", False)
        self.lives[-1].world.advance(0.1)
        cut = self.lives.pop()
        try:
            self.assertFalse(self.live().ct.fleet.settings_of(FIRST).active)
        finally:
            cut.end()

    def test_what_is_set_back_is_set_back(self) -> None:
        self.live().ct.change_setting(FIRST, "active", False)
        self.live_again().ct.change_setting(FIRST, "active", True)
        self.assertEqual(self.live_again().ct.fleet.settings_of(FIRST), DEFAULTS)

    def test_a_paused_one_rests_and_a_manual_one_obeys_from_the_first_poll_on(self) -> None:
        life = self.live()
        life.ct.change_setting(FIRST, "active", False)
        life.ct.change_setting(SECOND, "manual_target", 120.0)
        life.ct.change_setting(SECOND, "auto_target", False)
        life = self.live_again()
        life.let_batteries_ask(60.0)
        first, second = life.house.batteries
        self.assertApproximates(first.power_w, 0.0, 5.0)
        self.assertApproximates(second.power_w, 120.0, 10.0)

    def test_steering_that_was_switched_off_is_off(self) -> None:
        self.live().ct.active_control = False
        self.assertFalse(self.live_again().ct.active_control)


class Steering(Case):
    def test_the_order_of_efficiency_is_kept(self) -> None:
        efficiency = ("ct002", "MIN_EFFICIENT_POWER = 400")
        life = self.live(*efficiency)
        life.let_batteries_ask(120.0)
        life.ct.controller.rotate([FIRST, SECOND])
        order = life.learned()["order"]
        self.assertEqual(sorted(order), [FIRST, SECOND])
        for turned in range(2):
            life = self.live_again(*efficiency)
            self.assertEqual(life.learned()["order"], order, turned)
            life.let_batteries_ask(10.0)
            self.assertEqual(life.learned()["order"], order, turned)
            life.ct.controller.rotate([FIRST, SECOND])
            order = life.learned()["order"]

    def learn(self) -> Life:
        """Both are asked for more than they can give."""
        life = self.live()
        life.house.site.household.set_base_load("A", 9000.0)
        life.let_batteries_ask(300.0)
        limits = life.learned()["limits_w"]
        self.assertEqual(sorted(limits), [FIRST, SECOND])
        for _low_w, high_w in limits.values():
            self.assertGreater(high_w, 700.0)
            self.assertLess(high_w, 2600.0)
        return life

    def test_what_each_battery_can_do_is_kept(self) -> None:
        limits = self.learn().learned()["limits_w"]
        life = self.live_again()
        life.let_batteries_ask(10.0)
        self.assertEqual(life.learned()["limits_w"], limits)

    def test_also_of_one_that_has_not_asked_since_the_last_start(self) -> None:
        limits = self.learn().learned()["limits_w"]
        for _ in range(3):
            life = self.live_again()
        life.let_batteries_ask(10.0)
        self.assertEqual(life.learned()["limits_w"], limits)

    def test_there_is_a_bound_and_those_that_ask_come_first(self) -> None:
        life = self.live()
        others = {f"{n:012x}": [None, 600.0] for n in range(500)}
        life.ct.controller.recall({"limits_w": others}, 0.0)  # type: ignore[attr-defined]
        life.house.site.household.set_base_load("A", 9000.0)
        life.let_batteries_ask(300.0)
        limits = life.learned()["limits_w"]
        self.assertLessEqual(len(limits), 64)
        self.assertLessEqual({FIRST, SECOND}, limits.keys())

    def test_also_after_a_power_cut(self) -> None:
        cut = self.learn()
        cut.world.advance(SAVE_EVERY_S)
        limits = cut.learned()["limits_w"]
        life = self.live()
        life.let_batteries_ask(10.0)
        cut.end()
        self.assertEqual(life.learned()["limits_w"], limits)


class Home(Case):
    def test_the_cts_of_the_account_are_known_without_the_account(self) -> None:
        managed = Managed("02b250b71db3", 121)
        self.live().appliance.managed.put("HME-4", managed)
        self.assertEqual(self.live_again().appliance.managed.get("HME-4"), managed)

    def test_ids_that_were_made_up_stay_when_others_come_in_front(self) -> None:
        self.assertEqual(self.live("ct002, shellyproem50").ids, [DEVICE, PRO_EM])
        again = self.live_again("shellyemg3, shellyproem50, ct002")
        self.assertEqual(again.ids[1:], [PRO_EM, DEVICE])
        self.assertEqual(len(set(again.ids)), 3)

    def test_energy_counters_go_on(self) -> None:
        self.live().ct.energies["SIMULATED"] = EnergyCounter(3.6e6, 7.2e6)
        counter = self.live_again().ct.energies["SIMULATED"]
        self.assertGreaterEqual(counter.imported_ws, 3.6e6)
        self.assertEqual(counter.exported_ws, 7.2e6)
