"""Why no battery asks: the reasons met in the field, the likeliest first.

marstek-devices.md section 5, shelly.md section 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from astrameter.ct.options import DEFAULT_PORT
from astrameter.devices import DeviceSpec
from astrameter.doctor.findings import Finding, Group, Severity

_OLD_PRO_3EM, _NEW_PRO_3EM = 1010, 2220


def nobody(
    devices: Sequence[DeviceSpec], networks: Sequence[str], deaf: Sequence[int], since: str
) -> Finding:
    """No battery was heard at all.

    :param networks: of this machine, as people write them.
    :param deaf: ports of meters that are not emulated, at which nothing could be heard.
    :param since: whom and for how long, like ``in 20 s``.
    """
    mends = (*_choose(devices), *_reach(networks), *_ports(devices, deaf))
    what = f"no battery has asked anything {since}"
    return Finding(Group.BATTERIES, Severity.PROBLEM, "", what, mends)


def _choose(devices: Sequence[DeviceSpec]) -> Iterator[str]:
    kinds = {device.type for device in devices}
    if any(device.ct is not None for device in devices):
        yield (
            "In the Marstek app, choose the CT for the battery: one that has none configured does "
            "not ask. Then set it to automatic (self-consumption)"
        )
    if any(device.ct is None for device in devices):
        words = ", ".join(sorted({kind.partition("_")[0] for kind in kinds if "shelly" in kind}))
        yield (
            f"In the Marstek app, choose the Shelly for the battery ({words} is emulated) and set "
            "it to automatic; a Venus needs firmware 120 or newer, a B2500 224 (HMJ models 108)"
        )


def _reach(networks: Sequence[str]) -> Iterator[str]:
    where = f" ({' or '.join(networks)})" if networks else ""
    yield (
        f"The battery must be in the same network as this machine{where}, with the same netmask: "
        "no guest Wi-Fi, no other VLAN, and client isolation off in the access point, because it "
        "looks for its meter by broadcast"
    )
    yield "A firewall on this machine must let the UDP ports in"


def _ports(devices: Sequence[DeviceSpec], deaf: Sequence[int]) -> Iterator[str]:
    ports = {device.udp_port for device in devices}
    if _OLD_PRO_3EM in ports and _NEW_PRO_3EM not in ports and _NEW_PRO_3EM in deaf:
        yield "A B2500 with firmware 226 or newer asks on port 2220: use DEVICE_TYPE = shellypro3em"
    if _NEW_PRO_3EM in ports and _OLD_PRO_3EM not in ports and _OLD_PRO_3EM in deaf:
        yield (
            "A Venus, a Jupiter, and a B2500 with firmware 224 or older ask on port 1010: use "
            "DEVICE_TYPE = shellypro3em"
        )
    for device in devices:
        if device.ct is not None and device.udp_port != DEFAULT_PORT and DEFAULT_PORT not in ports:
            yield (
                f"Batteries ask for a CT on UDP port {DEFAULT_PORT}; this {device.type} listens on "
                f"{device.udp_port}: remove UDP_PORT from its section"
            )
    yield "Switch the battery off and on again: some stop asking until then"
