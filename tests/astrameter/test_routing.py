"""Which meter serves which battery (filters.md sections 10 and 11)."""

from __future__ import annotations

import ipaddress

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from astrameter.meters.interface import ISource
from astrameter.reading import MeterError
from astrameter.routing import FRESH_WAIT_S, Route, Routes
from tests.doubles import StubMeter, routes_for


class Finding(SynchronousTestCase):
    def found(self, routes: Routes, ip: str) -> str | None:
        route = routes.find(ip)
        return None if route is None else route.section

    def routes(self, **masks: str) -> Routes:
        """Routes to meters by section, each with its NETMASK."""
        return routes_for(
            [(StubMeter(section=name), mask.split(",")) for name, mask in masks.items()]
        )

    def test_a_route_is_a_source(self) -> None:
        route = self.routes(M="0.0.0.0/0").find("10.0.0.1")
        verifyObject(ISource, route)

    def test_the_first_that_matches_in_file_order_serves(self) -> None:
        routes = self.routes(ONE="10.0.0.7/32", TWO="10.0.0.0/8", ALL="0.0.0.0/0")
        for ip, section in (
            ("10.0.0.7", "ONE"),
            ("10.0.0.8", "TWO"),
            ("10.255.255.255", "TWO"),
            ("11.0.0.0", "ALL"),
            ("255.255.255.255", "ALL"),
        ):
            self.assertEqual(self.found(routes, ip), section)

    def test_a_meter_may_have_several_networks(self) -> None:
        routes = self.routes(M="10.0.0.0/24,192.168.1.0/30")
        for ip, section in (
            ("10.0.0.255", "M"),
            ("10.0.1.0", None),
            ("192.168.1.3", "M"),
            ("192.168.1.4", None),
        ):
            self.assertEqual(self.found(routes, ip), section)

    def test_nobody_may_serve(self) -> None:
        self.assertIsNone(self.found(self.routes(), "10.0.0.1"))
        self.assertIsNone(self.found(self.routes(M="10.0.0.1/32"), "10.0.0.2"))

    def test_a_mapped_address_is_the_ipv4_address_in_it(self) -> None:
        routes = self.routes(M="10.0.0.0/8")
        self.assertEqual(self.found(routes, "::ffff:10.1.2.3"), "M")
        self.assertEqual(self.found(routes, "::FFFF:10.1.2.3"), "M")

    def test_what_is_no_ipv4_address_matches_nothing(self) -> None:
        routes = self.routes(M="0.0.0.0/0")
        for ip in ("", "fe80::1", "fe80::1%eth0", "::1", "localhost", "10.0.0", "10.0.0.256", "1"):
            self.assertIsNone(self.found(routes, ip), ip)

    def test_other_routes_apply_from_the_next_poll_on(self) -> None:
        routes = self.routes(OLD="0.0.0.0/0")
        self.assertEqual(self.found(routes, "10.0.0.1"), "OLD")
        new = StubMeter(section="NEW")
        routes.replace([Route(new, new, [ipaddress.IPv4Network("10.0.0.1/32")], False)])
        self.assertEqual(self.found(routes, "10.0.0.1"), "NEW")
        self.assertIsNone(self.found(routes, "10.0.0.2"))
        routes.replace([])
        self.assertIsNone(self.found(routes, "10.0.0.1"))

    def test_the_memory_of_clients_is_bounded(self) -> None:
        routes = self.routes(M="10.0.0.0/9")
        for number in range(5000):
            wanted = "M" if number % 2 else None
            ip = f"10.{200 * (1 - number % 2)}.{number >> 8}.{number & 255}"
            self.assertEqual(self.found(routes, ip), wanted)
        self.assertLessEqual(len(routes._known), 512)


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = StubMeter([5.0])

    def route(self, *, wait: bool) -> Route:
        route = routes_for([(self.meter, ["0.0.0.0/0"])], wait=wait).find("10.0.0.1")
        assert route is not None
        return route

    def test_the_reading_is_the_chains(self) -> None:
        filtered = StubMeter([7.0])
        route = Route(self.meter, filtered, [], False)
        self.assertEqual(self.successResultOf(route.read()).watts, (7.0,))
        self.assertEqual(self.meter.reads, 0)

    def test_without_waiting_the_last_known_value_is_read(self) -> None:
        self.meter.fresh = Deferred()
        self.assertEqual(self.successResultOf(self.route(wait=False).read()).watts, (5.0,))

    def test_it_waits_for_the_next_sample_first(self) -> None:
        waits: list[float] = []
        fresh: Deferred[None] = Deferred()

        def next_sample(timeout_s: float) -> Deferred[None]:
            waits.append(timeout_s)
            return fresh

        self.meter.next_sample = next_sample  # type: ignore[method-assign]
        reading = self.route(wait=True).read()
        self.assertEqual((self.meter.reads, waits), (0, [FRESH_WAIT_S]))
        self.meter.reading = [6.0]
        fresh.callback(None)
        self.assertEqual(self.successResultOf(reading).watts, (6.0,))

    def test_there_is_no_fall_through_when_the_meter_fails(self) -> None:
        other = StubMeter([1.0])
        self.meter.reading = "error"
        routes = routes_for([(self.meter, ["0.0.0.0/0"]), (other, ["0.0.0.0/0"])])
        route = routes.find("10.0.0.1")
        assert route is not None
        self.failureResultOf(route.read(), MeterError)
        self.assertEqual(other.reads, 0)

    def test_given_up_while_it_waits_it_does_not_read(self) -> None:
        self.meter.fresh = Deferred()
        reading = self.route(wait=True).read()
        reading.addErrback(lambda _: None)
        reading.cancel()
        self.assertEqual(self.meter.reads, 0)

    def test_failures_pass_unchanged(self) -> None:
        self.meter.reading = ConnectionLost()
        for wait in (False, True):
            self.failureResultOf(self.route(wait=wait).read(), ConnectionLost)
