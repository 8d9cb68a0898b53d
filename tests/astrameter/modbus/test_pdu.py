"""Requests and answers, without frames."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.pdu import DecodePDU
from twisted.trial.unittest import SynchronousTestCase

from astrameter.modbus.pdu import HOLDING, INPUT, ModbusError, ReadRequest
from tests.astrameter.modbus.rig import answer_pdu, refusal_pdu

ONE = ReadRequest(HOLDING, 100, 1)
TWO = ReadRequest(INPUT, 52, 2)


class Requests(SynchronousTestCase):
    def test_as_documented(self) -> None:
        """meters.md section 12: unit 3, function 3, address 100, count 2."""
        self.assertEqual(ReadRequest(HOLDING, 100, 2).encoded.hex(), "0300640002")
        self.assertEqual(ReadRequest(INPUT, 0xFFFF, 1).encoded.hex(), "04ffff0001")

    def test_the_range_is_the_protocols(self) -> None:
        ReadRequest(HOLDING, 0, 125)
        for address, count in ((-1, 1), (65536, 1), (0, 0), (0, 126)):
            with self.subTest(address=address, count=count), self.assertRaises(ValueError):
                ReadRequest(HOLDING, address, count)

    @settings(deadline=None, derandomize=True)
    @given(st.sampled_from([HOLDING, INPUT]), st.integers(0, 65535), st.integers(1, 125))
    def test_a_server_understands(self, function: int, address: int, count: int) -> None:
        heard = DecodePDU(is_server=True).decode(ReadRequest(function, address, count).encoded)
        assert heard is not None
        found = (heard.function_code, heard.address, heard.count)
        self.assertEqual(found, (function, address, count))


class Answers(SynchronousTestCase):
    def refused(self, request: ReadRequest, pdu: bytes) -> tuple[str, str]:
        error = self.assertRaises(ModbusError, request.registers, pdu)
        return error.kind, str(error)

    @settings(deadline=None, derandomize=True)
    @given(
        st.sampled_from([HOLDING, INPUT]),
        st.lists(st.integers(0, 65535), min_size=1, max_size=125),
    )
    def test_registers_of_a_server_arrive(self, function: int, sent: list[int]) -> None:
        request = ReadRequest(function, 0, len(sent))
        pdu = answer_pdu(sent, function)
        self.assertTrue(request.fits(pdu))
        self.assertEqual(request.registers(pdu), tuple(sent))

    def test_a_refusal_says_what_to_check(self) -> None:
        for code, words in (
            (1, "exception 1, illegal function: it has no input registers"),
            (2, "exception 2, illegal data address: it has no input registers at 52..53"),
            (3, "exception 3, illegal data value: it does not give 2 registers at once"),
            (6, "exception 6, device busy"),
            (11, "exception 11, gateway target failed to respond: nothing behind the gateway"),
            (99, "exception 99, for a reason of its own"),
        ):
            pdu = refusal_pdu(code, INPUT)
            self.assertTrue(TWO.fits(pdu))
            kind, text = self.refused(TWO, pdu)
            self.assertEqual(kind, "modbus_exception")
            self.assertTrue(text.startswith(f"the device refused: {words}"), text)
        _, text = self.refused(ONE, refusal_pdu(2))
        self.assertTrue(text.endswith("no holding registers at 100"), text)

    def test_a_refusal_without_a_reason(self) -> None:
        for pdu in (b"\x83", b"\x83\1\2"):
            self.assertFalse(ONE.fits(pdu))
            self.assertEqual(self.refused(ONE, pdu)[0], "modbus_exception")

    def test_fewer_registers_than_asked(self) -> None:
        self.assertEqual(
            self.refused(TWO, answer_pdu([5], INPUT)),
            ("too_short", "the device sent 1 instead of 2 registers at 52"),
        )

    def test_an_answer_that_breaks_off(self) -> None:
        for pdu in (b"\3", b"\3\2", b"\3\2\0"):
            self.assertEqual(self.refused(ONE, pdu)[0], "too_short")

    def test_an_answer_to_something_else(self) -> None:
        for pdu in (
            b"\4\2\0\1",
            b"\x84\2",
            b"\0",
            answer_pdu([1, 2]),
            b"\3\2\0\1\0",
            b"\3\3\0\1\2",
        ):
            self.assertFalse(ONE.fits(pdu) and len(pdu) == 4, pdu)
            self.assertEqual(self.refused(ONE, pdu)[0], "bad_structure", pdu)

    @settings(deadline=None, derandomize=True, max_examples=500)
    @given(
        st.sampled_from([HOLDING, INPUT]),
        st.integers(1, 125),
        st.one_of(
            st.binary(min_size=1, max_size=260),
            st.binary(max_size=10).map(lambda rest: b"\3" + rest),
            st.binary(max_size=10).map(lambda rest: b"\x84" + rest),
        ),
    )
    def test_whatever_arrives_is_registers_or_an_error(
        self, function: int, count: int, pdu: bytes
    ) -> None:
        request = ReadRequest(function, 7, count)
        request.fits(pdu)
        try:
            found = request.registers(pdu)
        except ModbusError as error:
            self.assertIn(error.kind, ("modbus_exception", "too_short", "bad_structure"))
        else:
            self.assertEqual(len(found), count)
            self.assertTrue(request.fits(pdu))
