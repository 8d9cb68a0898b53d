"""Which law a battery follows: several copies run beside each other, the best one is used."""

from __future__ import annotations

from collections.abc import Sequence

from astrameter.steering.models.b2500 import ClassicB2500, FieldB2500
from astrameter.steering.models.integer import IntegerLaw
from astrameter.steering.models.law import Law
from astrameter.steering.models.learned import LearnedLaw
from astrameter.steering.models.venus_c import VenusC

_FORGET = 0.9
_MOST_W = 150.0
_BETTER_BY = 75.0
_FAR_BETTER_BY = 150.0
_TELLING_W = 12.0
_PROOF_W = 15.0
_DISTRUST_W = 600.0
_PROOF = 0.15
_DOUBT = 0.8
_DOUBTED_W = 200.0
"""What was learned is not believed any more when it is wrong by 40 W again and again."""


class Bank:
    """The candidate laws of one battery.

    :ivar law: the one that explains its behaviour best.
    """

    def __init__(self, laws: Sequence[Law], power_w: float) -> None:
        self._learned = LearnedLaw()
        self._laws: tuple[Law, ...] = (*laws, self._learned)
        self._cost = [0.0] * len(self._laws)
        self._used = 0
        self._proved = False
        self._doubt = 0.0
        for law in self._laws:
            law.settle(power_w)

    @property
    def law(self) -> Law:
        return self._laws[self._used]

    def step(self, reading_w: int, power_w: float, now: float) -> None:
        """The battery was sent ``reading_w``: all copies take it in."""
        for law in self._laws:
            law.step(reading_w, power_w, now)

    def check(self, power_w: float, reach_w: float, before_w: float) -> None:
        """Compare what was learned with a report; the parameters are those of :meth:`judge`."""
        error_w = abs(power_w - _reached(self._learned.setpoint_w, before_w, reach_w))
        self._doubt = _DOUBT * self._doubt + error_w
        if error_w > _MOST_W or self._doubt > _DOUBTED_W:
            self._proved = False

    def judge(self, power_w: float, reach_w: float, before_w: float) -> None:
        """Compare the copies with a report.

        :param reach_w: how far the output can have moved since ``before_w``, the last report.
        """
        laws = self._laws
        if len(laws) == 1:
            return
        errors = [abs(power_w - _reached(law.setpoint_w, before_w, reach_w)) for law in laws]
        if max(errors) - min(errors) < _TELLING_W:
            return
        cost = self._cost
        for i, error_w in enumerate(errors):
            cost[i] = _FORGET * cost[i] + min(error_w, _MOST_W)
        best = min(range(len(cost)), key=cost.__getitem__)
        by_w = _FAR_BETTER_BY if laws[best] is self._learned else _BETTER_BY
        if cost[best] + by_w < cost[self._used]:
            self._used = best

    @property
    def described(self) -> bool:
        """One of the laws that somebody has described explains it."""
        return self.law is not self._learned

    @property
    def cautious(self) -> bool:
        """No description explains it, and what was learned was wrong the last time."""
        return not self.described and (not self._proved or self._learned.stretched)

    def distrust(self) -> None:
        """It did what none of the copies can explain: learn it instead."""
        self._used = len(self._laws) - 1
        self._proved = False
        self._cost = [_DISTRUST_W] * self._used + [0.0]

    def learn(self, reading_w: float, moved_w: float, power_w: float) -> None:
        """From rest to rest, each of some readings (of that mean) has moved it by ``moved_w``.

        :param power_w: where it rests.
        """
        away_w = abs(power_w - self._learned.setpoint_w)
        self._proved = away_w <= max(_PROOF_W, _PROOF * abs(moved_w))
        self._doubt = 0.0
        self._learned.learn(reading_w, moved_w)

    def settle(self, power_w: float) -> None:
        """The battery rests at ``power_w``: whatever the copies thought, nothing is in flight."""
        for law in self._laws:
            law.settle(power_w)

    def settle_others(self, power_w: float) -> None:
        """The battery rests where the used copy says: bring the others there too."""
        for i, law in enumerate(self._laws):
            if i != self._used:
                law.settle(power_w)


def _reached(setpoint_w: float, before_w: float, reach_w: float) -> float:
    return before_w + min(max(setpoint_w - before_w, -reach_w), reach_w)


def bank_for(device_type: str, power_w: float) -> Bank:
    """The laws that a device type may follow, the likeliest first."""
    kind = device_type.strip().upper()
    rest_w = 20 if kind.startswith("HMG") else 10
    field: list[Law] = [IntegerLaw(rest_w, gate_s) for gate_s in (1.0, 5.0, 10.0)]
    if kind.startswith(("HMA", "HMJ", "HMK")):
        return Bank([FieldB2500(), ClassicB2500()], power_w)
    if kind.startswith("VNSD"):
        return Bank([*field, IntegerLaw(10, None)], power_w)
    return Bank([*field, VenusC()], power_w)
