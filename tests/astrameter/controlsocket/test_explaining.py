"""Batteries of a running daemon explained, in every situation they get into."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.commands.explain import as_line, as_text
from astrameter.ct.fleet import MAX_CONSUMERS
from astrameter.ct.wire import decode
from astrameter.emulators import CtEmulator
from astrameter.reading import MeterError
from astrameter.steering.trace import KEPT
from tests.astrameter.controlsocket.rig import CT_PORT, Daemon
from tests.astrameter.ct.rig import BATTERY, PEER, Caller


class LivingHouse:
    """A daemon, and batteries that do at once what they are told, within their limits."""

    def __init__(self, load_w: float, ct: str = "", **kinds: str) -> None:
        self.daemon = Daemon(ct)
        self.daemon.meter.age_s = 0.0
        self.load_w: float = load_w
        self.limits = {"first": (-2500.0, 2500.0), "second": (-2500.0, 2500.0)}
        callers = {"first": BATTERY, "second": PEER}
        self.callers = {n: callers[n].but(type=kind) for n, kind in kinds.items()}
        self.output_w = dict.fromkeys(kinds, 0.0)
        self.client = self.daemon.client()

    def live(self, seconds: int, **said: str) -> None:
        for _ in range(seconds * 2):
            for name, caller in self.callers.items():
                self._poll(name, caller.but(power_w=round(self.output_w[name]), **said))

    def _poll(self, name: str, caller: Caller) -> None:
        meter = self.daemon.meter
        if meter.reading != "error":
            meter.reading = [self.load_w - sum(self.output_w.values())]
        self.daemon.poll(caller, 0.5 / len(self.callers))
        for datagram in self.daemon.clock.ports[CT_PORT].take():
            reading_w = float(decode(datagram)[7])
            if abs(reading_w) > 10:
                low_w, high_w = self.limits[name]
                wanted_w = self.output_w[name] + reading_w
                self.output_w[name] = min(max(wanted_w, low_w), high_w)

    def set(self, name: str, **settings: Any) -> None:
        self.client.result("set", battery=self.callers[name].id, **settings)

    def why(self, name: str = "first") -> str:
        (found,) = self.client.result("explain", battery=self.callers[name].id)["batteries"]
        return "\n".join(found["why"])


VENUS = "VNSE3-0"


class Situations(SynchronousTestCase):
    def house(self, load_w: float, ct: str = "", **kinds: str) -> LivingHouse:
        house = LivingHouse(load_w, ct, **(kinds or {"first": VENUS, "second": VENUS}))
        self.addCleanup(house.daemon.stop)
        return house

    def test_discharging_together(self) -> None:
        house = self.house(600.0)
        house.live(30)
        why = house.why()
        self.assertRegex(why, r"It discharges (29|30|31)\d W\.")
        self.assertRegex(why, r"2 batteries are steered and are to deliver (59|60|61)\d W")
        self.assertIn("so it follows", why)

    def test_charging(self) -> None:
        house = self.house(-900.0, first=VENUS)
        house.live(30)
        self.assertRegex(house.why(), r"It charges with (8[89]|9[01])\d W\.")
        self.assertRegex(house.why(), r"only one .*, so its part is (8[89]|9[01])\d W of charge")

    def test_idle(self) -> None:
        house = self.house(0.0)
        house.live(20)
        self.assertIn("It rests (0 W).", house.why())
        self.assertIn("It is told to stay as it is: what is missing is within", house.why())

    def test_empty(self) -> None:
        house = self.house(500.0)
        house.limits["first"] = (-2500.0, 0.0)
        house.live(60)
        self.assertIn("It cannot discharge at present: empty", house.why())
        self.assertRegex(house.why("second"), r"its part is (49|50|51)\d W of discharge")

    def test_full(self) -> None:
        house = self.house(-900.0)
        house.limits["first"] = (0.0, 2500.0)
        house.live(60)
        self.assertIn("It cannot charge at present: full", house.why())

    def test_batteries_that_act_at_once_on_a_meter_that_shows_it_at_once(self) -> None:
        for load_w, low_w in ((-900.0, 0.0), (500.0, -2500.0), (-2000.0, -300.0)):
            house = self.house(load_w)
            house.limits["first"] = (low_w, 2500.0)
            house.live(60)
            for _ in range(20):
                house.live(1)
                self.assertLess(abs(load_w - sum(house.output_w.values())), 100)

    def test_limited(self) -> None:
        house = self.house(2000.0, first=VENUS)
        house.limits["first"] = (-800.0, 800.0)
        house.live(60)
        self.assertIn("More than 800 W it could not deliver", house.why())

    def test_manual_and_paused(self) -> None:
        house = self.house(600.0)
        house.live(20)
        house.set("first", manual_target=-200, auto_target=False)
        house.set("second", active=False)
        house.live(10)
        self.assertIn("Its owner has set it to 200 W of charge (manual mode).", house.why())
        self.assertIn("It charges with 200 W.", house.why())
        self.assertIn("Its owner has paused it", house.why("second"))

    def test_not_taking_part_by_its_own_wish(self) -> None:
        house = self.house(600.0, first=VENUS)
        house.callers["first"] = house.callers["first"].but(more=("0",))
        house.live(10)
        self.assertIn("It asks not to be counted", house.why())

    def test_held_and_then_failsafe(self) -> None:
        house = self.house(600.0, "FAILSAFE_POWER = -100")
        house.live(20)
        house.daemon.meter.reading = "error"
        house.live(5)
        self.assertIn("The meter [METER] fails (the test wants it to fail)", house.why())
        self.assertIn("is told to stay as it is", house.why())
        house.live(60)
        self.assertIn("taken to its part of 100 W of charge (FAILSAFE_POWER)", house.why())
        house.daemon.meter.reading = [0.0]
        house.live(5)
        self.assertIn("The meter [METER] said", house.why())

    def test_what_a_meter_says_is_told_without_secrets(self) -> None:
        house = self.house(600.0)
        house.live(5)
        house.daemon.meter.reading = MeterError("x", "http://u:hunter2@192.0.2.1/ is away")
        house.daemon.poll()
        self.assertIn("fails (http://***:***@192.0.2.1/ is away)", house.why())

    def test_not_answered_any_more(self) -> None:
        house = self.house(600.0, "FAILSAFE = silent")
        house.live(20)
        house.daemon.meter.reading = "error"
        house.live(70)
        self.assertIn("is not answered any more", house.why())

    def test_relaying(self) -> None:
        house = self.house(600.0, "ACTIVE_CONTROL = no")
        house.live(2)
        self.assertIn("ACTIVE_CONTROL is off", house.why())

    def test_finding_its_phase(self) -> None:
        house = self.house(600.0)
        house.live(2, phase="0")
        self.assertIn("It is finding out its phase", house.why())

    def test_silent(self) -> None:
        house = self.house(600.0)
        house.live(10)
        house.daemon.clock.advance(4.9)
        house.daemon.clock.rightNow += 4
        self.assertIn("It has not asked for 9 s, so it is left out.", house.why())


class Verb(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = LivingHouse(600.0, first=VENUS, second=VENUS)
        self.addCleanup(self.house.daemon.stop)
        self.house.live(KEPT)
        self.client = self.house.client

    def test_one_battery_comes_with_all_that_is_kept(self) -> None:
        (found,) = self.client.result("explain", battery="AA:BB:CC:DD:EE:01")["batteries"]
        self.assertEqual((found["id"], found["type"]), (BATTERY.id, VENUS))
        self.assertEqual((found["device"], found["ct"], found["phase"]), ("house", "ct002", "A"))
        self.assertEqual((found["mode"], found["poll_interval_s"]), ("auto", 0.5))
        self.assertEqual(len(found["decisions"]), KEPT)
        *became, last = [one["became"] for one in found["decisions"]]
        self.assertIsNone(last)
        self.assertNotIn(None, became)

    def test_all_come_with_their_last_one_or_as_many_as_are_wanted(self) -> None:
        for args, count in (({}, 1), ({"decisions": 0}, 0), ({"decisions": 3}, 3)):
            found = self.client.result("explain", **args)["batteries"]
            self.assertEqual([len(one["decisions"]) for one in found], [count, count])

    def test_what_cannot_be_explained_is_refused(self) -> None:
        self.assertEqual(self.client.error("explain", battery="nobody")[0], "unknown_battery")
        for wrong in (-1, KEPT + 1, "3", True, 1.5):
            self.assertEqual(self.client.error("explain", decisions=wrong)[0], "bad_request")

    def test_one_with_settings_that_is_away_is_told(self) -> None:
        self.house.set("first", distribution_weight=2)
        self.house.daemon.clock.advance(60)
        kind, text = self.client.error("explain", battery=BATTERY.id)
        self.assertEqual((kind, "does not ask" in text), ("unknown_battery", True))

    def test_a_battery_that_is_gone_is_forgotten(self) -> None:
        emulator = self.house.daemon.appliance.emulators[0]
        assert isinstance(emulator, CtEmulator)
        self.assertEqual(len(emulator.trace), 2)
        self.house.daemon.clock.advance(60)
        self.assertEqual(len(emulator.trace), 0)

    def test_three_thousand_invented_batteries_fill_no_memory(self) -> None:
        emulator = self.house.daemon.appliance.emulators[0]
        assert isinstance(emulator, CtEmulator)
        for number in range(3000):
            self.house.daemon.poll(Caller(f"{number:012X}", more=("0",)), 0.001)
        self.assertEqual(len(emulator.trace), MAX_CONSUMERS)
        self.assertEqual(len(emulator.trace.of(BATTERY.id)), KEPT)
        found = self.client.result("explain")["batteries"]
        self.assertEqual(len(found), MAX_CONSUMERS)


class Text(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = LivingHouse(600.0, first=VENUS)
        self.addCleanup(self.house.daemon.stop)

    def text(self) -> list[str]:
        found = self.house.client.result("explain", battery=BATTERY.id)["batteries"][0]
        return as_text(found).splitlines()

    def test_a_title_sentences_and_a_table(self) -> None:
        self.house.live(10)
        title, *rest = self.text()
        self.assertEqual(
            title,
            "aabbccddee01  VNSE3-0, phase A, asks ct002 (house) every 0.5 s, last 0.0 s ago",
        )
        self.assertRegex(rest[0], r"  It discharges (59|60|61)\d W\.")
        table = rest[rest.index("") + 2 :]
        self.assertEqual(len(table), 13)
        self.assertEqual(
            table[0].split(),
            ["ago", "s", "grid", "age", "s", "house", "part", "at", "sent", "expected", "became"],
        )
        ago, _grid, age, house, part, at, _sent, expected, became, *_note = table[-1].split()
        self.assertEqual((ago, age, became), ("0.0", "0.0", "-"))
        self.assertTrue(all(one.startswith("+") for one in (house, part, at, expected)))

    def test_why_it_stays_is_named_in_the_table(self) -> None:
        self.house.load_w = 0.0
        self.house.live(10)
        self.assertEqual(self.text()[-1].split()[-3:], ["-", "stays", "(small)"])

    def test_a_battery_cannot_write_to_the_terminal(self) -> None:
        self.house.daemon.poll(BATTERY.but(type="\x1b[2Jx\x07"))
        self.assertIn("\ufffd[2Jx\ufffd, phase A", self.text()[0])

    def test_limiters_are_named_in_the_table(self) -> None:
        self.house.live(1)
        self.assertIn("gentle start +600 > +150", "\n".join(self.text()))

    def test_a_battery_that_has_asked_once_has_no_rhythm_yet(self) -> None:
        self.house.daemon.poll(BATTERY.but(phase="0"))
        self.assertEqual(self.text()[0], "aabbccddee01  HMG-50, asks ct002 (house), last 0.0 s ago")

    def test_in_a_watch_each_decision_is_a_line(self) -> None:
        self.house.client.result("watch", status=False, events=False, decisions=True)
        self.house.live(1)
        self.house.daemon.clock.advance(0)
        first, *_ = self.house.client.take()
        self.assertEqual(
            as_line(first["data"]),
            "aabbccddee01  grid +600 (0.0 s)  house +600  part +600  at 0  sent +155  goes to 0  "
            "gentle start +600 > +150",
        )

    def test_outside_of_automatic_the_mode_is_the_reason(self) -> None:
        self.house.live(1)
        self.house.set("first", active=False)
        self.house.live(1)
        self.assertTrue(self.text()[-1].endswith("  inactive"))
