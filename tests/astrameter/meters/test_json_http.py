from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter.config import Settings, load_text
from astrameter.meters.json_http import Options
from astrameter.meters.jsonpaths import JsonPath
from astrameter.meters.polled import PolledMeter
from astrameter.problems import ConfigError
from astrameter.reading import MeterError
from tests.astrameter.meters.bad_input import BadHttpInput
from tests.astrameter.meters.http_rig import (
    Device,
    Script,
    answer,
    reactor,
    run_http_vector,
    say_nothing,
    self_signed,
    then_close,
)
from tests.vectors import each, load

DIFFERENCES = {
    # Commas inside backquotes belong to the path.
    "MJ04": [{"watts": [331.74]}],
}
REFUSED = frozenset({"MJ10"})
"""Without JSON_PATHS the predecessor delivered empty readings, and batteries saw a balanced
house: refused at load instead."""

CASES = [case for case in load("meters")["vectors"] if case["source"] == "json_http"]


def configured(*lines: str) -> Settings:
    return load_text("\n".join(["[JSON_HTTP]", *lines]), "config.ini")


class VectorTests(TestCase):
    timeout = 240

    @each([case for case in CASES if case["id"] not in REFUSED])
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(run_http_vector(self, case, DIFFERENCES))

    def test_all_are_run(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"MJ{i:02}" for i in range(1, 12)])


