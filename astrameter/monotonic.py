"""A clock that no one can set."""

from __future__ import annotations

import time
from typing import Any


def use_monotonic_time(reactor: Any) -> None:
    """Make the reactor's clock immune to steps of the wall clock.

    Twisted's default is the wall clock: a step would expire every battery, or stop every timer
    for as long as it went back. To be called before anything is scheduled.
    """
    reactor.seconds = time.monotonic
