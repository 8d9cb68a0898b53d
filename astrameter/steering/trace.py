"""Why each answer was what it was: the last decisions about each battery.

The controller says on its way which limiter acted (:meth:`Trace.limit`) or why a battery is to
stay (:meth:`Trace.stay`), and at the end what it decided. That is to cost next to nothing: plain
tuples are kept, and only who asks pays for names and words.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from astrameter.reading import Sample
from astrameter.steering.interface import Mode
from astrameter.steering.observer import LoadObserver
from astrameter.steering.pool import Plan
from astrameter.steering.unit import Unit

KEPT = 20
"""Decisions about each battery; at a poll a second, what has happened in the last 20 s."""

MOST_BATTERIES = 256
"""As many as a fleet has (astrameter.ct.fleet)."""

# Why a battery is told to stay, and what changes a power: a short name, a colon, a sentence.
NOISE = "small: what is missing is within the noise of the meter"
ANOTHER = "another: little is missing, and a battery that is further from its part sees to it"
NOT_WORTH = "not worth it: after so small a step it would be deaf to a larger one for a while"
UNKNOWN = "watched: nobody knows how it acts on an answer, so it is watched until it rests"
TOO_SOON = "too soon: it asked again before it could act on the last answer"
REACH = "reach: as far as it has shown that it can"
OPENING = "gentle start: the other batteries may not have asked yet"
HELD = "held: it does not follow at present, and more of the same is not added up"
DEAF = "dead band: it has ignored so small a reading lately"
FLOOR = "least output: its owner wants no less of it (MIN_DC_OUTPUT)"
WAKING = "joining: the others go on until it has shown that it works"
FILLING = (
    "filling in: for what the others do too much or too little until they are where they should be"
)
ONE_FOR_ALL = "one for all: what is too little to be divided is for one battery"
EXCHANGE = "exchange: parts are evened out in small steps"


class Limit(NamedTuple):
    """A limiter that acted.

    :ivar name: a short name; after a colon, why there is such a limiter.
    """

    name: str
    before_w: float
    after_w: float


class Decision(NamedTuple):
    """One answer of the controller, with what it was made of. Powers are watts, + discharge.

    :ivar at: monotonic seconds.
    :ivar sample: the meter reading that was used.
    :ivar power_w: what the battery reported.
    :ivar before_w: where it was believed to be going already.
    :ivar setpoint_w: where it is believed to be going now that it is answered: the prediction.
    :ivar slew_w_per_s: how fast it is believed to move.
    :ivar load_w: the estimated house load less generation; None before the first estimate.
    :ivar noise_w: scale of the meter's noise (standard deviation).
    :ivar delay_s: how late the readings of the meter are estimated to be.
    :ivar pool_w: what all batteries that steer themselves are to deliver together.
    :ivar pool: how many those are.
    :ivar share_w: this battery's part of it; None where it has none.
    :ivar low_w: the least that it can deliver as far as is known; -inf where nothing is.
    :ivar high_w: the most.
    :ivar joining: it has been called to work and has to prove that it does.
    :ivar held: direction (+1, -1) in which it has not followed lately; 0 when it does.
    :ivar intent_w: what it is meant to deliver.
    :ivar stays: why it is told to stay as it is; empty when it is not.
    :ivar limits: the limiters that acted, in order.
    :ivar reading_w: what was sent.
    """

    at: float
    sample: Sample
    mode: Mode
    power_w: float
    before_w: float
    setpoint_w: float
    slew_w_per_s: float
    load_w: float | None
    noise_w: float
    delay_s: float
    pool_w: float
    pool: int
    share_w: float | None
    low_w: float
    high_w: float
    joining: bool
    held: int
    intent_w: float
    stays: str
    limits: tuple[Limit, ...]
    reading_w: float

    @property
    def sample_age_s(self) -> float:
        """How old the reading was when it was used."""
        return self.at - self.sample.measured_at

    def expected_w(self, after_s: float) -> float:
        """What the model predicts that the battery delivers ``after_s`` later."""
        reach_w = self.slew_w_per_s * after_s
        return self.power_w + min(max(self.setpoint_w - self.power_w, -reach_w), reach_w)


class Outcome(NamedTuple):
    """What became of a decision by the next poll.

    :ivar after_s: how much later that was.
    :ivar expected_w: what the battery was expected to deliver by then.
    :ivar delivered_w: what it reported.
    """

    after_s: float
    expected_w: float
    delivered_w: float


class Tracer(Protocol):
    """Who is told how the controller decides."""

    def limit(self, name: str, before_w: float, after_w: float) -> None:
        """A limiter has looked at a power; it acted when it has changed it.

        :param name: a short name, and after a colon and a blank a sentence that explains it.
        """

    def stay(self, why: str) -> None:
        """The battery is told to stay as it is, for a reason of the same form."""

    def decided(
        self,
        consumer_id: str,
        mode: Mode,
        unit: Unit,
        sample: Sample,
        observer: LoadObserver,
        plan: Plan,
        before_w: float,
        intent_w: float,
        reading_w: float,
        now: float,
    ) -> None:
        """The battery is answered."""

    def forget(self, consumer_id: str) -> None:
        """The battery is gone, or starts anew."""


Told = Callable[[str], None]
"""Takes the id of each battery that a decision was made about; asks for it if it wants it."""


class Trace:
    """Keeps the last decisions about each battery.

    :param kept: how many.
    :param told: is called at each decision; None is nobody. May be changed at any time.
    """

    def __init__(self, kept: int = KEPT, told: Told | None = None) -> None:
        self.told = told
        self._kept = kept
        self._decisions: dict[str, deque[tuple[object, ...]]] = {}
        self._limits: list[tuple[str, float, float]] = []
        self._stays = ""

    def limit(self, name: str, before_w: float, after_w: float) -> None:
        if before_w != after_w:
            self._limits.append((name, before_w, after_w))

    def stay(self, why: str) -> None:
        self._stays = why

    def decided(
        self,
        consumer_id: str,
        mode: Mode,
        unit: Unit,
        sample: Sample,
        observer: LoadObserver,
        plan: Plan,
        before_w: float,
        intent_w: float,
        reading_w: float,
        now: float,
    ) -> None:
        member = plan.members.get(consumer_id)
        limits = self._limits
        # In the order of Decision.
        decision = (
            now,
            sample,
            mode,
            unit.power_w,
            before_w,
            unit.setpoint_w,
            unit.history.slew_w_per_s,
            observer.load_w,
            observer.noise_w,
            observer.alignment.age_s,
            plan.load_w,
            len(plan.shares),
            plan.shares.get(consumer_id),
            -math.inf if member is None else member.low_w,
            math.inf if member is None else member.high_w,
            consumer_id in plan.joining,
            unit.held,
            intent_w,
            self._stays,
            tuple(limits) if limits else (),
            reading_w,
        )
        self._stays = ""
        if limits:
            limits.clear()
        kept = self._decisions.get(consumer_id)
        if kept is None:
            kept = self._begin(consumer_id)
        kept.append(decision)
        if self.told is not None:
            self.told(consumer_id)

    def forget(self, consumer_id: str) -> None:
        self._decisions.pop(consumer_id, None)

    def __len__(self) -> int:
        """How many batteries there are decisions about."""
        return len(self._decisions)

    def of(self, consumer_id: str) -> list[Decision]:
        """The decisions about a battery, the oldest first."""
        return [_named(one) for one in self._decisions.get(consumer_id, ())]

    def latest(self, consumer_id: str) -> tuple[Decision, Outcome | None] | None:
        """The last decision, and what became of the one before; None before the first."""
        kept = self._decisions.get(consumer_id)
        if kept is None:
            return None
        last = _named(kept[-1])
        return last, outcome(_named(kept[-2]), last) if len(kept) > 1 else None

    def _begin(self, consumer_id: str) -> deque[tuple[object, ...]]:
        if len(self._decisions) >= MOST_BATTERIES:
            del self._decisions[next(iter(self._decisions))]
        kept = self._decisions[consumer_id] = deque(maxlen=self._kept)
        return kept


class _Nobody:
    """Where nobody wants to know."""

    def limit(self, name: str, before_w: float, after_w: float) -> None:
        pass

    def stay(self, why: str) -> None:
        pass

    def decided(self, *_what: object) -> None:
        pass

    def forget(self, consumer_id: str) -> None:
        pass


NOBODY: Tracer = _Nobody()


def outcome(decision: Decision, following: Decision) -> Outcome:
    """What became of a decision by the one that followed it."""
    after_s = following.at - decision.at
    return Outcome(after_s, decision.expected_w(after_s), following.power_w)


def _named(decision: tuple[object, ...]) -> Decision:
    found = Decision._make(decision)
    return found._replace(limits=tuple(map(Limit._make, found.limits)))
