"""The [SMA_ENERGY_METER] meter (meters.md section 18)."""

from __future__ import annotations

import base64
import errno
import socket
from collections.abc import Iterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, MulticastJoinError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.backoff import Backoff
from astrameter.config import load_text
from astrameter.filters.chain import build_chain
from astrameter.filters.health import Health
from astrameter.meters.interface import IMeter
from astrameter.meters.sma_energy_meter import (
    KIND,
    MAX_AGE_S,
    REJOIN_AFTER_S,
    Options,
    SmaEnergyMeter,
)
from astrameter.reading import MeterError
from simulator.world import HostReactor, Link, World
from tests.astrameter.meters.http_rig import problems_of
from tests.astrameter.meters.test_speedwire import datagram
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "sma"]

DIFFERENCES: dict[str, tuple[int, dict[str, Any], str]] = {
    "MA08": (7, {"error": "stale"}, "a meter that has fallen silent is no reading"),
}
"""Vectors that we do not follow: step, what we expect there, why."""

GROUP, PORT = "239.12.255.254", 9522
WATTS_100 = "00010400000003e8"
WATTS_200 = "00010400000007d0"


def configured(**keys: object) -> Options:
    """The options of a section, through the loader of the house."""
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    [one] = load_text(f"[SMA_ENERGY_METER]\n{lines}\n", "config.ini").meters
    assert isinstance(one.options, Options)
    return one.options


class InVirtualHouse(SynchronousTestCase):
    """The meter is one host of a simulated network, the appliance another."""

    def setUp(self) -> None:
        self.world = World(link=Link())
        self.host: HostReactor = self.world.host("192.168.1.10")
        self.sender = self.speaker("192.168.1.20")

    def speaker(self, address: str) -> Any:
        return self.world.host(address).listenUDP(0, DatagramProtocol())

    def meter(self, **keys: object) -> SmaEnergyMeter:
        options = configured(**keys)
        meter = SmaEnergyMeter(self.host, "SMA_ENERGY_METER", options)
        self.chain: Health = build_chain(meter, options, self.host, max_age_s=KIND.max_age_s)
        meter.startService()
        self.addCleanup(self.stop, meter)
        return meter

    def stop(self, meter: SmaEnergyMeter) -> None:
        if meter.running:
            stopped = meter.stopService()
            assert stopped is not None
            self.world.wait(stopped)

    def assert_nothing_is_left(self) -> None:
        self.assertEqual(self.host.getDelayedCalls(), [])
        self.assertEqual(self.sockets(), [])

    def sockets(self) -> list[Any]:
        return self.world._datagrams.sockets_of("192.168.1.10")

    def send(self, data: bytes, to: str = GROUP, port: int = PORT) -> None:
        self.sender.write(data, (to, port))
        self.world.advance(0.01)

    def reading(self) -> dict[str, Any]:
        try:
            return {"watts": [*self.world.wait(self.chain.read()).watts]}
        except MeterError as error:
            return {"error": error.kind}

    def error(self) -> str:
        return self.failureResultOf(self.chain.read(), MeterError).getErrorMessage()


