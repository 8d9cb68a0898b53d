"""The whole examination, step by step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from astrameter.appliance import Surroundings
from astrameter.config import Overrides, Settings, load_file
from astrameter.deferreds import sleep
from astrameter.doctor import clock, configuration, network, ports, running
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.machine import Machine
from astrameter.doctor.said import Said
from astrameter.doctor.trial import Plan, attempt
from astrameter.meters.interface import MeterKind
from astrameter.problems import ConfigError

_READ_FOR_S = 6.0
_ASK_AGAIN_S = 2.0


def _no_progress(_text: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Request:
    """What is to be examined, and how.

    :ivar path: the configuration file.
    :ivar listen_s: how long to listen for batteries; 0 does not.
    :ivar progress: told now and then what goes on.
    """

    path: str | os.PathLike[str]
    listen_s: float
    overrides: Overrides | None = None
    extra_kinds: Sequence[MeterKind[Any]] = ()
    progress: Callable[[str], None] = field(default=_no_progress)


async def examine(reactor: Any, machine: Machine, request: Request) -> list[Finding]:
    """Look at everything; cancelling it while it listens ends that early.

    :param reactor: the network that the daemon would live in.
    """
    try:
        settings = load_file(request.path, request.overrides, request.extra_kinds)
    except ConfigError as error:
        return list(configuration.refused(error))
    began, wall_began = reactor.seconds(), machine.wall_clock()
    findings = [
        *configuration.judge(settings),
        *network.judge(machine, settings),
        clock.judge(wall_began, network.tls_sections(settings)),
    ]
    request.progress("looking at the network")
    findings += await network.examine(reactor, settings)
    findings += await _living(reactor, machine, request, settings)
    wall_s = (machine.wall_clock() - wall_began).total_seconds()
    stepped = clock.stepped(wall_s, reactor.seconds() - began)
    return findings if stepped is None else [*findings, stepped]


async def _living(
    reactor: Any, machine: Machine, request: Request, settings: Settings
) -> list[Finding]:
    """Meters, ports and batteries: from the daemon that runs, or by being one for a while."""
    general = settings.general
    if general.enable_web_server:
        daemon = running.Daemon(reactor, general.web_server_port)
        try:
            if await daemon.is_there():
                return await _ask(reactor, machine, request, settings, daemon)
        finally:
            await daemon.close()
    request.progress("trying the ports")
    findings, able = await ports.examine(reactor, settings)
    sections = {d.udp_port: configuration.ct_section(settings, d) for d in able}
    plan = Plan(settings, tuple(able), sections, network.names(machine), request.listen_s)
    surroundings = Surroundings(wall_clock=machine.wall_clock, outward=False)
    return findings + await attempt(reactor, plan, surroundings, request.progress)


async def _ask(
    reactor: Any, machine: Machine, request: Request, settings: Settings, daemon: running.Daemon
) -> list[Finding]:
    request.progress("asking the daemon that runs here")
    said: list[Said] = []
    until = reactor.seconds() + _READ_FOR_S
    while (moment := await daemon.status()) is not None:
        said.append(moment)
        if reactor.seconds() >= until:
            break
        await sleep(reactor, _ASK_AGAIN_S)
    if not said:
        what = "an AstraMeter runs here, but it does not tell how it is (2.x cannot)"
        mend = "Stop it, and run this again"
        return [Finding(Group.PORTS, Severity.PROBLEM, "", what, (mend,))]
    return list(running.judge(said, settings, network.names(machine)))
