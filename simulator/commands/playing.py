"""``run --script``: the script as a command plays it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from twisted.internet.defer import Deferred

from simulator.commands import setup
from simulator.configuration.file import Loaded
from simulator.running.simulation import RunningSimulation
from simulator.scripts.file import load_script
from simulator.scripts.model import Script
from simulator.scripts.player import Player


class Scripted:
    """A script file, once its simulation is known."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._script: Script | None = None
        self._player: Player | None = None

    @property
    def script(self) -> Script:
        assert self._script is not None, "it is loaded first"
        return self._script

    def loaded(self, options: argparse.Namespace) -> Loaded:
        """What it plays in: ``-c``, or what the script says; and the rest of the options.

        :raises ProblemsError: with everything that is wrong with the files.
        """
        given = None if options.config is None else setup.load(options)
        self._script, loaded = load_script(self._path, given)
        return Loaded(setup.overridden(loaded.simulation, options), loaded.warnings)

    def play(self, simulation: RunningSimulation, clock: Any) -> Deferred[bool]:
        """Play it; fires with whether everything was as expected."""
        player = self._player = Player(self.script, simulation, clock, _say)
        player.startService()
        return player.done

    def stop(self) -> None:
        """End it, wherever it is."""
        if self._player is not None and self._player.running:
            self._player.stopService()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
