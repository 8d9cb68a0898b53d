"""CT polls per second when each reading comes from a keep-alive HTTP meter."""

from __future__ import annotations

import socket
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


def main() -> None:
    """The meter runs in a process of its own; polls that come together share a read."""
    requests = polls(BATTERIES)
    with tempfile.TemporaryDirectory() as directory:
        ct_port, http_port = free_port(), free_port(socket.SOCK_STREAM)
        config = Path(directory, "config.ini")
        config.write_text(
            "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
            f"[CT002]\nUDP_PORT = {ct_port}\n"
            f"[JSON_HTTP]\nURL = http://127.0.0.1:{http_port}/power\n"
            "JSON_PATHS = $.watts[0], $.watts[1], $.watts[2]\n"
        )
        with (
            server("-m", "bench.servers", "http", str(http_port)),
            server("-m", "astrameter", "-c", str(config)),
        ):
            wait_for_answer(ct_port, requests[0])
            measure(ct_port, requests, 0.5)
            rate, trips = measure(ct_port, requests, SECONDS)
    report(
        bench="http_polls",
        batteries=BATTERIES,
        polls_per_s=round(rate),
        p50_ms=percentile_ms(trips, 0.5),
        p99_ms=percentile_ms(trips, 0.99),
    )


if __name__ == "__main__":
    main()
