from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import emlog
from astrameter.meters.emlog import Options
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

# Fractions of a watt count, so that no error adds up (meters.md section 1.1).
DIFFERENCES = {"MH05": [{"watts": [12 - 812.9]}]}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "emlog"]


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], ["MH04", "MH05"])


class OptionTests(SynchronousTestCase):
    def test_only_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("EMLOG"), ["IP: this key is required"])
        self.assertEqual(problems_of("EMLOG", "IP = device"), [])

    def test_the_export_is_not_needed_unless_it_is_subtracted(self) -> None:
        options = Options(ip="device")
        self.assertEqual(emlog.parse({"Leistung170": "-5.5"}, options), (-5.5,))


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [EMLOG]
        IP = {addr}
        METER_INDEX = {password}
        JSON_POWER_CALCULATE = yes
        """
    GOOD: ClassVar[Any] = {"product": "Emlog", "Leistung170": "456", "Leistung270": 0.5}
    WATTS = (455.5,)
    NUMBERS = (("Leistung170",), ("Leistung270",))

    def parse(self, document: object, options: Options) -> tuple[float, ...]:
        return emlog.parse(document, options)
