"""One link shared by many readers: order, time, trouble and recovery, in memory."""

from __future__ import annotations

import gc
import weakref
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.backoff import Backoff
from astrameter.modbus.framing import DatagramFraming
from astrameter.modbus.links import TcpLink
from astrameter.modbus.pdu import HOLDING, ModbusError, ReadRequest
from astrameter.modbus.serialline import SerialLink
from astrameter.modbus.session import QUEUE_LIMIT, ModbusSession, shared_session
from tests.astrameter.modbus.rig import (
    FakeLink,
    FakeWire,
    advance,
    answer_pdu,
    refusal_pdu,
    serial_link,
)
from tests.astrameter.mqtt.rig import LogWatch

ONE = ReadRequest(HOLDING, 0, 1)
TWO = ReadRequest(HOLDING, 10, 2)


class SessionTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.log = LogWatch(self)
        self.use(FakeLink())

    def use(self, link: FakeLink) -> None:
        """Start a session of that link; it is over at the end of the test."""
        self.link = link
        self.session = ModbusSession(self.clock, link, Backoff(0.5, 30.0, Random(1)))
        self.session.acquire()
        self.addCleanup(self.assert_it_ends, self.session)

    def assert_it_ends(self, session: ModbusSession) -> None:
        if session._users:
            self.successResultOf(session.release())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(all(wire.closed for wire in self.link.wires))

    @property
    def wire(self) -> FakeWire:
        return self.link.wire

    def read(
        self, request: ReadRequest = ONE, unit: int = 1, timeout_s: float = 1.0
    ) -> Deferred[tuple[int, ...]]:
        return self.session.read(unit, request, timeout_s)

    def error_of(self, reading: Deferred[Any]) -> tuple[str, str]:
        error = self.failureResultOf(reading, ModbusError).value
        assert isinstance(error, ModbusError)
        return error.kind, str(error)

    def time_out(self, times: int = 1) -> None:
        for _ in range(times):
            reading = self.read()
            self.clock.advance(1.0)
            self.failureResultOf(reading, ModbusError)


class Reading(SessionTestCase):
    def test_a_request_is_answered(self) -> None:
        reading = self.read(TWO, unit=3)
        self.assertEqual([frame.hex() for frame in self.wire.sent], ["0001000000060303000a0002"])
        self.assertNoResult(reading)
        self.wire.answer([1, 2], unit=3)
        self.assertEqual(self.successResultOf(reading), (1, 2))

    def test_one_request_at_a_time_in_order(self) -> None:
        readings = [self.read(unit=unit) for unit in (1, 2, 3)]
        for unit, reading in enumerate(readings, 1):
            self.assertEqual(len(self.wire.sent), unit)
            self.wire.answer([unit * 10], unit=unit)
            self.assertEqual(self.successResultOf(reading), (unit * 10,))

    def test_who_got_an_answer_may_ask_at_once(self) -> None:
        first = self.read()
        second = first.addCallback(lambda _: self.read(TWO))
        self.wire.answer([1])
        self.wire.answer([2, 3])
        self.assertEqual(self.successResultOf(second), (2, 3))

    def test_two_frames_in_one_chunk(self) -> None:
        """The second is no answer to anything, and must not disturb."""
        reading = self.read()
        frame = self.wire.framed(answer_pdu([5]))
        self.wire.feed(frame + frame)
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_an_answer_in_pieces(self) -> None:
        reading = self.read()
        for byte in self.wire.framed(answer_pdu([5])):
            self.wire.feed(bytes([byte]))
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_a_refusal_names_unit_and_reason(self) -> None:
        reading = self.read()
        self.wire.feed(self.wire.framed(refusal_pdu(2)))
        kind, text = self.error_of(reading)
        self.assertEqual(kind, "modbus_exception")
        self.assertTrue(text.startswith("unit 1 at device:502: the device refused: "), text)

    def test_too_few_registers(self) -> None:
        reading = self.read(TWO)
        self.wire.answer([1])
        self.assertEqual(self.error_of(reading)[0], "too_short")

    def test_an_answer_of_another_function(self) -> None:
        reading = self.read()
        self.wire.feed(self.wire.framed(answer_pdu([1], 4)))
        self.assertEqual(self.error_of(reading)[0], "bad_structure")

    def test_an_answer_with_another_number_is_not_taken(self) -> None:
        reading = self.read()
        frame = self.wire.framed(answer_pdu([5]))
        self.wire.feed(b"\x12\x34" + frame[2:])
        self.assertNoResult(reading)
        self.wire.feed(frame)
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_a_late_answer_is_not_taken_for_the_next(self) -> None:
        self.time_out()
        late = self.wire.framed(answer_pdu([99]))
        reading = self.read()
        self.wire.feed(late)
        self.assertNoResult(reading)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_an_answer_of_another_unit_is_not_taken_but_mentioned(self) -> None:
        reading = self.read()
        self.wire.answer([5], unit=9)
        self.assertNoResult(reading)
        self.clock.advance(1.0)
        kind, text = self.error_of(reading)
        self.assertEqual(kind, "timeout")
        hint = "did not answer within 1 s; unit 9 answered instead, is UNIT_ID right?"
        self.assertEqual(text, f"unit 1 at device:502 {hint}")

    def test_units_that_mean_the_device_itself_may_be_answered_by_another(self) -> None:
        for unit in (0, 255):
            reading = self.read(unit=unit)
            self.wire.answer([5], unit=1)
            self.assertEqual(self.successResultOf(reading), (5,))

    def test_datagrams(self) -> None:
        self.use(FakeLink(DatagramFraming))
        reading = self.read()
        self.wire.feed(b"junk")
        self.wire.feed(self.wire.framed(answer_pdu([5]))[:-1])
        self.wire.answer([7])
        self.assertEqual(self.successResultOf(reading), (7,))


