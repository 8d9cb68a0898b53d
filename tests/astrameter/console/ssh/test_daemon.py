"""[CONSOLE] in the daemon, as its owner meets it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.astrameter.test_process import ProcessCase
from tests.openssh import Terminal, arguments, keygen
from tests.process import Watched, free_port


class InTheDaemon(ProcessCase):
    timeout = 120

    def setUp(self) -> None:
        ProcessCase.setUp(self)
        self.directory = self.directory.absolute()
        self.directory.chmod(0o755)
        self.config = self.config.absolute()
        self.ssh_port = free_port(socket.SOCK_STREAM)
        self.keys = self.directory / "authorized_keys"
        self.viewer, self.steerer = self.directory / "eve", self.directory / "sam"
        view = keygen(self.viewer, "-t", "ed25519")
        steer = keygen(self.steerer, "-t", "ed25519")
        self.keys.write_text(f'{view}\nrole="steer" {steer}\n')

    def console_section(self, **keys: object) -> str:
        values = {"ENABLE": "yes", "PORT": self.ssh_port, "AUTHORIZED_KEYS": self.keys, **keys}
        return "[CONSOLE]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())

    async def started(self, **keys: object) -> Watched:
        self.write_config(active=True, more=self.console_section(**keys))
        daemon = self.start()
        await daemon.line("works: 450")
        return daemon

    async def reloaded(self, daemon: Watched, **keys: object) -> None:
        since = len(daemon.output)
        self.write_config(active=True, more=self.console_section(**keys))
        daemon.signal("HUP")
        await daemon.line("was re-read", since)

    def guest(self, key: Path, port: int = 0) -> Terminal:
        command = arguments(port or self.ssh_port, self.directory, "127.0.0.1", key=key)
        terminal = Terminal(command, 100, 30)
        self.addCleanup(lambda: Deferred.fromCoroutine(terminal.close()))
        return terminal

    async def test_a_guest_sees_the_meter_and_the_batteries(self) -> None:
        daemon = await self.started()
        await self.battery.ask(self.ct_port, "A", 120)
        guest = self.guest(self.viewer)
        await guest.shows("JSON_HTTP")
        await guest.shows("looking only|only look")
        guest.type("q")
        self.assertEqual(await guest.ssh.ended(), 0)
        self.assertIn("has the host key SHA256:", daemon.output)
        self.assertNotIn("Traceback", daemon.output)

    async def test_a_steerer_switches_the_control_and_a_viewer_cannot(self) -> None:
        daemon = await self.started()
        await self.battery.ask(self.ct_port, "A", 120)
        for key, may in ((self.viewer, False), (self.steerer, True)):
            guest = self.guest(key)
            await guest.shows("JSON_HTTP")
            guest.type("c")
            await guest.shows("y yes" if may else "you may only look")
            guest.type("y")
            if may:
                await guest.shows("relay")
            guest.type("q")
            self.assertEqual(await guest.ssh.ended(), 0)
        self.assertNotIn("Traceback", daemon.output)

    async def test_new_keys_and_limits_take_effect_while_sessions_stay(self) -> None:
        daemon = await self.started()
        guest = self.guest(self.viewer)
        await guest.shows("JSON_HTTP")
        other = self.directory / "other_keys"
        other.write_text(self.keys.read_text())
        await self.reloaded(daemon, AUTHORIZED_KEYS=other, MAX_SESSIONS=1)
        self.assertIsNone(guest.ssh.status)
        second = self.guest(self.steerer)
        await second.shows("All consoles are taken")
        self.assertEqual(await second.ssh.ended(), 1)

    async def test_a_new_port_is_served_and_the_old_one_closed(self) -> None:
        daemon = await self.started()
        guest = self.guest(self.viewer)
        await guest.shows("JSON_HTTP")
        new = free_port(socket.SOCK_STREAM)
        await self.reloaded(daemon, PORT=new)
        await guest.shows("Closed: the server stops")
        await guest.ssh.ended()
        there = self.guest(self.viewer, new)
        await there.shows("JSON_HTTP")
        refused = self.guest(self.viewer)
        await refused.shows("Connection refused")

    async def test_switched_off_it_is_gone(self) -> None:
        daemon = await self.started()
        await self.reloaded(daemon, ENABLE="no")
        await self.guest(self.viewer).shows("Connection refused")

    async def test_a_port_that_is_taken_is_one_clear_line_and_exit_1(self) -> None:
        taken = socket.create_server(("127.0.0.1", self.ssh_port))
        self.addCleanup(taken.close)
        self.write_config(more=self.console_section())
        daemon = self.start(environ={"LOG_LEVEL": "warning"})
        self.assertEqual(await daemon.ended(), 1)
        self.assertEqual(
            daemon.output.strip(),
            f"TCP port {self.ssh_port} at 127.0.0.1, of the console over SSH, cannot be opened: "
            "another program uses it; stop that one, or choose another port ([CONSOLE] PORT, or "
            "--ssh)",
        )

    async def test_a_new_port_that_is_taken_changes_nothing(self) -> None:
        daemon = await self.started()
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        since = len(daemon.output)
        self.write_config(active=True, more=self.console_section(PORT=taken.getsockname()[1]))
        daemon.signal("HUP")
        await daemon.line("not changed: TCP port .* of the console over SSH", since)
        await self.guest(self.viewer).shows("JSON_HTTP")

    async def test_a_host_key_that_cannot_be_trusted_is_told_and_batteries_are_served(self) -> None:
        state = self.directory / "state"
        state.mkdir()
        key = state / "ssh_host_ed25519_key"
        keygen(key, "-t", "ed25519")
        key.chmod(0o644)
        daemon = await self.started()
        await daemon.line(f"there is no console over SSH: .*chmod 600 {key}")
        await self.battery.ask(self.ct_port)
        await self.guest(self.viewer).shows("Connection refused")
        key.chmod(0o600)
        await self.reloaded(daemon)
        await self.guest(self.viewer).shows("JSON_HTTP")

    async def test_nothing_of_it_is_loaded_before_it_is_wanted(self) -> None:
        loaded = "import astrameter.appliance, sys; print(sorted(sys.modules))"
        process = self.watch(Watched([sys.executable, "-c", loaded]))
        self.assertEqual(await process.ended(), 0)
        for module in ("'urwid", "'twisted.conch"):
            self.assertNotIn(module, process.output)
