"""How a broker is reached, and what a failure to reach it means in the owner's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet import defer, error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from astrameter.mqtt.settings import MqttSettings
from astrameter.mqtt.tls import problem, wrapped

CONNECT_S = 10.0
"""Time to find and reach the broker."""

_TIMEOUTS = (
    error.TimeoutError,
    error.TCPTimedOutError,
    error.ConnectingCancelledError,
    defer.TimeoutError,
)

EndpointFactory = Callable[[Any, MqttSettings], IStreamClientEndpoint]
"""``(reactor, settings)`` to the way to the broker, TLS included."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no connection.

    :ivar kind: one word; the log speaks up when it changes.
    :ivar text: the whole story for the owner.
    :ivar patient: trying again soon cannot help.
    """

    kind: str
    text: str
    patient: bool = False


def broker_endpoint(
    reactor: Any, settings: MqttSettings, trust_root: Any = None
) -> IStreamClientEndpoint:
    """TCP to the broker by name or address, with TLS when the settings ask for it.

    :param trust_root: whom to trust instead of the system's authorities (an ``IOpenSSLTrustRoot``).
    """
    host, port = settings.host, settings.port
    endpoint: IStreamClientEndpoint
    if isIPAddress(host):
        endpoint = TCP4ClientEndpoint(reactor, host, port, timeout=CONNECT_S)
    elif isIPv6Address(host):
        endpoint = TCP6ClientEndpoint(reactor, host, port, timeout=CONNECT_S)
    else:
        endpoint = HostnameEndpoint(reactor, host, port, timeout=CONNECT_S)
    if settings.tls:
        endpoint = wrapped(endpoint, host, trust_root)
    return endpoint


def why_unreachable(failure: Failure, settings: MqttSettings) -> Trouble:
    """The meaning of a failed attempt to connect."""
    if failure.check(error.ConnectionRefusedError):
        reason = "it refuses connections; is it running?"
    elif failure.check(*_TIMEOUTS):
        reason = f"no answer within {CONNECT_S:.0f} s"
    elif failure.check(error.DNSLookupError):
        reason = "the name is not known here"
    else:
        reason = failure.getErrorMessage() or type(failure.value).__name__
    return Trouble("unreachable", f"the broker at {settings.address} cannot be reached: {reason}")


def why_lost(failure: Failure, settings: MqttSettings, established: bool) -> Trouble:
    """The meaning of a connection that ended without our doing."""
    where = f"the broker at {settings.address}"
    text = problem(failure)
    if text is not None:
        return Trouble("tls", f"{where} {text}", patient=True)
    if not established:
        hint = "is this its port for TLS" if settings.tls else "does this port want TLS"
        return Trouble("unanswered", f"{where} hung up instead of answering; {hint}?")
    if failure.check(error.ConnectionDone):
        return Trouble("lost", f"{where} closed the connection")
    return Trouble("lost", f"the connection to {where} broke: {failure.getErrorMessage()}")
