"""The section [MARSTEK] and the cloud's keys in the CT sections."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.marstek.options import MARSTEK, MarstekOptions
from astrameter.problems import ConfigError


class Account(SynchronousTestCase):
    def load(self, keys: str) -> Any:
        return load_text(f"[MARSTEK]\n{keys}", "config.ini").part(MARSTEK)

    def test_everything_is_off_by_default(self) -> None:
        self.assertIsNone(load_text("[GENERAL]\n", "config.ini").part(MARSTEK))
        self.assertEqual(self.load(""), MarstekOptions())
        self.assertFalse(self.load("MAILBOX = me@example.com\nPASSWORD = x\n").enable)
        self.assertEqual(self.load("").base_url.sent, b"https://eu.hamedata.com/")

    def test_a_file_of_2x(self) -> None:
        found = self.load(
            "ENABLE = True\nBASE_URL = https://us.hamedata.com/\nMAILBOX = me@example.com\n"
            "PASSWORD = 100%;#x\nTIMEZONE = America/New_York\n"
        )
        self.assertTrue(found.enable)
        self.assertEqual(found.base_url.host, "us.hamedata.com")
        self.assertEqual((found.mailbox, found.password), ("me@example.com", "100%;#x"))
        self.assertEqual(found.timezone, "America/New_York")

    def test_a_bad_switch_refuses_the_file(self) -> None:
        error = self.assertRaises(ConfigError, self.load, "ENABLE = perhaps\n")
        self.assertIn("config.ini:2 [MARSTEK] ENABLE = perhaps: write yes or no", str(error))

    def test_the_password_is_not_sent_in_the_open(self) -> None:
        error = self.assertRaises(ConfigError, self.load, "ENABLE = yes\nBASE_URL = http://x.de\n")
        self.assertIn("[MARSTEK] BASE_URL", str(error))
        self.assertIn("use https://", str(error))
        for harmless in (
            "ENABLE = no\nBASE_URL = http://x.de\n",
            "ENABLE = yes\nBASE_URL = http://127.0.0.1:81\n",
            "ENABLE = yes\nBASE_URL = http://localhost:81\n",
        ):
            self.load(harmless)


class Reporting(SynchronousTestCase):
    def load(self, keys: str) -> Any:
        return load_text(f"[CT002]\n{keys}", "config.ini")

    def test_it_is_off_by_default(self) -> None:
        options = self.load("").ct002
        self.assertFalse(options.cloud_reporting)
        self.assertEqual(options.cloud_reporting_host, "eu.hamedata.com")
        self.assertEqual(options.cloud_reporting_interval, 60)

    def test_a_host_that_is_blank_is_the_vendors(self) -> None:
        options = self.load("CLOUD_REPORTING_HOST =\n").ct002
        self.assertEqual(options.cloud_reporting_host, "eu.hamedata.com")
        options = self.load("CLOUD_REPORTING_HOST = 127.0.0.1:8080\n").ct002
        self.assertEqual(options.cloud_reporting_host, "127.0.0.1:8080")

    def told(self, loaded: Any) -> list[Any]:
        return [one for one in loaded.warnings if one.key == "CLOUD_REPORTING_INTERVAL"]

    def test_an_interval_without_a_pause_is_a_second(self) -> None:
        for value in ("0", "0.99", "-3"):
            loaded = self.load(f"CLOUD_REPORTING_INTERVAL = {value}\n")
            self.assertEqual(loaded.ct002.cloud_reporting_interval, 1)
            (told,) = self.told(loaded)
            self.assertIn("1 is used", str(told))
        loaded = self.load("CLOUD_REPORTING_INTERVAL = 1\n")
        self.assertEqual(loaded.ct002.cloud_reporting_interval, 1)
        self.assertEqual(self.told(loaded), [])

    def test_an_interval_that_is_none_is_refused(self) -> None:
        for value in ("nan", "inf", "often"):
            self.assertRaises(ConfigError, self.load, f"CLOUD_REPORTING_INTERVAL = {value}\n")

    def test_a_section_of_its_own_has_switches_of_its_own(self) -> None:
        text = "[CT002]\nCLOUD_REPORTING = yes\n[CT003]\nUDP_PORT = 12346\n"
        loaded = load_text(text, "config.ini")
        self.assertTrue(loaded.ct("ct002").cloud_reporting)
        self.assertFalse(loaded.ct("ct003").cloud_reporting)
