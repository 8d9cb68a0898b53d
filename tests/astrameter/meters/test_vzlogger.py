from __future__ import annotations

import time
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import load_text
from astrameter.meters import vzlogger
from astrameter.meters.vzlogger import Options, urls_of
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import (
    Device,
    Received,
    Script,
    answer,
    problems_of,
    reactor,
    run_http_vector,
    say_nothing,
)
from tests.vectors import each, load

# Fractions of a watt count, so that no error adds up (meters.md section 1.1).
DIFFERENCES = {
    "MH10": [{"watts": [-250.9]}],
    "MH11": [{"watts": [100.2, 200.2, -300.2]}],
}

CASES = [case for case in load("meters")["vectors"] if case["source"] == "vzlogger"]

LINES = ("IP = 192.0.2.1", "PORT = 8080")


def channel(watts: float) -> bytes:
    return answer({"data": [{"tuples": [[1720000000000, watts]]}]})


class VectorTests(TestCase):
    timeout = 240

    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], ["MH10", "MH11", "MH12"])


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        return problems_of("VZLOGGER", *lines)

    def test_what_is_needed(self) -> None:
        keys = ("IP", "PORT", "UUID")
        self.assertEqual(self.problems(), [f"{key}: this key is required" for key in keys])
        self.assertEqual(self.problems(*LINES, "UUID = u1"), [])

    def test_an_empty_uuid_would_shift_the_phases(self) -> None:
        [problem] = self.problems(*LINES, "UUID = u1,,u3")
        self.assertEqual(problem, "UUID: one of the UUIDs between the commas is empty")

    def test_addresses(self) -> None:
        options = Options(ip="fe80::1", port=8080, uuid=("u1", "a/b ?"))
        [first, second] = urls_of(Options(ip="[fe80::1]", port=8080, uuid=options.uuid))
        self.assertEqual(first.sent, b"http://[fe80::1]:8080/u1")
        self.assertEqual(second.sent, b"http://[fe80::1]:8080/a%2Fb%20%3F")


class PhaseTests(TestCase):
    timeout = 240

    def meter(self, clock: Any, port: int) -> Any:
        lines = ["[VZLOGGER]", "IP = 127.0.0.1", f"PORT = {port}", "UUID = u1, u2, u3"]
        [one] = load_text("\n".join(lines), "config.ini").meters
        meter = one.kind.build(clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def test_one_failure_fails_the_reading_and_ends_the_other_requests(self) -> None:
        scripts: dict[str, Script] = {
            "/u1": channel(1.5),
            "/u2": answer("no such channel", "404 Not Found"),
            "/u3": say_nothing,
        }

        def script_for(request: Received) -> Script:
            return scripts[request.target]

        device = Device(self, b"")
        device.script_for = script_for  # type: ignore[method-assign]
        meter = self.meter(reactor, device.port)
        started = time.monotonic()
        error = await self.assertFailure(meter.read(), MeterError)
        self.assertEqual(error.kind, "http_status")
        self.assertIn("/u2 answered 404", str(error))
        self.assertLess(time.monotonic() - started, 1.5)
        scripts |= {"/u2": channel(2.5), "/u3": channel(3.5)}
        self.assertEqual((await meter.read()).watts, (1.5, 2.5, 3.5))

    def test_a_stop_ends_all_requests(self) -> None:
        clock = MemoryReactorClock()
        meter = self.meter(clock, 8080)
        reading = meter.read()
        self.assertEqual(len(clock.tcpClients), 3)
        self.successResultOf(meter.stopService())
        self.failureResultOf(reading, MeterError)
        self.assertEqual(clock.getDelayedCalls(), [])


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [VZLOGGER]
        IP = {host}
        PORT = {port}
        UUID = aaaa-1
        """
    GOOD: ClassVar[Any] = {
        "version": "0.8.1",
        "data": [{"uuid": "aaaa-1", "tuples": [[1720000000000, -250.5], [1719999999000, 99]]}],
    }
    WATTS = (-250.5,)
    NUMBERS = (("data", 0, "tuples", 0, 1),)

    def parse(self, document: object, _options: Options) -> tuple[float, ...]:
        return vzlogger.parse(document)
