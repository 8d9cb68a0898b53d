"""CT polls per second of the whole daemon, against a bare Twisted echo in the same run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.load import (
    free_port,
    measure,
    percentile_ms,
    polls,
    report,
    server,
    wait_for_answer,
)

BATTERIES = 9
SECONDS = 4.0
ROUNDS = 3


def main() -> None:
    """Alternate between the two, so that a busy machine slows both."""
    requests = polls(BATTERIES)
    with tempfile.TemporaryDirectory() as directory:
        ct_port, echo_port = free_port(), free_port()
        config = Path(directory, "config.ini")
        config.write_text(
            "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
            "WAIT_FOR_NEXT_MESSAGE = no\n"
            f"[CT002]\nUDP_PORT = {ct_port}\n[TICKING]\n"
        )
        with (
            server("-m", "bench.servers", "echo", str(echo_port)),
            server("-m", "bench.servers", "pushed", str(config)),
        ):
            wait_for_answer(echo_port, requests[0])
            wait_for_answer(ct_port, requests[0])
            echo_rate = ct_rate = 0.0
            trips: list[float] = []
            for _ in range(ROUNDS):
                echo_rate += measure(echo_port, requests, SECONDS / ROUNDS)[0] / ROUNDS
                rate, more = measure(ct_port, requests, SECONDS / ROUNDS)
                ct_rate += rate / ROUNDS
                trips += more
    report(
        bench="ct_polls",
        batteries=BATTERIES,
        polls_per_s=round(ct_rate),
        echo_per_s=round(echo_rate),
        ratio=round(ct_rate / echo_rate, 3),
        p50_ms=percentile_ms(trips, 0.5),
        p99_ms=percentile_ms(trips, 0.99),
    )


if __name__ == "__main__":
    main()
