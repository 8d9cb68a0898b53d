"""The [MQTT] meter (meters.md section 13)."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.config import load_text
from astrameter.meters.interface import IMeter
from astrameter.meters.mqtt import COMPLAIN_EVERY_S, KIND, MqttMeter, Options, settings_of
from astrameter.mqtt import MqttClient, MqttSettings
from astrameter.options import options_of
from astrameter.problems import ConfigError
from astrameter.reading import MeterError, Sample
from tests import vectors
from tests.astrameter.mqtt.rig import MqttTestCase
from tests.scripted_broker import publication, settle, text

VECTORS = [case for case in vectors.load("meters")["vectors"] if case["id"].startswith("MP")]

CLIENT_ID = text("")
"""What the predecessor sends as its client id; we send a random one in its place, because some
brokers refuse the empty one, and so that a broker notices when we return."""

DIFFERENCES: dict[str, tuple[int, dict[str, Any], str]] = {
    "MP06": (2, {"watts": [5.0]}, "a wildcard is subscribed to, so its messages have to count"),
    "MP07": (5, {"watts": [6.0]}, "a null is one bad message; the next good one counts again"),
    "MP08": (4, {"watts": [6.0]}, "bytes that are not UTF-8 are one bad message"),
}
"""Vectors that freeze an accident of the predecessor: step, what we expect there, why."""


def configured(**config: Any) -> Options:
    """The options of a section, through the loader of the house."""
    lines = "\n".join(f"{key} = {value}" for key, value in config.items())
    (meter,) = load_text(f"[MQTT]\n{lines}\n", "config.ini").meters
    options = meter.options
    assert isinstance(options, Options)
    return options


class MeterTestCase(MqttTestCase):
    def meter(self, **config: Any) -> MqttMeter:
        options = configured(**({"BROKER": "192.0.2.1"} | config))
        client = MqttClient(
            self.clock, settings_of(options), "MQTT", endpoint_factory=self.broker.endpoint
        )
        meter = MqttMeter(self.clock, "MQTT", options, client)
        meter.startService()
        self.addCleanup(self.stop_meter, meter)
        return meter

    def started(self, **config: Any) -> MqttMeter:  # type: ignore[override]
        meter = self.meter(**config)
        settle(self.clock)
        return meter

    def stop_meter(self, meter: MqttMeter) -> None:
        if meter.running:
            done = meter.stopService()
            settle(self.clock)
            self.successResultOf(done)

    def push(self, topic: str, payload: bytes | str) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        self.broker.line.publish(topic, data)
        settle(self.clock)

    def watts(self, meter: MqttMeter) -> tuple[float, ...]:
        return self.successResultOf(meter.read()).watts

    def failure(self, meter: MqttMeter) -> MeterError:
        error = self.failureResultOf(meter.read(), MeterError).value
        assert isinstance(error, MeterError)
        return error


class Vectors(MeterTestCase):
    @vectors.each(VECTORS)
    def vector(self, case: dict[str, Any]) -> None:
        places = {"host": "192.0.2.1", "port": "1883"}
        meter = self.meter(**{key: value.format(**places) for key, value in case["config"].items()})
        at, replaced, _why = DIFFERENCES.get(case["id"], (-1, {}, ""))
        for i, step in enumerate(case["steps"]):
            self.step(meter, step, replaced if i == at else step.get("expect", {}))
        (packet,) = case["connect_packet_hex"]
        self.assertEqual(self.connect_body(), bytes.fromhex(packet)[2:])
        self.assertEqual(
            self.broker.line.filters, [(one["topic"], one["qos"]) for one in case["subscriptions"]]
        )

    def step(self, meter: MqttMeter, step: dict[str, Any], expect: dict[str, Any]) -> None:
        if step["op"] == "wait_connected":
            settle(self.clock)
            self.assertEqual(len(self.broker.line.filters), step["n"])
        elif step["op"] == "publish":
            payload = step.get("payload", "").encode()
            payload = payload or base64.b64decode(step["payload_b64"])
            retain = step.get("retain", False)
            self.broker.line.publish(step["topic"], payload, retain=retain)
            settle(self.clock)
        elif step["op"] == "stream_online":
            self.assertEqual(meter.online, expect["stream_online"])
        elif "error" in expect:
            self.assertEqual(self.failure(meter).kind, expect["error"])
        else:
            self.assertEqual(step["op"], "get")
            self.assertEqual(self.watts(meter), tuple(expect["watts"]))

    def connect_body(self) -> bytes:
        """The CONNECT packet without its header, with the predecessor's empty client id."""
        body = self.broker.line.received[0].body
        length = int.from_bytes(body[10:12], "big")
        self.assertRegex(body[12 : 12 + length], rb"\Aastrameter-[0-9a-f]{8}\Z")
        return body[:10] + CLIENT_ID + body[12 + length :]

    def test_all_vectors_are_there_and_each_difference_changes_its_vector(self) -> None:
        by_id = {case["id"]: case for case in VECTORS}
        self.assertEqual(len(by_id), 9)
        for name, (at, expect, why) in DIFFERENCES.items():
            step = by_id[name]["steps"][at]
            self.assertEqual(step["op"], "get")
            self.assertNotEqual(step["expect"], expect)
            self.assertTrue(why)


