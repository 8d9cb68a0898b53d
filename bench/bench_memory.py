"""The private memory of a daemon with one meter, what each part adds to it, and all meters at once.

A part that is not configured is not imported. Without cached bytecode (``PYTHONDONTWRITEBYTECODE``)
everything is about 0.6 MB more: what compiling leaves behind.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
import time
import urllib.request
from pathlib import Path

from astrameter.meters.discovery import all_kinds
from astrameter.options import options_of
from bench.bench_start import resident_anonymous_mb
from bench.load import free_port, measure, polls, report, server, wait_for_answer

SETTLED_S = 4.0
"""All have connected by then, or found out that nobody is there."""

NOBODY = "127.0.0.1:9"
PARTS = {
    "mqtt_insights": f"[MQTT_INSIGHTS]\nURI = mqtt://{NOBODY}\n",
    "redis": f"[STATE]\nURI = redis://{NOBODY}\n",
    "registration": f"[MARSTEK]\nENABLE = yes\nMAILBOX = a\nPASSWORD = b\n"
    f"BASE_URL = http://{NOBODY}\n",
    "reporting": f"CLOUD_REPORTING = yes\nCLOUD_REPORTING_HOST = {NOBODY}\n",
}


def main() -> None:
    """Nothing answers but the one meter: the rest is on its way to its next attempt."""
    http_port = free_port(socket.SOCK_STREAM)
    meter = f"[JSON_HTTP]\nURL = http://127.0.0.1:{http_port}/power\nJSON_PATHS = $.watts[0]\n"
    found = {}
    with (
        tempfile.TemporaryDirectory() as name,
        server("-m", "bench.servers", "http", str(http_port)),
    ):
        os.environ["STATE_DIRECTORY"] = name
        directory = Path(name)
        plain_mb, scraped_mb = _memory_mb(directory, meter, scrape=True)
        for part, more in PARTS.items():
            text = f"{meter}{more}" if more.startswith("[") else f"{more}{meter}"
            found[f"{part}_mb"] = round(_memory_mb(directory, text)[0] - plain_mb, 1)
        kinds, text = _every_meter()
        all_mb, _ = _memory_mb(directory, text)
    report(
        bench="memory",
        one_meter_mb=round(plain_mb, 1),
        **found,
        metrics_mb=round(scraped_mb - plain_mb, 1),
        kinds=kinds,
        all_meters_mb=round(all_mb, 1),
    )


def _memory_mb(directory: Path, text: str, *, scrape: bool = False) -> tuple[float, float]:
    """The memory of a daemon that has answered nine batteries, and after somebody has asked for
    its metrics."""
    ct_port, web_port = free_port(), free_port(socket.SOCK_STREAM)
    config = directory / "config.ini"
    config.write_text(
        "[GENERAL]\nDEVICE_TYPE = ct002\nSKIP_POWERMETER_TEST = yes\n"
        f"WEB_SERVER_PORT = {web_port}\n"
        f"[CT002]\nCT_MAC = 112233445566\nUDP_PORT = {ct_port}\n{text}"
    )
    with server("-m", "astrameter", "-c", str(config)) as daemon:
        wait_for_answer(ct_port, polls(1)[0])
        measure(ct_port, polls(9), 1.0)
        time.sleep(SETTLED_S)
        if daemon.poll() is not None:
            raise RuntimeError("the daemon has ended")
        settled_mb = resident_anonymous_mb(daemon.pid)
        if scrape:
            with urllib.request.urlopen(f"http://127.0.0.1:{web_port}/metrics") as answer:
                answer.read()
        return settled_mb, resident_anonymous_mb(daemon.pid)


def _every_meter() -> tuple[int, str]:
    """How many kinds of meters there are, and a section of each."""
    kinds = list(all_kinds())
    lines = []
    for number, kind in enumerate(kinds):
        lines += [f"[{kind.section.name}]", f"NETMASK = 127.1.{number}.0/24"]
        required = {one.key: "a" for one in options_of(kind.section.options) if one.required}
        for key, value in {**required, **kind.section.example}.items():
            lines.append(f"{key} = {re.sub(r'192[.]168[.][0-9]+[.][0-9]+', '127.0.0.1', value)}")
    return len(kinds), "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
