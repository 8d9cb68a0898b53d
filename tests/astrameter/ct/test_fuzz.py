"""A hundred thousand hostile datagrams."""

from __future__ import annotations

import gc
import random
import tracemalloc

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.answer import MAX_ANSWER
from astrameter.ct.emulator import MAX_REQUEST
from astrameter.ct.fleet import MAX_CONSUMERS
from astrameter.ct.request import Request, parse_request
from astrameter.ct.wire import FrameError, checksum, decode, encode
from astrameter.steering.controller import Steering
from astrameter.steering.options import SteeringOptions
from tests.astrameter.ct.rig import BATTERY, Rig, parsed
from tests.doubles import Address

SEEDS = (
    BATTERY.datagram,
    BATTERY.but(phase="D", power_w=-80, more=("0",)).datagram,
    BATTERY.but(mac="", type="HMA-1", ct_type="").datagram,
    BATTERY.but(ct_type="TPM2-0", phase="0").datagram,
    b'{"id":1,"method":"EM.GetStatus","params":{"id":0}}',
    b"hame",
)
ODD = (
    *("", "0", "7", "-", "9" * 60, "-32769", "nan", "1e9"),
    *(" A ", "b", "x" * 90, "\x00", "\x03", "|"),
)
READINGS = ([100, -50, 3], [-4000], [], [1e8] * 4, [float("nan")], "error", [0.5, 0.5])


def repaired(datagram: bytes) -> bytes:
    """With the length and the checksum that belong to it."""
    _, _, body = datagram.partition(b"|")
    body = b"|" + body[:-3]
    length = next(len(body) + 5 + d for d in (1, 2, 3, 4) if len(str(len(body) + 5 + d)) == d)
    framed = b"\x01\x02%d%s\x03" % (length, body)
    return framed + b"%02x" % checksum(framed)


def accepted(datagram: bytes) -> Request | None:
    """The request in ``datagram``, if any part of the house may answer it."""
    try:
        return parse_request(decode(datagram)) if len(datagram) <= MAX_REQUEST else None
    except FrameError:
        return None


