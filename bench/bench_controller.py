"""Microseconds of the controller per poll: in steady state, and while the load keeps jumping."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from astrameter.reading import Sample
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Mode
from astrameter.steering.models.integer import IntegerLaw
from astrameter.steering.options import SteeringOptions
from bench.load import percentile_ms, report

SECONDS = 240
SETTLED_AFTER_S = 60
JUMP_EVERY_S = 20
JUMP_W = 2000.0


@dataclass
class Pack:
    """A battery that is at its set point at once."""

    consumer_id: str
    law: IntegerLaw
    device_type: str = "VNSE3-0"
    phase: str = "A"
    power_w: int = 0
    reported_at: float = 0.0
    mode: Mode = Mode.AUTO
    manual_target_w: float = 0.0
    weight: float = 1.0
    window_weight: float = 1.0
    min_output_w: float | None = None


def polls_s(batteries: int, jumping: bool) -> list[float]:
    """What each poll took, once a second for every battery."""
    source = Random(1)
    controller = Steering(SteeringOptions())
    packs = [Pack(str(i), IntegerLaw()) for i in range(batteries)]
    took = []
    for second in range(SECONDS):
        jumped = jumping and second // JUMP_EVERY_S % 2
        load_w = 300.0 * batteries + (JUMP_W if jumped else 0.0) + source.uniform(-5, 5)
        grid_w = round(load_w - sum(pack.power_w for pack in packs), 1)
        sample = Sample((grid_w, 0.0, 0.0), float(second))
        for number, pack in enumerate(packs):
            now = second + number / batteries
            pack.power_w = round(pack.law.setpoint_w)
            pack.reported_at = now
            started = time.perf_counter()
            controller.report(pack, now)
            reading_w = controller.instruct(pack, sample, packs, now)
            if second >= SETTLED_AFTER_S:
                took.append(time.perf_counter() - started)
            pack.law.step(round(reading_w), pack.power_w, now)
    return took


def main() -> None:
    """One line for all sizes; the figures are in microseconds."""
    figures = {}
    for batteries in (1, 9, 50):
        for jumping, word in ((False, "steady"), (True, "jumping")):
            took = polls_s(batteries, jumping)
            figures[f"{word}_{batteries}_us"] = round(1000 * percentile_ms(took, 0.5), 1)
            figures[f"{word}_{batteries}_p99_us"] = round(1000 * percentile_ms(took, 0.99), 1)
    report(bench="controller", **figures)


if __name__ == "__main__":
    main()
