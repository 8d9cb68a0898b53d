"""One emulated CT002 or CT003: what it knows, and what it says to each poll.

No sockets and no clock: datagrams, readings and times come in as arguments
(ct-protocol.md section 11 gives the order of the steps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.logger import Logger

from astrameter.ct import answer as answers
from astrameter.ct.aggregate import Buckets, instructed, reported
from astrameter.ct.answer import MAX_ANSWER, MAX_STEP_W, Identity
from astrameter.ct.energy import EnergyCounter
from astrameter.ct.failsafe import Failsafe, Stage
from astrameter.ct.fleet import Consumer, Fleet
from astrameter.ct.options import SAFE, CtOptions
from astrameter.ct.request import Request, parse_request
from astrameter.ct.settings import BatterySettings
from astrameter.ct.wire import FrameError, decode, encode
from astrameter.reading import NO_POWER, PhaseWatts, Sample
from astrameter.steering.interface import INSPECTION, Controller, Mode

MAX_REQUEST = 512
"""Real requests have some 55 bytes; what is longer would only make answers too long."""

TOO_LONG = "too_long"
TOO_FEW_FIELDS = "too_few_fields"
FOREIGN_MAC = "foreign_mac"
DUPLICATE = "duplicate"
CROWDED = "crowded"
"""Why a datagram is dropped, besides the kinds of :class:`~astrameter.ct.wire.FrameError`."""

_NO_SAMPLE = Sample((), 0.0)


@dataclass(slots=True)
class Poll:
    """A poll that is to be answered once the meter has been read.

    :ivar received_at: monotonic seconds at which the battery began to wait.
    :ivar ended: it has been answered, or will not be.
    """

    consumer: Consumer
    request: Request
    address: tuple[str, int]
    received_at: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out, and what it was made of.

    :ivar grid: the readings, watts per phase, before steering.
    :ivar target: the values sent, before rounding.
    """

    datagram: bytes
    grid: PhaseWatts
    target: PhaseWatts


