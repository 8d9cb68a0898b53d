"""The daemon's log: readable lines on standard error, without secrets (web.md section 8).

A line reads ``2026-01-31 12:00:00 WARNING:astrameter.ct.responder.Responder:text``. The text is
kept on one line; only the trace of a failure follows on further lines.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from typing import Any, TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.deferreds import Clock
from astrameter.redaction import redact

LEVELS = ("critical", "error", "warn", "warning", "info", "debug")
"""What a level may be called, in any case."""

REPEAT_AFTER_S = 30.0
"""How often a lasting trouble is mentioned again (ct-protocol.md section 13.1)."""

_LIMIT = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TRACE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SHOWN = {
    LogLevel.critical: "CRITICAL",
    LogLevel.error: "ERROR",
    LogLevel.warn: "WARNING",
    LogLevel.info: "INFO",
    LogLevel.debug: "DEBUG",
}


def level_named(text: str) -> Any:
    """The LogLevel of that name; unknown text means warning, as it always did."""
    word = text.strip().lower()
    if word not in LEVELS or word == "warning":
        return LogLevel.warn
    return LogLevel.levelWithName(word)


@implementer(ILogObserver)
class LineObserver:
    """Writes events at ``level`` or above to ``stream``, one line each; never raises.

    :ivar level: may be changed at any time, for example when the configuration is re-read.
    """

    def __init__(self, stream: TextIO, level: str = "warning") -> None:
        self.level = level_named(level)
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) < self.level:
            return
        try:
            line = _line(event, self.level == LogLevel.debug)
        except Exception as error:  # noqa: BLE001  a broken event must not kill who logs it
            line = f"{_stamp(None)} ERROR:{__name__}:an event could not be written: {error!r}\n"
        self._write(line)

    def _write(self, line: str) -> None:
        try:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            return  # standard error is gone or closed: there is nobody left to tell


def start_logging(stream: TextIO, level: str) -> LineObserver:
    """Send everything that is logged from now on to ``stream``. For the command line, once.

    Records of libraries that use the standard ``logging`` are let in at warning and above.
    """
    observer = LineObserver(stream, level)
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
    forward_standard_logging()
    return observer


def twistd_observer() -> LineObserver:
    """For ``twistd --logger=astrameter.logs.twistd_observer``; the level is ``$LOG_LEVEL``."""
    forward_standard_logging()
    return LineObserver(sys.stderr, os.environ.get("LOG_LEVEL", ""))


def forward_standard_logging() -> None:
    """Let records of the standard ``logging`` appear as events, at warning and above."""
    root = logging.getLogger()
    if not any(isinstance(handler, _Forwarder) for handler in root.handlers):
        root.addHandler(_Forwarder(logging.WARNING))


class _Forwarder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  a library's wrong arguments are no reason to fail
            text = str(record.msg)
        event: dict[str, Any] = {"text": text}
        if record.exc_info and record.exc_info[1] is not None:
            kind, value, trace = record.exc_info
            event["log_failure"] = Failure(value, kind, trace)
        name = "warn" if record.levelno < logging.ERROR else "error"
        Logger(namespace=record.name).emit(level_named(name), "{text}", **event)


class RateLimited:
    """Lets something happen at most once an interval, on the clock passed in.

    :ivar suppressed: how many were refused between the last two that were allowed.
    """

    def __init__(self, clock: Clock, interval_s: float = REPEAT_AFTER_S) -> None:
        self.suppressed = 0
        self._clock = clock
        self._interval_s = interval_s
        self._allowed_at: float | None = None
        self._refused = 0

    def allow(self) -> bool:
        """Whether it may happen now."""
        now = self._clock.seconds()
        if self._allowed_at is not None and now - self._allowed_at < self._interval_s:
            self._refused += 1
            return False
        self._allowed_at = now
        self.suppressed, self._refused = self._refused, 0
        return True


class FailureLog:
    """Tells of a trouble when it starts, rarely while it lasts, and once when it is over.

    :ivar failures: how many since it last worked; 0 while it works.
    """

    def __init__(self, clock: Clock, log: Logger, what: str) -> None:
        """``what`` begins the sentence: "[JSON_HTTP] the meter" (failed, works again)."""
        self.failures = 0
        self._clock = clock
        self._log = log
        self._what = what
        self._limit = RateLimited(clock)

    def failed(self, reason: str) -> None:
        """It failed; ``reason`` is logged now or stands for those not logged."""
        if self.failures == 0:
            self._limit = RateLimited(self._clock)
        self.failures += 1
        if self._limit.allow():
            self._log.warn(
                "{what} failed ({failures} in a row): {reason}",
                what=self._what,
                failures=self.failures,
                reason=reason,
            )

    def recovered(self) -> None:
        """It worked; call this as often as you like, it costs one test."""
        if self.failures:
            self._log.info(
                "{what} works again after {failures} failures",
                what=self._what,
                failures=self.failures,
            )
            self.failures = 0


def _line(event: LogEvent, with_traces: bool) -> str:
    level = event.get("log_level", LogLevel.info)
    failure = event.get("log_failure")
    text = formatEvent(event)
    trace = ""
    if failure is not None:
        if with_traces or level >= LogLevel.error:
            trace = "\n" + failure.getTraceback().rstrip()
        else:
            text = f"{text}: {failure.type.__name__}: {failure.getErrorMessage()}"
    if not text and not trace:
        return ""
    text = _CONTROL.sub(_escaped, redact(_bounded(text)))
    trace = _CONTROL_IN_TRACE.sub(_escaped, redact(_bounded(trace)))
    name = event.get("log_namespace", "-")
    if name == "log_legacy":
        name = "twisted"
    return f"{_stamp(event.get('log_time'))} {_SHOWN[level]}:{name}:{text}{trace}\n"


def _stamp(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _bounded(text: str) -> str:
    # Cut at a blank: half a secret could no longer be recognised.
    return text if len(text) <= _LIMIT else text[:_LIMIT].rpartition(" ")[0] + " ..."


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
