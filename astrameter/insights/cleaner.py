"""Watches and deletes what the broker still has of things that are no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from astrameter.insights.board import Board
from astrameter.insights.components import Components
from astrameter.insights.inventory import Inventory
from astrameter.insights.leftovers import Leftovers, in_our_name
from astrameter.insights.options import InsightsOptions
from astrameter.insights.payloads import OFFLINE
from astrameter.insights.topics import Kind, Place, Topics, sanitize
from astrameter.mqtt import MqttClient

LISTEN_S = 30.0
"""How long after the first connection retained messages are expected to come in."""


class Cleaner:
    """Subscribes to what is retained, once after the start, and acts on the verdicts.

    What it publishes itself stands on no board: nobody wants it back after a reconnect.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        options: InsightsOptions,
        topics: Topics,
        client: MqttClient,
        board: Board,
        components: Components,
        inventory: Callable[[], Inventory],
        wall_clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._options = options
        self._topics = topics
        self._client = client
        self._board = board
        self._components = components
        self._inventory = inventory
        self._wall_clock = wall_clock
        self._leftovers = Leftovers(topics, self._exists, board.get, announce=options.ha_discovery)
        self._announcements = topics.config("+")
        self._watched: set[str] = set()
        self._listening = False
        self._call: IDelayedCall | None = None
        client.watch(self._connected, lambda: None)

    def start(self) -> None:
        """Find out, beginning with the next connection."""
        self._listening = True
        self._client.subscribe(self._announcements, self._announced)
        for one in self._topics.availability_filters():
            self._client.subscribe(one, self._availability)

    def stop(self) -> None:
        """Leave everything as it is."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._listen_no_more()
        for topic in self._watched:
            self._client.unsubscribe(topic)
        self._watched.clear()

    def tick(self) -> None:
        """Act on what has been watched long enough; call this every few seconds."""
        if not (self._client.connected and len(self._leftovers)):
            return
        now = self._clock.seconds()
        for topic in self._leftovers.absent(now):
            self._client.publish(topic, OFFLINE, retain=True)
        for verdict in self._leftovers.verdicts(now, self._wall_clock()):
            self._watched.discard(verdict.unwatch)
            self._client.unsubscribe(verdict.unwatch)
            for topic in verdict.clear:
                self._client.publish(topic, "", retain=True)
            if verdict.clear:
                self._log.info(
                    "{topic} is of nothing that is here any more: deleted", topic=verdict.unwatch
                )

    def _connected(self) -> None:
        if self._listening and self._call is None:
            self._call = self._clock.callLater(LISTEN_S, self._heard_all)

    def _heard_all(self) -> None:
        self._call = None
        self._listen_no_more()

    def _listen_no_more(self) -> None:
        if self._listening:
            self._listening = False
            self._client.unsubscribe(self._announcements)
            for one in self._topics.availability_filters():
                self._client.unsubscribe(one)

    def _announced(self, topic: str, payload: bytes, retained: bool) -> None:
        # Everybody announces there; this is cheaper than a look at each document.
        if not retained or "/astrameter_" not in topic:
            return
        announcement = in_our_name(self._topics, topic, payload)
        if announcement is None:
            return
        if self._components.seen(topic, announcement.document):
            self._board.repeat(topic)
        suspicious = self._leftovers.found(announcement, self._clock.seconds())
        if suspicious and announcement.state not in self._watched:
            self._watched.add(announcement.state)
            self._client.subscribe(announcement.state, self._leftovers.told)

    def _availability(self, topic: str, payload: bytes, retained: bool) -> None:
        self._leftovers.availability(topic, payload, retained, self._clock.seconds())

    def _exists(self, place: Place) -> bool:
        inventory = self._inventory()
        match place.kind:
            case Kind.CT | Kind.CONSUMER:
                return place.device in inventory.cts
            case Kind.SHELLY | Kind.BATTERY:
                return place.device in inventory.shellies
            case Kind.METER:
                published = self._options.powermeter_health_interval > 0
                return published and place.device in {sanitize(m.section) for m in inventory.meters}
            case Kind.HUB:
                return False
