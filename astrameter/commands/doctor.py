"""``doctor``: examines the whole installation and says what to mend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from astrameter.doctor.examination import Request, examine
from astrameter.doctor.findings import Finding, as_text, exit_status
from astrameter.doctor.machine import this_machine
from astrameter.monotonic import use_monotonic_time

_WIDEST = 100
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """One line that tells what goes on, on a terminal; elsewhere nothing."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._on_terminal = err.isatty()

    def tell(self, text: str) -> None:
        if self._on_terminal:
            self._err.write(f"{_CLEAR_LINE}{text} ...")
            self._err.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._on_terminal:
            self._err.write(_CLEAR_LINE)
            self._err.flush()


def show(findings: list[Finding], out: TextIO, environ: Mapping[str, str], *, as_json: bool) -> int:
    """Write the findings; returns the exit status."""
    if as_json:
        out.writelines(finding.as_json() + "\n" for finding in findings)
    else:
        terminal = out.isatty()
        width = min(shutil.get_terminal_size().columns, _WIDEST) if terminal else 0
        colours = terminal and not environ.get("NO_COLOR")
        out.writelines(f"{line}\n" for line in as_text(findings, width, colours=colours))
    return exit_status(findings)


def run(reactor: Any, request: Request, out: TextIO, err: TextIO, *, as_json: bool) -> int:
    """Run the reactor for the examination; an interrupt ends the listening.

    :return: 0 when nothing is a problem, else 1.
    """
    use_monotonic_time(reactor)
    progress = Progress(err)
    asked = replace(request, progress=progress.tell)
    working: list[Deferred[list[Finding]]] = []
    found: list[Finding] = []
    failed: list[Failure] = []
    interrupts: list[bool] = []

    def begin() -> None:
        working.append(Deferred.fromCoroutine(examine(reactor, this_machine(), asked)))
        working[0].addCallbacks(found.extend, failed.append)
        working[0].addBoth(lambda _: None if interrupts else reactor.stop())

    def interrupted() -> Deferred[list[Finding]] | None:
        """The reactor waits with its end until what was opened is closed."""
        interrupts.append(True)
        for work in working:
            work.cancel()
        return working[0] if working else None

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    reactor.callWhenRunning(begin)
    reactor.run()
    progress.end()
    if not failed:
        return show(found, out, os.environ, as_json=as_json)
    if failed[0].check(CancelledError) is None:
        failed[0].raiseException()
    return 1
