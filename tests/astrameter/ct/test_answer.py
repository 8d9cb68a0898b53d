"""The fields of an answer (marstek-devices.md sections 1.5, 1.6, 1.12, 1.13; ct-protocol.md 8)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.aggregate import ABC, A, B, Buckets
from astrameter.ct.answer import (
    MAX_ANSWER,
    Identity,
    active_counts,
    own_slot,
    relay_counts,
    relayed,
    spread,
    steered,
)
from astrameter.ct.request import Request
from astrameter.ct.wire import encode

IDENTITY = Identity("HME-4", "", -50)
ZEROS = ["0"] * 10


def a_request(
    phase: str = "A", ct_type: str = "HME-4", ct_mac: str = "112233445566", **names: str
) -> Request:
    return Request(
        names.get("type", "VNSE3-0"),
        names.get("mac", "AABBCCDDEE01"),
        ct_type,
        ct_mac,
        phase,
        0,
        True,
    )


def steered_fields(request: Request, reading_w: float = 200.0) -> list[str]:
    return steered(request, IDENTITY, reading_w, 7, (1234, 56))


class Steered(SynchronousTestCase):
    def test_the_reading_is_in_the_own_phase_and_in_the_total(self) -> None:
        for phase, phases in (
            ("A", ["-200", "0", "0"]),
            ("B", ["0", "-200", "0"]),
            ("C", ["0", "0", "-200"]),
        ):
            fields = steered_fields(a_request(phase), -200)
            self.assertEqual(fields[4:8], [*phases, "-200"])

    def test_a_combined_battery_has_it_in_the_total_and_once_in_the_phases(self) -> None:
        fields = steered_fields(a_request("D"))
        self.assertEqual(fields[4:12], ["200", "0", "0", "200", "0", "0", "0", "0"])

    def test_its_own_phase_counts_one_battery_and_the_others_none(self) -> None:
        for phase, counts in (("A", "1000"), ("B", "0100"), ("C", "0010"), ("D", "0000")):
            self.assertEqual(steered_fields(a_request(phase))[8:12], list(counts))

    def test_the_count_stays_one_when_there_is_nothing_to_do(self) -> None:
        self.assertEqual(steered_fields(a_request("B"), 0)[8:12], ["0", "1", "0", "0"])

    def test_nothing_is_said_about_other_batteries(self) -> None:
        self.assertEqual(steered_fields(a_request())[14:], ZEROS)

    def test_signal_strength_and_index_follow_the_counts(self) -> None:
        self.assertEqual(steered_fields(a_request())[12:14], ["-50", "7"])

    def test_the_ct_pair_is_echoed_to_the_letter(self) -> None:
        for ct_type in ("HME-4", "HME-3", "", "TPM2-0", "SMR-0", "SMR-1", "SMR-2", "hme-4", "XY 9"):
            for ct_mac in ("", "000000000000", "aAbBcC", " 1 "):
                fields = steered_fields(a_request(ct_type=ct_type, ct_mac=ct_mac))
                self.assertEqual(fields[:4], [ct_type, ct_mac, "VNSE3-0", "AABBCCDDEE01"])

    def test_types_with_energies_have_28_fields_and_all_others_24(self) -> None:
        for ct_type in ("HME-3", "HME-5", "TPM2-0"):
            fields = steered_fields(a_request(ct_type=ct_type))
            self.assertEqual(fields[14:], [*ZEROS, "1234", "0", "56", "0"])
        for ct_type in ("HME-4", "HME-2", "SMR-0", "SMR-1", "SMR-2", "", "NEW-1"):
            self.assertEqual(len(steered_fields(a_request(ct_type=ct_type))), 24)

    def test_a_reading_is_rounded_half_to_even_and_never_minus_zero(self) -> None:
        for reading_w, text in (
            (0.5, "0"),
            (1.5, "2"),
            (2.5, "2"),
            (-0.5, "0"),
            (-0.0, "0"),
            (-1.5, "-2"),
            (-2.5, "-2"),
            (99.49, "99"),
        ):
            fields = steered_fields(a_request("C"), reading_w)
            self.assertEqual((fields[6], fields[7]), (text, text))

    @settings(deadline=None, derandomize=True)
    @given(st.sampled_from("ABCD"), st.floats(-32767, 32767), st.integers(0, 2**32 - 1))
    def test_names_of_real_batteries_leave_it_below_256_bytes(
        self, phase: str, reading_w: float, count: int
    ) -> None:
        request = a_request(phase, "TPM2-0", "1" * 13, type="VNSE3-0xxx", mac="A" * 30)
        fields = steered(request, Identity("HME-4", "", -100), reading_w, 255, (count, count))
        self.assertEqual(len(fields), 28)
        self.assertLessEqual(len(encode(fields)), MAX_ANSWER)


class Relayed(SynchronousTestCase):
    def numbers(self, *values: float) -> list[str]:
        fields = relayed(
            a_request(), IDENTITY, (values[0], values[1], values[2]), [0] * 4, 0, Buckets()
        )
        return fields[4:8]

    def test_the_total_is_rounded_on_its_own(self) -> None:
        self.assertEqual(self.numbers(0.5, 0.5, 0.5), ["0", "0", "0", "2"])
        self.assertEqual(self.numbers(100.4, 200.4, 300.4), ["100", "200", "300", "601"])

    def test_minus_zero_is_zero(self) -> None:
        self.assertEqual(self.numbers(-0.4, -0.0, -0.2), ["0", "0", "0", "-1"])

    def test_the_ct_is_ours_and_the_battery_is_echoed(self) -> None:
        request = a_request(ct_type="HME-3", ct_mac="aabb")
        for ct_mac, said in (("", "aabb"), ("0011", "0011")):
            identity = Identity("HME-4", ct_mac, -50)
            fields = relayed(request, identity, (0, 0, 0), [0] * 4, 0, Buckets())
            self.assertEqual(fields[:4], ["HME-4", said, "VNSE3-0", "AABBCCDDEE01"])
            self.assertEqual(len(fields), 24)

    def test_counts_rssi_index_and_sums_follow_in_this_order(self) -> None:
        buckets = Buckets([-1, -2, -3, -4, -5], [1, 2, 3, 4, 5])
        fields = relayed(a_request(), IDENTITY, (0, 0, 0), [6, 7, 8, 9], 200, buckets)
        wanted = [6, 7, 8, 9, -50, 200, -1, -2, -3, -4, -5, 1, 2, 3, 4, 5]
        self.assertEqual(fields[8:], [str(number) for number in wanted])


class Counts(SynchronousTestCase):
    def test_a_relay_tells_how_many_batteries_there_are(self) -> None:
        self.assertEqual(relay_counts(Buckets(count=[9, 1, 2, 3, 4])), [1, 2, 3, 4])

    def test_a_steered_bucket_counts_one_when_it_works_or_is_given_something(self) -> None:
        at_work = Buckets()
        at_work.add(B, -5)
        self.assertEqual(active_counts(a_request(), (0.3, 0, 0), at_work), [1, 1, 0, 0])
        self.assertEqual(active_counts(a_request(), (0, 0, 0), Buckets(count=[3] * 5)), [0] * 4)

    def test_the_combined_bucket_counts_for_a_combined_battery_only(self) -> None:
        self.assertEqual(active_counts(a_request("D"), (5, 0, 0), Buckets()), [1, 0, 0, 1])
        self.assertEqual(active_counts(a_request("A"), (5, 0, 0), Buckets()), [1, 0, 0, 0])
        self.assertEqual(active_counts(a_request("D"), (5, -5, 0), Buckets()), [1, 1, 0, 0])
        combined = Buckets()
        combined.add(ABC, 5)
        combined.add(A, 0)
        self.assertEqual(active_counts(a_request("A"), (0, 0, 0), combined), [0, 0, 0, 1])


class Placing(SynchronousTestCase):
    def test_own_slot(self) -> None:
        for phase, wanted in (
            ("A", (5.0, 0.0, 0.0)),
            ("B", (0.0, 5.0, 0.0)),
            ("C", (0.0, 0.0, 5.0)),
            ("D", (5.0, 0.0, 0.0)),
            ("0", (5.0, 0.0, 0.0)),
        ):
            self.assertEqual(own_slot(phase, 5.0), wanted)

    def test_the_classic_spreading_is_in_proportion_and_keeps_the_sum(self) -> None:
        self.assertEqual(spread(200.0, (1, 1, 0)), (100.0, 100.0, 0.0))
        self.assertEqual(spread(200.0, (0, 0, 0)), (200.0, 0.0, 0.0))
        self.assertEqual(spread(-90.0, (1, 0.5, 0)), (-60.0, -30.0, 0.0))
