"""A battery on the network: simulator.md sections 1 and 6."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, formatEvent

from simulator.running.poller import REPLY_TIMEOUT_S
from simulator.running.simulation import RunningSimulation
from simulator.running.target import CtTarget
from tests.simulator.running.rig import (
    CT,
    MAC,
    OTHER,
    SimulationCase,
    battery,
    setup,
)


class Polling(SimulationCase):
    def test_it_polls_any_ct002_server_and_follows_it(self) -> None:
        self.ct.watts = 200
        simulation = self.simulate(battery(poll_jitter_s=0.0))
        self.world.advance(4.0)
        head = ["HMG-50", MAC, "HME-4", "112233445566", "A"]
        self.assertEqual({tuple(one[:5]) for one in self.ct.requests()}, {tuple(head)})
        self.assertGreater(simulation.pollers[0].battery.power_w, 0)
        self.assertLess(simulation.status().grid.a_w, 100)

    def test_each_poll_has_a_socket_of_its_own(self) -> None:
        self.simulate(battery(poll_jitter_s=0.0))
        self.world.advance(10.0)
        ports = [address[1] for _, address in self.ct.heard]
        self.assertGreaterEqual(len(ports), 9)
        self.assertEqual(len(set(ports)), len(ports))

    def test_the_interval_runs_from_the_end_of_a_poll(self) -> None:
        self.simulate(battery(poll_jitter_s=0.0, poll_interval_s=1.0))
        self.world.advance(20.5)
        self.assertIn(len(self.ct.heard), (19, 20, 21))

    def test_without_an_answer_it_gives_up_and_asks_again(self) -> None:
        self.ct.silent = True
        self.simulate(battery(poll_jitter_s=0.0, poll_interval_s=1.0))
        self.world.advance(1.0 + 10 * (REPLY_TIMEOUT_S + 1.0))
        self.assertIn(len(self.ct.heard), (10, 11))

    def test_without_an_answer_the_last_target_stays(self) -> None:
        self.ct.watts = 300
        simulation = self.simulate(battery())
        self.world.advance(10.0)
        self.ct.silent = True
        self.world.advance(5.0)  # what was under way has arrived
        target_w = simulation.pollers[0].battery.setpoint_w
        self.assertGreater(target_w, 0)
        self.world.advance(60.0)
        self.assertEqual(simulation.pollers[0].battery.setpoint_w, target_w)

    def test_nonsense_is_a_reply_but_changes_nothing(self) -> None:
        self.ct.raw = b"nonsense"
        simulation = self.simulate(battery(poll_jitter_s=0.0, inspection_polls=2))
        self.world.advance(6.0)
        letters = [one[4] for one in self.ct.requests()]
        self.assertEqual(letters[:4], ["0", "0", "A", "A"])
        self.assertEqual(simulation.pollers[0].battery.setpoint_w, 0)
        self.assertIsNone(simulation.pollers[0].answered_at)

    def test_two_batteries_poll_at_their_own_times(self) -> None:
        self.simulate(battery(), battery(OTHER, phase="B"))
        self.world.advance(30.0)
        macs = [one[1] for one in self.ct.requests()]
        for mac in (MAC, OTHER):
            self.assertGreater(macs.count(mac), 20)

    def test_the_time_scale_makes_the_site_faster(self) -> None:
        simulation = self.simulate(battery(poll_jitter_s=0.0), time_scale=4.0)
        self.world.advance(10.0)
        self.assertAlmostEqual(simulation.status().elapsed_s, 40.0)
        self.assertGreater(len(self.ct.heard), 35)

    def test_a_time_scale_below_a_tenth_acts_as_a_tenth(self) -> None:
        simulation = self.simulate(battery(), time_scale=0.01)
        self.world.advance(10.0)
        self.assertAlmostEqual(simulation.status().elapsed_s, 1.0)

    def test_lost_packets(self) -> None:
        self.simulate(battery(poll_jitter_s=0.0), packet_loss=1.0)
        self.world.advance(30.0)
        self.assertEqual(self.ct.heard, [])

    def test_some_lost_packets(self) -> None:
        self.ct.watts = 100
        simulation = self.simulate(battery(), packet_loss=0.3)
        self.world.advance(200.0)
        self.assertGreater(len(self.ct.heard), 50)
        self.assertIsNotNone(simulation.pollers[0].answered_at)

    def test_offline_none_of_its_datagrams_arrives(self) -> None:
        simulation = self.simulate(battery())
        self.world.advance(5.0)
        before = len(self.ct.heard)
        simulation.pollers[0].online = False
        self.world.advance(30.0)
        self.assertEqual(len(self.ct.heard), before)
        simulation.pollers[0].online = True
        self.world.advance(5.0)
        self.assertGreater(len(self.ct.heard), before)

    def test_the_firmwares_own_cadence(self) -> None:
        self.simulate(battery(law="field", device_type="VNSE3-0", poll_interval_s=None))
        self.world.advance(45.5)
        self.assertIn(len(self.ct.heard), range(99, 104))

    def test_it_leaves_nothing_behind(self) -> None:
        simulation = RunningSimulation(setup(battery()), self.site)
        simulation.startService()
        self.world.advance(3.3)
        self.world.wait(simulation.stopService())
        before = len(self.ct.heard)
        self.world.advance(10.0)
        self.assertEqual(len(self.ct.heard), before)
        self.assertEqual(self.site.getDelayedCalls(), [])


class FindingTheCt(SimulationCase):
    def test_a_name_is_looked_up(self) -> None:
        self.world.name("ct.home", CT)
        self.simulate(battery(), ct_host="ct.home")
        self.world.advance(5.0)
        self.assertGreater(len(self.ct.heard), 2)

    def test_an_unknown_name_is_looked_up_again(self) -> None:
        simulation = self.simulate(battery(), ct_host="ct.home")
        self.world.advance(20.0)
        self.assertEqual(self.ct.heard, [])
        self.world.name("ct.home", CT)
        self.world.advance(40.0)
        self.assertGreater(len(self.ct.heard), 2)
        self.assertEqual(simulation.status().ct_host, "ct.home")

    def test_a_ct_that_is_not_there_is_told_once_and_its_return_too(self) -> None:
        events: list[Any] = []
        self.patch(CtTarget, "_log", Logger(observer=events.append))
        self.ct.silent = True
        self.simulate(battery(), battery(OTHER, phase="B"))
        self.world.advance(120)
        self.assertEqual([formatEvent(one) for one in events], [
            f"no CT answers at {CT}:12345; start AstraMeter, or mend ct.host and ct.port"
        ])  # fmt: skip
        self.ct.silent = False
        self.world.advance(60)
        self.assertEqual(formatEvent(events[1]), f"the CT at {CT}:12345 answers again")
        self.ct.silent = True
        self.world.advance(5)
        self.ct.silent = False
        self.world.advance(60)
        self.assertEqual(len(events), 2)

    def test_stopping_while_it_is_looked_up(self) -> None:
        simulation = RunningSimulation(setup(battery(), ct_host="nobody.home"), self.site)
        simulation.startService()
        self.world.advance(40.0)
        self.world.wait(simulation.stopService())
        self.assertEqual(self.site.getDelayedCalls(), [])


class Seeds(SimulationCase):
    def seen(self, seed: int | None) -> tuple[int, list[tuple[float, float, float]]]:
        """How many polls came, and what the meter showed then."""
        super().setUp()
        made = RunningSimulation(
            setup(battery(poll_jitter_s=0.5), seed=seed, base_noise_w=20), self.site
        )
        made.startService()
        self.world.advance(200.0)
        shown = [made.power_now() for _ in range(5)]
        self.world.wait(made.stopService())
        return len(self.ct.heard), shown

    def test_the_same_seed_is_the_same_run(self) -> None:
        self.assertEqual(self.seen(3), self.seen(3))

    def test_another_seed_is_another(self) -> None:
        self.assertNotEqual(self.seen(3), self.seen(4))

    def test_without_a_seed_each_run_is_another(self) -> None:
        self.assertNotEqual(self.seen(None), self.seen(None))
