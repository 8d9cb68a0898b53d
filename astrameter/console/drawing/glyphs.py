"""What a terminal can show: block, line and braille characters, or nothing but ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
"""Which ways lead out of a joint of a frame; they add up."""


@dataclass(frozen=True)
class Glyphs:
    """One repertoire.

    :ivar joints: the frame's characters by the sum of UP, DOWN, LEFT and RIGHT.
    :ivar bar: a filled cell of a bar, and ``bar_start`` and ``bar_end`` the half cells at its ends.
    :ivar block, block_start, block_end: the same for bars of full height.
    :ivar track: an empty cell of a bar.
    :ivar braille: whether plots may use braille patterns.
    :ivar on, off: a switch; ``good`` and ``bad`` how something does.
    :ivar up, down, left, right: the keys with arrows.
    :ivar grid, load, solar: what stands for a series in plots without braille and in legends.
    """

    joints: str
    bar: str
    bar_start: str
    bar_end: str
    block: str
    block_start: str
    block_end: str
    track: str
    centre: str
    braille: bool
    dot: str
    dash: str
    ellipsis: str
    less: str
    more: str
    grid: str
    load: str
    solar: str
    sun: str
    cloud: str
    night: str
    times: str
    on: str
    off: str
    good: str
    bad: str
    up: str
    down: str
    left: str
    right: str


UNICODE = Glyphs(
    joints=" │││─╯╮┤─╰╭├─┴┬┼",
    bar="━",
    bar_start="╺",
    bar_end="╸",
    block="█",
    block_start="▐",
    block_end="▌",
    track="─",
    centre="┼",
    braille=True,
    dot="·",
    dash="─",
    ellipsis="…",
    less="◂",
    more="▸",
    grid="█",
    load="━",
    solar="━",
    sun="☀",
    cloud="☁",
    night="☾",
    times="×",
    on="■",
    off="·",
    good="●",
    bad="✗",
    up="↑",
    down="↓",
    left="←",
    right="→",
)
"""All of them take one column."""

ASCII = Glyphs(
    joints=" |||-+++-+++-+++",
    bar="=",
    bar_start="=",
    bar_end="=",
    block="#",
    block_start="#",
    block_end="#",
    track="-",
    centre="+",
    braille=False,
    dot="-",
    dash="-",
    ellipsis="~",
    less="<",
    more=">",
    grid="#",
    load="=",
    solar="*",
    sun="sun",
    cloud="cloud",
    night="night",
    times="x",
    on="#",
    off=".",
    good="o",
    bad="!",
    up="up",
    down="down",
    left="left",
    right="right",
)


def glyphs_for(environ: Mapping[str, str]) -> Glyphs:
    """What the terminal of this environment can show.

    ``LC_ALL``, ``LC_CTYPE`` and ``LANG`` decide, in this order; without any of them it is Unicode,
    which every terminal of today has. Python itself sets ``LC_CTYPE=C.UTF-8`` where the user
    has plain C (PEP 538): that says nothing about the terminal. The Linux console has too small
    a font.
    """
    if environ.get("TERM", "") in ("linux", "vt100", "vt220", "dumb"):
        return ASCII
    ctype = environ.get("LC_CTYPE", "")
    if ctype == "C.UTF-8" and environ.get("LANG"):
        ctype = ""
    locale = environ.get("LC_ALL") or ctype or environ.get("LANG") or "C.UTF-8"
    return UNICODE if locale.lower().replace("-", "").endswith("utf8") else ASCII
