"""The codec: total on any bytes, exact in its numbers."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import MeterError, Sample
from astrameter.shelly import rpc
from astrameter.shelly.rpc import Method, Rejection, Request

PROPERTY = settings(deadline=None, derandomize=True, database=None)

ids = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)
powers = st.floats(-1e6, 1e6)


def parse(text: str) -> Request | Rejection:
    return rpc.parse(text.encode())


def answer(method: Method, *watts: float) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(rpc.reply(Request("1", method), "d", Sample(watts, 0.0)))
    numbers: dict[str, Any] = result["result"]
    return numbers


class ParseTests(SynchronousTestCase):
    def test_both_methods(self) -> None:
        self.assertEqual(
            parse('{"id":1,"method":"EM.GetStatus","params":{"id":0}}'), Request("1", Method.EM)
        )
        self.assertEqual(
            parse('{"id":"x","method":"EM1.GetStatus","params":{"id":-7}}'),
            Request('"x"', Method.EM1),
        )

    def test_names_why_it_rejects(self) -> None:
        for text, why in {
            "": Rejection.NOT_JSON,
            "{}{}": Rejection.NOT_JSON,
            "[]": Rejection.NOT_A_REQUEST,
            '{"id":1,"method":"EM.GetStatus","params":{"id":0.0}}': Rejection.NOT_A_REQUEST,
            '{"method":"EM.GetStatus","params":{"id":0}}': Rejection.NO_ID,
            '{"id":1,"method":["EM.GetStatus"],"params":{"id":0}}': Rejection.OTHER_METHOD,
            '{"id":1,"method":{},"params":{"id":0}}': Rejection.OTHER_METHOD,
        }.items():
            self.assertIs(parse(text), why, text)
        self.assertIs(rpc.parse(b"\xff{}"), Rejection.NOT_TEXT)

    def test_other_encodings_are_not_guessed(self) -> None:
        text = '{"id":1,"method":"EM.GetStatus","params":{"id":0}}'
        self.assertIs(rpc.parse(text.encode("utf-16-le")), Rejection.NOT_JSON)
        self.assertIs(rpc.parse(text.encode("utf-8-sig")), Rejection.NOT_JSON)

    def test_an_id_that_json_cannot_express_is_refused(self) -> None:
        for number in ("NaN", "Infinity", "-Infinity", "1e999"):
            text = f'{{"id":{number},"method":"EM.GetStatus","params":{{"id":0}}}}'
            self.assertIs(parse(text), Rejection.NOT_JSON, number)

    def test_too_long_is_not_looked_at(self) -> None:
        text = '{"id":1,"method":"EM.GetStatus","params":{"id":0}}'
        longest = text.ljust(rpc.MAX_REQUEST_BYTES)
        self.assertIsInstance(parse(longest), Request)
        self.assertIs(parse(longest + " "), Rejection.TOO_LONG)

    def test_deep_nesting_is_refused(self) -> None:
        for depth in range(900, 2001, 50):
            nested = "[" * depth + "]" * depth
            text = f'{{"id":{nested},"method":"EM.GetStatus","params":{{"id":0}}}}'
            self.assertIn(parse(text), (Rejection.NOT_JSON, Request(nested, Method.EM)))
        self.assertIs(parse("[" * 4096), Rejection.NOT_JSON)
        self.assertIs(parse('{"a":' * 800), Rejection.NOT_JSON)

    @PROPERTY
    @given(st.binary(max_size=300))
    def test_never_raises(self, datagram: bytes) -> None:
        self.assertIsInstance(rpc.parse(datagram), Rejection)

    @PROPERTY
    @given(ids, st.integers(), st.sampled_from(Method), st.booleans())
    def test_any_id_is_echoed(self, id_: Any, channel: int, method: Method, ascii_: bool) -> None:
        text = json.dumps(
            {"id": id_, "method": method.value, "params": {"id": channel}}, ensure_ascii=ascii_
        )
        request = parse(text)
        assert isinstance(request, Request)
        reply = rpc.reply(request, "shelly-ä", Sample((1.0,), 0.0))
        document = json.loads(reply.decode("ascii"))
        self.assertEqual(document["id"], id_)
        self.assertEqual(list(document), ["id", "src", "dst", "result"])
        self.assertEqual(document["src"], "shelly-ä")
        self.assertEqual(document["dst"], "unknown")


class NumberTests(SynchronousTestCase):
    def test_exact_text(self) -> None:
        self.assertEqual(
            rpc.reply(Request("1", Method.EM), "d", Sample((100.0, -0.05, -300.25), 0.0)),
            b'{"id":1,"src":"d","dst":"unknown","result":{"a_act_power":100.0,'
            b'"b_act_power":0.001,"c_act_power":-300.2,"total_act_power":-200.3}}',
        )

    def test_total_of_nothing_is_not_zero(self) -> None:
        self.assertEqual(answer(Method.EM1), {"act_power": 0.001})

    def test_what_is_not_finite_is_a_meter_failure(self) -> None:
        for watts in ((math.nan,), (math.inf, 1.0, 2.0), (math.inf, -math.inf), (1.7e308, 1.7e308)):
            for method in Method:
                with self.assertRaises(MeterError) as caught:
                    answer(method, *watts)
                self.assertEqual(caught.exception.kind, "not_numeric")

    @PROPERTY
    @given(st.lists(powers, min_size=3, max_size=3))
    def test_every_number_has_a_point_and_is_never_zero(self, watts: list[float]) -> None:
        text = rpc.reply(Request("1", Method.EM), "d", Sample(tuple(watts), 0.0)).decode()
        for number in text.partition('"result":{')[2].rstrip("}").split(","):
            self.assertRegex(number, r'^"\w+":-?\d+\.\d+$')
            self.assertNotEqual(float(number.partition(":")[2]), 0.0)

    @PROPERTY
    @given(powers, powers, powers)
    def test_phases_and_total_stay_within_their_rounding(
        self, a: float, b: float, c: float
    ) -> None:
        numbers = answer(Method.EM, a, b, c)
        for name, power in {"a": a, "b": b, "c": c}.items():
            self.assertLessEqual(abs(numbers[f"{name}_act_power"] - power), 0.102)
        self.assertLessEqual(abs(numbers["total_act_power"] - (a + b + c)), 0.002)

    @PROPERTY
    @given(st.lists(powers, max_size=6))
    def test_em1_is_the_total_of_em(self, watts: list[float]) -> None:
        total = answer(Method.EM, *watts)["total_act_power"]
        single = answer(Method.EM1, *watts)["act_power"]
        self.assertEqual(total, single if len(watts) in (1, 3) else 0.001)

    @PROPERTY
    @given(st.lists(st.floats(), max_size=5), st.sampled_from(Method))
    def test_replies_or_fails_as_a_meter_whatever_the_reading(
        self, watts: list[float], method: Method
    ) -> None:
        try:
            numbers = answer(method, *watts)
        except MeterError:
            self.assertFalse(math.isfinite(Sample(tuple(watts), 0.0).total))
        else:
            self.assertTrue(all(map(math.isfinite, numbers.values())))
