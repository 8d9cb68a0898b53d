"""The appliance in the hurried house, in virtual time: the same stage as in the terminal."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.drawing.log import LONGEST
from astrameter.events import CtAnswered
from astrameter.ports import PortError
from astrameter.reading import NO_POWER
from simulator.demo.model import SAMPLE_S, Snapshot
from simulator.demo.stage import LARGEST_SOLAR_W, SOLAR_W, Stage, Wishes, fleet
from simulator.world import World

NIGHT_S = 3 * 3600.0
MORNING_S = 10 * 3600.0


class StageCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(1)
        self.host = self.world.host("192.168.1.2")
        self.gave_up: list[str] = []

    def stage(
        self, speed: float = 1.0, start_s: float = NIGHT_S, seed: int = 1, batteries: int = 3
    ) -> Stage:
        wishes = Wishes(speed, start_s, seed, batteries)
        stage = Stage(self.host, wishes, self.gave_up.append, lambda: (12345, 52500))
        self.world.wait(stage.start())
        self.addCleanup(self.end, stage)
        return stage

    def end(self, stage: Stage) -> None:
        self.world.wait(stage.stop())
        self.assertEqual(list(self.host.getDelayedCalls()), [])
        self.assertEqual(self.gave_up, [])
        self.assertEqual(self.world.errors, 0)

    def snapshot(self, stage: Stage) -> Snapshot:
        return stage.model.snapshot(self.host.seconds())

    def texts(self, stage: Stage) -> list[str]:
        return [event.text for event in self.snapshot(stage).events]


class Living(StageCase):
    def test_batteries_bring_the_grid_to_zero(self) -> None:
        stage = self.stage()
        self.world.advance(2.0)
        self.assertGreater(self.snapshot(stage).total_w, 300)
        self.world.advance(20.0)
        shown = self.snapshot(stage)
        self.assertLess(abs(shown.total_w), 40)
        self.assertApproximates(sum(one.power_w for one in shown.batteries), shown.load_w, 60)

    def test_every_battery_is_shown_with_what_it_was_told(self) -> None:
        stage = self.stage()
        self.world.advance(30.0)
        shown = self.snapshot(stage)
        self.assertEqual([one.phase for one in shown.batteries], ["A", "B", "C"])
        self.assertEqual(len({one.name for one in shown.batteries}), 3)
        for one in shown.batteries:
            assert one.target_w is not None
            assert one.age_s is not None
            self.assertApproximates(one.target_w, one.power_w, 60)
            self.assertLess(one.age_s, 3.0)
        self.assertTrue(2.0 < shown.answers_per_s < 8.0, shown.answers_per_s)
        assert shown.latency_s is not None
        self.assertLess(shown.latency_s, 0.2)

    def test_the_same_seed_gives_the_same_house(self) -> None:
        shown = []
        for seed in (1, 1, 2):
            self.world = World(1)
            self.host = self.world.host("192.168.1.2")
            stage = self.stage(20.0, MORNING_S, seed)
            self.world.advance(60.0)
            shown.append(self.snapshot(stage))
            self.end(stage)
        self.assertEqual(shown[0].grid_w, shown[1].grid_w)
        self.assertEqual(shown[0].money, shown[1].money)
        self.assertNotEqual(shown[0].grid_w, shown[2].grid_w)

    def test_money_keeps_to_the_time_of_the_house(self) -> None:
        stage = self.stage(60.0, MORNING_S)
        self.world.advance(60.0)
        look = self.snapshot(stage).money
        self.assertApproximates(look.without_ct, -8.0 * 2.0, 8.0)
        self.assertGreater(look.stored_wh, 500)
        self.assertGreater(look.saved_ct, 10)
        soc = [one.soc for one in self.snapshot(stage).batteries]
        begin = [config.initial_soc for config in fleet(3)]
        stored_wh = sum((b - a) * 5120.0 for a, b in zip(begin, soc, strict=True))
        self.assertApproximates(look.stored_wh, stored_wh, 1e-6)

    def test_the_summary_knows_how_far_the_grid_was_from_zero(self) -> None:
        stage = self.stage()
        self.assertEqual(stage.model.mean_distances_w(), (0.0, 0.0))
        self.world.advance(60.0)
        with_w, without_w = stage.model.mean_distances_w()
        self.assertApproximates(without_w, 380, 60)
        self.assertLess(with_w, 0.3 * without_w)

    def test_strangers_on_the_network_do_not_count(self) -> None:
        stage = self.stage()
        self.world.advance(10.0)
        before = self.snapshot(stage).answers_per_s
        event = CtAnswered("device-1", "stranger", NO_POWER, NO_POWER, {"reported_power": 0})
        for _ in range(100):
            stage.model.answered(event, self.host.seconds())
        self.assertEqual(self.snapshot(stage).answers_per_s, before)

    def test_24_batteries(self) -> None:
        stage = self.stage(20.0, MORNING_S, batteries=24)
        self.world.advance(30.0)
        shown = self.snapshot(stage)
        self.assertEqual(len(shown.batteries), 24)
        self.assertTrue(all(one.target_w is not None for one in shown.batteries))

    def test_a_long_life_stays_bounded(self) -> None:
        stage = self.stage(60.0, MORNING_S)
        self.world.advance(1500.0)  # a day and an hour
        shown = self.snapshot(stage)
        self.assertTrue(0 <= shown.second_of_day < 86_400)
        self.assertLessEqual(len(shown.events), LONGEST)
        self.assertEqual(len(shown.trends.grid_w.last(10_000)), 1200)
        self.assertEqual(shown.trends.grid_w.noted, round(1500 / SAMPLE_S / 2) + 1)


class Visitor(StageCase):
    def test_the_kettle(self) -> None:
        stage = self.stage()
        self.world.advance(30.0)
        stage.switch_kettle()
        self.world.advance(1.0)
        self.assertGreater(self.snapshot(stage).total_w, 1500)
        self.assertIn("Kettle on: 2000 W on A", self.texts(stage))
        self.world.advance(20.0)
        self.assertLess(abs(self.snapshot(stage).total_w), 100)
        stage.switch_kettle()
        self.world.advance(1.0)
        self.assertLess(self.snapshot(stage).total_w, -1500)

    def test_a_cloud(self) -> None:
        stage = self.stage(start_s=MORNING_S)
        self.world.advance(1.0)
        before_w = self.snapshot(stage).solar_w
        stage.toggle_cloud()
        self.assertApproximates(self.snapshot(stage).solar_w, 0.1 * before_w, 10)
        stage.toggle_cloud()
        self.assertApproximates(self.snapshot(stage).solar_w, before_w, 10)

    def test_more_and_less_panels(self) -> None:
        stage = self.stage(start_s=MORNING_S)
        before_w = self.snapshot(stage).solar_w
        stage.change_panels(SOLAR_W)
        self.assertApproximates(self.snapshot(stage).solar_w, 2 * before_w, 10)
        for by_w, wanted_w in ((1e9, LARGEST_SOLAR_W), (-1e9, 0.0)):
            stage.change_panels(by_w)
            self.assertEqual(stage.house.day.solar_peak_w, wanted_w)
        self.assertIn("the roof now has 0 kW of panels", self.texts(stage))

    def test_the_day_stands_still_and_the_batteries_go_on(self) -> None:
        stage = self.stage(20.0, MORNING_S)
        self.world.advance(20.0)
        stage.pause()
        before = self.snapshot(stage)
        stage.switch_kettle()
        self.world.advance(20.0)
        shown = self.snapshot(stage)
        self.assertEqual(shown.speed, 0.0)
        self.assertEqual(shown.second_of_day, before.second_of_day)
        self.assertLess(abs(shown.total_w), 150)
        self.assertEqual([b.soc for b in shown.batteries], [b.soc for b in before.batteries])
        self.assertApproximates(shown.money.saved_ct, before.money.saved_ct, 0.1)
        stage.pause()
        self.world.advance(10.0)
        after = self.snapshot(stage)
        self.assertEqual(after.speed, 20.0)
        self.assertApproximates(after.second_of_day - shown.second_of_day, 200, 1)
        self.assertNotEqual([b.soc for b in after.batteries], [b.soc for b in shown.batteries])

    def test_faster_and_round_again(self) -> None:
        stage = self.stage(20.0, MORNING_S)
        speeds = []
        for _ in range(5):
            stage.change_speed()
            speeds.append(self.snapshot(stage).speed)
        self.assertEqual(speeds, [60.0, 1.0, 5.0, 20.0, 60.0])


class Ports(StageCase):
    def start(self, *ports: tuple[int, int]) -> tuple[Stage, Any]:
        left = list(ports)
        wishes = Wishes(1.0, NIGHT_S, 1, 1)
        stage = Stage(self.host, wishes, self.gave_up.append, lambda: left.pop(0))
        return stage, stage.start()

    def test_a_port_that_was_taken_meanwhile_is_replaced(self) -> None:
        self.host.listenUDP(1111, DatagramProtocol())
        stage, started = self.start((1111, 8001), (2222, 8002))
        self.world.wait(started)
        self.world.advance(3.0)
        self.assertEqual(self.snapshot(stage).link, "http://127.0.0.1:8002/")
        self.assertGreater(self.snapshot(stage).answers_per_s, 0)
        self.end(stage)

    def test_without_any_port_one_line_tells(self) -> None:
        self.host.listenUDP(1111, DatagramProtocol())
        stage, started = self.start(*[(1111, 8001)] * 5)
        error = self.assertRaises(PortError, self.world.wait, started)
        self.assertIn(
            "UDP port 1111 of ct002 cannot be opened: another program uses it", str(error)
        )
        self.end(stage)

    def test_it_can_be_stopped_before_it_has_started(self) -> None:
        wishes = Wishes(1.0, NIGHT_S, 1, 1)
        self.end(Stage(self.host, wishes, self.gave_up.append, lambda: (1, 2)))
