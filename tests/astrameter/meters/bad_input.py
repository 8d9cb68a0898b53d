"""What every meter that reads over HTTP has to survive, as tests to inherit."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from astrameter.config import ConfiguredMeter, load_text
from astrameter.meters.http_agent import MAX_BODY
from astrameter.meters.jsonpaths import Step
from astrameter.reading import MeterError
from tests.astrameter.meters.http_rig import (
    Device,
    Script,
    answer,
    reactor,
    say_nothing,
    then_close,
    then_reset,
)

PASSWORD = "pass-word"
NO_NUMBERS: tuple[Any, ...] = (
    *(None, [], {}, "", "12 W", "unavailable", "NaN"),
    *(math.nan, math.inf, 1e300, -(10**400)),
)
ERRORS: tuple[Any, ...] = ("", "<html>oops</html>", {"error": "oops"}, [])
HASTE = 4.0
"""Nobody wants to wait out every timeout, and a busy computer must not run into one."""


class _Hasty:
    """The reactor, whose timers run out faster."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def callLater(self, seconds: float, *arguments: Any, **keywords: Any) -> Any:
        return reactor.callLater(seconds / HASTE, *arguments, **keywords)


class BadHttp:
    """Mix this into a ``TestCase`` called ``BadInputTests`` and fill in the attributes.

    It holds for any kind of document; see :class:`BadHttpInput` for JSON.

    :ivar CONFIG: the section with its keys; ``{addr}``, ``{host}``, ``{port}`` and ``{password}``
        are filled in.
    :ivar GOOD: a document that reads as WATTS, as :func:`~http_rig.answer` takes it; where the
        meter logs in first, an answer to the login as well.
    :ivar TLS: how the device serves https; None: it serves http.
    """

    timeout: ClassVar[float] = 30

    CONFIG: ClassVar[str]
    GOOD: ClassVar[Any]
    WATTS: ClassVar[tuple[float, ...]]
    TLS: ClassVar[Any] = None

    def configured(self, **places: object) -> ConfiguredMeter:
        lines = self.CONFIG.format(password=PASSWORD, **places).splitlines()
        [one] = load_text("\n".join(map(str.strip, lines)), "config.ini").meters
        return one

    def device(self: Any, *scripts: Script) -> Device:
        return Device(self, *scripts, tls=self.TLS)

    def meter(self: Any, device: Device, clock: Any = reactor) -> Any:
        one = self.configured(addr=device.address, host="127.0.0.1", port=device.port)
        meter = one.kind.build(clock, one.section, one.options)
        meter.startService()
        self.addCleanup(meter.stopService)
        return meter

    async def check(self: Any, script: Script, *kinds: str, clock: Any = reactor) -> str:
        """A bad answer is a MeterError of one of these kinds, and the next answer is read."""
        device = self.device(script)
        meter = self.meter(device, clock)
        try:
            sample = await meter.read()
        except MeterError as error:
            kind, message = error.kind, str(error)
        else:
            raise AssertionError(f"{script!r} was read as {sample}")
        self.assertIn(kind, kinds, f"{script!r}: {message}")
        self.assertNotIn(PASSWORD, message)
        self.assertLess(len(message), 300)
        device.scripts = [answer(self.GOOD)]
        self.assertEqual((await meter.read()).watts, self.WATTS)
        await meter.stopService()
        await device.stop()
        return str(message)

    async def test_a_good_answer_is_read(self: Any) -> None:
        device = self.device(answer(self.GOOD))
        self.assertEqual((await self.meter(device).read()).watts, self.WATTS)

    async def test_a_refused_login_says_so(self) -> None:
        for status in ("401 Unauthorized", "403 Forbidden"):
            message = await self.check(answer("<html>no</html>", status), "http_status")
            assert "check user name and password" in message, message

    async def test_an_error_of_the_device(self) -> None:
        for body in ERRORS:
            await self.check(answer(body, "404 Not Found"), "http_status")
            await self.check(answer(body, "500 Internal Server Error"), "http_status")

    async def test_silence(self) -> None:
        await self.check(say_nothing, "timeout", clock=_Hasty())

    async def test_a_connection_that_ends_too_early(self: Any) -> None:
        whole = answer(self.GOOD)
        for data in (b"", whole[:5], whole[:-1], answer("", length=10)):
            await self.check(then_close(data), "connect")
        await self.check(then_reset(whole[:-1]), "connect")

    async def test_an_oversized_answer(self) -> None:
        await self.check(answer(b"[" + b" " * MAX_BODY + b"]"), "bad_structure")

    async def test_what_is_no_http(self) -> None:
        await self.check(then_close(b"SSH-2.0-OpenSSH_9.2\r\n"), "bad_structure", "connect")

    async def test_a_redirect_is_followed(self: Any) -> None:
        device = self.device(answer("", "302 Found", {"Location": "/other"}), answer(self.GOOD))
        self.assertEqual((await self.meter(device).read()).watts, self.WATTS)
        self.assertEqual(device.received[1].target, "/other")

    async def test_redirects_to_nowhere(self) -> None:
        for where in ("/", "ftp://device/", "http://[", "http://äöü\udcff"):
            header = {"Location": where}
            body = answer("", "302 Found", header) if where.isascii() else _latin(where)
            await self.check(body, "http_status")

    async def test_the_device_restarts(self: Any) -> None:
        device = self.device(answer(self.GOOD))
        meter = self.meter(device)
        self.assertEqual((await meter.read()).watts, self.WATTS)
        await device.stop()
        try:
            sample = await meter.read()
        except MeterError as error:
            self.assertEqual(error.kind, "connect")
        else:
            raise AssertionError(f"read {sample}")
        device.start()
        self.assertEqual((await meter.read()).watts, self.WATTS)

    async def test_it_stops_while_it_asks(self: Any) -> None:
        device = self.device(say_nothing)
        meter = self.meter(device)
        reading = meter.read()
        await meter.stopService()
        await device.idle()
        await self.assertFailure(reading, MeterError)


