"""What observers are told about the datagrams that come to an emulated CT."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.emulator import MAX_REQUEST
from astrameter.ct.fleet import MAX_CONSUMERS
from astrameter.ct.wire import encode
from astrameter.events import REJECTED_BYTES, PollHeard, PollRejected
from tests.astrameter.ct.rig import BATTERY, PEER, Caller, Rig


class Told(SynchronousTestCase):
    def make(self, rig: Rig) -> Rig:
        self.heard: list[PollHeard] = []
        self.rejected: list[PollRejected] = []
        rig.bus.subscribe(PollHeard, self.heard.append, name="test")
        rig.bus.subscribe(PollRejected, self.rejected.append, name="test")
        rig.protocol.port = 12345
        return rig

    def reason(self, rig: Rig, datagram: Caller | bytes) -> str:
        """Why a datagram is rejected; it must not be told as heard."""
        rig.send(datagram)
        rig.clock.advance(0)
        self.assertEqual(self.heard, [])
        (event,) = self.rejected
        self.rejected.clear()
        return event.reason

    def test_an_accepted_poll_with_port_source_and_bytes(self) -> None:
        rig = self.make(Rig())
        rig.send(BATTERY)
        rig.clock.advance(0)
        expected = PollHeard("device-1", 12345, BATTERY.address[0], BATTERY.datagram)
        self.assertEqual(self.heard, [expected])
        self.assertEqual(self.rejected, [])

    def test_an_inspection_poll_too(self) -> None:
        rig = self.make(Rig())
        rig.send(BATTERY.but(phase="0"))
        rig.clock.advance(0)
        self.assertEqual(len(self.heard), 1)

    def test_a_search_is_heard_and_still_answered(self) -> None:
        rig = self.make(Rig())
        rig.send(b"hame")
        rig.clock.advance(0)
        self.assertEqual([event.datagram for event in self.heard], [b"hame"])
        self.assertEqual([datagram for datagram, _ in rig.take()], [b"ack"])

    def test_each_rejection_by_its_reason(self) -> None:
        rig = self.make(Rig(ct_mac="001122334455"))
        good = BATTERY.but(ct_mac="001122334455").datagram
        self.assertEqual(self.reason(rig, b""), "too_short")
        self.assertEqual(self.reason(rig, good[:-2] + b"zz"), "bad_checksum")
        self.assertEqual(self.reason(rig, b"x" * (MAX_REQUEST + 1)), "too_long")
        self.assertEqual(self.reason(rig, encode(["A", "B", "C"])), "too_few_fields")
        self.assertEqual(self.reason(rig, BATTERY), "foreign_mac")
        self.assertEqual(rig.take(), [])

    def test_a_poll_within_the_dedupe_window(self) -> None:
        rig = self.make(Rig(dedupe_s=0.9))
        rig.send(BATTERY)
        rig.clock.advance(0)
        self.heard.clear()
        self.assertEqual(self.reason(rig, BATTERY), "duplicate")

    def test_a_battery_for_whom_there_is_no_room(self) -> None:
        rig = self.make(Rig())
        for _ in range(2):  # twice: whoever was heard only once makes room
            for number in range(MAX_CONSUMERS):
                rig.send(BATTERY.but(mac=f"0000{number:08X}"))
        rig.clock.advance(0)
        self.heard.clear()
        self.assertEqual(self.reason(rig, PEER), "crowded")

    def test_a_long_datagram_is_kept_only_in_part(self) -> None:
        rig = self.make(Rig())
        rig.send(b"x" * 8000)
        rig.clock.advance(0)
        self.assertEqual(len(self.rejected[0].datagram), REJECTED_BYTES)

    def test_nothing_is_queued_when_nobody_listens(self) -> None:
        rig = Rig()
        before = len(rig.clock.getDelayedCalls())
        rig.send(BATTERY.but(phase="0"))
        rig.send(b"junk")
        self.assertEqual(len(rig.clock.getDelayedCalls()), before)
        self.assertEqual(len(rig.take()), 1)
