"""The whole appliance from a real configuration, in a house in virtual time."""

from __future__ import annotations

from statistics import fmean

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.trial.unittest import SynchronousTestCase

from astrameter.events import CtAnswered, FailsafeChanged
from astrameter.ports import PortError
from simulator.house import Plan, venus
from simulator.virtualhouse import APPLIANCE, METER, OVER_HTTP, PUSHED, VirtualHouse
from simulator.world import Link

TWO = Plan((venus(1, "A"), venus(2, "B")))
THREE = Plan((venus(1, "A"), venus(2, "B"), venus(3, "C")))
CALM = Plan((venus(1, "A"), venus(2, "B")), base_noise_w=0.0, solar_peak_w=0.0, start_s=0.0)


class HouseCase(SynchronousTestCase):
    def make(self, plan: Plan = TWO, config: str = PUSHED, seed: int = 1) -> VirtualHouse:
        house = VirtualHouse(plan, config, seed, transcript=True)
        house.start()
        return house

    def end(self, house: VirtualHouse) -> None:
        house.stop()
        self.assertEqual(house.world.getDelayedCalls(), [])
        self.assertEqual(house.world.errors, 0)
        self.assertEqual(house.gave_up, [])

    def grid_w(self, house: VirtualHouse, seconds: int) -> list[float]:
        """The true grid power once a second from now on."""
        found = []
        for _ in range(seconds):
            house.world.advance(1.0)
            found.append(sum(house.house.site.grid_w))
        return found


class Running(HouseCase):
    def test_batteries_cover_the_house(self) -> None:
        house = self.make(CALM)
        self.grid_w(house, 60)
        self.assertLess(max(map(abs, self.grid_w(house, 120))), 60.0)
        self.assertGreater(min(b.power_w for b in house.house.batteries), 80.0)
        self.end(house)

    def test_a_load_step_is_covered_within_half_a_minute(self) -> None:
        house = self.make(CALM)
        self.grid_w(house, 60)
        house.house.site.household.set_base_load("A", 900.0)
        self.grid_w(house, 30)
        self.assertLess(max(map(abs, self.grid_w(house, 60))), 60.0)
        self.end(house)

    def test_surplus_of_the_sun_is_charged(self) -> None:
        house = self.make(Plan(TWO.batteries, start_s=11 * 3600.0))
        self.grid_w(house, 60)
        self.assertLess(abs(fmean(self.grid_w(house, 120))), 60.0)
        self.assertLess(max(b.power_w for b in house.house.batteries), -200.0)
        self.end(house)

    def test_an_empty_battery_leaves_its_share_to_the_other(self) -> None:
        plan = Plan((venus(1, "A", 0.12), venus(2, "B", 0.9)), base_noise_w=0.0, start_s=0.0)
        house = self.make(plan)
        self.grid_w(house, 120)
        self.assertLess(fmean(map(abs, self.grid_w(house, 120))), 40.0)
        self.assertApproximates(house.house.batteries[0].power_w, 0.0, 1.0)
        self.end(house)

    def test_the_meter_may_be_read_over_http_in_the_same_world(self) -> None:
        house = self.make(THREE, OVER_HTTP)
        self.grid_w(house, 60)
        self.assertLess(fmean(map(abs, self.grid_w(house, 120))), 60.0)
        self.assertLess(house.world.connections_opened, 5, "connections are not kept")
        self.end(house)

    def test_every_poll_is_one_event(self) -> None:
        house = self.make()
        events: list[CtAnswered] = []
        house.appliance.bus.subscribe(CtAnswered, events.append, name="test")
        house.world.advance(60.0)
        self.assertApproximates(len(events), 120, 4)
        self.assertTrue(events[-1].data["last_seen"].startswith("2026-06-21T00:00:5"))
        self.end(house)

    def test_the_status_says_who_polls(self) -> None:
        house = self.make(TWO, OVER_HTTP)
        house.world.advance(30.0)
        status = house.appliance.status()
        self.assertIsNone(status["meters"][0]["error"])
        (device,) = status["devices"]
        self.assertEqual([b["id"] for b in device["batteries"]], ["02b250000001", "02b250000002"])
        self.end(house)


