"""The sections that stand once and are no meters, besides ``[GENERAL]`` and the CTs.

To have a further one, declare it beside the code that uses it and name it here: that is all it
takes to be loaded, checked, shown and documented. ``Settings.part`` gives its options.
"""

from __future__ import annotations

from typing import Any

from astrameter.console.ssh.options import CONSOLE
from astrameter.insights.options import INSIGHTS
from astrameter.marstek.options import MARSTEK
from astrameter.options import Section
from astrameter.store.options import STATE

PARTS: tuple[Section[Any], ...] = (INSIGHTS, MARSTEK, STATE, CONSOLE)
"""In the order of the reference. The first section whose name begins with one's name counts."""


def part_of(name: str) -> Section[Any] | None:
    """The part that a section called ``name`` belongs to; the longest name wins."""
    found = [part for part in PARTS if name.startswith(part.name)]
    return max(found, key=lambda part: len(part.name), default=None)
