"""How one configuration option is declared: once, beside the code that uses it.

A section of the configuration file is a frozen dataclass; each field is one option::

    @dataclass(frozen=True)
    class Options:
        url: str = option(text(), required=True, help="Complete address of the JSON document.")
        timeout_s: float = option(number(0.1, 60), key="TIMEOUT", default=2.0, unit="s", help=...)

    SECTION = Section("JSON_HTTP", Options, help="Any device that serves JSON over HTTP.")

Everything else is derived: loading and validation (:mod:`astrameter.config`), the commented
example and the reference (:mod:`astrameter.reference`), and later the editor's form.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741  the options of one section

_METADATA = "astrameter.option"
_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """The type of an option's value.

    :ivar parse: text of the file to value; raises ValueError whose text says what is wanted,
        in the form "... is 1..65535", because it follows "KEY = value: ".
    :ivar describe: the type in a few words for the reference ("integer 0..65535").
    :ivar render: value to the text a file would hold.
    :ivar inline_comments: whether `` # ...`` and `` ; ...`` after the value are a comment.
        Only where no value can contain them: passwords and commands may (filters.md 15).
    :ivar clamp: an out-of-range number is brought into range instead of refused.
    :ivar choices: the words allowed, for editors; empty when free.
    """

    parse: Callable[[str], T]
    describe: str
    render: Callable[[T], str] = str
    inline_comments: bool = True
    clamp: Callable[[T], T] | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """One configuration key, as declared.

    :ivar inherited: a section that does not set it takes the value of ``[GENERAL]``.
    :ivar no_effect: why the key is accepted but does nothing (keys of AstraMeter 2.x that
        our design does not need); empty for a working key.
    :ivar example: what the example file shows when the default says too little.
    """

    attribute: str
    key: str
    kind: Kind[Any]
    default: Any
    help: str
    unit: str = ""
    required: bool = False
    secret: bool = False
    inherited: bool = False
    no_effect: str = ""
    example: str = ""

    def render(self, value: Any) -> str:
        """The text of a file for ``value``; empty for None, which means "not set"."""
        return "" if value is None else self.kind.render(value)


def option(
    kind: Kind[T],
    *,
    help: str,  # noqa: A002  it is what it is
    default: Any = None,
    key: str = "",
    unit: str = "",
    required: bool = False,
    secret: bool = False,
    inherited: bool = False,
    no_effect: str = "",
    example: str = "",
) -> Any:
    """Declare a dataclass field as one option; ``key`` defaults to the field's name in capitals."""
    declared = Option(
        "", key, kind, default, help, unit, required, secret, inherited, no_effect, example
    )
    return field(default=default, metadata={_METADATA: declared})


@dataclass(frozen=True)
class Section(Generic[O]):
    """One section of the configuration file.

    :ivar name: as written in the file (``GENERAL``, ``CT002``, ``JSON_HTTP``).
    :ivar options: the dataclass with the options.
    :ivar help: one or two sentences for the reference.
    :ivar many: any number of sections whose names start with ``name`` may exist.
    :ivar example: keys shown un-commented in the example file.
    :ivar check: findings about options that do not fit together, as (key, what is wrong).
    """

    name: str
    options: type[O]
    help: str
    many: bool = False
    example: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[O], Iterable[tuple[str, str]]] = lambda _options: ()


def options_of(declared: type[Any]) -> tuple[Option, ...]:
    """All options of a dataclass, in the order of declaration."""
    found = []
    for one in dataclasses.fields(declared):
        meta = one.metadata.get(_METADATA)
        if meta is not None:
            key = meta.key or one.name.upper()
            found.append(dataclasses.replace(meta, attribute=one.name, key=key))
    return tuple(found)


# ---------------------------------------------------------------------------------- the kinds


def text() -> Kind[str]:
    """Text as written; outer blanks are trimmed, quotes are kept (filters.md section 14)."""
    return Kind(str, "text", inline_comments=False)


def boolean() -> Kind[bool]:
    def parse(raw: str) -> bool:
        word = raw.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError("write yes or no (also 1/0, true/false, on/off)")

    return Kind(parse, "yes or no", lambda value: "yes" if value else "no")


def integer(low: int | None = None, high: int | None = None, *, clamp: bool = False) -> Kind[int]:
    """A decimal integer; with ``clamp`` a value outside the range is brought into it."""
    wanted = f"a whole number{_range_text(low, high)}"

    def parse(raw: str) -> int:
        if not _INTEGER.match(raw):
            raise ValueError(f"this is {wanted}")
        return _within(int(raw), low, high, wanted, clamp)

    return Kind(parse, wanted.removeprefix("a "), clamp=_clamp(low, high) if clamp else None)