class Determinism(HouseCase):
    def digest(self, seed: int, link: Link | None = None) -> str:
        house = self.make(seed=seed)
        if link is not None:
            house.world.set_link(link)
        house.world.advance(600.0)
        assert house.world.transcript is not None
        found = house.world.transcript.digest()
        self.end(house)
        return found

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        self.assertEqual(self.digest(7), self.digest(7))

    def test_also_on_a_bad_network(self) -> None:
        link = Link(latency_s=0.05, jitter_s=0.2, loss=0.1, duplicate=0.05, reorder=0.1)
        self.assertEqual(self.digest(7, link), self.digest(7, link))

    def test_another_seed_gives_others(self) -> None:
        self.assertNotEqual(self.digest(7), self.digest(8))


class Trouble(HouseCase):
    def test_on_a_bad_network_the_house_is_still_covered(self) -> None:
        house = self.make(CALM)
        house.world.set_link(
            Link(latency_s=0.02, jitter_s=0.1, loss=0.1, duplicate=0.05, reorder=0.1)
        )
        self.grid_w(house, 120)
        self.assertLess(fmean(map(abs, self.grid_w(house, 300))), 40.0)
        self.end(house)

    def meter_goes_away(self, failsafe: str = "") -> VirtualHouse:
        house = self.make(CALM, OVER_HTTP + "[CT002]\n" + failsafe)
        self.grid_w(house, 60)
        house.world.host(METER).down()
        house.house.site.household.set_base_load("A", 800.0)
        return house

    def outputs_w(self, house: VirtualHouse) -> list[float]:
        return [battery.power_w for battery in house.house.batteries]

    def test_while_the_meter_is_away_batteries_hold_and_later_go_on(self) -> None:
        house = self.meter_goes_away()
        before = self.outputs_w(house)
        self.grid_w(house, 50)
        for was, is_now in zip(before, self.outputs_w(house), strict=True):
            self.assertApproximates(was, is_now, 20.0)
        self.assertIsNotNone(house.appliance.status()["meters"][0]["error"])
        house.world.host(METER).up()
        self.grid_w(house, 60)
        self.assertLess(fmean(map(abs, self.grid_w(house, 60))), 60.0)
        self.end(house)

    def test_when_it_stays_away_they_go_to_the_failsafe_power_and_come_back(self) -> None:
        house = self.meter_goes_away("FAILSAFE_POWER = 200\n")
        told: list[str | None] = []
        house.appliance.bus.subscribe(
            FailsafeChanged, lambda event: told.append(event.stage), name="test"
        )
        self.grid_w(house, 90)
        self.assertApproximates(sum(self.outputs_w(house)), 200.0, 25.0)
        house.world.host(METER).up()
        self.grid_w(house, 60)
        self.assertLess(fmean(map(abs, self.grid_w(house, 60))), 60.0)
        self.assertEqual(told, ["power", None])
        self.end(house)

    def test_the_failsafe_power_is_0_unless_said_otherwise(self) -> None:
        house = self.meter_goes_away()
        self.grid_w(house, 90)
        self.assertEqual(self.outputs_w(house), [0.0, 0.0])
        self.end(house)

    def test_a_silent_failsafe_lets_the_batteries_own_loss_timers_act(self) -> None:
        house = self.meter_goes_away("FAILSAFE = silent\n")
        self.grid_w(house, 70)
        self.assertGreater(min(self.outputs_w(house)), 100.0)
        self.grid_w(house, 70)
        self.assertEqual(self.outputs_w(house), [0.0, 0.0])
        self.end(house)

    def test_a_failsafe_that_holds_never_lets_go(self) -> None:
        house = self.meter_goes_away("FAILSAFE = hold\n")
        before = self.outputs_w(house)
        self.grid_w(house, 300)
        self.assertEqual(self.outputs_w(house), before)
        self.end(house)

    def test_in_relay_mode_the_failsafe_works_too(self) -> None:
        house = self.meter_goes_away("ACTIVE_CONTROL = no\n")
        self.grid_w(house, 100)
        self.assertLess(max(map(abs, self.outputs_w(house))), 15.0)
        self.end(house)

    def test_a_battery_that_leaves_is_replaced_by_the_other(self) -> None:
        house = self.make(CALM)
        self.grid_w(house, 60)
        # Its own loss timer takes a Venus E to 0 W after 55 s of silence.
        house.world.host("192.168.1.11").down()
        self.grid_w(house, 120)
        self.assertLess(fmean(map(abs, self.grid_w(house, 60))), 40.0)
        status = house.appliance.status()["devices"][0]
        self.assertEqual([b["id"] for b in status["batteries"]], ["02b250000002"])
        self.end(house)

    def test_a_meter_that_never_answers_ends_the_start(self) -> None:
        house = VirtualHouse(CALM, OVER_HTTP)
        house.world.host(METER).down()
        house.start()
        house.world.advance(60.0)
        self.assertEqual(len(house.gave_up), 1)
        self.assertIn("[JSON_HTTP] could not be read in 4 attempts", house.gave_up[0])
        house.stop()


