"""A source on a websocket that talks in JSON objects: kept connected, come what may."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.backoff import Backoff
from astrameter.deferreds import Clock
from astrameter.meters.websocket_connection import Connection
from astrameter.meters.websocket_wire import Place, Trouble, endpoint_to

__all__ = ["Complaints", "Dialogue", "Message", "Place", "Trouble", "WebSocketClient"]

COMPLAIN_EVERY_S = 60.0
"""What is now good, now bad is in the log at most this often."""

HELD_S = 30.0
"""A source that delivered for this long was a good one: the next wait is short again."""

Message = dict[str, Any]
"""A JSON object."""


class Dialogue(TypingProtocol):
    """What a meter says to its source, and does with what it hears."""

    def stream_opened(self) -> None:
        """The source is there; it has not accepted us yet."""

    def stream_message(self, message: Message) -> None:
        """The source said something."""

    def stream_closed(self) -> None:
        """The source is gone; always follows :meth:`stream_opened`."""


class Complaints:
    """Decides what of a long row of good and bad is said: each change, but not too often."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failing = False
        self._complained_at: float | None = None

    def bad(self) -> bool:
        """It went wrong: whether that is to be said."""
        now, last = self._clock.seconds(), self._complained_at
        if self._failing or (last is not None and now - last < COMPLAIN_EVERY_S):
            return False
        self._failing, self._complained_at = True, now
        return True

    def good(self) -> bool:
        """It went well: whether that is to be said, because the last complaint is over."""
        was_failing, self._failing = self._failing, False
        return was_failing


class WebSocketClient(Service):
    """Connects, hands over messages and reconnects, for as long as the service runs.

    :ivar trouble: why nothing comes, in the owner's words; empty while the source delivers and
        before the first try.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        section: str,
        place: Place,
        dialogue: Dialogue,
        *,
        random: Random | None = None,
    ) -> None:
        """Nothing happens before ``startService``.

        :param section: the configuration section, for the log.
        :param random: for the jitter.
        """
        self.section = section
        self.trouble = ""
        self._reactor = reactor
        self._place = place
        self._dialogue = dialogue
        self._backoff = Backoff(random=random)
        self._endpoint: IStreamClientEndpoint | None = None
        self._retry: IDelayedCall | None = None
        self._connection: Connection | None = None
        self._opened = False
        self._delivering_since: float | None = None
        self._trouble_kind = ""
        self._trouble_since: float | None = None
        self._garbage = Complaints(reactor)
        self._defects = Complaints(reactor)

    # ------------------------------------------------------------------ what the meter does

    def send(self, message: Message) -> None:
        """Say something; nothing happens when there is no connection."""
        if self._connection is not None:
            self._connection.send(json.dumps(message))

    def accepted(self) -> None:
        """The source took us; without this word the connection ends after a few seconds."""
        if self._connection is not None:
            self._connection.accepted()

    def delivers(self) -> None:
        """The source does what it is there for: all trouble is over. May be said repeatedly."""
        if self._delivering_since is not None or self._connection is None:
            return
        now = self._delivering_since = self._reactor.seconds()
        url = self._place.url.shown
        if self._trouble_since is None:
            self._log.info("[{section}] connected to {url}", section=self.section, url=url)
        else:
            self._log.info(
                "[{section}] connected to {url} again after {seconds:.0f} s",
                section=self.section,
                url=url,
                seconds=now - self._trouble_since,
            )
        self._trouble_kind, self._trouble_since, self.trouble = "", None, ""

    def give_up(self, trouble: Trouble) -> None:
        """This connection is of no use: end it, and try again later."""
        if self._connection is not None:
            self._connection.fail(trouble)

    # ------------------------------------------------------------------ service

    def startService(self) -> None:
        Service.startService(self)
        self._retry = self._reactor.callLater(0, self._connect)

    def stopService(self) -> Deferred[None]:
        """Say goodbye and close, within a second; fires when nothing is left."""
        Service.stopService(self)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._trouble_kind, self._trouble_since, self.trouble = "", None, ""
        self._backoff.reset()
        connection = self._connection
        if connection is None:
            return succeed(None)
        self._forget_connection()
        return connection.close()

    # ------------------------------------------------------------------ the connection

    def _connect(self) -> None:
        self._retry = None
        try:
            if self._endpoint is None:
                self._endpoint = endpoint_to(self._reactor, self._place)
        except Exception:  # noqa: BLE001  a name or a certificate that TLS cannot work with
            reason = Failure().getErrorMessage()
            text = f"{self._place.url.shown} cannot be reached: {reason}"
            self._again(Trouble("endpoint", text, patient=True))
            return
        self._connection = Connection(self._reactor, self._place, self._endpoint, self)
        self._connection.begin()

    def connection_opened(self, _connection: Connection) -> None:
        """The handshake is done."""
        self._opened = True
        self._contained(self._dialogue.stream_opened)

    def connection_message(self, text: str | None) -> None:
        """A message came."""
        message = None if text is None else _parsed(text)
        if message is not None:
            self._garbage.good()
            self._contained(self._dialogue.stream_message, message)
        elif self._garbage.bad():
            self._log.warn(
                "[{section}] {url} sent something that is no JSON object; it is ignored",
                section=self.section,
                url=self._place.url.shown,
            )

    def connection_ended(self, connection: Connection, trouble: Trouble) -> None:
        """The connection is gone."""
        if connection is not self._connection:
            return
        since = self._delivering_since
        if since is not None and self._reactor.seconds() - since >= HELD_S:
            self._backoff.reset()
        self._forget_connection()
        self._again(trouble)

    def _forget_connection(self) -> None:
        self._connection = None
        self._delivering_since = None
        if self._opened:
            self._opened = False
            self._contained(self._dialogue.stream_closed)

    def _again(self, trouble: Trouble) -> None:
        """Remember why there is no connection, and try again later."""
        self.trouble = trouble.text
        if self._trouble_since is None:
            self._trouble_since = self._reactor.seconds()
        if trouble.kind != self._trouble_kind:
            self._trouble_kind = trouble.kind
            self._log.warn(
                "[{section}] {trouble}; trying again", section=self.section, trouble=trouble.text
            )
        wait_s = self._backoff.next_wait_s(trouble.patient)
        self._retry = self._reactor.callLater(wait_s, self._connect)

    def _contained(self, call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001  a defect of a meter must not end its connection
            if self._defects.bad():
                self._log.failure(
                    "[{section}] what {url} said could not be handled",
                    section=self.section,
                    url=self._place.url.shown,
                )
        else:
            self._defects.good()


def _parsed(text: str) -> Message | None:
    """A JSON object; None when the text is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
