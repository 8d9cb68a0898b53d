"""How options are declared, and the kinds of values (filters.md sections 11 and 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.options import (
    Kind,
    boolean,
    choice,
    integer,
    items,
    networks,
    number,
    numbers,
    option,
    optional,
    options_of,
    port,
    text,
    words_of,
)

KINDS: dict[str, Kind[Any]] = {
    "text": text(),
    "boolean": boolean(),
    "integer": integer(-5, 5),
    "number": number(0, 10),
    "optional": optional(integer()),
    "port": port(),
    "choice": choice("bias", "replace"),
    "words": words_of("ct002", "ct003"),
    "items": items(),
    "numbers": numbers(),
    "networks": networks(),
}


class Kinds(SynchronousTestCase):
    def taken(self, kind: Kind[Any], wanted: dict[str, Any]) -> None:
        self.assertEqual({raw: kind.parse(raw) for raw in wanted}, wanted)

    def refused(self, kind: Kind[Any], *raws: str) -> str:
        """What the last one of ``raws`` is told."""
        for raw in raws:
            error = self.assertRaises(ValueError, kind.parse, raw)
        return str(error)

    def test_text_is_taken_as_it_is(self) -> None:
        self.taken(text(), {"": "", ' "a # b" ': ' "a # b" ', "%x": "%x"})
        self.assertFalse(text().inline_comments)

    def test_yes_and_no_in_all_spellings_of_2x(self) -> None:
        for raw in ("1", "yes", "true", "on", "YES", "True", "oN"):
            self.assertIs(boolean().parse(raw), True)
        for raw in ("0", "no", "false", "off", "NO", "False", "oFF"):
            self.assertIs(boolean().parse(raw), False)
        self.assertIn("yes or no", self.refused(boolean(), "", "y", "n", "2", '""', "ja"))

    def test_whole_numbers(self) -> None:
        self.taken(integer(), {"0": 0, "007": 7, "-5": -5, "+3": 3, "9" * 18: 10**18 - 1})
        self.refused(integer(), "", "5.0", "0x10", "1e3", "1_0", "- 5", "--5", "５", "5\n")
        self.assertEqual(self.refused(integer(), "9" * 5000), "this is a whole number")

    def test_whole_numbers_in_a_range(self) -> None:
        self.taken(integer(1, 3), {"1": 1, "3": 3})
        self.assertEqual(self.refused(integer(1, 3), "0", "4"), "this is a whole number 1..3")
        self.assertIn("of at least 1", self.refused(integer(1), "0"))
        self.assertIn("of at most 1", self.refused(integer(high=1), "2"))

    def test_numbers_with_a_decimal_point(self) -> None:
        self.taken(
            number(), {"5": 5.0, "-.5": -0.5, "+5.": 5.0, "1e3": 1000.0, "2.5E-1": 0.25, "00": 0.0}
        )
        self.refused(number(), "", ".", "12W", "inf", "-nan", "1_0", "1e", "0x1", "1e999", "٣")
        self.assertIn("with a point", self.refused(number(), "1,5"))
        self.assertEqual(self.refused(number(0, 0.5), "0.6"), "this is a number 0..0.5")

    def test_a_clamped_number_is_taken_and_brought_into_its_range(self) -> None:
        for kind, raw, value in (
            (number(0, 1, clamp=True), "1.5", 1),
            (number(0, 1, clamp=True), "-3", 0),
            (number(0, 1, clamp=True), "0.5", 0.5),
            (number(0, clamp=True), "1e9", 1e9),
            (integer(1, 9, clamp=True), "0", 1),
            (integer(1, 9, clamp=True), "10", 9),
        ):
            assert kind.clamp is not None
            self.assertEqual(kind.clamp(kind.parse(raw)), value)
        self.refused(integer(1, 9, clamp=True), "5.0", "x")
        self.assertIsNone(number(0, 1).clamp)

    def test_what_need_not_be_set(self) -> None:
        kind = optional(integer(0, 9, clamp=True))
        assert kind.clamp is not None
        self.assertEqual((kind.clamp(None), kind.clamp(10), kind.parse("5")), (None, 9, 5))
        self.assertEqual((kind.render(None), kind.render(5)), ("", "5"))
        self.refused(kind, "x")

    def test_ports(self) -> None:
        self.taken(port(), {"1": 1, "65535": 65535})
        said = self.refused(port(), "0", "65536", "-1", "", "http", "9" * 5000)
        self.assertEqual(said, "a port is 1..65535")

    def test_choices(self) -> None:
        self.taken(choice("bias", "Replace"), {"BIAS": "bias", "replace": "Replace"})
        self.assertIn("bias, Replace", self.refused(choice("bias", "Replace"), "", "bia", "bias "))
        exact = choice("1PM", "EM", ignore_case=False)
        self.taken(exact, {"1PM": "1PM"})
        self.refused(exact, "1pm")

    def test_lists_of_known_words(self) -> None:
        kind = words_of("ct002", "ct003")
        self.taken(kind, {"": (), "ct003,, ct002 ,": ("ct003", "ct002")})
        self.assertIn("'CT002' is unknown", self.refused(kind, "ct004", "ct003, CT002"))

    def test_lists_of_texts(self) -> None:
        self.taken(items(), {"": (), " , ": (), " a b , #c ,,": ("a b", "#c")})
        self.assertFalse(items().inline_comments)

    def test_lists_of_numbers(self) -> None:
        self.taken(numbers(), {"": (), ",": (), "5,,7,": (5.0, 7.0), " -1 , 1e2": (-1.0, 100.0)})
        self.refused(numbers(), "5,abc", "1;2", "1 2")

    def test_networks(self) -> None:
        found = networks().parse("10.0.0.7, 192.168.0.0/16 ,10.0.0.0/255.0.0.0")
        self.assertEqual([str(n) for n in found], ["10.0.0.7/32", "192.168.0.0/16", "10.0.0.0/8"])
        self.refused(networks(), "", "10.0.0.1,", "fe80::/64", "10.0.0.0/33", "house", "7")
        self.assertIn("host bits", self.refused(networks(), "192.168.1.50/24"))

    @settings(deadline=None, derandomize=True)
    @given(st.sampled_from(sorted(KINDS)), st.text() | st.from_regex(r"[-+0-9.,eE/ ]*"))
    def test_any_text_is_a_value_or_a_reason(self, name: str, raw: str) -> None:
        try:
            value = KINDS[name].parse(raw)
        except ValueError as error:
            self.assertNotEqual(str(error), "")
        else:
            rendered = KINDS[name].render(value)
            self.assertEqual(KINDS[name].render(KINDS[name].parse(rendered)), rendered)

    @settings(deadline=None, derandomize=True)
    @given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**17), 10**17))
    def test_a_rendered_number_is_the_same_number(self, real: float, whole: int) -> None:
        self.assertEqual(number().parse(number().render(real)), real)
        self.assertEqual(integer().parse(integer().render(whole)), whole)


class Declarations(SynchronousTestCase):
    def test_a_field_is_an_option_in_the_order_of_declaration(self) -> None:
        @dataclass(frozen=True)
        class Base:
            timeout_s: float = option(number(), key="TIMEOUT", default=2.0, unit="s", help="How.")

        @dataclass(frozen=True)
        class Options(Base):
            note: str = "no option"
            url: str = option(text(), required=True, secret=True, help="Where.")

        timeout, url = options_of(Options)
        self.assertEqual((timeout.attribute, timeout.key), ("timeout_s", "TIMEOUT"))
        self.assertEqual((timeout.default, timeout.unit, timeout.help), (2.0, "s", "How."))
        self.assertEqual((url.attribute, url.key, url.default), ("url", "URL", None))
        self.assertEqual((url.required, url.secret, url.inherited), (True, True, False))
        self.assertEqual(Options().timeout_s, 2.0)

    def test_what_is_not_set_is_written_as_nothing(self) -> None:
        @dataclass(frozen=True)
        class Options:
            limit: int | None = option(integer(), help="How many.")

        (limit,) = options_of(Options)
        self.assertEqual((limit.render(None), limit.render(5)), ("", "5"))
