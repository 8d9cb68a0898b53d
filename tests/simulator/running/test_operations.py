"""What can be done with a simulation: simulator.md sections 5, 7 and 10."""

from __future__ import annotations

from typing import Any

from simulator.control import (
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    Operation,
    OperationRefused,
    Refusal,
    SetAuto,
    SetBaseLoad,
    SetDc,
    SetMaxPower,
    SetMeterLatency,
    SetOnline,
    SetPacketLoss,
    SetPhase,
    SetSoc,
    SetSolar,
    Shutdown,
    Status,
    ToggleAuto,
    ToggleLoad,
)
from simulator.running.local import LocalControl
from simulator.running.statusline import status_line
from tests.simulator.running.rig import MAC, OTHER, SimulationCase, battery

NAN, INFINITE = float("nan"), float("inf")


class ControlCase(SimulationCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended = 0
        self.simulation = self.simulate(
            battery(), battery(OTHER, phase="B", max_dc_input_w=600.0, device_type="VNSD-0")
        )
        self.control = LocalControl(self.simulation, self.site, self.end)
        self.control.startService()
        self.addCleanup(self.control.stopService)

    def end(self) -> None:
        self.ended += 1

    def do(self, operation: Operation) -> Status:
        return self.successResultOf(self.control.perform(operation))

    def refused(self, operation: Operation) -> OperationRefused:
        before = self.simulation.status().to_json()
        failure = self.failureResultOf(self.control.perform(operation), OperationRefused)
        self.assertEqual(self.simulation.status().to_json(), before)
        value: Any = failure.value
        return value


class Operations(ControlCase):
    def test_a_load_is_switched(self) -> None:
        self.assertTrue(self.do(ToggleLoad(2)).loads[1].active)
        self.assertEqual(self.do(ToggleLoad(1)).grid.a_w, 1000.0)
        self.assertFalse(self.do(ToggleLoad(2)).loads[1].active)

    def test_no_such_load(self) -> None:
        for index in (0, -1, 9, 3):
            error = self.refused(ToggleLoad(index))
            self.assertEqual(str(error), f"Load index out of range: {index}")
            self.assertIs(error.kind, Refusal.BAD_VALUE)

    def test_the_sun(self) -> None:
        for given, wanted in ((800, 800), ("max", 2000), ("off", 0), (9999, 2000), (-5, 0)):
            self.assertEqual(self.do(SetSolar(given)).solar.current_w, wanted)  # type: ignore[arg-type]
        for value in (NAN, INFINITE):
            self.assertEqual(str(self.refused(SetSolar(value))), "invalid watts")

    def test_steps_of_the_sun_add_up_and_end_at_its_limits(self) -> None:
        for _ in range(3):
            self.do(ChangeSolar(100))
        self.assertEqual(self.do(ChangeSolar(50)).solar.current_w, 350)
        self.assertEqual(self.do(ChangeSolar(-999)).solar.current_w, 0)
        self.refused(ChangeSolar(NAN))

    def test_the_state_of_charge(self) -> None:
        self.assertEqual(self.do(SetSoc(MAC.lower(), 0.25)).batteries[0].soc, 0.25)
        for value in (1.01, -0.1, NAN):
            self.assertEqual(str(self.refused(SetSoc(MAC, value))), "invalid 'soc'")

    def test_ten_steps_of_a_tenth_are_full_and_back_is_empty(self) -> None:
        self.do(SetSoc(MAC, 0.0))
        for _ in range(10):
            status = self.do(ChangeSoc(MAC, 0.1))
        self.assertEqual(status.batteries[0].soc, 1.0)
        self.assertEqual(self.simulation.pollers[0].battery.soc, 1.0)
        self.assertEqual(self.do(ChangeSoc(MAC, 5)).batteries[0].soc, 1.0)
        self.assertEqual(self.do(ChangeSoc(MAC, -5)).batteries[0].soc, 0.0)

    def test_what_was_before_does_not_count_against_it(self) -> None:
        simulation = self.simulate(
            battery(capacity_wh=10.0, poll_interval_s=10.0, initial_power_w=400.0)
        )
        control = LocalControl(simulation, self.site, self.end)
        first = simulation.pollers[0].battery
        self.world.advance(9.9)
        self.successResultOf(control.perform(SetSoc(MAC, 0.9)))
        first.advance_to(simulation.time.seconds() + 0.1)
        self.assertGreater(first.soc, 0.89)

    def test_power_limits(self) -> None:
        one = self.do(SetMaxPower(MAC, 100, None)).batteries[0]
        self.assertEqual((one.max_charge_w, one.max_discharge_w), (100, 800))
        one = self.do(SetMaxPower(MAC)).batteries[0]
        self.assertEqual((one.max_charge_w, one.max_discharge_w), (100, 800))
        one = self.do(ChangeMaxPower(MAC, -200)).batteries[0]
        self.assertEqual((one.max_charge_w, one.max_discharge_w), (0, 600))
        for charge_w in (-1, NAN, 40000):
            self.refused(SetMaxPower(MAC, charge_w, 5))

    def test_the_dc_side(self) -> None:
        self.assertEqual(self.do(SetDc(OTHER, 300)).batteries[1].dc_input_w, 300)
        self.assertEqual(
            str(self.refused(SetDc(OTHER, 601.0))), "watts must be within [0, 600], got 601.0"
        )
        self.assertEqual(str(self.refused(SetDc(MAC, 1))), "battery has no DC input capability")

    def test_unknown_batteries_are_not_found(self) -> None:
        for operation in (
            SetSoc("02B2500000FF", 1), ChangeSoc("x", 1), SetMaxPower("x"), SetDc("x", 1),
            ChangeMaxPower("x", 1), SetOnline("x", True), SetPhase("x", "A"),
        ):  # fmt: skip
            error = self.refused(operation)
            self.assertEqual((str(error), error.kind), ("battery not found", Refusal.NOT_FOUND))

    def test_base_load(self) -> None:
        self.assertEqual(self.do(SetBaseLoad("B", -250)).grid.b_w, -250)
        self.refused(SetBaseLoad("D", 5))
        self.refused(SetBaseLoad("A", NAN))

    def test_a_battery_on_another_phase_begins_anew_with_what_it_has(self) -> None:
        self.ct.watts = 200
        self.do(SetSoc(MAC, 0.3))
        self.do(SetMaxPower(MAC, 100, 400))
        self.world.advance(10)
        one = self.do(SetPhase(MAC, "C")).batteries[0]
        self.assertEqual((one.phase, one.power_w, one.max_discharge_w), ("C", 0, 400))
        self.assertAlmostEqual(one.soc, 0.3, 2)
        self.world.advance(10)
        status = self.simulation.status()
        self.assertGreater(status.batteries[0].power_w, 0)
        self.assertAlmostEqual(status.grid.c_w, 50 - status.batteries[0].power_w, delta=1)
        self.refused(SetPhase(MAC, "Z"))

    def test_packet_loss(self) -> None:
        self.do(SetPacketLoss(1.0))
        self.world.advance(5)
        before = len(self.ct.heard)
        self.world.advance(20)
        self.assertEqual(len(self.ct.heard), before)
        for loss in (-0.1, 1.1, NAN):
            self.refused(SetPacketLoss(loss))

    def test_the_meter_shows_what_was_some_time_ago(self) -> None:
        self.do(SetMeterLatency(5))
        for _ in range(8):
            self.simulation.power_now()
            self.world.advance(1)
        self.do(ToggleLoad(1))
        before_w = self.simulation.power_now()[0]
        self.assertLess(before_w, 500)
        for _ in range(7):
            self.world.advance(1)
            shown_w = self.simulation.power_now()[0]
        self.assertGreater(shown_w, 500)
        self.refused(SetMeterLatency(-1))
        self.refused(SetMeterLatency(INFINITE))

    def test_online(self) -> None:
        self.assertFalse(self.do(SetOnline(MAC, False)).batteries[0].online)
        self.assertTrue(self.do(SetOnline(MAC, True)).batteries[0].online)


class AutoMode(ControlCase):
    def test_it_starts_when_it_is_switched_on_later(self) -> None:
        self.world.advance(100)
        self.assertEqual(self.simulation.auto.steps, 0)
        self.assertTrue(self.do(SetAuto(True)).auto_mode)
        self.world.advance(100)
        self.assertIn(self.simulation.auto.steps, range(3, 11))

    def test_switched_off_nothing_changes_any_more(self) -> None:
        self.do(ToggleAuto())
        self.world.advance(100)
        self.assertFalse(self.do(ToggleAuto()).auto_mode)
        before = self.simulation.auto.steps
        self.world.advance(100)
        self.assertEqual(self.simulation.auto.steps, before)

    def test_switching_it_on_twice_does_not_double_it(self) -> None:
        self.do(SetAuto(True))
        self.do(SetAuto(True))
        self.world.advance(300)
        self.assertLess(self.simulation.auto.steps, 31)

    def test_the_file_may_switch_it_on_and_the_time_scale_hurries_it(self) -> None:
        simulation = self.simulate(auto_mode=True, auto_interval_s=(10, 10), time_scale=2.0)
        self.world.advance(50.5)
        self.assertEqual(simulation.auto.steps, 10)


class Control(ControlCase):
    def test_it_looks_once_a_second_and_tells(self) -> None:
        told: list[Any] = []
        unsubscribe = self.control.subscribe(lambda: told.append(self.control.status))
        self.world.advance(5.5)
        self.assertEqual(len(told), 5)
        self.do(ToggleLoad(1))
        self.assertEqual(len(told), 6)
        self.assertTrue(told[-1].loads[0].active)
        unsubscribe()
        unsubscribe()
        self.world.advance(5)
        self.assertEqual(len(told), 6)

    def test_a_broken_listener_is_dropped_and_disturbs_nobody(self) -> None:
        told: list[int] = []

        def broken() -> None:
            raise RuntimeError("broken")

        self.control.subscribe(broken)
        self.control.subscribe(lambda: told.append(1))
        self.world.advance(3.5)
        self.assertEqual(len(told), 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_shutting_down_answers_first(self) -> None:
        self.do(Shutdown())
        self.assertEqual(self.ended, 0)
        self.world.advance(0.1)
        self.assertEqual(self.ended, 1)

    def test_energy_and_cost_are_counted(self) -> None:
        self.do(SetMaxPower(MAC, 0, 0))
        self.do(SetMaxPower(OTHER, 0, 0))
        self.world.advance(3600)
        status = self.simulation.status()
        self.assertAlmostEqual(status.import_wh, 150, delta=1)
        self.assertAlmostEqual(status.cost_ct, 0.15 * 30, delta=0.05)

    def test_the_status_tells_who_was_answered_when(self) -> None:
        self.assertIsNone(self.simulation.status().batteries[0].poll_age_s)
        self.world.advance(10)
        age_s = self.simulation.status().batteries[0].poll_age_s
        assert age_s is not None
        self.assertLess(age_s, 3)

    def test_the_status_line(self) -> None:
        self.assertEqual(
            status_line(self.simulation.status()),
            "grid=[100, 0, 50] | 0001:A/0W/50% | 0002:B/0W/50%",
        )
