"""Several meters that stand in for each other.

Sections that serve the same batteries and have a PRIORITY form a group: the one with the smallest
number is read; when it fails the next takes over at once, and gives back when the first has been
healthy for a while. Without a PRIORITY nothing stands in (filters.md section 11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.deferreds import Clock
from astrameter.events import MetersDisagree, MeterSwitched
from astrameter.meters.interface import ISource
from astrameter.reading import MeterError, Sample
from astrameter.routing import Route

PROBE_EVERY_S = 5.0
"""How often a better meter that has failed is tried while another stands in."""

GIVE_BACK_AFTER_S = 30.0
"""How long it must have been healthy to be used again."""

COMPARE_EVERY_S = 30.0
DISAGREE_FOR_S = 60.0
"""A load that is switched between two readings makes them differ for a moment."""


@dataclass(eq=False, slots=True)
class Member:
    """One meter of a group.

    :ivar plausible_w: how far the totals of this and the used meter may be apart; None does
        not compare.
    :ivar healthy_since: monotonic seconds; None while it fails or has not been tried.
    """

    section: str
    source: ISource
    plausible_w: float | None = None
    healthy_since: float | None = None
    differs_since: float | None = None
    told: bool = False
    busy: bool = False


@implementer(ISource)
class Redundant:
    """The best meter of a group that works.

    :param members: the best first.
    :param publish: takes the events about it.
    """

    _log = Logger()

    def __init__(
        self, members: Sequence[Member], clock: Clock, publish: Callable[[object], None]
    ) -> None:
        self._members = tuple(members)
        self._clock = clock
        self._publish = publish
        self._used = 0
        self._probed_at = clock.seconds()
        self._compared_at = clock.seconds()

    @property
    def section(self) -> str:
        """The section of the meter that is used now."""
        return self._members[self._used].section

    def read(self) -> Deferred[Sample]:
        now = self._clock.seconds()
        if self._used and now - self._probed_at >= PROBE_EVERY_S:
            self._probed_at = now
            self._probe()
        return Deferred.fromCoroutine(self._read(self._used))

    async def _read(self, first: int) -> Sample:
        """Try the used meter, then every other one, the best first."""
        order = [first, *(i for i in range(len(self._members)) if i != first)]
        error: MeterError | None = None
        for index in order:
            try:
                sample = await self._members[index].source.read()
            except MeterError as failure:
                self._members[index].healthy_since = None
                error = error or failure
                continue
            self._worked(index, sample)
            if index != self._used:
                self._use(index, str(error) if error else "")
            return sample
        assert error is not None, "a group has members"
        raise error

    def _worked(self, index: int, sample: Sample) -> None:
        now = self._clock.seconds()
        member = self._members[index]
        if member.healthy_since is None:
            member.healthy_since = now
        if index == self._used and now - self._compared_at >= COMPARE_EVERY_S:
            self._compared_at = now
            self._compare(index, sample)

    def _use(self, index: int, why: str) -> None:
        before, after = self.section, self._members[index].section
        self._used = index
        self._probed_at = self._clock.seconds()
        self._publish(MeterSwitched(before, after, why))
        if why:
            self._log.warn(
                "[{after}] stands in for [{before}]: {why}", after=after, before=before, why=why
            )
        else:
            self._log.info("[{after}] is used again", after=after)

    def _probe(self) -> None:
        """Try the better meters; give back to the best that has been healthy long enough."""
        now = self._clock.seconds()
        for index, member in enumerate(self._members[: self._used]):
            since = member.healthy_since
            if since is not None and now - since >= GIVE_BACK_AFTER_S:
                self._use(index, "")
                return
            self._try(member, lambda _sample: None)

    def _compare(self, used: int, sample: Sample) -> None:
        """Read the others, and see whether they tell the same story."""
        for index, member in enumerate(self._members):
            if index != used and member.plausible_w is not None:
                self._try(member, partial(self._judge, member, sample))

    def _judge(self, member: Member, sample: Sample, other: Sample) -> None:
        now = self._clock.seconds()
        difference_w = other.total - sample.total
        if member.plausible_w is None or abs(difference_w) <= member.plausible_w:
            member.differs_since = None
            member.told = False
            return
        if member.differs_since is None:
            member.differs_since = now
            # Look again soon: whether it lasts is what matters.
            self._compared_at = now - COMPARE_EVERY_S + PROBE_EVERY_S
        elif now - member.differs_since >= DISAGREE_FOR_S and not member.told:
            member.told = True
            self._publish(MetersDisagree(self.section, member.section, difference_w))
            self._log.warn(
                "[{other}] shows {difference:.0f} W more than [{used}]: one of them is wrong",
                other=member.section,
                used=self.section,
                difference=difference_w,
            )

    def _try(self, member: Member, then: Callable[[Sample], None]) -> None:
        """Read a meter beside the control path."""
        if member.busy:
            return
        member.busy = True

        def succeeded(sample: Sample) -> None:
            if member.healthy_since is None:
                member.healthy_since = self._clock.seconds()
            then(sample)

        def failed(failure: Failure) -> None:
            member.healthy_since = None
            if failure.check(MeterError, CancelledError) is None:
                self._log.failure("[{section}] failed", failure, section=member.section)

        def ended(_result: None) -> None:
            member.busy = False

        member.source.read().addCallbacks(succeeded, failed).addBoth(ended)


def stand_in(
    clock: Clock, publish: Callable[[object], None]
) -> Callable[[Sequence[Route]], Redundant]:
    """How routes that serve the same batteries become one."""

    def group(routes: Sequence[Route]) -> Redundant:
        members = [Member(route.section, route, route.plausible_w) for route in routes]
        return Redundant(members, clock, publish)

    return group
