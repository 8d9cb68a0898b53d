"""The service: connecting, subscribing, publishing, coming back, and going away."""

from __future__ import annotations

import gc
from itertools import pairwise
from random import Random

from twisted.internet.defer import Deferred

from astrameter.backoff import Backoff
from astrameter.mqtt import MqttClient, MqttSettings, Will
from astrameter.mqtt.framing import MAX_PACKET_BYTES
from astrameter.mqtt.session import OUTGOING_MESSAGES, Session
from tests.astrameter.mqtt.rig import SETTINGS, MqttTestCase
from tests.scripted_broker import (
    CONNECT,
    DISCONNECT,
    PUBLISH,
    SUBSCRIBE,
    UNSUBSCRIBE,
    ScriptedBroker,
    packet,
    publication,
    settle,
    text,
)


class Connecting(MqttTestCase):
    def test_nothing_happens_before_the_service_starts(self) -> None:
        client = self.client()
        settle(self.clock)
        self.assertEqual(self.broker.attempts, [])
        self.assertFalse(client.connected)

    def test_starting_the_service_does_not_connect_within_the_call(self) -> None:
        self.client().startService()
        self.assertEqual(self.broker.attempts, [])
        settle(self.clock)
        self.assertEqual(len(self.broker.attempts), 1)

    def test_connect_says_mqtt_3_1_1_clean_session_keepalive_60_and_who_we_are(self) -> None:
        client = self.started()
        expected = text("MQTT") + b"\x04\xc2\x00\x3c"
        expected += text(client.settings.client_id) + text("u") + text("secret")
        self.assertEqual(self.broker.line.received[0].body, expected)

    def test_without_a_user_name_no_credentials_are_sent(self) -> None:
        client = self.started(MqttSettings("h", password="lonely"))
        expected = text("MQTT") + b"\x04\x02\x00\x3c" + text(client.settings.client_id)
        self.assertEqual(self.broker.line.received[0].body, expected)

    def test_the_client_id_is_random_and_stays_for_life(self) -> None:
        client = self.started()
        self.assertRegex(client.settings.client_id, r"\Aastrameter-[0-9a-f]{8}\Z")
        other = self.client(random=Random(2))
        self.assertNotEqual(other.settings.client_id, client.settings.client_id)
        self.broker.line.hang_up()
        self.pass_time(2.0)
        first, second = self.broker.lines
        self.assertEqual(first.received[0].body, second.received[0].body)

    def test_a_given_client_id_is_used(self) -> None:
        client = self.started(MqttSettings("h", client_id="mine"))
        self.assertEqual(client.settings.client_id, "mine")
        self.assertTrue(self.broker.line.received[0].body.endswith(text("mine")))

    def test_the_will_travels_with_connect(self) -> None:
        client = self.started(MqttSettings("h"), will=Will("a/status", b"offline"))
        expected = text("MQTT") + b"\x04\x2e\x00\x3c" + text(client.settings.client_id)
        expected += text("a/status") + text("offline")
        self.assertEqual(self.broker.line.received[0].body, expected)

    def test_a_will_to_a_wildcard_is_refused_at_once(self) -> None:
        with self.assertRaises(ValueError):
            MqttClient(self.clock, SETTINGS, "X", will=Will("a/+", b""))

    def test_connected_only_when_the_broker_said_so(self) -> None:
        self.broker.connack = None
        client = self.started()
        self.assertFalse(client.connected)
        self.broker.line.send(b"\x20\x02\x00\x00")
        settle(self.clock)
        self.assertTrue(client.connected)
        self.assertEqual(client.trouble, "")
        self.assertEqual(self.changes, ["connected"])
        self.assertEqual(
            self.log.lines(), ["[MQTT] connected to the broker at broker.example:1883"]
        )


