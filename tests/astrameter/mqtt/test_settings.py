"""Addresses of brokers, and topics."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.mqtt import MqttSettings, check_filter, check_topic, parse_uri

ENCODABLE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


class Uris(SynchronousTestCase):
    """meters.md section 13 and mqtt.md section 1.1."""

    def test_the_forms_that_are_accepted(self) -> None:
        for text, expected in (
            ("mqtt://h", MqttSettings("h")),
            ("MQTTS://H.example", MqttSettings("h.example", 8883, tls=True)),
            ("mqtt://u:p%40x@h:1999/", MqttSettings("h", 1999, "u", "p@x")),
            ("mqtt://u@h", MqttSettings("h", 1883, "u", None)),
            ("mqtt://u:@h", MqttSettings("h", 1883, "u", "")),
            ("mqtts://[::1]:8884", MqttSettings("::1", 8884, tls=True)),
            ("mqtt://h:", MqttSettings("h")),
            ("  mqtts://h:1883  ", MqttSettings("h", 1883, tls=True)),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_uri(text), expected)

    def test_the_forms_that_are_refused_without_repeating_the_password(self) -> None:
        for text, word in (
            ("http://u:geheim@h", "scheme"),
            ("h:1883", "scheme"),
            ("", "scheme"),
            ("mqtt://", "host is missing"),
            ("mqtt://u:geheim@", "host is missing"),
            ("mqtt://u:geheim@:1883", "host is missing"),
            ("mqtt://u:geheim@h:99999", "port"),
            ("mqtt://u:geheim@h:0", "port"),
            ("mqtt://u:geheim@h:x", "port"),
            ("mqtt://u:geheim@h/base", "nothing may follow"),
            ("mqtt://u:geheim@h?x=1", "query"),
            ("mqtt://u:geheim@h#f", "fragment"),
            ("mqtt://u:geheim@h;p", "parameters"),
            ("mqtt://u:geheim#1@h", "fragment"),
            ("mqtt://u:geheim@[::1", "cannot be read"),
            ("mqtt://u:geheim%ff@h", "cannot be read"),
            ("mqtt://u:geheim@h h", "blanks"),
            ("mqtt://u:ge\nheim@h", "blanks"),
        ):
            with self.subTest(text=text):
                error = self.assertRaises(ValueError, parse_uri, text)
                self.assertIn(word, str(error))
                self.assertNotIn("geheim", str(error))

    @settings(deadline=None, derandomize=True)
    @given(ENCODABLE, ENCODABLE, st.integers(1, 65535))
    def test_encoded_names_and_passwords_come_back(self, user: str, word: str, port: int) -> None:
        text = f"mqtt://{quote(user, safe='')}:{quote(word, safe='')}@h:{port}"
        self.assertEqual(parse_uri(text), MqttSettings("h", port, user, word))

    @settings(deadline=None, derandomize=True)
    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, rest: str) -> None:
        try:
            found = parse_uri(f"mqtt://{rest}")
        except ValueError:
            return
        self.assertTrue(found.host)
        self.assertIn(found.port, range(1, 65536))

    def test_the_password_does_not_show(self) -> None:
        self.assertNotIn("geheim", repr(parse_uri("mqtt://u:geheim@h")))

    def test_the_address_for_messages(self) -> None:
        self.assertEqual(parse_uri("mqtt://u:p@h:7").address, "h:7")
        self.assertEqual(parse_uri("mqtt://[fe80::1]").address, "[fe80::1]:1883")


class Topics(SynchronousTestCase):
    """MQTT 3.1.1 section 4.7."""

    def test_filters(self) -> None:
        for good in ("a", "/", "a/b c/ä", "#", "+", "a/+/b", "a/#", "+/+/#", "$SYS/#", "x" * 65535):
            self.assertEqual(check_filter(good), good)
        for bad in ("", "a+", "a/b#", "#/a", "a/#/b", "a\0", "ä" * 40000, "\ud800"):
            with self.subTest(bad=bad[:10]), self.assertRaises(ValueError):
                check_filter(bad)

    def test_topics_to_publish_to(self) -> None:
        self.assertEqual(check_topic("site/astra/1"), "site/astra/1")
        for bad in ("", "a/+", "a/#", "a+b", "a\0"):
            with self.subTest(bad=bad), self.assertRaises(ValueError):
                check_topic(bad)
