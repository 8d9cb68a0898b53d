"""The Marstek app: its questions, our answers."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ct.wire import encode
from astrameter.filters.health import Health
from astrameter.insights.appframes import Slave, question, runtime_frame, slave_list
from astrameter.insights.inventory import Inventory, MeterDevice
from astrameter.marstek.managed import Managed
from tests.astrameter.insights.rig import MAC, HouseCase, Published
from tests.astrameter.insights.vectors import VECTORS, named
from tests.doubles import StubMeter
from tests.scripted_broker import settle
from tests.vectors import each

APP_MAC = "02b250b71db3"
ASK = f"hame_energy/HME-4/App/{APP_MAC}/ctrl"
ASK_NEW = f"marstek_energy/HME-4/App/{APP_MAC}/ctrl"
ANSWERS = [f"{one}_energy/HME-4/device/{APP_MAC}/ctrl" for one in ("hame", "marstek")]


class Frames(SynchronousTestCase):
    @each(named("app_poll_payload"))
    def questions(self, case: dict[str, Any]) -> None:
        found = question(case["input"].encode())
        wanted = case["result"]
        self.assertEqual(found and found.value, wanted and wanted["kind"])

    @each(named("cd1_reply"))
    def runtime(self, case: dict[str, Any]) -> None:
        text = runtime_frame(case["watts"], case["slaves"], case["rssi"], case["ver_v"])
        self.assertEqual(text, case["result"])

    @each(named("cd4_reply"))
    def slaves(self, case: dict[str, Any]) -> None:
        rows = (Slave(r["type"], r["id"], r["ip"], r["phase"]) for r in case["rows"])
        self.assertEqual(slave_list(rows), case["result"])

    def test_what_is_no_question(self) -> None:
        for payload in (b"\xff\xfe", b"cd=1" + b" " * 300, b"cd=" + b"1" * 200, bytes(1000)):
            self.assertIsNone(question(payload))

    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=40))
    def test_anything_is_a_question_or_none(self, payload: bytes) -> None:
        question(payload)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))))
    def test_a_list_has_four_pairs_for_each_battery(self, rows: list[Any]) -> None:
        text = slave_list(Slave(*row, phase="A") for row in rows)
        pairs = [piece.split("=") for piece in text.split(",")] if rows else []
        self.assertEqual(len(pairs), 4 * len(rows))
        self.assertEqual({len(pair) for pair in pairs} | {2}, {2})


class Answering(HouseCase):
    options = {"marstek_mqtt_interval": 0.0, "powermeter_health_interval": 0.0}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.managed.put("HME-4", Managed(APP_MAC))

    def ask(self, payload: str = "cd=1", topic: str = ASK, **more: Any) -> list[Published]:
        self.news()
        self.command(topic, payload, **more)
        return [one for one in self.news() if "energy/" in one.topic]

    @each(VECTORS["app_responder"])
    def sample(self, case: dict[str, Any]) -> None:
        self.start()
        self.poll("112233445566", phase="B", device_type="HMJ-2")
        self.poll("998877665544", phase="D", device_type="VNSA-0")
        inspecting = encode(["HMG-50", "deadbeef0001", "HME-4", "02b250000001", "0", "0"])
        self.cts["device-1"].ct.receive(inspecting, ("127.0.0.1", 1), 0.0)
        if "failing" in case["context"]:
            self.meters["JSON_HTTP"][0].reading = "error"
        answers = self.ask(case["request_payload"], case["request_topic"])
        wanted = [(one["topic"], one["payload"]) for one in case["replies"]]
        self.assertEqual([(one.topic, one.payload) for one in answers], wanted)
        self.assertEqual({(one.qos, one.retain) for one in answers} - {(0, False)}, set())

    def test_each_prefix_is_answered_on_both(self) -> None:
        self.start()
        for topic in (ASK, ASK_NEW):
            self.assertEqual([one.topic for one in self.ask(topic=topic)], ANSWERS)

    def test_a_ct_that_is_not_registered_is_not_answered_and_says_so(self) -> None:
        self.managed = type(self.managed)()
        self.start()
        self.assertFalse([f for f, _ in self.broker.line.filters if "energy" in f])
        self.assertTrue([x for x in self.log.lines() if "no CT of this type is registered" in x])

    def test_a_ct_that_is_registered_later_is_answered_then(self) -> None:
        self.managed = type(self.managed)()
        self.start()
        self.managed.put("HME-4", Managed(APP_MAC, 7))
        settle(self.clock)
        (first, _) = self.ask()
        self.assertIn("ver_v=7,", first.payload)

    def test_another_mac_replaces_the_one_before(self) -> None:
        self.start()
        self.managed.put("HME-4", Managed("02b250000001"))
        settle(self.clock)
        filters = [f for f, _ in self.broker.line.filters if "energy" in f]
        self.assertEqual(len(filters), 2)
        self.assertTrue(all("02b250000001" in one for one in filters))
        self.assertEqual(self.ask(), [])

    def test_switched_off(self) -> None:
        self.start(marstek_mqtt_enabled=False)
        self.assertEqual(self.ask(), [])

    def test_a_ct_that_is_no_more_is_not_answered(self) -> None:
        self.start()
        self.cts.clear()
        self.insights.refresh()
        settle(self.clock)
        self.assertEqual(self.ask(), [])

    def test_a_question_that_the_broker_kept_is_not_answered(self) -> None:
        self.start()
        self.assertEqual(self.ask(retain=True), [])

    def test_a_slow_meter_is_read_once_for_all_who_ask(self) -> None:
        self.start()
        meter = self.meters["JSON_HTTP"][0]
        slow: Deferred[Any] = Deferred()
        meter.reading = slow
        for _ in range(50):
            self.assertEqual(self.ask(), [])
        self.assertEqual(meter.reads, 1)
        slow.callback((5.0,))
        settle(self.clock)
        self.assertEqual([one.topic for one in self.news()], ANSWERS)
        meter.reading = (6.0,)
        self.assertIn("pwr_a=5,", self.ask()[0].payload)
        self.assertEqual(meter.reads, 1)
        self.pass_time(1.0)
        self.assertIn("pwr_a=6,", self.ask()[0].payload)

    def test_a_list_needs_no_reading(self) -> None:
        self.start()
        self.meters["JSON_HTTP"][0].reading = Deferred()
        self.poll()
        self.ask()
        self.assertEqual([one.topic for one in self.ask("cd=4,p1=0")], ANSWERS)
        self.assertEqual(self.ask("cd=4,p1=0")[0].payload.count("slv_id"), 1)

    def test_no_batteries_are_an_empty_list(self) -> None:
        self.start()
        self.assertEqual([one.payload for one in self.ask("cd=4,p1=0")], ["", ""])

    def test_a_fresh_reading_of_a_pushed_meter_is_waited_for(self) -> None:
        self.start()
        meter = self.meters["JSON_HTTP"][0]
        meter.fresh = Deferred()
        fresh = meter.fresh
        self.assertEqual(self.ask(), [])
        fresh.callback(None)
        settle(self.clock)
        self.assertEqual([one.topic for one in self.news()], ANSWERS)

    def test_a_meter_that_never_answers_is_given_up(self) -> None:
        self.start()
        self.meters["JSON_HTTP"][0].reading = Deferred()
        self.ask()
        self.pass_time(11.0)
        self.assertTrue([x for x in self.log.warnings() if "no reading within 10 s" in x])
        self.meters["JSON_HTTP"][0].reading = (1.0,)
        self.assertEqual(len(self.ask()), 2)

    def test_failures_are_told_once_until_it_works_again(self) -> None:
        self.start()
        meter = self.meters["JSON_HTTP"][0]
        meter.reading = "error"
        for _ in range(20):
            self.assertEqual(self.ask(), [])
        self.assertEqual(len(self.log.warnings()), 1)
        meter.reading = (1.0,)
        self.ask()
        self.assertTrue([x for x in self.log.lines() if "works again" in x])

    def test_without_a_meter_the_reading_is_zero(self) -> None:
        self.meters.clear()
        self.start()
        self.assertIn("pwr_t=0,", self.ask()[0].payload)

    def test_the_signal_is_that_of_the_ct(self) -> None:
        self.add_ct("device-1", wifi_rssi=-61)
        self.start()
        self.assertIn("wif_r=-61,", self.ask()[0].payload)

    def test_nothing_comes_after_the_end(self) -> None:
        self.start()
        slow: Deferred[Any] = Deferred()
        self.meters["JSON_HTTP"][0].reading = slow
        self.ask()
        self.stop()
        self.news()
        slow.callback((5.0,))
        settle(self.clock)
        self.assertEqual(self.news(), [])
        self.managed.put("HME-4", Managed("02b250000001"))
        self.assertEqual(set(self.insights._app._by_topic), {ASK, ASK_NEW})  # type: ignore[union-attr]


class HouseMeter(SynchronousTestCase):
    def chosen(self, *networks: str) -> str | None:
        """The section of the meter that the app is shown; meters have these networks."""
        clock = Clock()
        meters = []
        for i, one in enumerate(networks):
            meter = StubMeter((1.0,), f"M{i}")
            listed = tuple(map(IPv4Network, one.split()))
            meters.append(MeterDevice(f"M{i}", meter, Health(meter, clock), listed))
        found = Inventory(meters=tuple(meters)).house_meter()
        return None if found is None else found.section

    def test_it_is_the_first_that_serves_everybody(self) -> None:
        self.assertEqual(self.chosen("192.168.1.0/24", "10.0.0.0/8 0.0.0.0/0", "0.0.0.0/0"), "M1")

    def test_else_the_first(self) -> None:
        self.assertEqual(self.chosen("192.168.1.0/24", "10.0.0.0/8"), "M0")

    def test_or_none(self) -> None:
        self.assertIsNone(self.chosen())


class Broadcasting(HouseCase):
    options = {"marstek_mqtt_interval": 6.0, "powermeter_health_interval": 0.0}  # noqa: RUF012

    def broadcasts(self) -> int:
        return len([one for one in self.news() if one.topic == ANSWERS[0]])

    def test_at_the_start_of_a_session_and_at_intervals(self) -> None:
        self.managed.put("HME-4", Managed(APP_MAC))
        self.start()
        self.poll(MAC)
        first = next(one for one in self.published() if one.topic == ANSWERS[0])
        self.assertIn("slv_n=0,", first.payload)
        self.assertEqual(self.broadcasts(), 1)
        self.pass_time(18.0)
        self.assertEqual(self.broadcasts(), 3)
        self.reconnect()
        self.assertEqual(self.broadcasts(), 1)

    def test_restarts_of_the_broker_do_not_multiply_it(self) -> None:
        self.managed.put("HME-4", Managed(APP_MAC))
        self.start()
        for _ in range(5):
            self.reconnect()
        self.pass_time(3.0)
        self.news()
        reads = self.meters["JSON_HTTP"][0].reads
        self.pass_time(60.0)
        self.assertEqual(self.meters["JSON_HTTP"][0].reads - reads, 10)
        self.assertEqual(self.broadcasts(), 10)

    def test_none_without_a_broker_or_an_interval(self) -> None:
        self.managed.put("HME-4", Managed(APP_MAC))
        self.start(marstek_mqtt_interval=-1.0)
        self.pass_time(700.0, 50.0)
        self.assertEqual(self.broadcasts(), 0)

    def test_a_ct_that_comes_later_has_its_first_one_an_interval_later(self) -> None:
        self.start()
        self.pass_time(1.0)
        self.managed.put("HME-4", Managed(APP_MAC))
        self.assertEqual(self.broadcasts(), 0)
        self.pass_time(6.0)
        self.assertEqual(self.broadcasts(), 1)