def number(
    low: float | None = None, high: float | None = None, *, clamp: bool = False
) -> Kind[float]:
    """A finite decimal number with a point; with ``clamp`` it is brought into the range."""
    wanted = f"a number{_range_text(low, high)}"

    def parse(raw: str) -> float:
        if "," in raw:
            raise ValueError("write decimals with a point, like 0.5")
        if not _NUMBER.match(raw) or not math.isfinite(float(raw)):
            raise ValueError(f"this is {wanted}")
        return _within(float(raw), low, high, wanted, clamp)

    clamped = _clamp(low, high) if clamp else None
    return Kind(parse, wanted.removeprefix("a "), _plain, clamp=clamped)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same kind, whose default is "not set" (None)."""

    def render(value: T | None) -> str:
        return "" if value is None else kind.render(value)

    def clamp(value: T | None) -> T | None:
        return value if value is None or kind.clamp is None else kind.clamp(value)

    return Kind(kind.parse, kind.describe, render, kind.inline_comments, clamp, kind.choices)


def port() -> Kind[int]:
    """A TCP or UDP port."""

    def parse(raw: str) -> int:
        if not _INTEGER.match(raw) or not 1 <= int(raw) <= 65535:
            raise ValueError("a port is 1..65535")
        return int(raw)

    return Kind(parse, "port 1..65535")


def choice(*words: str, ignore_case: bool = True) -> Kind[str]:
    """One of ``words``; the value is spelled as declared."""
    spelled = {(word.lower() if ignore_case else word): word for word in words}

    def parse(raw: str) -> str:
        found = spelled.get(raw.lower() if ignore_case else raw)
        if found is None:
            raise ValueError(f"choose one of {', '.join(words)}")
        return found

    return Kind(parse, f"one of {', '.join(words)}", choices=words)


def words_of(*words: str) -> Kind[tuple[str, ...]]:
    """A comma-separated list of case-sensitive words; empty items are dropped."""

    def parse(raw: str) -> tuple[str, ...]:
        items = _items(raw)
        for item in items:
            if item not in words:
                raise ValueError(f"{item!r} is unknown; choose from {', '.join(words)}")
        return items

    return Kind(parse, f"list of {', '.join(words)}", ", ".join, choices=words)


def items() -> Kind[tuple[str, ...]]:
    """A comma-separated list of texts; blanks around items and empty items are dropped."""
    return Kind(_items, "comma-separated list", ", ".join, inline_comments=False)


def numbers() -> Kind[tuple[float, ...]]:
    """A comma-separated list of numbers, one a phase; empty items are dropped."""
    one = number()

    def parse(raw: str) -> tuple[float, ...]:
        return tuple(one.parse(item) for item in _items(raw))

    def render(values: Sequence[float]) -> str:
        return ", ".join(map(_plain, values))

    return Kind(parse, "comma-separated list of numbers", render)


def networks() -> Kind[tuple[ipaddress.IPv4Network, ...]]:
    """A comma-separated list of IPv4 networks; an address alone is a /32 (filters.md 11)."""

    def parse(raw: str) -> tuple[ipaddress.IPv4Network, ...]:
        found = []
        for item in raw.split(","):
            try:
                found.append(ipaddress.IPv4Network(item.strip()))
            except ValueError as error:
                raise ValueError(
                    f"{item.strip()!r} is no IPv4 network like 192.168.1.0/24 ({error})"
                ) from None
        return tuple(found)

    def render(values: Sequence[ipaddress.IPv4Network]) -> str:
        return ", ".join(map(str, values))

    return Kind(parse, "comma-separated list of IPv4 networks", render)


def _items(raw: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def _plain(value: float) -> str:
    """The shortest text for this very number, but ``2`` for 2.0."""
    return repr(float(value)).removesuffix(".0")


def _range_text(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" of at least {low:g}"
    if low is None:
        return f" of at most {high:g}"
    return f" {low:g}..{high:g}"


N = TypeVar("N", int, float)


def _clamp(low: N | None, high: N | None) -> Callable[[N], N]:
    def clamp(value: N) -> N:
        if low is not None and value < low:
            return low
        if high is not None and value > high:
            return high
        return value

    return clamp


def _within(value: N, low: N | None, high: N | None, wanted: str, clamp: bool) -> N:
    if not clamp and _clamp(low, high)(value) != value:
        raise ValueError(f"this is {wanted}")
    return value
