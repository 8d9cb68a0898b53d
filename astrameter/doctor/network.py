"""Where this machine is in the network, and whether it finds the meters' names there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLong
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from astrameter.config import ConfiguredMeter, Settings
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.machine import Machine, Network
from astrameter.doctor.targets import Target, target_of
from astrameter.meters.options import EVERYBODY, MeterOptions

RESOLVE_TIMEOUT_S = 5.0

_BRIDGES = tuple(map(ipaddress.IPv4Network, ("172.16.0.0/12", "10.88.0.0/16")))
"""Where Docker and Podman put the containers that have a network of their own."""


def judge(machine: Machine, settings: Settings) -> Iterator[Finding]:
    """This machine's addresses, and who is served from there."""
    if not machine.networks:
        what = "this machine has no IPv4 address besides loopback: no battery can reach it"
        yield _finding(Severity.PROBLEM, "", what, "Connect it to the batteries' network")
        return
    for network in machine.networks:
        yield _finding(Severity.OK, network.interface, f"{network.address}")
    if machine.in_container and any(map(_is_bridge, machine.networks)):
        yield _finding(
            Severity.WARN,
            "",
            "this container has a network of its own; the broadcasts by which batteries find "
            "their meter do not pass a port mapping",
            "Give the container the host's network (network_mode: host, or --network host)",
        )
    yield from _netmasks(machine.networks, settings)


def names(machine: Machine) -> list[str]:
    """This machine's networks as people write them."""
    return [str(network.address.network) for network in machine.networks]


def _is_bridge(network: Network) -> bool:
    return any(network.address.ip in bridge for bridge in _BRIDGES)


def _netmasks(networks: Sequence[Network], settings: Settings) -> Iterator[Finding]:
    masks = [mask for meter in settings.meters for mask in _options(meter).netmask]
    if not masks or EVERYBODY[0] in masks:
        return
    if not any(mask.overlaps(one.address.network) for mask in masks for one in networks):
        what = "no NETMASK of any meter holds a network of this machine"
        mend = "Fine if your batteries are behind a router; else mend NETMASK"
        yield _finding(Severity.WARN, "", what, mend)


def _options(meter: ConfiguredMeter) -> MeterOptions:
    options: MeterOptions = meter.options
    return options


def tls_sections(settings: Settings) -> list[str]:
    """The meters that are reached with TLS."""
    found = ((meter.section, target_of(meter.options)) for meter in settings.meters)
    return [section for section, target in found if target is not None and target.tls]


# ------------------------------------------------------------------------------- finding names


async def examine(reactor: Any, settings: Settings) -> list[Finding]:
    """Look up the host names of the meters."""
    findings = []
    for meter in settings.meters:
        target = target_of(meter.options)
        if target is None:
            continue
        found = await _look_up(reactor, meter.section, target)
        if found is not None:
            findings.append(found)
    return findings


async def _look_up(reactor: Any, section: str, target: Target) -> Finding | None:
    if _is_address(target.host) or await resolve(reactor, target.host):
        return None
    what = f"the name {target.host} cannot be found"
    mend = "Write the device's IP address instead (and let the router always give it the same)"
    if target.host.endswith(".local"):
        mend += "; names in .local need mDNS (libnss-mdns) on this machine"
    return _finding(Severity.PROBLEM, f"[{section}]", what, mend)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects the addresses of a name."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.done: Deferred[list[str]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N803  its name
        """Nothing to prepare."""

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address):
            self.found.append(address.host)

    def resolutionComplete(self) -> None:
        if not self.done.called:
            self.done.callback(self.found)


async def resolve(reactor: Any, name: str) -> list[str]:
    """The addresses of a host name; empty when there is none, or no answer in time."""
    addresses = _Addresses()
    reactor.nameResolver.resolveHostName(addresses, name)
    try:
        return await addresses.done.addTimeout(RESOLVE_TIMEOUT_S, reactor)
    except WaitedTooLong:
        return []


def _finding(severity: Severity, where: str, what: str, *mend: str) -> Finding:
    return Finding(Group.NETWORK, severity, where, what, mend)