class Attacker:
    """Makes datagrams from the six seeds, bad ones and well-formed ones with odd content."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def number(self, below: int) -> int:
        return int(self.random.random() * below)

    def datagram(self) -> bytes:
        pick = self.random.random()
        if pick < 0.1:
            return self.random.randbytes(self.number(80))
        if pick < 0.4:
            return self.well_formed()
        mutated = self.mutated()
        return repaired(mutated) if pick < 0.8 else mutated

    def well_formed(self) -> bytes:
        """A frame with odd fields of a battery with a random name."""
        fields = list(BATTERY.fields)
        fields[1] = f"{self.number(4000):012X}"
        fields[4] = "ABCDABCD0"[self.number(9)]
        for _ in range(self.number(4)):
            at = self.number(9)
            fields[at : at + 1] = [ODD[self.number(len(ODD))].replace("|", "")]
        return encode(fields)

    def mutated(self) -> bytes:
        datagram = bytearray(SEEDS[self.number(len(SEEDS))])
        for _ in range(1 + self.number(3)):
            at, how = self.number(len(datagram) + 1), self.random.random()
            if how < 0.4:
                datagram[at : at + 1] = self.random.randbytes(1)
            elif how < 0.6:
                del datagram[at : at + 1 + self.number(6)]
            elif how < 0.9:
                datagram[at:at] = ODD[self.number(len(ODD))].encode()
            else:
                datagram[at:at] = SEEDS[0][: self.number(60)]
        return bytes(datagram)

    def address(self) -> Address:
        """One of many, a third of them without a meter."""
        pick = self.number(3000)
        if pick < 1000:
            return (f"10.0.{pick >> 8}.{pick & 255}", 22222)
        if pick < 1010:
            return ("fe80::1", pick)
        return (f"192.168.1.{pick & 255}", 1024 + pick)


class Attacked(SynchronousTestCase):
    def attack(self, rig: Rig, attacker: Attacker, count: int) -> int:
        """How many of ``count`` datagrams were answered."""
        answered = 0
        for number in range(count):
            datagram = attacker.datagram()
            rig.send(datagram, attacker.address())
            answered += self.check(rig, datagram)
            if number % 250 == 0:
                rig.clock.advance(0.1)
                rig.meter.script(READINGS[attacker.number(len(READINGS))])
                for noted in (
                    *(rig.events, rig.removed),
                    *(rig.stub.calls, rig.stub.reported, rig.stub.forgotten),
                ):
                    noted.clear()
        return answered

    def check(self, rig: Rig, datagram: bytes) -> bool:
        written = rig.take()
        if not written:
            return False
        ((answer, _),) = written
        if datagram == b"hame":
            self.assertEqual(answer, b"ack")
            return True
        request = accepted(datagram)
        assert request is not None, datagram
        self.assertLessEqual(len(answer), MAX_ANSWER)
        names = [request.ct_type, request.ct_mac, request.device_type, request.battery_mac]
        self.assertEqual(parsed(answer).names, names)
        return True

    def assert_bounded(self, rig: Rig) -> None:
        fleet = rig.ct.fleet
        self.assertEqual(len(fleet), MAX_CONSUMERS)
        self.assertLessEqual(len(fleet._accepted_at), 1024)
        self.assertEqual(len(fleet._settings), 0)
        self.assertLessEqual(set(rig.ct.energies), {"METER"})
        self.assertEqual((rig.ct._waiting, rig.protocol._reads), ({}, {}))
        self.assertLessEqual(set(rig.protocol._meters), {"METER"})
        self.assertLessEqual(len(rig.routes._known), 512)
        self.assertLessEqual(len(rig.clock.getDelayedCalls()), 3)

    def test_no_exception_no_answer_to_nonsense_bounded_tables(self) -> None:
        rig = Rig(reading_w=77, dedupe_s=0.05)
        with capturedLogs() as events:
            answered = self.attack(rig, Attacker(12345), 100_000)
        self.assertGreater(answered, 20_000)
        self.assertLess(answered, 80_000)
        self.assert_bounded(rig)
        warnings = [e for e in events if e["log_level"] >= LogLevel.warn]
        self.assertEqual([e for e in warnings if "log_failure" in e], [])
        # 40 s of virtual time: the meter fails and recovers many times, all else is rare.
        others = [e for e in warnings if "gets no answer" in e["log_format"]]
        self.assertLessEqual(len(others), 2)

    def test_the_controller_survives_and_forgets(self) -> None:
        controller = Steering(SteeringOptions())
        rig = Rig(controller=controller)
        self.attack(rig, Attacker(7), 4_000)
        self.assert_bounded(rig)
        self.assertLessEqual(len(controller._units), MAX_CONSUMERS)

    def test_memory_stays_as_it_is(self) -> None:
        rig = Rig(dedupe_s=0.05)
        attacker = Attacker(1)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.attack(rig, attacker, 10_000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        self.attack(rig, attacker, 10_000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        self.assertLess(after - before, 100_000, "bytes for 10 000 datagrams")
        self.assert_bounded(rig)

    def test_polls_that_wait_for_a_meter_under_attack(self) -> None:
        rig = Rig(wait=True)
        reads = rig.meter.hold_back()
        attacker = Attacker(2)
        requests = 0
        with capturedLogs():
            for number in range(5_000):
                datagram = attacker.datagram()
                rig.send(datagram, attacker.address())
                requests += accepted(datagram) is not None
                if number % 500 == 499:
                    self.assertLessEqual(len(reads), MAX_CONSUMERS)
                    rig.clock.advance(1)
                    for read in reads:
                        read.callback(rig.meter.sample(5))
                    reads.clear()
                    self.assertEqual((rig.ct._waiting, rig.protocol._reads), ({}, {}))
        self.assertGreater(requests, 1000)
        self.assertLessEqual(len(rig.take()), requests)
