"""Certificates of sources that are known by name or address."""

from __future__ import annotations

import ipaddress
from typing import Any

from cryptography import x509
from service_identity import VerificationError
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from astrameter.tls import UnverifiedTls, tls_to
from tests.astrameter.meters.websocket_rig import certificate, pem, server_tls, shake_hands

NAME = x509.DNSName("ha.home")
ADDRESS = x509.IPAddress(ipaddress.ip_address("192.168.1.2"))


class TlsToTests(SynchronousTestCase):
    def setUp(self) -> None:
        authority = pem(certificate(["Test CA"], issuer=None)).encode()
        self.trust: Any = trustRootFromCertificates([Certificate.loadPEM(authority)])

    def outcome(self, host: str, *alternative: x509.GeneralName, **more: Any) -> str:
        """``hello`` when the server got our words, else why not."""
        one = certificate(["x"], alternative=alternative, **more)
        client, server = shake_hands(tls_to(host, self.trust), server_tls(one, "x"))
        if server.data:
            return server.data.decode()
        error = client.lost.value
        return "another name" if isinstance(error, VerificationError) else repr(error)

    def test_names_and_addresses(self) -> None:
        self.assertEqual(self.outcome("ha.home", NAME), "hello")
        self.assertEqual(self.outcome("192.168.1.2", ADDRESS), "hello")
        self.assertEqual(self.outcome("ha.home", ADDRESS, NAME), "hello")

    def test_others_are_refused(self) -> None:
        self.assertEqual(self.outcome("other.home", NAME), "another name")
        self.assertEqual(self.outcome("192.168.1.3", ADDRESS), "another name")
        self.assertEqual(self.outcome("192.168.1.2", NAME), "another name")

    def test_a_common_name_is_no_name_here(self) -> None:
        self.assertIn("does not say what it is for", self.outcome("x"))

    def test_other_authorities_are_refused_without_a_trace_in_the_log(self) -> None:
        for alternative in ((NAME,), (ADDRESS,), ()):
            for issuer in (None, "Other CA"):
                said = self.outcome("ha.home", *alternative, issuer=issuer)
                self.assertIn("certificate verify failed", said)
        self.trust = None
        self.assertIn("certificate verify failed", self.outcome("ha.home", NAME))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_names_are_sent_along_and_addresses_are_not(self) -> None:
        for host, wanted in (("ha.home", b"ha.home"), ("192.168.1.2", None)):
            tls = server_tls(certificate(["x"], alternative=[NAME, ADDRESS]), "x")
            asked: list[bytes | None] = []
            tls.getContext().set_tlsext_servername_callback(
                lambda connection, asked=asked: asked.append(connection.get_servername())
            )
            _client, server = shake_hands(tls_to(host, self.trust), tls)
            self.assertEqual(server.data, b"hello")
            self.assertEqual([name for name in asked if name], [wanted] if wanted else [])

    def test_unverified_takes_anything(self) -> None:
        one = certificate(["x"], issuer=None, valid_days=-1)
        _client, server = shake_hands(UnverifiedTls(), server_tls(one, "x"))
        self.assertEqual(server.data, b"hello")
