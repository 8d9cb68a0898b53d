"""System events of a reactor: functions to call before, during and after (IReactorCore)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

PHASES = ("before", "during", "after")


@dataclass(eq=False, slots=True)
class Trigger:
    """One function to call; also the handle to take it back."""

    phase: str
    event: str
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Triggers:
    """The triggers of one reactor; each is called once."""

    def __init__(self, note_error: Callable[..., None]) -> None:
        self._triggers: list[Trigger] = []
        self._note_error = note_error

    def add(self, trigger: Trigger) -> Trigger:
        """Add a trigger.

        :raises KeyError: when the phase is none of before, during, after.
        """
        if trigger.phase not in PHASES:
            raise KeyError(f"{trigger.phase} is not one of {', '.join(PHASES)}")
        self._triggers.append(trigger)
        return trigger

    def remove(self, trigger: Trigger) -> None:
        """Take a trigger back.

        :raises ValueError: when it is not there (any more).
        """
        self._triggers.remove(trigger)

    def clear(self) -> None:
        self._triggers.clear()

    def fire(self, event: str) -> None:
        """Call the triggers of an event; Deferreds of the first phase hold up the others."""
        waiting = [d for d in self._call(event, "before") if isinstance(d, Deferred)]
        for deferred in waiting:
            deferred.addErrback(self._note_error)
        DeferredList(waiting).addCallback(self._go_on, event)

    def _go_on(self, _results: object, event: str) -> None:
        self._call(event, "during")
        self._call(event, "after")

    def _call(self, event: str, phase: str) -> list[Any]:
        results = []
        while trigger := self._first(event, phase):
            self._triggers.remove(trigger)
            try:
                results.append(trigger.func(*trigger.args, **trigger.kwargs))
            except Exception:  # noqa: BLE001  one trigger must not keep the others from running
                self._note_error()
        return results

    def _first(self, event: str, phase: str) -> Trigger | None:
        return next((t for t in self._triggers if (t.event, t.phase) == (event, phase)), None)
