from __future__ import annotations

import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters import jsonpaths
from astrameter.meters.jsonpaths import (
    JsonPath,
    as_number,
    json_path,
    json_paths,
    number_at,
    split_paths,
    value_at,
)
from astrameter.reading import MeterError

DOCUMENT = {
    "a": {"b": 3.5, "c d": 4, "1.7.0": 5, "x-y": 6},
    "p": [{"n": "l1", "w": 1}, {"n": "l2", "w": -2}, {"n": "l3", "w": 30}],
    "n": {"m": {"w": 7}},
    "in": 100,
    "out": 40.5,
    "state": "331.74 W",
    "zero": 0,
    "null": None,
}

VERIFIED_FORMS = {
    "$.a.b": 3.5,
    "a.b": 3.5,
    "$['a']['c d']": 4,
    "$.a['c d']": 4,
    "$.a.'c d'": 4,
    '$.a["1.7.0"]': 5,
    "$.a['1.7.0']": 5,
    "$.a.x-y": 6,
    "$.p[0].w": 1,
    "$.p[-1].w": 30,
    "$.p[1:3].w": -2,
    "$.p[*].w": 1,
    "$.n..w": 7,
    "$.p[?(@.n=='l2')].w": -2,
    "$.p[?n=='l2'].w": -2,
    "$.p[?(@.w>2)].w": 30,
    "$.p[?(@.n=='l2' && @.w<0)].w": -2,
    "$.in - $.out": 59.5,
    "$.in * 1000": 100000,
    "$.in + 1": 101,
    "$.p.`len`": 3,
    "$.state.`split( , 0, -1)`": 331.74,
    r"$.state.`sub(/[^0-9.\-]+$/, )`": 331.74,
}


def failure_of(work: Any, *arguments: Any) -> tuple[str, str]:
    try:
        work(*arguments)
    except MeterError as error:
        return error.kind, str(error)
    raise AssertionError("no MeterError")


class SplitPathsTests(SynchronousTestCase):
    def test_blanks_are_trimmed_and_empty_items_dropped(self) -> None:
        self.assertEqual(split_paths(" $.a ,, $.b,"), ("$.a", "$.b"))
        self.assertEqual(split_paths(""), ())
        self.assertEqual(split_paths(" , "), ())

    def test_commas_inside_brackets_parentheses_and_quotes_stay(self) -> None:
        whole = [
            "$.p[0,1].w",
            "$.p[?(@.n=='l,2')].w",
            "$['a,b']",
            '$["a,b"]',
            "$.s.`split( , 0, -1)`",
            r"$['it\'s, fine']",
            "($.a, $.b)",
            "$.s.`sub(/[^0-9.'\\-]+$/, )`",
        ]
        for path in whole:
            self.assertEqual(split_paths(f"{path}, $.z"), (path, "$.z"))

    def test_a_stray_closing_bracket_does_not_hide_commas(self) -> None:
        self.assertEqual(split_paths("$.a], $.b"), ("$.a]", "$.b"))

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from([*VERIFIED_FORMS, "$['x,y']"]), max_size=5))
    def test_joined_paths_come_apart_again(self, paths: list[str]) -> None:
        self.assertEqual(split_paths(",".join(paths)), tuple(paths))

    @settings(deadline=None, derandomize=True)
    @given(st.text(alphabet="ab,[]()'\"`\\ "))
    def test_no_text_breaks_it_and_no_character_is_lost(self, text: str) -> None:
        def kept(one: str) -> str:
            return one.replace(",", "").replace(" ", "")

        self.assertEqual(kept("".join(split_paths(text))), kept(text))


