"""What is read out of a poll (ct-protocol.md sections 3, 6 and 7)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.request import Request, parse_request

HEAD = ["HMG-50", "AABBCCDDEE01", "HME-4", "112233445566"]


def parsed(*tail: str) -> Request:
    request = parse_request([*HEAD, *tail])
    assert request is not None
    return request


class Fields(SynchronousTestCase):
    def test_fewer_than_four_fields_are_no_request(self) -> None:
        for count in range(4):
            self.assertIsNone(parse_request(HEAD[:count]))

    def test_four_fields_are_an_idle_battery_in_inspection(self) -> None:
        self.assertEqual(parsed(), Request(*HEAD, "0", 0, True))

    def test_five_fields_have_no_power(self) -> None:
        self.assertEqual(parsed("B"), Request(*HEAD, "B", 0, True))

    def test_names_are_kept_to_the_letter(self) -> None:
        request = parse_request([" hmg ", "aAbB", "", " 11:22 ", "A", "5"])
        self.assertEqual(request, Request(" hmg ", "aAbB", "", " 11:22 ", "A", 5, True))

    def test_fields_after_the_seventh_are_ignored(self) -> None:
        self.assertEqual(parsed("A", "5", "1", "x", "", "9"), parsed("A", "5", "1"))


class Phase(SynchronousTestCase):
    def test_a_letter_is_taken_in_any_case_and_with_blanks(self) -> None:
        for text, phase in (("A", "A"), ("b", "B"), (" C ", "C"), ("\td", "D")):
            self.assertEqual(parsed(text).phase, phase)

    def test_anything_else_is_inspection(self) -> None:
        for text in ("0", "", " ", "E", "AB", "5", "A B", "1"):
            self.assertEqual(parsed(text).phase, "0", text)


class Power(SynchronousTestCase):
    def test_a_decimal_integer_with_sign_blanks_and_leading_zeros(self) -> None:
        for text, power_w in (
            ("217", 217),
            ("-217", -217),
            ("+5", 5),
            (" 42 ", 42),
            ("00042", 42),
            ("-000", 0),
            ("-4000000000", -4_000_000_000),
            ("0" * 40 + "7", 7),
        ):
            self.assertEqual(parsed("A", text).power_w, power_w, text)

    def test_anything_else_counts_as_nothing(self) -> None:
        for text in ("", " ", "abc", "217.5", "0x10", "1e3", "1_000", "--5", "+-5", "- 5", "5 5"):
            self.assertEqual(parsed("A", text).power_w, 0, text)

    def test_a_number_of_more_than_ten_digits_counts_as_nothing(self) -> None:
        self.assertEqual(parsed("A", "9" * 10).power_w, 9_999_999_999)
        self.assertEqual(parsed("A", "9" * 11).power_w, 0)


class Participation(SynchronousTestCase):
    def test_absent_empty_or_not_zero_takes_part(self) -> None:
        self.assertTrue(parsed("A", "5").participates)
        for text in ("", "  ", "1", "2", "-1", "256", "0.0", "no", "9" * 30):
            self.assertTrue(parsed("A", "5", text).participates, text)

    def test_zero_in_any_spelling_does_not(self) -> None:
        for text in ("0", "00", " 0 ", "-0", "+0", "0" * 30):
            self.assertFalse(parsed("A", "5", text).participates, text)


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.text(st.characters(max_codepoint=127)), max_size=12))
    def test_any_fields_are_a_sane_request_or_none(self, fields: list[str]) -> None:
        request = parse_request(fields)
        self.assertEqual(request is None, len(fields) < 4)
        if request is not None:
            self.assertIn(request.phase, set("ABCD0"))
            self.assertLess(abs(request.power_w), 10**10)
            self.assertEqual(list(request[:4]), fields[:4])
