"""Which batteries are there, and when what is published about them.

A poll costs a look at a table. What changes by itself (powers, targets) is published at
intervals, and only when it changed; what somebody changed (a setting, the phase) in the reactor's
next turn; and everything now and then, to show that we are alive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.logger import Logger

from astrameter.insights.board import Board
from astrameter.insights.payloads import OFFLINE, ONLINE
from astrameter.insights.topics import Topics
from astrameter.insights.views import View

E = TypeVar("E")
Key = tuple[str, str]

HEARTBEAT_S = 60.0
"""A battery that polls is published at least so often: "last seen" is among what is."""

MAX_AWAY = 64
"""Batteries that are away and still cared for; what the broker has of others stays as it is."""

_EARLY_S = 0.1
"""Timers are never quite punctual; this is no reason to wait for the next."""

_NEVER = object()


@dataclass(slots=True)
class _Known(Generic[E]):
    """One battery.

    :ivar event: its last answer.
    :ivar at_once: what of it is published at once.
    :ivar told: what of it was published last, as far as it is published in turn.
    :ivar news: there was an answer since.
    :ivar away_at: when it is to be called away; None while it polls.
    :ivar announced: for what it was announced to Home Assistant.
    """

    event: E
    at_once: object
    told: object = None
    told_at: float = -math.inf
    news: bool = True
    online: bool = True
    away_at: float | None = None
    announced: object = _NEVER


class Roster(Generic[E]):
    """The batteries at one kind of emulated meter.

    :param interval_s: between two publications of the same changing values; 0: every answer.
    :param announce: to Home Assistant, too.
    :param counted: called when the number of batteries has changed.
    """

    _log = Logger()

    def __init__(
        self,
        view: View[E],
        board: Board,
        interval_s: float,
        announce: bool,
        counted: Callable[[], None],
    ) -> None:
        self._view = view
        self._board = board
        self._interval_s = interval_s
        self._announce = announce
        self._counted = counted
        self._known: dict[Key, _Known[E]] = {}
        self._away: dict[Key, None] = {}
        self._urgent: dict[Key, None] = {}
        self._devices: set[str] = set()
        self._warned = False

    @property
    def count(self) -> int:
        """How many batteries are there."""
        return len(self._known) - len(self._away)

    def get(self, device: str, battery: str) -> E | None:
        """The last answer to a battery."""
        known = self._known.get((device, battery))
        return None if known is None else known.event

    # ------------------------------------------------------------------------- what happens

    def answered(self, event: E) -> bool:
        """A battery was answered; whether there is something to publish at once."""
        key = self._view.key(event)
        known = self._known.get(key)
        at_once = self._view.at_once(event)
        if known is None:
            if not self._view.fits(*key):
                self._complain(key)
                return False
            self._known[key] = _Known(event, at_once)
            self._urgent[key] = None
            return True
        known.event, known.news, known.away_at = event, True, None
        if known.online and known.at_once == at_once and self._interval_s > 0:
            return False
        known.at_once, known.online = at_once, True
        self._away.pop(key, None)
        self._urgent[key] = None
        return True

    def removed(self, device: str, battery: str, now: float) -> None:
        """A battery has fallen silent; it may be back in a moment."""
        known = self._known.get((device, battery))
        if known is not None and known.online:
            known.away_at = now + self._view.grace_s(known.event)

    def amend(self, device: str, battery: str, event: E) -> None:
        """What is known of a battery has changed without a poll."""
        known = self._known.get((device, battery))
        if known is None:
            return
        known.event, known.at_once = event, self._view.at_once(event)
        if known.online:
            self._urgent[device, battery] = None
        else:
            self._board.put(*self._view.state(event))

    def amend_all(self, device: str, change: Callable[[E], E]) -> None:
        """What is known of all batteries at a device has changed; that is no news by itself."""
        for key, known in self._known.items():
            if key[0] == device:
                known.event = change(known.event)
                known.at_once = self._view.at_once(known.event)

    def reconfigured(self, devices: Collection[str]) -> None:
        """Only these emulated meters are left, and some may have other options.

        What is published of others is deleted.
        """
        for key in [key for key in self._known if key[0] not in devices]:
            del self._known[key]
            self._away.pop(key, None)
            self._urgent.pop(key, None)
            state = self._view.state_topic(*key)
            self._clear(self._view.battery_config(*key), state, Topics.availability(state))
        for device in [device for device in self._devices if device not in devices]:
            self._devices.discard(device)
            self._clear(self._view.device_config(device), self._view.status_topic(device))
        if self._announce:
            self._announce_all(list(self._known.values()), list(self._devices))
        self._counted()

    def _clear(self, *topics: str) -> None:
        for topic in topics:
            if topic in self._board:
                self._board.clear(topic)

    # ------------------------------------------------------------------------ publishing it

    def collect(self, now: float) -> None:
        """Put on the board what is urgent."""
        if self._urgent:
            urgent, self._urgent = self._urgent, {}
            self._tell([self._known[key] for key in urgent], now)

    def tick(self, now: float) -> None:
        """Put on the board what is due; call this every few seconds."""
        due = []
        for key, known in self._known.items():
            if known.away_at is not None and now >= known.away_at:
                self._call_away(key, known)
            elif known.news and now - known.told_at >= self._interval_s - _EARLY_S:
                in_turn = self._view.in_turn(known.event)
                if in_turn != known.told or now - known.told_at >= HEARTBEAT_S - _EARLY_S:
                    due.append(known)
        if due:
            self._tell(due, now)
        if len(self._away) > MAX_AWAY:
            self._forget_oldest()

    def _tell(self, batteries: list[_Known[E]], now: float) -> None:
        view, board = self._view, self._board
        statuses: dict[str, E] = {}
        for known in batteries:
            state = view.state(known.event)
            board.put(*state)
            board.put(Topics.availability(state.topic), ONLINE)
            known.told, known.told_at = view.in_turn(known.event), now
            known.news = False
            statuses[view.key(known.event)[0]] = known.event
        for event in statuses.values():
            board.put(*view.status(event))
        if self._announce:
            new = [known for known in batteries if known.announced != known.at_once]
            self._announce_all(new, [one for one in statuses if one not in self._devices])
        self._devices.update(statuses)
        self._counted()

    def _announce_all(self, batteries: list[_Known[E]], devices: list[str]) -> None:
        for device in devices:
            self._board.put(*self._view.device(device))
        if self._view.bridge_first:
            self._counted()
        for known in batteries:
            known.announced = known.at_once
            self._board.put(*self._view.battery(known.event))

    def _call_away(self, key: Key, known: _Known[E]) -> None:
        known.away_at, known.online, known.news = None, False, False
        self._away[key] = None
        self._board.put(Topics.availability(self._view.state_topic(*key)), OFFLINE)
        self._counted()

    def _forget_oldest(self) -> None:
        for key in list(self._away)[:-MAX_AWAY]:
            del self._away[key], self._known[key]
            state = self._view.state_topic(*key)
            for topic in (state, Topics.availability(state), self._view.battery_config(*key)):
                self._board.forget(topic)

    def _complain(self, key: Any) -> None:
        if not self._warned:
            self._warned = True
            self._log.warn(
                "a battery that calls itself {battery!r}, at device {device!r}, cannot be "
                "published: no MQTT topic can hold these names (logged once)",
                battery=key[1][:64],
                device=key[0],
            )
