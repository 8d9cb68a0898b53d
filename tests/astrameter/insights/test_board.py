"""What is to stand at the broker, and bringing it there."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.insights.board import Board
from astrameter.insights.publisher import PER_TURN, Publisher
from tests.scripted_broker import settle


def taken(board: Board) -> list[tuple[str, str]]:
    found = []
    while (one := board.take()) is not None:
        found.append((one.topic, one.text))
    return found


class Boards(SynchronousTestCase):
    def test_only_what_differs_is_published_and_only_the_newest(self) -> None:
        board = Board()
        board.put("a", "1")
        board.put("b", "1")
        board.put("a", "2")
        self.assertEqual(taken(board), [("a", "2"), ("b", "1")])
        board.put("a", "2")
        self.assertEqual(taken(board), [])
        board.repeat("a")
        board.repeat("unknown")
        self.assertEqual(taken(board), [("a", "2")])

    def test_what_is_cleared_is_deleted_at_the_broker(self) -> None:
        board = Board()
        board.put("a", "1")
        taken(board)
        board.clear("a")
        self.assertNotIn("a", board)
        self.assertEqual(taken(board), [("a", "")])

    def test_what_is_forgotten_is_left_as_it_is(self) -> None:
        board = Board()
        board.put("a", "1")
        board.forget("a")
        board.connected()
        self.assertEqual(taken(board), [])

    def test_a_new_broker_gets_everything_in_the_first_order(self) -> None:
        board = Board()
        for topic in "abc":
            board.put(topic, topic)
        board.put("a", "2")
        taken(board)
        board.clear("b")
        board.connected()
        self.assertEqual(taken(board), [("b", ""), ("a", "2"), ("c", "c")])

    def test_what_was_lost_is_published_unless_something_newer_is(self) -> None:
        board = Board()
        board.put("a", "1")
        lost = board.take()
        assert lost is not None
        board.lost(lost)
        self.assertEqual(taken(board), [("a", "1")])
        board.put("a", "2")
        newer = board.take()
        board.lost(lost)
        assert newer is not None
        self.assertEqual(taken(board), [])

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("put"), st.sampled_from("abc"), st.sampled_from("12")),
                st.tuples(st.just("clear"), st.sampled_from("abc"), st.just("")),
                st.tuples(st.just("take"), st.just(""), st.just("")),
                st.tuples(st.just("break"), st.just(""), st.just("")),
            )
        )
    )
    def test_in_the_end_the_broker_has_exactly_what_is_wanted(self, steps: list[Any]) -> None:
        board, broker = Board(), {}
        wanted: dict[str, str] = {}

        def deliver(one: Any) -> None:
            broker[one.topic] = one.text

        for what, topic, text in steps:
            if what == "put":
                board.put(topic, text)
                wanted[topic] = text
            elif what == "clear":
                board.clear(topic)
                wanted.pop(topic, None)
            elif what == "take" and (one := board.take()) is not None:
                deliver(one)
            elif what == "break":
                if (one := board.take()) is not None:
                    board.lost(one)
                board.connected()
        while (one := board.take()) is not None:
            deliver(one)
        self.assertEqual({t: text for t, text in broker.items() if text}, wanted)


class FakeClient:
    """:ivar blocked: the broker takes nothing; what is published waits in ``waiting``."""

    def __init__(self) -> None:
        self.connected = True
        self.blocked = False
        self.sent: list[str] = []
        self.waiting: list[Deferred[bool]] = []
        self.refused: set[str] = set()

    def publish(self, topic: str, text: str, *, retain: bool) -> Deferred[bool]:
        if topic in self.refused or not self.connected:
            return succeed(False)
        self.sent.append(topic)
        if not self.blocked:
            return succeed(True)
        self.waiting.append(Deferred())
        return self.waiting[-1]


class Publishing(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.client = FakeClient()
        self.board = Board()
        self.prepared = 0
        client: Any = self.client
        self.publisher = Publisher(self.clock, client, self.board, self.prepare)

    def prepare(self) -> None:
        self.prepared += 1

    def test_nothing_is_published_within_the_call(self) -> None:
        self.board.put("a", "1")
        self.publisher.soon()
        self.publisher.soon()
        self.assertEqual(self.client.sent, [])
        settle(self.clock)
        self.assertEqual((self.client.sent, self.prepared), (["a"], 1))

    def test_much_is_published_in_several_turns(self) -> None:
        for i in range(PER_TURN * 2 + 1):
            self.board.put(f"t{i}", "1")
        self.publisher.soon()
        settle(self.clock)
        self.assertEqual(len(self.client.sent), PER_TURN * 2 + 1)
        self.assertEqual(self.prepared, 3)

    def test_a_broker_that_takes_nothing_holds_one_message_and_gets_the_newest_then(self) -> None:
        self.client.blocked = True
        for i in range(100):
            self.board.put("a", f"{i}")
            self.board.put("b", f"{i}")
            self.publisher.soon()
            settle(self.clock)
        self.assertEqual(self.client.sent, ["a"])
        self.assertEqual(self.board.pending, 2)
        self.client.blocked = False
        self.client.waiting[0].callback(True)
        settle(self.clock)
        self.assertEqual(sorted(self.client.sent), ["a", "a", "b"])
        self.assertEqual(self.board.pending, 0)

    def test_what_is_refused_is_not_tried_for_ever(self) -> None:
        self.client.refused.add("a")
        self.board.put("a", "1")
        self.publisher.soon()
        settle(self.clock)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_was_lost_with_the_connection_stays_to_be_deleted(self) -> None:
        self.client.blocked = True
        self.board.clear("a")
        self.publisher.soon()
        settle(self.clock)
        self.client.connected = False
        self.client.waiting[0].callback(False)
        self.assertEqual(self.board.pending, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_a_connection_that_has_gone_does_not_take_stays_to_be_deleted(self) -> None:
        self.board.clear("a")
        self.publisher.soon()
        self.client.connected = False
        settle(self.clock)
        self.assertEqual(self.board.pending, 1)

    def test_what_has_to_come_first_does(self) -> None:
        client: Any = self.client
        firsts = {"b": "ends", "c": None}
        publisher = Publisher(
            self.clock, client, self.board, self.prepare, lambda topic, _: firsts.get(topic)
        )
        for topic in ("a", "b", "c"):
            self.board.put(topic, "1")
        publisher.soon()
        settle(self.clock)
        self.assertEqual(self.client.sent, ["a", "b", "b", "c"])

    def test_stopping(self) -> None:
        self.board.put("a", "1")
        self.publisher.soon()
        self.publisher.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
