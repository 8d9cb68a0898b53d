"""The check command: every finding, a count, an exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.commands import check
from astrameter.config import Overrides

GOOD = "[GENERAL]\nDEVICE_TYPE = ct002\n[JSON_HTTP]\nURL = http://h/\nJSON_PATHS = $.p\n"
BAD = (
    "[GENERAL]\nDEVICE_TYPE = ct009\n[CT002]\nUDP_PORT = 0\nBALANCE_GAIN = 1\n"
    "[JSON_HTTP]\nPASSWORT = hunter2\nJSON_PATHS = $.p\n"
)


class CheckTests(SynchronousTestCase):
    def _output(self, text: str | None, **more: Any) -> tuple[int, list[str]]:
        path = Path(self.mktemp())
        if text is not None:
            path.write_text(text, encoding="utf-8")
        out = io.StringIO()
        status = check.run(path, out, **more)
        return status, out.getvalue().replace(str(path), "config.ini").splitlines()

    def test_a_good_file(self) -> None:
        self.assertEqual(self._output(GOOD), (0, ["config.ini: no problems, no warnings"]))

    def test_every_problem_then_every_warning_then_the_count(self) -> None:
        status, lines = self._output(BAD)
        self.assertEqual(status, 1)
        self.assertEqual(
            [line.partition(": ")[0] for line in lines],
            [
                "config.ini:2 [GENERAL] DEVICE_TYPE = ct009",
                "config.ini:4 [CT002] UDP_PORT = 0",
                "config.ini:6 [JSON_HTTP] URL",
                "warning",
                "warning",
                "config.ini",
            ],
        )
        self.assertEqual(
            lines[4],
            "warning: config.ini:7 [JSON_HTTP] PASSWORT = ***: unknown key, ignored; did you mean "
            "PASSWORD?",
        )
        self.assertEqual(lines[5], "config.ini: 3 problems, 2 warnings")

    def test_warnings_alone_are_no_failure(self) -> None:
        status, lines = self._output(GOOD + "ZZZ = 1\n")
        self.assertEqual((status, lines[-1]), (0, "config.ini: no problems, 1 warning"))

    def test_a_missing_file_is_a_warning(self) -> None:
        status, lines = self._output(None)
        self.assertEqual((status, len(lines)), (0, 2))
        self.assertTrue(lines[0].startswith("warning: config.ini: there is no such file"))

    def test_json_is_one_object_a_line(self) -> None:
        status, lines = self._output(BAD, as_json=True)
        self.assertEqual(status, 1)
        found = [json.loads(line) for line in lines]
        self.assertEqual([one["level"] for one in found], ["problem"] * 3 + ["warning"] * 2)
        self.assertEqual(
            found[1],
            {
                "level": "problem",
                "file": "config.ini",
                "line": 4,
                "section": "CT002",
                "key": "UDP_PORT",
                "value": "0",
                "message": "a port is 1..65535",
            },
        )
        self.assertNotIn("hunter2", "".join(lines))
        self.assertEqual(self._output(GOOD, as_json=True), (0, []))

    def test_the_command_line_is_checked_too(self) -> None:
        status, lines = self._output(GOOD, overrides=Overrides(device_types=("ct002", "ct003")))
        self.assertEqual(status, 1)
        self.assertTrue(lines[0].startswith("command line [GENERAL] DEVICE_TYPE: "))
