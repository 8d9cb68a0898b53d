"""A simulation elsewhere: what an attached console relies on (simulator.md sections 8 and 10)."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from simulator.api.events import LONGEST_EVENT, EventParser, EventTooLongError
from simulator.api.remote import MOST_WAITING, RemoteControl
from simulator.api.requests import BODIED, OF_BATTERY, request_of
from simulator.configuration.model import LOOPBACK
from simulator.control import (
    ChangeMaxPower,
    ChangeSoc,
    ChangeSolar,
    Operation,
    OperationRefused,
    Refusal,
    SetAuto,
    SetBaseLoad,
    SetDc,
    SetMaxPower,
    SetMeterLatency,
    SetOnline,
    SetPacketLoss,
    SetPhase,
    SetSoc,
    SetSolar,
    Shutdown,
    Status,
    ToggleAuto,
    ToggleLoad,
)
from simulator.running.tree import Tree
from tests.simulator.running.rig import MAC, OTHER, SITE, SimulationCase, battery, setup

DESK = "192.168.1.7"


class RemoteCase(SimulationCase):
    """A simulation on one host, and a control of it on another."""

    def setUp(self) -> None:
        super().setUp()
        self.ended = 0
        self.tree: Tree | None = None
        self.desk: Any = self.world.host(DESK)
        self.remote = RemoteControl(self.desk, 8080, SITE, random=Random(1))
        self.addCleanup(self.finish)

    def finish(self) -> None:
        if self.remote.running:
            self.world.wait(self.remote.stopService() or _done())
        self.go_down()
        self.world.advance(1)
        self.assertEqual(self.desk.getDelayedCalls(), [])

    def come_up(self) -> Tree:
        made = setup(battery(), battery(OTHER, max_dc_input_w=600.0), http_host="0.0.0.0")
        self.tree = tree = Tree(made, self.site, self.end, say=lambda _line: None)
        tree.startService()
        return tree

    def go_down(self) -> None:
        tree, self.tree = self.tree, None
        if tree is not None:
            self.world.wait(tree.stopService())

    def end(self) -> None:
        self.ended += 1

    def do(self, operation: Operation) -> Status:
        return self.world.wait(self.remote.perform(operation))


def _done() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done


class Listening(RemoteCase):
    def test_it_gets_a_status_each_second(self) -> None:
        self.come_up()
        told: list[Status | None] = []
        self.remote.subscribe(lambda: told.append(self.remote.status))
        self.remote.startService()
        self.world.advance(10.5)
        self.assertIn(len(told), range(9, 12))
        assert self.remote.status is not None
        self.assertEqual(self.remote.status.batteries[0].mac, MAC)
        self.assertIsNone(self.remote.trouble)

    def test_changes_by_others_arrive_at_once(self) -> None:
        tree = self.come_up()
        self.remote.startService()
        self.world.advance(3.1)
        self.world.wait(tree.control.perform(ToggleLoad(1)))
        self.world.advance(0.1)
        assert self.remote.status is not None
        self.assertTrue(self.remote.status.loads[0].active)

    def test_it_says_what_is_wrong_and_comes_back(self) -> None:
        self.remote.startService()
        self.world.advance(3)
        self.assertIn("192.168.1.2:8080", str(self.remote.trouble))
        self.come_up()
        self.world.advance(15)
        self.assertIsNone(self.remote.trouble)
        self.assertIsNotNone(self.remote.status)

    def test_a_lost_stream_keeps_the_last_status_and_reconnects(self) -> None:
        self.come_up()
        self.remote.startService()
        self.world.advance(5)
        self.go_down()
        self.world.advance(5)
        self.assertIsNotNone(self.remote.trouble)
        assert self.remote.status is not None
        self.assertEqual(self.remote.status.batteries[0].mac, MAC)
        self.come_up()
        self.world.advance(15)
        self.assertIsNone(self.remote.trouble)
        assert self.remote.status is not None
        self.assertLess(self.remote.status.elapsed_s, 20)

    def test_a_stream_that_falls_silent_is_left(self) -> None:
        self.come_up()
        self.remote.startService()
        self.world.advance(5)
        told: list[str | None] = []
        self.remote.subscribe(lambda: told.append(self.remote.trouble))
        self.site.down()
        self.world.advance(20)
        self.assertIn("the simulator has fallen silent", told)
        self.assertIn("no answer", str(self.remote.trouble))
        self.site.up()
        self.world.advance(30)
        self.assertIsNone(self.remote.trouble)

    def test_attempts_are_spaced_out(self) -> None:
        self.remote.startService()
        self.world.advance(600)
        self.assertIsNotNone(self.remote.trouble)

    def test_after_a_good_connection_it_is_soon_back(self) -> None:
        self.remote.startService()
        self.world.advance(300)
        self.come_up()
        self.world.advance(15)
        self.go_down()
        self.world.advance(0.5)
        self.come_up()
        self.world.advance(3)
        self.assertIsNone(self.remote.trouble)

    def test_stopping_in_the_midst_of_it(self) -> None:
        self.come_up()
        self.remote.startService()
        began_s = self.world.seconds()
        self.world.wait(self.remote.stopService() or _done())
        self.assertLess(self.world.seconds() - began_s, 0.5)
        self.world.advance(1)
        self.assertEqual(self.desk.getDelayedCalls(), [])

    def test_somebody_else_on_the_port(self) -> None:
        class Babble(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(b"HTTP/1.1 200 OK\r\n\r\ndata: {}\n\n")

        self.site.listenTCP(8080, Factory.forProtocol(Babble))
        self.remote.startService()
        self.world.advance(3)
        self.assertIn("no simulator", str(self.remote.trouble))


class Operating(RemoteCase):
    def test_every_operation_arrives_as_it_was_meant(self) -> None:
        tree = self.come_up()
        simulation = tree.simulation
        self.assertTrue(self.do(ToggleLoad(1)).loads[0].active)
        self.assertEqual(self.do(SetSolar(800)).solar.current_w, 800)
        self.assertEqual(self.do(SetSolar("max")).solar.current_w, 2000)
        self.assertEqual(self.do(SetSolar("off")).solar.current_w, 0)
        self.assertEqual(self.do(ChangeSolar(100)).solar.current_w, 100)
        self.assertEqual(self.do(SetSoc(MAC, 0.4)).batteries[0].soc, 0.4)
        self.assertEqual(self.do(ChangeSoc(MAC, 0.1)).batteries[0].soc, 0.5)
        one = self.do(SetMaxPower(MAC, 100, 200)).batteries[0]
        self.assertEqual((one.max_charge_w, one.max_discharge_w), (100, 200))
        one = self.do(SetMaxPower(MAC, discharge_w=300)).batteries[0]
        self.assertEqual((one.max_charge_w, one.max_discharge_w), (100, 300))
        self.assertEqual(self.do(ChangeMaxPower(MAC, 50)).batteries[0].max_charge_w, 150)
        self.assertEqual(self.do(SetDc(OTHER, 500)).batteries[1].dc_input_w, 500)
        self.assertTrue(self.do(SetAuto(True)).auto_mode)
        self.assertFalse(self.do(ToggleAuto()).auto_mode)
        self.assertFalse(self.do(SetOnline(MAC, False)).batteries[0].online)
        self.do(SetBaseLoad("B", -50))
        self.assertEqual(simulation.household.base_load_w[1], -50)
        self.assertEqual(self.do(SetPhase(MAC, "C")).batteries[0].phase, "C")
        self.do(SetPacketLoss(0.25))
        self.assertEqual(simulation.packet_loss, 0.25)
        self.do(SetMeterLatency(3))
        self.assertEqual(simulation.meter.latency_s, 3)
        self.do(Shutdown())
        self.world.advance(1)
        self.assertEqual(self.ended, 1)

    def test_keys_pressed_fast_add_up_in_order(self) -> None:
        self.come_up()
        self.remote.startService()
        results = [self.remote.perform(ChangeSolar(100)) for _ in range(15)]
        results.append(self.remote.perform(SetSolar(50)))
        results.extend(self.remote.perform(ChangeSolar(100)) for _ in range(4))
        found = [self.world.wait(one).solar.current_w for one in results]
        wanted = [100.0 * (i + 1) for i in range(15)] + [50, 150, 250, 350, 450]
        self.assertEqual(found, wanted)

    def test_a_refusal_is_told_and_the_next_goes_on(self) -> None:
        self.come_up()
        first, second = self.remote.perform(ToggleLoad(9)), self.remote.perform(ToggleLoad(1))
        with self.assertRaises(OperationRefused) as caught:
            self.world.wait(first)
        self.assertEqual(str(caught.exception), "Load index out of range: 9")
        self.assertIs(caught.exception.kind, Refusal.BAD_VALUE)
        self.assertTrue(self.world.wait(second).loads[0].active)

    def test_unknown_batteries(self) -> None:
        self.come_up()
        with self.assertRaises(OperationRefused) as caught:
            self.do(SetSoc("../solar", 1))
        self.assertIs(caught.exception.kind, Refusal.NOT_FOUND)

    def test_nobody_there(self) -> None:
        with self.assertRaises(OperationRefused) as caught:
            self.do(ToggleLoad(1))
        self.assertIs(caught.exception.kind, Refusal.UNREACHABLE)
        self.assertIn("192.168.1.2:8080", str(caught.exception))

    def test_an_answer_that_never_comes(self) -> None:
        self.come_up()
        self.world.advance(1)
        self.site.down()
        with self.assertRaises(OperationRefused) as caught:
            self.do(ToggleLoad(1))
        self.assertIs(caught.exception.kind, Refusal.UNREACHABLE)
        self.site.up()
        self.world.advance(30)

    def test_what_waits_is_bounded_and_refused_at_the_end(self) -> None:
        self.remote.startService()
        waiting = [self.remote.perform(ToggleLoad(1)) for _ in range(MOST_WAITING)]
        self.failureResultOf(self.remote.perform(ToggleLoad(1)), OperationRefused)
        self.world.wait(self.remote.stopService() or _done())
        for one in waiting:
            self.failureResultOf(one, OperationRefused)

    def test_the_status_once(self) -> None:
        self.come_up()
        self.world.advance(0.1)
        self.assertEqual(self.world.wait(self.remote.fetch()).ct_host, "192.168.1.3")
        self.assertEqual(LOOPBACK, "127.0.0.1")


class Routes(SynchronousTestCase):
    def test_every_route_with_a_body_has_an_operation(self) -> None:
        operations = (SetSolar(1), SetAuto(True), SetBaseLoad("A", 1), SetPacketLoss(0),
                      SetMeterLatency(1), SetSoc(MAC, 1), SetMaxPower(MAC), SetDc(MAC, 1),
                      SetOnline(MAC, True), SetPhase(MAC, "A"))  # fmt: skip
        names = {request_of(one)[0].rpartition("/")[2] for one in operations}
        self.assertEqual(names, {*BODIED, *OF_BATTERY})


class Parsing(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.binary(max_size=20).map(lambda one: one.replace(b"\n", b"").replace(b"\r", b""))
        ),
        st.lists(st.integers(1, 9), min_size=1),
        st.sampled_from((b"\n", b"\r\n")),
    )
    def test_events_in_any_pieces(self, data: list[bytes], sizes: list[int], end: bytes) -> None:
        data = [one.lstrip(b" ") for one in data]
        stream = b": hello" + end * 2
        for one in data:
            stream += b"event: status" + end + b"data: " + one + end * 2
        parser, found, position = EventParser(), [], 0
        while position < len(stream):
            size = sizes[position % len(sizes)]
            found += parser.feed(stream[position : position + size])
            position += size
        self.assertEqual(found, data)

    def test_several_lines_are_one_event(self) -> None:
        self.assertEqual(EventParser().feed(b"data: a\ndata:b\n\n"), [b"a\nb"])

    def test_an_event_without_end_is_given_up(self) -> None:
        parser = EventParser()
        with self.assertRaises(EventTooLongError):
            for _ in range(LONGEST_EVENT // 65536 + 2):
                parser.feed(b"x" * 65536)
