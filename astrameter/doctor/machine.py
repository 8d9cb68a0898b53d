"""What is known of the machine this runs on; tests and the simulator give their own."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_SIOCGIFADDR = 0x8915
_SIOCGIFNETMASK = 0x891B
"""linux/sockios.h"""

_NAME_BYTES = 15
_REQUEST = "256s"
_ADDRESS_AT = slice(20, 24)  # in struct ifreq: 16 bytes of name, family, port, address
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True)
class Network:
    """One address of this machine.

    :ivar interface: its name, like ``eth0``.
    """

    interface: str
    address: ipaddress.IPv4Interface


@dataclass(frozen=True)
class Machine:
    """:ivar networks: its IPv4 addresses, without loopback.

    :ivar in_container: whether it is a container.
    :ivar wall_clock: the time of day, aware, UTC.
    """

    networks: Sequence[Network]
    in_container: bool
    wall_clock: Callable[[], datetime]


def this_machine() -> Machine:
    """The real one."""
    return Machine(tuple(_networks()), _in_container(), lambda: datetime.now(UTC))


def _networks() -> list[Network]:
    """The first IPv4 address of each interface, from the kernel, without sending anything."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                address = _ask(asked, name, _SIOCGIFADDR)
                mask = _ask(asked, name, _SIOCGIFNETMASK)
            except OSError:
                continue  # it has no IPv4 address
            interface = ipaddress.IPv4Interface(f"{address}/{mask}")
            if not interface.is_loopback:
                found.append(Network(name, interface))
    return found


def _ask(asked: socket.socket, name: str, what: int) -> str:
    request = struct.pack(_REQUEST, name.encode()[:_NAME_BYTES])
    answer = fcntl.ioctl(asked.fileno(), what, request)
    return socket.inet_ntoa(answer[_ADDRESS_AT])


def _in_container() -> bool:
    return bool(os.environ.get("container")) or any(map(os.path.exists, _CONTAINER_FILES))  # noqa: SIM112  its name
