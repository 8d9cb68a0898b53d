from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters import esphome
from astrameter.meters.esphome import Options, url_of
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import problems_of, run_http_vector
from tests.vectors import each, load

# Fractions of a watt count, so that no error adds up (meters.md section 1.1).
DIFFERENCES = {"MH13": [{"watts": [-12.99]}]}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "esphome"]


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], ["MH13", "MH14"])


class OptionTests(SynchronousTestCase):
    def test_what_is_needed(self) -> None:
        keys = ("DOMAIN", "ID", "IP")
        problems = problems_of("ESPHOME")
        self.assertEqual(sorted(problems), [f"{key}: this key is required" for key in keys])

    def test_the_port_is_that_of_the_web(self) -> None:
        config = "[ESPHOME]\nIP = device\nDOMAIN = sensor\nID = grid"
        [one] = load_text(config, "config.ini").meters
        self.assertEqual(url_of(one.options).sent, b"http://device/sensor/grid")
        one.kind.build(MemoryReactorClock(), one.section, one.options)

    def test_ids_are_sent_as_the_web_server_has_them(self) -> None:
        for written, sent in (
            ("grid power", b"grid%20power"),
            ("grid%20power", b"grid%20power"),
            ("sub-device/grid", b"sub-device/grid"),
            ("a#b?c", b"a%23b%3Fc"),
        ):
            options = Options(ip="device", port=81, domain="sensor", id=written)
            self.assertEqual(url_of(options).sent, b"http://device:81/sensor/" + sent)


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [ESPHOME]
        IP = {host}
        PORT = {port}
        DOMAIN = sensor
        ID = grid_power
        """
    GOOD: ClassVar[Any] = {"id": "sensor-grid_power", "value": -12.75, "state": "-12.8 W"}
    WATTS = (-12.75,)
    NUMBERS = (("value",),)

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return esphome.parse(document)
