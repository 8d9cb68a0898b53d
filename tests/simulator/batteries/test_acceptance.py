"""Which answers are taken: marstek-devices.md section 1.6."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import encode
from simulator.batteries.acceptance import Acceptance, Answer, Rejection
from tests.simulator.batteries.rig import CT_MAC, MAC, datagram, fields_of, numbers, steered


class Taken(SynchronousTestCase):
    def setUp(self) -> None:
        self.checks = Acceptance("HME-4", CT_MAC, MAC)

    def test_the_numbers_arrive_in_their_places(self) -> None:
        wanted = Answer(
            (1, -2, 3), 44, (5, 6, 7, 8), 9, (-10, -11, -12, -13, -14), (15, 16, 17, 18, 19)
        )
        self.assertEqual(self.checks.judge(datagram(wanted, index=9)), wanted)

    def test_more_than_24_fields_are_fine(self) -> None:
        fields = fields_of(numbers((120, 0, 0)))
        for extra in (["123456", "0", "7", "0"], [""], ["1"] * 12):
            self.assertIsInstance(self.checks.judge(encode([*fields, *extra])), Answer)

    def test_less_than_24_fields_are_not(self) -> None:
        fields = fields_of(numbers((120, 0, 0)))
        self.assertEqual(self.checks.judge(encode(fields[:23])), Rejection.TOO_FEW_FIELDS)

    def test_field_1_is_exactly_the_own_ct_type(self) -> None:
        for other in ("HME-3", "hme-4", "HME-4 ", ""):
            self.assertEqual(
                self.checks.judge(steered(120, ct_type=other)), Rejection.OTHER_CT_TYPE
            )

    def test_an_empty_ct_type_wants_an_empty_field_1(self) -> None:
        checks = Acceptance("", CT_MAC, None)
        self.assertIsInstance(checks.judge(steered(120, ct_type="")), Answer)
        self.assertEqual(checks.judge(steered(120)), Rejection.OTHER_CT_TYPE)

    def test_field_2_is_the_paired_ct(self) -> None:
        other = steered(120, ct_mac="665544332211")
        self.assertEqual(self.checks.judge(other), Rejection.OTHER_CT_MAC)
        for unpaired in ("", "11223"):
            self.assertIsInstance(Acceptance("HME-4", unpaired, None).judge(other), Answer)

    def test_field_4_is_the_own_id_where_it_is_checked(self) -> None:
        other = steered(120, mac="02B250000002")
        self.assertEqual(self.checks.judge(other), Rejection.OTHER_BATTERY)
        self.assertIsInstance(Acceptance("HME-4", CT_MAC, None).judge(other), Answer)

    def test_a_repeated_index_is_a_duplicate_unless_it_is_zero(self) -> None:
        judged = [self.checks.judge(steered(120, index)) for index in (5, 5, 6, 5, 0, 0)]
        self.assertEqual(
            [one is Rejection.DUPLICATE for one in judged],
            [False, True, False, False, False, False],
        )

    def test_a_dropped_answer_does_not_change_what_a_duplicate_is(self) -> None:
        self.checks.judge(steered(120, 5))
        self.checks.judge(steered(120, 6, ct_type="HME-3"))
        self.assertEqual(self.checks.judge(steered(120, 5)), Rejection.DUPLICATE)

    def test_256_bytes_and_more_are_rejected(self) -> None:
        checks = Acceptance("HME-4", "", None)
        for size, taken in ((255, True), (256, False), (300, False)):
            answers = (steered(120, ct_mac="M" * room) for room in range(250))
            answer = next(one for one in answers if len(one) == size)
            judged = checks.judge(answer)
            self.assertEqual(judged is Rejection.TOO_LONG, not taken)
            self.assertEqual(isinstance(judged, Answer), taken)


class Frame(SynchronousTestCase):
    def judge(self, answer: bytes) -> Answer | Rejection:
        return Acceptance("HME-4", CT_MAC, MAC).judge(answer)

    def answer_with_checksum_below_16(self) -> tuple[bytes, bytes]:
        for name in map("".join, product("Qaz059", repeat=3)):
            answer = steered(120, device_type=name)
            if answer[-2:-1] == b"0" and answer[-1:].isalpha():
                return answer[:-2], answer[-1:]
        raise AssertionError("no such answer")

    def test_the_checksum_is_read_leniently(self) -> None:
        body, digit = self.answer_with_checksum_below_16()
        for spelled in (b"0" + digit, b"0" + digit.upper(), b" " + digit, digit + b"-"):
            self.assertIsInstance(self.judge(body + spelled), Answer)

    def test_a_wrong_checksum_is_not(self) -> None:
        body, digit = self.answer_with_checksum_below_16()
        for spelled in (b"1" + digit, b"00", b"  ", b"zz", digit + digit):
            self.assertEqual(self.judge(body + spelled), Rejection.NO_FRAME)

    def test_garbage_is_no_frame(self) -> None:
        good = steered(120)
        wrong_length = good.replace(b"|", b"9|", 1)
        for garbage in (b"", b"hello", good[:-1], good + b"\n", good[2:], wrong_length):
            self.assertEqual(self.judge(garbage), Rejection.NO_FRAME)

    def test_text_in_a_number_is_read_as_atoi_does(self) -> None:
        fields = fields_of(numbers())
        fields[4:8] = ["12.7", "abc", "", " -7x"]
        judged = self.judge(encode(fields))
        assert isinstance(judged, Answer)
        self.assertEqual((*judged.phase_w, judged.total_w), (12, 0, 0, -7))
