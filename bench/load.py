"""A load of polls over loopback: a fixed number outstanding, each answer sends the next."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from astrameter.ct.wire import encode
from tests.mosquitto import find_mosquitto

ROOT = Path(__file__).parent.parent


def polls(batteries: int) -> list[bytes]:
    """One poll of each of so many batteries, spread over the phases."""
    return [
        encode(["VNSE3-0", f"02B2500000{i:02X}", "HME-4", "112233445566", "ABC"[i % 3], f"{9 * i}"])
        for i in range(batteries)
    ]


def measure(port: int, requests: Sequence[bytes], seconds: float) -> tuple[float, list[float]]:
    """Ask for so long, one question of each request outstanding.

    :return: answers per second, and every round trip in seconds.
    """
    poller = select.epoll()
    sockets: dict[int, tuple[socket.socket, bytes]] = {}
    sent: dict[int, float] = {}
    trips: list[float] = []
    clock = time.perf_counter
    with contextlib.ExitStack() as stack:
        for request in requests:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            poller.register(sock, select.EPOLLIN)
            sockets[sock.fileno()] = (sock, request)
        started = clock()
        for number, (sock, request) in sockets.items():
            sent[number] = clock()
            sock.send(request)
        while clock() - started < seconds:
            ready = poller.poll(1.0)
            if not ready:
                raise RuntimeError(f"port {port} has stopped answering")
            for number, _ in ready:
                sock, request = sockets[number]
                sock.recv(2048)
                now = clock()
                trips.append(now - sent[number])
                sent[number] = now
                sock.send(request)
        return len(trips) / (clock() - started), trips


def percentile_ms(trips: Sequence[float], share: float) -> float:
    """The round trip that ``share`` of them do not exceed, in milliseconds."""
    return round(sorted(trips)[int((len(trips) - 1) * share)] * 1000, 3)


@contextlib.contextmanager
def server(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of ours in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LOG_LEVEL": "error"}
    process = subprocess.Popen([sys.executable, *arguments], env=environ)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def broker() -> Iterator[int]:
    """A real mosquitto that drops nothing; gives its loopback port."""
    port = free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "mosquitto.conf")
        unlimited = "max_queued_messages 0\nmax_queued_bytes 0\n"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n{unlimited}")
        command = [find_mosquitto(), "-c", str(config)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)


def wait_for_answer(port: int, request: bytes, patience_s: float = 10.0) -> float:
    """Ask until something comes back; returns how long that took, in seconds."""
    started = time.perf_counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.02)
        while time.perf_counter() - started < patience_s:
            sock.sendto(request, ("127.0.0.1", port))
            with contextlib.suppress(OSError):
                sock.recv(2048)
                return time.perf_counter() - started
            time.sleep(0.002)
    raise RuntimeError(f"nothing answers at port {port}")


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def report(**figures: object) -> None:
    """The one line that a bench prints."""
    print(json.dumps(figures))
