"""Those who wait to hear that a change is durable."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

ANSWER_WITHIN_S = 10.0
"""A disk or a server that needs longer has not done it."""


class Acknowledgements:
    """Everybody who waits for one and the same saving."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[Deferred[bool], None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self) -> Deferred[bool]:
        """Fires with what :meth:`settle` says, or with False after :data:`ANSWER_WITHIN_S`."""
        one: Deferred[bool] = Deferred(lambda gone: self._waiting.pop(gone, None))
        self._waiting[one] = None
        return one.addTimeout(ANSWER_WITHIN_S, self._clock, lambda *_: False)

    def settle(self, *, durable: bool) -> None:
        """Tell everybody who still waits."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting:
            one.callback(durable)


def any_durable(answers: list[Deferred[bool]]) -> Deferred[bool]:
    """True as soon as one place has it, False when none has."""
    if len(answers) == 1:
        return answers[0]
    first: Deferred[bool] = Deferred()
    left = len(answers)

    def answered(durable: bool) -> None:
        nonlocal left
        left -= 1
        if not first.called and (durable or left == 0):
            first.callback(durable)

    for answer in answers:
        answer.addCallback(answered)
    if not answers:
        first.callback(False)
    return first
