"""``run --virtual``: simulation and appliance in virtual time, as fast as the machine can."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from astrameter.config import Settings, load_file, load_text
from astrameter.problems import ConfigError
from simulator.api.server import PortTakenError
from simulator.commands import config
from simulator.commands.logs import start_logging
from simulator.commands.setup import UsageError
from simulator.configuration.model import Simulation
from simulator.running.virtual import NEAR_ZERO_W, VirtualRun, clock

if TYPE_CHECKING:
    from simulator.commands.playing import Scripted

MOST_LINES = 48
"""Of a run, unless all are asked for with ``-v``."""

_OURS = "the configuration of `astra-sim config`"


def run(options: argparse.Namespace, setup: Simulation, script: Scripted | None) -> int:
    """Play the time that was asked for, or the script.

    :return: 0; 1 when something cannot start, was not as expected, or was interrupted.
    """
    start_logging(sys.stderr, "info" if options.verbose else "warn")
    duration_s: float = options.virtual
    if script is not None:
        duration_s = max(duration_s, script.script.ends_s)
    elif not duration_s:
        return _failed("--virtual needs a duration such as 24h, or a script")
    interval_s = setup.log_interval_s
    if not options.verbose:
        interval_s = max(interval_s, duration_s / MOST_LINES)
    try:
        settings = _settings(options, setup)
        virtual = VirtualRun(setup, settings, _say, interval_s)
        virtual.start()
    except (ConfigError, PortTakenError, UsageError) as error:
        return _failed(str(error))
    return _play(virtual, script, duration_s)


def _play(virtual: VirtualRun, script: Scripted | None, duration_s: float) -> int:
    began = time.perf_counter()
    met = True
    try:
        if script is None:
            virtual.pass_time(duration_s)
        else:
            host: Any = virtual.host
            met = virtual.pass_until(script.play(virtual.simulation, host), duration_s + 60.0)
    except KeyboardInterrupt:
        met = False
    took_s = time.perf_counter() - began
    summary = _summary(virtual, took_s)
    if script is not None:
        script.stop()
    virtual.stop()
    _say(summary)
    for reason in virtual.gave_up:
        met = False
        _failed(f"the appliance gave up: {reason}")
    if virtual.world.errors:
        met = False
        _failed(f"{virtual.world.errors} errors happened; `-v` shows them")
    return 0 if met else 1


def _settings(options: argparse.Namespace, setup: Simulation) -> Settings:
    """The appliance's configuration; it has to answer where the batteries ask.

    :raises ConfigError: when it cannot be used.
    :raises UsageError: when it is not there.
    """
    if options.appliance is None:
        port = setup.http_port or 8080
        settings = load_text(config.text(setup.ct_port, port, 3), _OURS)
    else:
        if not os.path.isfile(options.appliance):
            raise UsageError(f"--appliance {options.appliance}: there is no such file")
        settings = load_file(options.appliance)
    for warning in settings.warnings:
        sys.stderr.write(f"astra-sim: warning: {warning}\n")
    ports = [spec.udp_port for spec in settings.devices if spec.ct is not None]
    if setup.ct_port not in ports and setup.batteries:
        sys.stderr.write(
            f"astra-sim: warning: the batteries ask on UDP port {setup.ct_port}, but the "
            f"appliance emulates a CT on {', '.join(map(str, ports)) or 'none'}\n"
        )
    return settings


def _summary(virtual: VirtualRun, took_s: float) -> str:
    status = virtual.simulation.status()
    tally = virtual.tally
    socs = ", ".join(f"{one.mac[-4:]} {one.soc:.0%}" for one in status.batteries) or "none"
    factor = status.elapsed_s / took_s if took_s > 0 else 0.0
    return (
        f"{clock(status.elapsed_s)} in {took_s:.1f} s ({factor:.0f} times real time): "
        f"grid {tally.mean_w:.0f} W from zero on average, within {NEAR_ZERO_W:.0f} W "
        f"{tally.near:.0%} of the time; "
        f"bought {status.import_wh / 1000:.3f} kWh, sold {status.export_wh / 1000:.3f} kWh, "
        f"cost {status.cost_ct:.1f} ct; batteries: {socs}"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _failed(reason: str) -> int:
    sys.stderr.writelines(f"astra-sim: {line}\n" for line in reason.splitlines())
    return 1
