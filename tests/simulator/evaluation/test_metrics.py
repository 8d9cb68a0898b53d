"""The metric vectors of evaluation.md section 5.2."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from simulator.evaluation.metrics import metrics, percentile
from simulator.evaluation.recording import Observation, Recording, Unit


def venus(phase: str = "A", soc: float = 0.5) -> Unit:
    return Unit(phase, 2500, 2500, 5120, soc, True)


def run(
    grid_w: Callable[[float], float],
    duration_s: float,
    *,
    times: list[float] | None = None,
    units: tuple[Unit, ...] = (venus(),),
    outputs_w: Callable[[float], tuple[float, ...]] = lambda _t: (0.0,),
    house_w: Callable[[float], float] = lambda _t: 0.0,
    soc: float = 0.5,
    marks: tuple[float, ...] = (),
) -> dict[str, float]:
    found = Recording(units, duration_s, marks=[(at_s, "mark") for at_s in marks])
    for at_s in times or range(int(duration_s) + 1):
        found.observations.append(
            Observation(
                at_s, grid_w(at_s), house_w(at_s), outputs_w(at_s), (soc,) * len(units), 0.0
            )
        )
    return metrics(found)


class Vectors(SynchronousTestCase):
    def check(self, found: dict[str, float], **wanted: float) -> None:
        self.assertEqual({key: found[key] for key in wanted}, wanted)

    def test_v1_a_step_that_overshoots(self) -> None:
        def grid_w(t: float) -> float:
            if t < 10:
                return 0
            if t < 20:
                return 1000 - 100 * (t - 10)
            return -60 if t < 25 else 10

        found = run(
            grid_w,
            120,
            marks=(10,),
            outputs_w=lambda t: (500 - grid_w(t),),
            house_w=lambda _t: 500.0,
        )
        self.check(
            found,
            events_measured=1,
            settle_mean_s=15.0,
            overshoot_max_w=60,
            band_crossings_per_h=30,
            grid_p2p_w=400,
            grid_rms_w=179.8,
            steady_rms_w=0.0,
            mean_abs_grid_w=56.2,
            import_wh=1.8,
            export_wh=0.1,
            grid_cost_ct=0.05,
            oracle_cost_ct=0,
            battery_travel_w_per_h=63900,
        )

    def test_v2_crossings_and_swing(self) -> None:
        found = run(lambda t: 30 if int(t / 5) % 2 == 0 else -30, 60)
        self.check(
            found,
            band_crossings_per_h=720,
            grid_p2p_w=60,
            grid_rms_w=30,
            steady_rms_w=30,
            mean_abs_grid_w=30,
            import_wh=0.2,
            export_wh=0.2,
            cost_regret_ct=0.01,
        )

    def test_v3_imbalance_counts_groups_of_two_and_more(self) -> None:
        units = (venus(), venus(), venus("B"))
        found = run(lambda _t: 0, 60, units=units, outputs_w=lambda _t: (100, 300, 50))
        self.check(found, share_imbalance_w=200)

    def test_v4a_import_at_full_discharge_is_not_avoidable(self) -> None:
        found = run(lambda _t: 100, 3600, outputs_w=lambda _t: (2496,), house_w=lambda _t: 2596.0)
        self.check(
            found,
            import_wh=100,
            avoidable_import_wh=0,
            grid_cost_ct=3.0,
            oracle_cost_ct=2.88,
            cost_regret_ct=0.12,
        )

    def test_v4b_import_of_an_empty_unit_is_not_avoidable(self) -> None:
        units = (venus(soc=0.02),)
        found = run(lambda _t: 100, 3600, units=units, soc=0.02, house_w=lambda _t: 100.0)
        self.check(
            found, avoidable_import_wh=0, grid_cost_ct=3.0, oracle_cost_ct=0.0, cost_regret_ct=3.0
        )

    def test_v4c_export_below_full_is_avoidable(self) -> None:
        units = (venus(soc=0.979),)
        found = run(lambda _t: -100, 3600, units=units, soc=0.979, house_w=lambda _t: -100.0)
        self.check(
            found,
            export_wh=100,
            avoidable_export_wh=100,
            grid_cost_ct=-0.8,
            oracle_cost_ct=0.0,
            cost_regret_ct=0.0,
        )

    def test_v4d_a_unit_that_cannot_charge_avoids_no_export(self) -> None:
        units = (Unit("A", 0, 800, 2240, 0.5, False),)
        found = run(lambda _t: -100, 3600, units=units, house_w=lambda _t: -100.0)
        self.check(found, avoidable_export_wh=0, grid_cost_ct=-0.8, oracle_cost_ct=-0.8)

    def test_v5_a_gap_counts_five_seconds(self) -> None:
        found = run(lambda t: 0 if t == 40 else 360, 40, times=[0, 20, 40])
        self.check(found, import_wh=1.0, grid_rms_w=360, steady_rms_w=293.9, grid_p2p_w=324)

    def test_v6_what_never_rests_is_unsettled(self) -> None:
        found = run(lambda _t: 100, 100, marks=(20, 60))
        self.check(found, events_measured=2, unsettled_events=2, settle_mean_s=40.0)

    def test_v7_what_does_not_disturb_is_no_event(self) -> None:
        self.check(run(lambda _t: 24.9, 100, marks=(20,)), events_measured=0)

    def test_twenty_five_watts_are_not_settled_and_disturb(self) -> None:
        found = run(lambda _t: 25, 100, marks=(20,))
        self.check(found, events_measured=1, unsettled_events=1)

    def test_what_the_plant_or_the_next_event_does_not_allow_is_not_avoidable(self) -> None:
        for bound_s, marks, avoidable in (
            (10.0, (20, 60), 2),
            (None, (20, 60), 0),
            (35.0, (20, 60), 0),  # 40 s are left, and 10 s of calm are needed
            (29.0, (20, 60), 2),
        ):
            found = Recording((venus(),), 100.0, marks=[(m, "m") for m in marks])
            found.bounds_s = [bound_s, bound_s]
            for at_s in range(101):
                found.observations.append(Observation(at_s, 100, 0, (0.0,), (0.5,), 0))
            self.check(metrics(found), unsettled_events=2, unsettled_avoidable=avoidable)

    def test_what_something_else_did_is_not_counted(self) -> None:
        found = Recording((venus(),), 100.0, marks=[(20.0, "m")], disturbed_s=[10.0, 50.0])
        for at_s in range(101):
            grid_w = 100 if 20 <= at_s < 25 else -900 if at_s > 50 else 0
            found.observations.append(Observation(at_s, grid_w, 0, (0.0,), (0.5,), 0))
        self.check(metrics(found), settle_mean_s=5.0, overshoot_max_w=0)

    def test_ten_seconds_of_calm_are_enough(self) -> None:
        found = run(lambda t: 100 if t < 30 else 0, 40, marks=(20,))
        self.check(found, unsettled_events=0, settle_mean_s=10.0)
        found = run(lambda t: 100 if t < 31 else 0, 40, marks=(20,))
        self.check(found, unsettled_events=1)

    def test_what_the_script_takes_out_of_a_pack_is_no_loss(self) -> None:
        found = Recording((venus(),), 60.0, given_wh=-2560.0)
        for at_s in range(61):
            soc = 0.5 if at_s < 30 else 0.0
            found.observations.append(Observation(at_s, 0, 0, (0.0,), (soc,), 0))
        self.assertEqual(metrics(found)["fair_regret_ct"], 0)

    def test_energy_is_counted_by_phase_with_what_was_seen_before(self) -> None:
        found = Recording((venus(),), 60.0)
        for at_s, phases in ((0, (360.0, -720.0, 0.0)), (10, (0.0, 0.0, 0.0))):
            found.observe(Observation(at_s, sum(phases), 0, (0.0,), (0.5,), 0, phases))
        self.check(metrics(found), import_a_wh=0.5, export_b_wh=1.0, import_wh=0.0, export_wh=0.5)

    def test_percentiles_are_interpolated(self) -> None:
        self.assertAlmostEqual(percentile([1, 2, 3, 4], 0.95), 3.85)
        self.assertAlmostEqual(percentile([26, 33], 0.95), 32.65)
        self.assertEqual(percentile([], 0.95), 0)

    def test_dumping_stored_energy_does_not_pay(self) -> None:
        calm = run(lambda _t: 0, 3600)

        def dump(t: float) -> tuple[float, ...]:
            return (1000.0,)

        found = Recording((venus(),), 3600.0)
        for at_s in range(3601):
            soc = 0.5 - at_s / 3600 * 1000 / 5120
            found.observations.append(Observation(at_s, -1000, 0, dump(at_s), (soc,), 0))
        self.assertLess(metrics(found)["grid_cost_ct"], calm["grid_cost_ct"])
        self.assertGreater(metrics(found)["fair_regret_ct"], calm["fair_regret_ct"] + 5)