class Messages(MeterTestCase):
    def test_it_is_a_meter(self) -> None:
        self.assertTrue(verifyObject(IMeter, self.started(TOPIC="p")))


class BadInputTests(MeterTestCase):
    def test_bad_messages_leave_the_last_value_and_the_stream(self) -> None:
        meter = self.started(TOPIC="p", JSON_PATH="$.w")
        for bad in (
            b'{"w": null}',
            b'{"w": []}',
            b'{"w": {}}',
            b'{"w": "much"}',
            b'{"w": NaN}',
            b'{"w": 1e999}',
            b'{"w": "inf"}',
            b'{"v": 1}',
            b"null",
            b"[]",
            b"5",
            b"garbage",
            b"",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"w": ' + b"9" * 5000 + b"}",
        ):
            with self.subTest(bad=bad[:20]):
                self.push("p", b'{"w": 1}')
                self.push("p", bad)
                self.assertEqual(self.watts(meter), (1.0,))
                self.assertTrue(meter.online)
        self.push("p", b'{"w": 2}')
        self.assertEqual(self.watts(meter), (2.0,))

    def test_bad_messages_without_a_path(self) -> None:
        meter = self.started(TOPIC="p")
        self.push("p", "1")
        for bad in ("nan", "-inf", "", "5 W", "{}", "null", b"\xff", "9" * 400):
            with self.subTest(bad=bad):
                self.push("p", bad)
                self.assertEqual(self.watts(meter), (1.0,))

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=60), st.sampled_from(["", "$.w", "$..w", "$[?(@.a>1)].w"]))
    def test_any_message_is_survived(self, payload: bytes, path: str) -> None:
        rig = MeterTestCase("setUp")
        rig.setUp()
        try:
            meter = rig.started(TOPIC="p", JSON_PATH=path)
            rig.push("p", payload)
            rig.push("p", b'{"w": 3}' if path else b"3")
            if not path.startswith("$["):
                rig.assertEqual(rig.watts(meter), (3.0,))
            rig.assertTrue(meter.connected)
        finally:
            rig.doCleanups()


class Judgement(MeterTestCase):
    def test_true_is_one_as_in_the_predecessor(self) -> None:
        meter = self.started(TOPIC="p", JSON_PATH="$.w")
        self.push("p", '{"w": true}')
        self.assertEqual(self.watts(meter), (1.0,))

    def test_a_bad_topic_is_logged_once_and_so_is_its_recovery(self) -> None:
        self.started(TOPICS="a, b")
        for payload in ("1", "x", "y", "2", "3"):
            self.push("a", payload)
            self.push("b", "7")
        self.assertEqual(
            self.log.lines()[1:],
            [
                (
                    '[MQTT] a message on a is of no use: the message is "x", not a number; the '
                    "last good value stays"
                ),
                "[MQTT] a brings good values again",
            ],
        )

    def test_a_topic_that_alternates_is_logged_once_a_minute(self) -> None:
        self.started(TOPIC="p")
        for _ in range(int(2 * COMPLAIN_EVERY_S)):
            self.push("p", "x")
            self.push("p", "1")
            self.pass_time(1.0, 1.0)
        self.assertEqual(len(self.log.warnings()), 2)

    def test_each_value_of_a_message_is_judged_alone(self) -> None:
        meter = self.started(TOPIC="p", JSON_PATHS="$.a, $.b")
        self.push("p", '{"a": 1, "b": 2}')
        self.push("p", '{"a": null, "b": 3}')
        self.assertEqual(self.watts(meter), (1.0, 3.0))
        self.assertEqual(len(self.log.warnings()), 1)

    def test_pairs_of_topic_and_path(self) -> None:
        meter = self.started(TOPICS="a, b", JSON_PATHS="$.x, $.y")
        self.push("a", '{"x": 1, "y": 9}')
        self.push("b", '{"x": 9, "y": 2}')
        self.assertEqual(self.watts(meter), (1.0, 2.0))

    def test_one_path_for_all_topics(self) -> None:
        meter = self.started(TOPICS="a, b", JSON_PATH="$.x")
        self.push("a", '{"x": 1}')
        self.push("b", '{"x": 2}')
        self.assertEqual(self.watts(meter), (1.0, 2.0))

    def test_one_topic_twice_is_subscribed_once(self) -> None:
        meter = self.started(TOPICS="a, a", JSON_PATHS="$.x, $.y")
        self.assertEqual(self.broker.line.filters, [("a", 0)])
        self.push("a", '{"x": 1, "y": 2}')
        self.assertEqual(self.watts(meter), (1.0, 2.0))

    def test_overlapping_topics_each_have_their_messages(self) -> None:
        meter = self.started(TOPICS="h/+, h/a")
        self.push("h/b", "1")
        self.push("h/a", "2")
        self.assertEqual(self.watts(meter), (2.0, 2.0))
        self.push("h/b", "3")
        self.assertEqual(self.watts(meter), (3.0, 2.0))

    def test_commas_in_string_functions_do_not_split_paths(self) -> None:
        meter = self.started(TOPIC="p", JSON_PATHS="$.a.`split( , 0, -1)`, $.b.`split( , 0, -1)`")
        self.push("p", '{"a": "331.74 W", "b": "-2 W"}')
        self.assertEqual(self.watts(meter), (331.74, -2.0))


