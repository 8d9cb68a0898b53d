"""``show-config``: what comes out of a configuration, and where each value is from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from astrameter.commands.check import write_json
from astrameter.config import ConfiguredSection, Origin, Overrides, Setting, Settings, load_file
from astrameter.meters.interface import MeterKind
from astrameter.problems import ConfigError

_ORIGIN_COLUMN = 44


def run(
    path: str | os.PathLike[str],
    out: TextIO,
    *,
    as_json: bool = False,
    overrides: Overrides | None = None,
    extra_kinds: Sequence[MeterKind[Any]] = (),
) -> int:
    """Write every section and key that counts to ``out``; secrets as ``***``.

    The text has the form of a configuration file, each value with a comment that tells where
    it is from. Keys without effect appear only where the file sets them.

    :param as_json: one object a line instead: ``section``, ``key``, ``value`` (as text),
        ``origin`` (``file``, ``general``, ``default`` or ``command line``), ``line`` (or null).
    :return: 0; or 1 when the file cannot be used, and then the problems are written.
    """
    try:
        settings = load_file(path, overrides, extra_kinds)
    except ConfigError as error:
        if as_json:
            write_json(out, "problem", error.problems)
        else:
            out.writelines(f"{problem}\n" for problem in error.problems)
        return 1
    lines = _json_lines(settings) if as_json else _text_lines(settings)
    out.writelines(f"{line}\n" for line in lines)
    return 0


def _text_lines(settings: Settings) -> Iterator[str]:
    for number, section in enumerate(settings.sections):
        if number:
            yield ""
        yield f"[{section.name}]"
        for setting in _visible(section):
            origin = _origin(settings.file, setting)
            first, *rest = f"{setting.option.key} = {setting.text}".rstrip().split("\n")
            yield f"{first:<{_ORIGIN_COLUMN}} # {origin}"
            yield from (f"    {line}" for line in rest)


def _json_lines(settings: Settings) -> Iterator[str]:
    for section in settings.sections:
        for setting in _visible(section):
            yield json.dumps(
                {
                    "section": section.name,
                    "key": setting.option.key,
                    "value": setting.text,
                    "origin": setting.origin.value,
                    "line": setting.line or None,
                }
            )


def _visible(section: ConfiguredSection) -> Iterator[Setting]:
    for setting in section.settings:
        if not setting.option.no_effect or setting.origin is not Origin.DEFAULT:
            yield setting


def _origin(file: str, setting: Setting) -> str:
    if setting.origin in (Origin.DEFAULT, Origin.COMMAND_LINE):
        text = setting.origin.value
    elif setting.origin is Origin.GENERAL:
        text = f"{file}:{setting.line} [GENERAL]"
    else:
        text = f"{file}:{setting.line}"
    return f"{text}, no effect" if setting.option.no_effect else text
