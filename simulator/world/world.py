"""The world: one virtual time, one network, all randomness."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from hashlib import sha256
from random import Random
from typing import TypeVar

from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from simulator.world.books import Counts, Transcript
from simulator.world.datagrams import Datagrams
from simulator.world.host import HostReactor
from simulator.world.links import Link, Links
from simulator.world.tcp import Streams
from simulator.world.timeline import DelayedCall, Timeline

T = TypeVar("T")


@implementer(IReactorTime)
class World:
    """A network of hosts in virtual time; nothing in it depends on the real world.

    As an ``IReactorTime`` it serves what belongs to no host: physics, scenarios.

    :ivar seed: decides every random draw.
    :ivar transcript: of all datagrams delivered; None unless asked for.
    """

    def __init__(
        self,
        seed: int = 0,
        start_s: float = 1000.0,
        *,
        link: Link | None = None,
        transcript: bool = False,
    ) -> None:
        self.seed = seed
        self.transcript = Transcript() if transcript else None
        self._randoms: dict[str, Random] = {}
        self._timeline = Timeline(start_s)
        self._links = Links(link or Link(), self.random("network"))
        self._datagrams = Datagrams(self._timeline, self._links, self.transcript)
        self._streams = Streams(self._timeline, self._links)
        self._names: dict[str, str] = {}
        self._hosts: dict[str, HostReactor] = {}

    @property
    def errors(self) -> int:
        """How many callbacks have raised; each was logged."""
        return self._timeline.errors

    @property
    def counts(self) -> Counts:
        """What became of the datagrams."""
        return self._datagrams.counts

    @property
    def connections_opened(self) -> int:
        """How many TCP connections have been accepted."""
        return self._streams.opened

    def random(self, name: str) -> Random:
        """The random stream for one purpose, always the same object for one name.

        Streams do not influence each other.
        """
        stream = self._randoms.get(name)
        if stream is None:
            digest = sha256(f"{self.seed}/{name}".encode()).digest()
            stream = self._randoms[name] = Random(int.from_bytes(digest[:16], "big"))
        return stream

    def host(self, address: str) -> HostReactor:
        """The host at an IPv4 address, made when it is not there yet.

        :raises ValueError: when no host can have that address.
        """
        host = self._hosts.get(address)
        if host is None:
            _check_address(address)
            host = self._hosts[address] = HostReactor(
                address, self._timeline, self._links, self._datagrams, self._streams, self._names
            )
            self._links.add_host(address)
        return host

    def name(self, name: str, address: str) -> None:
        """Give an address a host name, known to all hosts.

        :raises ValueError: when no host can have that address.
        """
        _check_address(address)
        self._names[name.lower().rstrip(".")] = address

    # The network

    def set_link(self, link: Link | None, *addresses: str) -> None:
        """Say how the network is: between two hosts, for one host, or for all without their own.

        None takes back what was said. Datagrams under way are not affected.

        :raises ValueError: when an address is not a host's, or there are more than two.
        """
        for address in addresses:
            _check_address(address)
        match addresses:
            case ():
                self._links.set_default(link or Link())
            case (host,):
                self._links.set_host(host, link)
            case (a, b):
                self._links.set_pair(a, b, link)
            case _:
                raise ValueError("a link is between two hosts")

    def cut(self, a: str, b: str) -> None:
        """Nothing gets from one of two hosts to the other any more; both remain up.

        :raises ValueError: when an address is not a host's.
        """
        _check_address(a)
        _check_address(b)
        self._links.set_cut(a, b, True)

    def join(self, a: str, b: str) -> None:
        """Undo :meth:`cut`."""
        self._links.set_cut(a, b, False)

    # Time

    def seconds(self) -> float:
        """Virtual time."""
        return self._timeline.now

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002  the interface's name
        *args: object,
        **kwargs: object,
    ) -> DelayedCall:
        """Schedule a call that belongs to no host.

        :raises ValueError: when the delay is negative or not finite.
        """
        return self._timeline.call_later(self, delay, callable, args, kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """All timers: the world's own and those of all hosts."""
        return self._timeline.pending()

    def advance(self, seconds: float) -> None:
        """Let so much time pass.

        :raises ValueError: when that is negative or not finite.
        """
        self.run_until(self._timeline.now + seconds)

    def run_until(self, time_s: float) -> None:
        """Run all events up to and including ``time_s``, and leave time there.

        :raises ValueError: when that is in the past or not finite.
        """
        self._timeline.run_until(time_s)

    def step(self) -> bool:
        """Run the next event, whenever that is; False when there is none."""
        return self._timeline.run(math.inf, 1) == 1

    def wait(self, deferred: Deferred[T], timeout_s: float = 60.0) -> T:
        """Let time pass until ``deferred`` has fired; its result, or its failure raised.

        :raises TimeoutError: when that takes longer; time then is at the end of the wait.
        """
        outcome: list[T | Failure] = []
        deferred.addBoth(outcome.append)
        deadline = self._timeline.now + timeout_s
        while not outcome and self._timeline.run(deadline, 1):
            pass
        if not outcome:
            self.run_until(deadline)
            raise TimeoutError(f"nothing within {timeout_s} s of virtual time")
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return outcome[0]


def _check_address(address: str) -> None:
    octets = address.split(".")
    plain = isIPAddress(address) and 0 < int(octets[0]) < 224 and octets[0] != "127"
    if not plain or octets[3] in ("0", "255"):
        raise ValueError(f"{address!r} is not the IPv4 address of a host")
