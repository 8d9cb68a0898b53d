"""Which entities Home Assistant may have of us, and how to end those that are no more.

Home Assistant keeps an entity that is merely left out of a device's announcement. It removes one
whose component has nothing but its platform; after that it may be left out
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload). So an announcement
that has lost an entity, an option that was switched off for example, goes out twice.

No I/O: what was announced in former times, by the broker's copy, comes in as an argument.
"""

from __future__ import annotations

import json
import re
from typing import Any

from astrameter.insights.payloads import to_json

MAX_DOCUMENTS = 500
"""Announcements whose entities are remembered; the oldest is forgotten first."""

MAX_COMPONENTS = 100
"""Entities that are remembered of one announcement; a real one has some 25."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_Entities = dict[tuple[str, str], None]
"""Keys of components, each with its platform; in their order."""


class Components:
    """The entities of every announcement in our name since the start, and before it."""

    def __init__(self) -> None:
        self._ever: dict[str, _Entities] = {}
        self._announced: dict[str, _Entities] = {}

    def __len__(self) -> int:
        return len(self._ever)

    def seen(self, topic: str, document: dict[str, Any]) -> bool:
        """The broker still has ``document`` of former times; whether we have published another
        one there meanwhile, which did not end all that has gone."""
        found = _entities(document)
        self._remember(topic, found)
        ours = self._announced.get(topic)
        return ours is not None and bool(found.keys() - ours.keys())

    def farewell(self, topic: str, text: str) -> str | None:
        """What is to be published before the announcement ``text``: the same, and an end to what
        it does not have any more. None when it has everything that there ever was.

        Asked for at each publication, also that to a broker that is back: nobody knows what the
        last connection took along.
        """
        if not text:
            self._ever.pop(topic, None)
            self._announced.pop(topic, None)
            return None
        document = json.loads(text)
        ours = self._announced[topic] = _entities(document)
        self._remember(topic, ours)
        ends = {
            key: {"platform": platform}
            for key, platform in self._ever[topic]
            if (key, platform) not in ours
        }
        return (
            to_json({**document, "components": {**document["components"], **ends}})
            if ends
            else None
        )

    def _remember(self, topic: str, found: _Entities) -> None:
        ever = self._ever.setdefault(topic, {})
        for one in found:
            if len(ever) < MAX_COMPONENTS:
                ever[one] = None
        if len(self._ever) > MAX_DOCUMENTS:
            oldest = next(iter(self._ever))
            del self._ever[oldest]
            self._announced.pop(oldest, None)


def _entities(document: dict[str, Any]) -> _Entities:
    """The components that are some."""
    components = document.get("components")
    if not isinstance(components, dict):
        return {}
    found: _Entities = {}
    for key, one in components.items():
        platform = one.get("platform") if isinstance(one, dict) else None
        if isinstance(platform, str) and _NAME.match(platform) and _NAME.match(key):
            found[key, platform] = None
    return found
