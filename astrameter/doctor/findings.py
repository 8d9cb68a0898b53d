"""What the doctor has to say: one finding at a time, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from astrameter.problems import shown

_INDENT = 11


class Severity(Enum):
    """How bad it is: works; worth knowing; works badly or not for everybody; does not work."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    PROBLEM = "problem"


class Group(Enum):
    """What a finding is about, in the order in which findings are shown."""

    CONFIGURATION = "Configuration"
    METERS = "Meters"
    PORTS = "Ports"
    NETWORK = "Network"
    CLOCK = "Clock"
    BATTERIES = "Batteries"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    :ivar what: what was found, in words that the owner of a house understands.
    :ivar where: what it was found at: ``[MQTT]``, ``UDP port 12345``, ``192.168.1.50``.
    :ivar mend: what to do about it, the likeliest first; empty when there is nothing to do.
    """

    group: Group
    severity: Severity
    where: str
    what: str
    mend: tuple[str, ...] = ()

    def as_json(self) -> str:
        """One JSON object, on one line; ``mend`` is a list."""
        found = {
            "group": self.group.value.lower(),
            "severity": self.severity.value,
            "where": clean(self.where),
            "what": clean(self.what),
            "mend": [clean(line) for line in self.mend],
        }
        return json.dumps(found, ensure_ascii=False)


COLOURS = {Severity.OK: "32", Severity.WARN: "33", Severity.PROBLEM: "1;31"}
"""ANSI colours by severity; a note has none."""


def as_text(findings: Sequence[Finding], width: int = 0, *, colours: bool = False) -> Iterator[str]:
    """The lines that people read: by group, in the order found.

    :param width: wrap lines at so many columns; 0 does not wrap.
    """
    by_group: dict[Group, list[Finding]] = {group: [] for group in Group}
    for finding in findings:
        by_group[finding.group].append(finding)
    for group, members in by_group.items():
        if not members:
            continue
        yield group.value
        for finding in members:
            word = f"  {finding.severity.value:<{_INDENT - 2}}"
            if colours and finding.severity in COLOURS:
                word = f"\x1b[{COLOURS[finding.severity]}m{word}\x1b[0m"
            where = f"{finding.where}: " if finding.where else ""
            first, *rest = _wrapped(where + finding.what, width, "")
            yield word + first
            yield from rest
            for number, line in enumerate(finding.mend, 1):
                mark = f"{number}. " if len(finding.mend) > 1 else "-> "
                yield from _wrapped(mark + line, width, " " * len(mark), indent_first=True)
        yield ""
    yield verdict(findings)


def _wrapped(text: str, width: int, hanging: str, *, indent_first: bool = False) -> list[str]:
    margin = " " * _INDENT
    text = clean(text)
    room = width - _INDENT
    lines = textwrap.wrap(text, room, subsequent_indent=hanging) if room >= _INDENT else [text]
    return [margin + line if number or indent_first else line for number, line in enumerate(lines)]


def verdict(findings: Iterable[Finding]) -> str:
    """The last line: how it looks on the whole."""
    severities = [finding.severity for finding in findings]
    problems = severities.count(Severity.PROBLEM)
    warnings = severities.count(Severity.WARN)
    counted = _counted(warnings, "warning")
    if problems:
        return f"Verdict: {_counted(problems, 'problem')} to mend, {counted}."
    if warnings:
        return f"Verdict: it works; {counted} to look at."
    return "Verdict: all is well."


def exit_status(findings: Iterable[Finding]) -> int:
    """0 when nothing is a problem, else 1."""
    return 1 if any(finding.severity is Severity.PROBLEM for finding in findings) else 0


def clean(text: str) -> str:
    """One line without secrets, and without anything that could move the reader's cursor: parts
    of it come from devices on the network."""
    return " ".join(shown(text).split())


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
