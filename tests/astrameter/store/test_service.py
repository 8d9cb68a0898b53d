"""The store as the daemon sees it: one memory, a file, and Redis where there is one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.services import start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.logged import logged
from tests.mosquitto import free_port
from tests.redis_server import RedisServer

reactor: Any = _reactor
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class WithFile(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(self.mktemp())
        self.store = self.fresh()
        start(self.store)

    def fresh(self) -> Store:
        return Store(self.clock, self.directory, StateOptions(), lambda: NOON)

    def put(self, key: str, document: dict[str, Any]) -> bool:
        answer = self.store.put(key, document)
        self.clock.advance(0)
        return self.successResultOf(answer)  # type: ignore[no-any-return]

    def test_what_is_put_is_there_after_a_restart(self) -> None:
        self.assertTrue(self.put("a", {"n": 1}))
        self.assertEqual(self.store.get("a"), {"n": 1})
        self.assertEqual(self.fresh().get("a"), {"n": 1})

    def test_it_is_there_at_once_and_stays_without_a_disk(self) -> None:
        self.directory.write_bytes(b"no directory")
        with logged():
            answer = self.store.put("a", {"n": 1})
            self.assertEqual(self.store.get("a"), {"n": 1})
            self.clock.advance(0)
            self.assertIs(self.successResultOf(answer), False)
            self.successResultOf(stop(self.store))

    def test_what_is_refused_is_told_and_changes_nothing(self) -> None:
        self.put("a", {"n": 1})
        with logged() as lines:
            for bad in ({"n": object()}, {"n": "x" * 9000}):
                self.assertFalse(self.put("a", bad))
        self.assertEqual(self.store.get("a"), {"n": 1})
        self.assertEqual(len(lines), 1)

    def test_what_begins_alike(self) -> None:
        for key in ("battery/ct002/b", "battery/ct003/a", "battery/ct002/a/b"):
            self.put(key, {"key": key})
        found = dict(self.store.under("battery/ct002/"))
        self.assertEqual(list(found), ["battery/ct002/b", "battery/ct002/a/b"])
        self.assertEqual(found["battery/ct002/b"], {"key": "battery/ct002/b"})

    def test_what_was_is_known_at_once(self) -> None:
        self.successResultOf(self.store.when_known())
        self.put("a", {})
        self.successResultOf(self.fresh().when_known())

    def test_a_stop_writes_what_is_left(self) -> None:
        self.store.put("a", {"n": 1})
        self.successResultOf(stop(self.store))
        self.assertEqual(self.fresh().get("a"), {"n": 1})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Nowhere(SynchronousTestCase):
    def test_it_works_and_acknowledges_nothing(self) -> None:
        store = Store(Clock(), None, StateOptions(), lambda: NOON)
        start(store)
        self.assertIs(self.successResultOf(store.put("a", {"n": 1})), False)
        self.assertEqual(store.get("a"), {"n": 1})
        self.successResultOf(store.when_known())
        self.successResultOf(stop(store))


class WithRedis(TestCase):
    timeout = 240

    async def setUp(self) -> None:
        self.server = RedisServer(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.server.stop()))
        await self.server.start()

    def options(self, port: int = 0) -> StateOptions:
        return StateOptions(f"redis://127.0.0.1:{port or self.server.port}")

    def store(self, directory: Path | None = None, port: int = 0) -> Store:
        store = Store(reactor, directory, self.options(port), lambda: datetime.now(UTC))
        start(store)
        self.addCleanup(stop, store)
        return store

    async def test_without_a_file_what_was_is_known_when_the_server_has_told(self) -> None:
        first = self.store()
        await first.when_known()
        self.assertTrue(await first.put("battery/ct002/a", {"n": 1}))
        second = self.store()
        arrived: list[str] = []
        second.watch("battery/", arrived.append)
        second.watch("other/", self.fail)
        known = second.when_known()
        self.assertFalse(known.called)
        self.assertIsNone(second.get("battery/ct002/a"))
        await known
        self.assertEqual(second.get("battery/ct002/a"), {"n": 1})
        self.assertEqual(arrived, ["battery/ct002/a"])

    async def test_what_arrives_is_in_the_file_too(self) -> None:
        directory = Path(self.mktemp())
        first = self.store()
        await first.when_known()
        await first.put("a", {"n": 1})
        second = self.store(directory)
        await second.when_known()
        await second.put("b", {"n": 2})
        alone = Store(reactor, directory, StateOptions(), lambda: datetime.now(UTC))
        self.assertEqual((alone.get("a"), alone.get("b")), ({"n": 1}, {"n": 2}))

    async def test_with_a_file_a_server_that_is_away_costs_nothing(self) -> None:
        directory = Path(self.mktemp())
        nobody = free_port()
        with logged():
            first = self.store(directory, nobody)
            self.assertTrue(await first.put("a", {"n": 1}))
            await stop(first)
            second = self.store(directory, nobody)
            await second.when_known()
        self.assertEqual(second.get("a"), {"n": 1})

    async def test_another_server_may_be_configured_while_it_runs(self) -> None:
        store = self.store(None, free_port())
        with logged():
            await store.put("a", {"n": 1})
            await store.configure(self.options())
            while store.redis is None or not store.redis.connected:
                await deferLater(reactor, 0.01)
            self.assertTrue(await store.put("b", {"n": 2}))
        self.assertEqual(await self.server.ask("HLEN", "astrameter:state"), "2")
        await store.configure(self.options())
        self.assertTrue(store.redis.connected)
        await store.configure(StateOptions())
        self.assertIsNone(store.redis)
        self.assertFalse(await store.put("c", {"n": 3}))

    async def test_who_waits_at_the_end_is_let_go(self) -> None:
        store = self.store(None, free_port())
        with logged():
            waiting = store.when_known()
            await stop(store)
        self.failureResultOf(waiting)
