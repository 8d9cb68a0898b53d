"""``config``: a configuration of AstraMeter that fits (simulator.md section 9)."""

from __future__ import annotations

import argparse
import sys

_PATHS = {1: "$.phase_a", 3: "$.phase_a,$.phase_b,$.phase_c"}


def text(ct_port: int, http_port: int, phases: int) -> str:
    """The file's text."""
    return f"""[GENERAL]
DEVICE_TYPE = ct002

[CT002]
UDP_PORT = {ct_port}
ACTIVE_CONTROL = True

[JSON_HTTP]
URL = http://localhost:{http_port}/power
JSON_PATHS = {_PATHS[phases]}
"""


def run(options: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(text(options.ct_port, options.http_port, options.phases))
    return 0
