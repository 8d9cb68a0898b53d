"""Sums and counts of the batteries (ct-protocol.md sections 7 and 9)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.aggregate import ABC, A, B, Buckets, C, X, instructed, reported
from astrameter.ct.fleet import Consumer
from astrameter.ct.settings import DEFAULTS
from tests.astrameter.ct.rig import StubController


def consumer(
    phase: str, power_w: int, *, expected_w: float = 0.0, participates: bool = True, name: str = "b"
) -> Consumer:
    return Consumer(
        name,
        DEFAULTS,
        phase=phase,
        power_w=power_w,
        expected_net_w=expected_w,
        participates=participates,
    )


class Relay(SynchronousTestCase):
    def test_each_battery_is_in_the_bucket_of_its_phase(self) -> None:
        phases = {"0": X, "A": A, "B": B, "C": C, "D": ABC}
        for phase, bucket in phases.items():
            buckets = reported([consumer(phase, 10)])
            self.assertEqual(buckets.count, [int(b == bucket) for b in range(5)])
            self.assertEqual(buckets.discharge_w, [10 * (b == bucket) for b in range(5)])

    def test_powers_are_split_by_sign_before_they_are_summed(self) -> None:
        buckets = reported([consumer("A", -300), consumer("A", 120), consumer("A", 0)])
        self.assertEqual((buckets.charge_w[A], buckets.discharge_w[A]), (-300, 120))
        self.assertEqual(buckets.count[A], 3)

    def test_who_does_not_participate_is_left_out(self) -> None:
        buckets = reported([consumer("A", -300, participates=False)])
        self.assertEqual(buckets, Buckets())


class ActiveControl(SynchronousTestCase):
    def setUp(self) -> None:
        self.controller = StubController()

    def sums(self, one: Consumer, bucket: int = A) -> tuple[int, int]:
        buckets = instructed([one], self.controller)
        return buckets.charge_w[bucket], buckets.discharge_w[bucket]

    def test_what_a_battery_was_instructed_to_counts(self) -> None:
        self.assertEqual(self.sums(consumer("A", 500, expected_w=-120)), (-120, 0))

    def test_it_is_rounded_half_to_even(self) -> None:
        for expected_w, counted in ((0.5, 0), (1.5, 2), (2.5, 2), (-1.5, -2), (-2.5, -2)):
            charge, discharge = self.sums(consumer("A", 0, expected_w=expected_w))
            self.assertEqual(charge + discharge, counted)

    def test_an_output_against_the_intent_does_not_count(self) -> None:
        for intent_w, expected_w, counted in (
            (-300.0, 200.0, 0),
            (0.0, 200.0, 0),
            (0.0, -200.0, 0),
            (300.0, -200.0, 0),
            (300.0, 200.0, 200),
            (-300.0, -200.0, -200),
        ):
            self.controller.intents["b"] = intent_w
            charge, discharge = self.sums(consumer("A", 7, expected_w=expected_w))
            self.assertEqual(charge + discharge, counted, (intent_w, expected_w))

    def test_an_inspecting_battery_counts_as_it_reports(self) -> None:
        self.controller.intents["b"] = -300.0
        self.assertEqual(self.sums(consumer("0", 700, expected_w=-5), X), (0, 700))

    def test_who_does_not_participate_is_left_out(self) -> None:
        one = consumer("A", 5, expected_w=80, participates=False)
        self.assertEqual(instructed([one], self.controller), Buckets())
