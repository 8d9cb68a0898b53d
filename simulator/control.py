"""The seam between a simulation that runs and whoever looks at it and operates it.

A console, the HTTP API and a scenario script see a simulation through :class:`SiteControl`. One is
the simulation of this process (:class:`simulator.running.local.LocalControl`), the other reaches
one over its HTTP API (:class:`simulator.api.remote.RemoteControl`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from simulator.sitestatus import BatteryStatus, GridStatus, LoadStatus, SolarStatus, Status

__all__ = [
    "MAX",
    "OFF",
    "BatteryStatus",
    "ChangeMaxPower",
    "ChangeSoc",
    "ChangeSolar",
    "GridStatus",
    "LoadStatus",
    "Operation",
    "OperationRefused",
    "Refusal",
    "SetAuto",
    "SetBaseLoad",
    "SetDc",
    "SetMaxPower",
    "SetMeterLatency",
    "SetOnline",
    "SetPacketLoss",
    "SetPhase",
    "SetSoc",
    "SetSolar",
    "Shutdown",
    "SiteControl",
    "SolarStatus",
    "Status",
    "ToggleAuto",
    "ToggleLoad",
]

MAX: Literal["max"] = "max"
OFF: Literal["off"] = "off"
"""Words for the sun at its largest, and for none."""


@dataclass(frozen=True, slots=True)
class ToggleLoad:
    """Switch a load; ``index`` counts from 1."""

    index: int


@dataclass(frozen=True, slots=True)
class SetSolar:
    """The sun in W, ``max`` or ``off``; brought into 0..maximum."""

    watts: float | Literal["max", "off"]


@dataclass(frozen=True, slots=True)
class ChangeSolar:
    """More sun, or less; brought into 0..maximum."""

    delta_w: float


@dataclass(frozen=True, slots=True)
class SetSoc:
    """A battery's state of charge, 0..1."""

    mac: str
    soc: float


@dataclass(frozen=True, slots=True)
class ChangeSoc:
    """Raise or lower a battery's state of charge; brought into 0..1."""

    mac: str
    delta: float


@dataclass(frozen=True, slots=True)
class SetMaxPower:
    """A battery's power limits, W, both positive; None leaves one as it is."""

    mac: str
    charge_w: float | None = None
    discharge_w: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeMaxPower:
    """Raise or lower both power limits; they do not go below 0."""

    mac: str
    delta_w: float


@dataclass(frozen=True, slots=True)
class SetDc:
    """Solar power wired to the battery itself."""

    mac: str
    watts: float


@dataclass(frozen=True, slots=True)
class SetAuto:
    """Let loads and sun change by themselves, or not."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class ToggleAuto:
    """Auto mode on when it was off, and the reverse."""


@dataclass(frozen=True, slots=True)
class SetOnline:
    """Let a battery's datagrams through, or let none arrive."""

    mac: str
    online: bool


@dataclass(frozen=True, slots=True)
class SetBaseLoad:
    """The standing load on one phase, ``A``, ``B`` or ``C``; negative is a standing export."""

    phase: str
    watts: float


@dataclass(frozen=True, slots=True)
class SetPhase:
    """Plug a battery in on another phase: it begins anew, with the state of charge it has."""

    mac: str
    phase: str


@dataclass(frozen=True, slots=True)
class SetPacketLoss:
    """The fraction of all datagrams that vanish, 0..1."""

    loss: float


@dataclass(frozen=True, slots=True)
class SetMeterLatency:
    """How old the grid meter's readings are, seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End the simulation."""


Operation = (
    ToggleLoad
    | SetSolar
    | ChangeSolar
    | SetSoc
    | ChangeSoc
    | SetMaxPower
    | ChangeMaxPower
    | SetDc
    | SetAuto
    | ToggleAuto
    | SetOnline
    | SetBaseLoad
    | SetPhase
    | SetPacketLoss
    | SetMeterLatency
    | Shutdown
)
"""Relative ones exist so that keys pressed fast add up: whoever holds the state does the sum."""


class Refusal(Enum):
    """Why an operation was not done."""

    BAD_VALUE = "bad value"
    NOT_FOUND = "not found"
    UNREACHABLE = "unreachable"


class OperationRefused(Exception):  # noqa: N818  a refusal is not an error
    """An operation was not done; ``str()`` is one line that says why.

    :ivar kind: what sort of reason.
    """

    def __init__(self, message: str, kind: Refusal = Refusal.BAD_VALUE) -> None:
        self.kind = kind
        super().__init__(message)


class SiteControl(Protocol):
    """A simulation, here or elsewhere.

    :ivar status: the latest that is known; None before the first. It stays the last known while
        there is trouble.
    :ivar trouble: one line that says why there is no connection; None when all is well.
    """

    @property
    def status(self) -> Status | None: ...

    @property
    def trouble(self) -> str | None: ...

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` (without arguments) when status or trouble has changed, about once a
        second, and at once after an operation. Calling what is returned ends that; twice is
        harmless."""

    def perform(self, operation: Operation) -> Deferred[Status]:
        """Do something; fires with the status after it. Operations are done in the order of the
        calls, and none is lost.

        :raises OperationRefused: (as failure) it was not done.
        """
