"""What Home Assistant's compressed states say about our entities (meters.md section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twisted.logger import Logger

from astrameter.deferreds import Clock
from astrameter.meters.jsonpaths import as_number
from astrameter.meters.websocket import Complaints
from astrameter.reading import MeterError, Sample, sample_of


class Entity:
    """One sensor, as far as we know it.

    :ivar value: watts; None while it has none.
    :ivar at: when that arrived, monotonic seconds.
    :ivar heard: Home Assistant has said something about it in this connection.
    :ivar absence: why there is no value, for the owner.
    """

    _log = Logger()

    def __init__(self, section: str, name: str, clock: Clock) -> None:
        self.name = name
        self.value: float | None = None
        self.at = 0.0
        self.heard = False
        self.absence = ""
        self._section = section
        self._clock = clock
        self._complaints = Complaints(clock)
        self.forget()

    def forget(self) -> None:
        """Nothing is known of it."""
        self.value = None
        self.heard = False
        self.absence = f"Home Assistant has not said anything about {self.name} yet"

    def removed(self) -> None:
        """Home Assistant has it no more."""
        self.value = None
        self.heard = True
        self.absence = f"Home Assistant does not have {self.name} any more"

    def repeated(self) -> bool:
        """Its state was reported again; whether it has one that counts."""
        self.at = self._clock.seconds()
        return self.value is not None

    def take(self, state: object) -> bool:
        """It has a new state; whether that is something to wake up for: null is not."""
        self.heard = True
        self.at = self._clock.seconds()
        try:
            number = as_number(state, self.name)
            self.value = sample_of((number,), self.at).watts[0]
        except MeterError as error:
            self.value = None
            self.absence = str(error)
            if self._complaints.bad():
                self._log.warn(
                    "[{section}] no reading: {error}", section=self._section, error=str(error)
                )
            return state is not None
        if self._complaints.good():
            self._log.info(
                "[{section}] {entity} is a number again", section=self._section, entity=self.name
            )
        return True


class States:
    """The entities, and the reading they make.

    :ivar entities: all that are followed, by alphabet.
    """

    def __init__(self, section: str, pairs: Sequence[tuple[str, str | None]], clock: Clock) -> None:
        """:param pairs: for each entry of the reading what to add, and what to subtract if any."""
        names = sorted({name for pair in pairs for name in pair if name is not None})
        self._by_name = {name: Entity(section, name, clock) for name in names}
        self._pairs = [
            (self._by_name[plus], None if minus is None else self._by_name[minus])
            for plus, minus in pairs
        ]
        self.entities = tuple(self._by_name.values())

    def forget(self) -> None:
        """Nothing is known of any of them."""
        for entity in self.entities:
            entity.forget()

    def apply(self, event: object) -> bool:
        """Take in an event: ``a`` added, ``c`` changed, ``r`` removed.

        Says whether that is something to wake up for; what makes no sense is passed over.
        """
        if not isinstance(event, dict):
            return False
        news = False
        for entity, state in self._followed(event.get("a")):
            if "s" in state:
                news |= entity.take(state["s"])
        for entity, change in self._followed(event.get("c")):
            new = change.get("+")
            if not isinstance(new, dict):
                continue
            if "s" in new:
                news |= entity.take(new["s"])
            elif "lu" in new or "lc" in new:
                news |= entity.repeated()
        removed = event.get("r")
        for name in removed if isinstance(removed, list) else ():
            if isinstance(name, str) and name in self._by_name:
                self._by_name[name].removed()
        return news

    def reading(self) -> Sample | None:
        """All values, as old as the oldest of them; None while one is missing."""
        watts = []
        for plus, minus in self._pairs:
            subtracted = 0.0 if minus is None else minus.value
            if plus.value is None or subtracted is None:
                return None
            watts.append(plus.value - subtracted)
        try:
            return sample_of(watts, min(entity.at for entity in self.entities))
        except MeterError:
            return None

    def absence(self) -> str:
        """Why there is no reading, for the owner."""
        missing = (entity.absence for entity in self.entities if entity.value is None)
        return next(missing, "what the sensors say does not make a power")

    def _followed(self, states: object) -> Iterator[tuple[Entity, dict[str, Any]]]:
        for name, state in states.items() if isinstance(states, dict) else ():
            entity = self._by_name.get(name)
            if entity is not None and isinstance(state, dict):
                yield entity, state
