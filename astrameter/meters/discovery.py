"""Finds the kind of meter that serves a section: the module of that name in this package.

Only the module that a section needs is imported. Each brings in libraries of its own, and the
appliance often lives in a small computer.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

import astrameter.meters
from astrameter.meters.interface import MeterKind

INFRASTRUCTURE = frozenset(
    {
        "digest",
        "discovery",
        "homeassistant_states",
        "homewizard_ca",
        "homewizard_tls",
        "http",
        "http_agent",
        "interface",
        "json_device",
        "jsonpaths",
        "login",
        "options",
        "polled",
        "pushed",
        "sml_telegrams",
        "sml_values",
        "speedwire",
        "urls",
        "websocket",
        "websocket_connection",
        "websocket_wire",
    }
)
"""Modules of this package that are no kinds of meters; a test checks that this is complete.

A module that is missing here does no harm but to be suggested for a mistyped section.
"""


@functools.cache
def names() -> tuple[str, ...]:
    """The section names of all kinds (``JSON_HTTP``, ``MQTT``, ...), by alphabet.

    Known by the names of the files: nothing is imported.
    """
    modules = (found.name for found in pkgutil.iter_modules(astrameter.meters.__path__))
    return tuple(sorted(name.upper() for name in modules if name not in INFRASTRUCTURE))


def find(section: str) -> MeterKind[Any] | None:
    """The kind whose name the section's name begins with, the longest such name first.

    Section names are case-sensitive (filters.md section 15). None when no kind matches.
    """
    candidates = [name for name in names() if section.startswith(name)]
    for name in sorted(candidates, key=len, reverse=True):
        kind = _kind(name)
        if kind is not None:
            return kind
    return None


def all_kinds() -> tuple[MeterKind[Any], ...]:
    """Every kind, by alphabet. Imports all of them: for the documentation and for tests."""
    return tuple(kind for name in names() if (kind := _kind(name)) is not None)


def _kind(name: str) -> MeterKind[Any] | None:
    module = importlib.import_module(f"astrameter.meters.{name.lower()}")
    kind = getattr(module, "KIND", None)
    return kind if isinstance(kind, MeterKind) else None
