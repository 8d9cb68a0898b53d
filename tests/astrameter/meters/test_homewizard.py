"""The [HOMEWIZARD] meter (meters.md section 16)."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.backoff import LONGEST_S
from astrameter.meters import homewizard_tls
from astrameter.meters.homewizard import KIND, MAX_AGE_S, WATCHDOG_S, Options, watts_of
from astrameter.meters.interface import IMeter
from astrameter.meters.websocket import COMPLAIN_EVERY_S
from astrameter.options import options_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import like
from tests.astrameter.meters.http_rig import problems_of
from tests.astrameter.meters.websocket_rig import (
    SOURCE,
    Peer,
    Source,
    VectorTestCase,
    WebSocketTestCase,
    certificate,
    configured,
    pem,
    server_tls,
)
from tests.vectors import each, load

reactor: Any = _reactor

CASES = [case for case in load("meters")["vectors"] if case["source"] == "homewizard"]

DIFFERENCES: dict[str, tuple[int, dict[str, Any], str]] = {
    "MW05": (3, {"error": "no_data"}, "null is no power; it is refused instead of passed on"),
}
"""Vectors that we do otherwise on purpose: step, what we expect there, why."""

TOKEN = "00112233445566778899AABBCCDDEEFF"
SERIAL = "5c2fafaabbcc"
NAME = f"appliance/p1dongle/{SERIAL}"
REQUEST = {"type": "authorization_requested", "data": {"api_version": "2.0.0"}}


def measurement(**data: object) -> dict[str, Any]:
    return {"type": "measurement", "data": data}


def error(message: object) -> dict[str, Any]:
    return {"type": "error", "data": {"message": message}}


def dongle(peer: Peer) -> Generator[Any, None, bool]:
    """A meter that lets us in; whether it did is the result. Measurements are up to the test."""
    peer.send(REQUEST)
    yield peer.heard
    if peer.heard() != {"type": "authorization", "data": TOKEN}:
        peer.send(error("user:unauthorized"))
        peer.close()
        return False
    peer.send({"type": "authorized"})
    yield peer.heard
    assert peer.heard() == {"type": "subscribe", "data": "measurement"}
    return True


def streaming(peer: Peer) -> Iterator[Any]:
    """A meter that measures 100, 101, 102 W ..., one a second."""
    if not (yield from dongle(peer)):
        return
    for i in range(100_000):
        peer.send(measurement(power_w=100 + i))
        yield 1.0


def broken(peer: Peer) -> Iterator[Any]:
    """A meter that lets everybody in, repeats one measurement, and no more."""
    yield from dongle(peer)
    peer.send(measurement(power_w=7))


def self_signed() -> Any:
    return server_tls(certificate([NAME], issuer=None), NAME)


def vendor_signed(name: str = NAME) -> Any:
    return server_tls(certificate([name]), name)


class TlsPatches:
    """Mix-in: the vendor is our own test authority."""

    def trust_test_ca(self: Any) -> None:
        self.patch(homewizard_tls, "VENDOR_CA", pem(certificate(["Test CA"], issuer=None)))


class VectorTests(TlsPatches, VectorTestCase):
    SECTION = "HOMEWIZARD"

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> None:
        tls = self_signed()
        if "client_trusts_issuing_ca" in case["tls"]:
            self.trust_test_ca()
            tls = vendor_signed(case["tls"]["server_certificate_common_name"])
        at, expected, _why = DIFFERENCES.get(case["id"], (-1, {}, ""))
        self.run_vector(case, {at: expected}, tls)
        if case["id"] == "MW07":
            self.assertIn("is for 'appliance/p1dongle/5c2fafaabbcc' and not for", self.error())

    def test_all_are_run_and_each_difference_is_one(self) -> None:
        by_id = {case["id"]: case for case in CASES}
        self.assertEqual(sorted(by_id), [f"MW{i:02}" for i in range(1, 10)])
        for name, (at, expected, why) in DIFFERENCES.items():
            self.assertNotEqual(by_id[name]["steps"][at]["expect"], expected)
            self.assertTrue(why)


class DongleTestCase(TlsPatches, WebSocketTestCase):
    SECTION = "HOMEWIZARD"
    CONFIG: ClassVar = {"IP": SOURCE, "TOKEN": TOKEN, "SERIAL": SERIAL}

    def setUp(self) -> None:
        super().setUp()
        self.trust_test_ca()

    def source(self, play: Any, tls: Any = None, port: int = 443) -> Source:
        source = Source(self.there, play, tls=tls or vendor_signed())
        source.start(port)
        return source

    def connected(self) -> tuple[Source, Any]:
        """A meter that was let in, and has heard two measurements of 5 W."""
        source = self.source(dongle)
        meter = self.meter()
        self.world.advance(0.1)
        self.say(source, measurement(power_w=5), measurement(power_w=5))
        self.assertEqual(self.read(), (5.0,))
        self.assertTrue(meter.online)
        return source, meter

    def say(self, source: Source, *messages: object) -> None:
        source.peer.send(*messages)
        self.world.advance(0.01)


class ReadingTests(DongleTestCase):
    def test_it_is_a_meter(self) -> None:
        _source, meter = self.connected()
        self.assertTrue(verifyObject(IMeter, meter))

    def test_an_hour(self) -> None:
        source = self.source(streaming)
        meter = self.meter()
        for _ in range(60):
            self.world.advance(60.0)
            self.assertTrue(meter.online)
        self.assertIn(self.read()[0], (3699.0, 3700.0))
        self.assertEqual(len(source.peers), 1)
        self.assertEqual(len(self.log.lines()), 1)

    def test_it_expires_after_30_s_unless_the_owner_says_otherwise(self) -> None:
        self.assertEqual(KIND.max_age_s, MAX_AGE_S)
        for max_age, after_s in (("", 30.0), ("MAX_AGE", 40.0)):
            rig = DongleTestCase("setUp")
            rig.setUp()
            source = rig.source(dongle)
            meter = rig.meter(**({max_age: after_s} if max_age else {}))
            rig.world.advance(0.1)
            rig.say(source, measurement(power_w=5), measurement(power_w=6))
            rig.world.advance(after_s - 0.5)
            self.assertEqual(rig.read(), (6.0,))
            rig.world.advance(1.0)
            self.assertEqual(rig.read(), "stale")
            self.assertFalse(meter.online)
            rig.doCleanups()

    def test_a_constant_measurement_is_not_stale(self) -> None:
        source, meter = self.connected()
        for _ in range(100):
            self.say(source, measurement(power_w=5))
            self.world.advance(10.0)
        self.assertEqual(self.read(), (5.0,))
        self.assertTrue(meter.online)

    def test_a_measurement_survives_a_short_disconnect(self) -> None:
        source, meter = self.connected()
        source.peer.reset()
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))
        self.assertFalse(meter.online)
        self.world.advance(1.5)
        self.assertEqual(len(source.peers), 2)
        self.assertTrue(meter.online)
        self.world.advance(MAX_AGE_S - 1.0)
        self.assertFalse(meter.online)

    def test_the_watchdog_reconnects_after_45_s_without_a_measurement(self) -> None:
        source, _meter = self.connected()
        self.world.advance(WATCHDOG_S - 0.1)
        self.assertEqual(len(source.peers), 1)
        self.world.advance(1.2)
        self.assertEqual(len(source.peers), 2)
        self.assertIn("has not sent a good measurement for 45 s", self.log.warnings()[-1])

    def test_the_watchdog_waits_for_the_first_measurement_too(self) -> None:
        source = self.source(dongle)
        self.meter()
        self.world.advance(WATCHDOG_S - 1.0)
        self.assertEqual(len(source.peers), 1)
        self.world.advance(3.0)
        self.assertEqual(len(source.peers), 2)

    def test_a_broken_meter_is_never_online_and_said_once(self) -> None:
        source = self.source(broken)
        meter = self.meter()
        online = set()
        for _ in range(1800):
            self.world.advance(1.0)
            online.add(meter.online)
        self.assertEqual(online, {False})
        self.assertEqual(len(self.log.warnings()), 1)
        self.assertLess(len(source.peers), 1800 / (WATCHDOG_S + 0.75 * LONGEST_S) + 8)

    def test_a_gap_makes_it_unhealthy_until_two_measurements_are_close(self) -> None:
        source, meter = self.connected()
        self.world.advance(40.0)
        self.say(source, measurement(power_w=7))
        self.assertEqual(self.read(), (7.0,))
        self.assertFalse(meter.online)
        self.say(source, measurement(power_w=8))
        self.assertTrue(meter.online)

    def test_next_sample_waits_for_any_measurement(self) -> None:
        source, meter = self.connected()
        waiting = meter.next_sample(2.0)
        self.assertNoResult(waiting)
        self.say(source, measurement(power_w=5))
        self.successResultOf(waiting)

    def test_first_sample_is_content_with_one_that_was(self) -> None:
        _source, meter = self.connected()
        self.successResultOf(meter.first_sample(1.0))

    def test_it_can_be_stopped_and_started_again(self) -> None:
        source, meter = self.connected()
        self.stop(meter)
        self.assert_nothing_left()
        self.assertFalse(meter.online)
        meter.startService()
        self.world.advance(0.5)
        self.say(source, measurement(power_w=6))
        self.assertTrue(meter.online)

    def test_the_source_restarts(self) -> None:
        source, meter = self.connected()
        source.stop()
        self.world.advance(60.0)
        self.assertEqual(self.read(), "stale")
        source.play = streaming
        source.start()
        self.world.advance(LONGEST_S + 2.0)
        self.assertGreater(self.read()[0], 100)
        self.assertTrue(meter.online)


class ParserTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        for data, watts in (
            (
                {"power_w": -543, "power_l1_w": -676, "power_l2_w": 133, "power_l3_w": 0},
                (-676, 133, 0),
            ),
            ({"power_w": 100, "power_l1_w": 100.5}, (100.5, 0, 0)),
            ({"power_w": -543.2}, (-543.2,)),
            ({"power_l2_w": 3}, None),
            ({"energy_import_kwh": 1}, None),
            ({}, None),
            (None, None),
            ([1], None),
        ):
            with self.subTest(data=data):
                self.assertEqual(watts_of(data), watts)

    def test_what_is_no_number(self) -> None:
        for bad in (None, "", "x", [], {}, float("nan"), float("inf"), 10**400):
            for key in ("power_w", "power_l1_w"):
                with self.assertRaises(MeterError):
                    watts_of({key: bad})
            with self.assertRaises(MeterError):
                watts_of({"power_l1_w": 1, "power_l3_w": bad})

    @settings(deadline=None, derandomize=True)
    @given(like({"power_w": 1, "power_l1_w": 1, "power_l2_w": 2, "power_l3_w": 3}))
    def test_any_measurement_is_watts_nothing_or_a_meter_error(self, data: object) -> None:
        try:
            watts = watts_of(data)
        except MeterError as refused:
            self.assertLess(len(str(refused)), 200)
        else:
            if watts is not None:
                self.assertIn(len(watts), (1, 3))
                self.assertEqual({type(value) for value in watts}, {float})


class BadInputTests(DongleTestCase):
    def test_a_wrong_token_is_said_once_and_tried_again_slowly(self) -> None:
        source = self.source(streaming)
        meter = self.meter(TOKEN="wr0ng")
        self.world.advance(600.0)
        self.assertLessEqual(len(source.peers), 14)
        [line] = self.log.warnings()
        self.assertIn("[HOMEWIZARD]", line)
        self.assertIn("refused our token ('user:unauthorized'): check TOKEN", line)
        self.assertNotIn("wr0ng", line)
        self.assertEqual(self.read(), "no_data")
        self.assertIn("check TOKEN", self.error())
        self.assertFalse(meter.online)

    def test_another_refusal_is_quoted(self) -> None:
        def busy(peer: Peer) -> Iterator[Any]:
            peer.send(error("too-many-connections"))
            return iter(())

        self.source(busy)
        self.meter()
        self.world.advance(1.0)
        self.assertIn("refused us ('too-many-connections')", self.error())

    def test_a_meter_that_hangs_up_on_our_token(self) -> None:
        def hang_up(peer: Peer) -> Iterator[Any]:
            peer.send(REQUEST)
            yield peer.heard
            peer.close()

        self.source(hang_up)
        self.meter()
        self.world.advance(1.0)
        self.assertIn("did not accept us: is the token right?", self.error())

    def test_a_meter_that_says_nothing(self) -> None:
        source = self.source(lambda _peer: iter(()))
        self.meter()
        self.world.advance(10.2)
        self.assertIn("did not accept us within 10 s", self.error())
        source.play = streaming
        self.world.advance(12.0)
        self.assertGreaterEqual(self.read()[0], 100)

    def test_an_error_while_it_measures_is_said_once_a_minute(self) -> None:
        source, meter = self.connected()
        for _ in range(10):
            self.say(source, error("request:telegram-not-received"))
        self.say(source, measurement(power_w=6))
        self.assertEqual(self.read(), (6.0,))
        self.assertTrue(meter.online)
        [line] = self.log.warnings()
        self.assertIn("reports 'request:telegram-not-received'", line)

    def test_measurements_of_no_use_leave_the_last_good_one(self) -> None:
        source, meter = self.connected()
        for bad in (
            measurement(power_w=None),
            measurement(power_w=9, power_l1_w=None),
            measurement(power_l1_w=1, power_l2_w=None),
            measurement(power_w="much"),
            measurement(power_w=1e300),
            measurement(power_w=[]),
        ):
            with self.subTest(bad=bad):
                self.say(source, bad)
                self.assertEqual(self.read(), (5.0,))
                self.assertTrue(meter.online)
        [line] = self.log.warnings()
        self.assertIn("a measurement is of no use: power_w is null, not a number", line)
        self.say(source, measurement(power_w=6))
        self.assertIn("measurements are good again", self.log.lines()[-1])

    def test_they_wake_nobody_and_do_not_feed_the_watchdog(self) -> None:
        source, meter = self.connected()
        for _ in range(int(WATCHDOG_S) - 1):
            waiting = meter.next_sample(0.5)
            self.say(source, measurement(power_w=None))
            self.assertNoResult(waiting)
            self.world.advance(0.99)
        self.assertEqual(self.read(), "stale")
        self.assertEqual(len(source.peers), 1)
        self.world.advance(3.0)
        self.assertEqual(len(source.peers), 2)

    def test_messages_that_make_no_sense_are_passed_over(self) -> None:
        source, meter = self.connected()
        for bad in (
            {},
            {"type": None},
            {"type": ["measurement"]},
            {"type": "measurement"},
            {"type": "measurement", "data": None},
            {"type": "measurement", "data": [5]},
            {"type": "error"},
            {"type": "error", "data": "text"},
            error({"a": ["b" * 1000]}),
            {"type": "device", "data": {}},
            REQUEST,
            {"type": "authorized"},
        ):
            with self.subTest(bad=bad):
                self.world.advance(COMPLAIN_EVERY_S / 20)
                self.say(source, measurement(power_w=5), bad)
                self.assertEqual(self.read(), (5.0,))
                self.assertTrue(meter.online)
        self.assertEqual(len(source.peer.received), 2)

    def test_a_long_error_is_cut(self) -> None:
        source, _meter = self.connected()
        self.say(source, error("x" * 10_000))
        [line] = self.log.warnings()
        self.assertLess(len(line), 200)

    def test_nothing_is_believed_before_the_login(self) -> None:
        def push(peer: Peer) -> Iterator[Any]:
            peer.send(measurement(power_w=5), measurement(power_w=5))
            return iter(())

        self.source(push)
        self.meter()
        self.world.advance(1.0)
        self.assertEqual(self.read(), "no_data")

    def test_texts_and_bytes_that_are_no_message(self) -> None:
        source, meter = self.connected()
        for text in ("hello", "[1]", "null", "", "{", "[" * 50_000):
            source.peer.send_text(text)
        source.peer.send_bytes(json.dumps(measurement(power_w=9)).encode())
        self.world.advance(0.1)
        self.assertEqual(self.read(), (5.0,))
        self.assertTrue(meter.online)
        self.assertEqual(len(self.log.warnings()), 1)

    def test_a_stream_that_breaks_is_resumed(self) -> None:
        breaks: list[Callable[[Peer], object]] = [
            lambda peer: peer.send_raw(b"\xff" * 100),
            lambda peer: peer.send_raw(b"\x81\x7f" + b"\0\0\0\0\x10\0\0\0" + b"x" * (2 << 20)),
            lambda peer: peer.close(),
            lambda peer: peer.reset(),
        ]
        for how in breaks:
            rig = BadInputTests("setUp")
            rig.setUp()
            source, meter = rig.connected()
            how(source.peer)
            rig.world.advance(0.5)
            self.assertFalse(meter.online)
            rig.world.advance(2.0)
            rig.say(source, measurement(power_w=6))
            self.assertEqual(rig.read(), (6.0,))
            self.assertTrue(meter.online)
            rig.doCleanups()

    @settings(deadline=None, derandomize=True, max_examples=50)
    @given(
        st.lists(
            st.one_of(
                like(measurement(power_w=1, power_l1_w=2)),
                like({"type": "authorized"}),
                like(error("x")),
                like(REQUEST),
            ),
            max_size=5,
        )
    )
    def test_any_message_is_survived(self, messages: list[Any]) -> None:
        rig = DongleTestCase("setUp")
        rig.setUp()
        try:
            source, meter = rig.connected()
            rig.say(source, *messages)
            rig.say(source, measurement(power_w=7))
            rig.assertEqual(rig.read(), (7.0,))
            rig.assertTrue(meter.online)
        finally:
            rig.doCleanups()


class VerificationTests(DongleTestCase):
    def test_another_serial_is_refused_before_the_token_is_sent(self) -> None:
        source = self.source(streaming, vendor_signed("appliance/p1dongle/000000000000"))
        self.meter()
        self.world.advance(300.0)
        self.assertEqual(source.peers, [])
        [line] = self.log.warnings()
        self.assertIn("the certificate is for 'appliance/p1dongle/000000000000' and not", line)
        self.assertIn("check SERIAL and IP", line)

    def test_another_authority_is_refused(self) -> None:
        source = self.source(streaming, self_signed())
        self.meter()
        self.world.advance(300.0)
        self.assertEqual(source.peers, [])
        [line] = self.log.warnings()
        self.assertIn("is not trusted: HomeWizard has not signed it", line)
        self.assertIn("VERIFY_SSL = no", line)

    def test_without_the_check_everybody_will_do_and_there_is_a_warning(self) -> None:
        self.source(streaming, self_signed())
        self.meter(VERIFY_SSL="no", SERIAL="")
        self.world.advance(1.5)
        self.assertEqual(self.read(), (101.0,))
        self.assertEqual(
            self.log.warnings(),
            ["[HOMEWIZARD] VERIFY_SSL = no: anybody in the network can pretend to be this meter"],
        )

    def test_the_serial_may_be_written_like_a_mac_and_in_capitals(self) -> None:
        self.source(streaming)
        self.meter(SERIAL="5C:2F:AF:AA:BB:CC")
        self.world.advance(1.5)
        self.assertEqual(self.read(), (101.0,))


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("HOMEWIZARD", *lines)

    def test_what_is_needed(self) -> None:
        self.assertEqual(
            self.problems(), ["IP: this key is required", "TOKEN: this key is required"]
        )
        both = ("IP = a", "TOKEN = t")
        self.assertEqual(self.problems(*both, f"SERIAL = {SERIAL}"), [])
        for lines in ((), ("SERIAL = 12",), ("SERIAL = 5c2fafaabbcx",)):
            [problem] = self.problems(*both, *lines)
            self.assertIn("SERIAL: these are the 12 hexadecimal digits", problem)

    def test_without_verification_the_serial_is_nobodys_business(self) -> None:
        for lines in ((), ("SERIAL = whatever",)):
            self.assertEqual(self.problems("IP = a", "TOKEN = t", "VERIFY_SSL = no", *lines), [])

    def test_the_token_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["TOKEN"])

    def test_building_does_no_io(self) -> None:
        reactor_ = MemoryReactorClock()
        one = configured("HOMEWIZARD_2", IP="192.0.2.1", TOKEN="t", SERIAL=SERIAL)
        meter = one.kind.build(reactor_, one.section, one.options)
        self.assertEqual((reactor_.tcpClients, reactor_.getDelayedCalls()), ([], []))
        meter.startService()
        reactor_.advance(0)
        self.assertEqual(reactor_.tcpClients[0][:2], ("192.0.2.1", 443))
        self.successResultOf(meter.stopService())
        self.assertEqual(reactor_.getDelayedCalls(), [])


class RealNetworkTests(TlsPatches, TestCase):
    timeout = 240

    async def test_a_meter_over_real_sockets_that_restarts(self) -> None:
        self.trust_test_ca()
        source = Source(reactor, streaming, tls=vendor_signed(), interface="127.0.0.1")
        source.start()
        self.addCleanup(source.stop)
        one = configured("HOMEWIZARD", IP=f"127.0.0.1:{source.port}", TOKEN=TOKEN, SERIAL=SERIAL)
        meter = one.kind.build(reactor, one.section, one.options)
        meter.startService()
        self.addCleanup(lambda: meter.stopService() if meter.running else None)
        await meter.first_sample(10.0)
        self.assertEqual((await meter.read()).watts, (100.0,))
        await source.stop()  # type: ignore[misc]
        while meter.connected:
            await deferLater(reactor, 0.005)
        source.start()
        while not meter.online:
            await deferLater(reactor, 0.005)
        await meter.stopService()
