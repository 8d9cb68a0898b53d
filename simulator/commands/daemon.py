"""``start`` and ``stop``: a simulation in the background (simulator.md section 8)."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from simulator.commands.client import Refused, Unreachable, ask
from simulator.commands.pidfile import PidFile, PidFileError, open_guarded
from simulator.commands.readiness import READY
from simulator.configuration.model import HTTP_PORT

PID_NAME = ".astra-sim.pid"
LOG_NAME = ".astra-sim.log"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
LARGEST_LOG = 10 << 20
"""A larger one is put aside when the next daemon starts."""

_LONGEST_REASON = 65536


def start(options: argparse.Namespace) -> int:
    """Start one, and say so when it works.

    :return: 0; 1 when one runs already or this one does not come up.
    """
    home = Path.home()
    pid_file = PidFile(home / PID_NAME)
    try:
        if not pid_file.acquire():
            _say(f"Daemon already running (PID {pid_file.pid()})")
            return 1
        log = _open_log(home / LOG_NAME)
    except PidFileError as error:
        return _failed(str(error))
    reading, writing = os.pipe()
    try:
        child = subprocess.Popen(
            _command(options, writing),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(writing, pid_file.descriptor),
        )
        pid_file.write(child.pid)
    finally:
        os.close(writing)
        os.close(log)
    reason = _waited(reading)
    os.close(reading)
    if reason is None:
        pid_file.hand_over()
        _say(f"Daemon started (PID {child.pid})")
        return 0
    with suppress(ProcessLookupError):
        child.kill()
    child.wait()
    pid_file.remove()
    return _failed(reason or f"the daemon ended at once; see {home / LOG_NAME}")


def stop(options: argparse.Namespace) -> int:
    """Stop the daemon; without one, whatever simulator listens on the port.

    :return: 0; 1 when there is none.
    """
    pid_file = PidFile(Path.home() / PID_NAME)
    try:
        running = not pid_file.acquire()
        pid = pid_file.pid() if running else None
    except PidFileError as error:
        return _failed(str(error))
    port = options.http_port or HTTP_PORT
    ours = pid is None or options.http_port is not None or _listens(port, pid)
    if ours and _shut_down(port):
        return _ended(pid_file) if running else _forgotten(pid_file)
    if pid is None:
        _forgotten(pid_file)
        _say("Daemon not running (no PID file)")
        return 1
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError as error:
        return _failed(f"Failed to stop daemon: {error.strerror}")
    _say(f"Sent SIGTERM to PID {pid}")
    return _ended(pid_file)


def _ended(pid_file: PidFile) -> int:
    """Wait for the daemon's end."""
    if not pid_file.wait_free(STOP_TIMEOUT_S):
        return _failed(f"the daemon (PID {pid_file.pid()}) does not end")
    return _forgotten(pid_file)


def _forgotten(pid_file: PidFile) -> int:
    pid_file.remove()
    return 0


def _command(options: argparse.Namespace, writing: int) -> list[str]:
    command = [sys.executable, "-m", "simulator", "run", "--no-tui", "--verbose"]
    command += ["--ready-fd", str(writing)]
    if options.config is not None:
        command += ["--config", os.path.abspath(options.config)]
    for name in ("http_port", "ct_port", "power_update_delay"):
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def _open_log(path: Path) -> int:
    """:raises PidFileError: when it is no file of ours."""
    with suppress(OSError):
        if path.is_file() and not path.is_symlink() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_name(f"{path.name}.1"))
    return open_guarded(path, os.O_WRONLY | os.O_APPEND)


def _waited(reading: int) -> str | None:
    """Why the child did not come up; None when it did."""
    deadline = time.monotonic() + START_TIMEOUT_S
    said = b""
    while not said.startswith(READY) and len(said) < _LONGEST_REASON:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([reading], [], [], left_s)[0]:
            return f"the daemon has not come up within {START_TIMEOUT_S:g} s"
        part = os.read(reading, 4096)
        if not part:
            return said.decode("utf-8", "replace")
        said += part
    return None


def _listens(port: int, pid: int) -> bool:
    """Whether the simulator on a port is that process."""
    try:
        document = ask(port, "GET", "/status")
    except (Unreachable, Refused):
        return False
    return isinstance(document, dict) and document.get("pid") == pid


def _shut_down(port: int) -> bool:
    try:
        answer = ask(port, "POST", "/shutdown", {})
    except (Unreachable, Refused):
        return False
    _say(json.dumps(answer))
    return True


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _failed(text: str) -> int:
    sys.stderr.writelines(f"astra-sim: {line}\n" for line in text.splitlines())
    return 1
