from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import iobroker
from astrameter.meters.iobroker import Options, url_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

DIFFERENCES: dict[str, list[dict[str, Any]]] = {
    # Fractions of a watt count, so that no error adds up (meters.md section 1.1).
    "MH06": [{"watts": [-321.7]}],
    "MH07": [{"watts": [100.9 - 900.9]}],
    # 0 W would tell the batteries that the house is balanced, for ever.
    "MH08": [{"error": "missing_field"}],
}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "iobroker"]

PLAIN = Options(ip="broker", port=8087, current_power_alias="power")
CALCULATED = Options(
    ip="broker", port=8087, power_calculate=True, power_input_alias="a", power_output_alias="b"
)
LINES = ("IP = broker", "PORT = 8087")


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MH{i:02}" for i in range(6, 10)])


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("IOBROKER", *lines)

    def test_what_is_needed(self) -> None:
        self.assertEqual(
            self.problems(), ["IP: this key is required", "PORT: this key is required"]
        )
        [problem] = self.problems(*LINES)
        self.assertIn("CURRENT_POWER_ALIAS: this key is required", problem)
        self.assertEqual(self.problems(*LINES, "CURRENT_POWER_ALIAS = a"), [])

    def test_what_is_needed_for_calculated_power(self) -> None:
        lines = (*LINES, "POWER_CALCULATE = yes", "POWER_INPUT_ALIAS = a")
        [problem] = self.problems(*lines)
        self.assertIn("POWER_OUTPUT_ALIAS: this key is required", problem)
        self.assertEqual(self.problems(*lines, "POWER_OUTPUT_ALIAS = b"), [])

    def test_the_port_stands_alone(self) -> None:
        for ip in ("broker:8087", "broker/path"):
            [problem] = self.problems(f"IP = {ip}", "PORT = 8087", "CURRENT_POWER_ALIAS = a")
            self.assertTrue(problem.startswith("IP: this is the device's address alone"), problem)
        for ip in ("broker", "192.168.1.20", "[fe80::1]", "fe80::1"):
            lines = (f"IP = {ip}", "PORT = 8087", "CURRENT_POWER_ALIAS = a")
            self.assertEqual(self.problems(*lines), [])


class AddressTests(SynchronousTestCase):
    def test_an_id_may_hold_any_character(self) -> None:
        options = Options(ip="broker", port=8087, current_power_alias="hm.0.A B#1/x?y%41,ö+")
        self.assertEqual(
            url_of(options).sent,
            b"http://broker:8087/getBulk/hm.0.A%20B%231%2Fx%3Fy%2541%2C%C3%B6%2B",
        )


class ParserTests(SynchronousTestCase):
    def test_other_states_and_other_things_are_passed_over(self) -> None:
        document = [None, 5, {"val": 1}, {"id": ["power"]}, {"id": "power", "val": "2.5"}]
        self.assertEqual(iobroker.parse(document, PLAIN), (2.5,))

    def test_the_message_names_the_state(self) -> None:
        for document, kind, message in (
            ([], "missing_field", "no state b in the answer: check its id"),
            ([{"id": "b"}], "missing_field", "nothing at $.val"),
            ([{"id": "b", "val": None}], "not_numeric", "the state b is null, not a number"),
        ):
            found = [{"id": "a", "val": 1}, *document]
            error = self.assertRaises(MeterError, iobroker.parse, found, CALCULATED)
            self.assertEqual((error.kind, str(error)), (kind, message))


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [IOBROKER]
        IP = {host}
        PORT = {port}
        CURRENT_POWER_ALIAS = alias.0.power
        """
    GOOD: ClassVar[Any] = [{"id": "alias.0.power", "val": -321.75, "ts": 1720000000000}]
    WATTS = (-321.75,)
    NUMBERS = ((0, "val"),)

    def parse(self, document: object, options: Options) -> tuple[float, ...]:
        return iobroker.parse(document, options)
