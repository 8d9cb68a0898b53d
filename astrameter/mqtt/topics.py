"""Which texts are topics and topic filters (MQTT 3.1.1 section 4.7)."""

from __future__ import annotations

_LONGEST_BYTES = 65535


def check_topic(topic: str) -> str:
    """A topic that can be published to.

    :raises ValueError: when it is empty, too long, or holds a wildcard or a NUL.
    """
    _check_text(topic)
    if "+" in topic or "#" in topic:
        raise ValueError("a topic to publish to cannot hold + or #")
    return topic


def check_filter(topic_filter: str) -> str:
    """A topic that can be subscribed to, with or without wildcards.

    :raises ValueError: when it is empty, too long, holds a NUL, or a wildcard stands where none
        may.
    """
    _check_text(topic_filter)
    levels = topic_filter.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        raise ValueError("a + or # stands alone between slashes, as in home/+/power")
    if "#" in levels[:-1]:
        raise ValueError("a # is the last level, as in home/#")
    return topic_filter


def _check_text(topic: str) -> None:
    if not topic:
        raise ValueError("a topic cannot be empty")
    if "\0" in topic:
        raise ValueError("a topic cannot hold the character NUL")
    try:
        length = len(topic.encode())
    except UnicodeEncodeError:
        raise ValueError("a topic is plain Unicode text") from None
    if length > _LONGEST_BYTES:
        raise ValueError(f"a topic has at most {_LONGEST_BYTES} bytes")
