"""Why a port could not be bound, in the owner's words."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.error import CannotListenError

from astrameter.config import Settings


class PortError(Exception):
    """A port cannot be bound; the text is one clear line that says which, why and the mend."""


def port_error(error: CannotListenError | PortError, settings: Settings) -> PortError:
    """The same error with who wanted the port, and a mend."""
    if isinstance(error, PortError):
        return error
    port: Any = error.port
    what, key = _wanted_by(port, settings)
    return cannot_open(what, key, error)


def cannot_open(what: str, key: str, error: CannotListenError) -> PortError:
    """The same error in the owner's words.

    :param what: the port and who wants it.
    :param key: ", or " and another way out than to end who has the port.
    """
    number = getattr(error.socketError, "errno", None)
    if number == errno.EADDRINUSE:
        mend = f"another program uses it; stop that one{key}"
    elif number in (errno.EACCES, errno.EPERM):
        mend = (
            "this needs the right to open ports below 1024; run as the system service, grant "
            "CAP_NET_BIND_SERVICE, or set net.ipv4.ip_unprivileged_port_start=1010"
        )
    else:
        mend = str(error.socketError)
    return PortError(f"{what} cannot be opened: {mend}")


def _wanted_by(port: Any, settings: Settings) -> tuple[str, str]:
    for spec in settings.devices:
        if spec.udp_port == port:
            section = "CT002" if spec.type == "ct002" else "CT003"
            key = f", or choose another port ([{section}] UDP_PORT)" if spec.ct else ""
            return f"UDP port {port} of {spec.type}", key
    key = ", or choose another port ([GENERAL] WEB_SERVER_PORT)"
    return f"TCP port {port} of the status page", key
