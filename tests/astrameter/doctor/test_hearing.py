"""Reading datagrams, and keeping count of who sends them."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import encode
from astrameter.doctor.datagrams import Speech, understand
from astrameter.doctor.hearing import MAX_CALLERS, Hearing
from tests.astrameter.doctor.rig import EM, IP, poll, rpc

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["method", "id"]), inner),
)


class Understanding(SynchronousTestCase):
    def test_a_search(self) -> None:
        self.assertIs(understand(b"hame").speech, Speech.SEARCH)

    def test_a_poll_of_a_ct(self) -> None:
        message = understand(poll("02B250", "b", "AABB", "HME-3", "0"))
        self.assertIs(message.speech, Speech.CT)
        self.assertEqual(
            (message.device_type, message.mac, message.ct_type, message.ct_mac, message.phase),
            ("VNSE3-0", "02B250", "HME-3", "AABB", "B"),
        )
        self.assertFalse(message.participates)

    def test_a_shelly_request_whatever_its_method(self) -> None:
        message = understand(rpc("Shelly.GetDeviceInfo"))
        self.assertEqual((message.speech, message.method), (Speech.SHELLY, "Shelly.GetDeviceInfo"))

    def test_anything_else(self) -> None:
        damaged = poll()[:-1] + b"z"
        for datagram in (b"", b"junk", b"{}", b"[1]", b'{"method":1}', damaged, encode(["A"])):
            self.assertIs(understand(datagram).speech, Speech.OTHER, datagram)

    def test_texts_are_short(self) -> None:
        message = understand(poll("M" * 100, ct_type="T" * 100))
        self.assertEqual((len(message.mac), len(message.ct_type)), (32, 32))

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda b: b"\x01\x02" + b))
    def test_no_bytes_make_it_raise(self, datagram: bytes) -> None:
        understand(datagram)

    @settings(deadline=None, derandomize=True)
    @given(JSON)
    def test_no_document_makes_it_raise(self, document: object) -> None:
        understand(json.dumps(document).encode())


class Counting(SynchronousTestCase):
    def setUp(self) -> None:
        self.hearing = Hearing()

    def heard(self, datagram: bytes, at: float = 0.0, reason: str = "", port: int = 12345) -> None:
        self.hearing.heard(port, IP, datagram, at, reason)

    def test_polls_of_one_battery_are_one_caller(self) -> None:
        for second in range(5):
            self.heard(poll(), float(second))
        (caller,) = self.hearing.callers
        self.assertEqual((caller.heard, caller.polls, caller.accepted), (5, 5, 5))
        self.assertEqual(caller.interval_s, 1.0)

    def test_two_batteries_behind_one_address_are_two(self) -> None:
        self.heard(poll("02b250000001"))
        self.heard(poll("02b250000002"))
        self.heard(poll("02B250000002"))
        self.assertEqual([caller.heard for caller in self.hearing.callers], [1, 2])

    def test_a_single_datagram_has_no_interval(self) -> None:
        self.heard(poll())
        self.assertIsNone(self.hearing.callers[0].interval_s)

    def test_answers_are_counted_with_the_longest_wait(self) -> None:
        for second, wait in ((0.0, 0.1), (1.0, 0.4), (2.0, 0.2)):
            self.heard(poll(), second)
            self.hearing.answered(12345, IP, Speech.CT, "02B250000001", second + wait)
        (caller,) = self.hearing.callers
        self.assertEqual(caller.answered, 3)
        self.assertAlmostEqual(caller.slowest_s, 0.4)

    def test_a_lost_answer_shows_as_a_long_wait(self) -> None:
        self.heard(poll(), 0.0)
        self.heard(poll(), 1.0)
        self.hearing.answered(12345, IP, Speech.CT, "02b250000001", 1.5)
        self.assertEqual(self.hearing.callers[0].slowest_s, 1.5)

    def test_inspection_polls_expect_no_told_answer(self) -> None:
        self.heard(poll(phase="0"))
        (caller,) = self.hearing.callers
        self.assertEqual((caller.heard, caller.polls, caller.phases), (1, 0, {"0"}))

    def test_rejected_datagrams_by_reason_with_their_methods(self) -> None:
        self.heard(EM, port=2220)
        self.heard(rpc("Sys.GetStatus"), reason="other_method", port=2220)
        (caller,) = self.hearing.callers
        self.assertEqual(caller.rejected, {"other_method": 1})
        self.assertEqual(caller.methods, {"Sys.GetStatus"})
        self.assertEqual((caller.accepted, caller.polls), (1, 1))

    def test_an_answer_to_nobody_known_is_ignored(self) -> None:
        self.hearing.answered(12345, IP, Speech.CT, "x", 0.0)
        self.assertEqual(self.hearing.callers, ())

    def test_forged_senders_are_counted_but_not_kept(self) -> None:
        for number in range(MAX_CALLERS + 7):
            self.hearing.heard(12345, f"10.0.{number // 250}.{number % 250}", poll(), 0.0)
        self.assertEqual(len(self.hearing.callers), MAX_CALLERS)
        self.assertEqual(self.hearing.more, 7)
        self.hearing.heard(12345, "10.0.0.1", poll(), 1.0)
        self.assertEqual(self.hearing.more, 7)

    def test_invented_methods_are_bounded(self) -> None:
        for number in range(100):
            self.heard(rpc(f"X.{number}"), reason="other_method")
        self.assertLessEqual(len(self.hearing.callers[0].methods), 20)
