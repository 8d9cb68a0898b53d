"""Numbers out of JSON documents: JSON paths (meters.md section 13.1) and plain look-ups.

Paths are written in the extended jsonpath-ng dialect. Nearly all of them only walk down names and
indexes; those are walked here, so that jsonpath-ng (1 MB, and twenty times slower) is loaded only
for filters, slices, arithmetic and string functions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from functools import partial

from astrameter.options import Kind
from astrameter.reading import MeterError

Step = str | int
"""One step into a document: the name of a member or the index of an element."""

_NOTHING = object()

_OPENING = "[("
_CLOSING = "])"
_QUOTES = "'\"`"

_NAME = r"[A-Za-z_][A-Za-z0-9_@\-]*"
_QUOTED = r"'[^'\\\n]+'|\"[^\"\\\n]+\""
_BRACKETS = rf"\[(?:-?[0-9]{{1,9}}|{_QUOTED})\]"
_PLAIN = re.compile(rf"(?:\$|{_NAME}|{_QUOTED})(?:\.(?:{_NAME}|{_QUOTED})|{_BRACKETS})*\Z")
_STEP = re.compile(rf"\[(-?[0-9]+)\]|({_QUOTED})|({_NAME})")
_KEYWORDS = frozenset({"where", "wherenot"})

_EXAMPLES = "write it like $.power, $.phases[0].power or $['1.7.0']"
_SHOWN_CHARACTERS = 40


def split_paths(text: str) -> tuple[str, ...]:
    """Split a list of paths at the commas outside brackets, parentheses, quotes and backquotes.

    Blanks around an item and empty items are dropped. The predecessor split at every comma and
    so tore string functions apart (meters.md section 13.1, MJ04).
    """
    found, start, depth, quote, escaped = [], 0, 0, "", False
    for i, character in enumerate(text):
        if quote:
            if not escaped and character == quote:
                quote = ""
            escaped = character == "\\" and not escaped
        elif character in _QUOTES:
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif character == "," and depth == 0:
            found.append(text[start:i])
            start = i + 1
    found.append(text[start:])
    return tuple(item.strip() for item in found if item.strip())


class JsonPath:
    """A path to one number of a JSON document; equal to every path with the same text.

    :ivar text: the path as written, without outer blanks.
    :raises ValueError: when ``text`` is no path; the text says why and how to mend it.
    """

    __slots__ = ("_find", "text")

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        steps = _plain_steps(self.text)
        self._find: Callable[[object], object] = (
            _compile(self.text) if steps is None else partial(_walk, steps)
        )

    def number(self, document: object) -> float:
        """The first match in a parsed document, as a finite number.

        :raises MeterError: ``missing_field`` when nothing matches; ``not_numeric`` when the match
            is no number, or arithmetic in the path fails.
        """
        try:
            value = self._find(document)
        except Exception as error:  # noqa: BLE001  jsonpath-ng raises anything on odd documents
            raise MeterError(
                "not_numeric", f"{self.text} does not work on what the device sent ({error})"
            ) from None
        if value is _NOTHING:
            raise MeterError("missing_field", f"nothing at {self.text}")
        return as_number(value, self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonPath) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"JsonPath({self.text!r})"


def json_path() -> Kind[JsonPath]:
    """The kind of an option that holds one path; commas belong to it."""
    return Kind(JsonPath, "JSON path", lambda path: path.text, inline_comments=False)


def json_paths() -> Kind[tuple[JsonPath, ...]]:
    """The kind of an option that holds comma-separated paths, one a phase."""

    def parse(raw: str) -> tuple[JsonPath, ...]:
        return tuple(map(JsonPath, split_paths(raw)))

    def render(paths: tuple[JsonPath, ...]) -> str:
        return ", ".join(path.text for path in paths)

    return Kind(parse, "comma-separated list of JSON paths", render, inline_comments=False)


def as_number(value: object, where: str) -> float:
    """FLOAT conversion (meters.md section 1.1), refusing NaN and infinity.

    Takes numbers and numeric texts; ``true`` is 1.

    :raises MeterError: ``not_numeric``; the text starts with ``where``.
    """
    if isinstance(value, (int, float, str)):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        except OverflowError:
            number = value = math.inf
        if math.isfinite(number):
            return number
    raise MeterError("not_numeric", f"{where} is {_shown(value)}, not a number")


def value_at(document: object, *steps: Step) -> object:
    """The value found by walking down ``steps``, for parsers that know their document.

    :raises MeterError: ``missing_field`` when a name or an index does not exist;
        ``bad_structure`` when there is no object or list to look into.
    """
    value = document
    for i, step in enumerate(steps):
        if not isinstance(value, dict if isinstance(step, str) else list):
            wanted = "an object" if isinstance(step, str) else "a list"
            where = _path_of(steps[:i]) if i else "the answer"
            raise MeterError("bad_structure", f"{where} is {_shown(value)}, not {wanted}")
        value = _walk((step,), value)
        if value is _NOTHING:
            raise MeterError("missing_field", f"nothing at {_path_of(steps[: i + 1])}")
    return value


def number_at(document: object, *steps: Step) -> float:
    """The number found by walking down ``steps``; see :func:`value_at` and :func:`as_number`."""
    return as_number(value_at(document, *steps), _path_of(steps))


def _plain_steps(text: str) -> tuple[Step, ...] | None:
    """The steps of a path that only walks down; None when it needs jsonpath-ng."""
    if not _PLAIN.match(text):
        return None
    steps: list[Step] = []
    for index, quoted, name in _STEP.findall(text):
        if name in _KEYWORDS:
            return None
        steps.append(int(index) if index else quoted[1:-1] or name)
    return tuple(steps)


def _walk(steps: tuple[Step, ...], document: object) -> object:
    value = document
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return _NOTHING
            value = value[step]
        else:
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return _NOTHING
            value = value[step]
    return value


def _compile(text: str) -> Callable[[object], object]:
    from jsonpath_ng.ext.parser import parse  # noqa: PLC0415  costs memory that few files need

    try:
        expression = parse(text)
    except Exception as error:  # noqa: BLE001  its functions raise whatever they like
        raise ValueError(f"{text!r} is no JSON path ({error}); {_EXAMPLES}") from None

    def find(document: object) -> object:
        matches = expression.find(document)
        return matches[0].value if matches else _NOTHING

    return find


def _path_of(steps: tuple[Step, ...]) -> str:
    path = "$"
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if re.fullmatch(_NAME, step) else f"[{step!r}]"
    return path


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
