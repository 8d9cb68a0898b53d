"""The styles of all screens, from monochrome to 256 colours.

urwid takes what the terminal can do and honours ``NO_COLOR``: then only bold and reversed text
remain, so nothing on a screen may be told by colour alone. Text has the terminal's own colour where
it can: the background may be dark or light.
"""

from __future__ import annotations

Entry = tuple[str, str, str, str, str, str]

PALETTE: tuple[Entry, ...] = (
    # name, and of 16 colours: text, background; monochrome; of 256 colours: text, background
    ("title", "white", "dark blue", "standout", "#fff", "#036"),
    ("title dim", "light gray", "dark blue", "standout", "#9cf", "#036"),
    ("frame", "dark gray", "default", "", "g35", "default"),
    ("heading", "default,bold", "default", "bold", "default,bold", "default"),
    ("dim", "dark gray", "default", "", "g50", "default"),
    ("value", "default", "default", "bold", "default", "default"),
    ("selected", "default,bold", "default", "bold", "default,bold", "default"),
    ("strong", "default,bold", "default", "bold", "default,bold", "default"),
    ("import", "light red", "default", "", "#f55", "default"),
    ("export", "light green", "default", "", "#3b5", "default"),
    ("even", "default", "default", "", "default", "default"),
    ("charge", "light cyan", "default", "", "#3af", "default"),
    ("discharge", "light magenta", "default", "", "#e6b", "default"),
    ("soc", "light green", "default", "", "#3b5", "default"),
    ("soc low", "light red", "default", "", "#f55", "default"),
    ("solar", "yellow", "default", "", "#da0", "default"),
    ("load", "default", "default", "bold", "default", "default"),
    ("good", "light green,bold", "default", "bold", "#3b5,bold", "default"),
    ("bad", "light red,bold", "default", "bold", "#f55,bold", "default"),
    ("warning", "yellow,bold", "default", "bold", "#fa0,bold", "default"),
    ("prompt", "black", "yellow", "standout", "#000", "#fc0"),
    ("lost", "white", "dark red", "standout", "#fff", "#a00"),
    ("key", "black", "light gray", "standout", "#000", "g70"),
)
"""For ``urwid.MainLoop``."""

STYLES = frozenset(entry[0] for entry in PALETTE)
"""Every name that a span may have, besides the empty one."""
