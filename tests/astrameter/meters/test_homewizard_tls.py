"""Which certificates are a HomeWizard meter's (meters.md section 16)."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL.crypto import X509, X509Store, X509StoreContext
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters import homewizard_tls
from astrameter.meters.homewizard_ca import VENDOR_CA
from astrameter.meters.homewizard_tls import appliance_tls, names_in
from astrameter.reading import MeterError
from tests.astrameter.meters.websocket_rig import certificate, key, pem, server_tls, shake_hands

SERIAL = "5c2fafaabbcc"
NAME = f"appliance/p1dongle/{SERIAL}"
FINGERPRINT = (
    "4E:C2:77:E6:20:33:FA:E8:BC:37:3E:3F:2A:97:66:76:"
    "D3:F6:65:68:38:73:F1:EA:8E:3B:DF:78:AC:68:00:03"
)


def element(tag: int, content: bytes) -> bytes:
    """One element of DER."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """The elements inside of one: tag, and the whole of it."""
    found, at = [], 0
    while at < len(der):
        size, head = der[at + 1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(der[at + 2 : at + head], "big")
        found.append((der[at], der[at : at + head + size]))
        at += head + size
    return found


def inside(der: bytes) -> bytes:
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


def as_version_1(one: x509.Certificate, issuer: str) -> x509.Certificate:
    """The same certificate without version and extensions, as the vendor's is."""
    parts = elements(inside(one.tbs_certificate_bytes))
    body = element(0x30, b"".join(part for tag, part in parts if tag not in (0xA0, 0xA3)))
    signature = key(issuer).sign(body, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    whole = element(0x30, body + algorithm + element(0x03, b"\0" + signature))
    return x509.load_der_x509_certificate(whole)


class AuthorityTests(SynchronousTestCase):
    def test_it_is_the_one_of_the_vendor(self) -> None:
        authority = x509.load_pem_x509_certificate(VENDOR_CA.encode())
        self.assertEqual(authority.fingerprint(hashes.SHA256()).hex(":").upper(), FINGERPRINT)
        self.assertEqual(
            authority.subject.rfc4514_string(),
            "CN=Appliance Access CA,O=HomeWizard,ST=ZH,C=NL",
        )

    def test_openssl_takes_a_certificate_of_version_1_for_an_authority(self) -> None:
        authority = X509.from_cryptography(x509.load_pem_x509_certificate(VENDOR_CA.encode()))
        self.assertEqual(authority.get_version(), 0)
        store = X509Store()
        store.add_cert(authority)
        X509StoreContext(store, authority).verify_certificate()


class NameTests(SynchronousTestCase):
    def names(self, *common_names: str, **more: Any) -> tuple[str, ...]:
        return names_in(certificate(common_names, **more))

    def test_the_common_name(self) -> None:
        self.assertEqual(self.names(NAME), (NAME,))

    def test_of_several_common_names_none_counts(self) -> None:
        self.assertEqual(self.names(NAME, "other"), ())
        self.assertEqual(self.names(), ())

    def test_alternative_names(self) -> None:
        alternative = [
            x509.DNSName("a.b"),
            x509.UniformResourceIdentifier("urn:x"),
            x509.RFC822Name("c@d"),
        ]
        self.assertEqual(self.names(NAME, alternative=alternative), (NAME, "a.b", "urn:x"))


class HandshakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(homewizard_tls, "VENDOR_CA", pem(certificate(["Test CA"], issuer=None)))

    def outcome(self, one: x509.Certificate, owner: str, serial: str | None = SERIAL) -> str:
        """``hello`` when the server got our words, else why not."""
        client, server = shake_hands(appliance_tls(serial), server_tls(one, owner))
        if server.data:
            self.assertIsNone(client.lost)
            return server.data.decode()
        error = client.lost.value
        self.assertNotIn(b"hello", server.data)
        return str(error) if isinstance(error, MeterError) else repr(error)

    def test_the_right_name(self) -> None:
        self.assertEqual(self.outcome(certificate([NAME]), NAME), "hello")

    def test_the_name_is_sent_along(self) -> None:
        tls = server_tls(certificate([NAME]), NAME)
        asked: list[bytes | None] = []
        tls.getContext().set_tlsext_servername_callback(
            lambda connection: asked.append(connection.get_servername())
        )
        shake_hands(appliance_tls(SERIAL), tls)
        self.assertEqual(asked, [NAME.encode()])

    def test_case_does_not_matter(self) -> None:
        self.assertEqual(self.outcome(certificate([NAME.upper()]), NAME.upper()), "hello")

    def test_an_alternative_name(self) -> None:
        for alternative in (x509.DNSName(NAME), x509.UniformResourceIdentifier(NAME)):
            one = certificate(["P1"], alternative=[alternative])
            self.assertEqual(self.outcome(one, "P1"), "hello")

    def test_the_common_name_counts_beside_alternative_names(self) -> None:
        one = certificate([NAME], alternative=[x509.DNSName("p1.local")])
        self.assertEqual(self.outcome(one, NAME), "hello")

    def test_an_authority_of_version_1_as_the_vendors_is(self) -> None:
        old = as_version_1(certificate(["Test CA"], issuer=None), "Test CA")
        self.assertEqual(old.version, x509.Version.v1)
        self.patch(homewizard_tls, "VENDOR_CA", pem(old))
        self.assertEqual(self.outcome(certificate([NAME]), NAME), "hello")

    def test_other_names_are_refused(self) -> None:
        for name in (
            "appliance/p1dongle/000000000000",
            f"appliance/energysocket/{SERIAL}",
            f"x{NAME}",
            f"{NAME}x",
            SERIAL,
            "*",
            "appliance/p1dongle/*",
        ):
            with self.subTest(name=name):
                said = self.outcome(certificate([name]), name)
                self.assertIn(f"the certificate is for {name!r} and not for {NAME!r}", said)

    def test_a_certificate_without_a_name_or_with_two_is_refused(self) -> None:
        self.assertIn("is for 'nobody'", self.outcome(certificate([]), "nobody"))
        self.assertIn("is for 'nobody'", self.outcome(certificate([NAME, "b"]), NAME))

    def test_other_authorities_are_refused(self) -> None:
        for issuer in (None, "Other CA"):
            said = self.outcome(certificate([NAME], issuer=issuer), NAME)
            self.assertIn("certificate verify failed", said)

    def test_a_certificate_that_has_expired_is_refused(self) -> None:
        said = self.outcome(certificate([NAME], valid_days=-1), NAME)
        self.assertIn("certificate verify failed", said)

    def test_without_a_serial_everybody_will_do(self) -> None:
        self.assertEqual(self.outcome(certificate(["x"], issuer=None), "x", None), "hello")

    def test_a_certificate_that_cannot_be_understood_is_refused(self) -> None:
        def fail(_certificate: object) -> tuple[str, ...]:
            raise ValueError("what is this")

        self.patch(homewizard_tls, "names_in", fail)
        said = self.outcome(certificate([NAME]), NAME)
        self.assertIn("cannot be understood (what is this)", said)
