"""One poll of one battery: what both harnesses have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from astrameter.ct.emulator import EmulatedCt, Poll
from astrameter.ct.options import CtOptions
from astrameter.reading import Sample
from astrameter.steering.families import charges_from_ac
from astrameter.steering.interface import INSPECTION, Controller
from simulator.batteries.acceptance import Answer
from simulator.batteries.battery import Battery
from simulator.batteries.config import FIELD, BatteryConfig
from simulator.batteries.families import IntegerFamily
from simulator.batteries.selection import conflict, select
from simulator.evaluation.recording import Recording, Unit

START_S = 1_750_000_000.0
CT_MAC = "112233445566"
SECTION = "METER"
PORT = 22222

MakeController = Callable[[CtOptions], Controller]
Lost = Callable[[], bool]
"""Whether the next datagram is lost."""


def never() -> bool:
    """Nothing is lost."""
    return False


class Exchange:
    """The emulated CT and the batteries, talking in real frames that are handed over.

    :ivar ct: the emulated meter.
    :ivar controller: the one that is judged.
    """

    def __init__(
        self,
        options: CtOptions,
        make_controller: MakeController,
        batteries: Sequence[Battery],
        recording: Recording,
        latency_s: float = 0.0,
        lost: Lost = never,
    ) -> None:
        """:param latency_s: what the meter does not tell of the age of its readings."""
        self.controller = make_controller(options)
        self.ct = EmulatedCt("HME-4", options, 0.0, self.controller)
        self._recording = recording
        self._latency_s = latency_s
        self._lost = lost
        self._ids = [battery.mac.lower() for battery in batteries]

    def asked(self, battery: Battery, now: float) -> Poll | None:
        """The battery has asked; None when the question was lost or is not to be answered."""
        self._recording.polls += 1
        request = battery.poll(now)
        if self._lost():
            return None
        poll = self.ct.receive(request, (battery.mac, PORT), now)
        if poll is None:
            self._recording.unanswered += 1
        return poll

    def answer(self, battery: Battery, poll: Poll, sample: Sample | None, now: float) -> None:
        """Answer with a reading, or without when the meter has failed (None)."""
        if sample is None:
            stage = self.ct.failsafe.failed(SECTION, now)
            answer = self.ct.answer_without_meter(poll, stage, SECTION, now)
        else:
            self._recording.aged(now - sample.measured_at + self._latency_s)
            answer = self.ct.answer(poll, sample, SECTION, now)
        if answer is None:
            self._recording.unanswered += 1
        elif not self._lost():
            self._deliver(battery, poll, answer.datagram, now)

    def _deliver(self, battery: Battery, poll: Poll, datagram: bytes, now: float) -> None:
        power_w, sent_w = battery.power_w, poll.request.power_w
        taken = battery.answer(datagram, now)
        if not isinstance(taken, Answer):
            self._recording.rejected += 1
        elif poll.request.phase != INSPECTION and _interlocks(
            battery.config, taken, power_w, sent_w
        ):
            self._recording.conflicts += 1

    def targets_w(self) -> tuple[float | None, ...]:
        """What the controller wants of each battery."""
        intent_w = self.controller.intent_w
        return tuple(map(intent_w, self._ids))


def _interlocks(config: BatteryConfig, answer: Answer, power_w: float, sent_w: int) -> bool:
    """Whether the answer makes a battery think that others work against it
    (marstek-devices.md section 1.4)."""
    family = config.family
    if config.law != FIELD or not isinstance(family, IntegerFamily):
        return False
    selection = select(
        answer,
        config.phase_number,
        config.recharge_mode,
        config.baseline_w,
        config.firmware_version >= family.sums_from,
    )
    return selection is not None and bool(conflict(selection, power_w, sent_w))


def options_of(given: Any, *more: Any) -> CtOptions:
    """Product defaults, then the scenario's options, then those of the command line."""
    merged = dict(given)
    for one in more:
        merged.update(one)
    return replace(CtOptions(ct_mac=CT_MAC), **merged)


def unit_of(number: int, config: BatteryConfig) -> Unit:
    """What the metrics need to know of battery ``number`` (from 0)."""
    return Unit(
        config.wired_phase,
        config.charge_limit_w,
        config.max_discharge_w,
        config.capacity_wh,
        config.initial_soc,
        charges_from_ac(config.device_type),
        f"B{number + 1} {config.device_type}",
    )
