"""How many colours a terminal has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Colours = Literal[1, 16, 256, 16777216]

MONOCHROME: Final = 1
FEW: Final = 16
MANY: Final = 256
TRUE: Final = 16777216


def colours_for(environ: Mapping[str, str]) -> Colours:
    """What urwid may use on the terminal of this environment: 1, 16, 256 or 2**24.

    ``NO_COLOR`` (https://no-color.org) decides when it is not empty, then ``COLORTERM``, then
    ``TERM``.
    """
    term = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR") or term in ("", "dumb", "vt100", "vt220", "unknown"):
        return MONOCHROME
    if term.endswith(("-mono", "-m")):
        return MONOCHROME
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "direct" in term:
        return TRUE
    if "256" in term or term in ("xterm-kitty", "alacritty", "foot", "wezterm", "xterm-ghostty"):
        return MANY
    return FEW
