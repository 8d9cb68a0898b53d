"""Real processes that are killed, or have no place to write: nothing acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.store.fileformat import decode
from astrameter.store.filestore import FILE_NAME

ROOT = Path(__file__).parents[3]
KILLS = 500
AT_ONCE = 2


def spawn(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.astrameter.store.{module}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def result(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=110)
    assert process.returncode == 0, err
    return json.loads(out)


class Killed(SynchronousTestCase):
    def test_500_kills_at_random_moments_lose_nothing_acknowledged(self) -> None:
        running = []
        for seed in range(AT_ONCE):
            directory = Path(self.mktemp()).absolute()
            directory.mkdir()
            running.append(spawn("victims", directory, KILLS // AT_ONCE, seed))
        for found in map(result, running):
            self.assertEqual(found["wrong"], [])
            # The test is worth something only when there was something to lose.
            self.assertGreater(found["acknowledged"], KILLS // AT_ONCE)
            self.assertGreater(found["killed_in_flight"], KILLS // AT_ONCE // 10)
            self.assertLessEqual(set(found["left"]), {"notes", FILE_NAME, f"{FILE_NAME}.new"})


class NoPlace(SynchronousTestCase):
    def check(self, how: str) -> None:
        # Not below trial's directory, where nobody else may look.
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            self.assertEqual(result(spawn("hostile", how, directory)), [False, True])
            entries, _ = decode((directory / FILE_NAME).read_bytes())
            kept = {key: entry.document for key, entry in entries.items()}
            self.assertEqual(kept, {"first": {"n": 1}, "second": {"n": 2}})

    def test_a_full_disk_acknowledges_nothing_and_nothing_is_lost(self) -> None:
        self.check("full")

    def test_nor_does_a_directory_that_is_only_to_be_read(self) -> None:
        self.check("readonly")
