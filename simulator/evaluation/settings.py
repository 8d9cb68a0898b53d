"""``--set KEY=VALUE``: options of the CT section for an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from astrameter.ct.failsafe import FailsafeOptions
from astrameter.ct.options import CtOptions
from astrameter.options import Option, options_of
from astrameter.steering.options import SteeringOptions

_ALSO = frozenset({"ANSWER_STYLE", "CONSUMER_TTL"})


class SettingsError(ValueError):
    """An option that does not exist, or a value that it does not take."""


def parsed(texts: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What the texts set, by attribute, and what is worth a warning.

    :raises SettingsError: with all that is wrong, one line each.
    """
    declared = (*options_of(SteeringOptions), *options_of(FailsafeOptions))
    also = (option for option in options_of(CtOptions) if option.key in _ALSO)
    known = {option.key: option for option in (*declared, *also)}
    found: dict[str, Any] = {}
    warnings: list[str] = []
    wrong: list[str] = []
    for text in texts:
        key, equals, raw = text.partition("=")
        option = known.get(key.strip().upper())
        if not equals:
            wrong.append(f"--set expects KEY=VALUE, got {text!r}")
        elif option is None:
            wrong.append(_unknown(key.strip(), known))
        else:
            try:
                given = option.kind.parse(raw.strip())
            except ValueError as error:
                wrong.append(f"--set {option.key}={raw.strip()}: {error}")
                continue
            taken = option.kind.clamp(given) if option.kind.clamp else given
            found[option.attribute] = taken
            warnings += _warnings(option, given, taken)
    if wrong:
        raise SettingsError("\n".join(wrong))
    return found, warnings


def _unknown(key: str, known: dict[str, Option]) -> str:
    close = get_close_matches(key.upper(), known, 1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
    return f"--set {key}: no such steering option{hint}"


def _warnings(option: Option, given: Any, taken: Any) -> list[str]:
    if option.no_effect:
        return [f"{option.key} has no effect: {option.no_effect}"]
    return [] if taken == given else [f"{option.key}={given} is taken as {taken}"]
