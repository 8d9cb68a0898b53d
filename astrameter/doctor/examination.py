"""The whole examination, step by step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import Overrides, Settings, load_file
from astrameter.deferreds import sleep
from astrameter.devices import DeviceSpec
from astrameter.doctor import batteries, clock, configuration, meters, network, ports, running
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.listening import Ears
from astrameter.doctor.machine import Machine
from astrameter.doctor.said import Said
from astrameter.doctor.serving import Heard
from astrameter.doctor.watching import MeterWatch
from astrameter.meters.interface import MeterKind
from astrameter.ports import PortError
from astrameter.problems import ConfigError
from astrameter.services import start, stop

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
    return findings + await _try(reactor, machine, request, settings, able)


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


async def _try(
    reactor: Any,
    machine: Machine,
    request: Request,
    settings: Settings,
    able: Sequence[DeviceSpec],
) -> list[Finding]:
    """Be the daemon for a while, with all ears."""
    devices = tuple(able) if request.listen_s > 0 else ()
    appliance = Appliance(
        reactor, _for_a_while(settings, devices), Surroundings(wall_clock=machine.wall_clock)
    )
    ears = Ears(reactor, appliance.bus, devices)
    watches = [MeterWatch(reactor, branch) for branch in appliance.meters]
    began = reactor.seconds()
    try:
        start(appliance)
    except PortError as error:  # somebody was faster; what was opened is closed again
        return [Finding(Group.PORTS, Severity.PROBLEM, "", str(error))]
    try:
        if devices:
            ears.open()
        await _observe(reactor, request, watches, ears, request.listen_s if devices else 0.0)
    finally:
        await ears.close()
        await stop(appliance)
    findings = [finding for watch in watches for finding in meters.judge(watch.watched())]
    if request.listen_s <= 0:
        what = "not listened to, because of --listen 0"
        findings.append(Finding(Group.BATTERIES, Severity.NOTE, "", what))
    if devices:
        heard = Heard(
            reactor.seconds() - began,
            devices,
            ears.hearing.callers,
            {d.udp_port: configuration.ct_section(settings, d) for d in devices},
            lambda ip: appliance.routes.find(ip) is not None,
            network.names(machine),
            ears.deaf,
            ears.hearing.more,
        )
        findings += batteries.judge(heard)
    return findings


def _for_a_while(settings: Settings, devices: tuple[DeviceSpec, ...]) -> Settings:
    """Only what the examination needs: no status page, and no giving up on a meter."""
    general = replace(settings.general, enable_web_server=False, skip_powermeter_test=True)
    return replace(settings, general=general, devices=devices)


async def _observe(
    reactor: Any,
    request: Request,
    watches: Sequence[MeterWatch],
    ears: Ears,
    listen_s: float,
) -> None:
    until = reactor.seconds() + max(listen_s, _READ_FOR_S if watches else 0.0)
    work = [watch.run(until) for watch in watches]
    work.append(_show_progress(reactor, request.progress, until, ears if listen_s else None))
    try:
        await gatherResults(map(Deferred.fromCoroutine, work), consumeErrors=True)
    except CancelledError:
        return  # whoever is in a hurry gets what is known so far
    except FirstError as error:
        if error.subFailure.check(CancelledError) is None:
            error.subFailure.raiseException()


async def _show_progress(
    reactor: Any, progress: Callable[[str], None], until: float, ears: Ears | None
) -> None:
    while (left_s := until - reactor.seconds()) > 0:
        doing = "reading the meters"
        if ears is not None:
            heard = len({caller.ip for caller in ears.hearing.callers})
            doing += f", listening for batteries ({heard} heard)"
        progress(f"{doing}: {left_s:.0f} s left")
        await sleep(reactor, min(1.0, left_s))
