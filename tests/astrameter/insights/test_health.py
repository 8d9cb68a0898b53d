"""Whether meters work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.filters.health import Health
from astrameter.insights.health import PROBE_WITHIN_S, RECENT_S, HealthCheck
from astrameter.insights.inventory import MeterDevice
from tests.doubles import StubMeter


class Broken(StubMeter):
    @property
    def online(self) -> bool | None:  # type: ignore[override]
        raise RuntimeError("a defect")


class Looking(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, bool, tuple[float, ...]]] = []
        self.check = HealthCheck(self.clock, self.tell)

    def tell(self, section: str, online: bool, watts: Sequence[float]) -> None:
        self.told.append((section, online, tuple(watts)))

    def device(self, reading: Any = (5.0,), section: str = "M") -> tuple[StubMeter, MeterDevice]:
        meter = StubMeter(reading, section)
        return meter, MeterDevice(section, meter, Health(meter, self.clock))

    def test_an_idle_meter_is_read(self) -> None:
        meter, device = self.device((1.0, 2.0))
        self.check.look_at([device])
        self.assertEqual(self.told, [("M", True, (1.0, 2.0))])
        self.assertEqual(meter.reads, 1)

    def test_one_that_batteries_have_just_read_is_not(self) -> None:
        meter, device = self.device()
        self.successResultOf(device.chain.read())
        self.clock.advance(RECENT_S)
        self.check.look_at([device])
        self.assertEqual((self.told, meter.reads), ([("M", True, (5.0,))], 1))
        self.clock.advance(0.1)
        self.check.look_at([device])
        self.assertEqual(meter.reads, 2)

    def test_one_that_has_just_failed_is_away(self) -> None:
        meter, device = self.device("error")
        self.failureResultOf(device.chain.read())
        self.check.look_at([device])
        self.assertEqual((self.told, meter.reads), ([("M", False, ())], 1))

    def test_one_that_fails_or_has_nothing_is_away(self) -> None:
        for reading in ("error", ()):
            self.check.look_at([self.device(reading)[1]])
        self.assertEqual(self.told, [("M", False, ())] * 2)

    def test_a_defect_of_one_hides_no_other(self) -> None:
        meter = Broken((1.0,), "BROKEN")
        broken = MeterDevice("BROKEN", meter, Health(meter, self.clock))
        self.check.look_at([broken, self.device(ValueError("x"), "WRONG")[1], self.device()[1]])
        self.assertEqual([one[:2] for one in self.told], [("BROKEN", 0), ("WRONG", 0), ("M", 1)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError, ValueError)), 2)

    def test_a_pushed_meter_says_itself_whether_its_stream_is_up(self) -> None:
        for streaming in (True, False):
            meter, device = self.device()
            meter.online = streaming
            self.check.look_at([device])
        self.assertEqual(self.told, [("M", True, (5.0,)), ("M", False, (5.0,))])

    def test_one_that_is_up_and_has_no_value_is_up(self) -> None:
        meter, device = self.device("error")
        meter.online = True
        self.check.look_at([device])
        self.assertEqual(self.told, [("M", True, ())])

    def test_a_slow_one_delays_no_other_and_is_given_up(self) -> None:
        slow, device = self.device(Deferred(), "SLOW")
        self.check.look_at([device, self.device()[1]])
        self.assertEqual(self.told, [("M", True, (5.0,))])
        self.check.look_at([device])
        self.assertEqual(slow.reads, 1)
        self.clock.advance(PROBE_WITHIN_S)
        self.assertEqual(self.told[1:], [("SLOW", False, ())])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_the_end_nothing_is_told(self) -> None:
        waiting: Deferred[Any] = Deferred()
        _, device = self.device(waiting)
        self.check.look_at([device])
        self.check.stop()
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))
        waiting.callback((1.0,))
        self.assertEqual(self.told, [])

    def test_a_read_that_others_cancel_is_no_failure_of_the_meter(self) -> None:
        _, device = self.device(CancelledError())
        self.check.look_at([device])
        self.assertEqual(self.told, [])