class Patience(SessionTestCase):
    def test_no_answer_in_time(self) -> None:
        reading = self.read(timeout_s=2.5)
        self.clock.advance(2.4)
        self.assertNoResult(reading)
        self.clock.advance(0.2)
        expected = ("timeout", "unit 1 at device:502 did not answer within 2.5 s")
        self.assertEqual(self.error_of(reading), expected)

    def test_the_time_begins_with_the_sending(self) -> None:
        first, second = self.read(), self.read()
        self.clock.advance(0.9)
        self.wire.answer([1])
        self.successResultOf(first)
        self.clock.advance(0.9)
        self.wire.answer([2])
        self.assertEqual(self.successResultOf(second), (2,))

    def test_who_waits_too_long_for_its_turn_is_told_why(self) -> None:
        self.read(timeout_s=5.0).addErrback(lambda _: None)
        reading = self.read()
        self.clock.advance(1.0)
        kind, text = self.error_of(reading)
        self.assertEqual(kind, "timeout")
        self.assertEqual(text, "device:502 was busy with others and not free within 1 s")
        self.assertEqual(len(self.wire.sent), 1)

    def test_only_so_many_may_wait(self) -> None:
        readings = [self.read() for _ in range(QUEUE_LIMIT + 1)]
        expected = ("timeout", "too many reads wait for device:502")
        self.assertEqual(self.error_of(self.read()), expected)
        # The second has its turn when the first is given up; the others have waited too long.
        self.clock.advance(1.0)
        for reading in (readings.pop(0), *readings[1:]):
            self.assertEqual(self.error_of(reading)[0], "timeout")
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(readings[0]), (5,))

    def test_half_an_answer_ends_the_connection(self) -> None:
        """Nothing tells where the next one begins."""
        reading = self.read()
        self.wire.feed(self.wire.framed(answer_pdu([1]))[:8])
        self.clock.advance(1.0)
        expected = ("timeout", "device:502 stopped in the middle of an answer")
        self.assertEqual(self.error_of(reading), expected)
        self.assertTrue(self.link.wires[0].closed)
        self.clock.advance(0.5)
        again = self.read()
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(again), (5,))

    def test_who_leaves_the_queue_is_not_asked_for(self) -> None:
        first, second = self.read(), self.read(TWO)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.wire.answer([1])
        self.successResultOf(first)
        self.assertEqual(len(self.wire.sent), 1)

    def test_a_request_on_its_way_keeps_the_link_though_who_asked_has_gone(self) -> None:
        first, second = self.read(), self.read(TWO)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len(self.wire.sent), 1)
        self.wire.answer([1])
        self.assertEqual(len(self.wire.sent), 2)
        self.wire.answer([1, 2])
        self.successResultOf(second)

    def test_or_until_its_time_is_over(self) -> None:
        first = self.read()
        second = self.read(TWO, timeout_s=3.0)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(1.0)
        self.wire.answer([1, 2])
        self.successResultOf(second)


