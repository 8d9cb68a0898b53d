"""What the appliance consists of at the moment, as far as it is published."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from astrameter.ct.emulator import EmulatedCt
from astrameter.devices import DeviceSpec
from astrameter.filters.health import Health
from astrameter.meters.interface import IMeter

_ANYWHERE = ipaddress.IPv4Address("0.0.0.0")


@dataclass(frozen=True)
class CtDevice:
    """One emulated CT."""

    spec: DeviceSpec
    ct: EmulatedCt

    @property
    def rotates(self) -> bool:
        """Whether it may concentrate the load on few batteries."""
        return self.spec.ct is not None and self.spec.ct.min_efficient_power > 0

    @property
    def rssi(self) -> int:
        """The strength of signal that it pretends, dBm."""
        return 0 if self.spec.ct is None else self.spec.ct.wifi_rssi


@dataclass(frozen=True)
class MeterDevice:
    """One configured meter.

    :ivar chain: the meter with its filters, as batteries are served.
    """

    section: str
    meter: IMeter
    chain: Health
    networks: tuple[ipaddress.IPv4Network, ...] = ()

    @property
    def serves_all(self) -> bool:
        """Whether it serves a battery wherever it is."""
        return any(_ANYWHERE in network for network in self.networks)


@dataclass(frozen=True)
class Inventory:
    """Everything at one moment.

    :ivar cts: by device id.
    :ivar shellies: device ids.
    :ivar meters: in the order of the configuration.
    """

    cts: Mapping[str, CtDevice] = field(default_factory=dict)
    shellies: frozenset[str] = frozenset()
    meters: tuple[MeterDevice, ...] = ()

    def house_meter(self) -> MeterDevice | None:
        """The meter whose reading the Marstek app is shown (mqtt.md section 8.6)."""
        everywhere = (one for one in self.meters if one.serves_all)
        return next(everywhere, self.meters[0] if self.meters else None)
