"""A server and Conch's own client in memory, on a clock that only moves when a test says so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.session import packRequest_pty_req
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.session import Role, Terminal
from astrameter.console.ssh.options import SshOptions
from astrameter.console.ssh.server import SshServer, serve
from astrameter.services import start
from tests.astrameter.console.ssh.doubles import ShownConsole

STEP_S = 0.02


def ed25519() -> Key:
    """A new private key."""
    return Key(Ed25519PrivateKey.generate())


class Link:
    """Two ends and the wire between them.

    :ivar taking: whether the guest's end takes what it is sent.
    :ivar most: the most bytes that one end got to hold for the other, ever.
    """

    def __init__(self, server: Any, guest: Any, address: str) -> None:
        self.server, self.guest = server, guest
        self.taking = True
        self.open = True
        self.most = 0
        self.ends = (
            StringTransport(peerAddress=IPv4Address("TCP", address, 40000)),
            (StringTransport()),
        )
        server.makeConnection(self.ends[0])
        guest.makeConnection(self.ends[1])

    def move(self) -> bool:
        """Carry what there is; whether there was anything."""
        outward, inward = self.ends
        self._push_back(outward)
        moved = False
        if self.taking and outward.value():
            data = outward.value()
            outward.clear()
            self.guest.dataReceived(data)
            self._push_back(outward)
            moved = True
        if inward.value() and self.open and outward.producerState == "producing":
            data = inward.value()[:65536]
            rest = inward.value()[65536:]
            inward.clear()
            inward.write(rest)
            self.server.dataReceived(data)
            moved = True
        aborted = getattr(outward, "disconnected", False)
        said = outward.disconnecting and (not outward.value() or aborted)
        if self.open and (said or inward.disconnecting):
            self.cut()
            moved = True
        return moved

    def cut(self) -> None:
        """The connection is lost."""
        if self.open:
            self.open = False
            self.server.connectionLost(Failure(ConnectionLost()))
            self.guest.connectionLost(Failure(ConnectionLost()))

    def _push_back(self, outward: StringTransport) -> None:
        """What a kernel would do with more than 64 KB that nobody takes."""
        self.most = max(self.most, len(outward.value()))
        producer = outward.producer
        if producer is None:
            return
        full = len(outward.value()) > 65536
        if full and not getattr(self, "_full", False):
            producer.pauseProducing()
        if not full and getattr(self, "_full", False):
            producer.resumeProducing()
        self._full = full


class Guest(SSHClientTransport):
    """Conch's client.

    :ivar secure: keys have been exchanged.
    :ivar channel: the one that was opened last.
    :ivar refusals: what the server said when it hung up.
    :ivar said: with ``login=False``: what else it said.
    """

    def __init__(self, key: Key | None, *, shell: bool = True, login: bool = True) -> None:
        self.key = key
        self.host_key = b""
        self.secure = False
        self.shell = shell
        self.login = login
        self.channels: list[GuestChannel] = []
        self.refusals: list[bytes] = []
        self.lost = False
        self.said: list[tuple[int, bytes]] = []
        self.auth: Any = None
        self.conn: Any = None

    @property
    def channel(self) -> GuestChannel:
        return self.channels[-1]

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[int]:
        self.host_key = hostKey
        return succeed(1)

    def connectionSecure(self) -> None:
        # Conch calls this after each exchange of keys.
        first, self.secure = not self.secure, True
        if first and self.login:
            self.conn = GuestConnection(self)
            self.auth = GuestLogin(b"somebody", self.conn, self.key)
            self.requestService(self.auth)

    def dispatchMessage(self, number: int, payload: bytes) -> None:
        """Who does not log in by itself only keeps what the server says."""
        if self.secure and not self.login and (5 <= number < 20 or number >= 50):
            self.said.append((number, payload))
        else:
            SSHClientTransport.dispatchMessage(self, number, payload)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        self.refusals.append(description)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True
        SSHClientTransport.connectionLost(self, reason)


class GuestLogin(SSHUserAuthClient):
    """Offers one key, once, then gives up.

    :ivar methods: what the server says can be continued with.
    """

    def __init__(self, user: bytes, instance: Any, key: Key | None) -> None:
        SSHUserAuthClient.__init__(self, user, instance)
        self._key = key
        self.methods: list[bytes] = []

    def getPublicKey(self) -> Key | None:
        key, self._offered = self._key, True
        if getattr(self, "_asked", False):
            return None
        self._asked = True
        return None if key is None else key.public()

    def getPrivateKey(self) -> Deferred[Key | None]:
        return succeed(self._key)

    def getPassword(self, prompt: bytes | None = None) -> Any:
        return None

    def ssh_USERAUTH_FAILURE(self, packet: bytes) -> Any:
        length = struct.unpack(">L", packet[:4])[0]
        self.methods.append(packet[4 : 4 + length])
        return SSHUserAuthClient.ssh_USERAUTH_FAILURE(self, packet)


class GuestConnection(SSHConnection):
    """Opens a console at once."""

    def __init__(self, guest: Guest) -> None:
        SSHConnection.__init__(self)
        self.guest = guest

    def serviceStarted(self) -> None:
        SSHConnection.serviceStarted(self)
        if self.guest.shell:
            self.open()

    def open(self, kind: bytes = b"session", extra: bytes = b"", **sizes: int) -> GuestChannel:
        channel = GuestChannel(conn=self, **sizes)
        channel.name = kind
        self.guest.channels.append(channel)
        self.openChannel(channel, extra)
        return channel


class GuestChannel(SSHChannel):
    """A terminal of 80x24.

    :ivar text: all that was shown.
    :ivar status: the exit status, once there is one.
    """

    size = (80, 24)
    terminal = b"xterm-256color"

    def __init__(self, **arguments: Any) -> None:
        SSHChannel.__init__(self, **arguments)
        self.text = ""
        self.errors = ""
        self.status: int | None = None
        self.refused: str | None = None
        self.gone = False
        self.opened = False
        self.automatic = True

    def channelOpen(self, specificData: bytes) -> None:
        self.opened = True
        if self.automatic and self.conn.guest.shell:
            self.ask_terminal()
            self.ask(b"shell")

    def openFailed(self, reason: Any) -> None:
        self.refused = str(reason.value)

    def ask(self, kind: bytes, data: bytes = b"") -> list[bool]:
        """A request; the list gets whether it was granted."""
        granted: list[bool] = []
        answer = self.conn.sendRequest(self, kind, data, wantReply=1)
        answer.addCallbacks(lambda _: granted.append(True), lambda _: granted.append(False))
        return granted

    def ask_terminal(self) -> list[bool]:
        columns, rows = self.size
        packed = packRequest_pty_req(self.terminal, (rows, columns, 0, 0), b"")
        return self.ask(b"pty-req", packed)

    def resize(self, columns: int, rows: int) -> None:
        self.conn.sendRequest(self, b"window-change", struct.pack(">4L", columns, rows, 0, 0))

    def request_exit_status(self, data: bytes) -> bool:
        self.status = struct.unpack(">L", data)[0]
        return True

    def dataReceived(self, data: bytes) -> None:
        self.text += data.decode("utf-8", "replace")

    def extReceived(self, dataType: int, data: bytes) -> None:
        self.errors += data.decode()

    def closed(self) -> None:
        self.gone = True


class SshCase(SynchronousTestCase):
    """A server with one key that may look and one that may steer.

    :ivar consoles: all that were made.
    """

    options = SshOptions(enable=True)

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(mode=0o755)
        self.file = self.directory / "authorized_keys"
        self.viewer, self.steerer = ed25519(), ed25519()
        self.write_keys(self.line(self.viewer, "", "eve"), self.line(self.steerer, STEER, "sam"))
        self.reactor = MemoryReactorClock()
        self.consoles: list[ShownConsole] = []
        self.links: list[Link] = []
        self.server = self.make_server(self.options)
        start(self.server)
        self.addCleanup(self.end)

    def make_server(self, options: SshOptions) -> SshServer:
        from dataclasses import replace  # noqa: PLC0415  the options of a test name no file

        options = replace(options, authorized_keys=str(self.file))
        return serve(self.reactor, options, self.make_app, self.directory)

    def make_app(self, role: Role, terminal: Terminal) -> ShownConsole:
        self.consoles.append(ShownConsole(role, terminal))
        return self.consoles[-1]

    def end(self) -> None:
        """Stop the server, and see that nothing is left."""
        stopping = self.server.stopService()
        for _ in range(30):
            self.run_for(0.5)
        self.successResultOf(stopping)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def line(self, key: Key, options: str = "", name: str = "somebody") -> str:
        return f"{options} {key.public().toString('OPENSSH').decode()} {name}".strip()

    def write_keys(self, *lines: str) -> None:
        self.file.write_text("".join(f"{line}\n" for line in lines))
        self.file.chmod(0o600)

    def connect(self, guest: Any, address: str = "192.168.1.7") -> Link | None:
        """A new connection; None when the door stayed shut."""
        factory = self.reactor.tcpServers[0][1]
        protocol = factory.buildProtocol(IPv4Address("TCP", address, 40000))
        if protocol is None:
            return None
        link = Link(protocol, guest, address)
        self.links.append(link)
        return link

    def enter(self, key: Key | None, **options: Any) -> Guest:
        """A guest who has come as far as this key takes it."""
        guest = Guest(key, **options)
        self.assertIsNotNone(self.connect(guest))
        self.run_for(1.0)
        return guest

    def run_for(self, seconds: float) -> None:
        """Time passes, and the wires carry what is on them."""
        steps = max(1, round(seconds / STEP_S))
        for _ in range(steps):
            for link in self.links:
                while link.move():
                    pass
            self.reactor.advance(STEP_S)
        for link in self.links:
            while link.move():
                pass

    def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> float:
        """Let time pass until something holds; returns how long that took."""
        passed = 0.0
        while not holds():
            self.assertLess(passed, seconds, "it never came to this")
            self.run_for(STEP_S)
            passed += STEP_S
        return passed


STEER = 'role="steer"'

__all__ = ["STEER", "Guest", "Link", "SshCase", "ed25519", "fail"]
