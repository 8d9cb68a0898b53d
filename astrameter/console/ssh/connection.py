"""One connection: Conch's transport, bounded in every direction.

Conch trusts its peer in places: it lets it ask for a login before anything is encrypted, queues
answers without end while keys are exchanged, and raises out of ``dataReceived`` for a packet
that is cut short. Here each message must fit the state of the connection, and whatever breaks
the protocol ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.conch.ssh.transport import (
    DISCONNECT_BY_APPLICATION,
    DISCONNECT_PROTOCOL_ERROR,
    SSHServerTransport,
)
from twisted.internet.interfaces import IDelayedCall, IPushProducer, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.console.ssh import limits
from astrameter.console.ssh.admission import Bucket, Ticket
from astrameter.console.ssh.algorithms import CIPHERS, COMPRESSIONS, KEY_EXCHANGES, MACS, SIGNATURES
from astrameter.console.ssh.authorized import AuthorizedKey
from astrameter.console.ssh.quiet import QUIET

if TYPE_CHECKING:
    from astrameter.console.ssh.channels import ConsoleChannel
    from astrameter.console.ssh.server import Host

_DISCONNECT, _IGNORE, _UNIMPLEMENTED, _DEBUG, _SERVICE_REQUEST, _EXT_INFO = 1, 2, 3, 4, 5, 7
_KEXINIT, _NEWKEYS, _KEX_INIT = 20, 21, 30
_ALWAYS = frozenset((_DISCONNECT, _IGNORE, _UNIMPLEMENTED, _DEBUG))
_GREETING = b"SSH-2.0-"


class Connection(SSHServerTransport):
    """A guest's connection, from the first byte to the last.

    :ivar login: the key that has logged in; None before.
    :ivar channel: its console; None while there is none.
    """

    _log = QUIET
    _own = Logger()
    # Nothing about the program and its release: whoever knocks has no right to know.
    ourVersionString = _GREETING + b"console"
    supportedCiphers = CIPHERS
    supportedMACs = MACS
    supportedKeyExchanges = KEY_EXCHANGES
    supportedCompressions = COMPRESSIONS

    def __init__(self, host: Host, ticket: Ticket) -> None:
        self.host = host
        self.clock = host.reactor
        self.ticket = ticket
        self.login: AuthorizedKey | None = None
        self.channel: ConsoleChannel | None = None
        self.supportedPublicKeys = host.host_algorithms
        self._ended = False
        self._awaited = _KEXINIT
        self._exchanges = self._messages = 0
        self._backlog = bytearray()
        self._budget = Bucket(self.clock, limits.BYTES_PER_S, limits.BURST_BYTES)
        self._working: IDelayedCall | None = None
        self._choked = self._paused = False
        self._patience: IDelayedCall | None = None

    # --------------------------------------------------------------------------------- life

    def connectionMade(self) -> None:
        transport: Any = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        transport.registerProducer(_Choke(self), True)
        self._patience = self.clock.callLater(limits.LOGIN_GRACE_S, self.end)
        SSHServerTransport.connectionMade(self)

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        self._ended = True
        for call in (self._working, self._patience):
            if call is not None and call.active():
                call.cancel()
        self._backlog.clear()
        self.ticket.release()
        self.host.gone(self)
        if self.service is not None:
            self.service.serviceStopped()

    def settled(self) -> None:
        """The guest has a console: no more haste."""
        if self._patience is not None and self._patience.active():
            self._patience.cancel()

    def finished(self) -> None:
        """Its console has closed: it is for the guest's program to hang up, without much ado."""
        self.settled()
        if not self._ended:
            self._patience = self.clock.callLater(limits.ENDING_S, self.end)

    def end(self, code: int = DISCONNECT_BY_APPLICATION, words: bytes = b"bye") -> None:
        """Close; by force when the last bytes are not taken in time."""
        if self._ended:
            return
        if self.gotVersion:
            self.sendDisconnect(code, words)
        else:
            self.abort()

    def abort(self) -> None:
        """Cut the connection now."""
        self._ended = True
        transport: Any = self.transport
        transport.abortConnection()

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        SSHServerTransport.sendDisconnect(self, reason, desc)
        self._close()

    def _close(self) -> None:
        self._ended = True
        self.settled()
        transport: Any = self.transport
        transport.unregisterProducer()
        transport.loseConnection()
        self._patience = self.clock.callLater(limits.ENDING_S, self.abort)

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """Name the algorithms that guests may sign with; Conch names those of the host key."""
        algorithms = b",".join(name for names in SIGNATURES.values() for name in names)
        SSHServerTransport.sendExtInfo(self, [(b"server-sig-algs", algorithms)])

    def say(self, message: int, payload: bytes) -> None:
        """Send one message."""
        untyped: Any = self
        untyped.sendPacket(message, payload)

    # ------------------------------------------------------------------------- what comes in

    def dataReceived(self, data: bytes) -> None:
        """Take it in; work on it as far as the budget reaches."""
        if self._ended:
            return
        self._backlog += data
        if self._working is None or not self._working.active():
            self._work()

    def _work(self) -> None:
        while self._backlog and not self._ended and not self._choked and self._budget.left >= 1:
            part = bytes(self._backlog[: limits.SLICE_BYTES])
            del self._backlog[: len(part)]
            self._budget.take(len(part))
            self._feed(part)
        if self._ended:
            self._backlog.clear()
            return
        transport: Any = self.transport
        if bool(self._backlog) != self._paused:
            self._paused = bool(self._backlog)
            if self._paused:
                transport.pauseProducing()
            else:
                transport.resumeProducing()
        if self._backlog and not self._choked:
            self._working = self.clock.callLater(limits.TURN_S, self._work)

    def _feed(self, part: bytes) -> None:
        if not self.gotVersion and not self._may_be_ssh(self.buf + part):
            self.abort()
            return
        try:
            SSHServerTransport.dataReceived(self, part)
        except Exception as error:  # noqa: BLE001  Conch raises for packets that are cut short
            self._own.debug("a connection over SSH broke the protocol: {error!r}", error=error)
            self._broken()
            return
        if not self._ended and self.gotVersion and len(self.buf) > limits.PACKET_BYTES:
            self._broken()

    @staticmethod
    def _may_be_ssh(received: bytes) -> bool:
        line, end, _ = received.partition(b"\n")
        if end:
            return line.startswith(_GREETING) and len(line) <= limits.VERSION_BYTES
        return _GREETING.startswith(line[: len(_GREETING)]) and len(line) <= limits.VERSION_BYTES

    def _broken(self) -> None:
        self.end(DISCONNECT_PROTOCOL_ERROR, b"protocol error")

    def dispatchMessage(self, message: int, payload: bytes) -> None:
        """Let a message in that fits the state, and end the connection for any other."""
        if self._ended:
            return
        self._messages += 1
        patient = self.login is not None or self._messages <= limits.MESSAGES
        if not patient or not self._fits(message):
            self._broken()
            return
        SSHServerTransport.dispatchMessage(self, message, payload)

    def _fits(self, message: int) -> bool:
        if message in _ALWAYS:
            return True
        if message in (_KEXINIT, _KEX_INIT, _NEWKEYS):
            return self._exchange_goes_on(message)
        # All others are encrypted, and none comes while keys are exchanged (RFC 4253 section 7.1).
        if self._awaited != _KEXINIT or not self._exchanges:
            return False
        if message == _SERVICE_REQUEST:
            return self.service is None
        return message == _EXT_INFO or (message >= 50 and self.service is not None)

    def _exchange_goes_on(self, message: int) -> bool:
        if message != self._awaited:
            return False
        if message == _KEXINIT:
            # New keys again and again are for those who have logged in.
            if self._exchanges and self.login is None:
                return False
            self._exchanges += 1
            self._awaited = _KEX_INIT
        elif message == _KEX_INIT:
            # A wrong guess comes first, and is dropped (RFC 4253 section 7).
            self._awaited = _KEX_INIT if self.ignoreNextPacket else _NEWKEYS
        else:
            self._awaited = _KEXINIT
        return True

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        self._close()

    def ssh_UNIMPLEMENTED(self, packet: bytes) -> None:
        """The guest did not understand something; it will do without."""

    ssh_DEBUG = ssh_EXT_INFO = ssh_UNIMPLEMENTED

    # ----------------------------------------------------------------------- what goes out

    @property
    def may_write(self) -> bool:
        """Whether a picture would be on its way at once."""
        return not (self._choked or self._ended) and self._awaited == _KEXINIT

    def choke(self) -> None:
        """The kernel's buffer is full: nothing is read until there is room again."""
        self._choked = True

    def breathe(self) -> None:
        """There is room again."""
        self._choked = False
        if self._ended:
            return
        if self._backlog and (self._working is None or not self._working.active()):
            self._work()
        self.writable()

    def writable(self) -> None:
        """A picture may be sent again."""
        if self.channel is not None and self.may_write:
            self.channel.writable()

    def _newKeys(self) -> None:
        SSHServerTransport._newKeys(self)
        self.writable()


@implementer(IPushProducer)
class _Choke:
    """Tells a connection whether the kernel takes what it writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pauseProducing(self) -> None:
        self._connection.choke()

    def resumeProducing(self) -> None:
        self._connection.breathe()

    def stopProducing(self) -> None:
        self._connection.choke()
