"""Being the daemon for a while, with all ears: first only its meters, then its ports too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import Settings
from astrameter.deferreds import sleep
from astrameter.devices import DeviceSpec
from astrameter.doctor import batteries, meters
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.listening import Ears
from astrameter.doctor.serving import Heard
from astrameter.doctor.watching import MeterWatch
from astrameter.ports import PortError
from astrameter.services import start, stop

ALONE_S = 4.0
"""How long meters are read before batteries may ask, too: who joins a read that is under way
cannot tell how long it takes."""

READ_FOR_S = 6.0
"""How long meters are read when nobody is listened to."""


@dataclass(frozen=True)
class Plan:
    """What to try.

    :ivar devices: those of the settings whose ports can be opened.
    :ivar ct_sections: the configuration section of each CT, by its UDP port.
    :ivar networks: this machine's, as people write them.
    :ivar listen_s: how long to listen for batteries; 0 does not.
    """

    settings: Settings
    devices: tuple[DeviceSpec, ...]
    ct_sections: Mapping[int, str]
    networks: Sequence[str]
    listen_s: float


class Trial:
    """One run of the appliance, from its start to its end.

    ``reactor`` is the network it lives in.
    """

    def __init__(
        self, reactor: Any, plan: Plan, surroundings: Surroundings, progress: Callable[[str], None]
    ) -> None:
        # No status page, and no giving up on a meter.
        general = replace(plan.settings.general, enable_web_server=False, skip_powermeter_test=True)
        self._reactor = reactor
        self._plan = plan
        self._settings = replace(plan.settings, general=general, devices=())
        self._progress = progress
        self._appliance = Appliance(reactor, self._settings, surroundings)
        self._ears = Ears(reactor, self._appliance.bus, plan.devices)
        self._watches = [MeterWatch(reactor, branch) for branch in self._appliance.meters]
        self._listened_from: float | None = None
        self._listened_s = 0.0

    async def run(self) -> None:
        """Live; cancelling it ends that early.

        :raises PortError: somebody was faster to open a port.
        """
        start(self._appliance)
        try:
            await self._observe()
        finally:
            if self._listened_from is not None:
                self._listened_s = self._reactor.seconds() - self._listened_from
            await self._ears.close()
            await stop(self._appliance)

    async def _observe(self) -> None:
        now = self._reactor.seconds()
        listens = bool(self._plan.devices) and self._plan.listen_s > 0
        alone_until = now + (ALONE_S if self._watches else 0.0)
        until = alone_until + self._plan.listen_s
        if not listens:
            until = now + (READ_FOR_S if self._watches else 0.0)
        work = [watch.run(until) for watch in self._watches]
        work.append(self._show_progress(until))
        if listens:
            work.append(self._listen(alone_until))
        working = [Deferred.fromCoroutine(one) for one in work]
        try:
            await gatherResults(working, consumeErrors=True)
        except CancelledError:
            return  # whoever is in a hurry gets what is known so far
        except FirstError as error:
            if error.subFailure.check(CancelledError) is None:
                error.subFailure.raiseException()
        finally:
            for one in working:
                one.cancel()

    async def _listen(self, begin_at: float) -> None:
        await sleep(self._reactor, begin_at - self._reactor.seconds())
        for watch in self._watches:
            watch.alone = False
        await self._appliance.apply(replace(self._settings, devices=self._plan.devices))
        self._ears.open()
        self._listened_from = self._reactor.seconds()

    async def _show_progress(self, until: float) -> None:
        while (left_s := until - self._reactor.seconds()) > 0:
            doing = "reading the meters"
            if self._listened_from is not None:
                heard = len({caller.ip for caller in self._ears.hearing.callers})
                doing += f", listening for batteries ({heard} heard)"
            self._progress(f"{doing}: {left_s:.0f} s left")
            await sleep(self._reactor, min(1.0, left_s))

    def findings(self) -> Iterator[Finding]:
        """What was learned."""
        for watch in self._watches:
            yield from meters.judge(watch.watched())
        if self._listened_from is None:
            if self._plan.devices:
                what = "nobody was listened to"
                yield Finding(Group.BATTERIES, Severity.NOTE, "", what)
            return
        hearing = self._ears.hearing
        yield from batteries.judge(
            Heard(
                self._listened_s,
                self._plan.devices,
                hearing.callers,
                self._plan.ct_sections,
                lambda ip: self._appliance.routes.find(ip) is not None,
                self._plan.networks,
                self._ears.deaf,
                hearing.more,
            )
        )


async def attempt(
    reactor: Any, plan: Plan, surroundings: Surroundings, progress: Callable[[str], None]
) -> list[Finding]:
    """Run a trial; what was learned."""
    trial = Trial(reactor, plan, surroundings, progress)
    try:
        await trial.run()
    except PortError as error:
        taken = Finding(Group.PORTS, Severity.PROBLEM, "", str(error))
        return [taken, *trial.findings()]
    return list(trial.findings())
