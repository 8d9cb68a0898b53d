"""The store's file: read once at start, replaced as a whole whenever something changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.application import service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import spawn
from astrameter.logs import FailureLog
from astrameter.statefile import StateError, read_file, replace_file
from astrameter.store.acknowledgements import Acknowledgements
from astrameter.store.entries import Entries
from astrameter.store.fileformat import BrokenFileError, NewerFileError, decode, encode

FILE_NAME = "state.json"

STOP_S = 5.0
"""How long stopping waits for the last change to be written."""

RETRY_FIRST_S = 5.0
RETRY_LONGEST_S = 300.0

Offload = Callable[[Callable[[], None]], Deferred[None]]
"""Runs work that may block, and tells when it is done."""


def at_once(work: Callable[[], None]) -> Deferred[None]:
    """Runs it here and now: where nobody minds waiting for a disk."""
    return maybeDeferred(work)


class FileStore(service.Service):
    """Keeps entries in a file.

    All changes of one turn of the reactor are written together, and one writing follows the
    other. While the file cannot be written, that is told once and tried again and again.

    :param offload: what does the writing. Waiting for a disk to say "durable" (fsync) takes 0.1 s
        on an SD card and seconds on a dying one, and has no form that does not block; so the
        daemon gives this a thread of the reactor's pool, the only work that one gets from us.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        directory: Path,
        entries: Entries,
        offload: Offload = at_once,
        backoff: Backoff | None = None,
    ) -> None:
        self._clock = clock
        self._path = directory / FILE_NAME
        self._entries = entries
        self._offload = offload
        self._backoff = backoff or Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._waiting = Acknowledgements(clock)
        self._dirty = False
        self._call: IDelayedCall | None = None
        self._saving: Deferred[None] | None = None
        self._ended: Deferred[None] | None = None
        self._trouble = FailureLog(clock, self._log, "keeping what survives a restart")

    def load(self) -> bool:
        """Read the file into the entries, at once; tells whether there was one that can be used.

        What cannot be used is set aside, and never overwritten.
        """
        try:
            content = read_file(self._path)
            if content is None:
                return False
            found, ignored = decode(content)
        except NewerFileError as error:
            self._set_aside("newer", error)
        except BrokenFileError as error:
            self._set_aside("broken", error)
        except StateError as error:
            self._set_aside("unreadable", error)
        else:
            for key, entry in found.items():
                try:
                    self._entries.take(key, entry)
                except StateError:
                    ignored += 1
            if ignored:
                self._log.warn(
                    "{path}: {count} entries were ignored, because they are none",
                    path=self._path,
                    count=ignored,
                )
            return True
        return False

    def offer(self, changed: bool = True) -> Deferred[bool]:
        """Something changed; fires with True when that is durable, False when it is not yet.

        Never fails, and never takes longer than a few seconds. What could not be made durable
        will be, as soon as that is possible.

        :param changed: False: it is as it was, but is it durable?
        """
        if not (changed or self._dirty or self._saving):
            return succeed(True)
        self._dirty = True
        if not self.running:
            return succeed(False)
        self._begin_in(0)
        return self._waiting.add()

    def startService(self) -> None:
        service.Service.startService(self)
        if self._dirty:
            self._begin_in(0)

    def stopService(self) -> Deferred[None]:
        """Write what has not been written; fires when that is done or has taken too long."""
        service.Service.stopService(self)
        self._cancel()
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        for _ in range(2):  # what is under way, and what has come meanwhile
            if self._saving is None and self._dirty:
                self._begin()
            if self._saving is not None:
                ended = self._ended = Deferred()
                await ended.addTimeout(STOP_S, self._clock, lambda *_: None)
        self._waiting.settle(durable=False)

    def _begin_in(self, seconds: float) -> None:
        if self._saving is not None:
            return  # what it leaves is looked at when it ends
        if self._call is not None:
            if self._call.getTime() <= self._clock.seconds() + seconds:
                return
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._call = None
        saving = spawn(self._save(), f"writing {self._path}", self._log)
        if not saving.called:
            self._saving = saving

    async def _save(self) -> None:
        waiting, self._waiting = self._waiting, Acknowledgements(self._clock)
        self._dirty, durable = False, False
        content = encode(self._entries.items())
        try:
            await self._offload(lambda: replace_file(self._path, content))
            durable = True
            self._trouble.recovered()
            self._backoff.reset()
        except StateError as error:
            self._trouble.failed(str(error))
        finally:
            self._saving = None
            self._dirty = self._dirty or not durable
            waiting.settle(durable=durable)
            if self._dirty and self.running:
                self._begin_in(0 if durable else self._backoff.next_wait_s())
            ended, self._ended = self._ended, None
            if ended is not None:
                ended.callback(None)

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _set_aside(self, what: str, error: StateError) -> None:
        """Move the file away so that nothing of it is lost, and begin without it."""
        aside = self._path.with_name(f"{self._path.name}.{what}")
        try:
            os.replace(self._path, aside)
        except OSError as trouble:
            self._log.error(
                "{path} cannot be used: {error}; nor can it be moved away: {trouble}. "
                "Move it away, or changes may replace it",
                path=self._path,
                error=error,
                trouble=trouble.strerror,
            )
            return
        self._log.error(
            "{path} cannot be used: {error}. It is kept as {aside}, and everything begins anew: "
            "settings of the batteries, energy counters, registrations. To have them back, stop "
            "the daemon, {mend}, and move it back",
            path=self._path,
            error=error,
            aside=aside,
            mend="go back to the later release" if what == "newer" else "mend the file",
        )
