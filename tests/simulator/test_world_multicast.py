"""Multicast in the world."""

from __future__ import annotations

from twisted.internet.error import (
    CannotListenError,
    MulticastJoinError,
)
from twisted.internet.interfaces import (
    IMulticastTransport,
    IReactorMulticast,
)
from zope.interface.verify import verifyObject

from simulator.world import HostReactor
from tests.simulator.udp_rig import Ear, UdpCase


class Multicast(UdpCase):
    GROUP = "239.12.255.254"

    def member(self, host: HostReactor, shared: bool = True) -> Ear:
        ear = Ear()
        port = host.listenMulticast(9522, ear, listenMultiple=shared)
        self.successResultOf(port.joinGroup(self.GROUP))
        return ear

    def test_reactor_and_transport_keep_twisteds_contracts(self) -> None:
        verifyObject(IReactorMulticast, self.meter)
        verifyObject(IMulticastTransport, self.member(self.meter).transport)

    def test_members_hear_the_group_and_others_do_not(self) -> None:
        ear = self.member(self.meter)
        outsider = self.ear(self.world.host("192.168.1.30"), 9522)
        self.ear(self.battery, 0).transport.write(b"x", (self.GROUP, 9522))
        self.ear(self.battery, 0).transport.write(b"y", ("239.0.0.1", 9522))
        self.world.advance(1)
        self.assertEqual([data for data, _ in ear.heard], [b"x"])
        self.assertEqual(outsider.heard, [])

    def test_one_who_has_left_hears_it_no_longer(self) -> None:
        ear = self.member(self.meter)
        self.successResultOf(ear.transport.leaveGroup(self.GROUP))
        self.ear(self.battery, 0).transport.write(b"x", (self.GROUP, 9522))
        self.world.advance(1)
        self.assertEqual(ear.heard, [])

    def test_a_group_that_is_none_cannot_be_joined_nor_one_left_twice(self) -> None:
        port = self.member(self.meter).transport
        self.failureResultOf(port.joinGroup("192.168.1.1"), MulticastJoinError)
        self.failureResultOf(port.joinGroup("nonsense"), MulticastJoinError)
        self.failureResultOf(port.leaveGroup("239.0.0.9"), MulticastJoinError)

    def test_a_port_can_be_shared_when_all_agree(self) -> None:
        first, second = self.member(self.meter), self.member(self.meter)
        self.assertRaises(CannotListenError, self.member, self.meter, shared=False)
        self.ear(self.battery, 0).transport.write(b"x", (self.GROUP, 9522))
        self.world.advance(1)
        self.assertEqual((len(first.heard), len(second.heard)), (1, 1))
        second.transport.stopListening()
        self.world.advance(0)
        self.ear(self.battery, 0).transport.write(b"x", ("192.168.1.10", 9522))
        self.world.advance(1)
        self.assertEqual((len(first.heard), len(second.heard)), (2, 1))

    def test_a_member_hears_itself_unless_it_does_not_want_to(self) -> None:
        ear = self.member(self.meter)
        ear.transport.write(b"x", (self.GROUP, 9522))
        self.assertTrue(ear.transport.getLoopbackMode())
        self.world.advance(1)
        ear.transport.setLoopbackMode(False)
        ear.transport.write(b"y", (self.GROUP, 9522))
        self.world.advance(1)
        self.assertEqual([data for data, _ in ear.heard], [b"x"])

    def test_its_settings_are_kept(self) -> None:
        port = self.member(self.meter).transport
        port.setTTL(4)
        self.assertEqual(port.getTTL(), 4)
        self.assertEqual(self.successResultOf(port.setOutgoingInterface("192.168.1.10")), 1)
        self.assertEqual(port.getOutgoingInterface(), "192.168.1.10")
