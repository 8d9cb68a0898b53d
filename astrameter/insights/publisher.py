"""Brings what is on the board to the broker, no faster than it takes it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from astrameter.insights.board import Board, Publication
from astrameter.mqtt import MqttClient

PER_TURN = 20
"""Publications before the reactor may do other work; each takes some 50 µs."""


class Publisher:
    """Publishes in the reactor's next turn whatever is then on the board.

    While the broker takes nothing one message waits in the connection, and what changes
    meanwhile stays on the board, in its newest form.

    :param prepare: puts on the board what is to be published now.
    :param first: what has to be published on a topic before a text; None: nothing.
    """

    def __init__(
        self,
        clock: IReactorTime,
        client: MqttClient,
        board: Board,
        prepare: Callable[[], None],
        first: Callable[[str, str], str | None] = lambda _topic, _text: None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._board = board
        self._prepare = prepare
        self._first = first
        self._call: IDelayedCall | None = None
        self._waiting: Deferred[bool] | None = None

    def soon(self) -> None:
        """There is something to publish."""
        if self._call is None and self._waiting is None and self._client.connected:
            self._call = self._clock.callLater(0, self._publish)

    def stop(self) -> None:
        """Publish nothing more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _publish(self) -> None:
        self._call = None
        self._prepare()
        for _ in range(PER_TURN):
            publication = self._board.take()
            if publication is None:
                return
            topic, text = publication
            first = self._first(topic, text)
            if first is not None:
                self._client.publish(topic, first, retain=True)
            done = self._client.publish(topic, text, retain=True)
            if not done.called:
                self._waiting = done
                done.addCallback(self._taken, publication)
                return
            done.addCallback(self._sent, publication)
        self.soon()

    def _taken(self, sent: bool, publication: Publication) -> None:
        self._waiting = None
        self._sent(sent, publication)
        self.soon()

    def _sent(self, sent: bool, publication: Publication) -> None:
        # A topic or text that the client refuses is refused again; without a connection
        # everything is published with the next one, but only the board knows what to delete.
        if not sent and not self._client.connected:
            self._board.lost(publication)