class VectorTests(InVirtualHouse):
    @each(CASES)
    def vector(self, case: dict[str, Any]) -> None:
        config = {key: value.format(port=PORT) for key, value in case["config"].items()}
        meter = self.meter(**config)
        at, replaced, _why = DIFFERENCES.get(case["id"], (-1, {}, ""))
        for i, step in enumerate(case["steps"]):
            expected = replaced if i == at else step.get("expect", {})
            self.step(meter, step, {k: v for k, v in expected.items() if k != "python_exception"})

    def step(self, meter: SmaEnergyMeter, step: dict[str, Any], expected: dict[str, Any]) -> None:
        op = step["op"]
        if op == "datagram":
            # The vectors come by unicast.
            self.send(base64.b64decode(step["b64"]), "192.168.1.10")
        elif op == "advance":
            # What lies between two steps of a vector takes no time.
            self.world.run_until(meter._heard_at + step["s"] if step["s"] == 30 else self.later())
        elif op == "stream_online":
            self.assertEqual({op: meter.online}, expected)
        elif op == "get":
            self.assertEqual(self.reading(), expected)
        elif op == "wait_for_message":
            self.world.wait(meter.first_sample(step["timeout"]))
        else:
            self.assertEqual(op, "wait_for_next_message")
            began = self.world.seconds()
            self.world.wait(meter.next_sample(step["timeout"]))
            self.assertAlmostEqual(self.world.seconds() - began, step["timeout"])

    def later(self) -> float:
        return self.world.seconds() + 0.5

    def test_all_are_run_and_each_difference_changes_its_vector(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MA{i:02}" for i in range(1, 11)])
        for name, (at, expected, why) in DIFFERENCES.items():
            [case] = [case for case in CASES if case["id"] == name]
            self.assertEqual(case["steps"][at]["op"], "get")
            self.assertNotEqual(case["steps"][at]["expect"], expected)
            self.assertTrue(why)


class ListeningTests(InVirtualHouse):
    def test_it_is_a_meter(self) -> None:
        self.assertTrue(verifyObject(IMeter, self.meter()))

    def test_the_group_is_heard(self) -> None:
        meter = self.meter()
        self.assertFalse(meter.online)
        self.send(datagram(WATTS_100))
        self.assertEqual(self.reading(), {"watts": [100.0]})
        self.assertTrue(meter.online)

    def test_a_reading_counts_from_when_it_arrived(self) -> None:
        self.meter()
        self.send(datagram(WATTS_100))
        sent_at = self.world.seconds()
        self.world.advance(5.0)
        sample = self.world.wait(self.chain.read())
        self.assertLess(abs(sample.measured_at - sent_at), 0.02)

    def test_silence_is_stale_and_the_owner_may_say_when(self) -> None:
        for keys, limit_s in (({}, MAX_AGE_S), ({"MAX_AGE": 5}, 5.0)):
            meter = self.meter(**keys)
            self.send(datagram(WATTS_100))
            self.world.advance(limit_s - 0.02)
            self.assertEqual(self.reading(), {"watts": [100.0]})
            self.world.advance(0.1)
            self.assertEqual(self.reading(), {"error": "stale"})
            self.stop(meter)

    def test_a_stopped_meter_hears_nothing_and_can_be_started_again(self) -> None:
        meter = self.meter()
        self.stop(meter)
        self.assert_nothing_is_left()
        self.send(datagram(WATTS_100))
        self.assertEqual(self.reading(), {"error": "no_data"})
        meter.startService()
        self.send(datagram(WATTS_100))
        self.assertEqual(self.reading(), {"watts": [100.0]})

    def test_two_sections_share_the_port(self) -> None:
        chains = []
        for serial in (5, 6):
            self.meter(SERIAL_NUMBER=serial)
            chains.append(self.chain)
        self.send(datagram(WATTS_100, serial=5))
        self.send(datagram(WATTS_200, serial=6))
        found = [self.world.wait(chain.read()).watts for chain in chains]
        self.assertEqual(found, [(100.0,), (200.0,)])

    def test_a_silent_group_is_joined_anew(self) -> None:
        meter = self.meter()
        self.send(datagram(WATTS_100))
        [before] = self.sockets()
        self.world.advance(REJOIN_AFTER_S - 0.1)
        self.assertEqual(self.sockets(), [before])
        self.world.advance(0.2)
        [after] = self.sockets()
        self.assertIsNot(after, before)
        self.assertIn("does multicast reach this computer", self.trouble(meter))
        with capturedLogs() as events:
            for _ in range(3):
                self.send(datagram(WATTS_200))
        self.assertEqual(self.reading(), {"watts": [200.0]})
        self.assertEqual(len([event for event in events if "failures" in event]), 1)
        self.assertEqual(meter._trouble, "")

    def test_a_group_that_is_heard_is_left_alone(self) -> None:
        self.meter()
        [before] = self.sockets()
        for _ in range(5):
            self.world.advance(REJOIN_AFTER_S / 2)
            self.send(datagram(WATTS_100))
        self.assertEqual(self.sockets(), [before])
        self.assertEqual(len(self.host.getDelayedCalls()), 1)

    def trouble(self, meter: SmaEnergyMeter) -> str:
        meter.store(None)
        return self.error()


class ChoiceTests(InVirtualHouse):
    def test_the_first_known_type_is_followed(self) -> None:
        for susy_id, is_known in ((270, 1), (349, 1), (372, 1), (501, 1), (271, 0), (0, 0)):
            meter = self.meter()
            self.send(datagram(WATTS_100, susy_id=susy_id))
            self.assertEqual("watts" in self.reading(), bool(is_known), susy_id)
            self.stop(meter)

    def test_one_without_a_power_is_not_chosen(self) -> None:
        self.meter()
        self.send(datagram(serial=7))
        self.send(datagram(WATTS_100, serial=8))
        self.assertEqual(self.reading(), {"watts": [100.0]})

    def test_the_choice_survives_silence(self) -> None:
        self.meter()
        self.send(datagram(WATTS_100, serial=7))
        self.world.advance(3 * REJOIN_AFTER_S)
        self.send(datagram(WATTS_200, serial=8))
        self.assertEqual(self.reading(), {"error": "stale"})

    def test_the_owner_is_told_of_the_choice_and_once_of_another_meter(self) -> None:
        with capturedLogs() as events:
            self.meter()
            for _ in range(3):
                self.send(datagram(WATTS_100, serial=7))
                self.send(datagram(WATTS_100, serial=8))
                self.send(datagram(WATTS_100, serial=9, susy_id=1))
        self.assertEqual(
            [(event["serial"], event.get("other")) for event in events if "serial" in event],
            [(7, None), (7, 8)],
        )

    def test_a_named_meter_has_any_type_and_is_alone(self) -> None:
        with capturedLogs() as events:
            self.meter(SERIAL_NUMBER=7)
            self.send(datagram(WATTS_100, serial=7, susy_id=1))
            self.send(datagram(WATTS_200, serial=8))
        self.assertEqual(self.reading(), {"watts": [100.0]})
        self.assertEqual([event for event in events if "serial" in event], [])


class Unwilling(Clock):
    """A reactor whose network is not ready.

    :ivar trouble: what goes wrong now; None when all is well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.attempts = 0
        self.open = 0

    def listenMulticast(self, port: int, protocol: Any, **_keywords: Any) -> Any:
        self.attempts += 1
        if isinstance(self.trouble, CannotListenError):
            raise self.trouble
        self.open += 1
        return self

    def joinGroup(self, _group: str, _interface: str) -> Deferred[None]:
        return succeed(None) if self.trouble is None else fail(self.trouble)

    def stopListening(self) -> Deferred[None]:
        self.open -= 1
        return succeed(None)


class TroubleTests(SynchronousTestCase):
    """Bind or join fails: start does not, and what fails is tried again."""

    def meter(self, trouble: Exception | None, **keys: object) -> SmaEnergyMeter:
        self.reactor = Unwilling()
        self.reactor.trouble = trouble
        meter = SmaEnergyMeter(self.reactor, "SMA", configured(**keys), Backoff(1.0, 8.0, _Zero()))
        with capturedLogs() as self.events:
            meter.startService()
        self.addCleanup(self.stop, meter)
        return meter

    def stop(self, meter: SmaEnergyMeter) -> None:
        if meter.running:
            meter.stopService()
        self.assertEqual((self.reactor.open, self.reactor.getDelayedCalls()), (0, []))

    def told(self, events: list[LogEvent]) -> Iterator[str]:
        for event in events:
            yield str(event.get("reason", ""))

    def test_the_message_says_what_to_do(self) -> None:
        in_use = OSError(errno.EADDRINUSE, "Address already in use")
        no_device = MulticastJoinError(GROUP, "", errno.ENODEV, "No such device")
        for trouble, keys, words in (
            (CannotListenError("", PORT, in_use), {}, "another program has the port to itself"),
            (CannotListenError("", PORT, OSError(1, "Not allowed")), {}, "Not allowed"),
            (no_device, {}, "there is no network yet"),
            (no_device, {"INTERFACE": "192.168.7.7"}, "no network with the address 192.168.7.7"),
            (MulticastJoinError(GROUP, "", errno.ENOBUFS, "No buffer"), {}, "No buffer"),
        ):
            meter = self.meter(trouble, **keys)
            self.assertTrue(meter.running)
            error = self.failureResultOf(meter.read(), MeterError).value
            self.assertEqual(error.kind, "no_data")
            self.assertIn(words, str(error))
            self.assertIn(f"{GROUP}:{PORT}", str(error))
            [told] = self.told(self.events)
            self.assertIn(words, told)
            self.stop(meter)

    def test_it_is_tried_again_with_growing_patience(self) -> None:
        meter = self.meter(MulticastJoinError(GROUP, "", errno.ENODEV, "No such device"))
        times = []
        for _ in range(160):
            before = self.reactor.attempts
            self.reactor.advance(0.25)
            times += [self.reactor.seconds()] * (self.reactor.attempts - before)
        self.assertEqual(times, [1.0, 3.0, 7.0, 15.0, 23.0, 31.0, 39.0])
        self.assertEqual(self.reactor.open, 0)
        self.reactor.trouble = None
        self.reactor.advance(8.0)
        self.assertEqual((self.reactor.open, meter.connected), (1, True))

    def test_patience_begins_anew_after_a_success(self) -> None:
        meter = self.meter(None)
        for _ in range(3):
            self.reactor.trouble = MulticastJoinError(GROUP, "", errno.ENODEV, "No such device")
            self.reactor.advance(REJOIN_AFTER_S)
            self.assertFalse(meter.connected)
            self.reactor.trouble = None
            self.reactor.advance(1.0)
            self.assertTrue(meter.connected)

    def test_it_stops_while_it_waits(self) -> None:
        meter = self.meter(MulticastJoinError(GROUP, "", errno.ENODEV, "No such device"))
        stopped = meter.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.reactor.advance(100.0)
        self.assertEqual(self.reactor.attempts, 1)


class _Zero:
    """No jitter."""

    def random(self) -> float:
        return 0.0


class BadInputTests(InVirtualHouse):
    """What comes over the network from anybody."""

    def test_odd_datagrams_change_nothing_and_stop_nothing(self) -> None:
        meter = self.meter()
        good = datagram(WATTS_100)
        odd = [good[:length] for length in range(len(good) - 4)]
        odd += [b"", b"\0" * 28, b"\xff" * 1500, b"SMA\0" * 300, good[:28] + b"\xff" * 2000]
        odd += [bytes([*good[:i], good[i] ^ 0xFF, *good[i + 1 :]]) for i in range(24)]
        with capturedLogs() as events:
            for data in odd:
                self.send(data, "192.168.1.10")
        self.send(good)
        self.assertEqual(self.reading(), {"watts": [100.0]})
        self.assertTrue(meter.online)
        levels = [event["log_level"].name for event in events]
        self.assertEqual(levels, ["info", "warn"])  # which meter, and that there is another
        self.assertEqual(self.world.errors, 0)

    def test_a_datagram_without_power_is_no_sign_of_life(self) -> None:
        meter = self.meter()
        self.send(datagram(WATTS_100))
        for _ in range(4):
            self.world.advance(10.0)
            self.send(datagram())
        self.assertFalse(meter.online)
        self.assertEqual(self.reading(), {"error": "stale"})

    def test_another_meter_is_no_sign_of_life(self) -> None:
        self.meter(SERIAL_NUMBER=5)
        self.send(datagram(WATTS_100, serial=5))
        for _ in range(4):
            self.world.advance(10.0)
            self.send(datagram(WATTS_200, serial=6))
        self.assertEqual(self.reading(), {"error": "stale"})


class OptionTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        options = configured()
        self.assertEqual((options.multicast_group, options.port), (GROUP, PORT))
        self.assertEqual((options.serial_number, options.interface), (0, ""))
        self.assertEqual(configured(INTERFACE=""), options)

    def test_what_is_refused(self) -> None:
        for line, words in (
            ("MULTICAST_GROUP = 192.168.1.1", "a multicast group is 224.0.0.0 to 239.255.255.255"),
            ("MULTICAST_GROUP = sma", "a multicast group is"),
            ("INTERFACE = eth0", "the address of this computer in the meter's network"),
            ("SERIAL_NUMBER = -1", "a whole number of at least 0"),
            ("SERIAL_NUMBER = 4294967296", "SERIAL_NUMBER: there is none above 4294967295"),
            ("PORT = 0", "a port is 1..65535"),
        ):
            [problem] = problems_of("SMA_ENERGY_METER", line)
            self.assertIn(words, problem)


class RealMulticastTests(TestCase):
    """Real datagrams to a real group, on the loopback interface."""

    timeout = 240

    def setUp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    async def meter(self) -> SmaEnergyMeter:
        options = configured(PORT=self.port, INTERFACE="127.0.0.1")
        meter = SmaEnergyMeter(reactor, "SMA_ENERGY_METER", options)
        meter.startService()
        self.addCleanup(lambda: meter.running and meter.stopService())
        while not meter.connected:
            await deferLater(reactor, 0.002)
        return meter

    def send(self, data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            own = socket.inet_aton("127.0.0.1")
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            sender.sendto(data, (GROUP, self.port))

    async def test_a_meter_is_heard(self) -> None:
        meter = await self.meter()
        self.send(b"noise")
        self.send(datagram("0015040000000064"))
        await meter.first_sample(5.0)
        self.assertEqual((await meter.read()).watts, (10.0, 0.0, 0.0))

    async def test_two_listen_on_one_port(self) -> None:
        meters = [await self.meter(), await self.meter()]
        self.send(datagram(WATTS_100))
        for meter in meters:
            await meter.first_sample(5.0)
            self.assertEqual((await meter.read()).watts, (100.0,))

    async def test_a_port_that_another_has_to_itself(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("", self.port))
            options = configured(PORT=self.port, INTERFACE="127.0.0.1")
            meter = SmaEnergyMeter(reactor, "SMA", options, Backoff(0.05, 0.05))
            meter.startService()
            self.addCleanup(meter.stopService)
            with self.assertRaises(MeterError) as caught:
                await meter.read()
            self.assertIn("another program has the port to itself", str(caught.exception))
        while not meter.connected:
            await deferLater(reactor, 0.01)

    async def test_an_interface_that_is_not_there(self) -> None:
        options = configured(PORT=self.port, INTERFACE="192.0.2.77")
        meter = SmaEnergyMeter(reactor, "SMA", options)
        meter.startService()
        self.addCleanup(meter.stopService)
        while not meter._trouble:
            await deferLater(reactor, 0.002)
        with self.assertRaises(MeterError) as caught:
            await meter.read()
        self.assertIn("no network with the address 192.0.2.77", str(caught.exception))
