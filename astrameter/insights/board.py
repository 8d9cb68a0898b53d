"""The retained topics: what is to stand at the broker, and what the broker has not got yet.

What is put here is a state, not an event: it is published when it differs from what stands there,
the newest of several only, and all of it again to a broker that we have just connected to. So
nothing is lost while there is no broker, and nothing piles up.
"""

from __future__ import annotations

from typing import NamedTuple


class Publication(NamedTuple):
    """:ivar text: empty deletes the topic."""

    topic: str
    text: str


class Board:
    """Texts by topic, and which of them are still to be published, in order of their change."""

    def __init__(self) -> None:
        self._wanted: dict[str, str] = {}
        self._pending: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, topic: object) -> bool:
        return topic in self._wanted

    @property
    def pending(self) -> int:
        """How many topics are still to be published."""
        return len(self._pending)

    def get(self, topic: str) -> str | None:
        """What is to stand there."""
        return self._wanted.get(topic)

    def put(self, topic: str, text: str) -> None:
        """Let ``text`` stand there."""
        if self._wanted.get(topic) != text:
            self._wanted[topic] = text
            self._pending[topic] = None

    def repeat(self, topic: str) -> None:
        """Publish once more what stands there."""
        if topic in self._wanted:
            self._pending[topic] = None

    def clear(self, topic: str) -> None:
        """Let nothing stand there."""
        self._wanted.pop(topic, None)
        self._pending[topic] = None

    def forget(self, topic: str) -> None:
        """Care no longer for what stands there."""
        self._wanted.pop(topic, None)
        self._pending.pop(topic, None)

    def connected(self) -> None:
        """The broker may have nothing of it: publish all."""
        cleared = [topic for topic in self._pending if topic not in self._wanted]
        self._pending = dict.fromkeys((*cleared, *self._wanted))

    def take(self) -> Publication | None:
        """The next one to publish; None when the broker has everything."""
        if not self._pending:
            return None
        topic = next(iter(self._pending))
        del self._pending[topic]
        return Publication(topic, self._wanted.get(topic, ""))

    def lost(self, publication: Publication) -> None:
        """It was taken and did not reach the broker."""
        if self._wanted.get(publication.topic, "") == publication.text:
            self._pending[publication.topic] = None
