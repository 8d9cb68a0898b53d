"""The controller's own account of a run: why it said what it said after each event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astrameter.ct.options import CtOptions
from astrameter.steering.controller import Steering
from astrameter.steering.interface import Controller
from astrameter.steering.observer import LoadObserver
from astrameter.steering.trace import Decision, Trace, outcome
from simulator.evaluation.exchange import START_S
from simulator.evaluation.recording import Recording

FOR_S = 15.0
MOST_EVENTS = 12
MOST_DECISIONS = 24
"""After each event and of all batteries together."""


class Account:
    """Keeps what a controller decides."""

    def __init__(self, observer: LoadObserver | None = None) -> None:
        """:param observer: what the controller is to estimate the house load with."""
        self._observer = observer
        self._trace = Trace(1, self._told)
        self._decisions: list[tuple[str, Decision]] = []

    def controller(self, options: CtOptions) -> Controller:
        """A :data:`~simulator.evaluation.exchange.MakeController` that is listened to."""
        return Steering(options, self._trace, self._observer)

    def _told(self, consumer_id: str) -> None:
        self._decisions += ((consumer_id, one) for one in self._trace.of(consumer_id))

    def after_events(self, run: Recording) -> list[dict[str, Any]]:
        """For each event the decisions that followed, as plain values."""
        following = _following(self._decisions)
        # The batteries of all scenarios have ascending addresses.
        ids = sorted({consumer_id for consumer_id, _ in self._decisions})
        numbers = {consumer_id: number for number, consumer_id in enumerate(ids)}
        found = []
        for at_s, label in run.marks[:MOST_EVENTS]:
            begin = START_S + at_s
            made = [
                _line(one, then, numbers[consumer_id])
                for (consumer_id, one), then in zip(self._decisions, following, strict=True)
                if begin <= one.at <= begin + FOR_S
            ]
            found.append({"at_s": round(at_s, 1), "label": label, "made": made[:MOST_DECISIONS]})
        return found


def _following(decisions: Sequence[tuple[str, Decision]]) -> list[Decision | None]:
    """The next decision about the same battery, for each."""
    found: list[Decision | None] = []
    next_of: dict[str, Decision] = {}
    for consumer_id, one in reversed(decisions):
        found.append(next_of.get(consumer_id))
        next_of[consumer_id] = one
    return found[::-1]


def _line(one: Decision, then: Decision | None, battery: int) -> dict[str, Any]:
    became = None if then is None else outcome(one, then)
    return {
        "at_s": round(one.at - START_S, 1),
        "battery": battery + 1,
        "grid_w": round(one.sample.total),
        "age_s": round(one.sample_age_s, 1),
        "delay_s": round(one.delay_s, 1),
        "load_w": None if one.load_w is None else round(one.load_w),
        "share_w": None if one.share_w is None else round(one.share_w),
        "power_w": round(one.power_w),
        "intent_w": round(one.intent_w),
        "reading_w": round(one.reading_w),
        "expected_w": None if became is None else round(became.expected_w),
        "delivered_w": None if became is None else round(became.delivered_w),
        "why": _why(one),
    }


def _why(one: Decision) -> str:
    # Reasons and limiters have a short name, a colon, and a sentence.
    acted = [
        f"{limit.name.partition(':')[0]}: {limit.before_w:.0f} → {limit.after_w:.0f} W"
        for limit in one.limits
        if round(limit.before_w) != round(limit.after_w)
    ]
    stays = [f"stays: {one.stays.partition(':')[0]}"] if one.stays else []
    return "; ".join([*stays, *acted])
