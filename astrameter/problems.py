"""What can be wrong with a configuration, said so that its owner can mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from astrameter.ini import Document, Entry
from astrameter.redaction import HIDDEN, redact

MAX_REPORTED = 200
"""More problems of one file than this are counted, not listed."""

_LONGEST_VALUE = 80
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|credential|auth|mailbox|(api|private|access)_?key", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a configuration; ``str()`` is the line that people read.

    :ivar file: the file's name as it was given, or ``command line``.
    :ivar line: from 1; 0 when it concerns no line.
    :ivar section: without brackets; empty when it concerns none.
    :ivar key: empty when it concerns none.
    :ivar value: as the file has it but fit to be shown, see :func:`brief`; None when there
        is none.
    :ivar message: what is wanted, and how to mend it.
    """

    file: str
    line: int
    section: str
    key: str
    value: str | None
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        if self.section:
            where += f" [{_printable(self.section)}]"
        if self.key:
            where += f" {_printable(self.key)}"
        if self.value is not None:
            where += f" = {self.value}" if self.value else " is empty"
        return f"{where}: {self.message}"


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it.

    :ivar problems: why it cannot, in the order of the file; never empty.
    :ivar warnings: what would have been mentioned besides.
    """

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.problems)))


class Findings:
    """Collects what is found in one file, without repetition and no more than anybody reads."""

    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document
        self._found: dict[Problem, None] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether a further finding would only be counted."""
        return len(self._found) >= MAX_REPORTED

    def add(self, problem: Problem) -> None:
        if problem in self._found:
            return
        if self.full:
            self._more += 1
        else:
            self._found[problem] = None

    def of_file(self, message: str) -> None:
        """Something about the file as a whole."""
        self.add(Problem(self._file, 0, "", "", None, message))

    def of_section(self, name: str, message: str) -> None:
        """Something about a section, at its header."""
        line = self._document.line_of(name)
        self.add(Problem(self._file, line, name, "", None, message))

    def of_entry(self, entry: Entry, message: str, key: str = "", secret: bool = False) -> None:
        """Something about a value as it is written; ``key`` is the declared spelling."""
        where = (self._file, entry.line, entry.section, key or entry.key)
        if secret and entry.value:
            message = redact(message.replace(entry.value, HIDDEN))
        self.add(Problem(*where, brief(entry.value, secret), message))

    def of_key(self, section: str, key: str, message: str, secret: bool = False) -> None:
        """Something about a key that may not be written; then it is at the section's header."""
        entry = self._document.entries(section).get(key.lower())
        if entry is not None:
            self.of_entry(entry, message, key, secret)
        else:
            line = self._document.line_of(section)
            self.add(Problem(self._file, line, section, key, None, message))

    def sorted(self) -> tuple[Problem, ...]:
        """All of them in the order of the file, then how many are not listed."""
        found = sorted(self._found, key=lambda problem: problem.line)
        if self._more:
            found.append(Problem(self._file, 0, "", "", None, f"and {self._more} more"))
        return tuple(found)


def looks_secret(key: str) -> bool:
    """Whether a key that nobody declared is probably a password, by its name."""
    return _SECRET_NAME.search(key) is not None


def shown(value: str, secret: bool = False) -> str:
    """A value fit for other people's eyes: secrets and credentials in URLs become ``***``."""
    if secret:
        return HIDDEN if value else ""
    return _printable(redact(value))


def brief(value: str, secret: bool = False) -> str:
    """:func:`shown`, on one line of sensible length."""
    text = " ".join(shown(value, secret).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _printable(text: str) -> str:
    """Nothing in a file may move the reader's cursor."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
