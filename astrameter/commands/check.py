"""``check``: everything that is wrong with a configuration, without running anything."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from astrameter.config import Overrides, load_file
from astrameter.meters.interface import MeterKind
from astrameter.problems import ConfigError, Problem


def run(
    path: str | os.PathLike[str],
    out: TextIO,
    *,
    as_json: bool = False,
    overrides: Overrides | None = None,
    extra_kinds: Sequence[MeterKind[Any]] = (),
) -> int:
    """Write every problem and warning of a file to ``out``, then how many there are.

    :param as_json: one object a line instead, and no count: ``level`` (``problem`` or
        ``warning``), ``file``, ``line``, ``section``, ``key``, ``value``, ``message``.
    :return: 0 when the file can be used, with or without warnings; else 1.
    """
    problems: tuple[Problem, ...] = ()
    try:
        warnings = load_file(path, overrides, extra_kinds).warnings
    except ConfigError as error:
        problems, warnings = error.problems, error.warnings
    if as_json:
        write_json(out, "problem", problems)
        write_json(out, "warning", warnings)
    else:
        for problem in problems:
            out.write(f"{problem}\n")
        for warning in warnings:
            out.write(f"warning: {warning}\n")
        counts = f"{_counted(len(problems), 'problem')}, {_counted(len(warnings), 'warning')}"
        out.write(f"{os.fspath(path)}: {counts}\n")
    return 1 if problems else 0


def write_json(out: TextIO, level: str, problems: Iterable[Problem]) -> None:
    """Write problems as one JSON object a line."""
    for problem in problems:
        out.write(json.dumps({"level": level, **dataclasses.asdict(problem)}) + "\n")


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
