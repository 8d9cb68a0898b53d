"""What batteries say at an emulated CT002 or CT003 (ct-protocol.md, marstek-devices.md)."""

from __future__ import annotations

from collections.abc import Iterator

from astrameter.ct.emulator import FOREIGN_MAC
from astrameter.devices import DeviceSpec
from astrameter.doctor.datagrams import Speech
from astrameter.doctor.findings import Finding, Severity
from astrameter.doctor.hearing import Caller
from astrameter.doctor.serving import (
    Heard,
    at,
    finding,
    how_bad,
    ignored,
    name,
    not_understood,
    pace,
    service,
    unserved,
)
from astrameter.steering.interface import INSPECTION

CT_TYPES = frozenset(
    ("HME-2", "HME-3", "HME-4", "HME-5", "TPM-CN", "TPM2-0", "SMR-0", "SMR-1", "SMR-2")
)
"""What batteries call the CTs that they can be paired with (marstek-devices.md section 1.11)."""


def at_ct(caller: Caller, device: DeviceSpec, heard: Heard) -> Iterator[Finding]:
    """What is to be said of one sender at a CT; searches are not its business."""
    if caller.message.speech is not Speech.CT:
        yield not_understood(caller, device)
        return
    yield from _foreign(caller, device, heard)
    yield from ignored(caller)
    if not caller.accepted:
        return
    if caller.message.phase == INSPECTION:
        yield _undetected(caller, device)
    else:
        yield _answered(caller, device)
    if not heard.served(caller.ip):
        yield unserved(caller)
    yield from _ct_remarks(caller)


def _foreign(caller: Caller, device: DeviceSpec, heard: Heard) -> Iterator[Finding]:
    if not caller.rejected[FOREIGN_MAC] or device.ct is None:
        return
    section = heard.ct_sections.get(caller.port, "CT002")
    told = caller.message.ct_mac
    if not told.strip("0"):
        what = "is not paired with a CT yet, and CT_MAC is set: it gets no answer"
        mends: tuple[str, ...] = (
            "Choose the CT in the Marstek app",
            f"Or leave [{section}] CT_MAC empty",
        )
    else:
        what = f"is paired with the CT {told}, but CT_MAC is {device.ct.ct_mac}: it gets no answer"
        mends = (
            f"Set CT_MAC = {told} in [{section}] (or leave it empty, to answer every battery)",
            f"Or choose the CT {device.ct.ct_mac} for this battery in the Marstek app",
            "Or leave it, when this battery belongs to another CT in your network",
        )
    yield finding(how_bad(heard), caller.ip, f"{name(caller)} {what}", *mends)


def _undetected(caller: Caller, device: DeviceSpec) -> Finding:
    return finding(
        Severity.WARN,
        caller.ip,
        f"{name(caller)} asks {at(device)}{pace(caller)}, but does not know its phase (or "
        "could not find it); as long as that lasts it does not regulate. It gets the meter's true "
        "values to find out",
        "Wait: it charges or discharges with up to 2000 W for up to 40 s, and tries three times a "
        "minute apart",
        "If it stays so, start the detection again in the Marstek app while no big appliance "
        "switches on or off, with the battery neither full nor empty",
        "Check with `astrameter read --watch` that the meter sees it: one phase must change by "
        "what the battery does",
    )


def _answered(caller: Caller, device: DeviceSpec) -> Finding:
    phase = caller.message.phase
    says = "for the whole house" if phase == "D" else f"for phase {phase}"
    return service(caller, device, f"{name(caller)} asks {at(device)}{pace(caller)} {says}")


def _ct_remarks(caller: Caller) -> Iterator[Finding]:
    message = caller.message
    if not message.participates:
        what = (
            f"{name(caller)} asks not to be counted: it is in manual or schedule mode, or its "
            "outputs are off, so it does not follow the meter"
        )
        mend = "Set it to automatic (self-consumption) with the CT in the Marstek app"
        yield finding(Severity.NOTE, caller.ip, what, mend)
    if len(caller.phases - {INSPECTION}) > 1:
        what = f"{name(caller)} claimed the phases {', '.join(sorted(caller.phases))} in turn"
        mend = "Set its phase in the Marstek app, or start the detection again"
        yield finding(Severity.WARN, caller.ip, what, mend)
    if not message.ct_type:
        what = f"{name(caller)} does not say which type of CT it was paired with"
        mend = "If it does not follow, choose the CT again in the Marstek app"
        yield finding(Severity.NOTE, caller.ip, what, mend)
    elif message.ct_type not in CT_TYPES:
        what = (
            f"{name(caller)} was paired with a CT of the unknown type {message.ct_type}; it is "
            "answered as if this were one"
        )
        mend = "If it does not follow, choose a CT002 or CT003 in the Marstek app"
        yield finding(Severity.NOTE, caller.ip, what, mend)
