from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import fronius
from astrameter.meters.fronius import Options
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import NO_NUMBERS, BadHttpInput
from tests.astrameter.meters.http_rig import answer, problems_of, run_http_vector
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "fronius"]

PLAIN = Options(ip="inverter")
PER_PHASE = Options(ip="inverter", per_phase=True)


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MF{i:02}" for i in range(1, 7)])


class OptionTests(SynchronousTestCase):
    def test_only_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("FRONIUS"), ["IP: this key is required"])
        self.assertEqual(problems_of("FRONIUS", "IP = inverter"), [])


class ParserTests(SynchronousTestCase):
    def failure(self, document: object, options: Options) -> tuple[str, str]:
        error = self.assertRaises(MeterError, fronius.parse, document, options)
        return error.kind, str(error)

    def test_without_any_phase_there_is_no_reading(self) -> None:
        for data in ({}, {"PowerReal_P_Sum": 5}):
            kind, message = self.failure({"Body": {"Data": data}}, PER_PHASE)
            self.assertEqual(kind, "missing_field")
            self.assertIn("use PER_PHASE = no", message)

    def test_a_phase_that_is_no_number_is_not_a_missing_one(self) -> None:
        data = {"PowerReal_P_Phase_1": 1, "PowerReal_P_Phase_2": None}
        kind, _ = self.failure({"Body": {"Data": data}}, PER_PHASE)
        self.assertEqual(kind, "not_numeric")

    def test_the_inverter_says_why(self) -> None:
        for status, message in (
            ({"Code": 255, "Reason": "Transfer timeout."}, "code 255: Transfer timeout."),
            ({"Code": "8", "Reason": "", "UserMessage": "Later"}, "code 8: Later"),
            ({"Code": 1, "Reason": ["x" * 500]}, "code 1: ['" + "x" * 78),
            ({"Code": -1}, "code -1"),
        ):
            document = {"Head": {"Status": status}, "Body": {"Data": {"PowerReal_P_Sum": 5}}}
            self.assertEqual(
                self.failure(document, PLAIN),
                ("device_status", f"the inverter answers with {message}"),
            )


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [FRONIUS]
        IP = {addr}
        DEVICE_ID = {password}
        """
    GOOD: ClassVar[Any] = {
        "Head": {"Status": {"Code": 0}},
        "Body": {"Data": {"PowerReal_P_Sum": -1234.5}},
    }
    WATTS: ClassVar[tuple[float, ...]] = (-1234.5,)
    NUMBERS = (("Body", "Data", "PowerReal_P_Sum"),)

    def parse(self, document: object, options: Options) -> tuple[float, ...]:
        return fronius.parse(document, options)

    async def test_the_status_of_the_device(self) -> None:
        for code in NO_NUMBERS[:7]:
            document = {"Head": {"Status": {"Code": code}}} | {"Body": self.GOOD["Body"]}
            await self.check(answer(document), "not_numeric")
        heads: tuple[Any, ...] = ([], None, {"Status": 5})
        for head in heads:
            document = {"Head": head} | {"Body": self.GOOD["Body"]}
            await self.check(answer(document), "bad_structure")


class PhaseBadInputTests(BadInputTests):
    CONFIG = BadInputTests.CONFIG + "PER_PHASE = yes"
    GOOD: ClassVar[Any] = {"Body": {"Data": {"PowerReal_P_Phase_1": -1.5}}}
    WATTS = (-1.5, 0.0, 0.0)
    NUMBERS = (("Body", "Data", "PowerReal_P_Phase_1"),)
