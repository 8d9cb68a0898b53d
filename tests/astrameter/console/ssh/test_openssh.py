"""The server met by the real ssh, and by real sockets."""

from __future__ import annotations

import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from astrameter.console.session import Role
from astrameter.console.session import Terminal as Known
from astrameter.console.ssh import limits, showing
from astrameter.console.ssh.options import SshOptions
from astrameter.console.ssh.server import SshServer, serve
from astrameter.services import start, stop
from tests.astrameter.console.ssh.doubles import ShownConsole
from tests.logged import logged
from tests.openssh import Terminal, arguments, find, keygen, later
from tests.process import Watched, free_port

WAIT_S = 20.0


class OpenSshCase(TestCase):
    """A server on the real reactor, with a key that may look and one that may steer."""

    timeout = 120

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o755)
        self.file = self.directory / "authorized_keys"
        self.viewer, self.steerer = self.directory / "eve", self.directory / "sam"
        self.write_keys(keygen(self.viewer, "-t", "ed25519"), self._steering())
        self.consoles: list[ShownConsole] = []
        self.options = SshOptions(enable=True, port=0, authorized_keys=str(self.file))

    def _steering(self) -> str:
        return f'role="steer" {keygen(self.steerer, "-t", "ed25519")}'

    def write_keys(self, *lines: str) -> None:
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def serve(self, **options: Any) -> SshServer:
        def make(role: Role, terminal: Known) -> ShownConsole:
            self.consoles.append(ShownConsole(role, terminal))
            return self.consoles[-1]

        server = serve(reactor, replace(self.options, **options), make, self.directory)
        start(server)
        self.addCleanup(stop, server)
        assert server.listening is not None
        self.port = server.listening.getHost().port
        return server

    def ssh(self, *more: str, key: Path | None = None) -> list[str]:
        return arguments(self.port, self.directory, *more, key=key)

    def terminal(self, *more: str, key: Path, columns: int = 80, rows: int = 24) -> Terminal:
        terminal = Terminal(self.ssh(*more, "127.0.0.1", key=key), columns, rows)
        self.addCleanup(lambda: Deferred.fromCoroutine(terminal.close()))
        return terminal

    async def run_ssh(self, *more: str, key: Path | None = None) -> tuple[int, str]:
        """Without a terminal; the exit status and what was said."""
        return await self.outcome(self.ssh(*more, key=key))

    async def outcome(self, command: list[str]) -> tuple[int, str]:
        process = Watched(command)
        process.process.closeStdin()
        return await process.ended(), process.output

    async def shown(self, number: int) -> ShownConsole:
        """The console of the guest with this number."""
        await until(lambda: len(self.consoles) > number)
        return self.consoles[number]


async def until(holds: Any) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if holds():
            return
        await later(0.05)
    raise AssertionError("it never came to this")


class WithAKey(OpenSshCase):
    async def test_a_console_of_the_window_s_size_follows_it_and_exits_0(self) -> None:
        self.serve()
        terminal = self.terminal(key=self.viewer)
        await terminal.shows("size 80x24 role view")
        terminal.type("ab\x1b[Aé")
        await terminal.shows("keys a b up é")
        terminal.resize(200, 60)
        await terminal.shows("size 200x60")
        terminal.type("q")
        self.assertEqual(await terminal.ssh.ended(), 0)

    async def test_the_role_is_that_of_the_key(self) -> None:
        self.serve()
        steerer = self.terminal(key=self.steerer)
        await steerer.shows("role steer")
        viewer = self.terminal(key=self.viewer, columns=100, rows=30)
        await viewer.shows("size 100x30 role view")

    async def test_every_kind_of_key_that_ssh_keygen_makes(self) -> None:
        self.serve()
        kinds = (("rsa", "2048"), ("rsa", "4096"), ("ecdsa", "256"), ("ecdsa", "521"))
        for kind, bits in kinds:
            path = self.directory / f"{kind}{bits}"
            self.write_keys(keygen(path, "-t", kind, "-b", bits))
            terminal = self.terminal(key=path)
            await terminal.shows("role view")
            terminal.type("q")
            self.assertEqual(await terminal.ssh.ended(), 0, path.name)

    async def test_new_keys_in_the_middle_of_everything(self) -> None:
        self.serve()
        terminal = self.terminal("-o", "RekeyLimit=16K", key=self.viewer, columns=200, rows=60)
        await terminal.shows("size 200x60")
        console = await self.shown(0)
        console.filled = True
        for _ in range(30):
            console.show()
            await later(0.1)
        terminal.type("k")
        await terminal.shows("keys k")

    async def test_the_host_key_stays_over_restarts(self) -> None:
        server = self.serve()
        await self._greet("accept-new")
        key = self.directory / "ssh_host_ed25519_key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        with logged() as lines:
            await stop(server)
            self.serve(port=self.port)
        self.assertEqual(sum("has the host key SHA256:" in line for line in lines), 1)
        await self._greet("yes")

    async def _greet(self, checking: str) -> None:
        terminal = self.terminal("-o", f"StrictHostKeyChecking={checking}", key=self.viewer)
        await terminal.shows("role view")
        terminal.type("q")
        self.assertEqual(await terminal.ssh.ended(), 0)

    async def test_nobody_at_the_keys_is_shown_out(self) -> None:
        self.patch(showing, "LOOK_S", 0.2)
        self.serve(idle_timeout_s=1.0)
        terminal = self.terminal(key=self.viewer)
        await terminal.shows("Closed: no key was pressed for 1 seconds.")
        self.assertEqual(await terminal.ssh.ended(), 0)

    async def test_a_server_that_stops_gives_the_terminal_back(self) -> None:
        server = self.serve()
        terminal = self.terminal(key=self.viewer)
        await terminal.shows("role view")
        await stop(server)
        await terminal.shows(r"\x1b\[\?1049l(?s:.*)Closed: the server stops\.")
        await terminal.ssh.ended()


