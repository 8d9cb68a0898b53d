"""Who gets a place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.console.ssh import admission
from astrameter.console.ssh.admission import Admission, Ticket, group_of


class Places(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.door = Admission(self.clock, 2)

    def admit(self, address: str = "10.0.0.1") -> Ticket:
        ticket = self.door.admit(address)
        assert ticket is not None
        return ticket

    def test_an_address_has_4_that_have_not_logged_in(self) -> None:
        tickets = [self.admit() for _ in range(4)]
        self.assertIsNone(self.door.admit("10.0.0.1"))
        self.admit("10.0.0.2")
        tickets[0].release()
        self.admit()

    def test_a_session_takes_no_place_of_those_that_knock(self) -> None:
        self.assertTrue(self.admit().enter())
        for _ in range(4):
            self.admit()

    def test_there_are_so_many_sessions(self) -> None:
        one, two, three = self.admit(), self.admit(), self.admit()
        self.assertEqual([t.enter() for t in (one, two, three)], [True, True, False])
        self.assertTrue(one.enter(), "who is inside is inside")
        one.release()
        self.assertTrue(three.enter())

    def test_fewer_places_show_nobody_out(self) -> None:
        one, two = self.admit(), self.admit()
        self.assertTrue(one.enter())
        self.door.max_sessions = 1
        self.assertFalse(two.enter())
        self.assertTrue(one.inside)

    def test_a_place_is_given_back_once(self) -> None:
        for _ in range(3):
            ticket = self.admit()
            ticket.release()
            ticket.release()
        self.assertFalse(ticket.enter(), "it has gone already")
        self.assertEqual([self.admit().enter() for _ in range(3)], [True, True, False])

    def test_20_at_once_and_then_4_a_second(self) -> None:
        def knock(times: int) -> int:
            let_in = [self.door.admit("10.0.0.1") for _ in range(times)]
            for ticket in let_in:
                if ticket is not None:
                    ticket.release()
            return sum(ticket is not None for ticket in let_in)

        # Each leaves before the next comes.
        self.assertEqual(sum(knock(1) for _ in range(50)), 20)
        self.clock.advance(1)
        self.assertEqual(sum(knock(1) for _ in range(50)), 4)
        self.clock.advance(3600)
        self.assertEqual(sum(knock(1) for _ in range(50)), 20)

    def test_all_addresses_together_40_at_once_and_then_20_a_second(self) -> None:
        def knock(times: int) -> int:
            count = 0
            for number in range(times):
                ticket = self.door.admit(f"10.1.{number >> 8}.{number & 255}")
                if ticket is not None:
                    count += 1
                    ticket.release()
            return count

        self.assertEqual(knock(300), 40)
        self.clock.advance(1)
        self.assertEqual(knock(300), 20)

    def test_what_is_known_of_addresses_is_bounded(self) -> None:
        for number in range(2000):
            ticket = self.door.admit(f"10.0.{number >> 8}.{number & 255}")
            if ticket is not None:
                ticket.release()
            self.clock.advance(0.1)
        self.assertLessEqual(len(self.door._buckets), 256)
        self.assertEqual(self.door._starting, {})

    def test_a_network_of_ipv6_is_one_address(self) -> None:
        self.assertEqual(group_of("2001:db8::1"), group_of("2001:db8::ffff:2%eth0"))
        self.assertNotEqual(group_of("2001:db8::1"), group_of("2001:db8:0:1::1"))
        self.assertEqual(group_of("::ffff:10.0.0.1"), "10.0.0.1")
        self.assertEqual(group_of("?"), "?")

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("aekr")), max_size=200))
    def test_no_order_of_events_loses_or_makes_a_place(self, events: list[tuple[int, str]]) -> None:
        clock = Clock()
        door = Admission(clock, 2)
        tickets: list[Ticket] = []
        for number, what in events:
            if what == "a":
                ticket = door.admit(f"10.0.0.{number}")
                tickets += [] if ticket is None else [ticket]
            elif tickets:
                chosen = tickets[number % len(tickets)]
                if what == "e":
                    chosen.enter()
                else:
                    chosen.release()
            clock.advance(1)
            self.assertLessEqual(sum(door._starting.values()), admission.STARTING)
        for ticket in tickets:
            ticket.release()
        self.assertEqual(door._starting, {})
        self.assertEqual([door.enter(Ticket(door, "x")) for _ in range(0)], [])
        fresh = [door.admit("10.9.9.9") for _ in range(3)]
        self.assertEqual([t is not None and t.enter() for t in fresh], [True, True, False])
