"""The [HOMEASSISTANT] meter (meters.md section 8)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.backoff import LONGEST_S, Backoff
from astrameter.meters import homeassistant, websocket_connection
from astrameter.meters.homeassistant import KIND, SEED_AFTER_S, SEED_TIMEOUT_S, Options
from astrameter.meters.http_agent import MAX_BODY
from astrameter.meters.interface import IMeter
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import like
from tests.astrameter.meters.http_rig import problems_of
from tests.astrameter.meters.websocket_rig import (
    PORT,
    SOURCE,
    Peer,
    Play,
    Source,
    VectorTestCase,
    WebSocketTestCase,
    certificate,
    configured,
    server_tls,
)
from tests.astrameter.mqtt.rig import LogWatch
from tests.vectors import each, load

reactor: Any = _reactor

CASES = [case for case in load("meters")["vectors"] if case["source"] == "homeassistant"]

DIFFERENCES: dict[str, tuple[int, dict[str, Any], str]] = {
    "MG07": (
        1,
        {"error": "no_data"},
        "a value that was asked for once and is never heard of again is a frozen reading",
    ),
}
"""Vectors that we do otherwise on purpose: step, what we expect there, why."""

GREETING = {"type": "auth_required", "ha_version": "2026.1.0"}
ACCEPTED = {"type": "auth_ok", "ha_version": "2026.1.0"}
INVALID = {"type": "auth_invalid", "message": "Invalid access token or password"}
SUBSCRIBED = {"id": 1, "type": "result", "success": True, "result": None}


def event(**parts: object) -> dict[str, Any]:
    return {"id": 1, "type": "event", "event": parts}


def state(value: object, entity: str = "sensor.grid") -> dict[str, Any]:
    """An entity has a new state."""
    return event(c={entity: {"+": {"s": value, "lc": 1720000000.1}}})


def home(states: Mapping[str, object], token: str = "tok") -> Play:
    """A Home Assistant that knows these entities."""

    def play(peer: Peer) -> Iterator[Any]:
        peer.send(GREETING)
        yield peer.heard
        if peer.heard().get("access_token") != token:
            peer.send(INVALID)
            peer.close()
            return
        peer.send(ACCEPTED)
        yield peer.heard
        wanted = peer.heard()["entity_ids"]
        peer.send(SUBSCRIBED)
        known = {name: {"s": states[name]} for name in wanted if name in states}
        if known:
            peer.send(event(a=known))

    return play


class VectorTests(VectorTestCase):
    SECTION = "HOMEASSISTANT"

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> None:
        at, expected, _why = DIFFERENCES.get(case["id"], (-1, {}, ""))
        self.run_vector(case, {at: expected})

    def test_all_are_run_and_each_difference_is_one(self) -> None:
        by_id = {case["id"]: case for case in CASES}
        self.assertEqual(sorted(by_id), [f"MG{i:02}" for i in range(1, 11)])
        for name, (at, expected, why) in DIFFERENCES.items():
            self.assertNotEqual(by_id[name]["steps"][at]["expect"], expected)
            self.assertTrue(why)


class HomeTestCase(WebSocketTestCase):
    SECTION = "HOMEASSISTANT"
    CONFIG: ClassVar = {
        "IP": SOURCE,
        "PORT": PORT,
        "ACCESSTOKEN": "tok",
        "CURRENT_POWER_ENTITY": "sensor.grid",
    }

    def connected(self, **states: object) -> tuple[Source, Any]:
        """A meter that has heard the state of ``sensor.grid``, 5 W unless told otherwise."""
        source = self.source(home({"sensor.grid": "5"} | states))
        meter = self.meter()
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))
        return source, meter

    def say(self, source: Source, *messages: object) -> None:
        source.peer.send(*messages)
        self.world.advance(0.01)


class ReadingTests(HomeTestCase):
    def test_it_is_a_meter(self) -> None:
        _source, meter = self.connected()
        self.assertTrue(verifyObject(IMeter, meter))
        self.assertTrue(meter.online)

    def test_readings_do_not_expire(self) -> None:
        _source, meter = self.connected()
        self.world.advance(86_400.0)
        self.assertEqual(self.read(), (5.0,))
        self.assertTrue(meter.online)

    def test_max_age_counts_from_the_last_word_not_from_the_last_change(self) -> None:
        source = self.source(home({"sensor.grid": "5"}))
        self.meter(MAX_AGE=60)
        self.world.advance(50.0)
        self.say(source, event(c={"sensor.grid": {"+": {"lu": 1.0}}}))
        self.world.advance(50.0)
        self.assertEqual(self.read(), (5.0,))
        self.world.advance(11.0)
        self.assertEqual(self.read(), "stale")

    def test_a_reading_is_as_old_as_its_oldest_value(self) -> None:
        source = self.source(home({"sensor.a": "1", "sensor.b": "2"}))
        meter = self.meter(CURRENT_POWER_ENTITY="sensor.b, sensor.a")
        self.world.advance(0.1)
        start = self.successResultOf(meter.read()).measured_at
        self.world.advance(3.0)
        self.say(source, state("7", "sensor.a"))
        sample = self.successResultOf(meter.read())
        self.assertEqual((sample.watts, sample.measured_at), ((2.0, 7.0), start))
        self.say(source, state("8", "sensor.b"))
        self.assertGreater(self.successResultOf(meter.read()).measured_at, start + 2.9)

    def test_pairs_are_subtracted(self) -> None:
        self.source(home({"sensor.i1": "100", "sensor.i2": "5", "sensor.o": "30.5"}))
        self.meter(
            POWER_CALCULATE="yes",
            POWER_INPUT_ALIAS="sensor.i1, sensor.i2",
            POWER_OUTPUT_ALIAS="sensor.o, sensor.o",
        )
        self.world.advance(0.1)
        self.assertEqual(self.read(), (69.5, -25.5))

    def test_names_in_capitals_are_the_same(self) -> None:
        source = self.source(home({"sensor.grid": "5"}))
        self.meter(CURRENT_POWER_ENTITY="Sensor.Grid,")
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))
        self.assertEqual(source.peer.received[1]["entity_ids"], ["sensor.grid"])

    def test_a_sensor_that_is_unavailable_is_named_once(self) -> None:
        source, meter = self.connected()
        self.say(source, state("unavailable"), state("unknown"), state("unavailable"))
        self.assertEqual(self.read(), "no_data")
        self.assertEqual(self.error(), 'sensor.grid is "unavailable", not a number')
        self.assertFalse(meter.online)
        self.say(source, state("7"))
        self.assertEqual(self.read(), (7.0,))
        self.assertEqual(
            self.log.lines()[1:],
            [
                '[HOMEASSISTANT] no reading: sensor.grid is "unavailable", not a number',
                "[HOMEASSISTANT] sensor.grid is a number again",
            ],
        )

    def test_a_sensor_that_is_gone_or_not_there_is_named(self) -> None:
        source, _meter = self.connected()
        self.say(source, event(r=["sensor.grid"]))
        self.assertIn("does not have sensor.grid any more", self.error())
        self.say(source, event(a={"sensor.grid": {"s": "1"}}))
        self.assertEqual(self.read(), (1.0,))

    def test_first_sample_waits_for_all(self) -> None:
        source = self.source(home({"sensor.a": "1"}))
        meter = self.meter(CURRENT_POWER_ENTITY="sensor.a, sensor.b")
        waiting = meter.first_sample(30.0)
        self.world.advance(1.0)
        self.assertNoResult(waiting)
        self.assertIn("does not know sensor.b", self.error())
        self.say(source, event(a={"sensor.b": {"s": "2"}}))
        self.successResultOf(waiting)
        self.assertEqual(self.read(), (1.0, 2.0))

    def test_it_goes_on_after_home_assistant_restarts(self) -> None:
        source, meter = self.connected()
        source.stop()
        self.world.advance(30.0)
        self.assertEqual(self.read(), "no_data")
        self.assertIn("refused the connection", self.error())
        self.assertFalse(meter.online)
        source.play = home({"sensor.grid": "6"})
        source.start()
        self.world.advance(LONGEST_S)
        self.assertEqual(self.read(), (6.0,))
        self.assertTrue(meter.online)
        self.assertEqual([peer.received[1]["id"] for peer in source.peers], [1, 1])

    def test_values_of_two_connections_are_not_mixed(self) -> None:
        source = self.source(home({"sensor.a": "1", "sensor.b": "2"}))
        self.meter(CURRENT_POWER_ENTITY="sensor.a, sensor.b")
        self.world.advance(0.1)
        self.assertEqual(self.read(), (1.0, 2.0))
        source.play = home({"sensor.a": "3"})
        source.peer.reset()
        self.world.advance(2.0)
        self.assertEqual(self.read(), "no_data")
        self.assertIn("does not know sensor.b", self.error())

    def test_it_can_be_stopped_and_started_again(self) -> None:
        _source, meter = self.connected()
        self.stop(meter)
        self.assert_nothing_left()
        self.assertFalse(meter.online)
        self.assertEqual(self.read(), "no_data")
        meter.startService()
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))


class SeedingTests(HomeTestCase):
    PATH = "/api/states/sensor.grid"

    def started(self, answer: tuple[int, bytes], **config: object) -> Source:
        source = self.source(home({}))
        source.rest[self.PATH] = answer
        self.meter(**config)
        self.world.advance(SEED_AFTER_S + 0.1)
        return source

    def test_what_is_not_pushed_is_asked_for_once(self) -> None:
        source = self.started((200, b'{"state": "71.5"}'))
        self.assertEqual(self.read(), (71.5,))
        self.world.advance(600.0)
        self.assertEqual([path for path, _ in source.requests], [self.PATH])
        self.assertEqual(source.requests[0][1]["authorization"], "Bearer tok")

    def test_what_is_pushed_is_not_asked_for(self) -> None:
        source, _meter = self.connected()
        self.world.advance(10.0)
        self.assertEqual(source.requests, [])

    def test_an_entity_that_is_loaded_later_is_read(self) -> None:
        source = self.started((404, b""))
        self.assertIn("Home Assistant does not know sensor.grid", self.error())
        self.say(source, event(a={"sensor.grid": {"s": "3"}}))
        self.assertEqual(self.read(), (3.0,))

    def test_useless_answers_are_passed_over(self) -> None:
        for answer in (
            (500, b"{}"),
            (401, b'{"state": "1"}'),
            (200, b""),
            (200, b"<html>"),
            (200, b"[1]"),
            (200, b"{}"),
            (200, b'{"state": null}'),
            (200, b'{"state": {"a": 1}}'),
            (200, b'{"state": "' + b"1" * MAX_BODY + b'"}'),
        ):
            with self.subTest(answer=answer[1][:20]):
                rig = SeedingTests("setUp")
                rig.setUp()
                source = rig.started(answer)
                self.assertEqual(rig.read(), "no_data")
                rig.say(source, event(a={"sensor.grid": {"s": "4"}}))
                self.assertEqual(rig.read(), (4.0,))
                rig.doCleanups()

    def test_the_stream_is_newer_than_an_answer_under_way(self) -> None:
        source = self.source(home({}))
        source.rest[self.PATH] = (200, b'{"state": "1"}')
        source.hold = True
        self.meter()
        self.world.advance(SEED_AFTER_S + 0.1)
        self.say(source, state("unavailable"))
        source.let_go()
        self.world.advance(1.0)
        self.assertEqual(self.error(), 'sensor.grid is "unavailable", not a number')

    def test_an_answer_after_the_disconnect_counts_no_more(self) -> None:
        source = self.source(home({}))
        source.rest[self.PATH] = (200, b'{"state": "1"}')
        source.hold = True
        self.meter()
        self.world.advance(SEED_AFTER_S + 0.1)
        source.play = lambda _peer: iter(())
        source.peer.reset()
        self.world.advance(0.01)
        self.assertEqual(source.held[0][0].channel, None)
        self.world.advance(5.0)
        self.assertEqual(self.read(), "no_data")

    def test_a_hanging_answer_is_given_up(self) -> None:
        source = self.source(home({}))
        meter = self.meter()
        source.hold = True
        self.world.advance(SEED_TIMEOUT_S + 1.0)
        self.assertEqual(self.read(), "no_data")
        self.say(source, event(a={"sensor.grid": {"s": "4"}}))
        self.assertEqual(self.read(), (4.0,))
        self.stop(meter)

    def test_it_is_stopped_while_it_asks(self) -> None:
        source = self.source(home({}))
        source.hold = True
        meter = self.meter()
        self.world.advance(SEED_AFTER_S + 1.0)
        self.assertEqual(len(source.requests), 1)
        start = self.world.seconds()
        self.stop(meter)
        self.assertLess(self.world.seconds() - start, 0.5)


class BadInputTests(HomeTestCase):
    def test_a_wrong_token_is_said_once_and_tried_again_slowly(self) -> None:
        source = self.source(home({"sensor.grid": "5"}, token="new"))
        meter = self.meter()
        self.world.advance(600.0)
        self.assertLessEqual(len(source.peers), 14)
        [line] = self.log.warnings()
        self.assertIn("[HOMEASSISTANT]", line)
        self.assertIn("refused our token: check ACCESSTOKEN", line)
        self.assertNotIn("tok'", line)
        self.assertEqual(self.read(), "no_data")
        self.assertIn("check ACCESSTOKEN", self.error())
        self.assertFalse(meter.online)
        source.play = home({"sensor.grid": "5"})
        self.world.advance(LONGEST_S)
        self.assertEqual(self.read(), (5.0,))

    def test_a_refused_subscription_is_no_reading_and_tried_again_slowly(self) -> None:
        def refuse(peer: Peer) -> Iterator[Any]:
            peer.send(GREETING, ACCEPTED)
            peer.send(event(a={"sensor.grid": {"s": "5"}}))
            peer.send({"id": 1, "type": "result", "success": False, "error": {"code": "x"}})
            return iter(())

        source = self.source(refuse)
        meter = self.meter()
        self.world.advance(600.0)
        self.assertLessEqual(len(source.peers), 14)
        self.assertIn("refused our subscription ('x')", self.error())
        self.assertFalse(meter.online)
        source.play = home({"sensor.grid": "5"})
        self.world.advance(LONGEST_S)
        self.assertEqual(self.read(), (5.0,))

    def test_a_home_assistant_that_says_nothing(self) -> None:
        source = self.source(lambda _peer: iter(()))
        self.meter()
        self.world.advance(10.1)
        self.assertIn("did not accept us within 10 s", self.error())
        source.play = home({"sensor.grid": "5"})
        self.world.advance(5.0)
        self.assertEqual(self.read(), (5.0,))

    def test_nothing_is_believed_before_the_login(self) -> None:
        def push(peer: Peer) -> Iterator[Any]:
            peer.send(event(a={"sensor.grid": {"s": "5"}}), SUBSCRIBED)
            return iter(())

        self.source(push)
        self.meter()
        self.world.advance(1.0)
        self.assertEqual(self.read(), "no_data")

    def test_messages_that_make_no_sense_are_passed_over(self) -> None:
        source, meter = self.connected()
        for bad in (
            {},
            {"type": None},
            {"type": []},
            {"type": "event"},
            {"type": "event", "event": []},
            {"type": "event", "event": None},
            {"type": "result"},
            {"type": "result", "id": 2, "success": False},
            {"type": "pong", "id": 1},
            GREETING,
            ACCEPTED,
            event(a=[], c=5, r="sensor.grid"),
            event(a={"sensor.grid": None}, c={"sensor.grid": []}, r=[["sensor.grid"], {}, None]),
            event(a={"sensor.grid": {}}, c={"sensor.grid": {"+": []}}),
            event(c={"sensor.grid": {"-": {"s": "1"}}}),
            event(c={"sensor.other": {"+": {"s": "1"}}}, r=["sensor.other"]),
        ):
            with self.subTest(bad=bad):
                self.say(source, bad)
                self.assertEqual(self.read(), (5.0,))
                self.assertTrue(meter.online)
        self.assertEqual(len(source.peer.received), 2)
        self.assertEqual(self.log.warnings(), [])

    def test_states_that_are_no_power(self) -> None:
        source, meter = self.connected()
        for bad in (None, "", "12 W", "NaN", "inf", [], {}, 1e300, -(10**400), "9" * 400):
            with self.subTest(bad=bad):
                self.say(source, state("6"))
                self.assertEqual(self.read(), (6.0,))
                self.say(source, state(bad))
                self.assertEqual(self.read(), "no_data")
                self.assertLess(len(self.error()), 200)
                self.assertFalse(meter.online)

    def test_a_difference_that_is_no_power(self) -> None:
        source = self.source(home({"sensor.i": "1e9", "sensor.o": "-1e9"}))
        self.meter(
            POWER_CALCULATE="yes", POWER_INPUT_ALIAS="sensor.i", POWER_OUTPUT_ALIAS="sensor.o"
        )
        self.world.advance(0.1)
        self.assertIn("does not make a power", self.error())
        self.say(source, state("1e9", "sensor.o"))
        self.assertEqual(self.read(), (0.0,))

    def test_null_and_removal_wake_nobody(self) -> None:
        source, meter = self.connected()
        for message in (state(None), event(r=["sensor.grid"]), state("1", "sensor.other")):
            waiting = meter.next_sample(2.0)
            self.say(source, message)
            self.assertNoResult(waiting)
            self.world.advance(2.0)
            self.successResultOf(waiting)

    def test_a_stream_that_breaks_is_resumed(self) -> None:
        for breaks in (
            lambda peer: peer.send_raw(b"\xff" * 100),
            lambda peer: peer.send_raw(b"\x81\x7f" + b"\0\0\0\0\x10\0\0\0" + b"x" * (2 << 20)),
            lambda peer: peer.close(),
            lambda peer: peer.reset(),
        ):
            rig = BadInputTests("setUp")
            rig.setUp()
            source, meter = rig.connected()
            breaks(source.peer)
            rig.world.advance(0.5)
            self.assertEqual(rig.read(), "no_data")
            self.assertFalse(meter.online)
            rig.world.advance(1.0)
            self.assertEqual(rig.read(), (5.0,))
            rig.doCleanups()

    def test_texts_and_bytes_that_are_no_message(self) -> None:
        source, meter = self.connected()
        for text in ("hello", "[1]", "null", "", "{", "[" * 50_000):
            source.peer.send_text(text)
        source.peer.send_bytes(json.dumps(state("9")).encode())
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))
        self.assertTrue(meter.online)
        self.assertEqual(len(self.log.warnings()), 1)

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.one_of(
                like(event(a={"sensor.grid": {"s": "1", "lu": 1.5}}, r=["sensor.grid"])),
                like(state("1")),
                like(SUBSCRIBED),
                like(GREETING),
                like(ACCEPTED),
            ),
            max_size=5,
        )
    )
    def test_any_message_is_survived(self, messages: list[Any]) -> None:
        rig = HomeTestCase("setUp")
        rig.setUp()
        try:
            source, meter = rig.connected()
            rig.say(source, *messages)
            watts = rig.read()
            rig.assertTrue(watts == "no_data" or len(watts) == 1)
            rig.world.advance(2 * LONGEST_S)
            rig.say(source, event(a={"sensor.grid": {"s": "7"}}))
            rig.assertEqual(rig.read(), (7.0,))
            rig.assertTrue(meter.online)
        finally:
            rig.doCleanups()


class SupervisorTests(HomeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world.name("supervisor", SOURCE)
        self.token = "first"
        self.patch(homeassistant, "supervisor_token", lambda: self.token)

    def supervised(self) -> Any:
        meter = self.meter(IP="supervisor", ACCESSTOKEN="ignored", API_PATH_PREFIX="core/")
        self.world.advance(0.5)
        return meter

    def test_the_token_of_the_supervisor_is_used_for_both(self) -> None:
        source = self.source(home({}, token="first"))
        source.rest["/core/api/states/sensor.grid"] = (200, b'{"state": "2"}')
        self.supervised()
        self.assertEqual(self.read(), (2.0,))
        self.assertEqual(source.upgrades[0][0], "/core/api/websocket")
        self.assertEqual(source.requests[0][1]["authorization"], "Bearer first")

    def test_it_is_looked_up_at_each_use(self) -> None:
        source = self.source(home({"sensor.grid": "5"}, token="first"))
        self.supervised()
        self.token = "second"
        source.play = home({"sensor.grid": "6"}, token="second")
        source.peer.close()
        self.world.advance(2.0)
        self.assertEqual(self.read(), (6.0,))

    def test_a_refused_token_is_named(self) -> None:
        self.source(home({}))
        self.supervised()
        self.assertIn("the one in SUPERVISOR_TOKEN", self.error())

    def test_without_one_it_says_what_is_wrong(self) -> None:
        self.token = ""
        source = self.source(home({}))
        self.supervised()
        self.assertIn("there is no environment variable SUPERVISOR_TOKEN", self.error())
        self.world.advance(300.0)
        self.assertEqual([peer.received for peer in source.peers], [[]] * len(source.peers))
        self.assertLessEqual(len(source.peers), 8)


class EnvironmentTests(SynchronousTestCase):
    def test_the_token_is_read_at_each_use(self) -> None:
        for environ, token in (({"SUPERVISOR_TOKEN": "a"}, "a"), ({}, "")):
            self.patch(os, "environ", environ)
            self.assertEqual(homeassistant.supervisor_token(), token)


class OptionTests(SynchronousTestCase):
    BASE: ClassVar[dict[str, object]] = {
        "IP": "ha",
        "ACCESSTOKEN": "t",
        "CURRENT_POWER_ENTITY": "sensor.a",
    }

    def problems(self, **config: object) -> list[str]:
        lines = [f"{key} = {value}" for key, value in (self.BASE | config).items()]
        return problems_of("HOMEASSISTANT", *lines)

    def url(self, **config: object) -> str:
        options = configured("HOMEASSISTANT", **(self.BASE | config)).options
        return str(options.url("/api/websocket").sent.decode())

    def test_addresses(self) -> None:
        path = "/api/websocket"
        self.assertEqual(self.url(), f"http://ha{path}")
        self.assertEqual(self.url(PORT=""), f"http://ha{path}")
        self.assertEqual(self.url(PORT=8123), f"http://ha:8123{path}")
        self.assertEqual(self.url(HTTPS="yes", PORT=8123), f"https://ha:8123{path}")
        self.assertEqual(self.url(HTTPS="yes"), f"https://ha{path}")
        self.assertEqual(self.url(IP="fe80::1", PORT=8123), f"http://[fe80::1]:8123{path}")
        for prefix in ("/core", "core", "/core/"):
            self.assertEqual(self.url(API_PATH_PREFIX=prefix), f"http://ha/core{path}")

    def test_what_is_refused_and_why(self) -> None:
        for config, problem in (
            ({"ACCESSTOKEN": ""}, "ACCESSTOKEN: make a long-lived access token"),
            ({"CURRENT_POWER_ENTITY": ","}, "CURRENT_POWER_ENTITY: name the sensor"),
            ({"CURRENT_POWER_ENTITY": "grid"}, "CURRENT_POWER_ENTITY: 'grid' is no entity"),
            ({"CURRENT_POWER_ENTITY": "sensor.a b"}, "CURRENT_POWER_ENTITY: 'sensor.a b' is no"),
            ({"IP": "ha:8123"}, "IP: this is the device's address alone"),
            ({"PORT": "70000"}, "PORT: a port is 1..65535"),
            ({"HTTPS": ""}, "HTTPS: write yes or no"),
        ):
            with self.subTest(config=config):
                [found] = self.problems(**config)
                self.assertIn(problem, found)

    def test_pairs_have_to_be_pairs(self) -> None:
        calculated = {"POWER_CALCULATE": "yes", "POWER_INPUT_ALIAS": "sensor.a, sensor.b"}
        [found] = self.problems(**calculated, POWER_OUTPUT_ALIAS="sensor.c")
        self.assertEqual(found, "POWER_OUTPUT_ALIAS: 1 sensors cannot be taken from 2")
        both = self.problems(POWER_CALCULATE="yes")
        self.assertEqual([text.partition(":")[0] for text in both], _ALIASES)
        self.assertEqual(self.problems(**calculated, POWER_OUTPUT_ALIAS="sensor.c,sensor.d"), [])

    def test_sensors_that_are_not_used_may_be_anything(self) -> None:
        self.assertEqual(self.problems(POWER_INPUT_ALIAS="???"), [])
        rest = {"POWER_INPUT_ALIAS": "sensor.a", "POWER_OUTPUT_ALIAS": "sensor.b"}
        self.assertEqual(
            self.problems(POWER_CALCULATE="yes", CURRENT_POWER_ENTITY="???", **rest), []
        )

    def test_an_add_on_needs_no_token(self) -> None:
        self.assertEqual(self.problems(IP="supervisor", ACCESSTOKEN=""), [])

    def test_the_token_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["ACCESSTOKEN"])

    def test_readings_do_not_expire_by_themselves(self) -> None:
        self.assertEqual(KIND.max_age_s, 0.0)

    def test_building_does_no_io(self) -> None:
        reactor = MemoryReactorClock()
        one = configured("HOMEASSISTANT", **(self.BASE | {"IP": "192.0.2.1", "PORT": 8123}))
        meter = one.kind.build(reactor, one.section, one.options)
        self.assertEqual((reactor.tcpClients, reactor.getDelayedCalls()), ([], []))
        meter.startService()
        reactor.advance(0)
        self.assertEqual(reactor.tcpClients[0][:2], ("192.0.2.1", 8123))
        self.successResultOf(meter.stopService())
        self.assertEqual(reactor.getDelayedCalls(), [])


_ALIASES = ["POWER_INPUT_ALIAS", "POWER_OUTPUT_ALIAS"]


class TlsTests(HomeTestCase):
    def test_an_untrusted_certificate_is_refused_with_a_way_out(self) -> None:
        source = self.source(home({"sensor.grid": "5"}), server_tls(certificate(["x"]), "x"))
        self.meter(HTTPS="yes")
        self.world.advance(1.0)
        self.assertEqual(self.read(), "no_data")
        self.assertIn("is not trusted: add it to", self.error())
        self.assertIn("or set HTTPS = no", self.error())
        self.assertEqual(source.peers, [])


class RealNetworkTests(TestCase):
    """Over real sockets, one trouble after the other, until all is well."""

    timeout = 240

    async def test_it_recovers_from_everything(self) -> None:
        def confused(peer: Peer) -> Iterator[Any]:
            peer.send(GREETING, ACCEPTED, SUBSCRIBED)
            peer.send_text("garbage")
            peer.send_bytes(json.dumps(event(a={"sensor.grid": {"s": "1"}})).encode())
            peer.send(event(a={"sensor.grid": {"s": "2"}}))
            yield 0.2
            peer.send_raw(b"\xff" * 1000)

        plays = [lambda _peer: iter(()), home({}, token="other"), confused]
        good = home({"sensor.grid": "5"})

        def play(peer: Peer) -> Iterator[Any]:
            return (plays.pop(0) if plays else good)(peer)

        source = Source(reactor, play, interface="127.0.0.1")
        source.start()
        self.addCleanup(source.stop)
        self.patch(websocket_connection, "GREETING_S", 0.1)
        self.patch(Backoff, "next_wait_s", lambda *_: 0.05)
        log = LogWatch(self)
        one = configured(
            "HOMEASSISTANT",
            IP="127.0.0.1",
            PORT=source.port,
            ACCESSTOKEN="tok",
            CURRENT_POWER_ENTITY="sensor.grid",
        )
        meter = one.kind.build(reactor, one.section, one.options)
        meter.startService()
        self.addCleanup(lambda: meter.stopService() if meter.running else None)
        for watts in (2.0, 5.0):
            while (await readable(meter)) != (watts,):
                await deferLater(reactor, 0.005)
        silent, token, garbage, broken = log.warnings()
        self.assertIn("did not accept us", silent)
        self.assertIn("check ACCESSTOKEN", token)
        self.assertIn("no JSON object", garbage)
        self.assertIn("closed the connection", broken)
        await meter.stopService()


async def readable(meter: Any) -> tuple[float, ...]:
    """The reading, empty when there is none."""
    try:
        watts: tuple[float, ...] = (await meter.read()).watts
    except MeterError:
        return ()
    return watts
