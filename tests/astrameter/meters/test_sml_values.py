"""The power in a telegram (meters.md section 20.2)."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from smllib.sml_frame import SmlFrame
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.sml_values import ObisOptions, check, obis_code, watts_in, watts_of
from astrameter.reading import MeterError
from tests.astrameter.meters.sml_rig import PHASES, TOTAL, entry, power, signed, telegram
from tests.astrameter.meters.test_sml_telegrams import MINIMAL

CODES = ObisOptions()
ENERGY = entry("0100010800ff", signed(12345, 8), b"\x52\xff", unit=30)


def scaled(scaler: int) -> bytes:
    return b"\x52" + scaler.to_bytes(1, "big", signed=True)


class PowerTests(SynchronousTestCase):
    def kind_of(self, content: bytes, codes: ObisOptions = CODES) -> str:
        with self.assertRaises(MeterError) as caught:
            watts_of(content, codes)
        self.assertLess(len(str(caught.exception)), 200)
        return caught.exception.kind

    def test_the_minimal_telegram(self) -> None:
        self.assertEqual(watts_in(MINIMAL, CODES), [1.0])

    def test_the_total(self) -> None:
        self.assertEqual(watts_of(ENERGY + entry(TOTAL, signed(-987)), CODES), [-987.0])

    def test_three_phases_come_before_the_total(self) -> None:
        phases = b"".join(entry(code, signed(i)) for i, code in enumerate(PHASES))
        self.assertEqual(watts_of(phases + entry(TOTAL, signed(9)), CODES), [0.0, 1.0, 2.0])

    def test_two_phases_are_not_enough(self) -> None:
        phases = b"".join(entry(code, signed(5)) for code in PHASES[1:])
        self.assertEqual(watts_of(phases + entry(TOTAL, signed(9)), CODES), [9.0])
        self.assertEqual(self.kind_of(phases), "missing_field")

    def test_scalers(self) -> None:
        for scaler, value, watts in (
            (-3, -411_500, -411.5),
            (-2, 12345, 123.45),
            (-1, 3, 0.3),
            (0, 7, 7.0),
            (2, 7, 700.0),
            (-127, 1, 1e-127),
        ):
            content = entry(TOTAL, signed(value), scaled(scaler))
            self.assertEqual(watts_of(content, CODES), [watts])

    def test_without_a_scaler(self) -> None:
        self.assertEqual(watts_of(entry(TOTAL, signed(7), b"\x01"), CODES), [7.0])

    def test_sizes_and_signs(self) -> None:
        for value, watts in (
            (b"\x52\xff", -1.0),
            (b"\x62\xff", 255.0),
            (b"\x63\xfc\x25", 64549.0),
            (b"\x54\xff\xff\xfe", -2.0),
            (b"\x66\x00\x00\x00\x01\x00", 256.0),
        ):
            self.assertEqual(watts_of(entry(TOTAL, value), CODES), [watts])

    def test_the_last_of_a_register_wins(self) -> None:
        content = entry(TOTAL, signed(1)) + entry(TOTAL, signed(2))
        self.assertEqual(watts_of(content, CODES), [2.0])

    def test_a_register_without_a_value_is_not_there(self) -> None:
        self.assertEqual(self.kind_of(entry(TOTAL, b"\x01")), "missing_field")

    def test_other_entries_may_be_odd(self) -> None:
        odd = entry("0100600100ff", b"\x01") + b"\x77\x07\x01\x00\x62\x3c\x01"
        self.assertEqual(watts_of(odd + entry(TOTAL, signed(5)), CODES), [5.0])

    def test_status_and_time_of_an_entry_may_be_lists(self) -> None:
        plain = entry(TOTAL, signed(5))
        nested = plain.replace(
            b"\x01\x01\x62", b"\x65\x00\x1c\x80\x04\x72\x62\x01\x65\x00\x00\x00\x09\x62", 1
        )
        self.assertEqual(watts_of(nested, CODES), [5.0])

    def test_other_units_are_refused(self) -> None:
        for unit in (28, 30, 0):
            content = entry(TOTAL, signed(5), unit=unit)
            self.assertEqual(self.kind_of(content), "wrong_unit")

    def test_no_power_is_an_error_and_not_zero(self) -> None:
        self.assertEqual(self.kind_of(ENERGY), "missing_field")
        self.assertEqual(self.kind_of(b""), "missing_field")

    def test_what_is_no_number(self) -> None:
        for value in (b"\x42\x01", b"\x03\x31\x32", signed(2**70, 9), b"\x72\x52\x01\x52\x02"):
            kind = self.kind_of(entry(TOTAL, value))
            # Nested lists have no value that could be used.
            self.assertEqual(kind, "missing_field" if value[0] == 0x72 else "not_numeric", value)
        self.assertEqual(self.kind_of(entry(TOTAL, signed(5), b"\x53\x7f\xff")), "not_numeric")

    def test_entries_that_break_off_or_lie_about_their_size(self) -> None:
        whole = entry(TOTAL, signed(5))
        head = whole[:8]
        for content in (
            *(whole[:length] for length in range(8, len(whole))),
            head + b"\x8f\x8f\x8f\x8f\x8f\x0f",  # a text of 16 million bytes
            head + b"\xff\xff\xff\x0f",  # a list of thousands
            head + b"\xf8\x00",
            head + b"\x7f" * 2000,
            head + b"\x30",
            head + b"\x80" * 5000,
        ):
            self.assertEqual(self.kind_of(content), "undecodable", content[:40])

    def test_a_list_that_claims_to_be_endless_does_not_fill_the_memory(self) -> None:
        content = entry(TOTAL, signed(5))[:8] + b"\xff\x8f\x8f\x8f\x8f\x0f"
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(self.kind_of(content), "undecodable")
        self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)

    def test_other_registers(self) -> None:
        codes = dataclasses.replace(CODES, obis_power_current="81000f0700ff")
        content = entry("81000f0700ff", signed(-55)) + entry(TOTAL, signed(1))
        self.assertEqual(watts_of(content, codes), [-55.0])

    def test_an_empty_code_switches_a_register_off(self) -> None:
        phases = b"".join(entry(code, signed(1)) for code in PHASES)
        content = phases + entry(TOTAL, signed(9))
        for key in ("obis_power_l1", "obis_power_l2", "obis_power_l3"):
            codes = dataclasses.replace(CODES, **{key: ""})
            self.assertEqual(watts_of(content, codes), [9.0])

    def test_any_whole_number_is_read(self) -> None:
        @settings(deadline=None, derandomize=True)
        @given(
            st.lists(st.integers(-(2**31), 2**31 - 1), min_size=3, max_size=3),
            st.integers(-4, 3),
        )
        def check_one(values: list[int], scaler: int) -> None:
            pairs = zip(PHASES, values, strict=True)
            content = b"".join(entry(code, signed(v), scaled(scaler)) for code, v in pairs)
            expected = [round(v * 10.0**scaler, abs(scaler) + 3) for v in values]
            self.assertEqual(watts_of(content, CODES), expected)
            self.assertEqual(self.smllib(content), values)

        check_one()

    def smllib(self, content: bytes) -> Sequence[object]:
        return [found.value for found in SmlFrame(content).get_obis()]

    def test_any_bytes_are_a_reading_or_a_meter_error(self) -> None:
        whole = entry(TOTAL, signed(5))
        pieces = st.sampled_from(
            [whole[:8], b"\x7f", b"\xf1\x0f", b"\x52\x01", b"\x62\x1b", b"\x01"]
        )

        @settings(deadline=None, derandomize=True, max_examples=500)
        @given(st.lists(pieces | st.binary(max_size=6), max_size=20))
        def check_one(parts: list[bytes]) -> None:
            content = b"".join(parts)
            try:
                watts = watts_of(content, CODES)
            except MeterError as error:
                self.assertLess(len(str(error)), 200)
            else:
                self.assertEqual([type(value) for value in watts], [float] * len(watts))

        check_one()


class BodyTests(SynchronousTestCase):
    """Whole answers that hold a telegram."""

    def test_the_first_intact_telegram_counts(self) -> None:
        damaged = bytearray(power(1))
        damaged[20] ^= 1
        self.assertEqual(watts_in(bytes(damaged) + power(2) + power(3), CODES), [2.0])

    def test_without_a_telegram(self) -> None:
        for body in (b"", b"not sml", power(1)[:-1], telegram(b"\x76\x00")[:-1]):
            with self.assertRaises(MeterError) as caught:
                watts_in(body, CODES)
            self.assertEqual(caught.exception.kind, "undecodable")


class OptionTests(SynchronousTestCase):
    def test_codes(self) -> None:
        parse = obis_code().parse
        self.assertEqual(parse("01000F0700FF"), "01000f0700ff")
        self.assertEqual(parse(""), "")
        for bad in ("1-0:16.7.0", "0100100700", "0100100700fg", "0100100700ff00"):
            with self.assertRaises(ValueError):
                parse(bad)

    def test_there_must_be_something_to_read(self) -> None:
        total_off = dataclasses.replace(CODES, obis_power_current="")
        nothing = dataclasses.replace(total_off, obis_power_l2="")
        self.assertEqual([list(check(CODES)), list(check(total_off))], [[], []])
        self.assertEqual([key for key, _ in check(nothing)], ["OBIS_POWER_CURRENT"])
