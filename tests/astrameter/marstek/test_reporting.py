"""Reports to the cloud: when, as whom, and what happens when it is away (marstek-cloud.md B)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.backoff import Backoff
from astrameter.ct.options import CtOptions
from astrameter.marstek import reporting
from astrameter.marstek.cloud import Cloud, Surroundings
from astrameter.marstek.managed import Managed, ManagedCts
from astrameter.marstek.options import MarstekOptions
from astrameter.marstek.reporting import CloudReporting
from astrameter.meters.http import HttpClient
from astrameter.meters.interface import IMeter
from astrameter.reading import MeterError, Sample
from astrameter.services import dismiss, start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.astrameter.ct.rig import BATTERY, NOON, Rig
from tests.astrameter.marstek.cloud_stub import (
    DATE,
    LOGIN,
    MAILBOX,
    PASSWORD,
    REPORT,
    CloudStub,
)
from tests.logged import logged

ON = CtOptions(ct_mac="AABBCC001122", cloud_reporting=True)


class _Steady(Backoff):
    """Waits without jitter."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        class No:
            def random(self) -> float:
                return 0.0

        super().__init__(first_s, longest_s, No())  # type: ignore[arg-type]


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.cloud = CloudStub()
        self.patch(HttpClient, "send", self.cloud.send)
        self.patch(reporting, "Backoff", _Steady)
        self.rig = Rig()
        self.clock: Clock = self.rig.clock
        self.rig.meter.script([120.4, 0.5, -30.6])
        self.managed = ManagedCts()
        self.meters: list[IMeter] = [self.rig.meter]
        self.mqtt = False
        self.registering = False

    def around(self) -> tuple[Any, ...]:
        return (
            lambda: self.meters[0] if self.meters else None,
            lambda: self.mqtt,
            lambda: NOON,
        )

    def report(self, options: CtOptions = ON, ct_type: str = "HME-4") -> CloudReporting:
        one = CloudReporting(
            self.clock,
            options,
            ct_type,
            self.rig.ct,
            self.managed,
            lambda: self.registering,
            *self.around(),
        )
        start(one)
        self.addCleanup(stop, one)
        return one


class Rhythm(Case):
    def test_a_handshake_and_then_a_report_each_interval(self) -> None:
        self.report()
        self.assertEqual(self.cloud.paths, [DATE, REPORT])
        self.clock.advance(59)
        self.assertEqual(len(self.cloud.asked), 2)
        self.clock.advance(1)
        self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [DATE, REPORT, REPORT, REPORT])

    def test_what_is_reported(self) -> None:
        self.rig.send(BATTERY.but(power_w=-200))
        self.mqtt = True
        self.report()
        handshake, report = (one.fields for one in self.cloud.asked)
        self.assertEqual((handshake["uid"], handshake["aid"]), ("AABBCC001122", "HME-4"))
        self.assertEqual(report["id"], "AABBCC001122")
        self.assertEqual([report[k] for k in ("ap", "bp", "cp", "dp")], ["120", "0", "-31", "89"])
        self.assertEqual((report["slv"], report["mqtt"], report["rssi"]), ("1", "1", "-50"))
        self.assertEqual(report["timeNo"], str(int(NOON.timestamp())))

    def test_the_interval_is_configured(self) -> None:
        options = CtOptions(ct_mac="A", cloud_reporting=True, cloud_reporting_interval=5.0)
        self.report(options)
        self.clock.pump([5, 5])
        self.assertEqual(self.cloud.paths.count(REPORT), 3)

    def test_the_host_is_configured(self) -> None:
        asked = []

        def send(_client: object, request: Any) -> Deferred[Any]:
            asked.append(request.url.netloc)
            return self.cloud.send(request)

        self.patch(HttpClient, "send", send)
        self.report(CtOptions(ct_mac="A", cloud_reporting=True, cloud_reporting_host="x:81"))
        self.assertEqual(asked, ["x:81", "x:81"])

    def test_without_a_meter_zeros_are_reported(self) -> None:
        self.meters.clear()
        self.report()
        self.assertEqual(self.cloud.asked[-1].fields["dp"], "0")


class Identity(Case):
    def test_the_registered_mac_comes_first(self) -> None:
        self.managed.put("HME-4", Managed("02b250aabbcc"))
        self.report()
        self.assertEqual(self.cloud.asked[-1].fields["id"], "02b250aabbcc")

    def test_without_any_nothing_is_sent_and_that_is_told_once(self) -> None:
        with logged() as lines:
            self.report(CtOptions(cloud_reporting=True))
            self.clock.pump([60] * 5)
        self.assertEqual(self.cloud.paths, [])
        self.assertEqual(len(lines), 2)
        self.assertIn("nothing is reported to the cloud", lines[1])

    def test_while_it_is_being_registered_nothing_is_told(self) -> None:
        self.registering = True
        with logged() as lines:
            self.report(CtOptions(cloud_reporting=True))
            self.clock.advance(3600)
            self.managed.put("HME-3", Managed("02b250000000"))
            self.assertEqual(self.cloud.paths, [])
        self.assertEqual(len(lines), 1)

    def test_as_soon_as_it_is_registered_it_is_reported(self) -> None:
        self.registering = True
        self.report(CtOptions(cloud_reporting=True))
        self.managed.put("HME-4", Managed("02b250aabbcc"))
        self.assertEqual(self.cloud.paths, [DATE, REPORT])
        self.assertEqual(
            {one.fields.get("id", "02b250aabbcc") for one in self.cloud.asked}, {"02b250aabbcc"}
        )
        self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [DATE, REPORT, REPORT])

    def test_a_stop_while_it_waits_for_that_leaves_nothing(self) -> None:
        one = self.report(CtOptions(cloud_reporting=True))
        self.successResultOf(stop(one))
        self.managed.put("HME-4", Managed("02b250aabbcc"))
        self.assertEqual(self.cloud.paths, [])

    def test_one_that_is_registered_later_is_introduced(self) -> None:
        self.report()
        self.managed.put("HME-4", Managed("02b250aabbcc"))
        self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [DATE, REPORT, DATE, REPORT])
        self.assertEqual(self.cloud.asked[2].fields["uid"], "02b250aabbcc")


