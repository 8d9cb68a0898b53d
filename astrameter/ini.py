"""An INI file as a lossless document: what it says, on which line, and edits that touch no more.

The dialect is that of the predecessor, which is ``configparser.RawConfigParser`` with strict
duplicates (filters.md section 15): ``=`` or ``:``, comments on lines of their own (``#`` or
``;``), indented continuation lines, ``[DEFAULT]``, keys without and sections with regard to
case, no inline comments, no interpolation. ``configparser`` itself stops at the first mistake
and forgets comments and line numbers; it is the oracle of our tests instead.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT = "DEFAULT"
"""The section whose keys appear in every other section of the file."""

MAX_CHARACTERS = 1 << 20
"""Longer files are refused; the largest real ones have some ten thousand characters."""

TOO_LARGE = "this file is larger than 1 MiB, so it is hardly a configuration"

MAX_FAULTS = 100
"""A file that is no INI file at all has one in each line; nobody reads more than these."""

_BOM = "\ufeff"
_COMMENT = ("#", ";")
_HEADER = re.compile(r"\[(.+)\]")
_DELIMITER = re.compile("[=:]")
_UP_TO_VALUE = re.compile(r"(\s*)(.*?)(\s*[=:]\s*)")
_LINE_END = re.compile(r"(\r\n|\r|\n)\Z")


class EditError(ValueError):
    """The edit cannot be written into this file; the text says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not INI, and how to mend it. Line 0 is the file as a whole."""

    line: int
    section: str
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with its value.

    :ivar section: the section it stands in; :data:`DEFAULT` where another one borrows it.
    :ivar key: as written.
    :ivar value: blanks trimmed, continuation lines joined by newlines.
    :ivar line: where it begins, from 1.
    :ivar last_line: where its last continuation line stands.
    """

    section: str
    key: str
    value: str
    line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the keys below it, by lower-case name in file order."""

    name: str
    line: int
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A parsed file. Edits return a new document; no document ever changes.

    :ivar lines: the text, each line with its end.
    :ivar blocks: every header of the file in order. Only [DEFAULT] may occur twice.
    :ivar faults: what is wrong; a document with faults cannot be edited.
    """

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]
    faults: tuple[Fault, ...]

    def render(self) -> str:
        """The text of the file, byte for byte where nothing was edited."""
        return "".join(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """The sections in file order, without [DEFAULT] and without repetition."""
        return tuple(dict.fromkeys(b.name for b in self.blocks if b.name not in (DEFAULT, "")))

    def line_of(self, section: str) -> int:
        """The line of a section's header; 0 when there is none."""
        blocks = self._index.get(section)
        return blocks[0].line if blocks else 0

    def own_entries(self, section: str) -> dict[str, Entry]:
        """The keys written in a section itself, by lower-case name."""
        found: dict[str, Entry] = {}
        for block in self._index.get(section, ()):
            for key, entry in block.entries.items():
                found.setdefault(key, entry)
        return found

    def entries(self, section: str) -> dict[str, Entry]:
        """The keys that count in a section: its own, then those of [DEFAULT].

        Empty when the section is not in the file, whatever [DEFAULT] says.
        """
        if not self.line_of(section):
            return {}
        return {**self.own_entries(DEFAULT), **self.own_entries(section)}

    def set(self, section: str, key: str, value: str) -> Document:
        """Give a key of an existing section a value.

        A known key changes in place and keeps its spelling and delimiter, a new one goes below
        the last key of the section. Nothing is touched when the value is the same already.

        :raises EditError: when the value has blanks at the ends of its lines, or the file
            cannot hold it.
        """
        _check_key(key)
        _check_value(value)
        blocks = self._editable(section)
        entry = self.own_entries(section).get(key.lower())
        if entry is None:
            edited = self._with_new(blocks[-1], key, value)
        elif entry.value == value:
            return self
        else:
            edited = self._with_changed(entry, value)
        content = self._content()
        content[section][key.lower()] = value
        return _verified(edited, content)

    def remove(self, section: str, key: str) -> Document:
        """Take a key out with its continuation lines.

        :raises EditError: when the section does not have it.
        """
        self._editable(section)
        entry = self.own_entries(section).get(key.lower())
        if entry is None:
            raise EditError(f"[{section}] has no key {key}")
        content = self._content()
        del content[section][key.lower()]
        return _verified(self._spliced(entry.line - 1, entry.last_line, ()), content)

    def add_section(self, name: str) -> Document:
        """Append an empty section.

        :raises EditError: when there is one, or the name cannot be written.
        """
        if not name or name != name.strip() or _unprintable(name) or "]" in name:
            raise EditError(f"{name!r} cannot be the name of a section")
        if self.line_of(name):
            raise EditError(f"there is a section [{name}] already")
        self._refuse_faults()
        blank = () if not self.lines or not self.lines[-1].strip() else ("",)
        added = self._spliced(len(self.lines), len(self.lines), (*blank, f"[{name}]"))
        return _verified(added, {**self._content(), name: {}})

    def remove_section(self, name: str) -> Document:
        """Take a section out with its keys and comments.

        Comments that stand directly above the next header introduce that one, and stay.

        :raises EditError: when there is no such section.
        """
        content = self._content()
        document = self
        for block in reversed(self._editable(name)):
            document = _parse(document._spliced(block.line - 1, document._end_of(block), ()))
        del content[name]
        return _verified(document.lines, content)

    @functools.cached_property
    def _index(self) -> dict[str, list[Block]]:
        index: dict[str, list[Block]] = {}
        for block in self.blocks:
            index.setdefault(block.name, []).append(block)
        return index

    def _content(self) -> dict[str, dict[str, str]]:
        return {
            name: {key: entry.value for key, entry in self.own_entries(name).items()}
            for name in self._index
        }

    def _editable(self, section: str) -> list[Block]:
        self._refuse_faults()
        if section not in self._index:
            raise EditError(f"there is no section [{section}]")
        return self._index[section]

    def _refuse_faults(self) -> None:
        if self.faults:
            first = self.faults[0]
            raise EditError(f"mend line {first.line} first: {first.message}")

    def _with_changed(self, entry: Entry, value: str) -> tuple[str, ...]:
        old = self.lines[entry.line - 1 : entry.last_line]
        prefix = _UP_TO_VALUE.match(_LINE_END.sub("", old[0]))
        assert prefix is not None  # it was parsed as "key = value"
        indent, written, delimiter = prefix.groups()
        if delimiter in (" =", " :"):
            delimiter += " "
        comments = [line for line in old[1:] if line.strip().startswith(_COMMENT)]
        lines = [*_value_lines(indent, written + delimiter, value), *map(_without_end, comments)]
        return self._spliced(entry.line - 1, entry.last_line, lines)

    def _with_new(self, block: Block, key: str, value: str) -> tuple[str, ...]:
        delimiter, after = " = ", block.line
        if block.entries:
            sibling = list(block.entries.values())[-1]
            after = sibling.last_line
            match = _UP_TO_VALUE.match(_LINE_END.sub("", self.lines[sibling.line - 1]))
            assert match is not None  # it was parsed as "key = value"
            indent = match[1]
            if match[3] in ("=", ": "):
                delimiter = match[3]
        else:
            # A following header that is indented must not become a continuation of the new key.
            later = [b.line for b in self.blocks if b.line > block.line]
            indent = max((self._indent(line) for line in [block.line, *later[:1]]), key=len)
        return self._spliced(after, after, _value_lines(indent, key + delimiter, value))

    def _indent(self, line: int) -> str:
        text = self.lines[line - 1].removeprefix(_BOM)
        return text[: len(text) - len(text.lstrip())]

    def _end_of(self, block: Block) -> int:
        """How many lines of the file stand before what follows ``block``."""
        end = next((b.line - 1 for b in self.blocks if b.line > block.line), len(self.lines))
        if end == len(self.lines):
            return end
        while end > block.line and self.lines[end - 1].strip().startswith(_COMMENT):
            end -= 1
        return end

    def _spliced(self, start: int, stop: int, new: Sequence[str]) -> tuple[str, ...]:
        """The lines with ``new`` (without line ends) in the place of ``start:stop``."""
        near = self.lines[start : start + 1] if start < stop else self.lines[start - 1 : start]
        ends = (_LINE_END.search(line) for line in (*near, *self.lines[:1]))
        newline = next((end[1] for end in ends if end), "\n")
        before, after = list(self.lines[:start]), self.lines[stop:]
        lines = [text + newline for text in new]
        final = self.lines[-1] if self.lines else "\n"
        if lines and before and not _LINE_END.search(before[-1]):
            before[-1] += newline
        if lines and not after and not _LINE_END.search(final):
            lines[-1] = new[-1]
        if start == 0 and self.lines and self.lines[0].startswith(_BOM):
            rest = [*lines, *after]
            return (_BOM + rest[0], *rest[1:]) if rest else (_BOM,)
        return (*before, *lines, *after)


def parse(text: str) -> Document:
    """Read ``text``; what is wrong with it is in the document's faults. Never raises."""
    if len(text) > MAX_CHARACTERS:
        return Document((text,), (), (Fault(0, "", "", TOO_LARGE),))
    # newline="" splits at CR, LF and CRLF, and at nothing else; str.splitlines knows more.
    return _parse(tuple(io.StringIO(text, newline="")))


def _parse(lines: tuple[str, ...]) -> Document:
    parser = _Parser()
    for number, line in enumerate(lines, 1):
        parser.feed(number, line.removeprefix(_BOM) if number == 1 else line)
    parser.end_value()
    return Document(lines, tuple(parser.blocks), tuple(parser.faults))


class _Parser:
    """Takes the lines one by one; the decisions are those of ``RawConfigParser._read``."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.faults: list[Fault] = []
        self._level = 0
        self._parts: list[str] | None = None  # of the value that may go on
        self._begun: tuple[str, int] | None = None  # its key and line
        self._last_line = 0
        self._stray = False
        self._headers: dict[str, int] = {}
        self._keys: dict[tuple[str, str], int] = {}

    def feed(self, number: int, line: str) -> None:
        stripped = line.strip()
        if stripped.startswith(_COMMENT):
            return
        if not stripped:
            if self._parts is not None:
                self._parts.append("")
            return
        level = len(line) - len(line.lstrip())
        if self._parts is not None and level > self._level:
            self._parts.append(stripped)
            self._last_line = number
            return
        self._level = level
        header = _HEADER.match(stripped)
        if header:
            self._open(header[1], number)
        else:
            self._option(stripped, number)

    def end_value(self) -> None:
        if self._begun is not None and self._parts is not None:
            key, line = self._begun
            value = "\n".join(self._parts).rstrip()
            block = self.blocks[-1]
            block.entries[key.lower()] = Entry(block.name, key, value, line, self._last_line)
        self._begun = self._parts = None

    def _open(self, name: str, number: int) -> None:
        self.end_value()
        self.blocks.append(Block(name, number))
        first = self._headers.setdefault(name, number)
        if first != number and name != DEFAULT:
            self._fault(number, f"line {first} has this section already; merge the two")

    def _option(self, stripped: str, number: int) -> None:
        delimiter = _DELIMITER.search(stripped)
        if stripped.startswith("[") and (delimiter is None or not self.blocks):
            # Go on as if the header were good, so that the keys below are judged in its light.
            self.end_value()
            self.blocks.append(Block(stripped[1:].strip(), number))
            self._fault(number, "a section is written [NAME]")
        elif not self.blocks:
            if not self._stray:
                self._stray = True
                self._fault(number, "this stands before the first section; put [NAME] above it")
        elif delimiter is None:
            self._skip_value()
            self._fault(number, "write KEY = value, or # in front of a comment")
        else:
            self._begin(stripped, delimiter.start(), number)

    def _begin(self, stripped: str, cut: int, number: int) -> None:
        key = stripped[:cut].rstrip()
        self._skip_value()
        if not key:
            self._fault(number, f"the name of the key is missing in front of {stripped[cut]}")
            return
        first = self._keys.setdefault((self.blocks[-1].name, key.lower()), number)
        if first != number:
            self._fault(number, f"line {first} sets it already; keep one of the two", key)
            return
        self._begun, self._last_line = (key, number), number
        self._parts = [stripped[cut + 1 :].strip()]

    def _skip_value(self) -> None:
        """The lines indented below a faulty one belong to it, and are no faults of their own."""
        self.end_value()
        self._parts = []

    def _fault(self, number: int, message: str, key: str = "") -> None:
        if len(self.faults) > MAX_FAULTS:
            return
        if len(self.faults) == MAX_FAULTS:
            message = "this line is wrong, and there may be more; mend the others first"
        section = self.blocks[-1].name if self.blocks else ""
        self.faults.append(Fault(number, section, key, message))


def _verified(lines: tuple[str, ...], content: Mapping[str, Mapping[str, str]]) -> Document:
    """The edited lines as a document, if they say ``content`` and nothing else."""
    document = parse("".join(lines))
    if document.faults or document._content() != content:
        raise EditError("the lines around it are indented so that this edit would change them")
    return document


def _value_lines(indent: str, prefix: str, value: str) -> list[str]:
    first, *rest = value.split("\n")
    head = (indent + prefix + first) if first else (indent + prefix).rstrip()
    return [head, *(f"{indent}    {line}" if line else "" for line in rest)]


def _check_key(key: str) -> None:
    if not key or key != key.strip() or _unprintable(key) or _DELIMITER.search(key):
        raise EditError(f"{key!r} cannot be the name of a key")
    if key.startswith(("[", *_COMMENT)):
        raise EditError(f"the name of a key does not begin with {key[0]}")


def _check_value(value: str) -> None:
    lines = value.split("\n")
    if "\r" in value or any(line != line.strip() for line in lines):
        raise EditError("a value has no blanks at the beginning and end of its lines")
    if len(lines) > 1 and not lines[-1]:
        raise EditError("a value does not end with an empty line")
    if any(line.startswith(_COMMENT) for line in lines[1:]):
        raise EditError("only the first line of a value can begin with # or ;")


def _unprintable(text: str) -> bool:
    return "\n" in text or "\r" in text


def _without_end(line: str) -> str:
    return _LINE_END.sub("", line)
