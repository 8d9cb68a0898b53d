"""The private memory of a daemon that has a meter of every kind."""

from __future__ import annotations

import re
import socket
import tempfile
import time
from pathlib import Path

from astrameter.meters.discovery import all_kinds
from astrameter.options import options_of
from bench.bench_start import resident_anonymous_mb
from bench.load import free_port, report, server

SETTLED_S = 5.0
"""All have connected by then, or found out that nobody is there."""


def main() -> None:
    """Nothing answers the meters: each is on its way to its next attempt."""
    kinds = list(all_kinds())
    lines = [
        "[GENERAL]",
        "DEVICE_TYPE = ct002",
        "SKIP_POWERMETER_TEST = yes",
        f"WEB_SERVER_PORT = {free_port(socket.SOCK_STREAM)}",
        f"[CT002]\nUDP_PORT = {free_port()}",
    ]
    for number, kind in enumerate(kinds):
        lines += [f"[{kind.section.name}]", f"NETMASK = 127.1.{number}.0/24"]
        required = {one.key: "a" for one in options_of(kind.section.options) if one.required}
        for key, value in {**required, **kind.section.example}.items():
            lines.append(f"{key} = {re.sub(r'192[.]168[.][0-9]+[.][0-9]+', '127.0.0.1', value)}")
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config.ini")
        config.write_text("\n".join(lines) + "\n")
        with server("-m", "astrameter", "-c", str(config)) as daemon:
            time.sleep(SETTLED_S)
            if daemon.poll() is not None:
                raise RuntimeError("the daemon has ended")
            memory = resident_anonymous_mb(daemon.pid)
    report(bench="memory_all_meters", kinds=len(kinds), rss_anon_mb=round(memory, 1))


if __name__ == "__main__":
    main()
