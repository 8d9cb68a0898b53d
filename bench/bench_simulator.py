"""How many batteries ``astra-sim`` simulates on one core, and how fast virtual time passes.

In real time every battery polls once a second over loopback, a socket for each poll, and a CT in
another process answers. A number of batteries is carried when at most one poll in a hundred goes
out more than 5 ms later than timers of a process that does nothing else (``batteries`` 0): what
other programs on the machine do is not the simulator's.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from astrameter.config import load_text
from astrameter.ct.wire import decode, encode
from astrameter.monotonic import use_monotonic_time
from bench.load import free_port, percentile_ms, report, server
from simulator.batteries.config import BatteryConfig
from simulator.commands.config import text
from simulator.configuration.model import BatterySetup, Simulation
from simulator.running import simulation as running
from simulator.running.poller import Poller
from simulator.running.virtual import VirtualRun

STEPS = (100, 250, 500, 1000, 1500, 2000, 2500, 3000, 4000)
WARM_UP_S = 2.0
MEASURED_S = 5.0
PROBE_S = 0.01
LATEST_MS = 5.0
VIRTUAL = ((1, 3600.0), (10, 1200.0), (50, 300.0))


class TimedPoller(Poller):
    """Notes how late each poll goes out.

    :cvar late: seconds, of all of them.
    """

    late: list[float] = []  # noqa: RUF012  one list for all, which is the point

    def _poll(self) -> None:
        timer = self._timer
        if timer is not None:
            self.late.append(self._reactor.seconds() - timer.getTime())
        super()._poll()


def fleet(count: int) -> tuple[BatterySetup, ...]:
    """So many batteries that poll about once a second."""
    return tuple(
        BatterySetup(
            BatteryConfig(
                mac=f"02B250{number:06X}",
                phase="ABC"[number % 3],
                poll_interval_s=1.0,
                poll_jitter_s=0.5,
            )
        )
        for number in range(1, count + 1)
    )


def main() -> None:
    """Both, a line of JSON for each number of batteries."""
    if sys.argv[1:2] == ["ct"]:
        answer_for_ever(int(sys.argv[2]))
    if sys.argv[1:2] == ["real"]:
        real_time(int(sys.argv[2]), int(sys.argv[3]))
        return
    idle_ms = late_p99_ms(0)
    for count in STEPS:
        if late_p99_ms(count) > idle_ms + LATEST_MS:
            break
    for count, seconds in VIRTUAL:
        virtual_time(count, seconds)


def answer_for_ever(port: int) -> None:
    """A CT that shows a little import, as cheap as one can be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("127.0.0.1", port))
        while True:
            datagram, address = sock.recvfrom(512)
            device_type, mac, ct_type, ct_mac = decode(datagram)[:4]
            numbers = ["5", "0", "0", "5", "1", "0", "0", "0", "-50", "0", *["0"] * 10]
            sock.sendto(encode([ct_type, ct_mac, device_type, mac, *numbers]), address)


def late_p99_ms(count: int) -> float:
    """Measure in a process of its own; how late one poll in a hundred went out."""
    with ct() as port:
        done = subprocess.run(
            [sys.executable, "-m", "bench.bench_simulator", "real", str(count), str(port)],
            capture_output=True,
            text=True,
            check=True,
        )
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    late_ms: float = json.loads(done.stdout)["late_p99_ms"]
    return late_ms


@contextmanager
def ct() -> Iterator[int]:
    """A CT in another process; its port."""
    port = free_port()
    with server("-m", "bench.bench_simulator", "ct", str(port)):
        yield port


def real_time(count: int, port: int) -> None:
    """Let so many batteries poll, and report how late."""
    from twisted.internet import reactor  # noqa: PLC0415  this process's own

    real: Any = reactor
    use_monotonic_time(real)
    running.__dict__["Poller"] = TimedPoller  # for the lateness only
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    made = running.RunningSimulation(Simulation(ct_port=port, batteries=fleet(count)), real)
    began: list[float] = []

    def begin() -> None:
        TimedPoller.late.clear()
        began[:] = [time.perf_counter(), time.process_time()]

    def end() -> None:
        wall_s = time.perf_counter() - began[0]
        cpu_s = time.process_time() - began[1]
        late = TimedPoller.late
        answered = sum(one.answered_at is not None for one in made.pollers)
        report(
            bench="simulator_real_time",
            batteries=count,
            answered=answered,
            polls_per_s=round(len(late) / wall_s),
            late_p50_ms=percentile_ms(late, 0.5),
            late_p99_ms=percentile_ms(late, 0.99),
            cpu=round(cpu_s / wall_s, 3),
            us_per_poll=round(cpu_s / max(1, len(late)) * 1e6),
        )
        real.stop()

    def probe(due: float) -> None:
        TimedPoller.late.append(real.seconds() - due)
        real.callLater(PROBE_S, probe, real.seconds() + PROBE_S)

    if not count:
        real.callLater(0, probe, real.seconds())
    real.callWhenRunning(made.startService)
    real.callLater(WARM_UP_S, begin)
    real.callLater(WARM_UP_S + MEASURED_S, end)
    real.addSystemEventTrigger("before", "shutdown", made.stopService)
    real.run()


def virtual_time(count: int, seconds: float) -> None:
    """Let time pass for so many batteries and the whole appliance."""
    setup = replace(Simulation(seed=1), batteries=fleet(count))
    virtual = VirtualRun(setup, load_text(text(12345, 8080, 3), "bench"), lambda _line: None)
    virtual.start()
    began = time.process_time()
    virtual.pass_time(seconds)
    took_s = time.process_time() - began
    virtual.stop()
    report(
        bench="simulator_virtual",
        batteries=count,
        simulated_s=round(seconds),
        seconds=round(took_s, 2),
        times_real=round(seconds / took_s),
        us_per_poll=round(took_s / (seconds * count) * 1e6, 1),
    )


if __name__ == "__main__":
    main()
