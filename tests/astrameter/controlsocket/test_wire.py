"""Lines and documents of the control socket."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.controlsocket import wire
from astrameter.controlsocket.wire import ControlError, Lines

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Cutting(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b)), st.integers(1, 9))
    def test_lines_arrive_whole_however_they_are_cut(self, sent: list[bytes], size: int) -> None:
        stream = b"".join(line + b"\n" for line in sent)
        lines = Lines(20)
        found: list[bytes] = []
        for start in range(0, len(stream), size):
            found += lines.feed(stream[start : start + size])
        self.assertEqual(found, sent)

    def test_a_line_that_is_too_long_is_refused_before_it_ends(self) -> None:
        lines = Lines(10)
        self.assertEqual(lines.feed(b"0123456789\n"), [b"0123456789"])
        lines.feed(b"0123456789")
        self.assertRaises(ControlError, lines.feed, b"0")

    def test_one_among_others_is_refused_too(self) -> None:
        self.assertRaises(ControlError, Lines(3).feed, b"ab\nabcd\nab\n")


class Understanding(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.dictionaries(st.text(), JSON))
    def test_what_is_written_is_read_back(self, document: dict[str, object]) -> None:
        line = wire.encode(document)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(wire.decode(line), document)

    @settings(deadline=None, derandomize=True)
    @given(st.binary())
    def test_any_bytes_are_a_request_or_refused(self, line: bytes) -> None:
        try:
            request = wire.request_of(wire.decode(line))
        except ControlError as error:
            self.assertEqual(error.kind, "bad_request")
        else:
            self.assertTrue(request.verb)

    def test_what_is_no_json_object_is_refused(self) -> None:
        for line in (b"", b"[1]", b"7", b'"x"', b"{", b"\xff{}", b"[" * 4000, b"null"):
            with self.assertRaises(ControlError) as caught:
                wire.decode(line)
            self.assertEqual(caught.exception.kind, "bad_request")

    def test_a_request_has_a_verb_and_perhaps_arguments(self) -> None:
        request = wire.request_of({"id": 3, "verb": "set", "args": {"a": 1}})
        self.assertEqual(request, wire.Request(3, "set", {"a": 1}))
        self.assertEqual(wire.request_of({"verb": "x"}), wire.Request(None, "x", {}))
        for wrong in ({}, {"verb": 3}, {"verb": ""}, {"verb": "x", "args": [1]}):
            self.assertRaises(ControlError, wire.request_of, wrong)

    def test_only_a_number_or_a_word_numbers_a_request(self) -> None:
        for given_id, kept in ((1, 1), ("a", "a"), (True, None), (1.5, None), ([], None)):
            self.assertEqual(wire.number_of({"id": given_id}), kept)

    def test_what_no_client_could_read_is_not_written(self) -> None:
        self.assertRaises(ValueError, wire.encode, {"watts": float("nan")})

    def test_an_error_is_bounded(self) -> None:
        document = wire.refusal(1, ControlError("refused", "x" * 100_000))
        self.assertLess(len(json.dumps(document)), 1000)


class Greeting(SynchronousTestCase):
    def test_the_daemon_says_who_it_is(self) -> None:
        hello = wire.hello_of(wire.hello("1.2.3", ("status", "set")))
        self.assertEqual(hello, wire.Hello("1.2.3", wire.PROTOCOL, ("status", "set")))

    def test_a_refusal_comes_in_its_place(self) -> None:
        refusal = wire.refusal(None, ControlError("too_many", "full"))
        with self.assertRaises(ControlError) as caught:
            wire.hello_of(refusal)
        self.assertEqual((caught.exception.kind, str(caught.exception)), ("too_many", "full"))

    def test_something_else_that_listens_there_is_no_daemon(self) -> None:
        with self.assertRaises(ControlError) as caught:
            wire.hello_of({"hello": "world"})
        self.assertEqual(caught.exception.kind, "other_version")

    def test_a_broken_error_is_an_error_too(self) -> None:
        with self.assertRaises(ControlError) as caught:
            wire.raise_error({"error": "oops"})
        self.assertEqual(caught.exception.kind, "broken")
