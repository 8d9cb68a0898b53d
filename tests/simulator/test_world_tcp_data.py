"""TCP in the world: data, producers and the end of a connection."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import error

from simulator.world import Link
from tests.simulator.tcp_rig import (
    HalfTalker,
    Pulling,
    Pushing,
    Talker,
    TcpCase,
)


class Data(TcpCase):
    def test_what_is_written_in_one_turn_arrives_together_after_the_latency(self) -> None:
        near, far = self.connect()
        near.transport.write(b"one ")
        near.transport.writeSequence([b"two ", b"three"])
        self.world.advance(0.0099)
        self.assertEqual(far.data, b"")
        self.world.advance(0.0002)
        self.assertEqual((far.data, far.chunks), (b"one two three", 1))

    def test_the_server_may_speak_first(self) -> None:
        self.patch(Talker, "connectionMade", lambda talker: talker.transport.write(b"hi"))
        near, far = self.connect()
        self.assertEqual((near.data, far.data), (b"hi", b"hi"))

    def test_jitter_does_not_reorder(self) -> None:
        near, far = self.connect()
        self.world.set_link(Link(jitter_s=1.0, loss=0.9, duplicate=0.9, reorder=0.9))
        for number in range(100):
            near.transport.write(b"%d " % number)
            self.world.advance(0.01)
        self.world.advance(10)
        self.assertEqual(far.data, b"".join(b"%d " % n for n in range(100)))

    def test_a_lot_of_data_arrives_whole_in_bounded_pieces(self) -> None:
        near, far = self.connect()
        data = bytes(range(256)) * 4096
        near.transport.write(data)
        self.world.advance(10)
        self.assertEqual(far.data, data)
        self.assertGreaterEqual(far.chunks, 16)

    def test_a_receiver_that_pauses_holds_up_the_sender(self) -> None:
        near, far = self.connect()
        far.transport.pauseProducing()
        producer = Pushing(near.transport)
        self.world.advance(10)
        self.assertEqual(far.data, b"")
        self.assertLess(producer.written, 200_000)
        self.assertTrue(producer.paused)
        far.transport.resumeProducing()
        self.world.advance(1)
        self.assertFalse(producer.paused)
        near.transport.unregisterProducer()
        self.world.advance(10)
        self.assertEqual(len(far.data), producer.written)

    def test_a_pull_producer_is_asked_when_there_is_room(self) -> None:
        near, far = self.connect()
        producer = Pulling(near.transport, 50)
        self.world.advance(10)
        self.assertEqual(len(far.data), 50 * 10_000)
        self.assertEqual(producer.left, 0)

    def test_a_second_producer_is_refused(self) -> None:
        near, _ = self.connect()
        Pushing(near.transport)
        self.assertRaises(RuntimeError, near.transport.registerProducer, object(), True)

    def test_a_producer_is_stopped_with_the_connection(self) -> None:
        near, far = self.connect()
        producer = Pushing(near.transport)
        far.transport.abortConnection()
        self.world.advance(1)
        self.assertTrue(producer.stopped)

    def test_a_receiver_that_raises_loses_its_connection(self) -> None:
        near, far = self.connect()
        self.patch(far, "dataReceived", lambda data: 1 / 0)
        near.transport.write(b"x")
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.world.errors, 1)
        self.assertIs(far.lost, ZeroDivisionError)
        self.assertIs(near.lost, error.ConnectionDone)

    def test_a_producer_that_raises_loses_its_connection(self) -> None:
        near, far = self.connect()
        producer = Pulling(near.transport, 2)
        producer.left = -1
        self.world.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIs(near.lost, ValueError)
        self.assertIs(far.lost, error.ConnectionDone)

    def test_options_of_the_socket_are_kept(self) -> None:
        transport = self.connect()[0].transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(1)
        self.assertIs(transport.getTcpNoDelay(), True)
        self.assertIs(transport.getTcpKeepAlive(), True)

    @settings(deadline=None, derandomize=True, max_examples=50)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["near", "far", "pause", "resume"]),
                st.integers(0, 150_000),
                st.sampled_from([0.0, 0.005, 0.5]),
            ),
            max_size=12,
        )
    )
    def test_whatever_is_written_arrives_whole_and_in_order(
        self, steps: list[tuple[str, int, float]]
    ) -> None:
        self.setUp()
        self.world.set_link(Link(latency_s=0.01, jitter_s=0.05))
        near, far = self.connect()
        self.world.advance(1)
        sent = {"near": b"", "far": b""}
        for number, (what, size, pause_s) in enumerate(steps):
            if what in sent:
                data = bytes([number]) * size
                sent[what] += data
                (near if what == "near" else far).transport.write(data)
            elif what == "pause":
                far.transport.pauseProducing()
            else:
                far.transport.resumeProducing()
            self.world.advance(pause_s)
        far.transport.resumeProducing()
        near.transport.loseConnection()
        self.world.advance(60)
        self.assertEqual(far.data, sent["near"])
        self.assertIs(far.lost, error.ConnectionDone)
        self.assertTrue(sent["far"].startswith(near.data))
        self.assertEqual(self.world.errors, 0)


class Closing(TcpCase):
    def test_what_was_written_before_arrives_first(self) -> None:
        near, far = self.connect()
        near.transport.write(bytes(200_000))
        near.transport.loseConnection()
        near.transport.write(b"too late?")
        self.world.advance(5)
        self.assertGreaterEqual(len(far.data), 200_000)
        self.assertEqual((near.lost, far.lost), (error.ConnectionDone, error.ConnectionDone))
        self.assertEqual(self.dialling.events[-2:], [error.ConnectionDone, "stop"])
        self.assertEqual((self.client.connections, self.server.connections), ([], []))

    def test_the_other_end_hears_of_it_after_the_latency(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        self.assertIsNone(near.lost)
        self.world.advance(0)
        self.assertIs(near.lost, error.ConnectionDone)
        self.world.advance(1)
        self.assertAlmostEqual(far.lost_at, near.lost_at + 0.01)

    def test_both_may_close_at_once(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.lost, far.lost), (error.ConnectionDone, error.ConnectionDone))
        self.assertEqual(self.world.errors, 0)

    def test_a_registered_producer_keeps_it_open_until_it_is_done(self) -> None:
        near, far = self.connect()
        Pulling(near.transport, 30)
        near.transport.loseConnection()
        self.world.advance(5)
        self.assertEqual(len(far.data), 300_000)
        self.assertIs(far.lost, error.ConnectionDone)

    def test_an_abort_is_a_reset_for_the_other_end(self) -> None:
        near, far = self.connect()
        near.transport.write(b"never sent")
        near.transport.abortConnection()
        near.transport.abortConnection()
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionAborted)
        self.assertIs(far.lost, error.ConnectionLost)
        self.assertEqual(far.data, b"")

    def test_an_aborted_end_hears_nothing_more(self) -> None:
        near, far = self.connect()
        far.transport.write(b"x")
        self.world.advance(0.005)
        near.transport.abortConnection()
        near.transport.resumeProducing()
        near.transport.write(b"y")
        self.world.advance(1)
        self.assertEqual((near.data, far.data), (b"", b""))

    def test_one_who_aborts_between_two_pieces_does_not_hear_the_second(self) -> None:
        near, far = self.connect()
        near.transport.pauseProducing()
        for _ in range(3):
            far.transport.write(b"x")
            self.world.advance(0.1)
        self.patch(near, "dataReceived", lambda data: self.heard_and_aborted(near))
        near.transport.resumeProducing()
        self.world.advance(1)
        self.assertEqual(near.chunks, 1)

    def heard_and_aborted(self, talker: Any) -> None:
        talker.chunks += 1
        talker.transport.abortConnection()

    def test_nothing_can_be_written_after_the_end(self) -> None:
        near, far = self.connect()
        near.transport.loseConnection()
        self.world.advance(1)
        far.transport.write(b"x")
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.data, self.world.errors), (b"", 0))

    def test_writing_to_one_who_has_closed_is_a_reset(self) -> None:
        near, far = self.connect()
        far.transport.pauseProducing()
        near.transport.loseConnection()
        self.world.advance(1)
        self.assertIsNone(far.lost)
        far.transport.write(b"are you there?")
        self.world.advance(1)
        self.assertIs(far.lost, error.ConnectionLost)


class HalfClosing(TcpCase):
    kind = HalfTalker

    def test_one_direction_can_end_before_the_other(self) -> None:
        near, far = self.connect()
        near.transport.write(b"question")
        near.transport.loseWriteConnection()
        self.world.advance(1)
        self.assertEqual((near.halves, far.halves, far.data), (["write"], ["read"], b"question"))
        near.transport.write(b"not sent")
        far.transport.write(b"answer")
        far.transport.loseConnection()
        self.world.advance(1)
        self.assertEqual((near.data, far.data), (b"answer", b"question"))
        self.assertEqual((near.halves, near.lost), (["write", "read"], None))
        near.transport.loseConnection()
        self.assertIs(near.lost, error.ConnectionDone)

    def test_one_who_does_not_know_of_halves_closes_altogether(self) -> None:
        self.listening.kind = Talker
        near, far = self.connect()
        near.transport.loseWriteConnection()
        self.world.advance(1)
        self.assertIs(far.lost, error.ConnectionDone)
        self.assertEqual(near.halves, ["write", "read"])
