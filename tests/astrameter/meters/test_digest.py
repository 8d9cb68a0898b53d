from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.digest import Challenge, DigestLogin, challenge_of

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"

HASHES = {
    "MD5": hashlib.md5,
    "SHA": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
}


def header(algorithm: str = "SHA-256", nonce: str = "n1", more: str = "") -> str:
    return f'Digest qop="auth", realm="r", nonce="{nonce}", algorithm={algorithm}{more}'


def login(*cnonces: str) -> DigestLogin:
    remaining: Iterator[str] = iter(cnonces or [f"c{i}" for i in range(9)])
    return DigestLogin("user", "pass", lambda: next(remaining))


def parts(authorization: str | None) -> dict[str, str]:
    assert authorization is not None
    scheme, rest = authorization.split(" ", 1)
    assert scheme == "Digest"
    return {k: v.strip('"') for k, v in (item.split("=", 1) for item in rest.split(", "))}


class StandardTests(SynchronousTestCase):
    """The examples of RFC 7616 section 3.9.1 and RFC 2617 section 3.5."""

    def response(self, algorithm: str) -> str:
        one = DigestLogin("Mufasa", "Circle of Life", lambda: CNONCE)
        header = (
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", '
            f'algorithm={algorithm}, nonce="{NONCE}", opaque="{OPAQUE}"'
        )
        self.assertTrue(one.challenged([header]))
        found = parts(one.authorization("GET", "/dir/index.html"))
        self.assertEqual((found["opaque"], found["nc"]), (OPAQUE, "00000001"))
        self.assertEqual((found["qop"], found["algorithm"]), ("auth", algorithm))
        return found["response"]

    def test_md5(self) -> None:
        self.assertEqual(self.response("MD5"), "8ca523f5e9506fed4657c9700eebdbec")

    def test_sha_256(self) -> None:
        self.assertEqual(
            self.response("SHA-256"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        )

    def test_the_older_standard(self) -> None:
        one = DigestLogin("Mufasa", "Circle Of Life", lambda: "0a4f113b")
        header = (
            'Digest realm="testrealm@host.com", qop="auth,auth-int", '
            'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
        )
        one.challenged([header])
        found = parts(one.authorization("GET", "/dir/index.html"))
        self.assertEqual(found["response"], "6629fae49393a05397450978507c4ef1")
        self.assertNotIn("algorithm", found)


class AlgorithmTests(SynchronousTestCase):
    def test_every_algorithm_in_any_case(self) -> None:
        for name, function in HASHES.items():
            for written in (name, name.lower(), f"{name}-sess", f"{name}-SESS"):
                one = login("c1")
                self.assertTrue(one.challenged([header(written)]), written)

                def digest(text: str, function: object = function) -> str:
                    return str(function(text.encode()).hexdigest())  # type: ignore[operator]

                secret = digest("user:r:pass")
                if written.lower().endswith("-sess"):
                    secret = digest(f"{secret}:n1:c1")
                expected = digest(f"{secret}:n1:00000001:c1:auth:{digest('GET:/a?b=c')}")
                found = parts(one.authorization("GET", "/a?b=c"))
                self.assertEqual(found["response"], expected, written)
                self.assertEqual(found["algorithm"], written)

    def test_without_quality_of_protection(self) -> None:
        one = login("c1")
        one.challenged(['Digest realm="r", nonce="n1"'])

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        self.assertEqual(
            one.authorization("GET", "/a"),
            'Digest username="user", realm="r", nonce="n1", uri="/a", '
            f'response="{md5(md5("user:r:pass") + ":n1:" + md5("GET:/a"))}"',
        )

    def test_what_cannot_be_answered(self) -> None:
        for headers in (
            [],
            [""],
            ["Digest"],
            ['Basic realm="r"'],
            ['Digest realm="r"'],
            [header("SHA-512-256")],
            [header("MD4")],
            [header("-SESS")],
            ['Digest realm="r", nonce="n", qop="auth-int"'],
        ):
            one = login()
            self.assertFalse(one.challenged(headers), headers)
            self.assertIsNone(one.authorization("GET", "/"))


class ChallengeTests(SynchronousTestCase):
    def test_the_first_that_can_be_answered_is_taken(self) -> None:
        for headers in (
            ['Basic realm="x"', header("MD4", "n0"), header("SHA-256"), header("MD5", "n2")],
            [f'Basic realm="x", {header("MD4", "n0")}, {header()}, {header("MD5", "n2")}'],
            [f"Negotiate abc==, {header()}"],
        ):
            found = challenge_of(headers)
            self.assertEqual(found, Challenge("r", "n1", "SHA-256"), headers)

    def test_spelling(self) -> None:
        for written in (
            'DIGEST NONCE="n1",REALM="r",Algorithm="SHA-256",QOP="auth"',
            "digest nonce = n1 ,, realm= r, algorithm =SHA-256,qop=auth ,",
            'Digest qop="auth-int ,AUTH", realm="r", nonce="n1", algorithm=SHA-256, "junk", ;x',
        ):
            self.assertEqual(challenge_of([written]), Challenge("r", "n1", "SHA-256"), written)

    def test_quotes_commas_and_backslashes_inside_of_quotes(self) -> None:
        found = challenge_of([r'Digest realm="a \"b\", \\c=d", nonce="n", stale=TRUE, opaque=""'])
        self.assertEqual(found, Challenge('a "b", \\c=d', "n", "", False, "", True))

    def test_quotes_are_sent_escaped(self) -> None:
        one = DigestLogin('a"b\\c', "pass", lambda: "c1")
        one.challenged([r'Digest realm="\"r\"", nonce="n"'])
        sent = one.authorization("GET", "/") or ""
        self.assertIn(r'username="a\"b\\c", realm="\"r\""', sent)

    @settings(deadline=None, derandomize=True)
    @given(st.text(alphabet='Digest realmnocq=",\\ \t%5'), st.text(max_size=20))
    @example('Digest nonce="', "")
    @example('Digest nonce="\\', "")
    def test_any_header_is_survived(self, written: str, more: str) -> None:
        for text in (written, more, f"Digest nonce=1,{written}", f'{written}"{more}'):
            one = login()
            taken = one.challenged([text])
            sent = one.authorization("GET", "/")
            self.assertEqual(taken, sent is not None)

    def test_a_long_header_of_nonsense_is_survived(self) -> None:
        for text in (
            'a="',
            "a" * 50_000,
            "a= " * 20_000,
            'a="\\' * 20_000,
            " " * 50_000,
            ",;" * 9999,
        ):
            self.assertIsNone(challenge_of([f"Digest {text}"]))


class SequenceTests(SynchronousTestCase):
    def test_nothing_is_sent_before_the_first_challenge(self) -> None:
        self.assertIsNone(login().authorization("GET", "/"))

    def test_a_challenge_serves_many_requests(self) -> None:
        one = login()
        one.challenged([header()])
        found = [parts(one.authorization("GET", "/")) for _ in range(3)]
        self.assertEqual([f["nc"] for f in found], ["00000001", "00000002", "00000003"])
        self.assertEqual([f["cnonce"] for f in found], ["c0", "c1", "c2"])
        self.assertEqual(len({f["response"] for f in found}), 3)

    def test_a_session_keeps_its_client_nonce(self) -> None:
        one = login()
        one.challenged([header("MD5-sess")])
        found = [parts(one.authorization("GET", "/")) for _ in range(2)]
        self.assertEqual([f["cnonce"] for f in found], ["c0", "c0"])
        one.challenged([header("MD5-sess", "n2")])
        self.assertEqual(parts(one.authorization("GET", "/"))["cnonce"], "c1")

    def test_a_new_nonce_is_answered_and_counted_from_one(self) -> None:
        one = login()
        one.challenged([header()])
        one.authorization("GET", "/")
        one.authorization("GET", "/")
        self.assertTrue(one.challenged([header(nonce="n2")]))
        found = parts(one.authorization("GET", "/"))
        self.assertEqual((found["nonce"], found["nc"]), ("n2", "00000001"))

    def test_a_stale_nonce_is_answered_even_if_it_is_the_same(self) -> None:
        one = login()
        one.challenged([header()])
        self.assertTrue(one.challenged([header(more=", stale=true")]))
        self.assertFalse(one.challenged([header(more=", stale=false")]))

    def test_the_same_challenge_again_means_that_the_password_is_wrong(self) -> None:
        one = login()
        one.challenged([header()])
        self.assertFalse(one.challenged([header()]))
        self.assertIsNone(one.authorization("GET", "/"))
        self.assertTrue(one.challenged([header()]))

    def test_the_header_is_one_clean_line(self) -> None:
        one = login()
        one.challenged([header()])
        sent = one.authorization("GET", "/rpc?id=0") or ""
        self.assertRegex(sent, re.compile(r'\ADigest (\w+=("[^"]*"|[\w-]+)(, |\Z))+\Z'))
        self.assertNotIn("pass", sent)
