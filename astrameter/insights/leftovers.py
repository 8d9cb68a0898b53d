"""What the broker still has of devices and batteries that are no more (mqtt.md sections 6.3, 9.3).

Retained topics outlive what they tell about: a renamed device, a removed meter, a battery that
was sold while we were not running. Each is a *suspect* until it has been watched for a while.
Whatever shows life in that time belongs to another AstraMeter, which is then left alone. Nothing
is touched outside our base topic, and a battery that is merely away keeps its entities for a
month.

No I/O: messages, times and the state of things come in as arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from astrameter.insights.payloads import ONLINE
from astrameter.insights.topics import Kind, Place, Topics

CALL_AWAY_AFTER_S = 60.0
"""A battery that was there before our start and has not polled since is called away."""

REMOVE_AFTER_S = 600.0
"""How long a suspect is watched. Whatever lives is published far more often."""

LONG_GONE = timedelta(days=30)
"""A battery of a CT that we do have may be away for a holiday, but not for so long."""

MAX_SUSPECTS = 200
"""How many are looked at after one start; the next start looks at others."""

_MAX_DOCUMENT = 64 << 10
_BATTERIES = (Kind.CONSUMER, Kind.BATTERY)


class Announcement(NamedTuple):
    """A device that is announced to Home Assistant in our name.

    :ivar config: the topic of the announcement.
    :ivar state: the state topic of the device.
    """

    config: str
    state: str
    place: Place
    document: dict[str, Any]


@dataclass(slots=True)
class Suspect:
    """A device that is announced to Home Assistant and that we know nothing of.

    :ivar seen: when it was last seen, by what is published about it; None: not told.
    :ivar alive: somebody publishes about it.
    """

    place: Place
    config: str
    state: str
    since: float
    seen: datetime | None = None
    alive: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a suspect.

    :ivar unwatch: its state topic, which need not be watched any more.
    :ivar clear: the topics to delete; none when it is left alone.
    """

    unwatch: str
    clear: tuple[str, ...] = ()


class Leftovers:
    """Suspects, and the judgement on them.

    :param exists: whether an emulated meter or a meter of the configuration is there.
    :param standing: what we publish on a topic ourselves; None when we do not.
    :param announce: whether we announce anything to Home Assistant at all.
    """

    def __init__(
        self,
        topics: Topics,
        exists: Callable[[Place], bool],
        standing: Callable[[str], str | None],
        *,
        announce: bool,
    ) -> None:
        self._topics = topics
        self._exists = exists
        self._standing = standing
        self._announce = announce
        self._suspects: dict[str, Suspect] = {}
        self._online: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._suspects) + len(self._online)

    def found(self, announcement: Announcement, now: float) -> bool:
        """A retained announcement in our name; whether it is a suspect, to be watched."""
        config, state, place, _ = announcement
        if self._standing(config) is not None or state in self._suspects:
            return False
        if len(self._suspects) >= MAX_SUSPECTS:
            return False
        self._suspects[state] = Suspect(place, config, state, now)
        return True

    def told(self, state: str, payload: bytes, retained: bool) -> None:
        """Something is published about a suspect."""
        suspect = self._suspects.get(state)
        if suspect is None:
            return
        if retained:
            suspect.seen = _last_seen(payload)
        elif payload != (self._standing(state) or "").encode():
            suspect.alive = True

    def availability(self, topic: str, payload: bytes, retained: bool, now: float) -> None:
        """Something is published on the availability topic of a battery."""
        if not retained:
            self._online.pop(topic, None)
        elif payload == ONLINE.encode() and len(self._online) < MAX_SUSPECTS:
            self._online.setdefault(topic, now)

    def absent(self, now: float) -> list[str]:
        """Availability topics of batteries that are not there any more; each is returned once."""
        due = [t for t, since in self._online.items() if now - since >= CALL_AWAY_AFTER_S]
        for topic in due:
            del self._online[topic]
        return [topic for topic in due if self._standing(topic) is None]

    def verdicts(self, now: float, today: datetime) -> list[Verdict]:
        """What is to be done about those that have turned up, or have been watched long enough;
        each once."""
        due = [
            suspect
            for suspect in self._suspects.values()
            if now - suspect.since >= REMOVE_AFTER_S or self._standing(suspect.config) is not None
        ]
        for suspect in due:
            del self._suspects[suspect.state]
        return [Verdict(suspect.state, self._clear(suspect, today)) for suspect in due]

    def _clear(self, suspect: Suspect, today: datetime) -> tuple[str, ...]:
        place, config, state = suspect.place, suspect.config, suspect.state
        if self._standing(config) is not None:
            return ()  # it has turned up meanwhile
        if self._standing(state) is not None and place.kind is not Kind.HUB:
            return (config,)  # it is to be published, but not announced any more
        if suspect.alive:
            return ()
        gone = [config, state]
        if place.kind in _BATTERIES:
            gone.append(Topics.availability(state))
        if place.kind is not Kind.HUB and self._exists(place):
            long_gone = suspect.seen is not None and today - suspect.seen >= LONG_GONE
            if not (place.kind in _BATTERIES and long_gone):
                return () if self._announce else (config,)
        return tuple(topic for topic in gone if self._standing(topic) is None)


def in_our_name(topics: Topics, config: str, payload: bytes) -> Announcement | None:
    """What is retained on ``config``, when an AstraMeter with our base topic announced it."""
    document = _json(payload)
    origin = document.get("origin")
    if not isinstance(origin, dict) or origin.get("name") != "astrameter":
        return None
    state = document.get("state_topic")
    place = topics.place(state) if isinstance(state, str) and not set(state) & {"+", "#"} else None
    if place is None:
        return None
    # Whoever announces it elsewhere is not the AstraMeter that this topic is from.
    if place.kind is not Kind.HUB and config != topics.config(topics.node(place)):
        return None
    return Announcement(config, str(state), place, document)


def _last_seen(payload: bytes) -> datetime | None:
    seen = _json(payload).get("last_seen")
    try:
        found = datetime.fromisoformat(seen) if isinstance(seen, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _json(payload: bytes) -> dict[str, Any]:
    """The object in a message; empty when there is none."""
    if len(payload) > _MAX_DOCUMENT:
        return {}
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
