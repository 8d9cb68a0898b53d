"""The socket and the clock of a battery."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.logger import LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from simulator.batteries import service as module
from simulator.batteries.battery import Battery
from simulator.batteries.service import BatteryService
from tests.doubles import FakeUDPPort, FakeUDPReactor
from tests.simulator.batteries.rig import config, sent, steered

CT = ("192.168.1.5", 12345)
PORT = 22222
START = 1000.0


class Rig:
    """A battery and a CT that answers after ``latency_s``, or not at all (None)."""

    def __init__(self, seed: int = 1, first_poll_s: float | None = 0.0, **changes: Any) -> None:
        self.reactor = FakeUDPReactor(START)
        self.battery = Battery(config(**changes))
        self.service = BatteryService(
            self.battery, self.reactor, CT, Random(seed), port=PORT, first_poll_s=first_poll_s
        )
        self.latency_s: float | None = 0.0
        self.copies = 1
        self.reply: Callable[[bytes], bytes] = lambda _: steered(40)
        self.polled_at: list[float] = []
        self.datagrams: list[bytes] = []

    @property
    def port(self) -> FakeUDPPort:
        return self.reactor.ports[PORT]

    def run(self, seconds: float, tick_s: float = 0.01) -> None:
        for _ in range(round(seconds / tick_s)):
            self.pump()
            self.reactor.advance(tick_s)
        self.pump()

    def pump(self) -> None:
        for datagram, address in self.port.sent:
            assert address == CT
            self.polled_at.append(round(self.reactor.seconds() - START, 3))
            self.datagrams.append(datagram)
            for _ in range(self.copies if self.latency_s is not None else 0):
                self.reactor.callLater(self.latency_s, self.answer, self.reply(datagram))
        self.port.take()
        self.reactor.advance(0)

    def answer(self, datagram: bytes) -> None:
        self.reactor.deliver(PORT, datagram, CT)

    @property
    def gaps(self) -> list[float]:
        return [round(b - a, 2) for a, b in pairwise(self.polled_at)]


class RigCase(SynchronousTestCase):
    """Starts rigs, and checks that they leave no timer behind."""

    def rig(self, **options: Any) -> Rig:
        rig = Rig(**options)
        rig.service.startService()
        self.addCleanup(self.close, rig)
        return rig

    def close(self, rig: Rig) -> None:
        if rig.service.running:
            stopped = rig.service.stopService()
            rig.reactor.advance(0)
            self.successResultOf(stopped)
        rig.reactor.advance(30)
        self.assertEqual(rig.reactor.getDelayedCalls(), [])


class Polling(RigCase):
    def test_it_is_a_service(self) -> None:
        verifyObject(IService, Rig().service)

    def test_it_polls_and_follows(self) -> None:
        rig = self.rig()
        rig.run(3.0)
        self.assertGreater(rig.battery.power_w, 30)
        self.assertEqual(sent(rig.datagrams[0]), ("A", 0))
        self.assertGreater(sent(rig.datagrams[-1])[1], 30)

    def test_the_cadence_of_each_family(self) -> None:
        for changes, wanted in (
            ({"device_type": "VNSE3-0"}, 0.45),
            ({"device_type": "VNSD-0", "report_index": 1}, 1.65),
            ({"device_type": "HMG-50", "report_index": 0}, 0.81),
            ({"device_type": "HMG-50"}, 2.01),
            ({"device_type": "HMG-50", "report_index": 2}, 3.21),
            ({"poll_interval_s": 1.0}, 1.0),
        ):
            rig = self.rig(**changes)
            rig.run(10.0)
            for gap in rig.gaps:
                self.assertApproximates(gap, wanted, 0.011)

    def test_without_an_answer_a_venus_e3_tries_again_after_0_9_seconds(self) -> None:
        rig = self.rig(report_index=2)
        rig.latency_s = None
        rig.run(10.0)
        for gap in rig.gaps:
            self.assertApproximates(gap, 0.9, 0.011)

    def test_a_duplicate_brings_no_pause_after_the_poll(self) -> None:
        rig = self.rig(device_type="HMG-50", report_index=2)
        rig.reply = lambda _: steered(0, index=7)
        rig.run(10.0)
        self.assertApproximates(rig.gaps[0], 3.21, 0.011)
        self.assertApproximates(rig.gaps[1], 0.81, 0.011)

    def test_a_second_answer_to_a_poll_does_not_move_the_next(self) -> None:
        polled_at = []
        for copies in (1, 2):
            rig = self.rig(poll_jitter_s=0.2)
            rig.copies = copies
            rig.run(10.0)
            polled_at.append(rig.polled_at)
        self.assertEqual(polled_at[0], polled_at[1])

    def test_a_slow_answer_does_not_delay_the_next_poll(self) -> None:
        rig = self.rig()
        rig.latency_s = 0.3
        rig.run(5.0)
        for gap in rig.gaps:
            self.assertApproximates(gap, 0.45, 0.011)

    def test_an_answer_later_than_the_interval_is_taken_all_the_same(self) -> None:
        rig = self.rig(poll_interval_s=1.0)
        rig.latency_s = 1.7
        rig.run(5.0)
        self.assertGreater(rig.battery.setpoint_w, 0)
        self.assertApproximates(max(rig.gaps), 1.0, 0.011)

    def test_silence_piles_up_no_timers(self) -> None:
        rig = self.rig()
        rig.latency_s = None
        for _ in range(20):
            rig.run(3.0)
            self.assertEqual(len(rig.reactor.getDelayedCalls()), 1)

    def test_jitter_stays_within_its_width_and_is_repeated_by_the_seed(self) -> None:
        gaps = []
        for seed in (1, 1, 2):
            rig = self.rig(seed=seed, poll_interval_s=1.0, poll_jitter_s=0.5)
            rig.run(60.0)
            gaps.append(rig.gaps)
        self.assertEqual(gaps[0], gaps[1])
        self.assertNotEqual(gaps[0], gaps[2])
        self.assertGreaterEqual(min(gaps[0]), 0.49)
        self.assertLessEqual(max(gaps[0]), 1.51)
        self.assertGreater(max(gaps[0]) - min(gaps[0]), 0.6)

    def test_polls_are_at_least_50_milliseconds_apart(self) -> None:
        rig = self.rig(poll_interval_s=0.1, poll_jitter_s=0.5)
        rig.run(10.0)
        self.assertGreaterEqual(min(rig.gaps), 0.04)  # the clock ticks every 0.01 s

    def test_the_first_poll_comes_within_one_interval(self) -> None:
        for seed in range(5):
            rig = self.rig(seed=seed, first_poll_s=None, poll_interval_s=1.0)
            rig.run(1.1)
            self.assertLessEqual(rig.polled_at[0], 1.0)

    def test_time_before_the_start_does_not_count(self) -> None:
        rig = self.rig(initial_power_w=500)
        rig.run(0.1)
        self.assertGreater(rig.battery.soc, 0.4999)

    def test_same_seed_same_bytes(self) -> None:
        runs = []
        for _ in range(2):
            rig = self.rig(poll_jitter_s=0.2, first_poll_s=None)
            rig.reply = lambda request: steered(300 - sent(request)[1])
            rig.run(20.0)
            runs.append(rig.datagrams)
        self.assertEqual(runs[0], runs[1])
        self.assertGreater(len(runs[0]), 30)


class Trouble(RigCase):
    def capture(self) -> list[LogEvent]:
        events: list[LogEvent] = []
        self.patch(module._Polling, "_log", Logger(observer=events.append))
        return events

    def test_it_logs_a_lost_ct_once_and_its_return_once(self) -> None:
        events = self.capture()
        rig = self.rig()
        rig.run(5.0)
        rig.latency_s = None
        rig.run(90.0, 0.05)
        rig.latency_s = 0.0
        rig.run(5.0)
        texts = [event["log_format"] for event in events]
        self.assertEqual(len([text for text in texts if "no CT answers" in text]), 1)
        self.assertEqual(len([text for text in texts if "answers again" in text]), 1)

    def test_a_network_that_refuses_to_send_is_survived_and_logged_once(self) -> None:
        events = self.capture()
        rig = self.rig()
        rig.run(1.0)
        rig.port.send_error = OSError(errno.ENETUNREACH, "Network is unreachable")
        rig.run(5.0)
        polls = len(rig.polled_at)
        rig.port.send_error = None
        rig.run(5.0)
        self.assertGreater(len(rig.polled_at), polls + 5)
        texts = [event["log_format"] for event in events]
        self.assertEqual(len([text for text in texts if "failed" in text]), 1)

    def test_a_stopped_battery_sends_nothing_and_takes_nothing(self) -> None:
        rig = self.rig()
        rig.run(2.0)
        port, before_w = rig.port, rig.battery.setpoint_w
        stopped = rig.service.stopService()
        port.protocol.datagramReceived(steered(900), CT)
        rig.reactor.advance(10.0)
        self.successResultOf(stopped)
        self.assertEqual(port.sent, [])
        self.assertEqual(rig.battery.setpoint_w, before_w)

    def test_it_can_be_started_again(self) -> None:
        rig = self.rig()
        rig.run(2.0)
        stopped = rig.service.stopService()
        rig.reactor.advance(100.0)
        self.successResultOf(stopped)
        soc = rig.battery.soc
        rig.service.startService()
        before = len(rig.polled_at)
        rig.run(2.0)
        self.assertGreater(len(rig.polled_at), before + 2)
        self.assertAlmostEqual(rig.battery.soc, soc, places=4)

    def test_a_taken_port_is_an_error_at_the_start(self) -> None:
        rig = Rig()
        rig.reactor.refused.add(PORT)
        self.assertRaises(CannotListenError, rig.service.startService)

    def test_the_ct_is_an_address_not_a_name(self) -> None:
        for host in ("localhost", "", "192.168.1"):
            self.assertRaises(
                ValueError,
                BatteryService,
                Battery(config()),
                FakeUDPReactor(),
                (host, 12345),
                Random(1),
            )
