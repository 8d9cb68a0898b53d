"""TLS to HomeWizard's devices: their certificates name the device, not its address.

The name is ``appliance/p1dongle/SERIAL`` (meters.md section 16). It has to be equal, as a whole
and without regard to case, to the subject's only common name, where today's devices have it, or
to an alternative name, should they come to follow the custom of the web. Only the vendor can sign
either, and only the vendor is trusted.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from astrameter.meters.homewizard_ca import VENDOR_CA
from astrameter.reading import MeterError

_SHOWN_CHARACTERS = 80


def appliance_tls(serial: str | None, authority_pem: str = "") -> IOpenSSLClientConnectionCreator:
    """What TLS is to check.

    :param serial: of the only device that will do, in lower case; None: whoever answers.
    :param authority_pem: whom to trust instead of the vendor.
    """
    if serial is None:
        return _Unverified(CertificateOptions())
    authority = Certificate.loadPEM((authority_pem or VENDOR_CA).encode("ascii"))
    options = CertificateOptions(trustRoot=trustRootFromCertificates([authority]))
    return _Appliance(options, f"appliance/p1dongle/{serial}")


def names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names that a certificate is for.

    :raises ValueError: when it cannot be understood.
    """
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = [str(one.value) for one in common] if len(common) == 1 else []
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return tuple(names)
    names += extension.value.get_values_for_type(x509.DNSName)
    names += extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(names)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    def __init__(self, options: CertificateOptions) -> None:
        self._context = options.getContext()

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803  as the interface has it
    ) -> SSL.Connection:
        return SSL.Connection(self._context, None)


@implementer(IOpenSSLClientConnectionCreator)
class _Appliance:
    def __init__(self, options: CertificateOptions, name: str) -> None:
        self._context = options.getContext()
        self._name = name

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803  as the interface has it
    ) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(self._name.encode("ascii"))

        def verify(_: object, certificate: X509, _error: int, depth: int, good: int) -> bool:
            if not good or depth:
                return bool(good)
            problem = self._problem(certificate)
            if problem is not None:
                tlsProtocol.failVerification(Failure(problem))
            return problem is None

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _problem(self, certificate: X509) -> MeterError | None:
        try:
            names = names_in(certificate.to_cryptography())
        except Exception:  # noqa: BLE001  OpenSSL cannot hand exceptions on
            names = ()
        if self._name in map(str.lower, names):
            return None
        shown = ", ".join(names)[:_SHOWN_CHARACTERS] or "nobody"
        return MeterError(
            "tls_certificate",
            f"the certificate is for {shown!r} and not for {self._name!r}: check SERIAL and IP; "
            "a device that is no P1 meter needs VERIFY_SSL = no",
        )
