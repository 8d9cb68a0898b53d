"""The console over SSH as a part of the daemon, without the daemon."""

from __future__ import annotations

import builtins
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.app import ApplianceConsole
from astrameter.console.model import LinkError
from astrameter.console.session import Role, Terminal
from astrameter.console.ssh.branch import ConsoleBranch
from astrameter.console.ssh.daemon import apps
from astrameter.console.ssh.options import SshOptions
from astrameter.events import Bus
from astrameter.ports import PortError
from astrameter.services import start, stop
from tests.logged import logged


class Branch(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(mode=0o755)
        keys = str(self.directory / "authorized_keys")
        self.options = SshOptions(enable=True, authorized_keys=keys)
        self.reactor = MemoryReactorClock()

    def branch(self, options: SshOptions | None) -> ConsoleBranch:
        bus = Bus(self.reactor)
        branch = ConsoleBranch(self.reactor, options, {}, bus, self.directory)
        start(branch)
        self.addCleanup(lambda: self.successResultOf(stop(branch)))
        return branch

    def become(self, branch: ConsoleBranch, options: SshOptions | None) -> None:
        branch.prepare(options)
        self.successResultOf(Deferred.fromCoroutine(branch.become(options)))

    def ports(self) -> list[int]:
        return [port for port, *_ in self.reactor.tcpServers]

    def test_nothing_listens_unless_it_is_wanted(self) -> None:
        self.branch(None)
        self.branch(replace(self.options, enable=False))
        self.assertEqual(self.ports(), [])
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_it_listens_on_the_loopback_and_makes_its_key(self) -> None:
        self.branch(self.options)
        ((port, _, _, interface),) = self.reactor.tcpServers
        self.assertEqual((port, interface), (2222, "127.0.0.1"))
        self.assertEqual([p.name for p in self.directory.iterdir()], ["ssh_host_ed25519_key"])

    def test_it_is_switched_on_and_off_while_the_daemon_runs(self) -> None:
        branch = self.branch(None)
        self.become(branch, self.options)
        self.assertEqual(self.ports(), [2222])
        server = branch.server
        assert server is not None
        self.assertTrue(server.running)
        self.become(branch, None)
        self.assertIsNone(branch.server)
        self.assertFalse(server.running)

    def test_what_needs_no_other_port_keeps_the_server(self) -> None:
        branch = self.branch(self.options)
        before = branch.server
        self.become(branch, replace(self.options, max_sessions=1, idle_timeout_s=5.0))
        self.assertIs(branch.server, before)
        self.assertEqual(self.ports(), [2222])

    def test_a_new_port_that_is_taken_is_told_before_anything_changes(self) -> None:
        branch = self.branch(self.options)
        before = branch.server

        def taken(port: int, *_arguments: object, interface: str) -> None:
            in_use = OSError(errno.EADDRINUSE, "Address already in use")
            raise CannotListenError(interface, port, in_use)

        self.patch(self.reactor, "listenTCP", taken)
        error = self.assertRaises(PortError, branch.prepare, replace(self.options, port=2223))
        self.assertIn("TCP port 2223 at 127.0.0.1", str(error))
        self.assertIs(branch.server, before)

    def test_another_host_key_is_used_from_then_on(self) -> None:
        branch = self.branch(self.options)
        with logged() as lines:
            self.become(branch, replace(self.options, host_key=str(self.directory / "other")))
        self.assertIn("other)", "".join(lines))
        self.assertTrue((self.directory / "other").exists())

    def test_a_host_key_that_cannot_be_used_changes_nothing(self) -> None:
        branch = self.branch(self.options)
        (self.directory / "bad").write_text("nonsense")
        (self.directory / "bad").chmod(0o600)
        with logged() as lines:
            self.become(branch, replace(self.options, host_key=str(self.directory / "bad")))
        self.assertIn("error: the console over SSH goes on as it was: the SSH host key", lines[0])

    def test_parts_that_are_not_installed_are_named(self) -> None:
        original = builtins.__import__

        def without(name: str, *more: Any) -> Any:
            if name == "astrameter.console.ssh.daemon":
                raise ModuleNotFoundError("No module named 'urwid'")
            return original(name, *more)

        self.patch(builtins, "__import__", without)
        with logged() as lines:
            branch = self.branch(self.options)
        self.assertIsNone(branch.server)
        self.assertIn("No module named 'urwid'", lines[0])
        self.assertIn("pip install 'astrameter[ssh]'", lines[0])


class Consoles(SynchronousTestCase):
    """Who may only look has no way to change anything, whatever the console does."""

    def ask(self, role: Role, verb: str) -> Any:
        asked: list[str] = []
        verbs = {
            name: lambda _args, name=name: asked.append(name) or {}
            for name in ("status", "explain", "set", "rotate", "active_control")
        }
        reactor = MemoryReactorClock()
        make = apps(reactor, verbs, Bus(reactor))
        console = make(role, Terminal({"TERM": "xterm"}))
        assert isinstance(console, ApplianceConsole)
        return asked, console._link.request(verb)

    def test_a_steerer_may_ask_for_everything(self) -> None:
        for verb in ("status", "explain", "set", "rotate", "active_control"):
            asked, answer = self.ask(Role.STEER, verb)
            self.successResultOf(answer)
            self.assertEqual(asked, [verb])

    def test_a_viewer_may_ask_for_what_changes_nothing(self) -> None:
        for verb in ("status", "explain"):
            self.successResultOf(self.ask(Role.VIEW, verb)[1])
        for verb in ("set", "rotate", "active_control"):
            asked, answer = self.ask(Role.VIEW, verb)
            self.failureResultOf(answer, LinkError)
            self.assertEqual(asked, [])
