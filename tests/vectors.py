"""Conformance vectors as data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "vectors"


@cache
def load(name: str) -> Any:
    """The parsed vector file ``name`` (without ``.json``)."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def each(cases: list[dict[str, Any]]) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a method to make one test of it for every case, named after the case.

    The method may return a Deferred, in a ``TestCase``.
    """

    def decorate(check: Callable[..., Any]) -> Any:
        return _Each(check, cases)

    return decorate


class _Each:
    def __init__(self, check: Callable[..., Any], cases: list[dict[str, Any]]) -> None:
        self._check = check
        self._cases = cases

    def __set_name__(self, owner: type, name: str) -> None:
        delattr(owner, name)
        for case in self._cases:
            label = re.sub(r"\W", "_", str(case.get("name") or case.get("id")))
            test = _bind(self._check, case)
            test.__name__ = f"test_{name}__{label}"
            setattr(owner, test.__name__, test)


def _bind(check: Callable[..., Any], case: dict[str, Any]) -> Callable[[Any], Any]:
    def test(self: Any) -> Any:
        return check(self, case)

    return test