class Trouble(SessionTestCase):
    def test_reads_wait_for_the_first_connection(self) -> None:
        link = FakeLink()
        link.hang()
        self.use(link)
        reading = self.read()
        opening, link.opening = link.opening, None
        assert opening is not None
        opening.callback(None)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_but_not_for_long(self) -> None:
        link = FakeLink()
        link.hang()
        self.use(link)
        reading = self.read()
        self.clock.advance(1.0)
        expected = ("connect", "device:502 could not be connected within 1 s")
        self.assertEqual(self.error_of(reading), expected)

    def test_reads_fail_at_once_while_there_is_no_connection(self) -> None:
        link = FakeLink()
        link.refusal = "no route"
        self.use(link)
        expected = ("connect", "device:502 cannot be reached: no route")
        for _ in range(3):
            self.assertEqual(self.error_of(self.read()), expected)
        link.hang()
        link.refusal = ""
        self.clock.advance(0.5)
        self.assertEqual(link.attempts, 2)
        self.assertEqual(self.error_of(self.read()), expected)

    def test_waiting_reads_learn_that_it_cannot_be_connected(self) -> None:
        link = FakeLink()
        link.hang()
        self.use(link)
        readings = [self.read(), self.read()]
        assert link.opening is not None
        link.opening.errback(OSError("no route"))
        for reading in readings:
            self.assertEqual(self.error_of(reading)[0], "connect")

    def test_attempts_come_at_growing_intervals_up_to_half_a_minute(self) -> None:
        link = FakeLink()
        link.refusal = "no route"
        self.use(link)
        times, attempts = [], link.attempts
        while self.clock.seconds() < 200.0:
            self.clock.advance(0.01)
            if link.attempts > attempts:
                attempts = link.attempts
                times.append(self.clock.seconds())
        waits = [b - a for a, b in zip([0.0, *times], times, strict=False)]
        for wait_s, most_s in zip(waits, (0.5, 1, 2, 4, 8, 16, 30, 30, 30), strict=False):
            self.assertLessEqual(wait_s, most_s + 0.02)
            self.assertGreaterEqual(wait_s, 0.75 * most_s - 0.02)

    def test_an_answer_makes_the_intervals_short_again(self) -> None:
        self.link.refusal = "no route"
        self.read().addErrback(lambda _: None)
        self.wire.hang_up()
        advance(self.clock, 60.0)
        self.link.refusal = ""
        advance(self.clock, 30.0)
        reading = self.read()
        self.wire.answer([1])
        self.successResultOf(reading)
        self.read().addErrback(lambda _: None)
        wires = len(self.link.wires)
        self.wire.hang_up()
        self.clock.advance(0.5)
        self.assertEqual(len(self.link.wires), wires + 1)

    def test_a_connection_alone_does_not(self) -> None:
        """A device that takes connections and drops them at the first request."""
        for most_s in (0.5, 1, 2, 4, 8, 16, 30):
            reading = self.read()
            self.wire.hang_up()
            self.assertEqual(
                self.error_of(reading), ("connect", "device:502 closed the connection")
            )
            wires = len(self.link.wires)
            self.clock.advance(0.74 * most_s)
            self.assertEqual(len(self.link.wires), wires)
            self.clock.advance(0.27 * most_s)
            self.assertEqual(len(self.link.wires), wires + 1)

    def test_a_lost_connection_fails_all_that_wait(self) -> None:
        readings = [self.read(), self.read(TWO)]
        self.wire.hang_up()
        for reading in readings:
            self.assertEqual(
                self.error_of(reading), ("connect", "device:502 closed the connection")
            )
        self.assertEqual(self.error_of(self.read())[0], "connect")
        self.clock.advance(0.5)
        reading = self.read()
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_an_idle_connection_may_be_closed_and_comes_back_with_the_next_read(self) -> None:
        reading = self.read()
        self.wire.answer([5])
        self.successResultOf(reading)
        self.wire.hang_up()
        advance(self.clock, 5.0)
        self.assertEqual(len(self.link.wires), 1)
        reading = self.read()
        self.wire.answer([6])
        self.assertEqual(self.successResultOf(reading), (6,))
        self.assertEqual(self.log.lines(), [])

    def test_a_silent_connection_is_replaced(self) -> None:
        self.time_out(2)
        self.assertFalse(self.link.wires[0].closed)
        self.time_out()
        self.assertTrue(self.link.wires[0].closed)
        reading = self.read()
        self.assertEqual(len(self.link.wires), 2)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_who_waits_for_a_silent_connection_is_asked_for_on_the_new_one(self) -> None:
        self.time_out(2)
        self.read().addErrback(lambda _: None)
        reading = self.read(TWO, timeout_s=2.0)
        self.clock.advance(1.0)
        self.assertEqual(len(self.link.wires), 2)
        self.wire.answer([1, 2])
        self.successResultOf(reading)

    def test_a_device_that_stays_silent_is_connected_ever_less_often(self) -> None:
        self.time_out(300)
        self.assertLess(len(self.link.wires), 20)
        self.assertGreater(len(self.link.wires), 300 / 33)

    def test_any_answer_shows_that_the_connection_is_alive(self) -> None:
        for _ in range(5):
            self.time_out(2)
            reading = self.read(unit=2)
            self.wire.feed(self.wire.framed(refusal_pdu(2), unit=2))
            self.error_of(reading)
        self.assertEqual(len(self.link.wires), 1)

    def test_what_speaks_something_else_is_told_so(self) -> None:
        reading = self.read()
        self.wire.feed(b"SSH-2.0-OpenSSH_9.2p1 Debian")
        expected = ("undecodable", "device:502 does not speak Modbus TCP; is that so?")
        self.assertEqual(self.error_of(reading), expected)
        self.assertTrue(self.link.wires[0].closed)
        self.assertEqual(self.error_of(self.read()), expected)
        self.clock.advance(0.5)
        self.assertEqual(len(self.link.wires), 2)

    def test_an_impossible_length_does_not_make_it_wait_for_more(self) -> None:
        reading = self.read()
        self.wire.feed(b"\0\1\0\0\xff\xff\1\3\2\0\1")
        self.assertEqual(self.error_of(reading)[0], "undecodable")

    def test_a_flood_ends_the_connection(self) -> None:
        reading = self.read()
        frame = self.wire.framed(answer_pdu([1] * 100))
        other = b"\x77\x77" + frame[2:]
        for _ in range((1 << 16) // len(other) + 1):
            self.wire.feed(other)
        expected = ("undecodable", "device:502 sends what nobody asked for; is that so?")
        self.assertEqual(self.error_of(reading), expected)

    def test_garbage_between_requests_costs_nothing_but_the_connection(self) -> None:
        self.wire.feed(b"SSH-2.0-OpenSSH_9.2p1 Debian")
        self.assertTrue(self.link.wires[0].closed)
        reading = self.read()
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_what_comes_from_an_old_connection_is_ignored(self) -> None:
        old = self.wire
        self.time_out(3)
        reading = self.read()
        old.receiver.received(old, self.wire.framed(answer_pdu([1])))
        old.receiver.lost(old, "closed the connection")
        self.assertNoResult(reading)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_loss_and_recovery_are_logged_once(self) -> None:
        self.read().addErrback(lambda _: None)
        self.link.refusal = "no route"
        self.wire.hang_up()
        advance(self.clock, 20.0)
        self.link.refusal = ""
        advance(self.clock, 30.0)
        for _ in range(3):
            reading = self.read()
            self.wire.answer([1])
            self.successResultOf(reading)
        self.assertEqual(
            self.log.lines(),
            [
                "device:502 closed the connection; trying again",
                "device:502 answers again after 50 s",
            ],
        )
        self.assertEqual(self.log.warnings(), [])

    def test_silence_and_recovery_are_logged_once(self) -> None:
        self.time_out(50)
        reading = self.read()
        self.wire.answer([1])
        self.successResultOf(reading)
        self.assertEqual(
            self.log.lines(),
            ["device:502 does not answer; trying again", "device:502 answers again after 47 s"],
        )


class SerialLines(SessionTestCase):
    def setUp(self) -> None:
        SessionTestCase.setUp(self)
        self.use(serial_link())

    def test_a_request_and_its_answer(self) -> None:
        reading = self.read()
        self.assertEqual(self.wire.sent[0].hex(), "010300000001840a")
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_silence_is_kept_between_frames(self) -> None:
        first, second = self.read(), self.read()
        self.wire.answer([1])
        self.successResultOf(first)
        self.assertEqual(len(self.wire.sent), 1)
        self.clock.advance(0.003)
        self.wire.feed(b"\xff")
        self.clock.advance(0.003)
        self.assertEqual(len(self.wire.sent), 1)
        self.clock.advance(0.002)
        self.assertEqual(len(self.wire.sent), 2)
        self.wire.answer([2])
        self.successResultOf(second)

    def test_an_answer_is_found_in_noise(self) -> None:
        reading = self.read()
        self.wire.feed(b"\0\xff\1\3\xfa" + self.wire.framed(answer_pdu([5])) + b"\0")
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_answers_of_other_masters_devices_are_not_taken(self) -> None:
        """Another unit, or another number of registers."""
        reading = self.read()
        self.wire.answer([9], unit=2)
        self.wire.answer([9, 9])
        self.assertNoResult(reading)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_noise_is_a_hint(self) -> None:
        reading = self.read()
        self.wire.feed(b"\xf0\x0f\xff")
        self.clock.advance(1.0)
        text = self.error_of(reading)[1]
        self.assertTrue(text.endswith("; what arrived was no answer, is that so?"), text)

    def test_a_late_answer_is_not_taken_for_the_next(self) -> None:
        """Nothing in it tells, so the unit rests until it cannot come any more."""
        self.time_out()
        expected = ("timeout", "unit 1 at device:502 has just failed to answer")
        self.assertEqual(self.error_of(self.read(TWO)), expected)
        self.assertEqual(len(self.wire.sent), 1)
        self.clock.advance(0.5)
        self.wire.answer([99])
        self.clock.advance(0.5)
        reading = self.read()
        self.assertNoResult(reading)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_a_silent_unit_does_not_keep_others_from_the_line(self) -> None:
        self.time_out()
        reading = self.read(unit=2)
        self.wire.answer([99])
        self.assertNoResult(reading)
        self.wire.answer([5], unit=2)
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_half_an_answer_is_forgotten(self) -> None:
        reading = self.read()
        frame = self.wire.framed(answer_pdu([99]))
        self.wire.feed(frame[:-2])
        self.clock.advance(1.0)
        self.assertEqual(self.error_of(reading)[0], "timeout")
        self.assertEqual(len(self.link.wires), 1)
        self.clock.advance(1.0)
        reading = self.read()
        self.wire.feed(frame[-2:])
        self.assertNoResult(reading)
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))


