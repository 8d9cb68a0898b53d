"""The output of a command (meters.md section 19).

What differs from AstraMeter 2.x: the command has a time limit, never runs twice at once, and one
that prints nothing has failed (MC04).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from astrameter.meters.interface import MeterKind
from astrameter.meters.jsonpaths import as_number
from astrameter.meters.options import MeterOptions
from astrameter.meters.polled import PolledMeter
from astrameter.options import Section, number, option, text
from astrameter.reading import MeterError

MAX_OUTPUT = 16 * 1024
"""Bytes; a reading has a few dozen."""

MAX_VALUES = 32
"""More than any meter has phases."""

DYING_S = 5.0
"""How long a killed command may take to be gone."""

_MAX_COMPLAINT = 4096
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Options(MeterOptions):
    """Keys of ``[SCRIPT]``."""

    command: str = option(
        text(),
        default="",
        required=True,
        help="Command line for the shell. It prints the power in watts, import positive: one "
        "line with the total, or one line for each phase.",
        example="/usr/local/bin/read-meter --watts",
    )
    timeout: float = option(
        number(0.1, 300),
        default=10.0,
        unit="s",
        help="A command that takes longer is killed, with everything that it has started. A "
        "battery asks about once a second.",
    )


class CommandRun(ProcessProtocol):
    """One run of a command.

    :ivar done: fires when it has ended or printed too much.
    """

    transport: Any

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()
        self._group = 0
        self._printed = bytearray()
        self._complained = bytearray()
        self._reason: Any = None
        self._leaves: list[Deferred[None]] = []

    @property
    def has_ended(self) -> bool:
        """Nothing of it runs any more, as far as we can tell."""
        return self._reason is not None

    def ended(self) -> Deferred[None]:
        """Fires when it has ended."""
        if self.has_ended:
            return succeed(None)
        leave: Deferred[None] = Deferred()
        self._leaves.append(leave)
        return leave

    def kill(self) -> None:
        """End it with everything that it has started."""
        if self.has_ended or not self._group:
            return
        # It leads a group of processes, unless it has not come to that yet.
        with suppress(OSError):
            os.killpg(self._group, signal.SIGKILL)
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        # Who has left the group may hold the other ends for ever.
        self.transport.loseConnection()

    def watts(self) -> Sequence[float]:
        """What it printed, one entry a line.

        :raises MeterError: ``script_failed``, ``bad_structure``, ``no_data`` or ``not_numeric``.
        """
        if len(self._printed) > MAX_OUTPUT:
            raise MeterError("bad_structure", f"the command prints more than {MAX_OUTPUT} bytes")
        value = self._reason.value
        if value.exitCode != 0:
            how = f"status {value.exitCode}" if value.signal is None else f"signal {value.signal}"
            raise MeterError("script_failed", f"the command ended with {how}{self._complaint()}")
        lines = [x for x in self._printed.decode("utf-8", "replace").split("\n") if x.strip()]
        if not lines:
            raise MeterError("no_data", f"the command printed nothing{self._complaint()}")
        if len(lines) > MAX_VALUES:
            raise MeterError("bad_structure", f"the command printed {len(lines)} lines")
        return [as_number(line, f"line {i} of the output") for i, line in enumerate(lines, 1)]

    def _complaint(self) -> str:
        """The end of what it wrote to standard error, where the cause usually stands."""
        lines = self._complained.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if len(last) > _SHOWN_CHARACTERS:
            last = f"{last[:_SHOWN_CHARACTERS]}..."
        return f": {last}" if last else ""

    # ------------------------------------------------------------------ from the reactor

    def connectionMade(self) -> None:
        self._group = self.transport.pid
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._printed += data
        if len(self._printed) > MAX_OUTPUT:
            del self._printed[MAX_OUTPUT + 1 :]
            self._finish()

    def errReceived(self, data: bytes) -> None:
        self._complained += data
        del self._complained[:-_MAX_COMPLAINT]

    def processEnded(self, reason: Failure) -> None:
        self._reason = reason
        self._finish()
        leaves, self._leaves = self._leaves, []
        for leave in leaves:
            leave.callback(None)

    def _finish(self) -> None:
        if not self.done.called:
            self.done.callback(None)


class Command:
    """A command that can be run again and again, never twice at once."""

    def __init__(self, reactor: Any, command: str, timeout_s: float) -> None:
        self._reactor = reactor
        self._command = command
        self._timeout_s = timeout_s
        self._run: CommandRun | None = None

    async def watts(self) -> Sequence[float]:
        """Run it and read what it prints.

        :raises MeterError: as :meth:`CommandRun.watts`, and ``timeout``.
        """
        await self._previous_ended()
        run = self._start()
        try:
            await run.done.addTimeout(self._timeout_s, self._reactor)
        except defer.TimeoutError:
            limit = f"within TIMEOUT = {self._timeout_s:g} s"
            raise MeterError("timeout", f"the command has not ended {limit}") from None
        finally:
            run.kill()
        return run.watts()

    def close(self) -> Deferred[None]:
        """Fires when nothing runs any more."""
        if self._run is None:
            return succeed(None)
        ended = self._run.ended().addTimeout(DYING_S, self._reactor)
        return ended.addErrback(lambda failure: failure.trap(defer.TimeoutError) and None)

    async def _previous_ended(self) -> None:
        if self._run is None:
            return
        try:
            await self._run.ended().addTimeout(DYING_S, self._reactor)
        except defer.TimeoutError:
            raise MeterError("timeout", "the command still runs, although it was killed") from None

    def _start(self) -> CommandRun:
        if not IReactorProcess.providedBy(self._reactor):
            raise MeterError("script_failed", "this world runs no commands")
        shell = ["/bin/sh", "-c", self._command]
        # In a session of its own it can be killed with all that it has started.
        setsid = shutil.which("setsid")
        words = [setsid, *shell] if setsid else shell
        run = CommandRun()
        try:
            self._reactor.spawnProcess(run, words[0], words, env=None)
        except OSError as error:
            why = error.strerror or str(error)
            raise MeterError("script_failed", f"the command cannot be started: {why}") from None
        self._run = run
        return run


def build(reactor: Any, section: str, options: Options) -> PolledMeter:
    """The meter of one section."""
    command = Command(reactor, options.command, options.timeout)
    return PolledMeter(section, reactor, command.watts, command.close)


KIND = MeterKind(
    Section(
        "SCRIPT",
        Options,
        help="Whatever a command prints. A process is started for every reading, so the other "
        "kinds of meter are better where they will do.",
        many=True,
        example={"COMMAND": "/usr/local/bin/read-meter --watts"},
    ),
    build,
)
