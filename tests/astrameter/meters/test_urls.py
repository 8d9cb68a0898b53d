from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.urls import Url, device_url, host, http_url, parse_url


class ParseTests(SynchronousTestCase):
    def test_addresses_are_sent_as_written_but_escaped(self) -> None:
        for text, sent in (
            ("http://192.168.1.20", b"http://192.168.1.20/"),
            ("HTTP://Device:80/x", b"http://device/x"),
            ("https://device:443/x", b"https://device/x"),
            ("http://device:8080/cm?cmnd=status%2010", b"http://device:8080/cm?cmnd=status%2010"),
            ("http://device/a b/ä?q=ö", b"http://device/a%20b/%C3%A4?q=%C3%B6"),
            ("http://[FD00:0::1]:81/x", b"http://[fd00::1]:81/x"),
            ("http://küche.local/", b"http://xn--kche-0ra.local/"),
            ("http://home_assistant:8123/", b"http://home_assistant:8123/"),
            ("  http://device/?a=[1]&b=/x?y  ", b"http://device/?a=[1]&b=/x?y"),
        ):
            self.assertEqual(parse_url(text).sent, sent)

    def test_blanks_stray_percents_and_fragments(self) -> None:
        """meters.md section 1.2, "URL text"."""
        self.assertEqual(
            parse_url("http://device/?user=u x&p=a#b%c").sent, b"http://device/?user=u+x&p=a"
        )
        self.assertEqual(
            parse_url("http://device/%41%4?a=5%").sent, b"http://device/%41%254?a=5%25"
        )

    def test_neither_login_nor_query_are_shown(self) -> None:
        url = parse_url("https://u:p%40ss@device:8443/path?token=1")
        self.assertEqual(url.shown, "https://device:8443/path")
        self.assertEqual(url.sent, b"https://device:8443/path?token=1")
        self.assertEqual(url.login, ("u", "p@ss"))
        self.assertEqual(url.origin, ("https", "device", 8443))

    def test_bad_addresses_are_refused_with_a_remedy(self) -> None:
        wanted = "this is an address like http://192.168.1.20/status"
        for text, remark in (
            ("", ": it starts with http:// or https://"),
            ("192.168.1.20/status", ": it starts with http:// or https://"),
            ("ftp://device/", ": it starts with http:// or https://"),
            ("http://", ": no host in it"),
            ("http:///status", ": no host in it"),
            ("http://a device/", ": 'a device' is no host"),
            ("http://-device/", ": '-device' is no host"),
            ("http://[fe80::1%25eth0]/", None),
            ("http://[::1/", ""),
            ("http://[zz]/", ""),
            ("http://::1/", None),
            ("http://device:99999/", ": a port is 1..65535"),
            ("http://device:x/", ": a port is 1..65535"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_url(text)
            self.assertTrue(str(caught.exception).startswith(wanted), text)
            if remark is not None:
                self.assertEqual(str(caught.exception), wanted + remark)

    def test_errors_keep_the_login_secret(self) -> None:
        for text in ("http://u:hunter2@/", "http://u:hunter2@a b/", "http://u:hunter2@d:99999/"):
            with self.assertRaises(ValueError) as caught:
                parse_url(text)
            self.assertNotIn("hunter2", str(caught.exception))

    @settings(deadline=None, derandomize=True)
    @given(st.text(max_size=30))
    def test_any_text_is_an_address_or_refused(self, text: str) -> None:
        for prefix in ("", "http://", "http://device/"):
            try:
                url = parse_url(prefix + text)
            except ValueError:
                continue
            self.assertRegex(url.sent, rb"\Ahttps?://[\x21-\x7e]+\Z")
            self.assertEqual(parse_url(url.sent.decode()).sent, url.sent)


class FollowTests(SynchronousTestCase):
    def test_relative_and_absolute_locations(self) -> None:
        base = parse_url("http://u:p@device:81/a/b?x=1")
        for location, sent in (
            ("/c?y=2", b"http://device:81/c?y=2"),
            ("c", b"http://device:81/a/c"),
            ("https://other/", b"https://other/"),
            ("//other/x", b"http://other/x"),
        ):
            self.assertEqual(base.follow(location).sent, sent)
            self.assertIsNone(base.follow(location).login)
        self.assertRaises(ValueError, base.follow, "ftp://device/")


class DeviceTests(SynchronousTestCase):
    def test_values_of_a_query_are_escaped(self) -> None:
        url = device_url("device:81", "/cm", [("user", "ü&#"), ("heute", None), ("c", "a b")])
        self.assertEqual(url.sent, b"http://device:81/cm?user=%C3%BC%26%23&heute&c=a+b")

    def test_a_path_before_the_path(self) -> None:
        url = device_url("u:p@device/proxy", "/meter 1", scheme="https")
        self.assertEqual((url.sent, url.login), (b"https://device/proxy/meter%201", ("u", "p")))


class KindTests(SynchronousTestCase):
    def test_an_address_round_trips(self) -> None:
        kind = http_url()
        for text in ("http://u%40:p%2F@device:81/a?b=c", "https://[::1]/"):
            url = kind.parse(text)
            self.assertIsInstance(url, Url)
            self.assertEqual(kind.render(url), text)
            self.assertEqual(kind.parse(kind.render(url)), url)

    def test_hosts(self) -> None:
        kind = host()
        for raw, expected in (
            ("192.168.1.20", "192.168.1.20"),
            ("device:8080", "device:8080"),
            ("http://device/", "device"),
            ("::1", "[::1]"),
            ("[::1]:80", "[::1]:80"),
        ):
            self.assertEqual(kind.parse(raw), expected)

    def test_what_is_no_host_is_refused(self) -> None:
        for raw in ("", "https://device", "a device", "device?x=1", "device#x", "device:port"):
            with self.assertRaisesRegex(
                ValueError, "this is (only )?the device's address, like 19"
            ):
                host().parse(raw)
