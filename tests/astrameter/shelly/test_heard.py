"""What observers are told about the datagrams that come to an emulated Shelly."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import REJECTED_BYTES, Bus, PollHeard, PollRejected
from astrameter.routing import Routes
from astrameter.shelly.responder import MAX_READING_PER_BATTERY, ShellyResponder
from tests.doubles import Address, FakeUDPReactor, StubMeter, routes_for

PORT = 2220
BATTERY = ("192.168.1.50", 22222)
EM = b'{"id":1,"method":"EM.GetStatus","params":{"id":0}}'


class Told(SynchronousTestCase):
    def make(self, routes: Routes | None = None, dedupe_s: float = 0.0) -> None:
        self.reactor = FakeUDPReactor(1000.0)
        self.heard: list[PollHeard] = []
        self.rejected: list[PollRejected] = []
        bus = Bus(self.reactor)
        bus.subscribe(PollHeard, self.heard.append, name="test")
        bus.subscribe(PollRejected, self.rejected.append, name="test")
        routes = routes or routes_for([(StubMeter(), ["192.168.1.0/24"])])
        responder = ShellyResponder(
            self.reactor, "shelly-1", PORT, dedupe_s, routes, bus, lambda: datetime.now(UTC)
        )
        responder.startService()

    def send(self, datagram: bytes, source: Address = BATTERY) -> list[str]:
        """A datagram arrives; why it was rejected."""
        self.reactor.deliver(PORT, datagram, source)
        self.reactor.advance(0)
        reasons = [event.reason for event in self.rejected]
        self.rejected.clear()
        return reasons

    def test_an_accepted_request_with_port_source_and_bytes(self) -> None:
        self.make()
        self.assertEqual(self.send(EM), [])
        self.assertEqual(self.heard, [PollHeard("shelly-1", PORT, BATTERY[0], EM)])

    def test_each_rejection_by_its_reason_and_never_as_heard(self) -> None:
        self.make()
        self.assertEqual(self.send(b"\xff"), ["not_text"])
        self.assertEqual(self.send(b"{"), ["not_json"])
        self.assertEqual(self.send(b"{}"), ["not_a_request"])
        self.assertEqual(self.send(EM.replace(b'"id":1,', b"")), ["no_id"])
        self.assertEqual(self.send(EM.replace(b"EM.", b"Sys.")), ["other_method"])
        self.assertEqual(self.heard, [])

    def test_a_request_without_a_meter_is_told_once(self) -> None:
        self.make(routes_for([(StubMeter(), ["10.0.0.0/8"])]))
        self.assertEqual(self.send(EM), ["no_meter"])
        self.assertEqual(self.send(EM.replace(b"EM.", b"Sys.")), ["other_method"])
        self.assertEqual(self.heard, [])

    def test_a_request_within_the_dedupe_window(self) -> None:
        self.make(dedupe_s=0.9)
        self.assertEqual(self.send(EM), [])
        self.assertEqual(self.send(EM), ["duplicate"])

    def test_a_request_too_many(self) -> None:
        self.make(routes_for([(StubMeter(Deferred()), ["0.0.0.0/0"])]))
        for _ in range(MAX_READING_PER_BATTERY):
            self.assertEqual(self.send(EM), [])
        self.assertEqual(self.send(EM), ["overload"])

    def test_a_long_datagram_is_kept_only_in_part(self) -> None:
        self.make()
        self.reactor.deliver(PORT, b"x" * 8000, BATTERY)
        self.reactor.advance(0)
        self.assertEqual(len(self.rejected[0].datagram), REJECTED_BYTES)
