"""Host names: what a resolver answers in the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from simulator.world.ports import LOOPBACK


@implementer(IHostResolution)
class Resolution:
    """A look-up that will be answered, unless cancelled."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: IDelayedCall | None = None

    def cancel(self) -> None:
        """Want no answer any more."""
        if self.answer is not None and self.answer.active():
            self.answer.cancel()


@implementer(IHostnameResolver)
class Resolver:
    """Knows the names of the world, ``localhost`` and addresses in dotted form."""

    def __init__(self, clock: IReactorTime, names: Mapping[str, str]) -> None:
        self._clock = clock
        self._names = names

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Resolution:
        """Answer in the next turn: one IPv4 address, or none for an unknown name."""
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        address = None
        if addressTypes is None or IPv4Address in addressTypes:
            address = self.address_of(hostName)

        kind: Literal["TCP", "UDP"] = "UDP" if transportSemantics == "UDP" else "TCP"

        def answer() -> None:
            if address is not None:
                resolutionReceiver.addressResolved(IPv4Address(kind, address, portNumber))
            resolutionReceiver.resolutionComplete()

        resolution.answer = self._clock.callLater(0.0, answer)
        return resolution

    def address_of(self, name: str) -> str | None:
        """The address in dotted form; None for an unknown name."""
        if isIPAddress(name):
            return name
        name = name.lower().rstrip(".")
        return LOOPBACK if name == "localhost" else self._names.get(name)


@implementer(IResolutionReceiver)
class FirstAddress:
    """Fires a Deferred with the first address of a resolution.

    It fails with DNSLookupError when there is none.
    """

    def __init__(self, name: str) -> None:
        self.found: Deferred[str] = Deferred(lambda _: self._resolution.cancel())
        self._name = name

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._resolution = resolutionInProgress

    def addressResolved(self, address: IAddress) -> None:
        if not self.found.called and isinstance(address, IPv4Address):
            self.found.callback(address.host)

    def resolutionComplete(self) -> None:
        if not self.found.called:
            self.found.errback(DNSLookupError(f"no such host: {self._name}"))
