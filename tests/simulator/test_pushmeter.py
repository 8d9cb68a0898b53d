"""The simulated meter inside the appliance."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.config import load_text
from astrameter.meters.interface import IMeter, MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.reading import MeterError, PhaseWatts
from simulator.gridmeter import GridMeter
from simulator.pushmeter import SimulatedMeter, simulated_kind

START = 1000.0


class PushCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START)

    def truth(self, now: float) -> PhaseWatts:
        """The grid power on phase A is the time since the start."""
        return (now - START, 0.0, -7.0)

    def meter(self, kind: MeterKind[MeterOptions]) -> IMeter:
        meter = kind.build(self.clock, "SIMULATED_2", MeterOptions())
        self.addCleanup(self.stop, meter)
        return meter

    def stop(self, meter: IMeter) -> None:
        if meter.running:
            meter.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def pushing(self, interval_s: float = 1.0, latency_s: float = 0.0) -> IMeter:
        meter = self.meter(simulated_kind(GridMeter(self.truth, interval_s, latency_s)))
        meter.startService()
        return meter

    def shown(self, meter: IMeter) -> float:
        return self.successResultOf(meter.read()).watts[0]


class Pushed(PushCase):
    def test_it_is_a_meter(self) -> None:
        meter = self.pushing()
        verifyObject(IMeter, meter)
        self.assertEqual(meter.section, "SIMULATED_2")
        self.assertEqual(simulated_kind(GridMeter(self.truth)).section.name, "SIMULATED")

    def test_a_reading_every_interval(self) -> None:
        meter = self.pushing()
        self.assertTrue(meter.online)
        seen = []
        for _ in range(8):
            seen.append(self.shown(meter))
            self.clock.advance(0.5)
        self.assertEqual(seen, [0, 0, 1, 1, 2, 2, 3, 3])

    def test_a_reading_is_delivered_after_the_latency(self) -> None:
        meter = self.pushing(1.0, 0.4)
        self.assertFalse(meter.online)
        self.failureResultOf(meter.read(), MeterError)
        seen = []
        for _ in range(12):
            self.clock.advance(0.2)
            if meter.online:
                seen.append(self.shown(meter))
        self.assertEqual(seen, [0] * 5 + [1] * 5 + [2])

    def test_a_latency_longer_than_the_interval(self) -> None:
        meter = self.pushing(1.0, 2.5)
        for _ in range(100):
            self.clock.advance(0.1)
        self.assertApproximates(self.shown(meter), 7.0, 0.01)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 4)

    def test_the_sample_is_dated_at_its_arrival(self) -> None:
        meter = self.pushing(1.0, 0.4)
        self.clock.advance(0.5)
        self.assertApproximates(self.successResultOf(meter.read()).measured_at, START + 0.5, 0.11)

    def test_a_waiting_reader_gets_the_next_one(self) -> None:
        meter = self.pushing()
        waiting = meter.next_sample(2.0)
        self.clock.advance(0.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.successResultOf(waiting)
        self.assertEqual(self.shown(meter), 1)

    def test_it_can_be_started_again(self) -> None:
        meter = self.pushing(1.0, 0.4)
        self.clock.advance(1.0)
        meter.stopService()
        self.clock.advance(10.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        meter.startService()
        self.clock.advance(0.4)
        self.assertEqual(self.shown(meter), 11)

    def test_a_meter_without_interval_cannot_push(self) -> None:
        self.assertRaises(
            ValueError, SimulatedMeter, self.clock, "SIMULATED", GridMeter(self.truth, 0)
        )


class Asked(PushCase):
    def test_it_is_read_at_each_poll(self) -> None:
        meter = self.meter(simulated_kind(GridMeter(self.truth, 1.0, 0.5), pushed=False))
        verifyObject(IMeter, meter)
        meter.startService()
        seen = []
        for _ in range(6):
            seen.append(self.shown(meter))
            self.clock.advance(0.5)
        self.assertEqual(seen, [0, 0, 0.5, 0.5, 1.5, 1.5])
        self.successResultOf(meter.next_sample(2.0))


class Configured(PushCase):
    def test_a_file_may_name_it_like_any_other_meter(self) -> None:
        kind = simulated_kind(GridMeter(self.truth))
        text = "[SIMULATED]\nTHROTTLE_INTERVAL = 2\n"
        configured = load_text(text, "config.ini", extra_kinds=[kind]).meters[0]
        self.assertIs(configured.kind, kind)
        self.assertEqual(configured.options.throttle_interval, 2)
        meter = configured.kind.build(self.clock, configured.section, configured.options)
        verifyObject(IMeter, meter)
