"""A simulation from a few options, without a file (simulator.md section 3)."""

from __future__ import annotations

from simulator.batteries.config import BatteryConfig
from simulator.configuration.battery import POLL_INTERVAL_S, POLL_JITTER_S
from simulator.configuration.model import BatterySetup, LoadSetup, Simulation
from simulator.household import PHASES

MOST_BATTERIES = 1000

_BASE_LOAD_W = {1: (300, 0, 0), 3: (100, 100, 100)}


def quick(
    batteries: int = 1,
    phases: int = 1,
    base_load_w: tuple[float, ...] | None = None,
    soc: float = 0.5,
) -> Simulation:
    """A house with so many batteries of the same kind.

    :param batteries: 0 and less is a house without.
    :param phases: 1 or 3; with 3 the batteries take A, B, C in turns.
    :raises ValueError: when the state of charge is not within 0..1, or there are too many.
    """
    if batteries > MOST_BATTERIES:
        raise ValueError(f"there are at most {MOST_BATTERIES} batteries, not {batteries}")
    second = "B" if phases == 3 else "A"
    fleet = tuple(
        BatteryConfig(
            mac=f"02B250{number + 1:06X}",
            phase=PHASES[number % phases],
            initial_soc=soc,
            poll_interval_s=POLL_INTERVAL_S,
            poll_jitter_s=POLL_JITTER_S,
        )
        for number in range(batteries)
    )
    return Simulation(
        base_load_w=_BASE_LOAD_W[phases] if base_load_w is None else base_load_w,
        loads=(
            LoadSetup("LED lights", 30, "A"),
            LoadSetup("TV + entertainment", 80, second),
            LoadSetup("Router + NAS", 40, "A"),
            LoadSetup("Microwave", 800, "A"),
            LoadSetup("Washing machine", 400, second),
        ),
        solar_phases=tuple(PHASES[:phases]),
        batteries=tuple(BatterySetup(config) for config in fleet),
    )
