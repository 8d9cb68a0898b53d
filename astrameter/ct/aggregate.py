"""What an answer tells about the other batteries (ct-protocol.md section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from astrameter.ct.fleet import Consumer
from astrameter.steering.interface import INSPECTION, Controller

X, A, B, C, ABC = range(5)
"""The buckets: inspecting, one per phase, combined."""

BUCKET_NAMES = ("x", "A", "B", "C", "ABC")
BUCKET = {INSPECTION: X, "A": A, "B": B, "C": C, "D": ABC}


@dataclass(slots=True)
class Buckets:
    """Sums and counts by bucket.

    :ivar charge_w: sum of the negative powers.
    :ivar discharge_w: sum of the positive powers.
    :ivar count: batteries in the bucket, idle ones included.
    """

    charge_w: list[int] = field(default_factory=lambda: [0] * 5)
    discharge_w: list[int] = field(default_factory=lambda: [0] * 5)
    count: list[int] = field(default_factory=lambda: [0] * 5)

    def add(self, bucket: int, power_w: int) -> None:
        """Count one battery; its power is split by sign before it is summed."""
        self.count[bucket] += 1
        if power_w < 0:
            self.charge_w[bucket] += power_w
        else:
            self.discharge_w[bucket] += power_w

    def is_active(self, bucket: int) -> bool:
        return self.charge_w[bucket] != 0 or self.discharge_w[bucket] != 0


def reported(consumers: Iterable[Consumer]) -> Buckets:
    """Relay mode: what the batteries reported, as a real CT forwards it."""
    buckets = Buckets()
    for consumer in consumers:
        if consumer.participates:
            buckets.add(BUCKET[consumer.phase], consumer.power_w)
    return buckets


def instructed(consumers: Iterable[Consumer], controller: Controller) -> Buckets:
    """Active control: the net power each was instructed to, so that no battery reacts to
    another's involuntary output (section 9.2, issue 376)."""
    buckets = Buckets()
    for consumer in consumers:
        if not consumer.participates:
            continue
        bucket = BUCKET[consumer.phase]
        power_w = consumer.power_w
        if bucket != X:
            intent_w = controller.intent_w(consumer.consumer_id)
            power_w = _intended(round(consumer.expected_net_w), intent_w)
        buckets.add(bucket, power_w)
    return buckets


def _intended(expected_w: int, intent_w: float | None) -> int:
    """0 when the expected power runs against what the controller wants."""
    if intent_w is None:
        return expected_w
    against = (intent_w <= 0 and expected_w > 0) or (intent_w >= 0 and expected_w < 0)
    return 0 if against else expected_w
