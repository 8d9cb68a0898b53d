"""One simulated battery without a socket and without a clock."""

from __future__ import annotations

from collections import deque

from astrameter.ct.wire import encode
from simulator.batteries.acceptance import Acceptance, Answer, Rejection
from simulator.batteries.cadence import cadence_of
from simulator.batteries.config import BY_POLL, MAX_POWER_W, BatteryConfig
from simulator.batteries.inverter import Inverter
from simulator.batteries.law import Regulator, Situation
from simulator.batteries.laws import regulator_of
from simulator.batteries.loss import loss_timer_of

NO_CT_MAC = "000000000000"
"""What a battery sends that was paired with no CT (marstek-devices.md section 1.6)."""

_LETTERLESS = frozenset("05")


class Battery:
    """Polls, takes answers, and moves its output.

    Whoever drives it lets time pass (:meth:`advance` or :meth:`advance_to`), sends what
    :meth:`poll` returns, and hands every datagram that comes back to :meth:`answer`.

    :ivar config: what it was made of; limits and state may have been changed since.
    :ivar meter_lost: answers have failed for so long that it gave up regulating.
    :ivar participates: False appends the opt-out field (simulator.md section 6.2).
    """

    def __init__(
        self, config: BatteryConfig, now: float = 0.0, regulator: Regulator | None = None
    ) -> None:
        family = config.family
        checks_id = 0 < family.own_id_from <= config.firmware_version
        self.config = config
        self.meter_lost = False
        self.participates = config.participates
        self._inverter = Inverter(config)
        self._regulator: Regulator = regulator or regulator_of(config)
        self._acceptance = Acceptance(
            config.ct_type,
            config.ct_mac,
            config.mac if checks_id else None,
            config.duplicate_drop,
        )
        self._loss = loss_timer_of(config)
        self._step_s = cadence_of(config).answered_s if config.stepping == BY_POLL else None
        self._stepped = False
        self._head = (
            config.device_type,
            config.mac,
            config.ct_type,
            config.ct_mac or NO_CT_MAC,
        )
        self._letter = "0" if config.phase in _LETTERLESS else config.phase
        self._advanced_at = now
        self._inspections_left = config.inspection_polls
        self._inspecting = self._inspections_left > 0 or self._letter == "0"
        self._polls = 0
        self._sent_w = 0
        self._wanted_w = self._inverter.target_w
        self._delayed: deque[tuple[int, float]] = deque()
        self._forced_w: float | None = None

    @property
    def mac(self) -> str:
        return self.config.mac

    @property
    def wired_phase(self) -> str:
        """The phase it delivers on: ``A``, ``B`` or ``C``."""
        return self.config.wired_phase

    @property
    def power_w(self) -> float:
        """AC output at the last step, + discharge."""
        return self._inverter.power_w

    @property
    def soc(self) -> float:
        """State of charge 0..1 at the last step."""
        return self._inverter.soc

    @property
    def setpoint_w(self) -> float:
        """The output it was last told to have, by its law or by its owner."""
        return self._wanted_w

    @property
    def applied_setpoint_w(self) -> float:
        """The setpoint that has reached the inverter; differs while an update is delayed."""
        return self._inverter.target_w

    @property
    def dc_input_w(self) -> float:
        return self._inverter.dc_input_w

    @property
    def limits_w(self) -> tuple[float, float]:
        """Largest charge and discharge power, both positive."""
        return self._inverter.max_charge_w, self._inverter.max_discharge_w

    @property
    def forced_w(self) -> float | None:
        """The output forced by the owner; None while it follows the meter."""
        return self._forced_w

    # ---------------------------------------------------------------------- time

    def begin(self, now: float) -> None:
        """Time begins, or goes on after a pause, at ``now``; the pause leaves no trace."""
        self._advanced_at = now

    def advance(self, dt_s: float) -> None:
        """Let exactly ``dt_s`` seconds pass in one step of the plant.

        A battery that steps by polls takes it for the step of the next poll.
        """
        self._stepped = True
        inverter, delayed = self._inverter, self._delayed
        while delayed and delayed[0][0] <= self._polls:
            inverter.target_w = delayed.popleft()[1]
        before_w = inverter.power_w
        inverter.step(dt_s)
        self._regulator.moved(before_w, inverter.power_w, dt_s)
        self._advanced_at += dt_s

    def advance_to(self, now: float) -> None:
        """Let the time since the last step pass; nothing happens if there was none, or if the
        battery steps by polls."""
        dt_s = now - self._advanced_at
        if dt_s > 0 and self._step_s is None:
            self.advance(dt_s)
            self._advanced_at = now

    def power_w_at(self, now: float) -> float:
        """The output at ``now``, as a step up to then would give it; changes nothing.

        Between two polls a battery that steps by polls keeps its output.
        """
        inverter = self._inverter
        dt_s = now - self._advanced_at
        if dt_s <= 0 or self._step_s is not None:
            return inverter.power_w
        target_w = inverter.target_w
        for due, delayed_w in self._delayed:
            if due <= self._polls:
                target_w = delayed_w
        return inverter.power_after(dt_s, target_w)

    # ---------------------------------------------------------------------- the meter

    def poll(self, now: float) -> bytes:
        """The request to send now (marstek-devices.md section 1.10).

        The power field is 0 while the owner forces the output: a unit tells its power only when it
        follows the meter.
        """
        if self._step_s is not None and not self._stepped:
            self.advance(self._step_s)
        self._stepped = False
        self._polls += 1
        self._loss.polled(now)
        if not self.meter_lost and self._loss.lost(now):
            self.meter_lost = True
            self._regulator.stop()
            self._follow()
        self._sent_w = 0 if self._forced_w is not None else round(self._inverter.power_w)
        self._inspecting = self._inspections_left > 0 or self._letter == "0"
        letter = "0" if self._inspecting else self._letter
        if self.participates:
            return encode((*self._head, letter, str(self._sent_w)))
        return encode((*self._head, letter, str(self._sent_w), "0"))

    def answer(self, datagram: bytes, now: float) -> Answer | Rejection:
        """Take what came back, whatever it is; tells what it was taken for.

        Any datagram ends one inspection poll, even an unreadable one (simulator.md section 6.2),
        and the answer to a poll without a phase is not acted upon.
        """
        if self._inspections_left:
            self._inspections_left -= 1
        judged = self._acceptance.judge(datagram)
        if isinstance(judged, Rejection):
            if judged is Rejection.DUPLICATE:
                self._loss.duplicate(now)
            else:
                self._loss.malformed(now)
            return judged
        self._loss.good(now)
        self.meter_lost = False
        if not self._inspecting and self._forced_w is None:
            inverter = self._inverter
            self._regulator.answered(
                judged,
                Situation(
                    now,
                    inverter.power_w,
                    self._sent_w,
                    inverter.low_w,
                    inverter.high_w,
                    inverter.max_charge_w,
                    inverter.max_discharge_w,
                    inverter.soc,
                    inverter.dc_input_w,
                ),
            )
            self._follow()
        return judged

    # ---------------------------------------------------------------------- the owner

    def force(self, power_w: float | None) -> None:
        """Fix the output, as the app's manual mode does; None follows the meter again, from 0."""
        if power_w == self._forced_w:
            return
        self._forced_w = power_w
        if power_w is None:
            self._follow()
        else:
            self._regulator.stop()
            self._command(power_w)

    def interrupt(self) -> None:
        """The output drops to 0 at once, as when a plug is pulled; what it was told stays."""
        self._inverter.power_w = 0.0

    def set_limits(self, charge_w: float, discharge_w: float) -> None:
        """Change the power limits, both positive watts; a unit that cannot charge from the house
        still does not.

        :raises ValueError: outside 0..32767 W.
        """
        for limit_w in (charge_w, discharge_w):
            if not 0 <= limit_w <= MAX_POWER_W:
                raise ValueError(f"a power limit is 0..{MAX_POWER_W} W, not {limit_w}")
        self._inverter.max_charge_w = float(charge_w) if self.config.charges_from_ac else 0.0
        self._inverter.max_discharge_w = float(discharge_w)

    def set_soc(self, soc: float) -> None:
        """Change the state of charge.

        :raises ValueError: outside 0..1.
        """
        if not 0.0 <= soc <= 1.0:
            raise ValueError(f"a state of charge is 0..1, not {soc}")
        self._inverter.soc = float(soc)

    def set_capacity(self, capacity_wh: float) -> None:
        """Change what its cells hold; the state of charge stays, and at 0 Wh it stands still.

        :raises ValueError: when it is negative.
        """
        if not capacity_wh >= 0:
            raise ValueError(f"a capacity is 0 Wh or more, not {capacity_wh}")
        self._inverter.capacity_wh = float(capacity_wh)

    def set_dc_input(self, power_w: float) -> None:
        """Change the solar power fed into the battery itself.

        :raises ValueError: outside 0..``max_dc_input_w``.
        """
        if not 0.0 <= power_w <= self.config.max_dc_input_w:
            raise ValueError(
                f"watts must be within [0, {self.config.max_dc_input_w:g}], got {power_w}"
            )
        self._inverter.dc_input_w = float(power_w)

    # ---------------------------------------------------------------------- inside

    def _follow(self) -> None:
        if self._forced_w is None:
            self._command(self._regulator.setpoint_w)

    def _command(self, setpoint_w: float) -> None:
        """Hand a new setpoint to the inverter, now or some polls later (simulator.md 6.1)."""
        if setpoint_w == self._wanted_w:
            return
        self._wanted_w = setpoint_w
        delay = self.config.power_update_delay_polls
        if delay:
            self._delayed.append((self._polls + delay - 1, setpoint_w))
        else:
            self._inverter.target_w = setpoint_w
