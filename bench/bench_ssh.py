"""What consoles over SSH cost the batteries and the memory.

9 batteries ask 20 times a second each, while 8 people with the real ssh look on at 200x60, while
one of them stops reading, while one pastes a megabyte, while 200 connections knock at once, and
while 20 strangers log in in vain. ``p99_ms`` and ``worst_ms`` are how long an answer takes, and
``cpu_percent`` is what the daemon took of one core, whatever else the machine did.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

from bench.bench_start import resident_anonymous_mb
from bench.load import free_port, percentile_ms, polls, report, server, wait_for_answer
from tests.openssh import arguments, keygen

BATTERIES = 9
POLLS_PER_S = 20.0
SECONDS = 6.0
SESSIONS = 8
KNOCKS = 200
STRANGERS = 20
PASTED = 1_000_000


class Guest:
    """ssh on a terminal whose screen somebody reads."""

    def __init__(self, command: list[str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
        )
        os.close(slave)
        self.received = 0
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 65536):
                self.received += len(data)

    def wait_until_shown(self) -> None:
        """The console is on the screen."""
        deadline = time.monotonic() + 20
        while self.received < 3000:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("a console was not shown")
            time.sleep(0.05)

    def paste(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(PASTED // 1000):
                os.write(self.master, b"?" * 1000)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.master)


def main() -> None:
    """One thing after the other."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ct_port, ssh_port = free_port(), free_port(socket.SOCK_STREAM)
        key = directory / "key"
        (directory / "authorized_keys").write_text(keygen(key, "-t", "ed25519") + "\n")
        stranger = directory / "stranger"
        keygen(stranger, "-t", "ed25519")
        general = "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
        ct = f"WAIT_FOR_NEXT_MESSAGE = no\n[CT002]\nUDP_PORT = {ct_port}\n[TICKING]\n"
        console = (
            f"[CONSOLE]\nENABLE = yes\nPORT = {ssh_port}\nMAX_SESSIONS = {SESSIONS}\n"
            f"AUTHORIZED_KEYS = {directory / 'authorized_keys'}\n"
            f"HOST_KEY = {directory / 'host_key'}\n"
        )
        config = directory / "config.ini"
        config.write_text(general + ct + console)
        daemon = stack.enter_context(server("-m", "bench.servers", "pushed", str(config)))
        wait_for_answer(ct_port, polls(1)[0])
        figures = {}

        def measure(what: str, trouble: Callable[[], None] = lambda: None) -> None:
            before = _cpu_s(daemon.pid)
            latency = _latency(ct_port, trouble)
            figures[what] = (*latency, (_cpu_s(daemon.pid) - before) / SECONDS * 100)

        measure("no session")
        command = arguments(ssh_port, directory, "127.0.0.1", key=key)
        guests: list[Guest] = []

        def enter() -> None:
            guests.append(Guest(command))
            stack.callback(guests[-1].end)
            guests[-1].wait_until_shown()
            time.sleep(0.3)  # so much is let in from one address

        enter()
        measure("one session")
        one_mb = resident_anonymous_mb(daemon.pid)
        while len(guests) < SESSIONS:
            enter()
        measure(f"{SESSIONS} sessions")
        more_mb = resident_anonymous_mb(daemon.pid)
        measure("one pastes", guests[1].paste)
        guests[1].process.kill()
        measure("one never reads", lambda: guests[0].process.send_signal(signal.SIGSTOP))
        with _knocking(ssh_port) as knock:
            measure(f"{KNOCKS} knock", knock)
        vain = arguments(ssh_port, directory, "127.0.0.1", key=stranger)
        measure(f"{STRANGERS} strangers", lambda: _in_vain(vain))
        after_mb = resident_anonymous_mb(daemon.pid)
    report(
        bench="ssh",
        p99_ms={what: p99 for what, (p99, _, _) in figures.items()},
        worst_ms={what: worst for what, (_, worst, _) in figures.items()},
        cpu_percent={what: round(cpu, 1) for what, (_, _, cpu) in figures.items()},
        rss_anon_one_session_mb=round(one_mb, 1),
        rss_anon_a_session_mb=round((more_mb - one_mb) / (SESSIONS - 1), 2),
        rss_anon_after_all_mb=round(after_mb, 1),
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _knocking(port: int) -> Iterator[Callable[[], None]]:
    socks: list[socket.socket] = []

    def knock() -> None:
        for _ in range(KNOCKS):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            socks.append(sock)

    yield knock
    for sock in socks:
        sock.close()


def _in_vain(command: list[str]) -> None:
    running = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(STRANGERS)
    ]
    for one in running:
        one.wait(30)


def _latency(port: int, trouble: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Ask for a while, with trouble from the first second on; p99 and the worst, in ms."""
    requests = polls(BATTERIES)
    trips: list[float] = []
    clock = time.perf_counter
    thread = Thread(target=trouble, daemon=True)
    with contextlib.ExitStack() as stack:
        poller = select.epoll()
        socks = []
        for _ in requests:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            poller.register(sock, select.EPOLLIN)
            socks.append(sock)
        by_number = {sock.fileno(): (i, sock) for i, sock in enumerate(socks)}
        sent = [0.0] * BATTERIES
        started, turn, begun = clock(), 0, False
        while (now := clock() - started) < SECONDS:
            if now >= 1.0 and not begun:
                begun = True
                thread.start()
            if now >= turn / (BATTERIES * POLLS_PER_S):
                i = turn % BATTERIES
                sent[i] = clock()
                socks[i].send(requests[i])
                turn += 1
            for number, _ in poller.poll(0.001):
                i, sock = by_number[number]
                sock.recv(2048)
                trips.append(clock() - sent[i])
    return percentile_ms(trips, 0.99), percentile_ms(trips, 1.0)


if __name__ == "__main__":
    main()
