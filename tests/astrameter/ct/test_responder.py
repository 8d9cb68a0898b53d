"""The responder at a fake transport and clock, and as a service (ct-protocol.md 11, 13, 14)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.ct.answer import MAX_ANSWER
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.fleet import MAX_CONSUMERS
from astrameter.ct.options import CtOptions
from astrameter.ct.responder import SWEEP_EVERY_S, CtResponder
from astrameter.events import Bus, CtAnswered, CtRemoved
from astrameter.filters.throttle import Throttle
from astrameter.meters.options import EVERYBODY
from astrameter.reading import MeterError, Sample
from astrameter.routing import Route
from tests.astrameter.ct.rig import BATTERY, NOON, PEER, Caller, Rig, StubController, parsed
from tests.doubles import FakeUDPReactor, StubMeter, routes_for

ELSEWHERE = ("192.168.1.60", 22222)
STRANGER = BATTERY.but(address=("10.9.9.9", 22222))


def texts(events: Any, level: LogLevel = LogLevel.info) -> list[str]:
    """The messages at ``level`` or above."""
    return [
        e["log_format"].format(**e) for e in events if e["log_level"] >= level and e["log_format"]
    ]


class Answering(SynchronousTestCase):
    def test_the_answer_goes_to_where_the_poll_came_from(self) -> None:
        rig = Rig()
        rig.send(BATTERY, ELSEWHERE)
        self.assertEqual([address for _, address in rig.take()], [ELSEWHERE])

    def test_one_datagram_one_answer(self) -> None:
        rig = Rig()
        for _ in range(3):
            self.assertEqual(len(rig.replies(BATTERY)), 1)

    def test_nonsense_is_not_answered(self) -> None:
        rig = Rig()
        for datagram in (b"", b"hame!", b"HAME", b"{}", b"\x01\x02", BATTERY.datagram * 2):
            rig.send(datagram)
        self.assertEqual(rig.take(), [])
        self.assertEqual(rig.meter.reads, 0)

    def test_a_battery_that_searches_is_told_where_we_are(self) -> None:
        rig = Rig(ct_mac="0011")
        rig.send(b"hame", ELSEWHERE)
        self.assertEqual(rig.take(), [(b"ack", ELSEWHERE)])
        self.assertEqual(len(rig.ct.fleet), 0)

    def test_a_client_without_a_meter_is_answered_and_the_meter_not_read(self) -> None:
        rig = Rig(reading_w=100)
        self.assertEqual(rig.reply(STRANGER).total, 0)
        self.assertEqual(rig.meter.reads, 0)

    def test_bursts_are_answered_once_within_the_dedupe_window(self) -> None:
        rig = Rig(dedupe_s=0.5)
        answered = []
        for _ in range(8):
            answered.append(len(rig.replies(BATTERY)))
            rig.clock.advance(0.125)
        self.assertEqual(answered, [1, 0, 0, 0, 1, 0, 0, 0])

    def test_steps_of_the_wall_clock_disturb_nothing(self) -> None:
        rig = Rig(dedupe_s=0.5)
        now = [NOON]
        rig.protocol._wall_clock = lambda: now[0]
        rig.replies(PEER)
        for step in (timedelta(days=-400), timedelta(days=800)):
            now[0] = NOON + step
            rig.clock.advance(1)
            self.assertEqual(len(rig.replies(BATTERY)), 1)
        rig.clock.advance(SWEEP_EVERY_S)
        self.assertEqual(len(rig.ct.fleet), 2)

    def test_a_socket_that_cannot_send_is_told_of_rarely(self) -> None:
        rig = Rig()

        def write(_datagram: bytes, _addr: Any) -> None:
            raise OSError("network is unreachable")

        rig.transport.write = write  # type: ignore[method-assign]
        with capturedLogs() as events:
            for _ in range(50):
                rig.send(BATTERY)
        (text,) = texts(events, LogLevel.warn)
        self.assertIn("network is unreachable", text)

    def test_names_too_long_for_an_answer_are_told_of_rarely(self) -> None:
        rig = Rig()
        with capturedLogs() as events:
            for number in range(50):
                self.assertEqual(rig.replies(BATTERY.but(mac=f"{number:0200}")), [])
        (text,) = texts(events)
        self.assertIn("gets no answer", text)


class SlowMeter(SynchronousTestCase):
    def test_it_does_not_delay_others_and_answers_leave_as_the_reads_end(self) -> None:
        rig = Rig(reading_w=7)
        reads = rig.meter.hold_back()
        rig.send(BATTERY)
        rig.send(PEER)
        self.assertEqual(rig.reply(STRANGER.but(mac="FF")).index, 0)
        reads[1].callback(rig.meter.sample(10))
        reads[0].callback(rig.meter.sample(10))
        sent = [(parsed(datagram).index, address) for datagram, address in rig.take()]
        self.assertEqual(sent, [(1, PEER.address), (2, BATTERY.address)])

    def assert_one_answer(self, rig: Rig, reads: list[Deferred[Sample]]) -> None:
        rig.send(BATTERY)
        rig.clock.advance(1)
        rig.send(BATTERY.but(phase="B"))
        rig.clock.advance(1)
        rig.send(BATTERY.but(phase="C", power_w=70), ELSEWHERE)
        self.assertEqual(rig.meter.reads, 1)
        reads[0].callback(rig.meter.sample(10))
        ((datagram, address),) = rig.take()
        self.assertEqual((parsed(datagram).phases, address), ([0, 0, 7], ELSEWHERE))
        (event,) = rig.told()
        self.assertEqual(event.data["reported_power"], 70)

    def test_a_battery_that_repeats_its_poll_is_answered_once_with_its_newest_report(self) -> None:
        rig = Rig(reading_w=7)
        self.assert_one_answer(rig, rig.meter.hold_back())

    def test_the_same_when_the_wait_for_a_fresh_sample_is_over_at_once(self) -> None:
        """Polled meters with WAIT_FOR_NEXT_MESSAGE, which is the default."""
        rig = Rig(reading_w=7, wait=True)
        self.assert_one_answer(rig, rig.meter.hold_back())

    def test_the_next_poll_after_the_answer_is_answered(self) -> None:
        for wait in (False, True):
            rig = Rig(wait=wait)
            reads = rig.meter.hold_back()
            for number in range(3):
                rig.send(BATTERY)
                reads[number].callback(rig.meter.sample(10))
                self.assertEqual(len(rig.take()), 1)

    def test_a_wait_for_a_fresh_sample_delays_the_answer(self) -> None:
        rig = Rig(wait=True)
        rig.meter.fresh = fresh = Deferred()
        rig.send(BATTERY)
        self.assertEqual((rig.take(), rig.meter.reads), ([], 0))
        fresh.callback(None)
        self.assertEqual(len(rig.take()), 1)

    def test_sweeps_meanwhile_leave_the_battery_alone(self) -> None:
        for wait in (False, True):
            rig = Rig(reading_w=7, wait=wait)
            reads = rig.meter.hold_back()
            rig.send(BATTERY.but(phase="B", power_w=70))
            for _ in range(20):
                rig.clock.advance(SWEEP_EVERY_S)
            self.assertEqual(rig.removed, [])
            reads[0].callback(rig.meter.sample(10))
            self.assertEqual(parsed(rig.take()[0][0]).phases, [0, 7, 0])
            (event,) = rig.told()
            self.assertEqual(
                (event.data["phase"], event.data["device_type"], event.data["consumer_count"]),
                ("B", "HMG-50", 1),
            )
            self.assertEqual(rig.stub.calls[-1][2], [BATTERY.id])
            rig.clock.advance(SWEEP_EVERY_S)
            rig.clock.advance(0)
            self.assertEqual(rig.removed, [BATTERY.id])

    def test_waiting_polls_are_bounded_however_many_are_sent(self) -> None:
        rig = Rig()
        reads = rig.meter.hold_back()
        for number in range(3 * MAX_CONSUMERS):
            rig.send(BATTERY.but(mac=str(number)))
            rig.send(BATTERY.but(mac=str(number)))
        self.assertEqual(len(reads), MAX_CONSUMERS)
        for read in reads:
            read.callback(rig.meter.sample(1))
        self.assertEqual(len(rig.take()), MAX_CONSUMERS)
        self.assertEqual((rig.protocol._reads, rig.ct._waiting), ({}, {}))

    def test_a_throttled_meter_answers_everybody_from_one_read(self) -> None:
        rig = Rig(reading_w=7)
        throttle = Throttle(rig.meter, 10.0, rig.clock, "METER")
        rig.routes.replace([Route(rig.meter, throttle, EVERYBODY, True)])
        rig.replies(BATTERY)
        for _ in range(9):
            rig.clock.advance(1)
            rig.send(BATTERY)
            rig.send(PEER)
        self.assertEqual(rig.take(), [])
        rig.clock.advance(1)
        self.assertEqual([address for _, address in rig.take()], [BATTERY.address, PEER.address])
        self.assertEqual(rig.meter.reads, 2)
        (_, _, fleet) = rig.stub.calls[-1]
        self.assertEqual(fleet, [BATTERY.id, PEER.id])


class Stopping(SynchronousTestCase):
    def test_reads_under_way_are_cancelled_and_nothing_is_sent_or_left(self) -> None:
        for wait in (False, True):
            rig = Rig(wait=wait)
            reads = rig.meter.hold_back()
            rig.send(BATTERY)
            with capturedLogs() as events:
                rig.protocol.doStop()
                rig.clock.advance(100)
            self.assertEqual(rig.meter.cancelled, reads)
            self.assertEqual(texts(events), [])
            self.assertEqual(rig.take(), [])
            self.assertEqual(rig.clock.getDelayedCalls(), [])
            self.assertEqual(rig.ct._waiting, {})

    def test_throttled_reads_leave_nothing_on_the_clock(self) -> None:
        rig = Rig()
        throttle = Throttle(rig.meter, 10.0, rig.clock, "METER")
        rig.routes.replace([Route(rig.meter, throttle, EVERYBODY, True)])
        for caller in (BATTERY, BATTERY, PEER):
            rig.send(caller)
        rig.told()
        self.assertEqual(len(rig.clock.getDelayedCalls()), 2)
        rig.protocol.doStop()
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_a_read_that_ends_after_all_is_not_sent(self) -> None:
        rig = Rig()
        read: Deferred[Sample] = Deferred(lambda d: d.callback(rig.meter.sample(5)))
        rig.meter.read = lambda: read  # type: ignore[method-assign]
        rig.send(BATTERY)
        rig.protocol.doStop()
        self.assertEqual(rig.take(), [])

    def test_it_can_be_started_again(self) -> None:
        rig = Rig()
        rig.protocol.doStop()
        rig.protocol.makeConnection(rig.transport)
        self.assertEqual(len(rig.replies(BATTERY)), 1)
        self.assertEqual(len(rig.clock.getDelayedCalls()), 2)  # a sweep, an event


class FailingMeter(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig(reading_w=500)

    def polls(self, count: int, reading: Any, every_s: float = 1.0) -> list[str]:
        """What is logged at INFO and above during ``count`` polls."""
        self.rig.meter.script(reading)
        with capturedLogs() as events:
            for _ in range(count):
                self.rig.send(BATTERY)
                self.rig.clock.advance(every_s)
        return [f"{e['log_level'].name}: {t}" for e, t in zip(events, texts(events), strict=True)]

    def test_batteries_are_told_to_hold(self) -> None:
        self.rig.meter.script("error")
        for phase in "ABCD0":
            reply = self.rig.reply(BATTERY.but(phase=phase))
            self.assertEqual((reply.phases, reply.total), ([0, 0, 0], 0))
        self.assertEqual(self.rig.stub.calls, [])

    def test_the_next_good_reading_resumes(self) -> None:
        self.rig.meter.script("error")
        self.rig.reply(BATTERY)
        self.rig.meter.script([5])
        self.assertEqual(self.rig.reply(BATTERY).total, 500)

    def test_the_first_failure_is_told_then_one_in_thirty_seconds_then_the_recovery(self) -> None:
        self.polls(2, [5])
        lines = self.polls(55, "error")
        self.assertEqual(len(lines), 2)
        for line, count in zip(lines, (1, 31), strict=True):
            self.assertIn("warn: [METER] reading for battery polls failed", line)
            self.assertIn(f"({count} in a row): the test wants it to fail", line)
        (line,) = self.polls(5, [5])
        self.assertIn("info: [METER] reading for battery polls works again after 55 fail", line)

    def test_a_new_failure_is_told_at_once(self) -> None:
        self.polls(1, "error")
        self.polls(1, [5])
        self.assertEqual(len(self.polls(1, "error")), 1)

    def test_readings_that_are_no_numbers_are_failures_and_poison_nothing(self) -> None:
        for bad in (float("nan"), float("inf"), -float("inf"), 1e300):
            self.rig.meter.script([bad, 1, 2])
            self.assertEqual(self.rig.reply(BATTERY).total, 0)
        self.rig.ct.active_control = False
        self.rig.meter.script([float("nan"), 1, 2])
        self.assertEqual(self.rig.reply(PEER).total, 0)
        self.rig.ct.active_control = True
        self.rig.meter.script([1, 2, 3])
        self.assertEqual(self.rig.reply(BATTERY.but(ct_type="HME-3")).total, 500)
        self.assertEqual(self.rig.reply(PEER).total, 500)

    def test_a_defect_of_a_meter_holds_and_is_logged_once_with_its_trace(self) -> None:
        self.polls(3, KeyError("power"))
        failures = self.flushLoggedErrors(KeyError)
        self.assertEqual(len(failures), 1)
        self.rig.take()
        self.assertEqual(self.rig.reply(BATTERY).total, 0)

    def test_a_meter_that_raises_instead_of_failing_holds_too(self) -> None:
        def read() -> Deferred[Sample]:
            raise KeyError("power")

        self.rig.meter.read = read  # type: ignore[method-assign]
        self.assertEqual(self.rig.reply(BATTERY).total, 0)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_failure_while_a_battery_waits_holds_it(self) -> None:
        reads = self.rig.meter.hold_back()
        self.rig.send(BATTERY)
        reads[0].errback(Failure(MeterError("timeout", "no answer in 5 s")))
        ((datagram, _),) = self.rig.take()
        self.assertEqual(parsed(datagram).total, 0)

    def test_an_error_stays_with_the_poll_it_belongs_to(self) -> None:
        def instruct(battery: Any, *_args: Any) -> float:
            if battery.consumer_id == BATTERY.id:
                raise ZeroDivisionError
            return 5.0

        self.rig.stub.instruct = instruct  # type: ignore[method-assign, assignment]
        for _ in range(20):
            self.assertEqual(self.rig.replies(BATTERY), [])
            self.assertEqual(self.rig.reply(PEER).total, 5)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Observers(SynchronousTestCase):
    def test_one_that_raises_never_affects_an_answer(self) -> None:
        rig = Rig(reading_w=5)

        def observe(_event: CtAnswered) -> None:
            raise RuntimeError("broken observer")

        rig.bus.subscribe(CtAnswered, observe, name="broken")
        for _ in range(5):
            self.assertEqual(rig.reply(BATTERY).total, 5)
            rig.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(rig.events), 5)

    def test_a_slow_one_never_delays_an_answer(self) -> None:
        rig = Rig(reading_w=5)
        rig.bus.subscribe(CtAnswered, lambda _event: Deferred(), name="slow", limit=10)
        for _ in range(100):
            self.assertEqual(rig.reply(BATTERY).total, 5)
            rig.clock.advance(0.1)
        self.assertEqual(len(rig.events), 100)

    def test_the_answer_is_sent_before_any_observer_runs(self) -> None:
        rig = Rig()
        rig.send(BATTERY)
        self.assertEqual((len(rig.take()), rig.events), (1, []))
        self.assertEqual(len(rig.told()), 1)

    def test_silent_batteries_are_swept_every_five_seconds_and_told_of(self) -> None:
        rig = Rig()
        rig.send(BATTERY)
        for _ in range(7):
            rig.clock.advance(SWEEP_EVERY_S)
        rig.clock.advance(0)
        self.assertEqual(rig.removed, [BATTERY.id])
        self.assertEqual(len(rig.ct.fleet), 0)
        self.assertEqual(rig.stub.forgotten, [BATTERY.id])

    def test_a_battery_that_had_to_make_room_is_told_of(self) -> None:
        rig = Rig()
        for number in range(MAX_CONSUMERS + 2):
            rig.send(BATTERY.but(mac=str(number)))
        rig.clock.advance(0)
        self.assertEqual(rig.removed, ["0", "1"])


class Service(SynchronousTestCase):
    PORT = 12345

    def setUp(self) -> None:
        self.reactor = FakeUDPReactor(1000.0)
        self.meter = StubMeter([10.0])
        self.bus = Bus(self.reactor)
        self.removed: list[str] = []
        self.bus.subscribe(CtRemoved, lambda e: self.removed.append(e.consumer_id), name="test")
        self.responder = self.make("device-1")

    def make(self, device_id: str) -> CtResponder:
        ct = EmulatedCt("HME-4", CtOptions(), 0.0, StubController(5))
        routes = routes_for([(self.meter, ["0.0.0.0/0"])])
        return CtResponder(
            self.reactor,
            device_id,
            self.PORT,
            ct,
            routes,
            self.bus,
            lambda: NOON,
        )

    def ask(self, caller: Caller = BATTERY) -> list[bytes]:
        self.reactor.deliver(self.PORT, caller.datagram, caller.address)
        return self.reactor.ports[self.PORT].take() if self.reactor.ports else []

    def test_it_is_a_service(self) -> None:
        verifyObject(IService, self.responder)

    def test_it_listens_on_every_interface_while_it_runs(self) -> None:
        self.assertEqual(self.ask(), [])
        self.responder.startService()
        self.assertEqual(self.reactor.ports[self.PORT].getHost().host, "0.0.0.0")
        (datagram,) = self.ask()
        self.assertLessEqual(len(datagram), MAX_ANSWER)
        stopped = self.responder.stopService()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.ask(), [])

    def test_stopping_leaves_nothing_on_the_clock(self) -> None:
        self.responder.startService()
        reading: Deferred[Any] = Deferred()
        self.meter.reading = reading
        self.ask()
        stopped = self.responder.stopService()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        reading.callback([1.0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_can_be_stopped_before_it_was_started_and_started_again_after_it(self) -> None:
        self.successResultOf(self.responder.stopService())
        for _ in range(2):
            self.responder.startService()
            self.assertEqual(len(self.ask()), 1)
            stopped = self.responder.stopService()
            self.reactor.advance(0)
            self.successResultOf(stopped)

    def test_its_batteries_are_known_after_a_restart_of_the_service(self) -> None:
        self.responder.startService()
        self.ask()
        self.responder.stopService()
        self.reactor.advance(1)
        self.responder.startService()
        self.assertEqual(len(self.responder.ct.fleet), 1)

    def test_the_port_is_bound_while_privileges_last(self) -> None:
        family = MultiService()
        self.responder.setServiceParent(family)
        family.privilegedStartService()
        self.assertTrue(self.responder.listening)
        family.startService()
        self.assertEqual(len(self.ask()), 1)

    def test_a_port_that_cannot_be_bound_is_an_error_of_the_start(self) -> None:
        self.responder.startService()
        second = self.make("device-2")
        for start in (second.privilegedStartService, second.startService):
            self.assertRaises(CannotListenError, start)
            self.assertFalse(second.listening)
            self.assertFalse(second.running)
        self.successResultOf(second.stopService())
        self.assertEqual(len(self.ask()), 1)
