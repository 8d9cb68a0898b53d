"""What the tests of the CT emulation stand on."""

from __future__ import annotations

from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from astrameter.meters.interface import IMeter
from astrameter.reading import MeterError, Sample, sample_of


class FakeTransport:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, tuple[str, int]]] = []

    def write(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.written.append((datagram, addr))


@implementer(IMeter)
class ScriptedMeter(service.Service):
    """A meter whose next readings the test decides."""

    online: bool | None = None

    def __init__(self, clock: Clock, section: str = "METER") -> None:
        self.section = section
        self.reads = 0
        self.delay: list[Deferred[Sample]] | None = None
        self._clock = clock
        self._next: Any = [0.0]

    def script(self, watts: Any) -> None:
        """What the next reads bring: a list of watts, or ``error``."""
        self._next = watts

    def hold_back(self) -> list[Deferred[Sample]]:
        """From now on reads wait; the test fires the Deferreds in the returned list."""
        self.delay = []
        return self.delay

    def read(self) -> Deferred[Sample]:
        self.reads += 1
        if self.delay is not None:
            waiting: Deferred[Sample] = Deferred()
            self.delay.append(waiting)
            return waiting
        if self._next == "error":
            return fail(MeterError("connect", "the meter is away"))
        try:
            return succeed(sample_of([float(w) for w in self._next], self._clock.seconds()))
        except MeterError:
            return fail()

    def first_sample(self, timeout_s: float) -> Deferred[None]:
        return succeed(None)

    def next_sample(self, timeout_s: float) -> Deferred[None]:
        return succeed(None)
