"""Recorded traces: good files, bad files, and the pieces that are played of them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.controller import Steering
from simulator.evaluation.bench import run
from simulator.evaluation.cases import cases
from simulator.evaluation.plant import Plant, noise
from simulator.evaluation.scenarios import on_plant, traced
from simulator.evaluation.traces import Trace, TraceError, load_trace
from simulator.household import Household

OFFSETS_S = {  # evaluation.md section 3.2
    (21599, 3600): (17207.661, 4283.125, 4248.630, 11211.608, 14279.328),
    (21599, 10800): (10324.214, 2569.780, 2549.083, 6726.715, 8567.280),
    (25170, 5400): (18900.798, 4704.561, 4666.671, 12314.767, 15684.333),
}


def trace(last_s: int, step_s: int = 1) -> Trace:
    times = tuple(float(t) for t in range(0, last_s + 1, step_s))
    return Trace("t", times, times, ())


class Files(SynchronousTestCase):
    def written(self, text: str) -> Path:
        path = Path(self.mktemp())
        path.write_text(text, "utf-8")
        return path

    def refused(self, path: Path) -> str:
        return str(self.assertRaises(TraceError, load_trace, path))

    def test_comments_headers_blank_and_broken_lines_are_skipped(self) -> None:
        found = load_trace(self.written("# who\n\nt_s,watts\n1,200\nx,y\n2,nan\n0,100\n1,2,3,4\n"))
        self.assertEqual(found.times_s, (0.0, 1.0))
        self.assertEqual(found.load_w, (100.0, 200.0))
        self.assertEqual(found.sun_w, ())

    def test_three_columns_bring_their_own_sun(self) -> None:
        found = load_trace(self.written("t_s,load_w,pv_w\n0,492,1919\n30,500,2000\n"))
        self.assertEqual(found.sun_w, (1919.0, 2000.0))

    def test_a_missing_file_is_named(self) -> None:
        self.assertIn("/nowhere/x.csv: No such file", self.refused(Path("/nowhere/x.csv")))

    def test_a_file_without_samples_is_named_with_what_is_wanted(self) -> None:
        path = self.written("hello\n")
        self.assertIn(str(path), self.refused(path))
        self.assertIn("t_s,watts", self.refused(path))

    def test_a_binary_file_has_no_samples(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(bytes(range(256)))
        self.assertIn("no sample", self.refused(path))

    def test_mixed_columns_are_refused(self) -> None:
        self.assertIn("three", self.refused(self.written("0,1\n1,2,3\n")))

    def test_a_short_trace_is_refused_before_anything_is_run(self) -> None:
        error = self.assertRaises(TraceError, traced, trace(1800))
        self.assertIn("3600 s needs a longer trace", str(error))

    def test_two_files_of_one_kind_are_refused(self) -> None:
        text = "".join(f"{t},500\n" for t in range(0, 10801, 10))
        paths = (self.written(text), self.written(text))
        self.assertIn("two files", str(self.assertRaises(TraceError, cases, None, paths)))


class Pieces(SynchronousTestCase):
    def test_the_offsets_of_the_seeds(self) -> None:
        for (last_s, duration_s), wanted in OFFSETS_S.items():
            for seed, offset_s in enumerate(wanted, 1):
                events = list(trace(last_s).script(duration_s, Random(seed + 1)))
                # The first sample after the start comes when the clock reaches its whole second.
                self.assertAlmostEqual((1 - events[1].at_s) % 1, offset_s % 1, places=3)
                self.assertEqual(events[0].at_s, 0.0)

    def test_the_value_valid_at_the_start_is_there_at_once(self) -> None:
        house = Plant(Household(noise(1), base_noise_w=0.0), [], 1.0, 0.0)
        (first, *_) = trace(4000, 100).script(3600, Random(1))
        first.action(house)
        self.assertEqual(house.household.base_load_w[0] % 100, 0)

    def test_a_prosumer_is_scaled_down(self) -> None:
        house = Plant(Household(noise(1)), [], 1.0, 0.0)
        one = Trace("t", (0.0, 6000.0), (1000.0, 1000.0), (2000.0, 2000.0))
        (first, *_) = one.script(5400, Random(1))
        first.action(house)
        self.assertEqual(house.household.base_load_w[0], 450)
        self.assertEqual(house.household.solar_w, 900)

    def test_a_scenario_plays_it(self) -> None:
        one = Trace("t", tuple(map(float, range(0, 3700))), (800.0,) * 3700, ())
        scenario = next(s for s in traced_short(one) if s.name == "single_venus_trace")
        found = run(on_plant(scenario, "field"), 1, Steering)
        self.assertApproximates(found.observations[-1].outputs_w[0], 800, 30)


def traced_short(one: Trace) -> list:  # type: ignore[type-arg]
    """The scenarios of a trace that is long enough for one hour only."""
    longer = Trace(one.name, (*one.times_s, 20000.0), (*one.load_w, 800.0), ())
    return traced(longer)
