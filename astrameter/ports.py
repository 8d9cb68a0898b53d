"""Why a port could not be bound, in the owner's words."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.error import CannotListenError


class PortError(Exception):
    """A port cannot be bound; the text is one clear line that says which, why and the mend."""


def port_error(error: CannotListenError) -> PortError:
    """The same error with a mend."""
    port: Any = error.port
    reason = error.socketError
    number = getattr(reason, "errno", None)
    if number == errno.EADDRINUSE:
        mend = "another program uses it: stop that one, or choose another port"
    elif number in (errno.EACCES, errno.EPERM):
        mend = (
            "this needs the right to open ports below 1024: run as the system service, grant "
            "CAP_NET_BIND_SERVICE, or set net.ipv4.ip_unprivileged_port_start=1010"
        )
    else:
        mend = str(reason)
    return PortError(f"port {port} cannot be opened: {mend}")