class Trouble(Case):
    def test_a_cloud_that_is_away_is_asked_ever_more_rarely(self) -> None:
        self.cloud.instead[DATE] = MeterError("connect", "refused")
        with logged() as lines:
            self.report()
            self.clock.pump([60] * 120)
            tries = len(self.cloud.asked)
            self.assertEqual(self.cloud.paths.count(REPORT), 0)
            self.cloud.instead.clear()
            self.clock.advance(900)
            self.assertEqual(self.cloud.paths[tries:], [DATE, REPORT])
            self.cloud.take()
            self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [REPORT])
        self.assertIn(tries, (11, 12))
        self.assertIn("works again", lines[-1])

    def test_a_refusal_is_told(self) -> None:
        self.cloud.instead[REPORT] = (403, b"")
        with logged() as lines:
            self.report()
        self.assertIn("setCtReporting answered 403", lines[-1])

    def test_when_the_meter_fails_this_report_is_left_out(self) -> None:
        self.rig.meter.script("error")
        with logged() as lines:
            self.report()
            self.assertEqual(self.cloud.paths, [DATE])
            self.rig.meter.script([1.0])
            self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [DATE, REPORT])
        self.assertIn("the reading for the cloud failed", lines[1])
        self.assertIn("the reading for the cloud works again", lines[2])

    def test_a_meter_that_hangs_does_not_hang_the_reports(self) -> None:
        self.rig.meter.hold_back()
        with logged() as lines:
            self.report()
            self.clock.advance(10)
        self.assertIn("no reading within 10 s", lines[-1])
        self.rig.meter.delay = None
        self.clock.advance(60)
        self.assertEqual(self.cloud.paths, [DATE, REPORT])

    def test_a_stop_leaves_nothing(self) -> None:
        self.rig.meter.hold_back()
        one = self.report()
        self.successResultOf(stop(one))
        self.rig.protocol.stopProtocol()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_batteries_are_answered_meanwhile(self) -> None:
        hanging: list[Deferred[Sample]] = []

        def send(*_arguments: Any) -> Deferred[Any]:
            hanging.append(Deferred())
            return hanging[-1]

        self.patch(HttpClient, "send", send)
        self.report()
        self.assertEqual(len(hanging), 1)
        self.assertEqual(len(self.rig.replies(BATTERY)), 1)


class Together(Case):
    """Registration and reports, as the configuration wants them."""

    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.clock, None, StateOptions(), lambda: NOON)
        self.managed = ManagedCts(self.store)
        around = Surroundings(*self.around())
        self.parts = Cloud(self.clock, self.managed, self.store, around)
        start(self.parts)
        self.addCleanup(stop, self.parts)

    def configure(self, marstek: MarstekOptions, ct: CtOptions | None = None) -> None:
        cts = {} if ct is None else {"HME-4": (ct, self.rig.ct)}
        for one in self.parts.configure(marstek, cts):
            self.successResultOf(dismiss(one))

    def test_nothing_is_sent_unless_it_is_configured(self) -> None:
        self.configure(MarstekOptions())
        self.configure(MarstekOptions(), CtOptions(ct_mac="AABBCC001122"))
        self.configure(MarstekOptions(mailbox=MAILBOX, password=PASSWORD), CtOptions())
        self.clock.pump([3600] * 24)
        self.assertEqual(self.cloud.paths, [])
        self.assertEqual(list(self.parts), [])

    def test_what_is_unchanged_goes_on(self) -> None:
        self.configure(MarstekOptions(), ON)
        before = list(self.parts)
        self.configure(MarstekOptions(), CtOptions(ct_mac="AABBCC001122", cloud_reporting=True))
        self.assertEqual(list(self.parts), before)
        self.clock.advance(30)
        self.assertEqual(self.cloud.paths, [DATE, REPORT])

    def test_what_is_switched_off_ends(self) -> None:
        self.configure(MarstekOptions(), ON)
        self.configure(MarstekOptions(), CtOptions(ct_mac="AABBCC001122"))
        self.cloud.take()
        self.clock.pump([60] * 3)
        self.assertEqual(self.cloud.paths, [])

    def test_what_is_registered_is_what_reports(self) -> None:
        on = MarstekOptions(enable=True, mailbox=MAILBOX, password=PASSWORD)
        with logged("astrameter.marstek.reporting") as lines:
            self.configure(on, CtOptions(cloud_reporting=True))
        self.assertEqual(len(lines), 1)  # and nothing is said to be wrong
        managed = self.managed.get("HME-4")
        assert managed is not None
        self.assertEqual(self.cloud.paths[0], LOGIN)
        self.assertEqual(self.cloud.asked[-1].fields["id"], managed.mac)
