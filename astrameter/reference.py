"""The documentation that follows from the declarations of the options.

``python -m astrameter.reference [directory]`` writes ``docs/reference/configuration.md`` and the
commented example ``etc/astrameter/config.ini`` below the directory (``make docs``).
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from astrameter.ct.options import CT002, CT003
from astrameter.general import GENERAL
from astrameter.meters import discovery
from astrameter.meters.options import MeterOptions
from astrameter.options import Option, Section, options_of
from astrameter.sections import PARTS

REFERENCE_PATH = Path("docs/reference/configuration.md")
EXAMPLE_PATH = Path("etc/astrameter/config.ini")

EXAMPLE_METER = "JSON_HTTP"
"""The meter that the example configuration reads; all others are commented out."""

_SHARED = options_of(MeterOptions)
_WIDTH = 98
_NOT_SET = "not set"

_INTRODUCTION = """\
# Configuration reference

<!-- Written by `make docs` from the declarations in the code. Do not edit. -->

`astrameter check` lists everything that is wrong with a file, `astrameter show-config` what
comes out of it.

* Names of sections are case-sensitive, names of keys are not.
* `KEY = value` or `KEY: value`. An indented line continues the value above it.
* Lines that begin with `#` or `;` are comments. After a number, a yes/no or a choice, ` # ...`
  and ` ; ...` are comments too; after a text they belong to the text.
* Quotes belong to the value. Nothing is interpolated: `%` and `$` are themselves.
* A key in `[DEFAULT]` counts in every section of the file that does not set it.
* An *inherited* key that a section does not set has the value of `[GENERAL]`.
* The value of a *secret* key is shown nowhere.
* The file is UTF-8 and at most 1 MiB long.
"""

_EXAMPLE_INTRODUCTION = """\
AstraMeter: every setting, with what it is when you leave it out. To change a setting, take the # \
away in front of its name. Written by "make docs" from the declarations in the code; the same in \
tables is in docs/reference/configuration.md. "astrameter check" tells what is wrong with a file.\
"""


def reference() -> str:
    """The text of ``docs/reference/configuration.md``."""
    parts = [_INTRODUCTION]
    for section in (GENERAL, CT002):
        parts += [f"## [{section.name}]\n", section.help + "\n"]
        parts += _keys(_options(section))
    parts += [f"## [{CT003.name}]\n", f"{CT003.help} The keys are those of `[CT002]`.\n"]
    for section in PARTS:
        parts += [f"## [{section.name}]\n", section.help + "\n", *_keys(_options(section))]
    parts.append(
        "## Meters\n\nA section whose name begins with the name of a kind of meter is a meter: "
        "`[MQTT]`, `[MQTT_GARAGE]`. The order of the meters in the file decides who serves a "
        "battery that several of them match.\n"
    )
    parts += ["### Keys of every meter\n", *_keys(list(_SHARED))]
    for kind in discovery.all_kinds():
        parts += [f"### [{kind.section.name}]\n", kind.section.help + "\n"]
        parts += _keys(_own(kind.section))
    return "\n".join(parts)


def example() -> str:
    """The text of ``etc/astrameter/config.ini``: loads as it stands, without a warning."""
    lines = [*_comment(_EXAMPLE_INTRODUCTION), ""]
    for section in (GENERAL, CT002):
        lines += _example_section(section, _options(section), section.example)
    lines += [*_comment(CT003.help), f"#[{CT003.name}]", "#UDP_PORT = 12346", ""]
    for section in PARTS:
        lines += _example_section(section, _options(section), {})
    kinds = {kind.section.name: kind.section for kind in discovery.all_kinds()}
    live = kinds.pop(EXAMPLE_METER, None)
    if live is not None:
        lines += _example_section(live, [*_own(live), *_SHARED], live.example)
    for section in kinds.values():
        lines += _example_section(section, _own(section), {})
        shared = ", ".join(option.key for option in _SHARED)
        lines += [*_comment(f"Besides, as in [{EXAMPLE_METER}]: {shared}."), ""]
    return "\n".join(lines[:-1]) + "\n"


def write(root: Path) -> None:
    """Write both files below ``root``."""
    for path, text in ((REFERENCE_PATH, reference()), (EXAMPLE_PATH, example())):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


# --------------------------------------------------------------------------------- reference


def _keys(options: Sequence[Option]) -> Iterator[str]:
    """The table of some options, then the ones without effect in a few words."""
    working = [option for option in options if not option.no_effect]
    if working:
        rows = ["| Key | Type | Unit | Default | | Meaning |", "|---|---|---|---|---|---|"]
        yield "\n".join([*rows, *map(_row, working)]) + "\n"
    obsolete: dict[str, list[str]] = {}
    for option in options:
        if option.no_effect:
            obsolete.setdefault(option.no_effect, []).append(f"`{option.key}`")
    if obsolete:
        yield "Accepted from AstraMeter 2.x files and without effect:\n"
        yield "\n".join(f"* {', '.join(keys)}: {why}." for why, keys in obsolete.items()) + "\n"


def _row(option: Option) -> str:
    default = option.render(option.default)
    marks = {"required": option.required, "secret": option.secret, "inherited": option.inherited}
    cells = (
        f"`{option.key}`",
        option.kind.describe,
        option.unit,
        f"`{default}`" if default else _NOT_SET,
        ", ".join(mark for mark, holds in marks.items() if holds),
        option.help,
    )
    escaped = (" ".join(cell.split()).replace("|", "\\|").replace("<", "\\<") for cell in cells)
    return f"| {' | '.join(escaped)} |"


# ----------------------------------------------------------------------------------- example


def _example_section(
    section: Section[Any], options: Iterable[Option], live: Mapping[str, str]
) -> Iterator[str]:
    yield from _comment(section.help)
    yield f"[{section.name}]" if live else f"#[{section.name}]"
    for option in options:
        if option.no_effect:
            continue
        yield ""
        yield from _comment(_with_default(option))
        if option.key in live:
            yield f"{option.key} = {live[option.key]}"
        else:
            shown = section.example.get(option.key) or option.example
            yield f"#{option.key} = {shown or option.render(option.default)}".rstrip()
    yield ""


def _with_default(option: Option) -> str:
    if option.required:
        return f"{option.help} Required."
    default = option.render(option.default) or _NOT_SET
    if option.unit and default != _NOT_SET:
        default = f"{default} {option.unit}"
    where = " or as in [GENERAL]" if option.inherited else ""
    return f"{option.help} Default: {default}{where}."


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_long_words=False)]


# ------------------------------------------------------------------------------------ shared


def _options(section: Section[Any]) -> list[Option]:
    """The options of a section that is no meter; [GENERAL] inherits from nobody."""
    options = options_of(section.options)
    if section is GENERAL:
        return [replace(option, inherited=False) for option in options]
    return list(options)


def _own(section: Section[Any]) -> list[Option]:
    """What a kind of meter has besides, or declares otherwise than, every other."""
    return [option for option in options_of(section.options) if option not in _SHARED]


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