class WithoutAKey(OpenSshCase):
    async def test_every_other_way_is_denied(self) -> None:
        self.serve()
        wrong = self.directory / "wrong"
        keygen(wrong, "-t", "ed25519")
        password = ("-o", "PreferredAuthentications=password", "-o", "BatchMode=no")
        by_hand = ("-o", "PreferredAuthentications=keyboard-interactive", "-o", "BatchMode=no")
        for more, key in (
            ((), wrong),
            (("-o", "PubkeyAuthentication=no"), None),
            (password, self.viewer),
            (by_hand, self.viewer),
            (("-o", "PubkeyAcceptedAlgorithms=ssh-rsa"), self.viewer),
        ):
            status, said = await self.run_ssh(*more, "127.0.0.1", key=key)
            self.assertEqual(status, 255, more)
            self.assertIn("Permission denied (publickey).", said)
        self.assertEqual(self.consoles, [])

    async def test_too_many_keys_are_too_many_attempts(self) -> None:
        self.serve()
        offered: list[str] = []
        for number in range(8):
            path = self.directory / f"wrong{number}"
            keygen(path, "-t", "ed25519")
            offered += ["-i", str(path)]
        status, said = await self.run_ssh(*offered, "127.0.0.1")
        self.assertEqual(status, 255)
        self.assertIn("too many attempts", said)

    async def test_old_cryptography_is_refused(self) -> None:
        self.serve()
        for option in ("KexAlgorithms=diffie-hellman-group14-sha1", "Ciphers=aes128-cbc"):
            status, said = await self.run_ssh("-o", option, "127.0.0.1", key=self.viewer)
            self.assertEqual(status, 255)
            self.assertIn("Unable to negotiate", said)


