"""The store as the rest of the daemon sees it: get, put, and hear of what arrives.

``get`` answers from memory. ``put`` takes effect at once and tells later whether it would survive
a crash::

    store.put("battery/ct002/aabbccddee01", {"active": False})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application import service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from astrameter.logs import RateLimited
from astrameter.services import adopt, dismiss
from astrameter.statefile import StateError
from astrameter.store.acknowledgements import any_durable
from astrameter.store.entries import Document, Entries
from astrameter.store.filestore import FileStore, Offload, at_once
from astrameter.store.options import StateOptions

if TYPE_CHECKING:
    from astrameter.store.redisstore import RedisStore

Arrived = Callable[[str], None]


class Store(service.MultiService):
    """Documents by key, in memory, kept in a file and in Redis where there are any.

    :param reactor: time and network.
    :param directory: of the file; None: there is no file.
    :param offload: what writes the file.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        directory: Path | None,
        options: StateOptions,
        wall_clock: Callable[[], datetime],
        offload: Offload = at_once,
    ) -> None:
        service.MultiService.__init__(self)
        self._reactor = reactor
        self._entries = Entries(lambda: int(wall_clock().timestamp() * 1000))
        self._watchers: dict[str, Arrived] = {}
        self._waiting: list[Deferred[None]] = []
        self._refusals = RateLimited(reactor)
        self._options = StateOptions()
        self._file: FileStore | None = None
        self._redis: RedisStore | None = None
        self._known = False
        if directory is not None:
            self._file = FileStore(reactor, directory, self._entries, offload)
            self._known = self._file.load()
            adopt(self, self._file)
        self._use_redis(options)

    @property
    def redis(self) -> RedisStore | None:
        """The copy in Redis, to be asked how it is; None when there is none."""
        return self._redis

    def stopService(self) -> Deferred[Any]:
        """Make durable what is not yet; fires when that is done, or cannot be done."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.cancel()
        return maybeDeferred(service.MultiService.stopService, self)

    def configure(self, options: StateOptions) -> Deferred[Any]:
        """Use another Redis server, or none; fires when the one before is let go."""
        if options == self._options:
            return succeed(None)
        before, self._redis = self._redis, None
        self._use_redis(options)
        return succeed(None) if before is None else dismiss(before)

    def get(self, key: str) -> Document | None:
        """A copy of the document; None when there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.document

    def under(self, prefix: str) -> Iterator[tuple[str, Document]]:
        """Key and document of everything whose key begins so."""
        for key, entry in list(self._entries.items()):
            if key.startswith(prefix):
                yield key, entry.document

    def put(self, key: str, document: Mapping[str, Any]) -> Deferred[bool]:
        """Change a document.

        :returns: fires with True when the change survives a crash from now on, and within
            seconds with False when it cannot be made durable at present. It is not lost then:
            it stays in memory, and is made durable as soon as that is possible. Never fails.
        """
        try:
            changed = self._entries.put(key, document)
        except StateError as error:
            if self._refusals.allow():
                self._log.warn("{error}", error=error)
            return succeed(False)
        answers = [] if self._file is None else [self._file.offer(changed)]
        if self._redis is not None:
            answers.append(self._redis.offer(key, changed))
        return any_durable(answers)

    def settled(self) -> Deferred[bool]:
        """Fires as :meth:`put` does, for all that has been changed until now; True where there is
        no place to keep anything, which was said at the start."""
        if self._file is None and self._redis is None:
            return succeed(True)
        answers = [] if self._file is None else [self._file.offer(changed=False)]
        if self._redis is not None:
            answers.append(self._redis.settled())
        return any_durable(answers)

    def watch(self, prefix: str, arrived: Arrived) -> None:
        """Call ``arrived`` with each key that begins with ``prefix`` whose document turns out to
        be another one than we thought, because Redis has a newer one."""
        self._watchers[prefix] = arrived

    def when_known(self) -> Deferred[None]:
        """Fires when :meth:`get` tells what there was before the start: at once when there is a
        file, else when Redis has been asked."""
        if self._known:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._forget)
        self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: Deferred[None]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _use_redis(self, options: StateOptions) -> None:
        self._options = options
        if not options.uri:
            self._now_known()
            return
        # TLS and endpoints come with it, which a house without Redis need not pay for.
        from astrameter.store.redisstore import RedisStore  # noqa: PLC0415

        self._redis = RedisStore(self._reactor, options, self._entries, self._arrived)
        adopt(self, self._redis)

    def _arrived(self, keys: Sequence[str]) -> None:
        if keys and self._file is not None:
            self._file.offer()
        for key in keys:
            for prefix, arrived in self._watchers.items():
                if key.startswith(prefix):
                    arrived(key)
        self._now_known()

    def _now_known(self) -> None:
        self._known = True
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
