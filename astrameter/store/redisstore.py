"""The store's copy in Redis: found at start, kept up to date, and caught up with after trouble.

Everything is in one hash, ``PREFIX:state``; a field is a key, its value the time of the last
change and the document. A server that is away, frozen, emptied or restarted costs nothing but the
copy: the daemon goes on with what it has in memory, and brings the server up to date afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from astrameter.logs import FailureLog
from astrameter.statefile import StateError
from astrameter.store.acknowledgements import Acknowledgements
from astrameter.store.entries import Entries, Entry, entry_of
from astrameter.store.options import StateOptions
from astrameter.store.redislink import Link, RedisError, connect

CHECK_EVERY_S = 30.0
"""How often a quiet connection is tried, and the server asked whether it still has everything."""

STOP_S = 2.0
MAX_FIELDS = 5000
_AT_ONCE = 100
RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 60.0

# A connection that was given up may still hold a change that the frozen server carries out after
# a newer one has arrived on the next connection. So the server itself compares the times.
_WRITE = """
for i = 1, #ARGV, 3 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  local at = tonumber(old and string.match(old, '^(%d+) ') or '-1')
  if at < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
  end
end
return redis.call('HLEN', KEYS[1])
"""


class RedisStore(service.Service):
    """Keeps entries in Redis.

    :param reactor: time and network.
    :param arrived: told, after each comparison, the keys for which the server had something
        newer than we.
    :ivar connections: how often a connection was made.
    :ivar connected: the server is there and has everything.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        options: StateOptions,
        entries: Entries,
        arrived: Callable[[Sequence[str]], None],
        backoff: Backoff | None = None,
    ) -> None:
        address = options.address
        assert address is not None, "there is no server without a URI"
        self.connections = 0
        self.connected = False
        self._clock = reactor
        self._address = address
        self._hash = f"{options.prefix}:state"
        self._entries = entries
        self._arrived = arrived
        self._backoff = backoff or Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._unsent: dict[str, None] = {}
        self._sending = False
        self._waiting = Acknowledgements(reactor)
        self._link: Link | None = None
        self._wake: Deferred[None] | None = None
        self._work: Deferred[None] | None = None
        self._sent: Deferred[None] | None = None
        what = f"keeping changes in Redis at {self._address.shown}"
        self._trouble = FailureLog(reactor, self._log, what)

    def offer(self, key: str, changed: bool = True) -> Deferred[bool]:
        """Something changed; fires with True when the server has it, False when not yet.

        Never fails, and never takes longer than a few seconds.

        :param changed: False: it is as it was, but does the server have it?
        """
        if not (changed or key in self._unsent or self._sending):
            return succeed(self.connected)
        self._unsent[key] = None
        if not self.connected:
            return succeed(False)
        self._rouse()
        return self._waiting.add()

    def settled(self) -> Deferred[bool]:
        """Fires with True when the server has all that was offered, False when not yet."""
        if not self.connected or not (self._unsent or self._sending):
            return succeed(self.connected)
        self._rouse()
        return self._waiting.add()

    def startService(self) -> None:
        service.Service.startService(self)
        self._work = spawn(self._run(), "keeping changes in Redis", self._log)

    def stopService(self) -> Deferred[None]:
        """Send what has not been sent; fires when that is done or has taken too long."""
        service.Service.stopService(self)
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        if self.connected and self._unsent:
            sent = self._sent = Deferred()
            await sent.addTimeout(STOP_S, self._clock, lambda *_: None)
        work, self._work = self._work, None
        link = self._link
        if work is not None:
            work.cancel()
        if link is not None:
            await link.drop().addTimeout(STOP_S, self._clock, lambda *_: None)
        self._waiting.settle(durable=False)

    async def _run(self) -> None:
        while self.running:
            try:
                await self._session()
            except RedisError as error:
                self._trouble.failed(str(error))
            self._tell_sent()
            if self.running:
                await sleep(self._clock, self._backoff.next_wait_s())

    async def _session(self) -> None:
        link = self._link = await connect(self._clock, self._address)
        link.on_lost = self._rouse
        try:
            arrived = await self._compare(link)
            self.connections += 1
            self.connected = True
            self._arrived(arrived)
            await self._send(link)
            self._trouble.recovered()
            self._backoff.reset()
            while True:
                if not await self._woken(link):
                    await self._check(link)
                await self._send(link)
                self._tell_sent()
        finally:
            self.connected, self._link = False, None
            self._waiting.settle(durable=False)
            link.drop()

    def _tell_sent(self) -> None:
        """Who wants to stop need not wait any longer."""
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.callback(None)

    # ------------------------------------------------------------------------- what is sent

    async def _send(self, link: Link) -> None:
        """Send what changed. What could not be sent is found by the next comparison."""
        while self._unsent:
            waiting, self._waiting = self._waiting, Acknowledgements(self._clock)
            unsent, self._unsent = self._unsent, {}
            durable = False
            self._sending = True
            try:
                await self._write(link, list(unsent))
                durable = True
            finally:
                self._sending = False
                waiting.settle(durable=durable)

    async def _write(self, link: Link, keys: Sequence[str]) -> None:
        for at in range(0, len(keys), _AT_ONCE):
            arguments: list[str | int] = []
            for key in keys[at : at + _AT_ONCE]:
                entry = self._entries.get(key)
                if entry is not None:
                    arguments += [key, entry.changed_ms, entry.text]
            await link.call("EVAL", _WRITE, 1, self._hash, *arguments)

    async def _check(self, link: Link) -> None:
        """Is it alive, and does it still have everything? It may have been emptied."""
        if await link.call("HLEN", self._hash) < len(self._entries):
            self._log.warn(
                "Redis at {address} has lost what it kept: it is written again",
                address=self._address.shown,
            )
            self._arrived(await self._compare(link))

    async def _compare(self, link: Link) -> list[str]:
        """Take what is newer there, and note to send what is newer here; returns what was taken."""
        if await link.call("HLEN", self._hash) > MAX_FIELDS:
            raise RedisError(
                f"{self._hash} in Redis at {self._address.shown} has more than {MAX_FIELDS} "
                "fields: this is not ours; choose another PREFIX"
            )
        answer = await link.call("HGETALL", self._hash)
        there = _entries_of(answer if isinstance(answer, list) else [])
        arrived = [key for key, entry in there.items() if self._take(key, entry)]
        for key, entry in self._entries.items():
            if key not in there or there[key].changed_ms < entry.changed_ms:
                self._unsent[key] = None
        return arrived

    def _take(self, key: str, entry: Entry) -> bool:
        try:
            return self._entries.take(key, entry)
        except StateError as error:
            self._log.warn("{error}", error=error)
            return False

    # -------------------------------------------------------------------------- waiting

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.callback(None)

    async def _woken(self, link: Link) -> bool:
        """Wait for something to do; False when there was nothing for a while.

        :raises RedisError: the connection was lost.
        """
        if self._unsent:
            return True
        self._wake = Deferred()
        try:
            await self._wake.addTimeout(CHECK_EVERY_S, self._clock)
        except WaitedTooLong:
            self._wake = None
            return False
        if link.lost:
            raise RedisError(f"the Redis server {self._address.shown} hung up")
        await sleep(self._clock, 0)  # what else changes in this turn goes along
        return True


def _entries_of(listed: Sequence[Any]) -> dict[str, Entry]:
    """The entries of an HGETALL; what is none is left out."""
    found = {}
    for key, value in zip(listed[::2], listed[1::2], strict=False):
        if not (isinstance(key, str) and isinstance(value, str)):
            continue
        at, _, text = value.partition(" ")
        try:
            entry = entry_of(int(at), json.loads(text))
        except (ValueError, RecursionError):
            continue
        if entry is not None:
            found[key] = entry
    return found
