"""What batteries say at an emulated Shelly (shelly.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from astrameter.devices import DeviceSpec
from astrameter.doctor.datagrams import Speech
from astrameter.doctor.findings import Finding, Severity
from astrameter.doctor.hearing import Caller
from astrameter.doctor.serving import (
    Heard,
    at,
    finding,
    ignored,
    in_words,
    not_understood,
    pace,
    service,
    unserved,
)
from astrameter.shelly.responder import DUPLICATE, NO_METER
from astrameter.shelly.rpc import Rejection


def at_shelly(caller: Caller, device: DeviceSpec, heard: Heard) -> Iterator[Finding]:
    """What is to be said of one sender at a Shelly."""
    if caller.message.speech is not Speech.SHELLY:
        yield not_understood(caller, device)
        return
    copies = caller.rejected[DUPLICATE]
    rest = caller.rejected - Counter({DUPLICATE: copies, NO_METER: caller.rejected[NO_METER]})
    if rest:
        yield _unanswerable(caller, device, rest)
    yield from ignored(caller)
    if not heard.served(caller.ip):
        yield unserved(caller)
    elif caller.accepted:
        yield service(caller, device, f"a battery asks {at(device)}{pace(caller)}")


def _unanswerable(caller: Caller, device: DeviceSpec, reasons: Counter[str]) -> Finding:
    if reasons[Rejection.OTHER_METHOD.name.lower()]:
        asks = ", ".join(sorted(caller.methods))
        what = f"asks {at(device)} for {asks}, which gets no answer"
    else:
        why = in_words(reasons)
        what = f"{reasons.total()} requests at {at(device)} cannot be answered ({why})"
    if caller.accepted:
        return finding(Severity.NOTE, caller.ip, f"{what}; its other requests do")
    mend = (
        "Only EM.GetStatus and EM1.GetStatus are answered, with an id. If this is a Marstek "
        "battery, please report its model and firmware; if it is not one, ignore this"
    )
    return finding(Severity.WARN, caller.ip, what, mend)


def shared(heard: Heard) -> Iterator[Finding]:
    """A Shelly tells every battery the same: together they correct twice (general.py)."""
    for device in heard.devices:
        ips = sorted({c.ip for c in heard.callers if _follows(c, device)})
        if device.ct is None and len(ips) > 1:
            what = (
                f"{len(ips)} batteries follow this one Shelly ({', '.join(ips[:4])}): each "
                "corrects the whole house, so they work against each other"
            )
            mend = "Use DEVICE_TYPE = ct002 and choose the CT in the Marstek app for each of them"
            yield finding(Severity.WARN, f"UDP port {device.udp_port}", what, mend)


def _follows(caller: Caller, device: DeviceSpec) -> bool:
    same = caller.port == device.udp_port and caller.message.speech is Speech.SHELLY
    return same and caller.accepted > 0
