"""The emulated meter as batteries and the service tree meet it."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet import reactor as real_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.events import Bus, ShellyAnswered, ShellyRemoved
from astrameter.reading import Sample
from astrameter.routing import Routes
from astrameter.shelly.presence import MAX_BATTERIES
from astrameter.shelly.responder import MAX_READING, MAX_READING_PER_BATTERY, ShellyResponder
from tests import vectors
from tests.doubles import Address, FakeUDPPort, FakeUDPReactor, StubMeter, routes_for

PORT = 2220
DEVICE_ID = "shellypro3em-ec4609c439c1"
BATTERY = ("192.168.1.50", 22222)
EM = b'{"id":1,"method":"EM.GetStatus","params":{"id":0}}'
EM1 = b'{"id":1,"method":"EM1.GetStatus","params":{"id":0}}'
NOON = datetime(2025, 6, 21, 12, 0, tzinfo=UTC)
EVERYBODY = ("0.0.0.0/0",)
OURS = ("dedupe_window_opened_by_garbage",)
"""Optional vectors we differ from: garbage opens the predecessor's dedupe window, not ours."""


class Rig:
    """A running responder, its batteries' end of the wire, and what it published."""

    def __init__(
        self,
        routes: Routes,
        *,
        device_id: str = DEVICE_ID,
        dedupe_window_s: float = 0.0,
        now: float = 1000.0,
        observed: bool = True,
    ) -> None:
        self.reactor = FakeUDPReactor(now)
        self.answered: list[ShellyAnswered] = []
        self.removed: list[str] = []
        bus = Bus(self.reactor)
        if observed:
            bus.subscribe(ShellyAnswered, self.answered.append, name="test")
            bus.subscribe(ShellyRemoved, lambda e: self.removed.append(e.battery_ip), name="test")
        self.responder = ShellyResponder(
            self.reactor, device_id, PORT, dedupe_window_s, routes, bus, lambda: NOON
        )
        self.responder.startService()

    @property
    def port(self) -> FakeUDPPort:
        return self.reactor.ports[PORT]

    def ask(self, datagram: bytes = EM, source: Address = BATTERY) -> list[bytes]:
        """The replies that are sent at once."""
        self.reactor.deliver(PORT, datagram, source)
        replies = self.port.take()
        self.reactor.advance(0)
        return replies

    def totals(self) -> list[float]:
        """The totals of the EM replies sent since the last call."""
        return [json.loads(reply)["result"]["total_act_power"] for reply in self.port.take()]


class VectorTests(SynchronousTestCase):
    """Against vectors/shelly.json; recorded from AstraMeter 2.2.3."""

    @vectors.each([c for c in vectors.load("shelly")["responder"] if c["name"] not in OURS])
    def responder(self, case: dict[str, Any]) -> None:
        config = case["config"]
        masks = config.get("meters", [{"NETMASK": "0.0.0.0/0"}])
        meters = [StubMeter() for _ in masks]
        rig = Rig(
            routes_for(
                [
                    (meter, mask["NETMASK"].split(","))
                    for meter, mask in zip(meters, masks, strict=True)
                ]
            ),
            device_id=config.get("device_id", DEVICE_ID),
            dedupe_window_s=config.get("DEDUPE_TIME_WINDOW", 0.0),
            now=case["steps"][0]["t"],
        )
        for step in case["steps"]:
            rig.reactor.advance_to(step["t"])
            if step["op"] == "tick":
                rig.port.protocol.check_presence()
                rig.reactor.advance(0)
                self.assertEqual(rig.removed, step["removed"], step)
            else:
                self._request(rig, meters, step)
            rig.removed.clear()
            rig.answered.clear()

    def _request(self, rig: Rig, meters: list[StubMeter], step: dict[str, Any]) -> None:
        readings = step["meter"] if len(meters) > 1 else [step["meter"]]
        for meter, reading in zip(meters, readings, strict=True):
            meter.reading = reading
            meter.reads = 0
        datagram = (
            bytes.fromhex(step["request_hex"])
            if "request_hex" in step
            else step["request"].encode()
        )
        replies = rig.ask(datagram, tuple(step["from"]))
        expected = [] if step["reply"] is None else [step["reply"].encode("ascii")]
        self.assertEqual(replies, expected, step)
        reads = [meter.reads for meter in meters]
        self.assertEqual(reads if len(reads) > 1 else reads[0], step["meter_reads"], step)
        if "event" in step:
            wanted = [] if step["event"] is None else [step["event"]]
            self.assertEqual([_as_recorded(event) for event in rig.answered], wanted, step)


