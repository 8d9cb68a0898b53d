"""Commands of ``astra-sim`` as processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import simulator
from tests.process import hear_interrupts

ROOT = Path(simulator.__file__).parent.parent
PATIENCE_S = 60.0


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of this machine that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Done:
    """What a command has left.

    :ivar code: exit status.
    """

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class ProcessCase(SynchronousTestCase):
    """:ivar home: the home directory of the processes."""

    def setUp(self) -> None:
        hear_interrupts()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.port = free_port()
        self.ct_port = free_port(socket.SOCK_DGRAM)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home), "PYTHONPATH": str(ROOT), "TERM": "dumb"}

    def sim(self, *arguments: object) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "simulator", *map(str, arguments)],
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, *arguments: object) -> Done:
        """Run a command that asks the simulation on this test's port."""
        return self.sim(*arguments, "--http-port", self.port)

    def background(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command that goes on, until the test ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator", *map(str, arguments)],
            cwd=self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.finish, process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            process.kill()
        process.communicate()

    def end(self, process: subprocess.Popen[str], number: int = signal.SIGTERM) -> Done:
        """Send a signal, and wait for the end."""
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
        return Done(process.returncode, out, err)

    def wait_for_line(self, process: subprocess.Popen[str], pattern: str) -> None:
        """Read what it tells until a line matches; it is killed when none does."""
        assert process.stderr is not None
        impatience = threading.Timer(PATIENCE_S, process.kill)
        impatience.start()
        try:
            self.assertTrue(any(re.search(pattern, line) for line in process.stderr), pattern)
        finally:
            impatience.cancel()
            impatience.join()

    def wait_for_status(self) -> Any:
        """The status of the simulation on this test's port, once it answers."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            done = self.ask("status")
            if done.code == 0:
                return done.json
            self.assertLess(time.monotonic(), deadline, done.out + done.err)
            time.sleep(0.2)

    def write(self, name: str, content: object) -> Path:
        path = self.home / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path
