"""What a script may speak of: the batteries and loads of its simulation."""

from __future__ import annotations

from simulator.configuration.checked import Object
from simulator.configuration.durations import seconds_of
from simulator.configuration.model import Simulation


class Names:
    """The batteries and loads there are."""

    def __init__(self, simulation: Simulation, known: bool) -> None:
        """:param known: False when the simulation could not be read: then any name will do."""
        self._known = known
        self._macs = [one.config.mac for one in simulation.batteries]
        self._loads = [one.name for one in simulation.loads]

    def mac(self, one: Object, key: str) -> str:
        """A battery by its MAC, or by its number from 1 in the order of the file."""
        if key.upper() in self._macs:
            return key.upper()
        if _is_number(key, self._macs):
            return self._macs[int(key) - 1]
        if self._known:
            one.wrong(key, f"there is no such battery; there are {_list(self._macs)}")
        return key

    def load(self, one: Object, key: str) -> str:
        """A load by its name, or by its number from 1; as it was given."""
        if self._known and key not in self._loads and not _is_number(key, self._loads):
            one.wrong(key, f"there is no such load; there are {_list(self._loads)}")
        return key


def time_of(one: Object, key: str, default: float = 0.0) -> float:
    """The time under a key, seconds."""
    value = one.raw(key)
    if key not in one:
        return default
    try:
        return seconds_of(value)
    except ValueError as error:
        one.wrong(key, str(error))
        return default


def _is_number(key: str, among: list[str]) -> bool:
    return key.isascii() and key.isdigit() and 1 <= int(key[:9]) <= len(among)


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"