def _as_recorded(event: ShellyAnswered) -> dict[str, Any]:
    l1, l2, l3 = event.grid_power
    return {
        "device_id": event.device_id,
        "battery_ip": event.battery_ip,
        "data": {
            "grid_power": {"l1": l1, "l2": l2, "l3": l3, "total": l1 + l2 + l3},
            "active": True,
            "poll_interval": event.poll_interval_s,
            "battery_count": event.battery_count,
        },
    }


class AnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = StubMeter([10.0])
        self.rig = Rig(routes_for([(self.meter, EVERYBODY)]))

    def test_answers_the_sender_from_the_listening_port(self) -> None:
        self.rig.reactor.deliver(PORT, EM, BATTERY)
        self.assertEqual([address for _, address in self.rig.port.sent], [BATTERY])

    def test_last_seen_is_the_wall_clock(self) -> None:
        self.rig.ask()
        self.assertEqual(self.rig.answered[0].last_seen, "2025-06-21T12:00:00+00:00")

    def test_without_observers_no_event_is_built(self) -> None:
        rig = Rig(routes_for([(self.meter, EVERYBODY)]), observed=False)
        self.patch(ShellyAnswered, "__init__", lambda *_: self.fail("built"))
        self.assertEqual(len(rig.ask()), 1)

    def test_requests_at_once_are_answered_at_once(self) -> None:
        self.meter.reading = Deferred()
        for number in range(5):
            self.assertEqual(self.rig.ask(source=("192.168.1.50", 4000 + number)), [])
        self.meter.reading.callback([7.0])
        self.assertEqual([address[1] for _, address in self.rig.port.sent], [*range(4000, 4005)])
        self.assertEqual(self.rig.totals(), [7.001] * 5)

    def test_waits_for_the_next_pushed_sample(self) -> None:
        rig = Rig(routes_for([(self.meter, EVERYBODY)], wait=True))
        fresh: Deferred[None] = Deferred()
        self.meter.fresh = fresh
        self.assertEqual(rig.ask(), [])
        self.assertEqual(self.meter.reads, 0)
        self.meter.reading = [20.0]
        fresh.callback(None)
        self.assertEqual(rig.totals(), [20.001])

    def test_a_slow_meter_keeps_a_bounded_number_of_requests(self) -> None:
        self.meter.reading = Deferred()
        other = ("192.168.1.60", 22222)
        with capturedLogs() as logs:
            for _ in range(100):
                self.rig.ask()
            self.rig.ask(source=other)
        self.assertEqual(self.meter.reads, MAX_READING_PER_BATTERY + 1)
        self.assertEqual(len([e for e in logs if e["log_level"] is LogLevel.warn]), 1)
        self.meter.reading.callback([1.0])
        self.assertIn(other, [address for _, address in self.rig.port.sent])
        self.meter.reading = [2.0]
        self.rig.port.take()
        self.assertEqual(len(self.rig.ask()), 1)

    def test_many_batteries_keep_a_bounded_number_of_requests(self) -> None:
        self.meter.reading = Deferred()
        for number in range(100):
            for _ in range(MAX_READING_PER_BATTERY):
                self.rig.ask(source=(f"10.1.0.{number}", 1))
        self.assertEqual(self.meter.reads, MAX_READING)

    def test_an_answer_that_cannot_be_sent_is_no_event_and_no_disaster(self) -> None:
        self.rig.port.send_error = OSError(errno.ENETUNREACH, "unreachable")
        with capturedLogs() as logs:
            for _ in range(3):
                self.rig.ask()
        self.assertEqual(self.rig.answered, [])
        self.assertEqual(len([e for e in logs if e["log_level"] is LogLevel.warn]), 1)
        self.rig.port.send_error = None
        self.assertEqual(len(self.rig.ask()), 1)


class DedupeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = StubMeter([10.0])
        self.rig = Rig(routes_for([(self.meter, EVERYBODY)]), dedupe_window_s=1.0)

    def test_garbage_never_blocks_a_valid_request(self) -> None:
        for garbage in (b"garbage", b"", b'{"id":1,"method":"EM.GetConfig","params":{"id":0}}'):
            self.rig.reactor.advance(2.0)
            self.assertEqual(self.rig.ask(garbage), [])
            self.assertEqual(len(self.rig.ask()), 1, garbage)

    def test_a_failed_read_opens_the_window(self) -> None:
        self.meter.reading = "error"
        self.rig.ask()
        self.meter.reading = [10.0]
        self.rig.reactor.advance(0.5)
        self.assertEqual(self.rig.ask(), [])

    def test_a_window_that_is_not_finite_is_off(self) -> None:
        for window in (float("inf"), float("nan"), -1.0):
            self.rig.responder.reconfigure(dedupe_window_s=window)
            self.assertEqual([len(self.rig.ask()) for _ in range(3)], [1, 1, 1])

    def test_a_window_beyond_two_minutes_holds(self) -> None:
        self.rig.responder.reconfigure(dedupe_window_s=300.0)
        self.rig.ask()
        self.rig.reactor.pump([1.0] * 299)
        self.assertEqual(self.rig.ask(), [])
        self.rig.reactor.advance(1.0)
        self.assertEqual(len(self.rig.ask()), 1)


class FailureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = StubMeter("error", section="SHELLY_1")
        self.rig = Rig(routes_for([(self.meter, EVERYBODY)]))

    def lines(self, seconds: int) -> list[str]:
        """Poll once a second; the level of each line logged."""
        with capturedLogs() as logs:
            for _ in range(seconds):
                self.assertEqual(self.rig.ask(), [])
                self.rig.reactor.advance(1.0)
        return [e["log_level"].name for e in logs if "[SHELLY_1]" in formatEvent(e)]

    def test_the_first_failure_is_logged_then_one_every_thirty_seconds(self) -> None:
        self.assertEqual(self.lines(30), ["warn"])
        self.assertEqual(self.lines(31), ["warn", "warn"])

    def test_recovery_is_logged_once_with_the_count(self) -> None:
        self.lines(3)
        self.meter.reading = [1.0]
        with capturedLogs() as logs:
            self.rig.ask()
            self.rig.ask()
        (line,) = [e for e in logs if "[SHELLY_1]" in formatEvent(e)]
        self.assertEqual((line["log_level"], line["failures"]), (LogLevel.info, 3))

    def test_a_defect_of_a_meter_is_contained_and_logged_likewise(self) -> None:
        self.meter.reading = ZeroDivisionError("a defect")
        self.assertEqual(self.lines(20), ["critical", "warn"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.meter.reading = [1.0]
        self.assertEqual(len(self.rig.ask()), 1)

    def test_a_meter_that_raises_at_once_is_contained(self) -> None:
        self.meter.reading = object()
        self.assertEqual(self.rig.ask(), [])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_garbage_is_not_logged_line_by_line(self) -> None:
        self.rig.ask()
        with capturedLogs() as logs:
            for _ in range(1000):
                self.rig.ask(b"garbage")
        self.assertEqual(len(logs), 1)
        self.assertEqual(logs[0]["why"], "not a JSON document")

    def test_each_unserved_battery_is_named_once(self) -> None:
        rig = Rig(routes_for([(self.meter, ["10.0.0.0/8"])]))
        with capturedLogs() as logs:
            for _ in range(90):
                for ip in ("192.168.1.50", "192.168.1.60"):
                    self.assertEqual(rig.ask(source=(ip, 1)), [])
                rig.reactor.advance(1.0)
        warned = [e["ip"] for e in logs if e["log_level"] is LogLevel.warn]
        self.assertEqual(warned, ["192.168.1.50", "192.168.1.60"])


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig(routes_for([(StubMeter([1.0]), EVERYBODY)]))

    def test_silence_is_reported_without_anybody_asking(self) -> None:
        self.rig.ask()
        self.rig.reactor.advance(60.0)
        self.rig.ask(source=("192.168.1.60", 1))
        self.rig.reactor.pump([1.0] * 59)
        self.assertEqual(self.rig.removed, [])
        self.rig.reactor.pump([1.0] * 2)
        self.assertEqual(self.rig.removed, ["192.168.1.50"])
        self.rig.reactor.pump([1.0] * 60)
        self.assertEqual(self.rig.removed, ["192.168.1.50", "192.168.1.60"])
        self.assertEqual(self.rig.reactor.getDelayedCalls(), [])

    def test_one_already_reported_gone_is_displaced_quietly(self) -> None:
        self.rig.ask()
        self.rig.reactor.pump([1.0] * 121)
        self.assertEqual(self.rig.removed, [BATTERY[0]])
        for number in range(MAX_BATTERIES):
            self.rig.ask(source=(f"10.1.{number // 256}.{number % 256}", 1))
        self.assertEqual(self.rig.removed, [BATTERY[0]])

    def test_a_deadline_missed_by_a_rounding_is_checked_a_second_later(self) -> None:
        seen_at = next(x / 10 for x in range(10_000, 20_000) if x / 10 + 120.0 - x / 10 < 120.0)
        self.rig.reactor.advance_to(seen_at)
        self.rig.ask()
        delays: list[float] = []
        self.patch(self.rig.reactor, "callLater", lambda delay, *_: delays.append(delay))
        self.rig.reactor.advance_to(seen_at + 120.0)
        self.assertEqual(self.rig.removed, [])
        self.assertEqual(delays, [1.0])

    def test_detected_inactive_and_reconnected_are_one_line_each(self) -> None:
        with capturedLogs() as logs:
            self.rig.ask()
            self.rig.ask()
            self.rig.reactor.pump([1.0] * 130)
            self.rig.ask()
        texts = [e["log_format"].format(**e) for e in logs if e.get("ip") == BATTERY[0]]
        self.assertEqual(
            texts,
            [
                "battery 192.168.1.50 detected at Shelly port 2220",
                "battery 192.168.1.50 at Shelly port 2220 is inactive",
                "battery 192.168.1.50 reconnected at Shelly port 2220",
            ],
        )

    def test_one_displaced_from_the_full_table_is_reported_gone(self) -> None:
        with capturedLogs() as logs:
            for number in range(MAX_BATTERIES + 10):
                self.rig.ask(source=(f"10.1.{number // 256}.{number % 256}", 1))
        self.assertEqual(self.rig.removed, [f"10.1.0.{number}" for number in range(10)])
        self.assertEqual(len(logs), MAX_BATTERIES + 1)


class ServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = StubMeter([10.0])
        self.reactor = FakeUDPReactor()
        self.responder = ShellyResponder(
            self.reactor,
            DEVICE_ID,
            PORT,
            0.0,
            routes_for([(self.meter, EVERYBODY)]),
            Bus(self.reactor),
            lambda: NOON,
        )

    def test_is_a_service(self) -> None:
        verifyObject(IService, self.responder)

    def test_binds_while_privileged(self) -> None:
        self.responder.privilegedStartService()
        bound = self.reactor.ports[PORT]
        self.assertEqual(bound.getHost().host, "0.0.0.0")
        self.responder.startService()
        self.assertIs(self.reactor.ports[PORT], bound)

    def test_binds_when_added_to_a_running_parent(self) -> None:
        parent = MultiService()
        parent.startService()
        self.responder.setServiceParent(parent)
        self.assertIn(PORT, self.reactor.ports)

    def test_a_port_in_use_is_the_callers_to_handle(self) -> None:
        self.reactor.refused.add(PORT)
        self.assertRaises(CannotListenError, self.responder.privilegedStartService)
        self.assertRaises(CannotListenError, self.responder.startService)
        self.assertFalse(self.responder.running)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.refused.clear()
        self.responder.startService()
        self.assertTrue(self.responder.running)

    def test_stop_closes_the_socket_then_abandons_what_is_under_way(self) -> None:
        self.responder.startService()
        bound = self.reactor.ports[PORT]
        pending: Deferred[Any] = Deferred()
        self.meter.reading = pending
        self.reactor.deliver(PORT, EM, BATTERY)
        stopped = self.responder.stopService()
        self.assertNoResult(stopped)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertFalse(bound.open)
        pending.callback([10.0])
        self.assertEqual(bound.sent, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_cancels_the_wait_for_a_sample(self) -> None:
        rig = Rig(routes_for([(self.meter, EVERYBODY)], wait=True))
        cancelled: list[Deferred[None]] = []
        self.meter.fresh = Deferred(cancelled.append)
        rig.ask()
        rig.responder.stopService()
        rig.reactor.advance(0)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(rig.reactor.getDelayedCalls(), [])

    def test_a_read_that_ignores_cancellation_sends_nothing(self) -> None:
        self.responder.startService()
        bound = self.reactor.ports[PORT]
        self.patch(self.meter, "read", lambda: Deferred(lambda d: d.callback(Sample((10.0,), 0.0))))
        self.reactor.deliver(PORT, EM, BATTERY)
        self.responder.stopService()
        self.reactor.advance(0)
        self.assertEqual(bound.sent, [])

    def test_stop_without_start_is_quiet(self) -> None:
        self.successResultOf(self.responder.stopService())

    def test_restarts_with_what_it_knew(self) -> None:
        self.responder.startService()
        self.reactor.deliver(PORT, EM, BATTERY)
        stopped = self.responder.stopService()
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.responder.startService()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.deliver(PORT, EM, BATTERY)
        self.assertEqual(len(self.reactor.ports[PORT].take()), 1)

    def test_reconfigure_keeps_the_socket_and_the_batteries(self) -> None:
        rig = Rig(routes_for([(self.meter, EVERYBODY)]))
        rig.ask()
        bound = rig.port
        rig.responder.reconfigure(device_id="shellyemg3-000000000001", dedupe_window_s=5.0)
        rig.reactor.advance(5.0)
        (reply,) = rig.ask()
        self.assertEqual(json.loads(reply)["src"], "shellyemg3-000000000001")
        self.assertEqual(rig.ask(), [])
        self.assertIs(rig.port, bound)
        self.assertEqual(rig.answered[-1].poll_interval_s, 5.0)


REACTOR: Any = real_reactor


class _PortCatcher:
    """The real reactor, remembering the port it bound."""

    def __init__(self) -> None:
        self.bound: Any = None
        self.seconds: Any = REACTOR.seconds
        self.callLater: Any = REACTOR.callLater

    def listenUDP(self, port: int, protocol: DatagramProtocol, interface: str = "") -> Any:
        self.bound = REACTOR.listenUDP(port, protocol, interface)
        return self.bound


class _Asker(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.reply: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.reply.callback(datagram)


class LoopbackTests(TestCase):
    """The one test over a real socket."""

    timeout = 240

    async def test_answers_a_poll_and_leaves_nothing_behind(self) -> None:
        reactor = _PortCatcher()
        responder = ShellyResponder(
            reactor,
            DEVICE_ID,
            0,
            0.0,
            routes_for([(StubMeter([345.0]), EVERYBODY)]),
            Bus(REACTOR),
            lambda: NOON,
            interface="127.0.0.1",
        )
        responder.privilegedStartService()
        responder.startService()
        asker = _Asker()
        client = REACTOR.listenUDP(0, asker, "127.0.0.1")
        try:
            number = reactor.bound.getHost().port
            client.write(EM1, ("127.0.0.1", number))
            reply = await asker.reply
            taken = ShellyResponder(
                reactor,
                DEVICE_ID,
                number,
                0.0,
                Routes(),
                Bus(REACTOR),
                lambda: NOON,
                interface="127.0.0.1",
            )
            self.assertRaises(CannotListenError, taken.privilegedStartService)
        finally:
            await responder.stopService()
            await client.stopListening()
        self.assertIn(b'"result":{"act_power":345.001}', reply)
