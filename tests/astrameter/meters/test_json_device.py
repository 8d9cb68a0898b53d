from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from astrameter.meters.http import Answer
from astrameter.meters.json_device import lone_host, phase_list, reading_of
from astrameter.meters.jsonpaths import number_at
from astrameter.meters.urls import parse_url
from astrameter.reading import MeterError

URL = parse_url("http://device/api?password=secret")


def parse(document: object) -> Sequence[float]:
    return [number_at(document, "power")]


class ReadingTests(SynchronousTestCase):
    """Devices whose HTTP status means little."""

    def failure(self, status: int, phrase: str, body: bytes) -> tuple[str, str]:
        answer = Answer(URL, status, phrase, Headers(), body)
        error = self.assertRaises(MeterError, reading_of, answer, parse)
        return error.kind, str(error)

    def test_a_document_with_the_power_counts_with_any_status(self) -> None:
        for status in (200, 201, 404, 500):
            answer = Answer(URL, status, "", Headers(), b'{"power": "4.5"}')
            self.assertEqual(reading_of(answer, parse), [4.5])

    def test_without_the_power_a_bad_status_explains_more(self) -> None:
        for body in (b"", b"<html>", b"[]", b'{"error": 1}', b'{"power": null}'):
            self.assertEqual(
                self.failure(401, "Unauthorized", body),
                (
                    "http_status",
                    "http://device/api answered 401 Unauthorized: check user name and password",
                ),
            )

    def test_with_a_good_status_the_document_is_the_explanation(self) -> None:
        self.assertEqual(
            self.failure(200, "OK", b'{"power": null}'),
            ("not_numeric", "$.power is null, not a number"),
        )


class KindTests(SynchronousTestCase):
    def test_a_lone_host_has_no_port_and_no_path(self) -> None:
        kind = lone_host()
        for written, value in (
            ("192.168.1.20", "192.168.1.20"),
            ("http://device.local/", "device.local"),
            ("fe80::1", "[fe80::1]"),
            ("[fe80::1]", "[fe80::1]"),
            ("user:pass@device", "user:pass@device"),
        ):
            self.assertEqual(kind.parse(written), value)
        for written in ("device:80", "[fe80::1]:80", "device/path", "device:99999", "a b", ""):
            self.assertRaises(ValueError, kind.parse, written)

    def test_a_list_keeps_its_empty_words(self) -> None:
        kind = phase_list()
        self.assertEqual(kind.parse(""), ())
        self.assertEqual(kind.parse("L1, L2 ,L3"), ("L1", "L2", "L3"))
        self.assertEqual(kind.parse("L1,,L3,"), ("L1", "", "L3", ""))

    @settings(deadline=None, derandomize=True)
    @given(st.text(max_size=20).map(str.strip))
    def test_a_list_survives_being_written_and_read(self, written: str) -> None:
        kind = phase_list()
        words = kind.parse(written)
        self.assertEqual(kind.parse(kind.render(words).strip()), words)