class OptionTests(SynchronousTestCase):
    def problems(self, *lines: str) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            configured(*lines)
        return [f"{problem.key}: {problem.message}" for problem in caught.exception.problems]

    def test_options_are_read(self) -> None:
        [meter] = configured(
            "URL = http://device/api",
            "JSON_PATHS = $.a, $.b.`split( , 0, -1)`",
            "PASSWORD = secret # no comment",
            "HEADERS = X-Test: a:b ; Accept: application/json; junk;; X-Empty:",
        ).meters
        options = meter.options
        self.assertEqual(options.url.sent, b"http://device/api")
        self.assertEqual(options.json_paths, (JsonPath("$.a"), JsonPath("$.b.`split( , 0, -1)`")))
        self.assertEqual((options.username, options.password), ("", "secret # no comment"))
        self.assertEqual(
            options.headers, (("X-Test", "a:b"), ("Accept", "application/json"), ("X-Empty", ""))
        )

    def test_an_address_and_a_path_are_needed(self) -> None:
        self.assertEqual(
            self.problems(), ["URL: this key is required", "JSON_PATHS: this key is required"]
        )
        self.assertEqual(
            self.problems("URL = http://device/", "JSON_PATHS = ,"),
            ["JSON_PATHS: is missing: write the path to the power, like $.power"],
        )

    def test_bad_values_are_refused_at_load(self) -> None:
        [url, path, headers] = self.problems(
            "URL = device/api", "JSON_PATHS = $.power[", "HEADERS = My Token: abc"
        )
        self.assertTrue(url.startswith("URL: this is an address like http://"), url)
        self.assertTrue(path.startswith("JSON_PATHS: '$.power[' is no JSON path"), path)
        self.assertNotIn("abc", headers)

    def test_the_singular_key_is_unknown_and_names_the_right_one(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            configured("URL = http://device/", "JSON_PATH = $.power")
        [warning] = [w for w in caught.exception.warnings if w.key == "JSON_PATH"]
        self.assertIn("did you mean JSON_PATHS?", warning.message)

    def test_headers_round_trip(self) -> None:
        settings = configured("URL = http://device/", "JSON_PATHS = $", "HEADERS = A: 1:2; B: x y")
        [setting] = [s for s in settings.sections[-1].settings if s.option.key == "HEADERS"]
        self.assertEqual(setting.option.render(setting.value), "A: 1:2; B: x y")
        self.assertEqual(setting.text, "***")


class MeterTests(TestCase):
    """Against a device on the loopback interface that behaves badly."""

    timeout = 240

    def meter(self, device: Device, *lines: str) -> PolledMeter:
        settings = configured(f"URL = {device.url}", "JSON_PATHS = $.power", *lines)
        [one] = settings.meters
        meter: PolledMeter = one.kind.build(reactor, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def failure(self, *scripts: Script, tls: Any = None) -> tuple[str, str]:
        device = Device(self, *scripts, tls=tls)
        try:
            sample = await self.meter(device).read()
        except MeterError as error:
            return error.kind, str(error).replace(device.url, "DEVICE")
        raise AssertionError(f"no MeterError but {sample}")

    async def test_one_clear_message_for_each_failure(self) -> None:
        for script, expected in (
            (
                answer("oops", "500 Internal Server Error"),
                ("http_status", "DEVICE answered 500 Internal Server Error"),
            ),
            (
                answer("power=1"),
                ("invalid_json", "DEVICE did not answer with JSON but with 'power=1'"),
            ),
            (answer(b""), ("missing_field", "nothing at $.power")),
            (answer([1, 2]), ("missing_field", "nothing at $.power")),
            (answer('{"power": NaN}'), ("not_numeric", "$.power is NaN, not a number")),
            (answer('{"power": -Infinity}'), ("not_numeric", "$.power is -Infinity, not a number")),
            (answer('{"power": 1e999}'), ("not_numeric", "$.power is Infinity, not a number")),
            (answer({"power": "12 W"}), ("not_numeric", '$.power is "12 W", not a number')),
            (answer({"power": None}), ("not_numeric", "$.power is null, not a number")),
            (answer({"power": [1]}), ("not_numeric", "$.power is a list, not a number")),
            (answer({"power": {}}), ("not_numeric", "$.power is an object, not a number")),
            (
                then_close(answer({"power": 1}, length=99)),
                ("connect", "DEVICE closed the connection before its answer was complete"),
            ),
        ):
            self.assertEqual(await self.failure(script), expected)

    async def test_an_untrusted_certificate_is_refused(self) -> None:
        kind, _ = await self.failure(answer({"power": 1}), tls=self_signed("127.0.0.1"))
        self.assertEqual(kind, "tls_certificate")

    async def test_fifty_simultaneous_reads_are_one_request(self) -> None:
        device = Device(self, answer({"power": 5}))
        meter = self.meter(device)
        samples = await gatherResults([meter.read() for _ in range(50)])
        self.assertEqual({sample.watts for sample in samples}, {(5.0,)})
        self.assertEqual(len(device.received), 1)

    async def test_it_recovers_at_the_next_read(self) -> None:
        device = Device(self, answer("oops", "503 Busy"), answer({"power": 5}))
        meter = self.meter(device)
        await self.assertFailure(meter.read(), MeterError)
        self.assertEqual((await meter.read()).watts, (5.0,))
        await device.stop()
        await self.assertFailure(meter.read(), MeterError)
        device.start()
        self.assertEqual((await meter.read()).watts, (5.0,))

    async def test_stopping_ends_a_read_under_way_and_closes_the_connection(self) -> None:
        device = Device(self, answer({"power": 5}), say_nothing)
        meter = self.meter(device)
        await meter.read()
        reading = meter.read()
        await meter.stopService()
        await device.idle()
        await self.assertFailure(reading, MeterError)

    async def test_a_login_of_one_word_is_sent(self) -> None:
        device = Device(self, answer({"power": 5}))
        await self.meter(device, "USERNAME = user").read()
        self.assertEqual(device.received[0].headers["authorization"], "Basic dXNlcjo=")


class BadInputTests(BadHttpInput, TestCase):
    CONFIG = """
        [JSON_HTTP]
        URL = http://{addr}/api
        JSON_PATHS = $.phases[0].power, $.phases[1].power
        USERNAME = user
        PASSWORD = {password}
        """
    GOOD: ClassVar[Any] = {"phases": [{"power": 1.5}, {"power": "-2"}]}
    WATTS = (1.5, -2.0)
    NUMBERS = (("phases", 0, "power"), ("phases", 1, "power"))

    def parse(self, document: object, options: Options) -> list[float]:
        return [path.number(document) for path in options.json_paths]
