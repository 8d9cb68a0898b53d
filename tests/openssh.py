"""The real ssh, as a person has it: on a terminal of a given size, with keys of ssh-keygen."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.process import Watched


def find(program: str) -> str:
    """Where ssh, sftp or ssh-keygen is (tools/test-packages installs them)."""
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed: sudo apt-get install openssh-client"
    return found


def keygen(path: Path, *arguments: str) -> str:
    """Make a key pair; returns the line of its public half."""
    command = [find("ssh-keygen"), "-q", "-N", "", "-C", path.name, "-f", str(path), *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(path.name + ".pub").read_text().strip()


def arguments(port: int, directory: Path, *more: str, key: Path | None = None) -> list[str]:
    """What ssh is to be called with: nothing of this machine's own settings and keys."""
    known_hosts = directory / "known_hosts"
    options = [
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={known_hosts}",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        "IdentityAgent=none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
    ]
    identity = [] if key is None else ["-i", str(key)]
    return [find("ssh"), *options, *identity, "-p", str(port), *more]


class Terminal:
    """ssh on a pseudo-terminal.

    :ivar ssh: the process, and what it showed.
    """

    def __init__(self, command: Sequence[str], columns: int = 80, rows: int = 24) -> None:
        self._master, slave = pty.openpty()
        self.resize(columns, rows)
        environ = {"TERM": "xterm-256color", "DISPLAY": ":99"}
        self.ssh = Watched(list(command), environ, (self._master, slave, os.ttyname(slave)))

    def resize(self, columns: int, rows: int) -> None:
        """The window is made larger or smaller."""
        packed = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)

    def type(self, keys: str) -> None:
        """Press keys."""
        self.ssh.process.write(keys.encode())

    def shows(self, pattern: str, since: int = 0) -> Deferred[str]:
        """Fires when it is on the screen."""
        return self.ssh.line(pattern, since)

    async def close(self) -> None:
        """End ssh, whatever it does."""
        self.ssh.signal("KILL")
        await self.ssh.ended()


def later(seconds: float) -> Deferred[None]:
    """Fires on the real clock."""
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done
