"""Collects the figures from the parts of the appliance, at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from astrameter.filters.health import Health
from astrameter.meters.interface import IMeter
from astrameter.metrics.figures import Link, MeterFigures


class Branch(Protocol):
    """A configured meter with its filters."""

    @property
    def meter(self) -> IMeter: ...
    @property
    def chain(self) -> Health: ...


class Connected(Protocol):
    """A client of something."""

    @property
    def connected(self) -> bool: ...
    @property
    def connections(self) -> int: ...


def meter_figures(branch: Branch, now: float) -> MeterFigures:
    """One meter, as batteries are served from it.

    While it fails there is no power to tell; how old the last one is grows and grows.
    """
    chain, last = branch.chain, branch.chain.last
    sample, good = None if last is None else last.sample, branch.chain.good
    return MeterFigures(
        branch.meter.section,
        None if last is None else last.error is None,
        () if sample is None else sample.watts,
        None if good is None else now - good.measured_at,
        chain.reads,
        chain.failures,
        getattr(branch.meter, "connections", None),
    )


def links(clients: Iterable[tuple[str, Connected | None]]) -> tuple[Link, ...]:
    """Those of the named clients that there are."""
    return tuple(
        Link(name, one.connected, one.connections) for name, one in clients if one is not None
    )
