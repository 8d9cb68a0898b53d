"""TLS to a source whose certificate is checked.

As :func:`twisted.internet.ssl.optionsForClientTLS` does it, but for two faults of Twisted 26.10: it
logs a trace, and then takes the certificate for any host, when an authority has signed one without
alternative names; and it logs one at every attempt to reach a server whose certificate has two
faults, because OpenSSL asks about each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.reading import MeterError

Judge = Callable[[X509], Exception | None]
"""What is wrong with the certificate of a server whose signature is good; None: nothing."""


class UnusableCertificateError(MeterError):
    """A certificate that an authority has signed, and that proves nothing all the same."""

    def __init__(self, text: str) -> None:
        super().__init__("tls_certificate", text)


@implementer(IOpenSSLClientConnectionCreator)
class VerifiedTls:
    """Goes on with servers whose certificate is signed by an authority and passes the judge."""

    def __init__(self, options: CertificateOptions, server_name: str | None, judge: Judge) -> None:
        """:param server_name: to send to the server; it may have several certificates."""
        self._context = options.getContext()
        self._server_name = server_name
        self._judge = judge

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803  as the interface has it
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name.encode("ascii"))

        def verify(_: object, certificate: X509, _error: int, depth: int, good: int) -> bool:
            if not good or depth:
                return bool(good)
            problem = self._verdict(certificate)
            if problem is not None:
                tlsProtocol.failVerification(Failure(problem))
            return problem is None

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _verdict(self, certificate: X509) -> Exception | None:
        try:
            return self._judge(certificate)
        except Exception as error:  # noqa: BLE001  OpenSSL cannot hand exceptions on
            text = f"the certificate of the server cannot be understood ({error})"
            return UnusableCertificateError(text)


@implementer(IOpenSSLClientConnectionCreator)
class UnverifiedTls:
    """Encryption without knowing who is at the other end."""

    def __init__(self, server_name: str | None = None) -> None:
        """:param server_name: to send to the server; an address is not sent."""
        self._context = CertificateOptions().getContext()
        self._server_name = server_name if server_name and not _is_address(server_name) else None

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803  as the interface has it
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name.encode("ascii"))
        return connection


def tls_to(host: str, trust_root: Any = None) -> IOpenSSLClientConnectionCreator:
    """TLS to a host by name or address, as browsers do it.

    :param trust_root: whom to trust instead of the system's authorities (an ``IOpenSSLTrustRoot``).
    :raises ValueError: when there can be no certificate for ``host``.
    """
    by_address = _is_address(host)
    wanted = IPAddress_ID(host) if by_address else DNS_ID(host)

    def judge(certificate: X509) -> Exception | None:
        try:
            verify_service_identity(extract_patterns(certificate), [wanted], [])
        except VerificationError as error:
            return error
        except CertificateError:
            text = f"the certificate of {host} does not say what it is for (subjectAltName)"
            return UnusableCertificateError(text)
        return None

    options = CertificateOptions(trustRoot=trust_root or platformTrust())
    return VerifiedTls(options, None if by_address else host, judge)


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)