class Sharing(SessionTestCase):
    def test_the_last_user_closes_it(self) -> None:
        self.session.acquire()
        self.successResultOf(self.session.release())
        self.assertFalse(self.wire.closed)
        self.successResultOf(self.session.release())
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.error_of(self.read()), ("no_data", "device:502 is not in use"))

    def test_and_the_next_opens_it_again(self) -> None:
        self.successResultOf(self.session.release())
        self.session.acquire()
        self.assertEqual(len(self.link.wires), 2)
        reading = self.read()
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_who_still_waits_then_is_told(self) -> None:
        readings = [self.read(), self.read()]
        self.successResultOf(self.session.release())
        for reading in readings:
            self.assertEqual(
                self.error_of(reading), ("no_data", "device:502 is not in use any more")
            )

    def test_it_ends_while_connecting(self) -> None:
        link = FakeLink()
        link.hang()
        self.use(link)
        self.read().addErrback(lambda _: None)
        self.successResultOf(self.session.release())
        self.assertEqual(link.wires, [])

    def test_it_ends_while_waiting_for_the_next_attempt(self) -> None:
        link = FakeLink()
        link.refusal = "no route"
        self.use(link)
        self.successResultOf(self.session.release())
        link.refusal = ""
        self.session.acquire()
        reading = self.read()
        self.wire.answer([5])
        self.assertEqual(self.successResultOf(reading), (5,))

    def test_it_ends_in_the_silence_between_frames(self) -> None:
        self.use(serial_link())
        self.read().addErrback(lambda _: None)
        self.read().addErrback(lambda _: None)
        self.wire.answer([1])
        self.successResultOf(self.session.release())

    def test_who_gets_an_answer_may_end_it(self) -> None:
        reading = self.read()
        reading.addCallback(lambda _: self.session.release())
        frame = self.wire.framed(answer_pdu([1]))
        self.wire.feed(frame + frame)
        self.successResultOf(reading)
        self.assertTrue(self.wire.closed)

    def test_who_gets_a_failure_may_end_it(self) -> None:
        reading = self.read().addErrback(lambda _: self.session.release())
        self.wire.hang_up()
        self.successResultOf(reading)

    def test_equal_links_have_one_session_in_each_world(self) -> None:
        other = Clock()
        one = shared_session(self.clock, TcpLink("h", 502))
        self.assertIs(one, shared_session(self.clock, TcpLink("h", 502)))
        for link in (TcpLink("h", 503), TcpLink("h", 502, rtu=True), SerialLink("h")):
            self.assertIsNot(one, shared_session(self.clock, link))
        self.assertIsNot(one, shared_session(other, TcpLink("h", 502)))

    def test_nobody_remembers_a_session_that_nobody_holds(self) -> None:
        session = weakref.ref(shared_session(self.clock, TcpLink("forgotten", 502)))
        gc.collect()
        self.assertIsNone(session())
