"""A real MQTT broker for tests: /usr/sbin/mosquitto on a free loopback port."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import random
import shutil
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

START_S = 15.0
STOP_S = 20.0
ASK_AGAIN_S = 1.0

_ITERATIONS = 101


def find_mosquitto() -> str:
    """The path of the broker.

    :raises AssertionError: when it is not installed; these tests are not skipped.
    """
    found = shutil.which(
        "mosquitto", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}"
    )
    assert found, "mosquitto is not installed; run the tests by `make test`, which provides it"
    return found


def free_port() -> int:
    """A loopback port that stays free while nothing listens there.

    Outside the range that the system gives to outgoing connections: of those there are many while
    tests run, and one could take the port of a broker that is down.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class _Process(ProcessProtocol):
    def __init__(self) -> None:
        self.output = b""
        self.running: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self._collect(data)

    def errReceived(self, data: bytes) -> None:
        self._collect(data)

    def _collect(self, data: bytes) -> None:
        self.output += data
        if b" running" in self.output and not self.running.called:
            self.running.callback(None)

    def processEnded(self, reason: Failure) -> None:
        if not self.running.called:
            self.running.errback(
                AssertionError(f"mosquitto did not start: {self.output.decode(errors='replace')}")
            )
        self.ended.callback(None)


class Mosquitto:
    """One broker, which may be stopped and started again at the same port.

    :ivar port: on 127.0.0.1.
    """

    def __init__(
        self,
        reactor: Any,
        directory: str,
        *,
        users: dict[str, str] | None = None,
        tls: tuple[str, str] | None = None,
    ) -> None:
        """:param users: passwords by name; None lets everybody in.
        :param tls: the files of certificate and key.
        """
        self.port = free_port()
        self._reactor = reactor
        self._process: _Process | None = None
        self._transport: Any = None
        base = Path(directory)
        base.mkdir(parents=True, exist_ok=True)
        self._config = base / "mosquitto.conf"
        lines = [
            "user root",
            "persistence false",
            "log_dest stderr",
            "log_type all",
            # It drops messages of QoS 0 for whom more wait than this, and slow machines have such.
            "max_queued_messages 0",
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'true' if users is None else 'false'}",
        ]
        if users is not None:
            passwords = base / "passwords"
            passwords.write_text("".join(_entry(*user) for user in users.items()))
            passwords.chmod(0o600)
            lines.append(f"password_file {passwords.absolute()}")
        if tls is not None:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        self._config.write_text("\n".join(lines) + "\n")

    async def start(self) -> None:
        """Run it; returns when it accepts connections."""
        self._process = process = _Process()
        command = find_mosquitto()
        self._transport = self._reactor.spawnProcess(
            process, command, [command, "-c", str(self._config.absolute())], env={}
        )
        await process.running.addTimeout(START_S, self._reactor)

    async def stop(self, signal: str = "TERM") -> None:
        """End it, by force with ``KILL``; returns when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        # Asked for once more each second: mosquitto says "running" just before it sets the flag
        # that a signal clears, so one that comes in between is lost.
        asking = LoopingCall(self._signal, signal)
        asking.clock = self._reactor
        ended = asking.start(ASK_AGAIN_S)
        try:
            await process.ended.addTimeout(STOP_S, self._reactor)
        finally:
            asking.stop()
            await ended

    def _signal(self, signal: str) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self._transport.signalProcess(signal)


def _entry(name: str, password: str) -> str:
    """A line of a password file: ``$7$`` is PBKDF2 with SHA-512."""
    salt = b"saltsaltsalt"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    texts = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"{name}:$7${_ITERATIONS}${'$'.join(texts)}\n"