class EmulatedCt:
    """The state of one emulated CT meter.

    :ivar answering: False drops every poll, while the settings of the batteries are not known.
    :ivar failsafe: what follows when a meter stays away.
    :ivar energies: energy counters by meter section.
    :ivar forgotten: told the id of every battery that is forgotten.
    :ivar rejected: told why a datagram was dropped, the datagram and its source.
    :ivar setting_changed: each is told the id of a battery whose settings the owner has changed.
    :ivar control_switched: each is told that steering was switched on or off at run time.
    """

    _log = Logger()

    def __init__(
        self, ct_type: str, options: CtOptions, dedupe_window_s: float, controller: Controller
    ) -> None:
        self.fleet = Fleet(options.consumer_ttl, dedupe_window_s, self._forget)
        self.failsafe = Failsafe(options)
        self.controller = controller
        self.forgotten: Callable[[str], None] = _nobody
        self.rejected: Callable[[str, bytes, tuple[str, int]], None] = _nobody
        self.setting_changed: list[Callable[[str], None]] = []
        self.control_switched: list[Callable[[], None]] = []
        self.energies: dict[str, EnergyCounter] = {}
        self.answering = True
        self._waiting: dict[str, Poll] = {}
        self._index = 0
        self._configured_control = self._active_control = options.active_control
        self._use(ct_type, options)

    def configure(self, ct_type: str, options: CtOptions, dedupe_window_s: float) -> None:
        """Use other options from the next poll on; what is known of the fleet stays."""
        self.fleet.configure(options.consumer_ttl, dedupe_window_s)
        self.failsafe.configure(options)
        self._use(ct_type, options)

    def _use(self, ct_type: str, options: CtOptions) -> None:
        self._identity = Identity(ct_type, options.ct_mac, options.wifi_rssi)
        self._wanted_mac = options.ct_mac.lower()
        self._safe = options.answer_style == SAFE
        self._rotates = options.min_efficient_power > 0
        if options.active_control != self._configured_control:
            self._configured_control = self._active_control = options.active_control

    @property
    def rotates(self) -> bool:
        """Whether few batteries are at work at a small load, and take turns."""
        return self._rotates

    @property
    def active_control(self) -> bool:
        """Steer (True) or relay (False). May be switched at run time; that lasts until the
        configuration says something new about it."""
        return self._active_control

    @active_control.setter
    def active_control(self, active: bool) -> None:
        if active is not self._active_control:
            self._active_control = active
            for told in self.control_switched:
                told()

    @property
    def configured_control(self) -> bool:
        """What the configuration says, :attr:`active_control` until it is switched."""
        return self._configured_control

    def receive(self, datagram: bytes, address: tuple[str, int], now: float) -> Poll | None:
        """Take in a datagram; None when there is nothing (more) to be done about it.

        A battery that asks again while its first question still waits for the meter is
        answered once, at the address it asked from last, with its newest report: two answers
        to one reading would make it correct twice.
        """
        request = self._request(datagram, address)
        if request is None:
            return None
        consumer_id = request.battery_mac.lower() or f"{address[0]}:{address[1]}"
        if self.fleet.is_duplicate(consumer_id, now):
            self.rejected(DUPLICATE, datagram, address)
            return None
        consumer = self.fleet.report(consumer_id, request, address[0], now)
        if consumer is None:
            self.rejected(CROWDED, datagram, address)
            return None
        self.controller.report(consumer, now)
        if consumer.announced_phase != consumer.phase:
            self._announce_phase(consumer)
        waiting = self._waiting.get(consumer_id)
        if waiting is not None:
            waiting.request, waiting.address = request, address
            return None
        return Poll(consumer, request, address, now)

    def _request(self, datagram: bytes, address: tuple[str, int]) -> Request | None:
        reason = TOO_FEW_FIELDS
        try:
            if len(datagram) > MAX_REQUEST:
                raise FrameError(TOO_LONG)
            request = parse_request(decode(datagram))
        except FrameError as error:
            request, reason = None, error.kind
        if request is not None:
            if not self._wanted_mac or request.ct_mac.lower() == self._wanted_mac:
                return request
            reason = FOREIGN_MAC
        self.rejected(reason, datagram, address)
        return None

    def wait(self, poll: Poll) -> None:
        """The reading for ``poll`` takes time: keep the battery until it is answered."""
        poll.consumer.waiting = True
        self._waiting[poll.consumer.consumer_id] = poll

    def drop(self, poll: Poll) -> None:
        """``poll`` will not be answered, or has been."""
        poll.consumer.waiting = False
        self._waiting.pop(poll.consumer.consumer_id, None)

    def answer(self, poll: Poll, sample: Sample | None, section: str, now: float) -> Answer | None:
        """Answer with a healthy reading, or with the battery's last one when ``sample`` is None
        because no meter serves it (section 11, step 8)."""
        consumer = poll.consumer
        if sample is not None:
            consumer.sample = sample
            self.failsafe.works(section)
            self._count_energy(section, sample)
        known = consumer.sample
        if self.active_control and poll.request.phase != INSPECTION and known is not None:
            reading_w = self.controller.instruct(consumer, known, self.fleet.alive(now), now)
            return self._steered(poll, known.phases, reading_w, section, now)
        grid = (known or _NO_SAMPLE).phases
        if self._is_steered(poll):
            return self._steered(poll, grid, 0.0, section, now)
        return self._unsteered(poll, grid, section, now)

    def answer_without_meter(
        self, poll: Poll, stage: Stage, section: str, now: float
    ) -> Answer | None:
        """Answer although the meter failed: "stay as you are" first (section 13.1), and "go to
        the fail-safe power" when it has been away for long."""
        if stage is Stage.POWER and poll.request.phase != INSPECTION:
            reading_w = self._failsafe_share_w(poll.consumer, now) - poll.request.power_w
            if self.active_control:
                return self._steered(poll, NO_POWER, reading_w, section, now)
            # In relay mode a battery divides what it reads by the counts in the answer; this is
            # meant for it alone.
            return self._steered_safely(poll, NO_POWER, reading_w, section)
        if self._is_steered(poll):
            return self._steered(poll, NO_POWER, 0.0, section, now)
        return self._unsteered(poll, NO_POWER, section, now)

    def _failsafe_share_w(self, consumer: Consumer, now: float) -> float:
        if consumer.mode is Mode.INACTIVE:
            return 0.0
        pool = [one for one in self.fleet.alive(now) if one.mode is not Mode.INACTIVE]
        weight = sum(one.weight for one in pool)
        return self.failsafe.power_w * consumer.weight / weight if weight else 0.0

    def change_setting(self, consumer_id: str, name: str, value: object) -> None:
        """Change one of the owner's settings of a battery.

        :raises SettingError: the value is refused; the old one stays.
        """
        before = self.fleet.change_setting(consumer_id, name, value)
        after = self.fleet.settings_of(consumer_id)
        if _starts_anew(before, after):
            self.controller.forget(consumer_id)
        if after != before:
            for told in self.setting_changed:
                told(consumer_id)

    def sweep(self, now: float) -> list[str]:
        """Forget silent batteries; returns their ids."""
        return self.fleet.sweep(now)

    def _forget(self, consumer_id: str) -> None:
        self.controller.forget(consumer_id)
        self.forgotten(consumer_id)

    def _is_steered(self, poll: Poll) -> bool:
        return self.active_control and poll.request.phase != INSPECTION

    def _steered(
        self, poll: Poll, grid: PhaseWatts, reading_w: float, section: str, now: float
    ) -> Answer | None:
        if self._safe:
            return self._steered_safely(poll, grid, reading_w, section)
        target = self._spread(poll.consumer, reading_w, now)
        self._expect(poll, target)
        return self._classic(poll, grid, target, now)

    def _steered_safely(
        self, poll: Poll, grid: PhaseWatts, reading_w: float, section: str
    ) -> Answer | None:
        consumer, request = poll.consumer, poll.request
        reading_w = min(max(reading_w, -MAX_STEP_W), MAX_STEP_W)
        target = answers.own_slot(request.phase, reading_w)
        consumer.expected_net_w = request.power_w + reading_w
        index, energy = self._next_index(consumer), self._energy_counts(section)
        fields = answers.steered(request, self._identity, reading_w, index, energy)
        return self._framed(fields, grid, target)

    def _unsteered(self, poll: Poll, grid: PhaseWatts, section: str, now: float) -> Answer | None:
        if poll.request.phase != INSPECTION:
            self._expect(poll, grid)
        if not (self.active_control and self._safe):
            return self._classic(poll, grid, grid, now)
        fields = self._classic_fields(poll, grid, now)
        fields[:4] = answers.echo(poll.request)
        fields = answers.with_energy(fields, poll.request, self._energy_counts(section))
        return self._framed(fields, grid, grid)

    def _classic(
        self, poll: Poll, grid: PhaseWatts, target: PhaseWatts, now: float
    ) -> Answer | None:
        return self._framed(self._classic_fields(poll, target, now), grid, target)

    def _classic_fields(self, poll: Poll, target: PhaseWatts, now: float) -> list[str]:
        buckets = self.buckets(now)
        counts = (
            answers.active_counts(poll.request, target, buckets)
            if self.active_control
            else answers.relay_counts(buckets)
        )
        index = self._next_index(poll.consumer)
        return answers.relayed(poll.request, self._identity, target, counts, index, buckets)

    def buckets(self, now: float) -> Buckets:
        """Sums and counts of the batteries that are alive, as an answer would show them."""
        alive = self.fleet.alive(now)
        return instructed(alive, self.controller) if self.active_control else reported(alive)

    def _expect(self, poll: Poll, target: PhaseWatts) -> None:
        phase, power_w = poll.request.phase, poll.request.power_w
        told_w = sum(target) if phase == "D" else target["ABC".index(phase)]
        poll.consumer.expected_net_w = power_w + told_w

    def _spread(self, consumer: Consumer, reading_w: float, now: float) -> PhaseWatts:
        if consumer.mode is Mode.INACTIVE:
            return answers.own_slot(consumer.phase, reading_w)
        per_phase = [0.0, 0.0, 0.0]
        for one in self.fleet.alive(now):
            if one.mode is not Mode.INACTIVE:
                weight = one.weight if consumer.mode is Mode.AUTO else 1.0
                per_phase["ABC".find(one.phase) if one.phase in "ABC" else 0] += weight
        return answers.spread(reading_w, per_phase)

    def _framed(self, fields: list[str], grid: PhaseWatts, target: PhaseWatts) -> Answer | None:
        try:
            datagram = encode(fields)
        except FrameError:
            return None
        if len(datagram) > MAX_ANSWER:
            return None
        return Answer(datagram, grid, target)

    def _next_index(self, consumer: Consumer) -> int:
        # A battery drops an answer whose index it has just seen (marstek-devices.md 1.6). The
        # counter is shared, so exactly 256 answers to others would make it repeat.
        index = self._index
        if index == consumer.last_index:
            index = (index + 1) % 256
        consumer.last_index = index
        self._index = (index + 1) % 256
        return index

    def _count_energy(self, section: str, sample: Sample) -> None:
        counter = self.energies.get(section)
        if counter is None:
            counter = self.energies[section] = EnergyCounter()
        counter.add(sample)

    def _energy_counts(self, section: str) -> tuple[int, int]:
        counter = self.energies.get(section)
        return (0, 0) if counter is None else counter.counts()

    def _announce_phase(self, consumer: Consumer) -> None:
        if consumer.phase == INSPECTION:
            consumer.announced_phase = ""
        elif consumer.poll_interval_s is not None:  # a single stray poll is no battery yet
            self._log.info(
                "battery {battery} ({type}): phase {phase} {what}",
                battery=consumer.consumer_id,
                type=consumer.device_type,
                phase=consumer.phase,
                what="changed" if consumer.announced_phase else "detected",
            )
            consumer.announced_phase = consumer.phase


def _nobody(*_what: object) -> None:
    """Until somebody wants to know."""


def _starts_anew(before: BatterySettings, after: BatterySettings) -> bool:
    """Paused to running, and any change between auto and manual, start without stale state."""
    return (after.active and not before.active) or after.auto_target != before.auto_target
