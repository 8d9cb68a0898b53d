"""One battery as the controller sees it: what it does, what it was told, what it can do."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from astrameter.steering.history import PowerHistory
from astrameter.steering.models.bank import Bank, bank_for

RESTING_W = 5.0
_NEAR_W = 6.0
_DRIFTED_W = 25.0
_REST_S = 2.5
_DEPARTED_W = 20.0
_STARTING_S = 6.5
_RETRY_S = 60.0
_RETRY_MOST_S = 1800.0
_TRIAL_S = 120.0
_LOST_IN_A_ROW = 2


@dataclass(slots=True)
class Ceiling:
    """How much a battery was seen unable to exceed, in one direction.

    :ivar limit_w: magnitude; infinite while nothing is known.
    """

    limit_w: float = math.inf
    learned_w: float = math.inf
    retry_at: float = math.inf
    trial_ends: float = math.inf
    times: int = 0

    def learn(self, power_w: float, now: float) -> None:
        """It could not go beyond ``power_w``."""
        self.times += 1
        self.limit_w = self.learned_w = power_w
        self.retry_at = now + min(_RETRY_S * 3 ** (self.times - 1), _RETRY_MOST_S)
        self.trial_ends = math.inf

    def watch(self, power_w: float, now: float) -> None:
        """Lift the limit when it was exceeded, and try whether it still holds after a while."""
        if self.limit_w == math.inf:
            return
        if power_w > self.learned_w + 12:
            self.limit_w = self.learned_w = math.inf
            self.retry_at = self.trial_ends = math.inf
        elif now >= self.retry_at:
            self.limit_w = self.learned_w + max(60.0, 0.25 * self.learned_w)
            self.retry_at = math.inf
            self.trial_ends = now + _TRIAL_S
        elif now >= self.trial_ends:
            self.learn(self.learned_w, now)


class Unit:
    """The state of one battery.

    :ivar power_w: last report, + discharge.
    :ivar poll_s: smoothed time between polls.
    :ivar held: direction (+1, -1) in which it does not follow at present; 0 when it does.
    :ivar floor_w: output it delivers whatever it is told (PV of a full pack); None: none.
    """

    def __init__(self, device_type: str, power_w: int, now: float) -> None:
        self.device_type = device_type
        self.bank: Bank = bank_for(device_type, power_w)
        self.history = PowerHistory()
        self.history.target_w = power_w
        self.power_w = float(power_w)
        self.before_w = float(power_w)
        self.polled_at = now
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

    @property
    def setpoint_w(self) -> float:
        return self.bank.law.setpoint_w

    @property
    def counted_w(self) -> float:
        """What it counts as delivering: its set point, or its report while it does not follow."""
        return self.power_w if self.held else self.setpoint_w

    def report(self, power_w: int, now: float) -> None:
        """Take in a report and compare it with what was expected."""
        gap_s = now - self.polled_at
        if self._polls and gap_s > 0:
            self.poll_s = gap_s if self._polls == 1 else 0.7 * self.poll_s + 0.3 * gap_s
        self._polls += 1
        self.before_w, self.power_w = self.power_w, float(power_w)
        self.polled_at = now
        self.history.add(now, power_w)
        if self._polls == 1:
            return
        self._learn_slew(gap_s)
        self.up.watch(self.power_w, now)
        self.down.watch(-self.power_w, now)
        if not self._starting(now):
            self.bank.judge(self.power_w, self.history.slew_w_per_s * gap_s, self.before_w)
        self._compare(now)

    def sent(self, reading_w: int, now: float) -> None:
        """It was answered ``reading_w``."""
        before_w = self.setpoint_w
        self._sent.append((reading_w, self.power_w))
        self.bank.step(reading_w, self.power_w, now)
        change_w = self.setpoint_w - before_w
        if abs(change_w) > 3 and abs(before_w - self.power_w) <= 8:
            self._commanded_at = now
        if abs(change_w) > 8:
            self._changes.append(change_w)
        self.history.target_w = self.setpoint_w

    def _starting(self, now: float) -> bool:
        resting = abs(self.power_w) < RESTING_W and abs(self.setpoint_w) >= RESTING_W
        return resting and now - self._commanded_at < _STARTING_S

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

    def _compare(self, now: float) -> None:
        """Does it follow? (steering-research-observer.md section 6)"""
        error_w = self.setpoint_w - self.power_w
        moved_w = self.power_w - self.before_w
        if abs(moved_w) > 3:
            self._still_since = now
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
            self._depart(moved_w)
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

    def _depart(self, moved_w: float) -> None:
        """It moves where no copy expected it to go: it has acted on a reading that the copies
        believed it would not hear."""
        for reading_w, power_w in reversed(self._sent):
            if reading_w * moved_w > 0:
                self.bank.settle(power_w + reading_w)
                self.history.target_w = self.setpoint_w
                self._changes.clear()
                return

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
        ceiling = self.up if direction > 0 else self.down
        reached_w = self.power_w * direction
        peak_w = self._peaks.get(direction)
        if abs(self.power_w) < RESTING_W and abs(self.setpoint_w) > 30:
            ceiling.learn(0.0, now)
        elif peak_w is not None and abs(reached_w - peak_w) <= max(20.0, 0.1 * peak_w):
            ceiling.learn(max(0.0, reached_w), now)
        self._peaks[direction] = reached_w
        self.bank.settle(self.power_w)
        self.history.target_w = self.power_w
        self._missing_since = None
        self.held = 0