class Subscribing(MqttTestCase):
    def test_each_filter_is_subscribed_once_with_qos_0(self) -> None:
        client = self.client()
        for topic in ("a/b", "c/+", "a/b"):
            client.subscribe(topic, self.take)
        client.startService()
        settle(self.clock)
        self.assertEqual(self.broker.line.filters, [("a/b", 0), ("c/+", 0)])

    def test_all_handlers_that_match_are_called(self) -> None:
        client = self.client()
        seen: list[str] = []
        for name, topic in (("exact", "a/b"), ("plus", "a/+"), ("hash", "#"), ("other", "a/c")):
            client.subscribe(topic, lambda *_, name=name: seen.append(name))
        client.subscribe("a/b", lambda *_: seen.append("second"))
        client.startService()
        settle(self.clock)
        self.broker.line.publish("a/b", b"x")
        settle(self.clock)
        self.assertEqual(sorted(seen), ["exact", "hash", "plus", "second"])

    def test_wildcards_do_not_match_the_brokers_own_topics(self) -> None:
        client = self.client()
        client.subscribe("#", self.take)
        client.startService()
        settle(self.clock)
        self.broker.line.publish("$SYS/load", b"1")
        self.broker.line.publish("load", b"2")
        settle(self.clock)
        self.assertEqual(self.got, [("load", b"2", False)])

    def test_a_retained_message_is_marked(self) -> None:
        self.broker.retained["home/p"] = b"7"
        self.started()
        self.broker.line.publish("home/p", b"8")
        settle(self.clock)
        self.assertEqual(self.got, [("home/p", b"7", True), ("home/p", b"8", False)])

    def test_a_later_subscription_takes_effect_at_once(self) -> None:
        client = self.started()
        client.subscribe("late", self.take)
        settle(self.clock)
        self.assertEqual(self.broker.line.filters, [("home/#", 0), ("late", 0)])

    def test_subscriptions_return_with_the_connection(self) -> None:
        self.started()
        self.broker.line.hang_up()
        self.pass_time(2.0)
        self.assertEqual(self.broker.line.filters, [("home/#", 0)])
        self.broker.line.publish("home/p", b"1")
        settle(self.clock)
        self.assertEqual(self.got, [("home/p", b"1", False)])

    def test_a_malformed_filter_is_refused_at_once(self) -> None:
        with self.assertRaises(ValueError):
            self.client().subscribe("a/#/b", self.take)

    def test_a_handler_that_raises_is_logged_once_and_called_again(self) -> None:
        client = self.started()
        calls: list[bytes] = []

        def broken(_topic: str, payload: bytes, _retained: bool) -> None:
            calls.append(payload)
            if payload != b"good":
                raise ZeroDivisionError

        client.subscribe("home/p", broken)
        for payload in (b"1", b"2", b"good", b"3"):
            self.broker.line.publish("home/p", payload)
        settle(self.clock)
        self.assertEqual(calls, [b"1", b"2", b"good", b"3"])
        self.assertEqual([payload for _, payload, _ in self.got], calls)
        self.assertTrue(client.connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def broken(self) -> None:
        raise KeyError("watcher")

    def test_a_watcher_that_raises_disturbs_nobody(self) -> None:
        client = self.client()
        client.watch(self.broken, self.broken)
        client.watch(lambda: self.changes.append("after"), lambda: None)
        client.startService()
        settle(self.clock)
        self.assertEqual(self.changes, ["connected", "after"])
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertEqual(self.changes, ["connected", "after", "disconnected"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_what_is_not_wanted_any_more_is_unsubscribed_for_good(self) -> None:
        client = self.started()
        client.unsubscribe("home/#")
        client.unsubscribe("never/asked")
        settle(self.clock)
        self.assertEqual(self.broker.line.filters, [])
        self.assertEqual(self.broker.line.kinds().count(UNSUBSCRIBE), 1)
        self.broker.line.filters.append(("home/#", 0))
        self.broker.line.publish("home/p", b"on its way already")
        self.broker.line.hang_up()
        self.advance_until(lambda: len(self.broker.lines) == 2 and client.connected, 3.0)
        settle(self.clock)
        self.assertEqual(self.broker.line.filters, [])
        self.assertEqual(self.got, [])

    def test_a_filter_may_be_given_up_without_a_connection_and_taken_again(self) -> None:
        client = self.client()
        client.subscribe("home/#", self.take)
        client.unsubscribe("home/#")
        client.subscribe("home/p", self.take)
        client.startService()
        settle(self.clock)
        self.assertEqual(self.broker.line.filters, [("home/p", 0)])

    def test_a_message_that_is_too_long_is_ignored_and_logged_once(self) -> None:
        client = self.started()
        too_long = publication("home/p", bytes(MAX_PACKET_BYTES))
        for _ in range(2):
            self.broker.line.send(too_long)
            self.broker.line.publish("home/p", b"after")
        settle(self.clock)
        self.assertTrue(client.connected)
        self.assertEqual(self.got, [("home/p", b"after", False)] * 2)
        (line,) = self.log.warnings()
        self.assertIn("1048584 bytes is ignored", line)

    def test_a_subscription_that_the_broker_refuses_is_logged(self) -> None:
        self.broker.refused_filters.add("home/#")
        client = self.started()
        self.assertTrue(client.connected)
        self.assertEqual(
            self.log.warnings(),
            [
                "[MQTT] the broker at broker.example:1883 does not let us subscribe to home/#",
            ],
        )

    def test_handlers_may_subscribe_and_publish(self) -> None:
        client = self.started()
        results: list[Deferred[bool]] = []

        def answer(*_: object) -> None:
            client.subscribe("other", self.take)
            results.append(client.publish("answer", "0"))
            results.append(client.publish("answer", "1", qos=1))

        client.subscribe("ask", answer)
        settle(self.clock)
        self.broker.line.publish("ask", b"")
        settle(self.clock)
        self.assertEqual([self.successResultOf(one) for one in results], [True, True])
        self.assertIn(("other", 0), self.broker.line.filters)

    def test_a_handler_may_stop_the_client(self) -> None:
        client = self.client()
        stopped: list[Deferred[None]] = []
        client.subscribe("stop", lambda *_: stopped.append(client.stopService()))
        client.startService()
        settle(self.clock)
        self.broker.line.publish("stop", b"")
        self.broker.line.publish("stop", b"")
        settle(self.clock)
        self.assertEqual(len(stopped), 1)
        self.successResultOf(stopped[0])
        self.assertEqual(self.broker.line.kinds()[-1], DISCONNECT)


class ComingBack(MqttTestCase):
    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.broker.attempts)]

    def test_the_waits_double_from_1_s_to_60_s_less_up_to_a_quarter(self) -> None:
        self.broker.reach = "down"
        self.started()
        self.pass_time(400.0, 0.05)
        waits = self.waits()
        for wait, full in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=False):
            self.assertLessEqual(wait, full + 0.06)
            self.assertGreaterEqual(wait, full * 0.75 - 0.06)
        self.assertGreaterEqual(len(waits), 9)

    def test_the_log_says_once_that_it_is_gone_and_once_that_it_is_back(self) -> None:
        self.broker.reach = "down"
        client = self.started()
        self.pass_time(20.0)
        self.assertIn("refuses connections", client.trouble)
        self.broker.reach = "up"
        self.advance_until(lambda: client.connected, 20.0)
        lines = self.log.lines()
        self.assertEqual(len(lines), 2)
        self.assertEqual(
            lines[0],
            "[MQTT] the broker at broker.example:1883 cannot be reached: it refuses connections; "
            "is it running?; trying again",
        )
        self.assertRegex(lines[1], r"connected to the broker at \S+ again after [0-9]+ s\Z")
        self.assertEqual(client.trouble, "")

    def test_a_lost_connection_is_restored_after_about_a_second(self) -> None:
        client = self.started()
        self.pass_time(40.0)
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertFalse(client.connected)
        seconds = self.advance_until(lambda: client.connected, 3.0)
        self.assertLess(seconds, 1.1)
        self.assertGreater(seconds, 0.7)
        self.assertEqual(self.changes, ["connected", "disconnected", "connected"])
        self.assertEqual(len(self.log.warnings()), 1)
        self.assertIn("closed the connection", self.log.warnings()[0])

    def test_a_connection_that_did_not_hold_does_not_shorten_the_waits(self) -> None:
        self.started()
        for _ in range(5):
            self.broker.line.hang_up()
            self.broker.lines.clear()
            self.advance_until(lambda: bool(self.broker.lines), 60.0)
        self.assertGreater(self.waits()[-1], 11.0)

    def test_a_connection_that_held_does(self) -> None:
        self.started()
        for _ in range(3):
            self.broker.line.hang_up()
            self.pass_time(40.0)
        self.assertEqual(len(self.broker.lines), 4)
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertLess(self.advance_until(lambda: len(self.broker.lines) == 5, 60.0), 1.1)

    def test_an_attempt_ends_after_10_s(self) -> None:
        self.broker.reach = "away"
        client = self.started()
        self.pass_time(9.5)
        self.assertEqual(self.broker.cancelled, 0)
        self.pass_time(1.0)
        self.assertEqual(self.broker.cancelled, 1)
        self.assertIn("no answer within 10 s", client.trouble)
        self.broker.reach = "up"
        self.advance_until(lambda: client.connected, 5.0)

    def test_wrong_credentials_are_logged_once_and_retried_in_patience(self) -> None:
        self.broker.connack = 5
        client = self.started()
        expected = "the broker at broker.example:1883 refused user 'u': wrong user name or password"
        self.assertEqual(client.trouble, expected)
        self.pass_time(44.0)
        self.assertEqual(len(self.broker.attempts), 1)
        self.pass_time(200.0)
        self.assertGreaterEqual(len(self.broker.attempts), 4)
        self.assertEqual(self.log.lines(), [f"[MQTT] {expected}; trying again"])
        self.assertNotIn("secret", "".join(self.log.lines()))
        self.broker.connack = 0
        self.advance_until(lambda: client.connected, 61.0)

    def test_the_other_return_codes_are_named(self) -> None:
        for code, words in (
            (1, "no usable MQTT broker"),
            (2, "client id"),
            (3, "not available"),
            (4, "wrong user name or password"),
            (77, "no usable MQTT broker"),
        ):
            with self.subTest(code=code):
                self.broker.connack = code
                client = self.started()
                self.assertFalse(client.connected)
                self.assertIn(words, client.trouble)
                self.stop(client)

    def test_a_broker_that_wants_a_user_name_says_so(self) -> None:
        self.broker.connack = 5
        client = self.started(MqttSettings("h"))
        self.assertIn("it wants a user name and a password", client.trouble)

    def test_a_new_kind_of_trouble_is_logged_again(self) -> None:
        self.broker.reach = "down"
        client = self.started()
        self.broker.reach, self.broker.connack = "up", 4
        self.pass_time(2.0)
        self.assertEqual(len(self.log.warnings()), 2)
        self.assertIn("refused user", client.trouble)

    def test_an_endpoint_that_cannot_be_made_is_a_trouble_like_any_other(self) -> None:
        def broken(*_: object) -> None:
            raise UnicodeError("label too long")

        client = MqttClient(self.clock, SETTINGS, "MQTT", endpoint_factory=broken)  # type: ignore[arg-type]
        client.startService()
        settle(self.clock)
        self.assertIn("label too long", client.trouble)
        self.stop(client)

    def test_fifty_reconnections_leave_nothing_behind(self) -> None:
        broker = self.broker
        client = self.started(backoff=Backoff(0.1, 0.1, Random(1)))

        def again() -> None:
            broker.line.publish("home/p", b"1")
            broker.line.hang_up()
            lines = len(broker.lines)
            self.advance_until(lambda: len(broker.lines) > lines and client.connected, 5.0)
            broker.lines[:-1] = []

        def census() -> tuple[int, int, int]:
            gc.collect()
            # Only what is ours can be our leak; the interpreter's own caches fill as they like.
            ours = ("astrameter.", "twisted.", "paho.")
            objects = [
                one for one in gc.get_objects() if str(type(one).__module__).startswith(ours)
            ]
            sessions = sum(isinstance(one, Session) for one in objects)
            return len(objects), sessions, len(self.clock.getDelayedCalls())

        again()
        self.log.clear()
        count, sessions, calls = census()
        for _ in range(50):
            again()
            self.got.clear()
            self.changes.clear()
            broker.attempts.clear()
            self.log.clear()
        after, sessions_after, calls_after = census()
        self.assertEqual(sessions_after, sessions)
        self.assertEqual(calls_after, calls)
        self.assertLess(after - count, 100)


