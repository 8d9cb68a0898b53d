"""What a console asks the person at it: yes or no, or a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

_LONGEST = 10
_TYPED = "0123456789.-+"


class Prompt(Protocol):
    """A question that takes every key until it is answered.

    :ivar done: it is.
    """

    done: bool

    @property
    def text(self) -> str:
        """The question, and what was typed so far."""

    @property
    def keys(self) -> str:
        """How it is answered."""

    def key(self, key: str) -> None: ...


class Confirm:
    """Are you sure? Only ``y`` is a yes."""

    keys = "y yes, any other key no"

    def __init__(self, text: str, confirmed: Callable[[], None], left: Callable[[], None]) -> None:
        """:param left: called when the answer is no."""
        self.text = text
        self.done = False
        self._confirmed = confirmed
        self._left = left

    def key(self, key: str) -> None:
        self.done = True
        if key in ("y", "Y"):
            self._confirmed()
        else:
            self._left()


class Entry:
    """A number, typed digit by digit."""

    keys = "Enter takes it, Esc leaves"

    def __init__(
        self, question: str, entered: Callable[[str], None], left: Callable[[], None]
    ) -> None:
        """:param entered: called with what was typed, never empty."""
        self.done = False
        self._question = question
        self._entered = entered
        self._left = left
        self._typed = ""

    @property
    def text(self) -> str:
        return f"{self._question} {self._typed}_"

    def key(self, key: str) -> None:
        if key in _TYPED and len(self._typed) < _LONGEST:
            self._typed += key
        elif key in ("backspace", "delete", "ctrl h"):
            self._typed = self._typed[:-1]
        elif key == "enter" and self._typed:
            self.done = True
            self._entered(self._typed)
        elif key in ("esc", "q", "enter"):
            self.done = True
            self._left()
