from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import amis_reader
from astrameter.meters.amis_reader import Options
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "amis_reader"]


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        # Of MH18, a refused connection, there are no exchanges.
        case = {"exchanges": []} | case | {"transport": "http"}
        return Deferred.fromCoroutine(run_http_vector(self, case))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MH{i}" for i in range(15, 19)])


class OptionTests(SynchronousTestCase):
    def test_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("AMIS_READER"), ["IP: this key is required"])
        self.assertEqual(problems_of("AMIS_READER", "IP = device"), [])


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [AMIS_READER]
        IP = {addr}
        """
    GOOD: ClassVar[Any] = {"now": "", "1.8.0": 1, "saldo": -777.5}
    WATTS = (-777.5,)
    NUMBERS = (("saldo",),)

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return amis_reader.parse(document)