class Publishing(MqttTestCase):
    def sent(self) -> list[tuple[int, bytes]]:
        return [(p.flags, p.body) for p in self.broker.line.received if p.kind == PUBLISH]

    def test_qos_0_is_done_when_it_is_handed_over(self) -> None:
        client = self.started()
        self.assertTrue(self.successResultOf(client.publish("a/b", "grüße")))
        self.assertTrue(self.successResultOf(client.publish("a/b", b"", retain=True)))
        settle(self.clock)
        self.assertEqual(self.sent(), [(0, text("a/b") + "grüße".encode()), (1, text("a/b"))])

    def test_qos_1_is_done_when_the_broker_acknowledged_it(self) -> None:
        client = self.started()
        done = client.publish("status", "online", qos=1, retain=True)
        self.assertNoResult(done)
        settle(self.clock)
        self.assertTrue(self.successResultOf(done))
        self.assertEqual(self.sent()[0][0], 3)

    def test_qos_1_without_acknowledgement_gives_up_after_10_s(self) -> None:
        self.broker.answers.discard(PUBLISH)
        client = self.started()
        done = client.publish("status", "online", qos=1)
        self.pass_time(9.5)
        self.assertNoResult(done)
        self.pass_time(1.0)
        self.assertFalse(self.successResultOf(done))

    def test_what_waits_for_acknowledgement_is_bounded(self) -> None:
        self.broker.answers.discard(PUBLISH)
        client = self.started()
        results = [client.publish("status", "x", qos=1) for _ in range(150)]
        self.assertEqual(sum(one.called for one in results), 50)
        self.pass_time(11.0)
        self.assertEqual([self.successResultOf(one) for one in results], [False] * 150)

    def test_a_lost_connection_loses_what_was_not_acknowledged(self) -> None:
        self.broker.answers.discard(PUBLISH)
        client = self.started()
        done = client.publish("status", "online", qos=1)
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertFalse(self.successResultOf(done))

    def test_who_hears_of_the_loss_cannot_publish_any_more(self) -> None:
        self.broker.answers.discard(PUBLISH)
        client = self.started()
        retries: list[Deferred[bool]] = []
        done = client.publish("status", "online", qos=1)
        done.addCallback(lambda _: retries.append(client.publish("status", "online", qos=1)))
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertFalse(self.successResultOf(retries[0]))

    def test_a_caller_may_cancel(self) -> None:
        self.broker.answers.discard(PUBLISH)
        client = self.started()
        done = client.publish("status", "online", qos=1)
        done.addErrback(lambda _: None).cancel()
        settle(self.clock)
        self.assertTrue(client.connected)

    def test_without_a_connection_it_says_so(self) -> None:
        client = self.client()
        self.assertFalse(self.successResultOf(client.publish("a", "x")))
        self.broker.reach = "down"
        client.startService()
        settle(self.clock)
        self.assertFalse(self.successResultOf(client.publish("a", "x", qos=1)))

    def test_what_cannot_be_published_is_refused_and_logged_once(self) -> None:
        client = self.started()
        for topic, payload, qos in (
            ("dev+1/status", b"x", 0),
            ("", b"x", 0),
            ("nul\0", b"x", 0),
            ("\ud800", b"x", 0),
            ("x", "\ud800", 0),
            ("long", bytes(1 << 20), 0),
            ("x", b"", 2),
        ):
            self.assertFalse(self.successResultOf(client.publish(topic, payload, qos=qos)))
        self.assertEqual(
            self.log.warnings(),
            [
                (
                    "[MQTT] cannot publish to 'dev+1/status': a topic to publish to cannot hold "
                    "+ or # (logged once)"
                )
            ],
        )
        settle(self.clock)
        self.assertEqual(self.sent(), [])

    def test_while_the_broker_takes_nothing_messages_wait_in_order(self) -> None:
        client = self.started()
        producer = self.broker.line.producer
        producer.pauseProducing()
        results = [client.publish("t", str(i), qos=i % 2) for i in range(4)]
        settle(self.clock)
        self.assertEqual(self.sent(), [])
        self.assertFalse(any(one.called for one in results))
        producer.resumeProducing()
        settle(self.clock)
        self.assertEqual([self.successResultOf(one) for one in results], [True] * 4)
        self.assertEqual([body[-1:] for _, body in self.sent()], [b"0", b"1", b"2", b"3"])

    def test_what_waits_for_the_broker_is_bounded_in_number(self) -> None:
        client = self.started()
        self.broker.line.producer.pauseProducing()
        results = [client.publish("t", "x") for _ in range(OUTGOING_MESSAGES + 2)]
        self.assertEqual([one.called for one in results[-3:]], [False, True, True])
        self.assertFalse(self.successResultOf(results[-1]))
        self.assertEqual(
            self.log.warnings(),
            [
                (
                    "[MQTT] the broker at broker.example:1883 takes nothing; messages to it are "
                    "dropped"
                )
            ],
        )
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertFalse(any(self.successResultOf(one) for one in results))

    def test_what_waits_for_the_broker_is_bounded_in_bytes(self) -> None:
        client = self.started()
        self.broker.line.producer.pauseProducing()
        results = [client.publish("t", bytes(300_000)) for _ in range(4)]
        self.assertEqual([one.called for one in results], [False, False, False, True])
        self.broker.line.producer.resumeProducing()
        settle(self.clock)
        self.assertEqual([self.successResultOf(x) for x in results], [True, True, True, False])
        self.broker.line.producer.pauseProducing()
        again = [client.publish("t", bytes(300_000)) for _ in range(4)]
        self.assertEqual([one.called for one in again], [False, False, False, True])


