"""The store's file: when it is written, what is acknowledged, and what if it cannot be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.backoff import Backoff
from astrameter.statefile import StateError
from astrameter.store import filestore
from astrameter.store.acknowledgements import ANSWER_WITHIN_S
from astrameter.store.entries import Entries
from astrameter.store.filestore import FILE_NAME, STOP_S, FileStore
from tests.logged import logged


class Disk:
    """Does the writing when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], None], Deferred[None]]] = []

    def __call__(self, work: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.waiting.append((work, done))
        return done

    def write(self, error: Exception | None = None) -> None:
        """The oldest writing ends."""
        work, done = self.waiting.pop(0)
        if error is not None:
            done.errback(error)
        else:
            work()
            done.callback(None)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(self.mktemp())
        self.path = self.directory / FILE_NAME
        self.entries = Entries(lambda: 1000)

    def store(self, *offload: Any) -> FileStore:
        backoff = Backoff(5.0, 300.0, random=_NoJitter())  # type: ignore[arg-type]
        return FileStore(self.clock, self.directory, self.entries, *offload, backoff=backoff)

    def put(self, store: FileStore, number: int, key: str = "a") -> Deferred[bool]:
        return store.offer(self.entries.put(key, {"n": number}))

    def kept(self) -> Any:
        listed = json.loads(self.path.read_bytes())["entries"]
        return {key: one["value"]["n"] for key, one in listed.items()}


class _NoJitter:
    def random(self) -> float:
        return 0.0


class Writing(Case):
    def setUp(self) -> None:
        super().setUp()
        self.disk = Disk()
        self.kept_by = self.store(self.disk)
        self.kept_by.startService()

    def test_acknowledged_is_what_is_in_the_file(self) -> None:
        answer = self.put(self.kept_by, 1)
        self.clock.advance(0)
        self.assertNoResult(answer)
        self.assertFalse(self.path.exists())
        self.disk.write()
        self.assertIs(self.successResultOf(answer), True)
        self.assertEqual(self.kept(), {"a": 1})

    def test_changes_of_one_turn_are_written_together(self) -> None:
        answers = [self.put(self.kept_by, n, key) for key in "abc" for n in (1, 2)]
        self.assertEqual(self.disk.waiting, [])
        self.clock.advance(0)
        self.assertEqual(len(self.disk.waiting), 1)
        self.disk.write()
        self.assertEqual([self.successResultOf(one) for one in answers], [True] * 6)
        self.assertEqual(self.kept(), {"a": 2, "b": 2, "c": 2})
        self.clock.advance(1000)
        self.assertEqual(self.disk.waiting, [])

    def test_a_change_during_a_writing_is_acknowledged_by_the_next(self) -> None:
        self.put(self.kept_by, 1)
        self.clock.advance(0)
        answer = self.put(self.kept_by, 2)
        self.clock.advance(0)
        self.assertEqual(len(self.disk.waiting), 1)
        self.disk.write()
        self.assertNoResult(answer)
        self.assertEqual(self.kept(), {"a": 1})
        self.clock.advance(0)
        self.disk.write()
        self.assertIs(self.successResultOf(answer), True)
        self.assertEqual(self.kept(), {"a": 2})

    def test_what_is_as_it_was_is_not_written_again(self) -> None:
        self.put(self.kept_by, 1)
        self.clock.advance(0)
        repeated = self.put(self.kept_by, 1)
        self.disk.write()
        self.clock.advance(0)
        self.disk.write()
        self.assertIs(self.successResultOf(repeated), True)
        self.assertIs(self.successResultOf(self.put(self.kept_by, 1)), True)
        self.clock.advance(0)
        self.assertEqual(self.disk.waiting, [])

    def test_a_disk_that_hangs_is_not_waited_for_for_ever(self) -> None:
        answer = self.put(self.kept_by, 1)
        self.clock.advance(0)
        self.clock.advance(ANSWER_WITHIN_S)
        self.assertIs(self.successResultOf(answer), False)
        self.disk.write()
        self.assertEqual(self.kept(), {"a": 1})

    def test_before_the_start_nothing_is_written_and_then_it_is(self) -> None:
        other = self.store(self.disk)
        self.assertIs(self.successResultOf(self.put(other, 1)), False)
        other.startService()
        self.clock.advance(0)
        self.disk.write()
        self.assertEqual(self.kept(), {"a": 1})


class Trouble(Case):
    """A full disk, a directory that cannot be written."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = Disk()
        self.kept_by = self.store(self.disk)
        self.kept_by.startService()

    def test_it_is_told_once_tried_again_and_told_when_it_works(self) -> None:
        with logged() as lines:
            answer = self.put(self.kept_by, 1)
            self.clock.advance(0)
            self.disk.write(StateError("the disk is full"))
            self.assertIs(self.successResultOf(answer), False)
            for wait_s in (5, 10, 20):
                self.clock.advance(wait_s - 0.1)
                self.assertEqual(self.disk.waiting, [])
                self.clock.advance(0.1)
                self.disk.write(StateError("the disk is full"))
            self.clock.advance(40)
            self.disk.write()
        self.assertEqual(self.kept(), {"a": 1})
        self.clock.advance(1000)
        self.assertEqual(self.disk.waiting, [])
        self.assertIn("the disk is full", lines[0])
        self.assertIn("works again after 4 failures", lines[-1])
        self.assertLess(len(lines), 5)

    def test_a_new_change_is_tried_at_once(self) -> None:
        self.put(self.kept_by, 1)
        self.clock.advance(0)
        self.disk.write(StateError("full"))
        answer = self.put(self.kept_by, 2, "b")
        self.clock.advance(0)
        self.disk.write()
        self.assertIs(self.successResultOf(answer), True)
        self.assertEqual(self.kept(), {"a": 1, "b": 2})

    def test_an_error_nobody_thought_of_is_logged_and_tried_again(self) -> None:
        answer = self.put(self.kept_by, 1)
        self.clock.advance(0)
        self.disk.write(MemoryError())
        self.assertIs(self.successResultOf(answer), False)
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.clock.advance(5)
        self.disk.write()
        self.assertEqual(self.kept(), {"a": 1})

    def test_a_place_that_is_none(self) -> None:
        self.directory.write_bytes(b"a file where the directory should be")
        store = self.store()
        with logged() as lines:
            self.assertFalse(store.load())
            store.startService()
            answer = self.put(store, 1)
            self.clock.advance(0)
        self.assertIs(self.successResultOf(answer), False)
        self.assertIn("Not a directory", lines[0])
        self.successResultOf(store.stopService())


class Stopping(Case):
    def test_what_was_not_written_is_written_first(self) -> None:
        store = self.store()
        store.startService()
        answer = self.put(store, 1)
        self.successResultOf(store.stopService())
        self.assertEqual(self.kept(), {"a": 1})
        self.assertIs(self.successResultOf(answer), True)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_writing_under_way_and_the_changes_since_are_waited_for(self) -> None:
        disk = Disk()
        store = self.store(disk)
        store.startService()
        self.put(store, 1)
        self.clock.advance(0)
        self.put(store, 2)
        stopping = store.stopService()
        disk.write()
        self.assertNoResult(stopping)
        disk.write()
        self.successResultOf(stopping)
        self.assertEqual(self.kept(), {"a": 2})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_disk_that_hangs_does_not_hold_up_the_end(self) -> None:
        disk = Disk()
        store = self.store(disk)
        store.startService()
        answer = self.put(store, 1)
        self.clock.advance(0)
        stopping = store.stopService()
        self.clock.pump([STOP_S, STOP_S])
        self.successResultOf(stopping)
        self.assertIs(self.successResultOf(answer), False)
        disk.write()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_full_disk_does_not_hold_it_up_either(self) -> None:
        def full(_work: object) -> Deferred[None]:
            raise StateError("full")

        store = self.store(full)
        store.startService()
        self.put(store, 1)
        self.successResultOf(store.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_a_change_nothing_is_written(self) -> None:
        store = self.store()
        store.startService()
        self.successResultOf(store.stopService())
        self.assertFalse(self.path.exists())


class Loading(Case):
    def setUp(self) -> None:
        super().setUp()
        first = self.store()
        first.startService()
        self.put(first, 1)
        self.put(first, 2, "b")
        self.successResultOf(first.stopService())
        self.entries = Entries(lambda: 2000)

    def load(self) -> tuple[bool, list[str]]:
        with logged() as lines:
            return self.store().load(), lines

    def test_what_was_kept_is_back(self) -> None:
        self.assertEqual(self.load(), (True, []))
        entry = self.entries.get("b")
        assert entry is not None
        self.assertEqual((entry.document, entry.changed_ms), ({"n": 2}, 1001))

    def test_no_file_is_no_trouble(self) -> None:
        self.path.unlink()
        self.assertEqual(self.load(), (False, []))

    def assert_set_aside(
        self, name: str, content: bytes, message: str, mend: str = "mend the file"
    ) -> None:
        self.path.write_bytes(content)
        found, lines = self.load()
        self.assertFalse(found)
        self.assertEqual(len(self.entries), 0)
        self.assertEqual(os.listdir(self.directory), [name])
        self.assertEqual((self.directory / name).read_bytes(), content)
        self.assertEqual(len(lines), 1)
        self.assertIn(message, lines[0])
        self.assertIn(f"It is kept as {self.directory / name}", lines[0])
        self.assertIn(f"stop the daemon, {mend}, and move it back", lines[0])

    def test_a_broken_file_is_set_aside(self) -> None:
        whole = self.path.read_bytes()
        self.assert_set_aside("state.json.broken", whole[:50], "no JSON")

    def test_a_file_of_zeroes_is_set_aside(self) -> None:
        self.assert_set_aside("state.json.broken", bytes(500), "no JSON")

    def test_a_file_of_a_later_release_is_set_aside(self) -> None:
        later = b'{"astrameter_state": 2, "elsewhere": {}}'
        self.assert_set_aside(
            "state.json.newer",
            later,
            "version 2, and this release knows 1",
            "go back to the later release",
        )

    def test_an_endless_file_is_set_aside(self) -> None:
        self.assert_set_aside("state.json.unreadable", b" " * ((1 << 20) + 1), "larger than")

    def test_afterwards_changes_are_kept_in_a_new_file(self) -> None:
        self.path.write_bytes(b"{")
        store = self.store()
        with logged():
            store.load()
        store.startService()
        self.put(store, 7)
        self.successResultOf(store.stopService())
        self.assertEqual(self.kept(), {"a": 7})
        self.assertEqual((self.directory / "state.json.broken").read_bytes(), b"{")

    def test_a_file_that_cannot_be_moved_away_is_told_about(self) -> None:
        def refuse(*_paths: object) -> None:
            raise PermissionError(13, "Permission denied")

        self.path.write_bytes(b"{")
        self.patch(filestore.os, "replace", refuse)
        found, lines = self.load()
        self.assertFalse(found)
        self.assertIn("nor can it be moved away: Permission denied", lines[0])

    def test_entries_that_are_none_are_left_out(self) -> None:
        content = json.loads(self.path.read_bytes())
        content["entries"]["b"]["value"] = "text"
        content["entries"]["c" * 500] = content["entries"]["a"]
        self.path.write_text(json.dumps(content))
        found, lines = self.load()
        self.assertTrue(found)
        self.assertEqual([key for key, _ in self.entries.items()], ["a"])
        self.assertIn("2 entries were ignored", lines[0])
