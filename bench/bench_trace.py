"""What it costs that each decision can be explained: the controller with a trace and without."""

from __future__ import annotations

import time
from statistics import median

from astrameter.steering import controller
from astrameter.steering.trace import NOBODY, Trace, Tracer
from bench import bench_controller
from bench.load import report

ROUNDS = 9


def cpu_us(batteries: int, jumping: bool, trace: Tracer) -> float:
    """Processor time of one poll, batteries included."""
    real = bench_controller.Steering
    try:
        bench_controller.Steering = lambda options: controller.Steering(options, trace)  # type: ignore[misc,assignment]
        started = time.process_time()
        bench_controller.polls_s(batteries, jumping)
        took = time.process_time() - started
    finally:
        bench_controller.Steering = real  # type: ignore[misc]
    return 1e6 * took / (bench_controller.SECONDS * batteries)


def main() -> None:
    """One line; alternating rounds, so that a busy machine slows both."""
    figures = {}
    for batteries, jumping, word in (
        (1, False, "steady_1"),
        (1, True, "jumping_1"),
        (9, True, "jumping_9"),
    ):
        plain, traced = [], []
        for _ in range(ROUNDS):
            plain.append(cpu_us(batteries, jumping, NOBODY))
            traced.append(cpu_us(batteries, jumping, Trace()))
        figures[f"{word}_us"] = round(median(plain), 1)
        figures[f"{word}_trace_us"] = round(
            median(t - p for t, p in zip(traced, plain, strict=True)), 1
        )
    report(bench="trace", **figures)


if __name__ == "__main__":
    main()
