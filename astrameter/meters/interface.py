"""What a meter is to the rest of the house."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from astrameter.options import Section
from astrameter.reading import Sample

O = TypeVar("O")  # noqa: E741  the options of one kind


class ISource(Interface):
    """Something that grid power can be read from: a meter, or a filter around one."""

    def read() -> Deferred[Sample]:
        """The present reading, watts per phase with the time it was measured.

        Fires at once where the value is at hand. Fails with
        :class:`~astrameter.reading.MeterError`; any other failure is a defect.
        """


class IMeter(ISource, IService):
    """A configured source of grid power, started and stopped with the service tree.

    ``startService`` must not block and must not fail because the device is away: a meter
    connects and reconnects by itself.
    """

    section: str = Attribute("The configuration section, for example ``JSON_HTTP_2``.")
    online: bool | None = Attribute(
        "Pushed meters: is the stream up and has every value arrived? Polled meters: None."
    )

    def first_sample(timeout_s: float) -> Deferred[None]:
        """Fire when there is a value; fail with MeterError ``no_data`` after the timeout.

        Polled meters fire at once.
        """

    def next_sample(timeout_s: float) -> Deferred[None]:
        """Fire when a sample arrives after this call, or quietly at the timeout.

        Polled meters fire at once. Never fails: the last known value is better than none.
        """


@dataclass(frozen=True)
class MeterKind(Generic[O]):
    """One kind of meter: its section with all options, and how to make one.

    ``build(reactor, section_name, options)`` returns an :class:`IMeter`; it does no I/O. The
    reactor is whatever time and network the house lives in.

    :ivar max_age_s: how old a reading may get before the meter counts as failed, unless the
        owner sets MAX_AGE; 0 for meters whose readings are good until the next one.
    """

    section: Section[O]
    build: Callable[[Any, str, O], Any]
    max_age_s: float = 0.0
