"""Reads the meters again and again, as a battery would make the daemon do."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import CancelledError

from astrameter.appliance import MeterBranch
from astrameter.deferreds import sleep
from astrameter.doctor.meters import Read, Watched
from astrameter.reading import MeterError

READ_EVERY_S = 1.0
"""As often as one battery polls."""

LOOK_EVERY_S = 0.25
"""A meter that pushes costs nothing to look at."""

FIRST_SAMPLE_S = 15.0
"""How long a meter that pushes may take for its first value."""

LEAST_READS = 3
_KEPT_READS = 2000


class MeterWatch:
    """Watches one meter of a running appliance.

    :ivar alone: nobody else reads the meter at present.
    """

    def __init__(self, clock: Any, branch: MeterBranch) -> None:
        self._clock = clock
        self._branch = branch
        self._reads: deque[Read] = deque(maxlen=_KEPT_READS)
        self._times: list[float] = []
        self.alone = True

    async def run(self, until: float) -> None:
        """Read until then, and :data:`LEAST_READS` times in any case."""
        meter = self._branch.meter
        try:
            await meter.first_sample(FIRST_SAMPLE_S)
        except MeterError as error:
            self._note_failure(error)
        every_s = READ_EVERY_S if meter.online is None else LOOK_EVERY_S
        while True:
            began = self._clock.seconds()
            await self._read(began)
            now = self._clock.seconds()
            if now >= until and len(self._reads) >= LEAST_READS:
                return
            await sleep(self._clock, max(0.0, began + every_s - now))

    async def _read(self, began: float) -> None:
        alone = self.alone
        try:
            sample = await self._branch.meter.read()
        except CancelledError:
            raise
        except MeterError as error:
            self._note_failure(error)
        except Exception as error:  # noqa: BLE001  a defect of a meter is a finding like any other
            self._note_failure(MeterError("defect", f"this is a defect ({error!r})"))
        else:
            now = self._clock.seconds()
            self._reads.append(Read(now, sample.watts, sample.measured_at))
            if alone:
                self._times.append(now - began)

    def _note_failure(self, error: MeterError) -> None:
        self._reads.append(Read(self._clock.seconds(), error=str(error), kind=error.kind))

    def watched(self) -> Watched:
        """What was seen so far."""
        configured = self._branch.configured
        options = configured.options
        max_age_s = configured.kind.max_age_s if options.max_age is None else options.max_age
        pushed = self._branch.meter.online is not None
        return Watched(
            configured.section, pushed, options, max_age_s, tuple(self._reads), self._times
        )
