"""Everything that talks to the vendor; nothing here runs unless it is configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twisted.application import service

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.marstek.managed import ManagedCts
from astrameter.marstek.options import MarstekOptions
from astrameter.meters.interface import IMeter
from astrameter.services import adopt
from astrameter.store.service import Store


@dataclass(frozen=True)
class Surroundings:
    """What a report tells besides what the CT knows.

    :ivar house_meter: the meter that is reported; None: zeros.
    :ivar mqtt: whether readings are published to a broker, too.
    :ivar wall_clock: the present time, aware.
    """

    house_meter: Callable[[], IMeter | None]
    mqtt: Callable[[], bool]
    wall_clock: Callable[[], datetime]


CtNow = tuple[CtOptions, EmulatedCt]


class Cloud(service.MultiService):
    """Registration and reports, as the configuration wants them."""

    def __init__(
        self, reactor: Any, managed: ManagedCts, store: Store, surroundings: Surroundings
    ) -> None:
        service.MultiService.__init__(self)
        self._reactor = reactor
        self._managed = managed
        self._store = store
        self._surroundings = surroundings
        self._wanted: dict[str, tuple[Any, ...]] = {}
        self._parts: dict[str, Any] = {}

    def configure(self, options: MarstekOptions, cts: Mapping[str, CtNow]) -> list[Any]:
        """Become what the options say, replacing only what differs.

        :param cts: the emulated CTs by type (``HME-4``), each with its options.
        :returns: the services that are of no use any more, for the caller to dismiss.
        """
        wanted: dict[str, tuple[Any, ...]] = {}
        if options.enable and cts:
            wanted["registration"] = (options, tuple(cts))
        for ct_type, (ct_options, ct) in cts.items():
            if ct_options.cloud_reporting:
                wanted[ct_type] = (ct_options, ct)
        before, self._wanted = self._wanted, wanted
        leaving = [
            self._parts.pop(name) for name in list(self._parts) if before[name] != wanted.get(name)
        ]
        for name, what in wanted.items():
            if name not in self._parts:
                part = self._parts[name] = self._part(name, what)
                adopt(self, part)
        return leaving

    def _part(self, name: str, what: tuple[Any, ...]) -> Any:
        # Both bring the HTTP client with them, which a house without the cloud may do without.
        if name == "registration":
            from astrameter.marstek.registration import Registration  # noqa: PLC0415

            options, ct_types = what
            return Registration(self._reactor, options, ct_types, self._managed, self._store)
        from astrameter.marstek.reporting import CloudReporting  # noqa: PLC0415

        options, ct = what
        around = self._surroundings
        return CloudReporting(
            self._reactor,
            options,
            name,
            ct,
            self._managed,
            lambda: "registration" in self._wanted,
            around.house_meter,
            around.mqtt,
            around.wall_clock,
        )
