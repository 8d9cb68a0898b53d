from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.meters import shrdzm
from astrameter.meters.shrdzm import Options
from astrameter.options import options_of
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "shrdzm"]

# The predecessor cut the password at # and made a parameter of what follows &.
ESCAPED = {"MH02": "/getLastData?user=u+x&password=p%26a%23b%25c"}


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        if case["id"] in ESCAPED:
            [exchange] = case["exchanges"]
            request = exchange["request"] | {"target": ESCAPED[case["id"]]}
            self.assertNotEqual(request, exchange["request"])
            case = case | {"exchanges": [exchange | {"request": request}]}
        return Deferred.fromCoroutine(run_http_vector(self, case))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], ["MH01", "MH02", "MH03"])


class OptionTests(SynchronousTestCase):
    def test_only_the_address_is_needed(self) -> None:
        self.assertEqual(problems_of("SHRDZM"), ["IP: this key is required"])
        self.assertEqual(problems_of("SHRDZM", "IP = device"), [])

    def test_the_password_is_secret(self) -> None:
        self.assertEqual([o.key for o in options_of(Options) if o.secret], ["PASS"])


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [SHRDZM]
        IP = {addr}
        USER = admin
        PASS = {password}
        """
    GOOD: ClassVar[Any] = {"timestamp": "2026-01-01T12:00:00", "1.7.0": "1200.5", "2.7.0": 350}
    WATTS = (850.5,)
    NUMBERS = (("1.7.0",), ("2.7.0",))

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return shrdzm.parse(document)
