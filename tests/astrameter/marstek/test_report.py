"""The URLs of the reports, byte by byte (marstek-cloud.md section B)."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.aggregate import Buckets
from astrameter.marstek.report import Report, handshake_url, report_url

HOST = "eu.hamedata.com"
ID = "AABBCC001122"
AT = datetime.fromtimestamp(1795239501, UTC)
WATTS = (120.4, 0.5, -30.6)

CT002 = (
    "http://eu.hamedata.com/prod/api/v1/setCtReporting?id=AABBCC001122&eled=0&elet=0&ap=120&bp=0"
    "&cp=-31&dp=89&rssi=-50&slv=3&udp=1&mqtt=0&timeNo=1795239501&date=2026-11-21&va=0&vb=0&vc=0"
    "&ia=0.00&ib=0.00&ic=0.00&cz=0&ca=-170&cb=0&cc=0&cd=0&dz=33&da=0&db=0&dc=0&dd=120"
)
CT003 = (
    "http://eu.hamedata.com/prod/api/v1/setCtReporting?id=AABBCC001122&eled=0&elet=0&ap=120&bp=0"
    "&cp=-31&dp=89&rssi=-61&slv=3udp=1&mqtt=0&timeNo=1795239505&date=2026-11-21"
    "&cz=0&ca=-200&cb=0&cc=0&cd=0&dz=33&da=0&db=0&dc=0&dd=150"
)


def buckets(charge_a: int, discharge_d: int) -> Buckets:
    return Buckets([0, charge_a, 0, 0, 0], [33, 0, 0, 0, discharge_d], [1, 1, 0, 0, 1])


class Reports(SynchronousTestCase):
    def test_ct002(self) -> None:
        report = Report(WATTS, buckets(-170, 120), 3, -50, False, AT)
        self.assertEqual(report_url(HOST, ID, "HME-4", report).sent.decode(), CT002)

    def test_ct003_with_its_missing_ampersand(self) -> None:
        at = datetime.fromtimestamp(1795239505, UTC)
        report = Report(WATTS, buckets(-200, 150), 3, -61, False, at)
        self.assertEqual(report_url(HOST, ID, "HME-3", report).sent.decode(), CT003)

    def test_no_battery_one_phase_and_mqtt(self) -> None:
        report = Report((99.5,), Buckets(), 0, -50, True, AT)
        sent = report_url(HOST, ID, "HME-4", report).sent.decode()
        self.assertIn("ap=100&bp=0&cp=0&dp=100&", sent)
        self.assertIn("slv=0&udp=1&mqtt=1&", sent)
        self.assertTrue(sent.endswith("cz=0&ca=0&cb=0&cc=0&cd=0&dz=0&da=0&db=0&dc=0&dd=0"))

    def test_no_meter(self) -> None:
        sent = report_url(HOST, ID, "HME-4", Report((), Buckets(), 0, -50, False, AT)).sent
        self.assertIn(b"ap=0&bp=0&cp=0&dp=0&", sent)

    def test_halves_go_to_the_even_number(self) -> None:
        report = Report((0.5, 1.5, 2.5), Buckets(), 0, -50, False, AT)
        self.assertIn(b"ap=0&bp=2&cp=2&dp=4&", report_url(HOST, ID, "HME-4", report).sent)

    def test_the_date_is_that_of_the_house(self) -> None:
        midnight = datetime.fromisoformat("2026-11-22T00:30:00+01:00")
        report = Report(WATTS, Buckets(), 0, -50, False, midnight)
        self.assertIn(b"date=2026-11-22&", report_url(HOST, ID, "HME-4", report).sent)


class Handshake(SynchronousTestCase):
    def test_it_says_type_and_version(self) -> None:
        self.assertEqual(
            handshake_url(HOST, ID, "HME-4").sent.decode(),
            "http://eu.hamedata.com/app/neng/getDateInfoeu.php?uid=AABBCC001122"
            "&fcv=202409090159&aid=HME-4&sv=121",
        )

    def test_an_odd_id_and_a_port(self) -> None:
        sent = handshake_url("127.0.0.1:8080", "a b&c/ä", "HME-3").sent.decode()
        start = "http://127.0.0.1:8080/app/neng/getDateInfoeu.php?uid=a%20b%26c%2F%C3%A4&"
        self.assertTrue(sent.startswith(start), sent)
