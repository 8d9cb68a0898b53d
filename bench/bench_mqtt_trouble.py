"""How long batteries wait for an answer while the broker makes trouble, and what that costs memory.

9 batteries ask two daemons 20 times a second each, one without MQTT and one with it, at the same
time, so that whatever else the machine does delays both. ``p99_ms`` has these two figures for each
kind of trouble. ``rss_anon_mb`` is the memory of the one with MQTT after each round of all of them.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

from bench.bench_start import resident_anonymous_mb
from bench.load import free_port, percentile_ms, polls, report, server, wait_for_answer
from tests.mosquitto import find_mosquitto

BATTERIES = 9
POLLS_PER_S = 20.0
SECONDS = 4.0
ROUNDS = 3
COMMANDS = 10_000
LARGE = 20


class Broker:
    """A mosquitto that is treated badly."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port(socket.SOCK_STREAM)
        self._config = directory / "mosquitto.conf"
        unlimited = "max_queued_messages 0\nmax_queued_bytes 0\n"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{unlimited}"
        )
        self.start()

    def start(self) -> None:
        command = [find_mosquitto(), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(10)

    def restart(self) -> None:
        self.send(signal.SIGKILL)
        self.start()

    def publish(self, topic: str, payload: bytes, times: int) -> None:
        """All at once, by a client of its own."""
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + payload
        packet = b"\x30" + _length(len(body)) + body
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01p")
            sock.recv(4)
            sock.sendall(packet * times + b"\xe0\x00")


def main() -> None:
    """One kind of trouble after the other."""
    ports = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Broker(directory)
        stack.callback(broker.send, signal.SIGKILL)
        insights = f"[MQTT_INSIGHTS]\nBROKER = 127.0.0.1\nPORT = {broker.port}\n"
        daemons = []
        for port, more in zip(ports, ("", insights), strict=True):
            config = directory / f"{port}.ini"
            config.write_text(
                "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
                f"WAIT_FOR_NEXT_MESSAGE = no\n[CT002]\nUDP_PORT = {port}\n[TICKING]\n{more}"
            )
            daemons.append(
                stack.enter_context(server("-m", "bench.servers", "pushed", str(config)))
            )
        for port in ports:
            wait_for_answer(port, polls(1)[0])
        figures: dict[str, list[float]] = {}
        memory_mb = []
        for _ in range(ROUNDS):  # what one round leaves behind, the next one shows
            for name, trouble in _troubles(broker).items():
                figures[name] = _p99_ms(ports, trouble)
            memory_mb.append(resident_anonymous_mb(daemons[1].pid))
            broker.restart()
    report(
        bench="mqtt_trouble",
        p99_ms=figures,
        commands=COMMANDS,
        rss_anon_mb=[round(one, 1) for one in memory_mb],
    )


def _troubles(broker: Broker) -> dict[str, Callable[[], None]]:
    state = "astrameter/ct002/device-1/consumer/02b250000000"
    flood = COMMANDS // 10
    return {
        "healthy": lambda: None,
        "flood": lambda: broker.publish(f"{state}/manual_target/set", b"17", flood),
        "garbage": lambda: broker.publish("astrameter/ct002/device-1/set", b"[" * 250, flood),
        "large": lambda: broker.publish(f"{state}/active/set", bytes(1_000_000), LARGE // 10),
        "restarted": broker.restart,
        "stalled": lambda: broker.send(signal.SIGSTOP),
        "killed": lambda: broker.send(signal.SIGKILL),
    }


def _p99_ms(ports: Sequence[int], trouble: Callable[[], None]) -> list[float]:
    """Ask each daemon for a while; the trouble comes ten times, spread over it."""
    requests = polls(BATTERIES)
    trips: list[list[float]] = [[] for _ in ports]
    clock = time.perf_counter
    with contextlib.ExitStack() as stack:
        poller = select.epoll()
        asking: dict[int, tuple[int, socket.socket]] = {}
        sockets: list[list[socket.socket]] = [[] for _ in requests]
        for battery in range(BATTERIES):
            for daemon, port in enumerate(ports):
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.connect(("127.0.0.1", port))
                sock.setblocking(False)
                poller.register(sock, select.EPOLLIN)
                asking[sock.fileno()] = daemon, sock
                sockets[battery].append(sock)
        sent: dict[int, float] = {}
        started, turn, troubles = clock(), 0, 0
        while (now := clock() - started) < SECONDS:
            if now >= troubles * SECONDS / 10:
                troubles += 1
                # Not between sending and looking: that would count as the daemon's time.
                Thread(target=trouble).start()
            if now >= turn / (BATTERIES * POLLS_PER_S):
                battery = turn % BATTERIES
                for sock in sockets[battery][:: 1 if turn % 2 else -1]:
                    sent[sock.fileno()] = clock()
                    sock.send(requests[battery])
                turn += 1
            for number, _ in poller.poll(0.001):
                daemon, sock = asking[number]
                sock.recv(2048)
                trips[daemon].append(clock() - sent[number])
    return [percentile_ms(one, 0.99) for one in trips]


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


if __name__ == "__main__":
    main()
