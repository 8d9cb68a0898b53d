"""Who was heard at which port, and what became of it. No I/O; times come in as arguments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from astrameter.doctor.datagrams import Message, Speech, brief, understand
from astrameter.steering.interface import INSPECTION

MAX_CALLERS = 200
"""More senders than this are only counted: source addresses can be forged."""

_MAX_WORDS = 20


@dataclass(slots=True)
class Caller:
    """One sender at one port, speaking one language.

    :ivar message: what it said last.
    :ivar heard: its datagrams, good or bad.
    :ivar polls: those that were to be answered, and of which an answer is told.
    :ivar answered: the answers told.
    :ivar rejected: those that were not to be answered, by reason.
    :ivar asked_at: when the first poll came that has not been answered yet.
    :ivar slowest_s: the longest that an answer took.
    :ivar phases: every phase that it claimed.
    :ivar methods: every method that it asked for without getting an answer.
    """

    port: int
    ip: str
    message: Message
    first_at: float
    last_at: float
    heard: int = 0
    polls: int = 0
    answered: int = 0
    asked_at: float | None = None
    slowest_s: float = 0.0
    rejected: Counter[str] = field(default_factory=Counter)
    phases: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)

    @property
    def interval_s(self) -> float | None:
        """Between two of its datagrams, on average; None when there was only one."""
        return (self.last_at - self.first_at) / (self.heard - 1) if self.heard > 1 else None

    @property
    def accepted(self) -> int:
        """Datagrams that were to be answered."""
        return self.heard - self.rejected.total()


class Hearing:
    """Collects what was heard.

    :ivar more: datagrams of senders for whom there was no room.
    """

    def __init__(self) -> None:
        self.more = 0
        self._callers: dict[tuple[int, str, Speech, str], Caller] = {}

    @property
    def callers(self) -> tuple[Caller, ...]:
        """All of them, in the order in which they were first heard."""
        return tuple(self._callers.values())

    def heard(self, port: int, ip: str, datagram: bytes, now: float, reason: str = "") -> None:
        """A datagram came to ``port``; ``reason``: why it is not answered."""
        message = understand(datagram)
        caller = self._caller(port, ip, message, now)
        if caller is None:
            self.more += 1
            return
        caller.message = message
        caller.heard += 1
        caller.last_at = now
        if message.phase:
            caller.phases.add(message.phase)
        if reason:
            if message.method and len(caller.methods) < _MAX_WORDS:
                caller.methods.add(message.method)
            caller.rejected[reason] += 1
        elif message.speech is Speech.SHELLY or message.phase not in ("", INSPECTION):
            caller.polls += 1
            if caller.asked_at is None:
                caller.asked_at = now

    def answered(self, port: int, ip: str, speech: Speech, mac: str, now: float) -> None:
        """A poll at ``port`` was answered.

        :param mac: what the battery calls itself at a CT; empty at a Shelly.
        """
        caller = self._callers.get((port, ip, speech, brief(mac).lower()))
        if caller is None:
            return
        caller.answered += 1
        if caller.asked_at is not None:
            caller.slowest_s = max(caller.slowest_s, now - caller.asked_at)
            caller.asked_at = None

    def _caller(self, port: int, ip: str, message: Message, now: float) -> Caller | None:
        key = (port, ip, message.speech, message.mac.lower())
        caller = self._callers.get(key)
        if caller is None:
            if len(self._callers) >= MAX_CALLERS:
                return None
            caller = self._callers[key] = Caller(port, ip, message, now, now)
        return caller
