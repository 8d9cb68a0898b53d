"""TLS to HomeWizard's devices: their certificates name the device, not its address.

The name is ``appliance/p1dongle/SERIAL`` (meters.md section 16). It has to be equal, as a whole
and without regard to case, to the subject's only common name, where today's devices have it, or
to an alternative name, should they come to follow the custom of the web. Only the vendor can sign
either, and only the vendor is trusted.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates

from astrameter.meters.homewizard_ca import VENDOR_CA
from astrameter.reading import MeterError
from astrameter.tls import UnverifiedTls, VerifiedTls

_SHOWN_CHARACTERS = 80


def appliance_tls(serial: str | None) -> IOpenSSLClientConnectionCreator:
    """What TLS is to check.

    :param serial: of the only device that will do, in lower case; None: whoever answers.
    """
    if serial is None:
        return UnverifiedTls()
    name = f"appliance/p1dongle/{serial}"

    def judge(certificate: X509) -> MeterError | None:
        names = names_in(certificate.to_cryptography())
        if name in map(str.lower, names):
            return None
        shown = ", ".join(names)[:_SHOWN_CHARACTERS] or "nobody"
        return MeterError(
            "tls_certificate",
            f"the certificate is for {shown!r} and not for {name!r}: check SERIAL and IP; "
            "a device that is no P1 meter needs VERIFY_SSL = no",
        )

    authority = Certificate.loadPEM(VENDOR_CA.encode("ascii"))
    options = CertificateOptions(trustRoot=trustRootFromCertificates([authority]))
    return VerifiedTls(options, name, judge)


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
