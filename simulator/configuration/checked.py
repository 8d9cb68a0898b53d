"""JSON taken apart: every key is asked for by name, and everything that is wrong is kept."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

LONGEST_FILE = 1 << 20
"""Bytes; a thousand batteries take a tenth of it."""

MOST_ENTRIES = 1000
"""Of one list."""

MOST_PROBLEMS = 100

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; ``str()`` is the line that people read.

    :ivar file: as it was given.
    :ivar path: to the value, for example ``batteries[0].phase``; empty for the file as a whole.
    :ivar value: as JSON, shortened; empty when there is none.
    :ivar message: what is wrong, and how to mend it.
    """

    file: str
    path: str
    value: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}" if self.path else self.file
        return (
            f"{where} = {self.value}: {self.message}" if self.value else f"{where}: {self.message}"
        )


class ProblemsError(Exception):
    """A file that cannot be used; ``str()`` has a line for each problem.

    :ivar problems: never empty.
    :ivar warnings: what would have been mentioned besides.
    """

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.problems)))


class Findings:
    """What is wrong with one file, and what is only odd.

    :ivar problems, warnings: in the order found.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def problem(self, path: str, message: str, value: object = None) -> None:
        self._keep(self.problems, path, message, value)

    def warning(self, path: str, message: str, value: object = None) -> None:
        self._keep(self.warnings, path, message, value)

    def _keep(self, kept: list[Problem], path: str, message: str, value: object) -> None:
        if len(kept) < MOST_PROBLEMS:
            kept.append(Problem(self.file, path, _brief(value), message))

    def raise_if_any(self) -> None:
        """:raises ProblemsError: when there are problems."""
        if self.problems:
            raise ProblemsError(self.problems, self.warnings)


def read_text(path: str) -> str:
    """The text of a file.

    :raises ProblemsError: when it cannot be read, or is no file of ours.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ProblemsError([Problem(path, "", "", f"cannot be read: {error.strerror}")]) from None
    if len(content) > LONGEST_FILE:
        message = f"is longer than {LONGEST_FILE} bytes; this is no file of a simulation"
        raise ProblemsError([Problem(path, "", "", message)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is no UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ProblemsError([Problem(path, "", "", message)]) from None


def parse_json(text: str, findings: Findings) -> object:
    """The value a JSON text has; keys given twice and numbers that are none are problems.

    :raises ProblemsError: when it is no JSON.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                findings.problem(key, "this key is given twice in one object; remove one")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=members)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"is not JSON: {error.msg} at {where}"
    except (RecursionError, ValueError) as error:
        message = f"is not JSON: {error}"
    raise ProblemsError([Problem(findings.file, "", "", message)])


class Object:
    """One JSON object. Each ``take`` gives the value of a key, or its default when it is absent or
    wrong; what is wrong is kept in the findings.

    :ivar path: of the object itself; empty for the top.
    """

    def __init__(self, value: object, path: str, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self._asked: dict[str, None] = {}
        self._value: Mapping[str, Any] = {}
        if isinstance(value, Mapping):
            self._value = {str(key): one for key, one in value.items()}
        else:
            findings.problem(path, "an object is wanted: {...}", value)

    def at(self, key: str) -> str:
        """The path of one of its keys."""
        return f"{self.path}.{key}" if self.path else key

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def raw(self, key: str) -> Any:
        """The value as it is; None when absent."""
        self._asked[key] = None
        return self._value.get(key)

    def __iter__(self) -> Iterator[str]:
        """Its keys, in order."""
        return iter(self._value)

    def wrong(self, key: str, message: str) -> None:
        """Complain of a key."""
        value = self._value.get(key)
        text = "null" if value is None and key in self._value else value
        self.findings.problem(self.at(key), message, text)

    def missing(self, key: str, message: str) -> None:
        """Complain that a key is not there."""
        self.findings.problem(self.at(key), f"this key is missing: {message}")

    def number(
        self,
        key: str,
        default: float,
        low: float = -math.inf,
        high: float = math.inf,
        wanted: str = "",
    ) -> float:
        """A finite number within limits; it keeps its type."""
        value = self.raw(key)
        if key not in self:
            return default
        if not is_number(value):
            self.wrong(key, wanted or "a finite number is wanted")
        elif not low <= value <= high:
            self.wrong(key, wanted or f"a number from {low:g} to {high:g} is wanted")
        else:
            number: float = value
            return number
        return default

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within limits."""
        value = self.raw(key)
        if key not in self:
            return default
        if is_number(value) and value == int(value) and low <= value <= high:
            return int(value)
        self.wrong(key, f"a whole number from {low} to {high} is wanted")
        return default

    def text(self, key: str, default: str) -> str:
        value = self.raw(key)
        if key not in self:
            return default
        if isinstance(value, str):
            return value
        self.wrong(key, f'{key} must be a string, got {value}; put it in "quotes"')
        return default

    def flag(self, key: str, default: bool) -> bool:
        value = self.raw(key)
        if key not in self:
            return default
        if isinstance(value, bool):
            return value
        self.wrong(key, "true or false is wanted")
        return default

    def inside(self, key: str) -> Object:
        """The object under a key; an empty one when it is absent."""
        value = self.raw(key)
        return Object({} if key not in self else value, self.at(key), self.findings)

    def items(self, key: str) -> list[Any]:
        """The list under a key; an empty one when it is absent."""
        value = self.raw(key)
        if key not in self:
            return []
        if not isinstance(value, list):
            self.wrong(key, "a list is wanted: [...]")
            return []
        if len(value) > MOST_ENTRIES:
            self.wrong(key, f"a list of at most {MOST_ENTRIES} is wanted")
            return []
        return value

    def objects(self, key: str) -> list[Object]:
        """The objects of the list under a key."""
        path = self.at(key)
        found = enumerate(self.items(key))
        return [Object(one, f"{path}[{number}]", self.findings) for number, one in found]

    def unknown(self) -> None:
        """Warn of every key that nobody has asked for; to be called last."""
        for key in self._value:
            if key not in self._asked:
                self.findings.warning(
                    self.at(key), f"this key is unknown and ignored{nearest(key, self._asked)}"
                )


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number; true and false are none."""
    try:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
    except OverflowError:
        return False


def nearest(word: str, known: Iterable[str]) -> str:
    """A question for the nearest known word; empty when none is near."""
    found = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _brief(value: object) -> str:
    if value is None:
        return ""
    text = value if value == "null" else json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