class Stopping(MqttTestCase):
    def test_it_says_goodbye_and_closes(self) -> None:
        client = self.started()
        done = client.stopService()
        self.assertFalse(client.connected)
        self.assertNoResult(done)
        settle(self.clock)
        self.successResultOf(done)
        self.assertEqual(self.broker.line.kinds(), [CONNECT, SUBSCRIBE, DISCONNECT])
        self.assertEqual(self.broker.line.ended, "lose")
        self.assertEqual(self.changes, ["connected", "disconnected"])
        self.assertEqual(self.log.warnings(), [])

    def test_a_broker_that_does_not_let_go_is_cut_off_after_2_s(self) -> None:
        self.broker.closes = False
        client = self.started()
        done = client.stopService()
        self.pass_time(1.5)
        self.assertNoResult(done)
        self.broker.line.publish("home/p", b"too late")
        self.pass_time(1.0)
        self.successResultOf(done)
        self.assertEqual(self.broker.line.ended, "abort")
        self.assertEqual(self.got, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_it_waits_to_try_again(self) -> None:
        self.broker.reach = "down"
        client = self.started()
        self.successResultOf(client.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(client.trouble, "")

    def test_before_it_had_its_first_turn(self) -> None:
        client = self.client()
        client.startService()
        self.successResultOf(client.stopService())
        self.pass_time(5.0)
        self.assertEqual(self.broker.attempts, [])

    def test_while_it_connects(self) -> None:
        self.broker.reach = "away"
        client = self.started()
        self.successResultOf(client.stopService())
        self.assertEqual(self.broker.cancelled, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.log.lines(), [])

    def test_while_it_waits_for_the_brokers_greeting(self) -> None:
        self.broker.connack = None
        client = self.started()
        done = client.stopService()
        settle(self.clock)
        self.successResultOf(done)
        self.assertEqual(self.broker.line.ended, "abort")

    def test_it_can_be_started_again_at_once(self) -> None:
        client = self.started()
        done = client.stopService()
        client.startService()
        settle(self.clock)
        self.successResultOf(done)
        self.pass_time(5.0)
        self.assertTrue(client.connected)
        self.assertEqual(len(self.broker.lines), 2)
        self.assertEqual(self.changes, ["connected", "disconnected", "connected"])

    def test_the_end_of_the_old_connection_does_not_touch_the_new_one(self) -> None:
        self.broker.closes = False
        client = self.started()
        done = client.stopService()
        client.startService()
        settle(self.clock)
        self.assertTrue(client.connected)
        self.assertNoResult(done)
        self.pass_time(5.0)
        self.successResultOf(done)
        self.assertTrue(client.connected)
        self.assertEqual(len(self.broker.lines), 2)
        self.assertEqual(self.log.warnings(), [])

    def test_a_session_closes_once_however_often_it_is_asked(self) -> None:
        broker = ScriptedBroker(self.clock)
        self.broker = broker
        self.started()
        session = broker.line.protocol
        first, second = session.close(), session.close()
        self.assertIs(first, second)
        settle(self.clock)
        self.successResultOf(session.close())
        broker.line.send(packet(PUBLISH, 0, text("home/p")))
        settle(self.clock)
        self.assertEqual(self.got, [])
