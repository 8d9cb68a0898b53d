"""What was heard, and what is said of it whatever kind of meter a battery asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from astrameter.ct.emulator import CROWDED, DUPLICATE, TOO_FEW_FIELDS, TOO_LONG
from astrameter.devices import DeviceSpec
from astrameter.doctor.datagrams import Speech
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.hearing import Caller
from astrameter.shelly.rpc import Rejection

SLOW_ANSWER_S = 1.0
"""Batteries poll about once a second; what comes later belongs to another moment."""

_MOST = 0.8
_ENOUGH_POLLS = 5
_WORDS = {
    "bad_checksum": "a damaged frame",
    "length_mismatch": "a frame of another length than it says",
    "missing_soh_stx": "no CT frame",
    "too_short": "too short for a CT frame",
    TOO_FEW_FIELDS: "a CT frame with too little in it",
    TOO_LONG: "too long for a CT frame",
    **{
        reason.name.lower(): reason.value
        for reason in Rejection
        if reason is not Rejection.TOO_LONG
    },
}


@dataclass(frozen=True)
class Heard:
    """What was heard, and in which surroundings.

    :ivar seconds: how long it was listened.
    :ivar devices: the emulated meters that listened.
    :ivar ct_sections: the configuration section of each CT, by its UDP port.
    :ivar served: whether a meter is configured for a battery at an address.
    :ivar networks: this machine's networks, as people write them.
    :ivar deaf: ports of other meters at which it was not possible to listen.
    :ivar more: datagrams of senders that were too many to tell apart.
    """

    seconds: float
    devices: Sequence[DeviceSpec]
    callers: Sequence[Caller]
    ct_sections: Mapping[int, str] = field(default_factory=dict)
    served: Callable[[str], bool] = lambda _ip: True
    networks: Sequence[str] = ()
    deaf: Sequence[int] = ()
    more: int = 0


def service(caller: Caller, device: DeviceSpec, asks: str) -> Finding:
    """How a battery that may expect answers is served."""
    if not caller.answered:
        # The last poll of a short time may still be waiting for the meter.
        severity = Severity.PROBLEM if caller.polls > 1 else Severity.WARN
        mend = "The meter that serves it fails or is too slow: see Meters above"
        return finding(severity, caller.ip, f"{asks}, and gets no answer", mend)
    what = f"{asks}; {caller.answered} of {caller.polls} polls answered, in {_took(caller)}"
    few = caller.polls >= _ENOUGH_POLLS and caller.answered < _MOST * caller.polls
    if few or caller.slowest_s > SLOW_ANSWER_S:
        mend = "The meter that serves it is slow or fails now and then: see Meters above"
        return finding(Severity.WARN, caller.ip, what, mend)
    return finding(Severity.OK, caller.ip, what)


def ignored(caller: Caller) -> Iterator[Finding]:
    """Polls of a good battery that are dropped all the same."""
    copies = caller.rejected[DUPLICATE]
    if copies:
        what = f"{name(caller)}: {copies} of {caller.heard} polls came too soon after another"
        mostly = copies > caller.heard / 2
        mends = ("Lower DEDUPE_TIME_WINDOW below the battery's poll interval",) if mostly else ()
        severity = Severity.WARN if mostly else Severity.NOTE
        yield finding(severity, caller.ip, f"{what} and were ignored", *mends)
    if caller.rejected[CROWDED]:
        what = f"{name(caller)} gets no answer: too many batteries ask already"
        yield finding(Severity.PROBLEM, caller.ip, what, "Find out who pretends to be so many.")


def unserved(caller: Caller) -> Finding:
    """A battery outside every NETMASK."""
    return finding(
        Severity.PROBLEM,
        caller.ip,
        "no meter serves this battery: its address is in no NETMASK",
        f"Add {caller.ip}/32 or its network to the NETMASK of the meter's section",
        "Or remove NETMASK, so that the meter serves every battery",
    )


def not_understood(caller: Caller, device: DeviceSpec) -> Finding:
    """Datagrams in another language than the device speaks."""
    speech = caller.message.speech
    if speech is Speech.OTHER:
        why = in_words(caller.rejected)
        what = f"{caller.heard} datagrams at {at(device)} could not be understood ({why})"
        mend = (
            "If a battery has this address, please report its model and firmware; the Wi-Fi may "
            "also be so bad that datagrams are damaged. Anything else can be ignored"
        )
        return finding(Severity.WARN, caller.ip, what, mend)
    what = f"this is the port of a {device.type}, but a {speech.value} came"
    mend = "Choose the right kind of meter for the battery in the Marstek app"
    return finding(Severity.WARN, caller.ip, what, mend)


def how_bad(heard: Heard) -> Severity:
    """How bad it is that a battery gets no answer: where others do, it may be meant so."""
    return Severity.WARN if any(caller.answered for caller in heard.callers) else Severity.PROBLEM


def in_words(reasons: Iterable[str]) -> str:
    """Why datagrams were rejected."""
    return ", ".join(sorted(_WORDS.get(reason, reason) for reason in reasons))


def name(caller: Caller) -> str:
    """The battery, as exactly as it says itself."""
    message = caller.message
    return (message.device_type or "a battery") + (f" ({message.mac})" if message.mac else "")


def at(device: DeviceSpec) -> str:
    """An emulated meter."""
    return f"{device.type} on UDP port {device.udp_port}"


def pace(caller: Caller) -> str:
    """How often it asks, to be appended."""
    interval_s = caller.interval_s
    return " (once so far)" if interval_s is None else f" every {interval_s:.1f} s"


def _took(caller: Caller) -> str:
    ms = caller.slowest_s * 1000
    return f"{ms:.0f} ms at most" if ms < 1000 else f"{caller.slowest_s:.1f} s at most"


def finding(severity: Severity, where: str, what: str, *mend: str) -> Finding:
    """A finding about the batteries."""
    return Finding(Group.BATTERIES, severity, where, what, mend)
