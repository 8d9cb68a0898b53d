"""From exec to the first answer, and the private memory of a daemon with one meter."""

from __future__ import annotations

import re
import socket
import statistics
import tempfile
import time
from pathlib import Path

from bench.load import free_port, measure, polls, report, server, wait_for_answer

STARTS = 5


def resident_anonymous_mb(pid: int) -> float:
    """RssAnon of a process, MB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError("this kernel does not tell RssAnon")
    return int(found[1]) / 1024


def main() -> None:
    """Start it several times; the memory is read after a second of polls."""
    requests = polls(9)
    starts, memory = [], []
    with tempfile.TemporaryDirectory() as directory:
        ct_port, http_port = free_port(), free_port(socket.SOCK_STREAM)
        config = Path(directory, "config.ini")
        config.write_text(
            "[GENERAL]\nDEVICE_TYPE = ct002\n"
            f"WEB_SERVER_PORT = {free_port(socket.SOCK_STREAM)}\n"
            f"[CT002]\nUDP_PORT = {ct_port}\n"
            f"[JSON_HTTP]\nURL = http://127.0.0.1:{http_port}/power\nJSON_PATHS = $.watts[0]\n"
        )
        with server("-m", "bench.servers", "http", str(http_port)):
            time.sleep(1.0)
            for _ in range(STARTS):
                with server("-m", "astrameter", "-c", str(config)) as daemon:
                    starts.append(wait_for_answer(ct_port, requests[0]))
                    measure(ct_port, requests, 1.0)
                    memory.append(resident_anonymous_mb(daemon.pid))
    report(
        bench="start",
        first_answer_s=round(statistics.median(starts), 3),
        slowest_s=round(max(starts), 3),
        rss_anon_mb=round(max(memory), 1),
    )


if __name__ == "__main__":
    main()
