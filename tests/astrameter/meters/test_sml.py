"""The [SML] meter (meters.md section 20), most of it over real pseudo terminals."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from astrameter.backoff import Backoff
from astrameter.config import load_text
from astrameter.filters.chain import build_chain
from astrameter.meters import sml
from astrameter.meters.interface import IMeter
from astrameter.meters.sml import KIND, MAX_AGE_S, Options, SmlMeter
from astrameter.reading import MeterError, Sample
from astrameter.serialline import ListeningLine, SerialLineError
from tests.astrameter.meters.http_rig import problems_of
from tests.astrameter.meters.sml_rig import START, TOTAL, entry, power, signed, telegram
from tests.pseudoterminal import Adapter, until
from tests.vectors import each, load

CASES = [case for case in load("meters")["vectors"] if case["source"] == "sml"]

DIFFERENCES: dict[str, tuple[int, dict[str, Any], str]] = {
    "ML05": (3, {"watts": [43.0]}, "of two telegrams that have arrived, the newer one counts"),
    "ML06": (1, {"error": "missing_field"}, "a meter that does not tell the power is not at 0 W"),
}
"""Vectors that we do not follow: step, what we expect there, why."""

ENERGY_ONLY = telegram(entry("0100010800ff", signed(5), unit=30))
WRONG_UNIT = telegram(entry(TOTAL, signed(5), unit=28))


def configured(path: object, **keys: object) -> Options:
    """The options of a section, through the loader of the house."""
    lines = "\n".join(f"{key} = {value}" for key, value in {"SERIAL": path, **keys}.items())
    [one] = load_text(f"[SML]\n{lines}\n", "config.ini").meters
    assert isinstance(one.options, Options)
    return one.options


class OnSerialLine(TestCase):
    timeout = 240

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.adapter = Adapter(directory.resolve() / "ttyUSB0")
        self.addCleanup(self.adapter.unplug)

    def meter(self, **keys: object) -> SmlMeter:
        options = configured(self.adapter.path, **keys)
        self.received = 0
        meter = SmlMeter(reactor, "SML", options, Backoff(0.02, 0.05))
        receive = meter._receive

        def count(data: bytes) -> None:
            receive(data)
            self.received += len(data)

        meter._receive = count  # type: ignore[method-assign]
        meter.startService()
        self.addCleanup(lambda: meter.running and meter.stopService())
        return meter

    async def send(self, data: bytes) -> None:
        """Send, and wait until it has arrived."""
        target = self.received + len(data)
        self.adapter.send(data)
        await until(lambda: self.received >= target)

    async def reading(self, meter: SmlMeter) -> dict[str, Any]:
        try:
            return {"watts": [*(await meter.read()).watts]}
        except MeterError as error:
            return {"error": error.kind}


class VectorTests(OnSerialLine):
    @each(CASES)
    def vector(self, case: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.run_vector(case))

    async def run_vector(self, case: dict[str, Any]) -> None:
        keys = {key: value for key, value in case["config"].items() if key != "SERIAL"}
        meter = self.meter(**keys)
        at, replaced, _why = DIFFERENCES.get(case["id"], (-1, {}, ""))
        for i, step in enumerate(case["steps"]):
            if "b64" in step:
                # Later means while the predecessor waits for it; we do not wait in a reading.
                await self.send(base64.b64decode(step["b64"]))
                continue
            self.assertEqual(step["op"], "get")
            expected = replaced if i == at else step["expect"]
            wanted = {key: expected[key] for key in ("watts", "error") if key in expected}
            self.assertEqual(await self.reading(meter), wanted)

    def test_all_are_run_and_each_difference_changes_its_vector(self) -> None:
        self.assertEqual([case["id"] for case in CASES], [f"ML{i:02}" for i in range(1, 7)])
        for name, (at, expected, why) in DIFFERENCES.items():
            [case] = [case for case in CASES if case["id"] == name]
            self.assertEqual(case["steps"][at]["op"], "get")
            self.assertNotEqual(case["steps"][at]["expect"], expected)
            self.assertTrue(why)


class LineTests(OnSerialLine):
    async def test_telegrams_are_read_all_the_time(self) -> None:
        meter = self.meter()
        self.assertTrue(verifyObject(IMeter, meter))
        self.assertFalse(meter.online)
        for watts in (100, -200, 300):
            waiting = meter.next_sample(5.0)
            await self.send(power(watts))
            await waiting
            self.assertEqual(await self.reading(meter), {"watts": [watts]})
        self.assertTrue(meter.online)

    async def test_a_meter_in_the_middle_of_a_telegram(self) -> None:
        meter = self.meter()
        await self.send(power(1)[17:] + power(2))
        self.assertEqual(await self.reading(meter), {"watts": [2.0]})

    async def test_the_adapter_is_pulled_and_plugged_in_again(self) -> None:
        meter = self.meter()
        await self.send(power(1))
        for watts in (2, 3):
            with capturedLogs() as events:
                self.adapter.unplug()
                await until(lambda: not meter.connected)
                self.assertEqual(await self.reading(meter), {"error": "connect"})
                self.assertFalse(meter.online)
                await deferLater(reactor, 0.2)
                with self.assertRaises(MeterError) as caught:
                    await meter.read()
                self.assertIn("ttyUSB0 does not exist", str(caught.exception))
                self.adapter.plug()
                await until(lambda: meter.connected)
            texts = [event["reason"] for event in events if "reason" in event]
            self.assertEqual(texts, ["has gone; was the adapter pulled?"])
            await self.send(power(watts))
            self.assertEqual(await self.reading(meter), {"watts": [watts]})

    async def test_half_a_telegram_before_the_pull_does_not_spoil_the_next(self) -> None:
        meter = self.meter()
        await self.send(power(1)[:30])
        self.adapter.unplug()
        await until(lambda: not meter.connected)
        self.adapter.plug()
        await until(lambda: meter.connected)
        await self.send(power(2))
        self.assertEqual(await self.reading(meter), {"watts": [2.0]})

    async def test_a_line_that_is_not_there_at_the_start(self) -> None:
        self.adapter.unplug()
        meter = self.meter()
        self.assertTrue(meter.running)
        self.assertEqual(await self.reading(meter), {"error": "connect"})
        self.adapter.plug()
        await until(lambda: meter.connected)
        await self.send(power(5))
        self.assertEqual(await self.reading(meter), {"watts": [5.0]})

    async def test_it_stops_and_starts_again(self) -> None:
        meter = self.meter()
        await self.send(power(1))
        for watts in (2, 3):
            await meter.stopService()
            self.assertFalse(meter.online)
            meter.startService()
            await until(lambda: meter.connected)
            await self.send(power(watts))
            self.assertEqual(await self.reading(meter), {"watts": [watts]})

    async def test_it_stops_without_a_line(self) -> None:
        self.adapter.unplug()
        meter = self.meter()
        await meter.stopService()
        self.assertIs(meter._work, None)


class BadInputTests(OnSerialLine):
    async def test_garbage_of_all_kinds_is_survived(self) -> None:
        meter = self.meter()
        damaged = bytearray(power(1))
        damaged[10] ^= 0x10
        for garbage in (
            bytes(2000),
            b"\xff" * 2000,
            b"/ESY5Q3DA1004 V3.04\r\n1-0:16.7.0*255(000123.45*W)\r\n!\r\n",
            START * 100,
            power(1)[:-1],
            bytes(damaged),
            telegram(b""),
            telegram(entry(TOTAL, b"\x8f\x8f\x8f\x8f\x0f")),
            WRONG_UNIT,
            ENERGY_ONLY,
        ):
            await self.send(garbage)
            await self.send(power(7))
            self.assertEqual(await self.reading(meter), {"watts": [7.0]}, garbage[:20])
            meter.store(None)

    async def test_silence_has_a_hint(self) -> None:
        meter = self.meter()
        self.assertEqual(await self.reading(meter), {"error": "no_data"})
        self.assertIn("nothing has arrived yet on /", meter.absence())
        self.assertIn("does the head sit right", meter.absence())

    async def test_another_protocol_has_a_hint(self) -> None:
        meter = self.meter()
        await self.send(b"/ESY5Q3DA1004 V3.04\r\n")
        self.assertEqual(await self.reading(meter), {"error": "no_data"})
        self.assertIn("is no SML", meter.absence())

    async def test_damaged_telegrams_have_a_hint(self) -> None:
        meter = self.meter()
        damaged = bytearray(power(1))
        damaged[10] ^= 0x10
        await self.send(bytes(damaged))
        self.assertEqual(await self.reading(meter), {"error": "undecodable"})
        self.assertIn("telegrams arrive damaged", meter.absence())

    async def test_first_sample_tells_what_is_wrong(self) -> None:
        meter = self.meter()
        await self.send(ENERGY_ONLY)
        with self.assertRaises(MeterError) as caught:
            await meter.first_sample(0.05)
        self.assertIn("PIN", str(caught.exception))


class AgeTests(SynchronousTestCase):
    """Silence and odd telegrams, on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(500.0)
        self.lines: list[ListeningLine] = []
        self.patch(sml, "listen", self.listen)
        options = configured("/dev/ttyUSB0")
        self.meter = SmlMeter(self.clock, "SML", options)
        self.chain = build_chain(self.meter, options, self.clock, max_age_s=KIND.max_age_s)
        self.meter.startService()
        self.addCleanup(self.stop)

    def listen(self, _reactor: Any, _path: str, received: Any, baudrate: int) -> ListeningLine:
        self.assertEqual(baudrate, 9600)
        line = ListeningLine(received)
        line.transport = self
        self.lines.append(line)
        return line

    def connectionLost(self, _reason: Any) -> None:
        self.lines[-1].connectionLost()

    def stop(self) -> None:
        self.meter.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def receive(self, data: bytes) -> None:
        self.lines[-1].dataReceived(data)

    def outcome(self) -> Any:
        found: list[Any] = []
        self.chain.read().addBoth(found.append)
        return found[0].watts if isinstance(found[0], Sample) else found[0].value.kind

    def test_silence_is_stale_and_never_zero(self) -> None:
        self.assertEqual(self.outcome(), "no_data")
        self.receive(power(5))
        self.clock.advance(MAX_AGE_S)
        self.assertEqual((self.outcome(), self.meter.online), ((5.0,), True))
        self.clock.advance(0.1)
        self.assertEqual((self.outcome(), self.meter.online), ("stale", False))

    def test_every_other_telegram_may_lack_the_power(self) -> None:
        with capturedLogs() as events:
            for watts in range(50):
                self.receive(power(watts))
                self.clock.advance(1.0)
                self.receive(ENERGY_ONLY)
                self.clock.advance(1.0)
                self.assertEqual(self.outcome(), (watts,))
        self.assertEqual(events, [])

    def test_a_lasting_trouble_is_told_when_it_starts_and_when_it_is_over(self) -> None:
        with capturedLogs() as events:
            for _ in range(20):
                self.receive(WRONG_UNIT)
                self.clock.advance(1.0)
            self.assertEqual(self.outcome(), "wrong_unit")
            self.receive(power(1))
        self.assertEqual([event["log_level"].name for event in events], ["warn", "info"])

    def test_the_reason_says_more_than_the_age(self) -> None:
        self.receive(power(5))
        for _ in range(40):
            self.receive(WRONG_UNIT)
            self.clock.advance(1.0)
        self.assertEqual(self.outcome(), "wrong_unit")

    def test_a_line_that_comes_and_goes_is_opened_with_growing_patience(self) -> None:
        for _ in range(20):
            self.lines[-1].connectionLost()
            self.clock.advance(10.0)
        self.assertEqual(len(self.lines), 21)
        self.lines[-1].connectionLost()
        self.clock.advance(7.0)
        self.assertEqual(len(self.lines), 21)
        self.clock.advance(3.0)
        self.receive(power(1))
        self.lines[-1].connectionLost()
        self.clock.advance(1.0)
        self.assertEqual(len(self.lines), 23)

    def test_a_line_that_cannot_be_opened_is_told_once(self) -> None:
        def refuse(*_arguments: object) -> None:
            raise SerialLineError("is in use by another program")

        self.patch(sml, "listen", refuse)
        with capturedLogs() as events:
            self.lines[-1].connectionLost()
            for _ in range(25):
                self.clock.advance(1.0)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.outcome(), "connect")


class OptionTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        options = configured("/dev/ttyUSB0")
        self.assertEqual(options.obis_power_current, "0100100700ff")
        self.assertEqual(options.obis_phases, ("0100240700ff", "0100380700ff", "01004c0700ff"))

    def test_what_is_refused(self) -> None:
        line = "SERIAL = /dev/ttyUSB0"
        for lines, words in (
            ((), "SERIAL: this key is required"),
            (("SERIAL =",), "SERIAL: this key is required"),
            ((line, "OBIS_POWER_L1 = 1-0:36.7.0"), "12 hexadecimal digits"),
            ((line, "OBIS_POWER_CURRENT =", "OBIS_POWER_L2 ="), "OBIS_POWER_CURRENT: is empty"),
        ):
            [problem] = problems_of("SML", *lines)
            self.assertIn(words, problem)

    def test_an_empty_code_is_accepted(self) -> None:
        self.assertEqual(problems_of("SML", "SERIAL = /dev/x", "OBIS_POWER_L1 ="), [])
