"""One battery as the controller sees it: what it does, what it was told, what it can do."""

from __future__ import annotations

import math
from collections import deque

from astrameter.steering.ceiling import RESTING_W, Ceiling
from astrameter.steering.families import may_have_panels
from astrameter.steering.hearing import Hearing
from astrameter.steering.history import PowerHistory
from astrameter.steering.models.bank import Bank, bank_for

_STILL_W = 3.0
_NEAR_W = 6.0
_DRIFTED_W = 25.0
_REST_S = 2.5
_LOOK_S = 1.2
_LATER = 1.5
_SOON_S = 20.0
_SLOWEST_S = 5.0
_FAR_W = 100.0
_DEPARTURES = 4
_DEPARTED_W = 20.0
_STALLS = 3
_STALLED_FOR_S = 60.0
_STARTING_S = 6.5
_LOST_IN_A_ROW = 2
_WORKING_W = 30.0
_WANTED_W = 40.0
_MOVED_W = 15.0
_HEARD_W = 30.0
"""No battery that is known is deaf to readings of this size while it works."""

_ASKED = 2
_ASKED_BEYOND = 6
"""That a battery cannot be stopped is rare (a full pack with sun on its panels): it takes more to
be believed."""

_STEPPED_BACK_S = 8.0
_STUCK_S = 18.0
_SAME = 0.01
_LONGEST_POLL_S = 30.0
_MOST_W = 50_000

AGAIN_S = 0.15
"""A battery that asks again within this time has not had the time to act (batteries poll every
0.3..5 s, steering.md section 1)."""


