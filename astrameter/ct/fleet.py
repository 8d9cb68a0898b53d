"""Who polls: reports, cadence, expiry, duplicates and the owner's settings.

Times are monotonic seconds passed in, so that a step of the wall clock neither expires
everybody nor blocks a battery (ct-protocol.md sections 9.4 and 14).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from astrameter.ct.request import Request
from astrameter.ct.settings import DEFAULTS, BatterySettings, with_setting
from astrameter.reading import Sample
from astrameter.steering.interface import INSPECTION, Mode

UNKNOWN_CADENCE_WINDOW_S = 30.0
MIN_WINDOW_S = 5.0
MAX_CONSUMERS = 256
"""A real CT has 9 to 15 slots; a house has far fewer batteries than this."""
_MAX_REMEMBERED = 1024
_DEDUPE_MEMORY_S = 30.0


@dataclass(slots=True)
class Consumer:
    """One battery that has reported.

    :ivar consumer_id: its MAC in lower case, or ``ip:port`` when it sends none.
    :ivar poll_interval_s: smoothed gap between accepted polls; None until the second.
    :ivar window_s: silence after which it no longer counts.
    :ivar sample: the last reading served to it.
    :ivar expected_net_w: reported power plus the instruction it was given last.
    :ivar last_index: response index of its last answer; None before the first.
    :ivar waiting: a read for it is under way, so it must not be swept.
    :ivar announced_phase: the phase that the log was told; empty while inspecting.
    """

    consumer_id: str
    settings: BatterySettings
    device_type: str = ""
    phase: str = INSPECTION
    power_w: int = 0
    participates: bool = True
    reported_at: float = 0.0
    ip: str = ""
    poll_interval_s: float | None = None
    window_s: float = UNKNOWN_CADENCE_WINDOW_S
    sample: Sample | None = None
    expected_net_w: float = 0.0
    last_index: int | None = None
    waiting: bool = False
    announced_phase: str = ""

    @property
    def mode(self) -> Mode:
        if not (self.settings.active and self.participates):
            return Mode.INACTIVE
        return Mode.AUTO if self.settings.auto_target else Mode.MANUAL

    @property
    def manual_target_w(self) -> float:
        return self.settings.manual_target

    @property
    def weight(self) -> float:
        return self.settings.distribution_weight

    @property
    def window_weight(self) -> float:
        return self.settings.efficiency_window_weight

    @property
    def min_output_w(self) -> float | None:
        return self.settings.min_dc_output


class Fleet:
    """All batteries that one emulated CT knows.

    :param ttl_s: fixed expiry; None adapts it to each battery's own cadence.
    :param dedupe_window_s: polls within this time of the last accepted one are ignored; 0 off.
    :param gone: called with the id of every battery that is forgotten.
    """

    def __init__(
        self,
        ttl_s: float | None,
        dedupe_window_s: float,
        gone: Callable[[str], None] = lambda _id: None,
    ) -> None:
        self._gone = gone
        self._consumers: dict[str, Consumer] = {}
        self._settings: dict[str, BatterySettings] = {}
        self._accepted_at: dict[str, float] = {}
        self.configure(ttl_s, dedupe_window_s)

    def configure(self, ttl_s: float | None, dedupe_window_s: float) -> None:
        """Use other times from now on; everything known about the batteries stays."""
        self._ttl_s = ttl_s
        self._dedupe_s = dedupe_window_s
        for consumer in self._consumers.values():
            consumer.window_s = self._window_s(consumer.poll_interval_s)

    def __iter__(self) -> Iterator[Consumer]:
        return iter(self._consumers.values())

    def __len__(self) -> int:
        return len(self._consumers)

    def get(self, consumer_id: str) -> Consumer | None:
        return self._consumers.get(consumer_id)

    def alive(self, now: float) -> list[Consumer]:
        """Those that have not expired at this instant (section 9.4).

        Whoever waits for a slow meter is expected to be silent and counts.
        """
        return [
            c for c in self._consumers.values() if now - c.reported_at <= c.window_s or c.waiting
        ]

    def is_duplicate(self, consumer_id: str, now: float) -> bool:
        """Whether a poll falls into the dedupe window; opens a new window when it does not."""
        if self._dedupe_s <= 0:
            return False
        accepted_at = self._accepted_at.get(consumer_id)
        if accepted_at is not None and now - accepted_at < self._dedupe_s:
            return True
        if accepted_at is not None:
            del self._accepted_at[consumer_id]  # goes to the end: the oldest mark stands first
        elif len(self._accepted_at) >= _MAX_REMEMBERED:
            del self._accepted_at[next(iter(self._accepted_at))]
        self._accepted_at[consumer_id] = now
        return False

    def report(self, consumer_id: str, request: Request, ip: str, now: float) -> Consumer | None:
        """Store a poll; None when the table is full of batteries that are alive."""
        consumer = self._consumers.get(consumer_id)
        if consumer is None:
            if len(self._consumers) >= MAX_CONSUMERS and not self._make_room(now):
                return None
            settings = self._settings.get(consumer_id, DEFAULTS)
            consumer = self._consumers[consumer_id] = Consumer(consumer_id, settings)
            consumer.window_s = self._window_s(None)
        else:
            self._note_gap(consumer, now - consumer.reported_at)
        consumer.device_type = request.device_type
        consumer.phase = request.phase
        consumer.power_w = request.power_w
        consumer.participates = request.participates
        consumer.reported_at = now
        consumer.ip = ip
        return consumer

    def sweep(self, now: float) -> list[str]:
        """Forget the expired ones and old dedupe marks; returns the ids that went."""
        gone = [
            c.consumer_id
            for c in self._consumers.values()
            if now - c.reported_at > c.window_s and not c.waiting
        ]
        for consumer_id in gone:
            self._drop(consumer_id)
        oldest = now - max(_DEDUPE_MEMORY_S, self._dedupe_s)
        for consumer_id in [k for k, at in self._accepted_at.items() if at < oldest]:
            del self._accepted_at[consumer_id]
        return gone

    def settings_of(self, consumer_id: str) -> BatterySettings:
        """The owner's settings, also of a battery that is away."""
        return self._settings.get(consumer_id, DEFAULTS)

    def change_setting(self, consumer_id: str, name: str, value: object) -> BatterySettings:
        """Change one setting and remember it for when the battery comes back.

        :returns: the settings before.
        :raises SettingError: the value is refused; the old one stays.
        """
        before = self.settings_of(consumer_id)
        after = with_setting(before, name, value)
        if consumer_id not in self._settings and len(self._settings) >= _MAX_REMEMBERED:
            # Settings of batteries that do not exist must not push out those of one that does.
            absent = (one for one in self._settings if one not in self._consumers)
            del self._settings[next(absent, next(iter(self._settings)))]
        self._settings[consumer_id] = after
        consumer = self._consumers.get(consumer_id)
        if consumer is not None:
            consumer.settings = after
        return before

    def _note_gap(self, consumer: Consumer, gap_s: float) -> None:
        # Rounded at every step, because the predecessor's is (section 9.4).
        previous = consumer.poll_interval_s
        smoothed = gap_s if previous is None else 0.3 * gap_s + 0.7 * previous
        consumer.poll_interval_s = round(smoothed, 1)
        consumer.window_s = self._window_s(consumer.poll_interval_s)

    def _window_s(self, poll_interval_s: float | None) -> float:
        if self._ttl_s is not None:
            return self._ttl_s
        if poll_interval_s is None:
            return UNKNOWN_CADENCE_WINDOW_S
        return max(MIN_WINDOW_S, 2 * poll_interval_s)

    def _make_room(self, now: float) -> bool:
        # Besides the expired only those seen once may go: a flood of invented names must not
        # push out a battery.
        may_go = [
            c
            for c in self._consumers.values()
            if not c.waiting and (c.poll_interval_s is None or now - c.reported_at > c.window_s)
        ]
        if not may_go:
            return False
        self._drop(min(may_go, key=lambda c: c.reported_at).consumer_id)
        return True

    def _drop(self, consumer_id: str) -> None:
        del self._consumers[consumer_id]
        self._gone(consumer_id)
