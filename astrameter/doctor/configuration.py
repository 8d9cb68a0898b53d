"""The configuration file: what ``check`` says of it, and what only hurts in the field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from astrameter.config import Settings
from astrameter.devices import DeviceSpec
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.problems import ConfigError, Problem

_MAC = re.compile(r"[0-9A-Fa-f]{12}\Z")


def refused(error: ConfigError) -> Iterator[Finding]:
    """A file that cannot be used."""
    yield from _listed(Severity.PROBLEM, error.problems)
    yield from _listed(Severity.WARN, error.warnings)


def judge(settings: Settings) -> Iterator[Finding]:
    """A file that can be used."""
    count = len(settings.meters)
    meters = f"{count} meter{'' if count == 1 else 's'}"
    devices = ", ".join(device.type for device in settings.devices) or "nothing"
    what = f"can be used: {meters}, emulates {devices}"
    yield Finding(Group.CONFIGURATION, Severity.OK, settings.file, what)
    yield from _listed(Severity.WARN, settings.warnings)
    if not settings.meters:
        what = "there is no meter section, so there is nothing to tell the batteries"
        mend = "Add the section of your meter; docs/reference lists them"
        yield Finding(Group.CONFIGURATION, Severity.PROBLEM, settings.file, what, (mend,))
    for device in settings.devices:
        if device.ct is not None and device.ct.ct_mac and not _MAC.match(device.ct.ct_mac):
            where = f"[{ct_section(settings, device)}] CT_MAC"
            what = f"{device.ct.ct_mac} will match no battery: they send 12 digits without colons"
            mend = "Write it like 001122aabbcc, or leave it empty to answer every battery"
            yield Finding(Group.CONFIGURATION, Severity.WARN, where, what, (mend,))


def ct_section(settings: Settings, device: DeviceSpec) -> str:
    """The section that holds the options of a CT."""
    own = device.type == "ct003" and settings.ct003 is not None
    return "CT003" if own else "CT002"


def _listed(severity: Severity, problems: Sequence[Problem]) -> Iterator[Finding]:
    for problem in problems:
        # Its text has where and what in one; the mend is in it, too.
        yield Finding(Group.CONFIGURATION, severity, "", str(problem))