class NoShell(OpenSshCase):
    async def test_no_program_is_run(self) -> None:
        self.serve()
        for more in (("127.0.0.1", "id"), ("-tt", "127.0.0.1", "/bin/sh")):
            status, said = await self.run_ssh(*more, key=self.steerer)
            self.assertEqual(status, 255)
            self.assertIn("exec request failed on channel 0", said)
            self.assertNotIn("uid=", said)

    async def test_no_file_is_moved(self) -> None:
        self.serve()
        command = self.ssh("127.0.0.1", key=self.steerer)
        options = [one for one in command[1:-1] if one not in ("-p", str(self.port))]
        address = ["-P", str(self.port), "127.0.0.1"]
        status, said = await self.outcome([find("sftp"), *options, *address])
        self.assertNotEqual(status, 0)
        self.assertIn("subsystem request failed", said)

    async def test_no_terminal_is_one_clear_line_and_exit_1(self) -> None:
        self.serve()
        status, said = await self.run_ssh("-T", "127.0.0.1", key=self.steerer)
        self.assertEqual(status, 1)
        self.assertIn("This is a console and needs a terminal: connect with ssh -t.", said)

    async def test_nothing_is_forwarded_to_this_machine_s_programs(self) -> None:
        self.serve()
        status, said = await self.run_ssh("-W", "127.0.0.1:22", "127.0.0.1", key=self.steerer)
        self.assertEqual(status, 255)
        self.assertIn("administratively prohibited: nothing is forwarded here", said)

    async def test_nothing_is_forwarded_from_this_machine(self) -> None:
        self.serve()
        more = ("-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:22", "127.0.0.1")
        status, said = await self.run_ssh(*more, key=self.steerer)
        self.assertEqual(status, 255)
        self.assertIn("remote port forwarding failed", said)

    async def test_local_and_dynamic_forwards_lead_nowhere(self) -> None:
        self.serve()
        secret = reactor.listenTCP(0, _Secret.factory(), interface="127.0.0.1")
        self.addCleanup(secret.stopListening)
        target = secret.getHost().port
        local, dynamic = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        more = ("-L", f"{local}:127.0.0.1:{target}", "-D", str(dynamic))
        terminal = self.terminal(*more, key=self.steerer)
        await terminal.shows("role steer")
        socks = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + target.to_bytes(2, "big")
        for port, says in ((local, b"x"), (dynamic, socks)):
            knock = await connect(port)
            knock.say(says)
            await until(lambda knock=knock: knock.lost)
            self.assertNotIn(b"secret", knock.received)
        terminal.type("z")
        await terminal.shows("keys z")

    async def test_neither_x11_nor_agent_nor_environment(self) -> None:
        self.serve()
        more = ("-Y", "-A", "-o", "SetEnv=NO_COLOR=1")
        terminal = self.terminal(*more, key=self.steerer)
        await terminal.shows("X11 forwarding request failed on channel 0")
        await terminal.shows("role steer")
        self.assertNotIn("NO_COLOR", (await self.shown(0)).terminal.environ)

    async def test_one_connection_has_one_console(self) -> None:
        self.serve()
        control = f"/tmp/astrameter-ssh-{self.port}"
        master = self.terminal("-M", "-S", control, key=self.viewer)
        await master.shows("role view")
        second = Terminal(self.ssh("-S", control, "-o", "ControlMaster=no", "127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(second.close()))
        await second.ssh.ended()
        self.assertEqual(len(self.consoles), 1)


class Knocking(Protocol):
    """A bare connection."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True

    def say(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def leave(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()


class _Secret(Protocol):
    @classmethod
    def factory(cls) -> Any:
        from twisted.internet.protocol import Factory  # noqa: PLC0415  as short as that

        return Factory.forProtocol(cls)

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"secret")


async def connect(port: int) -> Knocking:
    knock = Knocking()
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), knock)
    return knock


class BrokenAndMany(OpenSshCase):
    async def test_garbage_is_hung_up(self) -> None:
        self.serve()
        for says in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 50_000, b"\xff" * 10):
            knock = await connect(self.port)
            knock.say(says)
            await until(lambda knock=knock: knock.lost)
        terminal = self.terminal(key=self.viewer)
        await terminal.shows("role view")

    async def test_a_handshake_that_takes_too_long_is_ended(self) -> None:
        self.patch(limits, "LOGIN_GRACE_S", 1.0)
        self.serve()
        knock = await connect(self.port)
        knock.say(b"SSH-2.0-slow\r\n")
        await until(lambda: knock.lost)

    async def test_a_login_without_a_console_is_ended(self) -> None:
        self.patch(limits, "LOGIN_GRACE_S", 2.0)
        self.serve()
        status, _ = await self.run_ssh("-N", "127.0.0.1", key=self.viewer)
        self.assertEqual(status, 255)

    async def test_200_connections_leave_the_sessions_alone_and_pass(self) -> None:
        self.serve()
        terminal = self.terminal(key=self.viewer)
        await terminal.shows("role view")
        knocks = [connect(self.port) for _ in range(200)]
        done = await DeferredList([Deferred.fromCoroutine(k) for k in knocks], consumeErrors=True)
        came = [knock for success, knock in done if success]
        terminal.type("w")
        await terminal.shows("keys w")
        # Some are still in the kernel's queue, where they cost nothing.
        self.assertLessEqual(sum(bool(knock.received) for knock in came), 4)
        for knock in came:
            knock.leave()
        await until(lambda: all(knock.lost for knock in came))
        await later(1.0)
        another = self.terminal(key=self.steerer)
        await another.shows("role steer")

    async def test_a_guest_who_is_stopped_disturbs_nobody_and_is_ended(self) -> None:
        self.patch(showing, "STALLED_S", 3.0)
        self.patch(showing, "LOOK_S", 0.5)
        self.serve()
        stopped = self.terminal(key=self.viewer, columns=200, rows=60)
        await stopped.shows("role view")
        other = self.terminal(key=self.steerer)
        await other.shows("role steer")
        console = await self.shown(0)
        console.filled = True
        stopped.ssh.signal("STOP")
        drawing = LoopingCall(console.show)
        drawing.start(0.05)
        self.addCleanup(drawing.stop)
        other.type("y")
        await other.shows("keys y")
        await until(lambda: console.stopped)
        self.assertLess(console.pictures, 60)
        other.type("z")
        await other.shows("keys y z")
