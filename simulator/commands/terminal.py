"""Whether there is a terminal for the console, and what to say when the console is missing."""

from __future__ import annotations

import os
import sys

HINT = "the console needs urwid: pip install 'astrameter[sim]'"


def has_terminal() -> bool:
    """Whether there is somebody to look and to press keys, on something that can move a cursor."""
    if sys.stdin is None or sys.stdout is None:
        return False
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    return interactive and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
