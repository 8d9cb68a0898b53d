"""The show-config command: effective values and where they are from."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.commands import show_config
from astrameter.config import Overrides, load_text

TEXT = (
    "[GENERAL]\n"
    "DEVICE_TYPE = ct002\n"
    "THROTTLE_INTERVAL = 2\n"
    "[CT002]\n"
    "BALANCE_GAIN = 0.3\n"
    "[JSON_HTTP]\n"
    "URL = http://me:hunter2@192.168.1.20/\n"
    "PASSWORD = hunter2\n"
    "JSON_PATHS = $.a,\n"
    "    $.b\n"
)


class ShowConfigTests(SynchronousTestCase):
    def _output(self, text: str, **more: Any) -> tuple[int, list[str]]:
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        out = io.StringIO()
        status = show_config.run(path, out, **more)
        return status, out.getvalue().replace(str(path), "config.ini").splitlines()

    def test_sections_with_values_and_origins(self) -> None:
        status, lines = self._output(TEXT)
        self.assertEqual(status, 0)
        self.assertEqual(
            [line for line in lines if line.startswith("[")],
            ["[GENERAL]", "[CT002]", "[JSON_HTTP]"],
        )
        bare = [" ".join(line.split()) for line in lines]
        for line in (
            "DEVICE_TYPE = ct002 # config.ini:2",
            "WEB_SERVER_PORT = 52500 # default",
            "BALANCE_GAIN = 0.3 # config.ini:5, no effect",
            "THROTTLE_INTERVAL = 2 # config.ini:3 [GENERAL]",
            "PASSWORD = *** # config.ini:8",
            "USERNAME = # default",
        ):
            self.assertIn(line, bare)

    def test_every_key_that_has_an_effect_is_shown(self) -> None:
        _, lines = self._output(TEXT)
        keys = {line.partition(" =")[0] for line in lines if " = " in line or " =" in line}
        loaded = load_text(TEXT, "config.ini")
        for section in loaded.sections:
            for setting in section.settings:
                if not setting.option.no_effect:
                    self.assertIn(setting.option.key, keys)
        self.assertNotIn("PACE_MAX_STEP", keys)

    def test_no_secret_is_shown(self) -> None:
        for as_json in (False, True):
            _, lines = self._output(TEXT, as_json=as_json)
            self.assertNotIn("hunter2", "\n".join(lines))

    def test_values_from_the_command_line(self) -> None:
        _, lines = self._output(TEXT, overrides=Overrides(throttle_interval=5.0))
        bare = [" ".join(line.split()) for line in lines]
        self.assertEqual(bare.count("THROTTLE_INTERVAL = 5 # command line"), 2)

    def test_json_is_one_object_a_line(self) -> None:
        status, lines = self._output(TEXT, as_json=True)
        found = {(one["section"], one["key"]): one for one in map(json.loads, lines)}
        self.assertEqual(status, 0)
        self.assertEqual(
            found["JSON_HTTP", "THROTTLE_INTERVAL"],
            {
                "section": "JSON_HTTP",
                "key": "THROTTLE_INTERVAL",
                "value": "2",
                "origin": "general",
                "line": 3,
            },
        )
        default = found["CT002", "UDP_PORT"]
        self.assertEqual((default["origin"], default["line"]), ("default", None))
        self.assertEqual(found["GENERAL", "DEVICE_TYPE"]["origin"], "file")

    def test_a_bad_file_shows_its_problems_instead(self) -> None:
        bad = TEXT + "URL = again\n"
        self.assertEqual(
            self._output(bad),
            (1, ["config.ini:11 [JSON_HTTP] URL: line 7 sets it already; keep one of the two"]),
        )
        status, lines = self._output(bad, as_json=True)
        self.assertEqual((status, json.loads(lines[0])["level"]), (1, "problem"))
