"""The styles of all screens, from monochrome to 256 colours.

urwid takes what the terminal can do and honours ``NO_COLOR``: then only bold and reversed text
remain, so nothing on a screen may be told by colour alone.
"""

from __future__ import annotations

Entry = tuple[str, str, str, str, str, str]

PALETTE: tuple[Entry, ...] = (
    # name, and of 16 colours: text, background; monochrome; of 256 colours: text, background
    ("title", "white", "dark blue", "standout", "#fff", "#036"),
    ("title dim", "light gray", "dark blue", "standout", "#9cf", "#036"),
    ("frame", "dark gray", "default", "", "g35", "default"),
    ("heading", "white,bold", "default", "bold", "#fff,bold", "default"),
    ("dim", "dark gray", "default", "", "g50", "default"),
    ("value", "white", "default", "bold", "#fff", "default"),
    ("strong", "white,bold", "default", "bold", "#fff,bold", "default"),
    ("import", "light red", "default", "", "#f55", "default"),
    ("export", "light green", "default", "", "#4d6", "default"),
    ("even", "light gray", "default", "", "g74", "default"),
    ("charge", "light cyan", "default", "", "#4cf", "default"),
    ("discharge", "light magenta", "default", "", "#f8d", "default"),
    ("soc", "light green", "default", "", "#5d5", "default"),
    ("soc low", "light red", "default", "", "#f55", "default"),
    ("solar", "yellow", "default", "", "#fd0", "default"),
    ("load", "white", "default", "bold", "#fff", "default"),
    ("good", "light green,bold", "default", "bold", "#4d6,bold", "default"),
    ("bad", "light red,bold", "default", "bold", "#f55,bold", "default"),
    ("warning", "yellow,bold", "default", "bold", "#fa0,bold", "default"),
    ("key", "black", "light gray", "standout", "#000", "g70"),
    ("link", "light cyan,underline", "default", "underline", "#6cf,underline", "default"),
)
"""For ``urwid.MainLoop``."""

STYLES = frozenset(entry[0] for entry in PALETTE)
"""Every name that a span may have, besides the empty one."""
