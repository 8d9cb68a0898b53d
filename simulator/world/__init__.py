"""Virtual time and network: the same seed gives the same bytes, whatever the machine does."""

from simulator.world.books import Counts, Transcript
from simulator.world.host import HostReactor
from simulator.world.links import Link
from simulator.world.timeline import DelayedCall, StalledError
from simulator.world.world import World

__all__ = [
    "Counts",
    "DelayedCall",
    "HostReactor",
    "Link",
    "StalledError",
    "Transcript",
    "World",
]
