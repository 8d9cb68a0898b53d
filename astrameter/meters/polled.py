"""The base of all meters that are asked, and answer with the present power."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from astrameter.meters.interface import IMeter
from astrameter.reading import MeterError, Sample, sample_of
from astrameter.sharing import SharedRead


def _nothing_to_close() -> Deferred[None]:
    return succeed(None)


@implementer(IMeter)
class PolledMeter(Service):
    """Asks once for any number of simultaneous readers, and only while it runs.

    :param fetch: asks the device: watts, one entry a phase, measured just now; or a sample, where
        the device tells the same again until it has measured anew. Fails with MeterError. It must
        end by itself, in good or ill, and may be cancelled.
    :param close: frees what ``fetch`` uses; called at every stop, when no ``fetch`` runs.
    """

    online = None
    _log = Logger()

    def __init__(
        self,
        section: str,
        clock: IReactorTime,
        fetch: Callable[[], Awaitable[Sequence[float] | Sample]],
        close: Callable[[], Deferred[None]] = _nothing_to_close,
    ) -> None:
        self.section = section
        self._clock = clock
        self._fetch = fetch
        self._close = close
        self._shared = SharedRead(self._ask)
        self._asking: Deferred[Sample] | None = None
        self._defects: set[type[Exception]] = set()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        if self._asking is not None:
            self._asking.cancel()
        return self._close()

    def read(self) -> Deferred[Sample]:
        if not self.running:
            return fail(MeterError("no_data", "the meter is not running"))
        return self._shared.read()

    def first_sample(self, _timeout_s: float) -> Deferred[None]:
        return succeed(None)

    def next_sample(self, _timeout_s: float) -> Deferred[None]:
        return succeed(None)

    def _ask(self) -> Deferred[Sample]:
        asking = self._asking = Deferred.fromCoroutine(self._sample())
        return asking

    async def _sample(self) -> Sample:
        try:
            found = await self._fetch()
            if isinstance(found, Sample):
                return found
            return sample_of(found, self._clock.seconds())
        except MeterError:
            raise
        except CancelledError:
            raise MeterError("no_data", "the meter was stopped") from None
        except Exception as error:
            # A defect of one parser must reach the log, and not the control.
            self._note_defect(error)
            raise MeterError(
                "bad_structure", f"the answer cannot be understood ({error!r})"
            ) from error

    def _note_defect(self, error: Exception) -> None:
        if type(error) not in self._defects:
            self._defects.add(type(error))
            self._log.failure("[{section}] cannot be read", section=self.section)
