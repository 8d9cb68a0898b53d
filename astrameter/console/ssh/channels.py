"""After the login: one channel with one console, and a no to everything else."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from twisted.conch.error import ConchError
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.connection import (
    EXTENDED_DATA_STDERR,
    OPEN_ADMINISTRATIVELY_PROHIBITED,
    SSHConnection,
)
from twisted.internet.interfaces import IDelayedCall

from astrameter.console.display import Size
from astrameter.console.session import Terminal
from astrameter.console.ssh import limits
from astrameter.console.ssh.quiet import QUIET
from astrameter.console.ssh.showing import Showing

if TYPE_CHECKING:
    from astrameter.console.ssh.connection import Connection

_LONGEST_TERM = 64
_CANNOT_DRAW = ("", "dumb", "unknown")
_PROBE = b"keepalive@openssh.com"


class ConsoleConnection(SSHConnection):
    """Grants one session channel, once."""

    _log = QUIET
    _granted = False

    @property
    def carrier(self) -> Connection:
        """The connection that carries this."""
        transport: Any = self.transport
        connection: Connection = transport
        return connection

    def getChannel(self, kind: bytes, window: int, max_packet: int, data: bytes) -> ConsoleChannel:
        """:raises ConchError: it is no session, or not the first."""
        if kind != b"session":
            raise ConchError("nothing is forwarded here", OPEN_ADMINISTRATIVELY_PROHIBITED)
        if self._granted or max_packet < limits.FAR_PACKET_LEAST_BYTES:
            raise ConchError("one console for each connection", OPEN_ADMINISTRATIVELY_PROHIBITED)
        self._granted = True
        channel = ConsoleChannel(
            localWindow=limits.WINDOW_BYTES,
            localMaxPacket=limits.WINDOW_BYTES,
            remoteWindow=window,
            remoteMaxPacket=min(max_packet, limits.FAR_PACKET_MOST_BYTES),
            conn=self,
        )
        self.carrier.channel = channel
        return channel

    def gotGlobalRequest(self, kind: bytes, data: bytes) -> int:
        """Nothing is forwarded."""
        return 0

    def adjustWindow(self, channel: SSHChannel, count: int) -> None:
        """Not when something has come, as Conch would, but when it has been dealt with."""

    def give_back(self, channel: SSHChannel, count: int) -> None:
        """The guest may send so many bytes more."""
        if channel.id in self.channels:
            SSHConnection.adjustWindow(self, channel, count)


def make_console_connection() -> ConsoleConnection:
    """What a guest gets who has logged in."""
    made: Any = ConsoleConnection
    connection: ConsoleConnection = made()
    return connection


class ConsoleChannel(SSHChannel):
    """The way to one guest's terminal (:class:`~astrameter.console.ssh.showing.Outlet`)."""

    _log = QUIET
    name = b"session"

    def __init__(self, **arguments: Any) -> None:
        SSHChannel.__init__(self, **arguments)
        self._terminal: str | None = None
        self._size: Size = (0, 0)
        self._starting: IDelayedCall | None = None
        self._showing: Showing | None = None
        self._requested = False
        self._sent = self._confirmed = 0
        self._asked_at: float | None = None

    @property
    def _carrier(self) -> Connection:
        connection: Any = self.conn
        carrier: Connection = connection.carrier
        return carrier

    # ----------------------------------------------------------------------------- requests

    def requestReceived(self, kind: bytes, data: bytes) -> bool:
        """A terminal, its size, and the console; no program, no environment, no agent, no X11."""
        try:
            if kind == b"pty-req":
                return self._got_terminal(data)
            if kind == b"window-change":
                return self._got_size(data)
        except struct.error:
            return False
        if kind == b"shell" and not self._requested:
            self._requested = True
            # The guest's program must learn that this was granted before anything else.
            self._starting = self._carrier.clock.callLater(0, self._start)
            return True
        return False

    def _got_terminal(self, data: bytes) -> bool:
        if self._requested:
            return False
        name, rest = getNS(data)
        self._size = struct.unpack(">2L", rest[:8])
        self._terminal = "".join(
            c for c in name[:_LONGEST_TERM].decode("ascii", "replace") if c.isalnum() or c in "+-._"
        )
        return True

    def _got_size(self, data: bytes) -> bool:
        self._size = struct.unpack(">2L", data[:8])
        if self._showing is not None:
            self._showing.resize(self._size)
        return True

    def _start(self) -> None:
        carrier = self._carrier
        if self._terminal is None:
            self._refuse("This is a console and needs a terminal: connect with ssh -t.")
            return
        if self._terminal in _CANNOT_DRAW:
            self._refuse("This console needs a terminal that can move its cursor (TERM).")
            return
        if carrier.login is None or not carrier.ticket.enter():
            self._refuse("All consoles are taken. Try again when somebody has left.")
            return
        carrier.settled()
        # Nothing is taken from the guest's environment; terminals of today have UTF-8.
        terminal = Terminal({"TERM": self._terminal, "LANG": "C.UTF-8"})
        self._showing = Showing(
            carrier.clock,
            self,
            carrier.host.make_app,
            carrier.login.role,
            terminal,
            self._size,
            lambda: carrier.host.idle_timeout_s,
            carrier.host.pace,
        )
        self._showing.start()

    def _refuse(self, words: str) -> None:
        untyped: Any = self
        untyped.writeExtended(EXTENDED_DATA_STDERR, f"{words}\r\n".encode())
        self.finish(1)

    # -------------------------------------------------------------------------------- input

    def dataReceived(self, data: bytes) -> None:
        """What the person has typed."""
        if self._showing is None:
            self.given(len(data))
        else:
            self._showing.typed(data)

    def extReceived(self, kind: int, data: bytes) -> None:
        """Nobody types into an error stream."""
        self.given(len(data))

    def given(self, count: int) -> None:
        connection: Any = self.conn
        connection.give_back(self, count)

    def eofReceived(self) -> None:
        """The person's terminal has gone."""
        if self._showing is not None:
            self._showing.end()

    # ------------------------------------------------------------------------------- output

    def room(self) -> int:
        if not self._carrier.may_write:
            return 0
        unconfirmed = self._sent - self._confirmed
        return max(0, min(self.remoteWindowLeft, limits.CREDIT_BYTES - unconfirmed))

    def send(self, data: bytes) -> None:
        self._sent += len(data)
        untyped: Any = self
        untyped.write(data)
        if self._sent - self._confirmed >= limits.RECEIPT_BYTES:
            self.probe()

    def owed_s(self) -> float:
        return 0.0 if self._asked_at is None else self._carrier.clock.seconds() - self._asked_at

    def probe(self) -> None:
        if self._asked_at is not None or not self._carrier.may_write:
            return
        self._asked_at = self._carrier.clock.seconds()
        connection: Any = self.conn
        # Any answer will do, and a refusal is what it is: RFC 4254 section 4 demands one.
        answer = connection.sendGlobalRequest(_PROBE, b"", wantReply=1)
        answer.addBoth(self._alive, self._sent)

    def _alive(self, _answer: object, sent: int) -> None:
        self._asked_at = None
        self._confirmed = sent
        if self._sent - self._confirmed >= limits.RECEIPT_BYTES:
            self.probe()
        self.writable()

    def writable(self) -> None:
        """There may be room again."""
        if self._showing is not None:
            self._showing.drained()

    def addWindowBytes(self, data: int) -> None:
        SSHChannel.addWindowBytes(self, data)
        self.writable()

    # ---------------------------------------------------------------------------------- end

    def end(self, words: str) -> None:
        """Close the console with a last line."""
        if self._showing is None:
            self.finish(0)
        else:
            self._showing.end(words)

    def finish(self, status: int) -> None:
        connection: Any = self.conn
        connection.sendRequest(self, b"exit-status", struct.pack(">L", status))
        untyped: Any = self
        untyped.loseConnection()

    def abort(self) -> None:
        self._carrier.abort()

    def closeReceived(self) -> None:
        self.closing = 1
        connection: Any = self.conn
        connection.sendClose(self)

    def closed(self) -> None:
        """The channel has gone, and the connection has nothing left to do."""
        if self._starting is not None and self._starting.active():
            self._starting.cancel()
        showing, self._showing = self._showing, None
        if showing is not None:
            showing.lost()
        self._carrier.finished()
