"""A real Redis server for tests: redis-server on a free loopback port, nothing on disk."""

from __future__ import annotations

import contextlib
import os
import shutil
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.utils import getProcessOutput
from twisted.python.failure import Failure

from tests.mosquitto import free_port

START_S = 15.0
STOP_S = 10.0


def find(program: str) -> str:
    """The path of the server or its client.

    :raises AssertionError: when it is not installed; these tests are not skipped.
    """
    found = shutil.which(program, path=f"/usr/bin:/usr/local/bin:{os.environ.get('PATH', '')}")
    assert found, f"{program} is not installed; run the tests by `make test`, which provides it"
    return found


class _Process(ProcessProtocol):
    def __init__(self) -> None:
        self.output = b""
        self.running: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.output += data
        if b"Ready to accept connections" in self.output and not self.running.called:
            self.running.callback(None)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if not self.running.called:
            said = self.output.decode(errors="replace")
            self.running.errback(AssertionError(f"redis-server did not start: {said}"))
        self.ended.callback(None)


class RedisServer:
    """One server, which may be stopped, frozen and started again at the same port.

    It keeps everything in memory: after a restart it is empty.

    :ivar port: on 127.0.0.1.
    :param options: more of its configuration, as on its command line.
    """

    def __init__(self, reactor: Any, *options: str, tls: tuple[str, str] | None = None) -> None:
        """:param tls: the files of certificate and key; then it speaks nothing else."""
        self.port = free_port()
        self._reactor = reactor
        self._process: _Process | None = None
        self._transport: Any = None
        self._arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *options]
        self._client = ["-p", str(self.port)]
        if tls is None:
            self._arguments += ["--port", str(self.port)]
        else:
            files = ["--tls-cert-file", tls[0], "--tls-key-file", tls[1]]
            self._arguments += ["--port", "0", "--tls-port", str(self.port), *files]
            self._arguments += ["--tls-auth-clients", "no"]
            self._client += ["--tls", "--insecure"]

    async def start(self) -> None:
        """Run it; returns when it accepts connections."""
        self._process = process = _Process()
        command = [find("redis-server"), *self._arguments]
        self._transport = self._reactor.spawnProcess(process, command[0], command, env={})
        await process.running.addTimeout(START_S, self._reactor)

    async def stop(self) -> None:
        """End it by force, frozen or not; returns when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            self._signal(SIGKILL)
            await process.ended.addTimeout(STOP_S, self._reactor)

    def freeze(self) -> None:
        """It keeps its connections and says nothing."""
        self._signal(SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        self._signal(SIGCONT)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessExitedAlready):
            self._transport.signalProcess(number)

    async def ask(self, *command: str) -> str:
        """What it answers to a command, as its own client prints it."""
        arguments = [*self._client, "--raw", *command]
        answer = getProcessOutput(find("redis-cli"), arguments, env={}, reactor=self._reactor)
        return (await answer).decode().rstrip("\n")
