"""What was said in the log while a test looked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher


@contextmanager
def logged(namespace: str = "astrameter") -> Iterator[list[str]]:
    """The lines of our own loggers at info and above, as ``level: text``, while it lasts."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.debug)
        if level >= LogLevel.info and event.get("log_namespace", "").startswith(namespace):
            lines.append(f"{level.name}: {formatEvent(event)}")

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)