class DialectTests(SynchronousTestCase):
    """The forms of meters.md section 13.1."""

    def test_verified_forms(self) -> None:
        for text, expected in VERIFIED_FORMS.items():
            self.assertEqual(JsonPath(text).number(DOCUMENT), expected, text)

    def test_the_predecessors_single_ampersand_still_joins_conditions(self) -> None:
        path = JsonPath("$.p[?(@.n=='l2' & @.w<0)].w")
        self.flushWarnings()
        self.assertEqual(path.number(DOCUMENT), -2)

    def test_the_root_may_be_the_number(self) -> None:
        self.assertEqual(JsonPath("$").number(12), 12.0)
        self.assertEqual(JsonPath("$").number("3e1"), 30.0)

    def test_the_first_match_wins(self) -> None:
        self.assertEqual(JsonPath("$.p[?(@.w>0)].w").number(DOCUMENT), 1)

    def test_forms_without_a_match(self) -> None:
        for text in ("$.p.0.w", "$.[0]", "$.nope", "$.p[3].w", "$.p[-4]", "$.a[0]", "$.state.w"):
            self.assertEqual(
                failure_of(JsonPath(text).number, DOCUMENT),
                ("missing_field", f"nothing at {text}"),
            )

    def test_bad_paths_are_refused_with_a_remedy(self) -> None:
        for text in ("", "$.", "$.1.7.0", "$.a[", "$a", "$.a # b", "$.a.`split(x)`", "$.where"):
            with self.assertRaises(ValueError) as caught:
                JsonPath(text)
            self.assertTrue(str(caught.exception).startswith(f"{text!r} is no JSON path ("))
            self.assertIn("write it like $.power", str(caught.exception))

    def test_plain_paths_do_not_load_jsonpath_ng(self) -> None:
        def compile_with_jsonpath_ng(text: str) -> Any:
            raise AssertionError(text)

        self.patch(jsonpaths, "_compile", compile_with_jsonpath_ng)
        for text in ("$", "$.a.b", "a['1.7.0'][-1].x-y", '"a b".c'):
            JsonPath(text)


class NumberTests(SynchronousTestCase):
    """FLOAT of meters.md section 1.1; filters.md section 17 for NaN and infinity."""

    def test_numbers_numeric_texts_and_true(self) -> None:
        for value, expected in ((1.5, 1.5), (-2, -2.0), ("3e1", 30.0), (" -7e1\n", -70.0)):
            self.assertEqual(as_number(value, "x"), expected)
        self.assertEqual(as_number(True, "x"), 1.0)
        self.assertIsInstance(as_number(7, "x"), float)

    def test_everything_else_is_not_numeric(self) -> None:
        cases = {
            None: "null",
            "12W": '"12W"',
            "": '""',
            "NaN": '"NaN"',
            "-inf": '"-inf"',
            float("nan"): "NaN",
            float("inf"): "Infinity",
            10**400: "Infinity",
            "x" * 99: '"' + "x" * 39 + "...",
        }
        for value, shown in cases.items():
            self.assertEqual(
                failure_of(JsonPath("$.v").number, {"v": value}),
                ("not_numeric", f"$.v is {shown}, not a number"),
            )
        for container, shown in (([1], "a list"), ({"w": 1}, "an object")):
            self.assertEqual(
                failure_of(as_number, container, "$.v"),
                ("not_numeric", f"$.v is {shown}, not a number"),
            )

    def test_what_jsonpath_ng_raises_becomes_a_meter_error(self) -> None:
        for text, document in (
            ("$.v.`sub(/W/, )`", {"v": 5}),
            ("$.v.`split(x, 9, 1)`", {"v": [1]}),
        ):
            kind, message = failure_of(JsonPath(text).number, document)
            self.assertIn(kind, {"not_numeric", "missing_field"})
            self.assertIn(text, message)

    def test_a_document_deeper_than_the_stack_is_refused(self) -> None:
        deep: Any = 1
        for _ in range(sys.getrecursionlimit()):
            deep = [deep]
        self.assertIn("$..w", failure_of(JsonPath("$..w").number, deep)[1])


