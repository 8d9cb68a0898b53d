"""A day of a house with two batteries that poll each second, the whole appliance in it."""

from __future__ import annotations

import time

from bench.load import report
from simulator.house import Plan, venus
from simulator.virtualhouse import VirtualHouse

DAY_S = 86_400.0


def main() -> None:
    """From midnight to midnight, on one core."""
    house = VirtualHouse(Plan((venus(1, "A"), venus(2, "B")), start_s=0.0), transcript=True)
    house.start()
    started = time.process_time()
    house.world.advance(DAY_S)
    seconds = time.process_time() - started
    house.stop()
    datagrams = house.world.counts.delivered
    report(
        bench="virtual_day",
        seconds=round(seconds, 2),
        times_real=round(DAY_S / seconds),
        polls=datagrams // 2,
        us_per_poll=round(seconds / (datagrams / 2) * 1e6, 1),
        import_kwh=round(house.house.site.ledger.import_wh / 1000, 3),
        export_kwh=round(house.house.site.ledger.export_wh / 1000, 3),
    )


if __name__ == "__main__":
    main()
