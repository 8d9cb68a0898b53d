"""What the consoles cost: to draw a screen, and while nobody touches them.

``*_draw_us`` is one refresh in which everything has changed, of the whole screen, without the
terminal. ``*_cpu_percent`` is the processor time of ``astra-sim attach`` and ``astrameter console``
in a terminal of 200x60, while the household of four batteries behind them changes once a second.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

from twisted.internet.task import Clock

from bench.load import free_port, report
from tests.astrameter.console.rig import Rig as ApplianceRig
from tests.astrameter.console.rig import battery as polling
from tests.astrameter.console.rig import with_batteries
from tests.simulator.console.rig import STATUS, FakeControl, GridStatus
from tests.simulator.console.rig import Rig as SimulatorRig

SIZES = ((80, 24), (200, 60))
DRAWINGS = 300
SETTLE_S = 8.0
MEASURE_S = 20.0

_CONFIG = """[GENERAL]
DEVICE_TYPE = ct002
ENABLE_WEB_SERVER = no
CONTROL_SOCKET = {socket}
[CT002]
UDP_PORT = {ct}
ACTIVE_CONTROL = yes
[JSON_HTTP]
URL = http://127.0.0.1:{http}/power
JSON_PATHS = $.phase_a, $.phase_b, $.phase_c
"""


def microseconds(draw: Callable[[int], None]) -> float:
    """The median of what each drawing takes."""
    took = []
    for number in range(DRAWINGS):
        started = time.perf_counter()
        draw(number)
        took.append(time.perf_counter() - started)
    return sorted(took)[DRAWINGS // 2] * 1e6


def drawings() -> dict[str, float]:
    """Both consoles at both sizes, with a history of ten minutes."""
    figures: dict[str, float] = {}
    simulator, appliance = SimulatorRig(FakeControl()), ApplianceRig()
    clocks: tuple[Clock, Clock] = (simulator.clock, appliance.clock)
    for second in range(600):
        total_w = float(second * 37 % 900 - 300)
        simulator.control.tell(replace(STATUS, grid=GridStatus(total_w, 0.0, 0.0, total_w)))
        appliance.tell(with_batteries(*(polling(n, power_w=second) for n in range(1, 5))))
        for clock in clocks:
            clock.advance(1)
    for columns, rows in SIZES:

        def shown(number: int, size: tuple[int, int] = (columns, rows)) -> None:
            simulator.control.tell(elapsed_s=float(number))
            simulator.console.widget.render(size)

        def looked(number: int, size: tuple[int, int] = (columns, rows)) -> None:
            appliance.tell(with_batteries(*(polling(n, power_w=number) for n in range(1, 5))))
            appliance.console.widget.render(size)

        figures[f"simulator_{columns}x{rows}_draw_us"] = round(microseconds(shown), 0)
        figures[f"appliance_{columns}x{rows}_draw_us"] = round(microseconds(looked), 0)
    return figures


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours in the background."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def shown(*arguments: str) -> Iterator[tuple[int, int]]:
    """A console in a terminal; its process and its terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(sys.executable, [sys.executable, "-m", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    try:
        yield pid, terminal
    finally:
        os.kill(pid, signal.SIGTERM)
        _read(terminal, 0.5)
        os.waitpid(pid, 0)
        os.close(terminal)


def _read(terminal: int, seconds: float) -> int:
    """Take what the console draws, as a terminal does; how many bytes that were."""
    end, taken = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                taken += len(os.read(terminal, 65536))
            except OSError:
                break
    return taken


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(*arguments: str) -> tuple[float, float]:
    """Percent of a processor, and bytes a second to the terminal."""
    with shown(*arguments) as (pid, terminal):
        _read(terminal, SETTLE_S)
        began_s, began_at = _processor_s(pid), time.monotonic()
        taken = _read(terminal, MEASURE_S)
        lasted_s = time.monotonic() - began_at
        return 100 * (_processor_s(pid) - began_s) / lasted_s, taken / lasted_s


def processes() -> dict[str, float]:
    """Both consoles as processes."""
    figures: dict[str, float] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ct, http = free_port(), free_port(socket.SOCK_STREAM)
        ini = directory / "config.ini"
        ini.write_text(_CONFIG.format(socket=directory / "c.sock", ct=ct, http=http))
        ports = ("--http-port", str(http), "--ct-port", str(ct))
        fleet = ("--batteries", "4", "--phases", "3", "--no-tui")
        stack.enter_context(started("simulator", "run", *fleet, *ports))
        _wait(http)
        os.environ["STATE_DIRECTORY"] = str(directory)
        stack.enter_context(started("astrameter", "-c", str(ini)))
        time.sleep(SETTLE_S)
        for name, arguments in (
            ("attach", ("simulator", "attach", "--http-port", str(http))),
            ("console", ("astrameter", "console", "-c", str(ini))),
        ):
            percent, bytes_per_s = idle(*arguments)
            figures[f"{name}_cpu_percent"] = round(percent, 2)
            figures[f"{name}_bytes_per_s"] = round(bytes_per_s)
    return figures


def _wait(http: int) -> None:
    for _ in range(150):
        try:
            with urlopen(f"http://127.0.0.1:{http}/status", timeout=1) as answer:
                json.load(answer)
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the simulator does not start")


def main() -> None:
    """One line for everything."""
    report(bench="console", **drawings(), **processes())


if __name__ == "__main__":
    main()