class LookUpTests(SynchronousTestCase):
    def test_values_and_numbers(self) -> None:
        self.assertEqual(value_at(DOCUMENT, "p", 1, "n"), "l2")
        self.assertEqual(number_at(DOCUMENT, "a", "1.7.0"), 5.0)
        self.assertIs(value_at(DOCUMENT), DOCUMENT)

    def test_missing_names_and_indexes(self) -> None:
        self.assertEqual(
            failure_of(number_at, DOCUMENT, "a", "2.7.0"),
            ("missing_field", "nothing at $.a['2.7.0']"),
        )
        self.assertEqual(
            failure_of(number_at, DOCUMENT, "p", 3, "w"), ("missing_field", "nothing at $.p[3]")
        )

    def test_the_wrong_structure(self) -> None:
        self.assertEqual(
            failure_of(number_at, None, "saldo"),
            ("bad_structure", "the answer is null, not an object"),
        )
        self.assertEqual(
            failure_of(number_at, {"a": {}}, "a", 0),
            ("bad_structure", "$.a is an object, not a list"),
        )
        self.assertEqual(
            failure_of(number_at, {"a": 5}, "a", "b"), ("bad_structure", "$.a is 5, not an object")
        )

    def test_a_number_that_is_none(self) -> None:
        self.assertEqual(
            failure_of(number_at, {"p": [{"w": None}]}, "p", 0, "w"),
            ("not_numeric", "$.p[0].w is null, not a number"),
        )


class KindTests(SynchronousTestCase):
    def test_one_path_keeps_its_commas_and_comment_signs(self) -> None:
        kind = json_path()
        self.assertFalse(kind.inline_comments)
        path = kind.parse("$.p[0,1].w")
        self.assertEqual((path.text, kind.render(path)), ("$.p[0,1].w", "$.p[0,1].w"))

    def test_a_list_of_paths_round_trips(self) -> None:
        kind = json_paths()
        paths = kind.parse("$.a ,$.s.`split( , 0, -1)`")
        self.assertEqual(paths, (JsonPath("$.a"), JsonPath("$.s.`split( , 0, -1)`")))
        self.assertEqual(kind.parse(kind.render(paths)), paths)
        self.assertEqual(kind.parse(""), ())

    def test_one_bad_path_of_a_list_is_named(self) -> None:
        with self.assertRaisesRegex(ValueError, r"'\$\.b\[' is no JSON path"):
            json_paths().parse("$.a, $.b[")

    def test_equal_texts_are_equal_options(self) -> None:
        self.assertEqual({JsonPath("$.a"), JsonPath(" $.a ")}, {JsonPath("$.a")})
        self.assertNotEqual(JsonPath("$.a"), JsonPath("$.b"))
        self.assertEqual(repr(JsonPath("$.a")), "JsonPath('$.a')")


NAMES = ("a", "b", "x-y", "A_1", "c@d", "true", "null", "where", "-1", "1", "7.0", "a b")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["text", "", "4"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
STEPS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: f".{name}"),
    st.sampled_from(NAMES).map(lambda name: f"['{name}']"),
    st.sampled_from(NAMES).map(lambda name: f'."{name}"'),
    st.integers(-4, 4).map(lambda index: f"[{index}]"),
    st.sampled_from([".", "[", "]", " ", "-", "..a", "[*]", "[0,1]", "[00]", "['']", "$", "@"]),
)
PATHS = st.tuples(st.sampled_from(["$", "a", "x-y", "'a b'", ""]), st.lists(STEPS, max_size=4))


class OracleTests(SynchronousTestCase):
    """The walker of plain paths against jsonpath-ng."""

    @settings(deadline=None, derandomize=True, max_examples=1500)
    @given(PATHS.map(lambda parts: parts[0] + "".join(parts[1])), DOCUMENTS)
    def test_every_path_gives_what_jsonpath_ng_gives(self, text: str, document: object) -> None:
        from jsonpath_ng.ext.parser import parse  # noqa: PLC0415  the oracle alone needs it

        try:
            oracle = parse(text.strip())
        except Exception:  # noqa: BLE001  any refusal is a refusal
            self.assertRaises(ValueError, JsonPath, text)
            return
        path = JsonPath(text)
        matches = oracle.find(document)
        found = path._find(document)
        if matches:
            self.assertEqual((type(found), found), (type(matches[0].value), matches[0].value))
        else:
            self.assertEqual(failure_of(path.number, document)[0], "missing_field")
