"""Whether the ports that the daemon needs can be opened."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory

from astrameter.config import Settings
from astrameter.devices import DeviceSpec
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.ports import port_error

EVERYWHERE = "0.0.0.0"
"""As the daemon listens: batteries broadcast, and broadcasts reach nothing else."""


async def examine(reactor: Any, settings: Settings) -> tuple[list[Finding], list[DeviceSpec]]:
    """Open each port for a moment.

    :return: the findings, and the devices whose ports can be opened.
    """
    findings, able = [], []
    for device in settings.devices:
        where = f"UDP port {device.udp_port}"
        refused = await _udp(reactor, device.udp_port, settings)
        findings.append(refused or _free(where, device.type))
        if refused is None:
            able.append(device)
    general = settings.general
    if general.enable_web_server:
        port = general.web_server_port
        refused = await _tcp(reactor, port, settings)
        findings.append(refused or _free(f"TCP port {port}", "the status page"))
    return findings, able


def _free(where: str, purpose: str) -> Finding:
    return Finding(Group.PORTS, Severity.OK, where, f"free, for {purpose}")


def _refused(error: CannotListenError, settings: Settings) -> Finding:
    mends: tuple[str, ...] = ()
    in_use = getattr(error.socketError, "errno", None) == errno.EADDRINUSE
    if in_use and not settings.general.enable_web_server:
        mends = ("It may be AstraMeter itself; with ENABLE_WEB_SERVER = no it cannot be asked",)
    # The error's words name the port already, and a mend.
    return Finding(Group.PORTS, Severity.PROBLEM, "", str(port_error(error, settings)), mends)


async def _udp(reactor: Any, port: int, settings: Settings) -> Finding | None:
    try:
        listening = reactor.listenUDP(port, DatagramProtocol(), interface=EVERYWHERE)
    except CannotListenError as error:
        return _refused(error, settings)
    await maybeDeferred(listening.stopListening)
    return None


async def _tcp(reactor: Any, port: int, settings: Settings) -> Finding | None:
    try:
        listening = reactor.listenTCP(port, Factory(), interface=EVERYWHERE)
    except CannotListenError as error:
        return _refused(error, settings)
    await maybeDeferred(listening.stopListening)
    return None