class Freshness(MeterTestCase):
    def test_a_sample_is_as_old_as_its_oldest_value(self) -> None:
        meter = self.started(TOPICS="a, b")
        self.push("a", "1")
        self.clock.advance(3.0)
        self.push("b", "2")
        sample = self.successResultOf(meter.read())
        self.assertEqual(sample, Sample((1.0, 2.0), 0.0))

    def test_next_sample_is_content_with_any_one_topic(self) -> None:
        meter = self.started(TOPICS="a, b")
        self.push("a", "1")
        self.push("b", "2")
        waiting = meter.next_sample(2.0)
        self.push("b", "3")
        self.successResultOf(waiting)
        self.assertEqual(self.watts(meter), (1.0, 3.0))

    def test_next_sample_is_not_content_with_a_bad_message(self) -> None:
        meter = self.started(TOPIC="p")
        waiting = meter.next_sample(2.0)
        self.push("p", "x")
        self.assertNoResult(waiting)
        self.pass_time(2.0)
        self.successResultOf(waiting)

    def test_first_sample_waits_for_all_topics(self) -> None:
        meter = self.started(TOPICS="a, b")
        waiting = meter.first_sample(30.0)
        self.push("a", "1")
        self.assertNoResult(waiting)
        self.push("b", "2")
        self.successResultOf(waiting)

    def test_values_outlive_the_connection_but_the_stream_is_offline(self) -> None:
        meter = self.started(TOPIC="p")
        self.push("p", "5")
        self.broker.reach = "down"
        self.broker.line.hang_up()
        settle(self.clock)
        self.assertFalse(meter.online)
        self.pass_time(3600.0, 30.0)
        self.assertEqual(self.watts(meter), (5.0,))
        self.broker.reach = "up"
        self.pass_time(61.0)
        self.assertTrue(meter.online)
        self.push("p", "6")
        self.assertEqual(self.watts(meter), (6.0,))

    def test_without_a_value_it_says_what_is_missing(self) -> None:
        meter = self.started(TOPICS="a, b")
        self.push("a", "1")
        self.assertEqual(str(self.failure(meter)), "nothing has arrived yet on b")

    def test_without_a_broker_it_says_so(self) -> None:
        self.broker.reach = "down"
        meter = self.started(TOPIC="p")
        self.assertEqual(self.failure(meter).kind, "no_data")
        self.assertIn("192.0.2.1:1883 cannot be reached", str(self.failure(meter)))

    def test_a_stopped_meter_leaves_nothing_behind(self) -> None:
        meter = self.started(TOPIC="p")
        waiting = meter.next_sample(2.0)
        first = meter.first_sample(30.0)
        self.stop_meter(meter)
        self.successResultOf(waiting)
        self.failureResultOf(first, MeterError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(meter.online)

    def test_it_can_be_started_again(self) -> None:
        meter = self.started(TOPIC="p")
        self.stop_meter(meter)
        meter.startService()
        settle(self.clock)
        self.push("p", "4")
        self.assertEqual(self.watts(meter), (4.0,))
        self.assertTrue(meter.online)

    def test_a_burst_within_one_packet_of_bytes_counts_to_the_last(self) -> None:
        meter = self.started(TOPIC="p")
        self.broker.line.send(b"".join(publication("p", b"%d" % i) for i in range(500)))
        settle(self.clock)
        self.assertEqual(self.watts(meter), (499.0,))


class Configuration(SynchronousTestCase):
    def problem(self, **config: Any) -> str:
        error = self.assertRaises(ConfigError, configured, **config)
        (problem,) = error.problems
        return str(problem)

    def test_the_broker_by_its_keys(self) -> None:
        keys = {"BROKER": "h", "TOPIC": "p"}
        credentials = {"USERNAME": "u", "PASSWORD": "p#w"}
        for config, expected in (
            ({}, MqttSettings("h")),
            ({"PORT": 1884}, MqttSettings("h", 1884)),
            ({"TLS": "true"}, MqttSettings("h", 8883, tls=True)),
            ({"TLS": "true", "PORT": 1883}, MqttSettings("h", 1883, tls=True)),
            (credentials, MqttSettings("h", 1883, "u", "p#w")),
            ({"USERNAME": "", "PASSWORD": ""}, MqttSettings("h")),
        ):
            with self.subTest(config=config):
                self.assertEqual(settings_of(configured(**keys, **config)), expected)

    def test_the_uri_replaces_all_of_them(self) -> None:
        options = configured(
            URI="mqtts://a:b@broker:1", BROKER="h", PORT=2, USERNAME="u", TLS="no", TOPIC="p"
        )
        self.assertEqual(settings_of(options), MqttSettings("broker", 1, "a", "b", tls=True))

    def test_an_empty_uri_is_not_set(self) -> None:
        self.assertEqual(settings_of(configured(URI="", BROKER="h", TOPIC="p")).host, "h")

    def test_the_plural_wins_and_a_blank_one_is_not_set(self) -> None:
        options = configured(BROKER="h", TOPIC="p", TOPICS="a,b", JSON_PATH="$.x", JSON_PATHS="$.y")
        self.assertEqual(options.all_topics, ("a", "b"))
        self.assertEqual([path.text for path in options.all_paths], ["$.y"])
        blank = configured(BROKER="h", TOPIC="p", TOPICS="", JSON_PATH="$.x", JSON_PATHS="")
        self.assertEqual(blank.all_topics, ("p",))
        self.assertEqual([path.text for path in blank.all_paths], ["$.x"])
        self.assertEqual(configured(BROKER="h", TOPIC="p", JSON_PATH="").all_paths, ())

    def test_what_is_refused_and_why(self) -> None:
        for config, line, key, words in (
            ({"TOPIC": "p"}, 0, "BROKER", "name the broker's host"),
            ({"BROKER": "h"}, 0, "TOPIC", "name the topic"),
            ({"BROKER": "h", "TOPICS": ","}, 3, "TOPICS", "name the topic"),
            ({"BROKER": "h", "TOPIC": "a/#/b"}, 3, "TOPIC", "'a/#/b' is no topic: a # is"),
            ({"BROKER": "h", "TOPICS": "a,b+"}, 3, "TOPICS", "'b+' is no topic: a + or #"),
            ({"BROKER": "h:1883", "TOPIC": "p"}, 2, "BROKER", "its port belongs into PORT"),
            ({"BROKER": "mqtt://h", "TOPIC": "p"}, 2, "BROKER", "a whole address into URI"),
            ({"BROKER": "h", "PORT": "0", "TOPIC": "p"}, 3, "PORT", "a port is 1..65535"),
            ({"BROKER": "h", "TOPIC": "p", "JSON_PATH": "$.1.7.0"}, 4, "JSON_PATH", "no JSON path"),
            ({"BROKER": "h", "TOPIC": "p", "JSON_PATHS": "$.a,$."}, 4, "JSON_PATHS", "no JSON"),
            ({"BROKER": "h", "TOPIC": "p", "JSON_PATHS": ","}, 4, "JSON_PATHS", "at least one"),
            (
                {"BROKER": "h", "TOPICS": "a,b,c", "JSON_PATHS": "$.x,$.y"},
                4,
                "JSON_PATHS",
                "3 topics go with one path for all or 3 paths, not 2",
            ),
        ):
            with self.subTest(config=config):
                problem = self.problem(**config)
                where = f"config.ini:{line} [MQTT] {key}" if line else f"[MQTT] {key}"
                self.assertIn(where, problem)
                self.assertIn(words, problem)

    def test_a_bad_uri_is_explained_without_its_password(self) -> None:
        problem = self.problem(URI="mqtt://u:geheim@h/base", TOPIC="p")
        self.assertIn("nothing may follow host and port", problem)
        self.assertNotIn("geheim", problem)

    def test_secrets_are_declared(self) -> None:
        secret = {one.key for one in options_of(Options) if one.secret}
        self.assertEqual(secret, {"URI", "PASSWORD"})

    def test_building_does_no_io(self) -> None:
        reactor = MemoryReactorClock()
        meter = KIND.build(reactor, "MQTT_2", configured(BROKER="192.0.2.1", TOPIC="p"))
        self.assertEqual(meter.section, "MQTT_2")
        self.assertEqual((reactor.tcpClients, reactor.getDelayedCalls()), ([], []))
        meter.startService()
        reactor.advance(0)
        self.assertEqual(reactor.tcpClients[0][:2], ("192.0.2.1", 1883))
        self.successResultOf(meter.stopService())
        self.assertEqual(reactor.getDelayedCalls(), [])
