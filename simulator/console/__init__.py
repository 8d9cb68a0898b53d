"""The console of the simulator: see a simulation live, and operate it.

It knows a simulation only as :class:`~simulator.control.SiteControl`: the one of its own process,
or another one that it reaches over HTTP. Needs urwid (``pip install 'astrameter[sim]'``).
"""

from simulator.console.terminal import make_app, run

__all__ = ["make_app", "run"]
