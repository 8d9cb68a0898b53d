"""One connection: is the broker alive, does it keep to the protocol, can it flood us?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from astrameter.mqtt import MqttSettings
from astrameter.mqtt.framing import MAX_PACKET_BYTES
from astrameter.mqtt.session import PACKETS_PER_TURN
from tests.astrameter.mqtt.rig import MqttTestCase
from tests.scripted_broker import (
    CONNACK,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    packet,
    publication,
    settle,
    text,
    turn,
)

CHUNK = 65536


class Liveness(MqttTestCase):
    def pings(self) -> int:
        return self.broker.line.kinds().count(PINGREQ)

    def test_a_silent_line_is_asked_every_half_minute_and_kept(self) -> None:
        client = self.started()
        self.pass_time(29.0)
        self.assertEqual(self.pings(), 0)
        self.pass_time(300.0)
        self.assertGreaterEqual(self.pings(), 8)
        self.assertLessEqual(self.pings(), 11)
        self.assertTrue(client.connected)
        self.assertEqual(len(self.broker.lines), 1)

    def test_a_half_open_line_is_cut_within_50_s(self) -> None:
        self.broker.answers.discard(PINGREQ)
        client = self.started()
        seconds = self.advance_until(lambda: not client.connected, 60.0)
        self.assertLess(seconds, 50.0)
        self.assertEqual(self.broker.lines[0].ended, "abort")
        self.assertEqual(
            self.log.warnings(),
            [
                (
                    "[MQTT] the broker at broker.example:1883 has fallen silent and does not "
                    "answer any more; trying again"
                )
            ],
        )

    def test_whatever_arrives_proves_that_the_broker_lives(self) -> None:
        self.broker.answers.discard(PINGREQ)
        client = self.started()
        for _ in range(200):
            self.broker.line.publish("home/p", b"1")
            self.pass_time(1.0)
        self.assertTrue(client.connected)

    def test_the_promise_of_a_packet_a_minute_is_kept_while_messages_pour_in(self) -> None:
        self.started()
        for _ in range(200):
            self.broker.line.publish("home/p", b"1")
            self.pass_time(1.0)
        self.assertGreaterEqual(self.pings(), 4)

    def test_what_accepts_and_never_greets_is_left_after_10_s(self) -> None:
        self.broker.connack = None
        client = self.started()
        self.pass_time(9.5)
        self.assertEqual(self.broker.line.ended, "")
        self.pass_time(0.5)
        self.assertEqual(self.broker.lines[0].ended, "abort")
        self.assertIn("did not greet us within 10 s", client.trouble)

    def test_what_hangs_up_without_a_greeting_may_want_tls(self) -> None:
        self.broker.connack = None
        client = self.started()
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertIn("hung up instead of answering; does this port want TLS?", client.trouble)
        self.stop(client)
        client = self.started(MqttSettings("h", tls=True))
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertIn("hung up instead of answering; is this its port for TLS?", client.trouble)

    def test_a_broken_line_is_named(self) -> None:
        client = self.started()
        self.broker.line.hang_up(ConnectionLost("cable"))
        settle(self.clock)
        self.assertIn("broke", client.trouble)
        self.assertIn("cable", client.trouble)


class Violations(MqttTestCase):
    def refuses(self, data: bytes, words: str) -> None:
        client = self.started()
        line = self.broker.line
        line.send(data)
        line.publish("home/p", b"after")
        settle(self.clock)
        self.assertEqual(line.ended, "abort")
        self.assertFalse(client.connected)
        self.assertIn("no usable MQTT broker", client.trouble)
        self.assertIn(words, client.trouble)
        self.assertEqual(self.got, [])
        self.advance_until(lambda: client.connected, 3.0)

    def test_garbage(self) -> None:
        self.refuses(b"HTTP/1.1 400 Bad Request\r\n", "unexpected kind 0x48")

    def test_a_packet_that_only_a_client_may_send(self) -> None:
        self.refuses(packet(PINGREQ, 0, b""), "unexpected kind 0xc0")

    def test_a_second_greeting(self) -> None:
        self.refuses(packet(CONNACK, 0, b"\0\0"), "unexpected kind 0x20")

    def test_a_publication_with_a_quality_of_service_that_was_not_granted(self) -> None:
        self.refuses(packet(PUBLISH, 4, text("home/p") + b"\0\1x"), "unexpected kind 0x34")

    def test_a_length_of_five_bytes(self) -> None:
        self.refuses(b"\x30\xff\xff\xff\xff\x01", "malformed length")

    def test_a_length_above_the_limit_before_the_content_comes(self) -> None:
        self.refuses(packet(SUBACK, 0, bytes(MAX_PACKET_BYTES + 1))[:10], "1048577 bytes")

    def test_a_topic_longer_than_its_packet(self) -> None:
        self.refuses(packet(PUBLISH, 0, b"\xff\xffx"), "malformed")

    def test_a_publication_without_a_topic(self) -> None:
        self.refuses(packet(PUBLISH, 0, b"\0\0x"), "malformed")

    def test_an_empty_acknowledgement(self) -> None:
        self.refuses(packet(PUBACK, 0, b""), "malformed")

    def test_an_unknown_answer_to_a_subscription(self) -> None:
        self.refuses(packet(SUBACK, 0, b"\0\1\x07"), "malformed")

    def test_an_answer_that_is_no_greeting(self) -> None:
        self.broker.connack = None
        client = self.started()
        self.broker.line.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        settle(self.clock)
        self.assertIn("its first answer is no CONNACK", client.trouble)
        self.assertEqual(self.broker.line.ended, "abort")

    def test_a_malformed_greeting(self) -> None:
        self.broker.connack = None
        client = self.started()
        self.broker.line.send(packet(CONNACK, 0, b"\0\0\0"))
        settle(self.clock)
        self.assertIn("malformed", client.trouble)

    def test_what_nobody_asked_for_is_ignored(self) -> None:
        client = self.started()
        line = self.broker.line
        line.send(packet(PUBACK, 0, b"\x12\x34") + packet(SUBACK, 0, b"\x12\x34\x80"))
        line.send(packet(PINGRESP, 0, b""))
        line.send(publication(b"home/\xff", b"not UTF-8"))
        line.send(publication("elsewhere", b"1"))
        line.publish("home/p", b"2")
        settle(self.clock)
        self.assertTrue(client.connected)
        self.assertEqual(self.got, [("home/p", b"2", False)])
        self.assertEqual(self.log.warnings(), [])


class Floods(MqttTestCase):
    def test_a_flood_is_taken_in_by_slices_and_the_broker_has_to_wait(self) -> None:
        self.started()
        line = self.broker.line
        line.send(publication("home/p", b"1") * (3 * PACKETS_PER_TURN + 1))
        line.send(publication("home/p", b"last"))
        progress = []
        for _ in range(8):
            turn(self.clock)
            progress.append((len(self.got), line.paused))
        slices = [(PACKETS_PER_TURN * i, True) for i in (1, 2, 3)]
        self.assertEqual(progress[:3], slices)
        settle(self.clock)
        self.assertFalse(line.paused)
        self.assertEqual(len(self.got), 3 * PACKETS_PER_TURN + 2)
        self.assertEqual(self.got[-1], ("home/p", b"last", False))

    def test_who_has_better_things_to_do_rests_between_the_slices(self) -> None:
        self.started(rest_s=0.5)
        self.broker.line.send(publication("home/p", b"1") * (2 * PACKETS_PER_TURN + 1))
        settle(self.clock)
        progress = []
        for _ in range(5):
            progress.append((len(self.got), self.broker.line.paused))
            self.clock.advance(0.25)
            settle(self.clock)
        once, twice = PACKETS_PER_TURN, 2 * PACKETS_PER_TURN
        slices = [(once, True), (once, True), (twice, True), (twice, True), (twice + 1, False)]
        self.assertEqual(progress, slices)

    def test_what_arrives_although_the_broker_has_to_wait_waits_too(self) -> None:
        self.started()
        session = self.broker.line.protocol
        session.dataReceived(publication("home/p", b"1") * (2 * PACKETS_PER_TURN))
        session.dataReceived(publication("home/p", b"2") * PACKETS_PER_TURN)
        self.assertEqual(len(self.got), PACKETS_PER_TURN)
        turn(self.clock)
        self.assertEqual(len(self.got), 2 * PACKETS_PER_TURN)
        settle(self.clock)
        self.assertEqual(len(self.got), 3 * PACKETS_PER_TURN)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_client_that_is_stopped_amid_a_flood_drops_the_rest(self) -> None:
        client = self.started()
        self.broker.line.send(publication("home/p", b"1") * (4 * PACKETS_PER_TURN))
        turn(self.clock)
        self.stop(client)
        self.assertEqual(len(self.got), PACKETS_PER_TURN)

    def test_a_line_that_is_lost_amid_a_flood_drops_the_rest(self) -> None:
        self.started()
        self.broker.line.send(publication("home/p", b"1") * (4 * PACKETS_PER_TURN))
        turn(self.clock)
        self.broker.line.lost(ConnectionLost())
        settle(self.clock)
        self.assertEqual(len(self.got), PACKETS_PER_TURN)

    def test_a_violation_amid_a_flood_is_found_when_its_turn_comes(self) -> None:
        client = self.started()
        line = self.broker.line
        line.send(publication("home/p", b"1") * (PACKETS_PER_TURN + 1) + b"\xff")
        settle(self.clock)
        self.assertEqual(len(self.got), PACKETS_PER_TURN + 1)
        self.assertEqual(line.ended, "abort")
        self.assertFalse(client.connected)

    def test_a_megabyte_in_chunks_arrives_whole(self) -> None:
        self.started()
        payload = bytes(range(250)) * 4000
        data = publication("home/big", payload)
        for start in range(0, len(data), CHUNK):
            self.broker.line.send(data[start : start + CHUNK])
            settle(self.clock, 1)
        settle(self.clock)
        self.assertEqual(self.got, [("home/big", payload, False)])

    def test_a_stopped_client_does_not_collect_what_still_comes(self) -> None:
        self.broker.closes = False
        client = self.started()
        session = self.broker.line.protocol
        done = client.stopService()
        for _ in range(10):
            self.broker.line.send(bytes(CHUNK))
        settle(self.clock)
        self.assertEqual(len(session._framer._buffer), 0)
        self.clock.advance(2.0)
        settle(self.clock)
        self.successResultOf(done)


class AnyBytes(SynchronousTestCase):
    """Whatever a broker sends, nothing is raised and the client comes back."""

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.builds(
                    packet,
                    st.sampled_from([2, 3, 4, 9, 11, 13]),
                    st.just(0),
                    st.binary(max_size=30),
                ),
            ),
            max_size=6,
        )
    )
    def test_any_bytes_at_all(self, chunks: list[bytes]) -> None:
        rig = MqttTestCase("setUp")
        rig.setUp()
        try:
            client = rig.started()
            for chunk in chunks:
                rig.broker.line.send(chunk)
                settle(rig.clock)
            if not client.connected:
                rig.advance_until(lambda: client.connected, 100.0)
            rig.broker.line.publish("home/p", b"alive")
            if rig.broker.line.ended == "" and len(rig.broker.lines) > 1:
                settle(rig.clock)
                rig.assertEqual(rig.got[-1], ("home/p", b"alive", False))
        finally:
            rig.doCleanups()
