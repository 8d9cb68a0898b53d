"""``astra-sim run --ssh``: a simulation on the terminals of others."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.openssh import Terminal, arguments, keygen
from tests.process import Watched, free_port


class OverSsh(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir(mode=0o755)
        self.ssh_port = free_port(socket.SOCK_STREAM)
        self.http_port = free_port(socket.SOCK_STREAM)
        self.viewer, self.steerer = self.home / "eve", self.home / "sam"
        view, steer = keygen(self.viewer), keygen(self.steerer)
        self.keys = self.home / "keys"
        self.keys.write_text(f'{view}\nrole="steer" {steer}\n')

    def sim(self, *more: str) -> Watched:
        command = [
            *(sys.executable, "-m", "simulator", "run", "--no-tui"),
            *("--http-port", str(self.http_port), "--ct-port", str(free_port())),
            *("--ssh", f"127.0.0.1:{self.ssh_port}", *more),
        ]
        process = Watched(command, {"HOME": str(self.home)})

        async def end() -> None:
            process.signal("TERM")
            await process.ended()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return process

    async def served(self) -> Watched:
        process = self.sim("--authorized-keys", str(self.keys))
        await process.line("2 keys may log in to the console over SSH, 1 of them may steer")
        return process

    def guest(self, key: Path, columns: int = 80, rows: int = 24) -> Terminal:
        command = arguments(self.ssh_port, self.home, "127.0.0.1", key=key)
        terminal = Terminal(command, columns, rows)
        self.addCleanup(lambda: Deferred.fromCoroutine(terminal.close()))
        return terminal

    async def switched_on(self) -> list[bool]:
        def ask() -> Any:
            url = f"http://127.0.0.1:{self.http_port}/status"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)

        return [load["active"] for load in (await deferToThread(ask))["loads"]]

    async def test_a_guest_who_may_steer_switches_a_load_for_all(self) -> None:
        await self.served()
        large = self.guest(self.viewer, 200, 60)
        await large.shows("astra-sim")
        small = self.guest(self.steerer)
        await small.shows("astra-sim")
        since = len(large.ssh.output)
        small.type("1")
        await large.shows("LED lights on", since)
        small.type("q")
        self.assertEqual(await small.ssh.ended(), 0)
        large.type("x")
        self.assertIsNone(large.ssh.status)

    async def test_a_guest_who_may_only_look_changes_nothing(self) -> None:
        await self.served()
        guest = self.guest(self.viewer)
        await guest.shows("astra-sim")
        before = await self.switched_on()
        guest.type("12345")
        await guest.shows("you may only look")
        self.assertEqual(await self.switched_on(), before)

    async def test_the_host_key_stays_and_is_kept_to_itself(self) -> None:
        first = await self.served()
        fingerprint = await first.line("SHA256:[A-Za-z0-9+/]+")
        first.signal("TERM")
        self.assertEqual(await first.ended(), 0)
        second = await self.served()
        self.assertEqual(await second.line("SHA256:[A-Za-z0-9+/]+"), fingerprint)
        (key,) = self.home.glob(".astra-sim*host*")
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)

    async def test_a_port_that_is_taken_is_one_line_and_exit_1(self) -> None:
        taken = socket.create_server(("127.0.0.1", self.ssh_port))
        self.addCleanup(taken.close)
        process = self.sim("--authorized-keys", str(self.keys))
        self.assertEqual(await process.ended(), 1)
        self.assertIn(f"TCP port {self.ssh_port} at 127.0.0.1", process.output)
        self.assertNotIn("Traceback", process.output)

    async def test_no_keys_is_one_line_and_exit_1(self) -> None:
        for more in ((), ("--authorized-keys", str(self.home / "none"))):
            process = self.sim(*more)
            self.assertEqual(await process.ended(), 1)
            self.assertIn("--authorized-keys", process.output)
            self.assertEqual(len(process.output.strip().splitlines()), 1)
