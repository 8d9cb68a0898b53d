"""What the batteries' talk means: who is served, who is not, and why (marstek-devices.md 1 and 5).

Everything here is judged from what was heard; see :mod:`astrameter.doctor.hearing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from astrameter.devices import DeviceSpec
from astrameter.doctor.at_ct import at_ct
from astrameter.doctor.at_shelly import at_shelly, shared
from astrameter.doctor.datagrams import Speech
from astrameter.doctor.findings import Finding, Severity
from astrameter.doctor.hearing import Caller
from astrameter.doctor.serving import Heard, finding, how_bad, name
from astrameter.doctor.silence import nobody


def judge(heard: Heard) -> Iterator[Finding]:
    """Everything that can be said about the batteries."""
    devices = {device.udp_port: device for device in heard.devices}
    for caller in heard.callers:
        device = devices.get(caller.port)
        if device is None:
            yield from _elsewhere(caller, heard, devices)
        elif device.ct is None:
            yield from at_shelly(caller, device, heard)
        elif caller.message.speech is Speech.SEARCH:
            yield from _search(caller, heard.callers)
        else:
            yield from at_ct(caller, device, heard)
    yield from shared(heard)
    if not any(_is_battery(caller) for caller in heard.callers):
        yield nobody(heard.devices, heard.networks, heard.deaf, f"in {heard.seconds:.0f} s")
    if heard.more:
        what = f"{heard.more} more datagrams came, of too many senders to tell them apart"
        yield finding(Severity.WARN, "", what, "Somebody floods this machine: find out who.")


def _is_battery(caller: Caller) -> bool:
    return caller.message.speech is not Speech.OTHER


def _search(caller: Caller, callers: Sequence[Caller]) -> Iterator[Finding]:
    if any(one.ip == caller.ip and one.message.speech is Speech.CT for one in callers):
        return
    yield finding(
        Severity.WARN,
        caller.ip,
        f"a battery searches for a CT at UDP port {caller.port} and was told that one is here, "
        "but it does not ask for the power",
        "Choose the CT in the Marstek app (battery, CT settings); the search alone sets up nothing",
        "In case it has just been set up: wait a minute and run this again",
    )


def _elsewhere(
    caller: Caller, heard: Heard, devices: Mapping[int, DeviceSpec]
) -> Iterator[Finding]:
    """Somebody asks a meter that is not emulated."""
    speech = caller.message.speech
    if speech is Speech.OTHER:
        return
    who = name(caller) if speech is Speech.CT else "a battery"
    wanted = _device_type(caller, devices)
    what = {
        Speech.SEARCH: f"{who} searches for a CT on UDP port {caller.port}",
        Speech.CT: f"{who} asks for a CT on UDP port {caller.port}",
        Speech.SHELLY: f"{who} asks for a Shelly on UDP port {caller.port}",
    }[speech]
    mends = [f"Add {wanted} to DEVICE_TYPE in [GENERAL]"]
    other_port = next((port for port, device in devices.items() if device.ct is not None), None)
    if speech is not Speech.SHELLY and other_port is not None:
        remove = "remove UDP_PORT from its section"
        mends = [f"The emulated CT listens on {other_port}, batteries use {caller.port}: {remove}"]
    mends.append("Or choose a meter in the Marstek app that is emulated already")
    yield finding(
        how_bad(heard), caller.ip, f"{what}, which is not emulated: it gets no answer", *mends
    )


def _device_type(caller: Caller, devices: Mapping[int, DeviceSpec]) -> str:
    """The word of DEVICE_TYPE for whom it asks (shelly.md section 1)."""
    if caller.message.speech is not Speech.SHELLY:
        return "ct003" if caller.message.ct_type in ("HME-3", "HME-5") else "ct002"
    exact = {
        1010: "shellypro3em_old",
        2220: "shellypro3em_new",
        2222: "shellyemg3",
        2223: "shellyproem50",
    }
    sibling = {1010: 2220, 2220: 1010}.get(caller.port)
    if sibling is not None and sibling not in devices:
        return "shellypro3em"
    return exact.get(caller.port, "shellypro3em")
