"""What clients that watch are told."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import MeterSwitched, SteeringDecided
from tests.astrameter.controlsocket.rig import Client, Daemon
from tests.astrameter.ct.rig import BATTERY


class WatchingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.client = self.daemon.client()

    def told(self, client: Client | None = None) -> list[str]:
        return [one["event"] for one in (client or self.client).take() if "event" in one]

    def data(self, event: str) -> list[Any]:
        return [one["data"] for one in self.client.take() if one.get("event") == event]


class Status(WatchingCase):
    def test_it_comes_at_once_and_then_only_when_it_has_changed(self) -> None:
        self.client.result("watch", events=False)
        self.daemon.clock.advance(0)
        self.assertEqual(self.told(), ["status"])
        self.daemon.clock.pump([1.0] * 10)
        self.assertEqual(self.told(), [])
        self.daemon.poll()
        self.daemon.clock.advance(1)
        self.assertEqual(self.told(), ["status"])

    def test_ages_alone_are_no_change(self) -> None:
        self.daemon.poll()
        self.client.result("watch")
        self.daemon.clock.advance(0)
        self.told()
        self.daemon.clock.pump([1.0] * 3)
        self.assertEqual(self.told(), [])

    def test_it_holds_what_the_status_verb_says(self) -> None:
        self.daemon.poll()
        self.client.result("watch")
        self.daemon.clock.advance(0)
        (seen,) = self.data("status")
        self.assertEqual(seen, self.client.result("status"))

    def test_one_that_does_not_read_gets_the_newest_when_it_does(self) -> None:
        self.client.result("watch", events=False)
        self.daemon.clock.advance(0)
        self.told()
        self.client.protocol.pauseProducing()
        for watts in (100, 200, 300):
            self.daemon.meter.reading = [watts]
            self.daemon.poll()
            self.daemon.clock.advance(1)
        self.client.protocol.resumeProducing()
        self.assertEqual(self.told(), [])
        self.daemon.clock.advance(1)
        (seen,) = self.data("status")
        self.assertEqual(seen["meters"][0]["watts"], [300.0])

    def test_it_may_be_left_out(self) -> None:
        self.client.result("watch", status=False)
        self.daemon.clock.pump([1.0] * 3)
        self.assertEqual(self.told(), [])


class Events(WatchingCase):
    def test_what_happens_comes_with_what_is_known_of_it(self) -> None:
        self.client.result("watch", status=False)
        self.daemon.meter.reading = "error"
        self.daemon.poll()
        self.daemon.clock.advance(0)
        (seen,) = self.data("meter_changed")
        self.assertEqual(seen["section"], "METER")
        self.assertIn("the test wants it to fail", seen["error"])

    def test_a_battery_that_falls_silent_is_told_of(self) -> None:
        self.client.result("watch", status=False)
        self.daemon.poll()
        self.daemon.clock.advance(40)
        self.daemon.clock.advance(0)
        (seen,) = self.data("battery_removed")
        self.assertEqual(seen, {"device_id": "house", "consumer_id": BATTERY.id})

    def test_nothing_is_subscribed_to_while_nobody_watches(self) -> None:
        bus = self.daemon.appliance.bus
        self.assertFalse(bus.wants(MeterSwitched))
        self.client.result("watch")
        other = self.daemon.client()
        other.result("watch", decisions=True)
        self.assertTrue(bus.wants(MeterSwitched))
        self.assertTrue(bus.wants(SteeringDecided))
        other.leave()
        self.assertFalse(bus.wants(SteeringDecided))
        self.assertTrue(bus.wants(MeterSwitched))
        self.client.result("unwatch")
        self.assertFalse(bus.wants(MeterSwitched))

    def test_decisions_come_only_to_those_who_want_them(self) -> None:
        other = self.daemon.client()
        self.client.result("watch", status=False, decisions=True)
        other.result("watch", status=False)
        self.daemon.meter.reading = [300.0]
        self.daemon.poll()
        self.daemon.poll()
        self.daemon.clock.advance(0)
        first, second = self.data("decision")
        self.assertEqual((first["device"], first["battery"]), ("house", BATTERY.id))
        self.assertEqual(first["decision"]["grid_w"], 300.0)
        self.assertIsNone(first["before"])
        self.assertEqual(second["before"]["delivered_w"], 0.0)
        self.assertNotIn("decision", self.told(other))

    def test_unwatching_ends_all_of_it(self) -> None:
        self.client.result("watch", decisions=True)
        self.client.result("unwatch")
        self.daemon.poll()
        self.daemon.clock.advance(2)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.client.ask("unwatch")["result"], {})

    def test_afterwards_no_timer_is_left(self) -> None:
        calls = len(self.daemon.clock.getDelayedCalls())
        other = self.daemon.client()
        for client in (self.client, other):
            client.result("watch")
        other.leave()
        self.client.result("unwatch")
        # A client that watches has no timer for its silence any more.
        self.assertEqual(len(self.daemon.clock.getDelayedCalls()), calls - 1)

    def test_a_second_wish_replaces_the_first(self) -> None:
        self.client.result("watch", decisions=True)
        self.client.result("watch", status=False, events=False)
        self.daemon.poll()
        self.daemon.clock.advance(2)
        self.assertEqual(self.told(), [])

    def test_what_cannot_be_watched_is_refused_and_changes_nothing(self) -> None:
        self.client.result("watch")
        for wrong in ({"everything": True}, {"status": 1}, {"events": "yes"}):
            self.assertEqual(self.client.error("watch", **wrong)[0], "bad_request")
        self.daemon.clock.advance(0)
        self.assertEqual(self.told(), ["status"])
