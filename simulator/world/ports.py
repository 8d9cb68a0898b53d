"""Which socket answers at which address and port."""

from __future__ import annotations

import errno
import os
from typing import Generic, TypeVar

from twisted.internet.error import CannotListenError

S = TypeVar("S")

EPHEMERAL = range(49152, 65536)
"""Ports given out on request (RFC 6335 section 6)."""

LOOPBACK = "127.0.0.1"

WILDCARD = ("", "0.0.0.0")
"""All addresses of a host."""

Address = tuple[str, int]
"""An IPv4 address in dotted form, and a port."""


def loopback_of(host: str) -> str:
    """The name under which a host's 127.0.0.1 is known in the world."""
    return f"{LOOPBACK}@{host}"


class Ports(Generic[S]):
    """All sockets of the world of one kind (UDP, or listening TCP).

    :ivar sockets: by address and port; read only. A socket bound to the wildcard address is
        there under its host's address and loopback.
    """

    def __init__(self) -> None:
        self.sockets: dict[Address, S] = {}
        self._next: dict[str, int] = {}

    def claim(self, host: str, interface: str, port: int, socket: S) -> int:
        """Bind ``socket``; port 0 means any free one. Returns the port.

        :raises CannotListenError: when the port is taken or the interface is not the host's.
        """
        names = _names(host, interface)
        if not names:
            raise _refusal(interface, port, errno.EADDRNOTAVAIL)
        if port == 0:
            port = self.free_port(host, interface)
        elif not 0 < port < 65536:
            raise CannotListenError(interface, port, OverflowError("a port is 0..65535"))
        elif any((name, port) in self.sockets for name in names):
            raise _refusal(interface, port, errno.EADDRINUSE)
        for name in names:
            self.sockets[name, port] = socket
        return port

    def release(self, host: str, interface: str, port: int, socket: S) -> None:
        """Undo :meth:`claim`; quiet when it is another socket's."""
        for name in _names(host, interface):
            if self.sockets.get((name, port)) is socket:
                del self.sockets[name, port]

    def free_port(self, host: str, interface: str = "") -> int:
        """A port that nobody has, each time another.

        :raises CannotListenError: when all are taken.
        """
        names = _names(host, interface)
        first = self._next.get(host, EPHEMERAL.start) - EPHEMERAL.start
        for step in range(len(EPHEMERAL)):
            port = EPHEMERAL[(first + step) % len(EPHEMERAL)]
            if not any((name, port) in self.sockets for name in names):
                self._next[host] = port + 1
                return port
        raise _refusal(interface, 0, errno.EADDRINUSE)


def _names(host: str, interface: str) -> tuple[str, ...]:
    if interface in WILDCARD:
        return (host, loopback_of(host))
    if interface == host:
        return (host,)
    if interface.startswith("127."):
        return (loopback_of(host),)
    return ()


def _refusal(interface: str, port: int, number: int) -> CannotListenError:
    return CannotListenError(interface, port, OSError(number, os.strerror(number)))