class Changing(HouseCase):
    def load(self, house: VirtualHouse, config: str) -> None:
        house.world.wait(house.appliance.apply(house.settings(config)))

    def test_new_options_take_effect_and_nothing_else_is_touched(self) -> None:
        house = self.make(CALM)
        house.world.advance(30.0)
        emulator = house.appliance.emulators[0]
        self.load(house, PUSHED + "POWER_OFFSET = 100, 0, 0\n")
        self.assertIs(house.appliance.emulators[0], emulator)
        self.assertEqual(len(house.appliance.status()["devices"][0]["batteries"]), 2)
        self.grid_w(house, 60)
        self.assertApproximates(fmean(self.grid_w(house, 60)), -100.0, 40.0)
        self.end(house)

    def test_an_unchanged_meter_is_not_restarted(self) -> None:
        house = self.make(CALM)
        before = house.appliance.meters
        self.load(house, PUSHED.replace("ct002", "ct002, shellyemg3"))
        self.assertEqual([b.meter for b in house.appliance.meters], [b.meter for b in before])
        self.assertEqual(len(house.appliance.emulators), 2)
        self.load(house, PUSHED)
        self.assertEqual(len(house.appliance.emulators), 1)
        self.end(house)

    def test_a_port_that_is_taken_changes_nothing(self) -> None:
        house = self.make(CALM)
        port = house.world.host(APPLIANCE).listenUDP(2222, DatagramProtocol())
        failure = self.assertRaises(
            PortError,
            self.load,
            house,
            PUSHED.replace("ct002", "ct002, shellyemg3, shellyproem50"),
        )
        self.assertIn("UDP port 2222 of shellyemg3", str(failure))
        self.assertEqual(len(house.appliance.emulators), 1)
        port.stopListening()
        self.end(house)

    def test_the_status_page_can_move_to_another_port(self) -> None:
        house = self.make(CALM)
        self.load(house, PUSHED.replace("[GENERAL]", "[GENERAL]\nWEB_SERVER_PORT = 8080"))
        host = house.world.host(APPLIANCE)
        self.assertRaises(CannotListenError, host.listenTCP, 8080, Factory())
        free = host.listenTCP(52500, Factory())
        free.stopListening()
        self.load(house, PUSHED.replace("[GENERAL]", "[GENERAL]\nENABLE_WEB_SERVER = no"))
        self.assertIsNone(house.appliance.web)
        self.end(house)
