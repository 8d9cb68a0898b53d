"""TCP in the world: connections that fall silent, and hosts that are gone."""

from __future__ import annotations

from twisted.internet import error

from tests.simulator.tcp_rig import (
    CLIENT,
    SERVER,
    Pushing,
    TcpCase,
)


class HalfOpen(TcpCase):
    def test_a_short_gap_is_survived_and_nothing_is_lost(self) -> None:
        near, far = self.connect()
        self.server.down()
        for number in range(30):
            near.transport.write(b"%d " % number)
            self.world.advance(1)
        self.assertEqual((far.data, near.lost), (b"", None))
        self.server.up()
        self.world.advance(120)
        self.assertEqual(far.data, b"".join(b"%d " % n for n in range(30)))
        near.transport.write(b"on it goes")
        self.world.advance(1)
        self.assertTrue(far.data.endswith(b"on it goes"))

    def test_what_is_under_way_when_the_gap_begins_comes_later(self) -> None:
        near, far = self.connect()
        near.transport.write(b"first")
        self.world.advance(0.005)
        near.transport.write(b"second")
        self.world.cut(SERVER, CLIENT)
        self.world.advance(10)
        near.transport.write(b"third")
        self.world.advance(10)
        self.assertEqual(far.data, b"")
        self.world.join(SERVER, CLIENT)
        self.world.advance(120)
        self.assertEqual(far.data, b"firstsecondthird")

    def test_what_was_under_way_does_not_come_before_it_is_tried_again(self) -> None:
        near, far = self.connect()
        near.transport.write(b"first")
        self.world.advance(0.005)
        near.transport.write(b"second")
        self.world.advance(0.002)
        self.world.cut(SERVER, CLIENT)
        self.world.advance(0.005)
        self.world.join(SERVER, CLIENT)
        self.world.advance(0.5)
        self.assertEqual(far.data, b"")
        self.world.advance(1)
        self.assertEqual(far.data, b"firstsecond")

    def test_two_gaps_are_survived_too(self) -> None:
        near, far = self.connect()
        for number in range(2):
            self.world.cut(SERVER, CLIENT)
            near.transport.write(b"%d" % number)
            self.world.advance(2)
            self.world.join(SERVER, CLIENT)
            self.world.advance(60)
        self.assertEqual(far.data, b"01")

    def test_a_long_gap_ends_the_connection_of_one_who_writes(self) -> None:
        near, far = self.connect()
        self.server.down()
        near.transport.write(b"x")
        self.world.advance(900)
        self.assertIsNone(near.lost)
        self.world.advance(300)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertIsNone(far.lost)
        self.assertEqual(self.client.connections, [])

    def test_a_reset_that_does_not_get_through_is_not_repeated(self) -> None:
        for wait_s in (0.0, 0.005, 30.0):
            near, far = self.connect()
            self.world.cut(SERVER, CLIENT)
            near.transport.write(b"x")
            self.world.advance(wait_s)
            near.transport.abortConnection()
            self.world.advance(200)
            self.assertFalse(self.world.step())
            self.world.join(SERVER, CLIENT)
            self.world.advance(2000)
            self.assertIs(near.lost, error.ConnectionAborted)
            self.assertEqual((far.data, far.lost), (b"", None))

    def test_one_who_has_closed_in_a_gap_is_heard_of_after_it(self) -> None:
        near, far = self.connect()
        self.world.cut(SERVER, CLIENT)
        near.transport.loseConnection()
        self.world.advance(30)
        self.assertEqual((near.lost, far.lost), (error.ConnectionDone, None))
        self.world.join(SERVER, CLIENT)
        self.world.advance(120)
        self.assertIs(far.lost, error.ConnectionDone)

    def test_one_who_only_listens_never_hears_of_it(self) -> None:
        near, far = self.connect()
        near.transport.setTcpKeepAlive(True)
        self.server.down()
        self.world.advance(100_000)
        self.assertEqual((near.lost, far.lost), (None, None))

    def test_writing_into_the_gap_is_bounded_for_a_producer(self) -> None:
        near, _ = self.connect()
        self.server.down()
        producer = Pushing(near.transport)
        self.world.advance(60)
        self.assertTrue(producer.paused)
        self.assertLess(producer.written, 200_000)

    def test_a_server_that_crashes_resets_its_connections(self) -> None:
        near, far = self.connect()
        self.server.crash()
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertIsNone(far.lost)

    def test_a_server_that_lost_power_resets_when_written_to_after_it_is_back(self) -> None:
        near, far = self.connect()
        self.server.down()
        self.server.crash()
        self.world.advance(60)
        self.server.up()
        self.server.boot()
        self.world.advance(60)
        self.assertIsNone(near.lost)
        near.transport.write(b"are you there?")
        self.world.advance(1)
        self.assertIs(near.lost, error.ConnectionLost)
        self.assertEqual(far.data, b"")

    def test_a_client_that_crashes_while_connecting_never_connects(self) -> None:
        for wait_s in (0.0, 0.005, 0.015, 0.025):
            self.dial()
            self.world.advance(wait_s)
            self.client.crash()
            self.world.advance(60)
            self.assertEqual(self.world.getDelayedCalls(), [])
            self.assertEqual(self.client.connections, [])
            self.assertEqual([t for t in self.listening.talkers if t.lost is None], [])
            self.client.boot()