class BadHttpInput(BadHttp):
    """The same for a meter that reads JSON.

    :ivar NUMBERS: where in GOOD the numbers are that have to be there.
    :ivar parse: the meter's parser, of a document and the section's options.
    """

    NUMBERS: ClassVar[Sequence[tuple[Step, ...]]]

    def parse(self, document: object, options: Any) -> Sequence[float]:
        raise NotImplementedError

    async def test_a_truncated_document(self: Any) -> None:
        await self.check(answer(json.dumps(self.GOOD)[:-1]), "invalid_json")

    async def test_what_is_no_json(self) -> None:
        for body in ("<html>busy</html>", "power=1", b"\xff\xfe\x00", "{'a': 1}"):
            await self.check(answer(body), "invalid_json")

    async def test_another_document(self) -> None:
        for body in ("", "null", "[]", "{}", "5", "true", '"text"', "NaN", "[null]", "[[]]"):
            await self.check(answer(body), "bad_structure", "missing_field", "not_numeric")

    async def test_what_is_no_number(self: Any) -> None:
        for steps in self.NUMBERS:
            for bad in NO_NUMBERS:
                await self.check(answer(_with(self.GOOD, steps, bad)), "not_numeric")

    async def test_a_number_that_is_missing(self: Any) -> None:
        for steps in self.NUMBERS:
            for document in _without(self.GOOD, steps):
                await self.check(answer(document), "missing_field")

    def test_any_document_is_a_reading_or_a_meter_error(self: Any) -> None:
        one = self.configured(addr="device", host="device", port=80)

        @settings(deadline=None, derandomize=True)
        @given(like(self.GOOD))
        def check(document: object) -> None:
            try:
                watts = self.parse(document, one.options)
            except MeterError as error:
                self.assertLess(len(str(error)), 300)
            else:
                self.assertEqual([type(value) for value in watts], [float] * len(watts))
                self.assertGreater(len(watts), 0)

        check()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=8),
    st.floats().map(str),
)


def like(document: object) -> st.SearchStrategy[Any]:
    """JSON documents that have much in common with ``document``, or nothing at all."""
    names = st.sampled_from(sorted(_names(document)) or ["a"]) | st.text(max_size=8)
    anything = st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )
    return _mutated(document, anything) | anything


def _mutated(node: Any, anything: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    if isinstance(node, dict):
        fields = {name: _mutated(value, anything) for name, value in node.items()}
        whole = st.fixed_dictionaries(fields)
        return whole | whole | st.fixed_dictionaries({}, optional=fields) | anything
    if isinstance(node, list):
        kept = st.tuples(*(_mutated(value, anything) for value in node)).map(lambda items: [*items])
        return kept | kept | kept.map(lambda items: items[:-1]) | anything
    return st.just(node) | st.just(node) | anything


def _names(node: object) -> Iterator[str]:
    children: Sequence[object] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        yield from node
        children = list(node.values())
    for child in children:
        yield from _names(child)


def _with(document: Any, steps: Sequence[Step], value: object) -> Any:
    """The document with another value at ``steps``."""
    changed = copy.deepcopy(document)
    place = changed
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return changed


def _without(document: Any, steps: Sequence[Step]) -> Iterator[Any]:
    """The document without what is at ``steps``, and without each level above."""
    for depth in range(1, len(steps) + 1):
        changed = copy.deepcopy(document)
        place = changed
        for step in steps[: depth - 1]:
            place = place[step]
        if isinstance(place, dict):
            del place[steps[depth - 1]]
        else:
            place.clear()
        yield changed


def _latin(location: str) -> bytes:
    """A redirect whose address is not UTF-8."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return head.encode("latin-1", "replace")