class Unit:
    """The state of one battery.

    :ivar power_w: last report, + discharge.
    :ivar hearing: which readings are too small for it.
    :ivar poll_s: smoothed time between polls.
    :ivar held: direction (+1, -1) in which it does not follow at present; 0 when it does.
    :ivar joined_at: when it was first seen.
    :ivar joined_w: what it delivered then.
    """

    def __init__(self, device_type: str, power_w: int, now: float) -> None:
        self.device_type = device_type
        self._has_panels = may_have_panels(device_type)
        self.bank: Bank = bank_for(device_type, _plausible(power_w))
        self.hearing = Hearing()
        self.history = PowerHistory()
        self.history.target_w = _plausible(power_w)
        self.power_w = self.before_w = self.joined_w = _plausible(power_w)
        self.joined_at = self.polled_at = now
        self.poll_s = 1.0
        self.held = 0
        self.up = Ceiling()
        self.down = Ceiling()
        self._polls = 0
        self._missing_since: float | None = None
        self._commanded_at = now
        self._peaks: dict[int, float] = {}
        self._changes: deque[float] = deque(maxlen=4)
        self._lost = 0
        self._sent: deque[tuple[int, float]] = deque(maxlen=3)
        self._still_since = now
        self._answered_at = -math.inf
        self._unanswered = 0
        self._learns = True
        self._wanted = 0
        self._wanted_since = now
        self._wanted_from_w = self.power_w
        self._asked = 0
        self._said_at = now
        self._rested_w = self.power_w
        self._said_w = self._said = 0
        self._meant_w = 0.0
        self._one_way = True
        self._ignored = False
        self._told_at: float | None = None
        self._response_s = 0.0
        self._departures = 0
        self._departed_at = now
        self._stalls = 0
        self._stalled_at = now

    @property
    def setpoint_w(self) -> float:
        return self.bank.law.setpoint_w

    @property
    def counted_w(self) -> float:
        """What it counts as delivering: its set point, or its report while it does not follow."""
        return self.power_w if self.held else self.setpoint_w

    @property
    def limited(self) -> bool:
        return self.up.limit_w < math.inf or self.down.limit_w < math.inf

    def limits(self) -> list[float | None]:
        """Least and most output that it was seen to reach; None where no limit is known."""
        return [_negated(self.down.learned_w), _finite(self.up.learned_w)]

    def recall(self, low_w: object, high_w: object, now: float) -> None:
        """Take limits that were learned earlier for known; what is no power is left out."""
        for ceiling, limit_w, sign in ((self.down, low_w, -1), (self.up, high_w, 1)):
            if isinstance(limit_w, int | float) and abs(limit_w) <= _MOST_W:
                ceiling.learn(sign * limit_w, now)

    def watched(self, now: float) -> int | None:
        """What to tell it while nobody knows what it will do: nothing new before it rests; None
        when it may be told anything.

        Some skip the first reading of a jump: what had no effect is said twice.
        """
        if not self.bank.cautious:
            return None
        if self._ignored and self._said == 1 and now - self._said_at <= 1.5 * self.poll_s:
            return self._said_w
        if self._starting(now):
            return 0
        look_s = max(_LOOK_S, _LATER * self._response_s)
        looking = self._said and now - max(self._still_since, self._said_at) <= look_s
        return 0 if looking else None

    def contradicts(self, reading_w: float, target_w: float) -> bool:
        """The reading would take it away from its target, for the sake of something in flight
        that only a learned law believes in: nothing moves."""
        still = abs(self.power_w - self.before_w) <= _STILL_W
        away = reading_w * (target_w - self.power_w) < 0
        return away and still and not self.bank.described

    def asks_again(self, now: float) -> bool:
        """Whether it was answered a moment ago."""
        return 0 <= now - self._answered_at < AGAIN_S

    def inspect(self, power_w: int, now: float) -> None:
        """It is finding its phase: what it does has nothing to do with what it was told."""
        self._take(power_w, now)
        self._rest()

    def report(self, power_w: int, now: float, learns: bool = True) -> None:
        """Take in a report and compare it with what was expected.

        :param learns: whether limits may be concluded from it.
        """
        if 0 <= now - self.polled_at < AGAIN_S and self._polls:
            self.power_w = _plausible(power_w)
            return
        gap_s = self._take(power_w, now)
        self._learns = learns
        if self._unanswered:
            # Somebody else told it something (or nothing) meanwhile.
            if self._unanswered > 1:
                self._rest()
            self._unanswered += 1
            return
        self._unanswered = 1
        if self._polls == 1:
            return
        self._learn_slew(gap_s)
        self.up.watch(self.power_w, now)
        self.down.watch(-self.power_w, now)
        if self.power_w < -_WORKING_W and self._wanted <= 0:
            self.up.ease(now)
        elif self.power_w > _WORKING_W and self._wanted >= 0:
            self.down.ease(now)
        if not self._starting(now):
            reach_w = self.history.slew_w_per_s * gap_s
            self.bank.check(self.power_w, reach_w, self.before_w)
            if not self.limited:
                self.bank.judge(self.power_w, reach_w, self.before_w)
        self._compare(now)
        self._learn_law(now)

    def want(self, target_w: float, now: float) -> bool:
        """It is meant to deliver ``target_w``; True when it turns out to be unable to.

        Whatever the copies make of it: a battery that has not come closer for longer than any
        settle gate lasts (13 s, marstek-devices.md section 1.7) cannot.
        """
        off_w = target_w - self.power_w
        direction = 0 if abs(off_w) < _WANTED_W else 1 if off_w > 0 else -1
        moved = (self.power_w - self._wanted_from_w) * direction >= _MOVED_W
        if direction == 0 or direction != self._wanted or moved or not self._learns:
            self._wanted = direction
            self._wanted_since = now
            self._wanted_from_w = self.power_w
            self._asked = 0
            return False
        if (self.power_w - self._wanted_from_w) * direction < 0:
            self._wanted_from_w = self.power_w
        if now - self._wanted_since < max(_STUCK_S, 8 * self.poll_s):
            return False
        self._wanted_since = now
        self._rest()
        beyond = direction * self.power_w <= -RESTING_W
        if self._asked < (_ASKED_BEYOND if beyond and not self._has_panels else _ASKED):
            return False
        self._asked = 0
        self._learn_limit(direction, now)
        return True

    def _take(self, power_w: int, now: float) -> float:
        gap_s = min(max(now - self.polled_at, 0.0), _LONGEST_POLL_S)
        if self._polls and gap_s > 0:
            self.poll_s = gap_s if self._polls == 1 else 0.7 * self.poll_s + 0.3 * gap_s
        self._polls += 1
        self.before_w, self.power_w = self.power_w, _plausible(power_w)
        self.polled_at = now
        self.history.add(now, round(self.power_w))
        return gap_s

    def _rest(self) -> None:
        self.bank.settle(self.power_w)
        self.history.target_w = self.power_w
        self.held = 0
        self._missing_since = None
        self._changes.clear()
        self._sent.clear()
        self._anchor()

    def sent(self, reading_w: int, now: float) -> None:
        """It was answered ``reading_w``."""
        reading_w = min(max(reading_w, -_MOST_W), _MOST_W)
        self._unanswered = 0
        if reading_w == 0 and self.asks_again(now):
            return
        self._answered_at = now
        before_w = self.setpoint_w
        self._sent.append((reading_w, self.power_w))
        if reading_w * self._wanted >= _HEARD_W:
            self._asked += 1
        if reading_w and self.bank.cautious and self.watched(now) is None:
            self._conclude()
        if reading_w:
            if self._told_at is None and now - self._still_since > _REST_S:
                self._told_at = now
            self._one_way = self._one_way and reading_w * self._said_w >= 0
            self._said_w += reading_w
            self._said += 1
            self._said_at = now
        self.bank.step(reading_w, self.power_w, now)
        change_w = self.setpoint_w - before_w
        self._meant_w += change_w
        if abs(change_w) > 3 and abs(before_w - self.power_w) <= 8:
            self._commanded_at = now
        if abs(change_w) > 8:
            self._changes.append(change_w)
        self.history.target_w = self.setpoint_w

    def _starting(self, now: float) -> bool:
        resting = abs(self.power_w) < RESTING_W and abs(self.setpoint_w) >= RESTING_W
        return resting and now - self._commanded_at < _STARTING_S

    def _learn_law(self, now: float) -> None:
        """From rest to rest: what have the readings done that were sent meanwhile?"""
        rest_s = max(_REST_S, _LATER * self._response_s)
        if now - max(self._still_since, self._said_at) > rest_s and not self._starting(now):
            self._conclude()

    def _conclude(self) -> None:
        """It rests: all that it was told since it last rested has brought it here."""
        if self._said and self._one_way:
            moved_w = self.power_w - self._rested_w
            self._ignored = abs(moved_w) <= _STILL_W
            if not self._ignored:
                self.hearing.acted(self._said_w / self._said)
            elif self._meant_w * self._said_w > 0 and not self.limited:
                self.hearing.ignored(self._said_w / self._said)
            self.bank.learn(self._said_w / self._said, moved_w / self._said, self.power_w)
        self._anchor()

    def _anchor(self) -> None:
        self._rested_w = self.power_w
        self._said_w, self._said, self._one_way = 0, 0, True
        self._meant_w = 0.0

    def _learn_slew(self, gap_s: float) -> None:
        moved_w = abs(self.power_w - self.before_w)
        far_w = abs(self.setpoint_w - self.before_w)
        slew = self.history.slew_w_per_s
        if gap_s <= 0 or moved_w < 20:
            return
        if moved_w > slew * gap_s * 1.05:
            self.history.slew_w_per_s = moved_w / gap_s
        elif far_w > 1.3 * slew * gap_s and abs(self.before_w) > RESTING_W:
            self.history.slew_w_per_s = slew + 0.4 * (moved_w / gap_s - slew)

    def _time_response(self, moved_w: float, now: float) -> None:
        """How long it takes until something is seen of what it was told."""
        moves = abs(moved_w) > _STILL_W
        if moves:
            self._still_since = now
        if self._told_at is None:
            return
        if moves:
            after_s = min(now - self._told_at, _SLOWEST_S)
            self._response_s = max(0.9 * self._response_s, after_s)
        if moves or now - self._told_at > _SOON_S:
            self._told_at = None

    def _compare(self, now: float) -> None:
        """Does it follow? (steering-research-observer.md section 6)"""
        error_w = self.setpoint_w - self.power_w
        moved_w = self.power_w - self.before_w
        self._time_response(moved_w, now)
        if abs(error_w) <= _NEAR_W:
            self.held = 0
            self._missing_since = None
            if now - self._still_since > _REST_S:
                self.bank.settle_others(self.power_w)
            return
        if moved_w * error_w > 0 and abs(moved_w) > 3:
            self._lost = 0
            self.held = 0
            self._missing_since = None
            return
        if moved_w * error_w < 0 and abs(moved_w) > _DEPARTED_W:
            self._depart(moved_w, now)
            return
        if self._starting(now):
            return
        if abs(error_w) <= _DRIFTED_W:
            if now - self._still_since > _REST_S:
                self.bank.settle(self.power_w)
                self.history.target_w = self.power_w
            return
        if self._lost < _LOST_IN_A_ROW and self._was_lost(error_w, moved_w):
            self._lost += 1
            self.bank.settle(self.power_w)
            self.history.target_w = self.power_w
            self._changes.clear()
            return
        if self._missing_since is None:
            self._missing_since = now
        self.held = 1 if error_w > 0 else -1
        if now - self._missing_since > 1.2 + 2 * self.poll_s:
            self._give_up(error_w, now)

    def _learn_limit(self, direction: int, now: float) -> None:
        if direction > 0:
            # A firmware that was driven over its limit steps back from it, again and again.
            works = self.power_w >= RESTING_W
            highest_w = self.history.highest_w(now - _STEPPED_BACK_S) if works else 0.0
            self.up.learn(max(0.0, self.power_w, highest_w), now)
        else:
            # Also beyond zero: a full pack passes the power of its panels through, told to
            # charge or not, and the others have to take it.
            self.down.learn(-self.power_w if abs(self.power_w) >= RESTING_W else 0.0, now)

    def _depart(self, moved_w: float, now: float) -> None:
        """It moves where no copy expected it to go: it has acted on a reading that the copies
        believed it would not hear. Again and again: no copy is right."""
        for reading_w, power_w in reversed(self._sent):
            if reading_w * moved_w > 0:
                self.bank.settle(power_w + reading_w)
                self.history.target_w = self.setpoint_w
                self._changes.clear()
                break
        if abs(moved_w) < _FAR_W:
            return
        if now - self._departed_at >= _SOON_S:
            self._departures = 0
        self._departures += 1
        self._departed_at = now
        # At a limit what it does says little about its law.
        if self._departures >= _DEPARTURES and not self.limited:
            self.bank.distrust()

    def _stall(self, now: float) -> None:
        """It moves at each reading, but by far less than every copy says."""
        if now - self._stalled_at >= _STALLED_FOR_S:
            self._stalls = 0
        self._stalls += 1
        self._stalled_at = now
        if self._stalls >= _STALLS:
            self.bank.distrust()

    def _was_lost(self, error_w: float, moved_w: float) -> bool:
        """It rests exactly where it would without one of the last commands: that one was lost,
        or skipped by a filter of its own."""
        if abs(moved_w) > 3:
            return False
        total_w = 0.0
        for change_w in reversed(self._changes):
            total_w += change_w
            if abs(error_w - change_w) <= 3 or abs(error_w - total_w) <= 3:
                return True
        return False

    def _give_up(self, error_w: float, now: float) -> None:
        """It has not followed for a while: learn a limit, or accept where it is."""
        direction = 1 if error_w > 0 else -1
        reached_w = self.power_w * direction
        peak_w = self._peaks.get(direction)
        dead = abs(self.power_w) < RESTING_W and abs(self.setpoint_w) > 30
        again = peak_w is not None and abs(reached_w - peak_w) <= max(12.0, _SAME * abs(peak_w))
        short = abs(error_w) < _WANTED_W or reached_w < -RESTING_W
        if self._learns and not short and (dead or again):
            self._learn_limit(direction, now)
        elif not short and abs(error_w) >= _FAR_W:
            self._stall(now)
        self._peaks[direction] = reached_w
        self._conclude()
        self.bank.settle(self.power_w)
        self.history.target_w = self.power_w
        self._missing_since = None
        self.held = 0


def _plausible(power_w: float) -> float:
    return float(min(max(power_w, -_MOST_W), _MOST_W))


def _finite(limit_w: float) -> float | None:
    return limit_w if math.isfinite(limit_w) else None


def _negated(limit_w: float) -> float | None:
    return -limit_w if math.isfinite(limit_w) else None
