"""TLS to a broker: always verified, by the system's authorities unless told otherwise."""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Error as OpenSSLError
from OpenSSL.SSL import SysCallError, ZeroReturnError
from service_identity import VerificationError
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from astrameter.tls import UnusableCertificateError, tls_to

_UNTRUSTED = "certificate verify failed"
_HUNG_UP = "unexpected eof while reading"
_NOT_TLS = frozenset({"wrong version number", "packet length too long", "record layer failure"})


def wrapped(
    endpoint: IStreamClientEndpoint, host: str, trust_root: Any = None
) -> IStreamClientEndpoint:
    """``endpoint`` with TLS that checks the certificate and that it was made out to ``host``."""
    wrapped_endpoint: IStreamClientEndpoint = wrapClientTLS(tls_to(host, trust_root), endpoint)
    return wrapped_endpoint


def problem(failure: Failure) -> str | None:
    """What the broker did wrong with TLS, as in "it ..."; None when TLS is not to blame."""
    error = failure.value
    if isinstance(error, VerificationError):
        return "has a certificate for another name; connect by the name that it is for"
    if isinstance(error, UnusableCertificateError):
        return f"cannot be trusted: {error}"
    if not isinstance(error, OpenSSLError) or isinstance(error, (SysCallError, ZeroReturnError)):
        return None
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [str(entry[-1]) for entry in entries if entry]
    return None if _HUNG_UP in reasons else _handshake_problem(reasons)


def _handshake_problem(reasons: list[str]) -> str:
    if _UNTRUSTED in reasons:
        return (
            "has a certificate that no authority known to this system has signed (add the "
            "authority to the system's certificates, or name its file in SSL_CERT_FILE)"
        )
    if _NOT_TLS.intersection(reasons):
        return "does not speak TLS at this port (8883 is usual)"
    return f"does not agree with us on TLS ({', '.join(reasons) or 'no reason given'})"
