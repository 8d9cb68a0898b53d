"""What is written down about the datagrams of a world."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from simulator.world.ports import Address


@dataclass(slots=True)
class Counts:
    """What became of the datagrams.

    ``sent + duplicated == delivered + lost + unreachable + refused + overflowed + in_flight``

    :ivar sent: handed to the network; a broadcast counts once for every receiver.
    :ivar duplicated: further copies made by the network.
    :ivar delivered: handed to a protocol.
    :ivar lost: by chance, as the link says.
    :ivar unreachable: there is no such host, or it is down or cut off.
    :ivar refused: nobody listened there.
    :ivar overflowed: too many were under way.
    :ivar in_flight: still under way.
    """

    sent: int = 0
    duplicated: int = 0
    delivered: int = 0
    lost: int = 0
    unreachable: int = 0
    refused: int = 0
    overflowed: int = 0
    in_flight: int = 0


class Transcript:
    """A running SHA-256 over time, source, destination and content of every delivered datagram.

    :ivar datagrams: how many.
    :ivar octets: their payload altogether.
    """

    def __init__(self) -> None:
        self.datagrams = 0
        self.octets = 0
        self._hash = sha256()

    def add(self, now: float, source: Address, destination: Address, packet: bytes) -> None:
        self.datagrams += 1
        self.octets += len(packet)
        self._hash.update(f"{now!r} {source} {destination} {len(packet)}\n".encode())
        self._hash.update(packet)

    def digest(self) -> str:
        """The hash so far, hexadecimal."""
        return self._hash.hexdigest()
