"""A hundred thousand hostile datagrams."""

from __future__ import annotations

import json
import random

from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import Bus
from astrameter.shelly.presence import MAX_BATTERIES
from astrameter.shelly.responder import ShellyResponder
from tests.astrameter.shelly.test_responder import NOON, PORT
from tests.doubles import FakeUDPReactor, StubMeter, routes_for

SEEDS = (
    b'{"id":1,"method":"EM.GetStatus","params":{"id":0}}',
    b'{"id":"\xc3\xa4","method":"EM1.GetStatus","params":{"id":0},"src":"b"}\r\n',
    b'{"id":[{"a":1e9}],"jsonrpc":"2.0","method":"EM.GetStatus","params":{"id":true}}',
    b"\x01\x0253|HMG-50|AABBCCDDEEFF|HME-4|112233445566|A|-100\x0368",
    b"[" * 1500,
)


def is_answerable(datagram: bytes) -> bool:
    """The rules of shelly.md section 2, told a second time."""
    try:
        document = json.loads(datagram.decode())
        json.dumps(document["id"], allow_nan=False)
        return (
            len(datagram) <= 4096
            and document["method"] in ("EM.GetStatus", "EM1.GetStatus")
            and isinstance(document["params"]["id"], int)
        )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return False


class FuzzTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(2220)
        self.reactor = FakeUDPReactor()
        self.responder = ShellyResponder(
            self.reactor,
            "shellypro3em-ec4609c439c1",
            PORT,
            0.0,
            routes_for([(StubMeter([1.0, 2.0, 3.0]), ["0.0.0.0/0"])]),
            Bus(self.reactor),
            lambda: NOON,
        )
        self.responder.startService()

    def mutated(self) -> bytes:
        pick = self.random.random()
        if pick < 0.2:
            return self.random.randbytes(int(self.random.random() * 60))
        datagram = bytearray(SEEDS[int(pick * 50) % len(SEEDS)])
        for _ in range(int(self.random.random() * 3)):
            at = int(self.random.random() * len(datagram))
            how = self.random.random()
            if how < 0.4:
                datagram[at : at + 1] = self.random.randbytes(1)
            elif how < 0.6:
                del datagram[at : at + 1 + int(how * 10)]
            elif how < 0.8:
                datagram[at:at] = b'{}[]",:\\0e'[int(how * 45) % 9 :][:1]
            else:
                datagram[at:at] = SEEDS[0][: int(how * 50)]
            if not datagram:
                break
        return bytes(datagram)

    def test_no_exception_no_answer_to_nonsense_bounded_tables(self) -> None:
        port = self.reactor.ports[PORT]
        receive = port.protocol.datagramReceived
        answerable = 0
        for number in range(100_000):
            datagram = self.mutated()
            pick = int(self.random.random() * 2000)
            receive(datagram, (f"10.0.{pick >> 8}.{pick & 255}", pick))
            self.assertEqual(bool(port.sent), is_answerable(datagram), datagram)
            answerable += len(port.sent)
            port.sent.clear()
            if number % 1000 == 0:
                self.reactor.advance(0.5)
        self.assertGreater(answerable, 1000)
        self.assertLess(answerable, 60_000)
        self.assertEqual(len(port.protocol.presence), MAX_BATTERIES)
        self.assertLessEqual(len(self.reactor.getDelayedCalls()), 1)
