"""The values a simulation is made of."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.batteries.config import BatteryConfig

CT_MAC = "112233445566"
CT_PORT = 12345
HTTP_PORT = 8080
LOOPBACK = "127.0.0.1"

LARGEST_TIME_SCALE = 10_000.0
SMALLEST_TIME_SCALE = 0.1
"""A smaller one acts as this (simulator.md section 6.3)."""


@dataclass(frozen=True, slots=True)
class LoadSetup:
    """A load of the household; ``active`` is how it starts."""

    name: str
    power_w: float
    phase: str
    active: bool = False


@dataclass(frozen=True, slots=True)
class BatterySetup:
    """A battery and its way to the CT.

    :ivar packet_loss: fraction of its datagrams that vanish; None means as all others.
    """

    config: BatteryConfig
    packet_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """Everything about a simulation; the defaults are those of simulator.md section 4.1.

    Numbers keep the type they were given in, so that the status shows them as the file does.

    :ivar base_load_w: on A, B, C; a shorter list leaves the others at 0.
    :ivar base_noise_w: half-width of the noise.
    :ivar solar_w: what the panels deliver at the start.
    :ivar meter_interval_s: how often the grid meter refreshes; 0 looks anew each time it is asked.
    :ivar meter_latency_s: how old its readings are.
    :ivar auto_interval_s: shortest and longest pause of auto mode.
    :ivar time_scale: seconds of the site in a second of the clock.
    :ivar packet_loss: fraction of all datagrams that vanish.
    :ivar seed: of all random numbers; None draws one.
    """

    ct_mac: str = CT_MAC
    ct_host: str = LOOPBACK
    ct_port: int = CT_PORT
    http_host: str = LOOPBACK
    http_port: int = HTTP_PORT
    base_load_w: tuple[float, ...] = (100, 100, 100)
    base_noise_w: float = 20
    loads: tuple[LoadSetup, ...] = ()
    solar_max_w: float = 2000
    solar_phases: tuple[str, ...] = ("A",)
    solar_w: float = 0.0
    meter_interval_s: float = 0.0
    meter_latency_s: float = 0.0
    import_ct_per_kwh: float = 30.0
    export_ct_per_kwh: float = 8.0
    auto_mode: bool = False
    auto_interval_s: tuple[float, float] = (10, 30)
    log_interval_s: float = 5.0
    time_scale: float = 1.0
    packet_loss: float = 0.0
    seed: int | None = None
    batteries: tuple[BatterySetup, ...] = ()

    @property
    def speed(self) -> float:
        """The time scale that acts."""
        return max(self.time_scale, SMALLEST_TIME_SCALE)
