"""The section [STATE]."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.problems import ConfigError
from astrameter.store.options import STATE, RedisAddress, StateOptions, parse_address


class Addresses(SynchronousTestCase):
    def test_addresses(self) -> None:
        for text, address in (
            ("redis://h", RedisAddress("h")),
            ("redis://h:7/", RedisAddress("h", 7)),
            ("REDISS://h", RedisAddress("h", tls=True)),
            ("redis://:p%40w@h", RedisAddress("h", password="p@w")),
            ("redis://u:p@10.0.0.1:6380", RedisAddress("10.0.0.1", 6380, "u", "p")),
            ("redis://[fe80::1]:7", RedisAddress("fe80::1", 7)),
            (" redis://h ", RedisAddress("h")),
        ):
            self.assertEqual(parse_address(text), address, text)

    def test_what_is_none(self) -> None:
        for text, word in (
            ("h:6379", "scheme"),
            ("http://h", "scheme"),
            ("redis://", "host is missing"),
            ("redis://:6379", "host is missing"),
            ("redis://h:0", "port"),
            ("redis://h:99999", "port"),
            ("redis://h:x", "port"),
            ("redis://h/3", "PREFIX"),
            ("redis://h?db=3", "no parameters"),
            ("redis://a b", "no blanks"),
            ("redis://[::1", "cannot be read"),
            ("redis://user@h", "needs a password"),
            ("redis://:%ff@h", "cannot be read"),
        ):
            error = self.assertRaises(ValueError, parse_address, text)
            self.assertIn(word, str(error), text)

    def test_no_message_repeats_a_password(self) -> None:
        for text in ("http://:geheim@h", "redis://:geheim@h/3", "redis://:geheim@h:x"):
            error = self.assertRaises(ValueError, parse_address, text)
            self.assertNotIn("geheim", str(error))

    def test_nothing_shows_a_password(self) -> None:
        address = RedisAddress("h", password="geheim")
        self.assertNotIn("geheim", repr(address) + address.shown)

    @settings(deadline=None, derandomize=True)
    @given(st.text(min_size=1, max_size=10), st.text(max_size=10))
    def test_any_login_can_be_written(self, user: str, password: str) -> None:
        try:
            login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        except UnicodeEncodeError:
            return
        found = parse_address(f"redis://{login}@h")
        self.assertEqual((found.username, found.password), (user, password))

    @settings(deadline=None, derandomize=True)
    @given(st.text())
    def test_no_text_does_anything_but_be_refused(self, text: str) -> None:
        for tried in (text, f"redis://{text}"):
            try:
                parse_address(tried)
            except ValueError:
                continue


class Loading(SynchronousTestCase):
    def state(self, keys: str) -> Any:
        return load_text(f"[STATE]\n{keys}", "config.ini").part(STATE)

    def test_nothing_is_needed(self) -> None:
        self.assertIsNone(load_text("[GENERAL]\n", "config.ini").part(STATE))
        self.assertEqual(self.state(""), StateOptions("", "astrameter"))
        self.assertIsNone(StateOptions().address)

    def test_keys(self) -> None:
        found = self.state("URI = redis://:p%23w@h\nPREFIX = house/1\n")
        self.assertEqual(found.address, RedisAddress("h", password="p#w"))
        self.assertEqual(found.prefix, "house/1")

    def test_what_is_wrong_is_told_without_the_password(self) -> None:
        error = self.assertRaises(ConfigError, self.state, "URI = redis://:geheim@h/3\nPREFIX =\n")
        self.assertIn("[STATE] PREFIX", str(error))
        self.assertNotIn("geheim", str(error))
        error = self.assertRaises(ConfigError, self.state, "URI = redis://:geheim@h/3\n")
        self.assertIn("[STATE] URI = ***: no database number", str(error))
        self.assertNotIn("geheim", str(error))
