"""CPU of the daemon with 9 batteries at 1 Hz, publishing to MQTT, against the same without.

Both daemons run at the same time, so that whatever else the machine does slows both. The batteries
report another power in every poll, so that there is always something to publish.
"""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import time
from pathlib import Path

from astrameter.ct.wire import encode
from bench.load import broker, free_port, polls, report, server, wait_for_answer

BATTERIES = 9
WARM_UP_S = 10.0
SECONDS = 60.0

_TICK_S = 1.0 / BATTERIES


def main() -> None:
    """Poll two daemons alike, and compare their processor time."""
    ports = [free_port(), free_port()]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mqtt_port = stack.enter_context(broker())
        insights = f"[MQTT_INSIGHTS]\nBROKER = 127.0.0.1\nPORT = {mqtt_port}\n"
        pids = []
        for name, port, more in zip(("off", "on"), ports, ("", insights), strict=True):
            config = directory / f"{name}.ini"
            config.write_text(
                "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
                f"[CT002]\nUDP_PORT = {port}\n[TICKING]\n{more}"
            )
            daemon = stack.enter_context(server("-m", "bench.servers", "pushed", str(config)))
            pids.append(daemon.pid)
        for port in ports:
            wait_for_answer(port, polls(1)[0])
        _poll(ports, WARM_UP_S)
        before = [_cpu_s(pid) for pid in pids]
        answered = _poll(ports, SECONDS)
        off_s, on_s = (_cpu_s(pid) - at for pid, at in zip(pids, before, strict=True))
    report(
        bench="mqtt_cpu",
        batteries=BATTERIES,
        answered=round(answered, 3),
        off_percent=round(100.0 * off_s / SECONDS, 3),
        on_percent=round(100.0 * on_s / SECONDS, 3),
        ratio=round(on_s / off_s, 3),
    )


def _poll(ports: list[int], seconds: float) -> float:
    """Each battery asks every daemon once a second; the share that was answered."""
    sent = heard = 0
    with contextlib.ExitStack() as stack:
        sockets: dict[tuple[int, int], socket.socket] = {}
        poller = select.epoll()
        for port in ports:
            for battery in range(BATTERIES):
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.connect(("127.0.0.1", port))
                sock.setblocking(False)
                poller.register(sock, select.EPOLLIN)
                sockets[port, battery] = sock
        by_number = {sock.fileno(): sock for sock in sockets.values()}
        started, turn = time.perf_counter(), 0
        while (now := time.perf_counter() - started) < seconds:
            if now >= turn * _TICK_S:
                battery = turn % BATTERIES
                request = _request(battery, turn)
                for port in ports:
                    sockets[port, battery].send(request)
                    sent += 1
                turn += 1
            for number, _ in poller.poll(max(0.0, turn * _TICK_S - now)):
                by_number[number].recv(2048)
                heard += 1
    return heard / sent


def _request(battery: int, turn: int) -> bytes:
    mac, phase, power_w = f"02B2500000{battery:02X}", "ABC"[battery % 3], turn % 700 - 350
    return encode(["VNSE3-0", mac, "HME-4", "112233445566", phase, str(power_w)])


def _cpu_s(pid: int) -> float:
    """Processor time of all threads of a process, to the nanosecond."""
    spent_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


if __name__ == "__main__":
    main()
