"""A guest with a key: what is shown, who may do what, and how it ends."""

from __future__ import annotations

import gc
import weakref

from twisted.conch.ssh.common import NS

from astrameter.console.session import Role
from astrameter.console.ssh import limits
from astrameter.console.ssh.options import SshOptions
from tests.astrameter.console.ssh.rig import SshCase


class Showing(SshCase):
    def test_a_key_without_a_role_may_look(self) -> None:
        guest = self.enter(self.viewer)
        self.assertIn("size 80x24 role view", guest.channel.text)
        self.assertIs(self.consoles[0].role, Role.VIEW)

    def test_a_key_with_the_role_may_steer(self) -> None:
        self.enter(self.steerer)
        self.assertIs(self.consoles[0].role, Role.STEER)

    def test_the_console_learns_the_terminal_and_nothing_else(self) -> None:
        self.enter(self.viewer)
        environ = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.assertEqual(self.consoles[0].terminal.environ, environ)

    def test_keys_arrive_in_order(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.write(b"a\x1b[A\xc3\xa9\x1b")
        self.run_for(0.5)
        self.assertEqual(self.consoles[0].keys, ["a", "up", "é", "esc"])
        self.assertIn("keys a up é esc", guest.channel.text)

    def test_a_thousand_keys_at_once_arrive_all(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.write(b"abcdefghij" * 100)
        self.run_for(3.0)
        self.assertEqual("".join(self.consoles[0].keys), "abcdefghij" * 100)

    def test_more_than_the_window_is_typed_in_turns(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.write(b"x" * 20_000)
        self.run_for(20.0)
        self.assertEqual(len(self.consoles[0].keys), 20_000)

    def test_a_window_that_changes_is_drawn_in_its_new_size(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.resize(200, 60)
        self.run_for(0.5)
        self.assertIn("size 200x60", guest.channel.text)

    def test_a_window_of_any_size_is_drawn_within_bounds(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.resize(0xFFFFFFFF, 0xFFFFFFFF)
        self.run_for(0.5)
        self.assertIn("size 400x150", guest.channel.text)
        guest.channel.resize(0, 0)
        self.run_for(2.0)
        self.assertTrue(self.consoles[0].pictures >= 3)

    def test_each_session_has_its_own_size_and_state(self) -> None:
        one, other = self.enter(self.viewer), self.enter(self.steerer)
        one.channel.resize(100, 30)
        other.channel.write(b"zz")
        self.run_for(0.5)
        self.assertEqual(self.consoles[0].keys, [])
        self.assertIn("size 100x30 role view", one.channel.text)
        self.assertIn("size 80x24 role steer keys z z", other.channel.text)

    def test_new_keys_in_the_middle_disturb_nothing(self) -> None:
        guest = self.enter(self.viewer)
        for count in range(3):
            guest.sendKexInit()
            self.run_for(0.5)
            guest.channel.write(b"%d" % count)
            self.run_for(0.5)
        self.assertIn("keys 0 1 2", guest.channel.text)


class Ending(SshCase):
    options = SshOptions(enable=True, idle_timeout_s=600)

    def test_leaving_gives_the_terminal_back_and_exits_0(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.write(b"q")
        self.run_for(1.0)
        self.assertEqual(guest.channel.status, 0)
        self.assertTrue(guest.channel.gone)
        self.assertTrue(self.consoles[0].stopped)
        self.assertIn("\x1b[?1049l", guest.channel.text)  # back from the alternate screen

    def test_a_guest_who_does_not_hang_up_is_hung_up(self) -> None:
        guest = self.enter(self.viewer)
        guest.channel.write(b"q")
        self.until(lambda: guest.lost, 8.0)

    def test_a_connection_that_is_lost_stops_the_console(self) -> None:
        self.enter(self.viewer)
        self.links[0].cut()
        self.assertTrue(self.consoles[0].stopped)

    def test_nobody_at_the_keys_is_shown_out(self) -> None:
        guest = self.enter(self.viewer)
        took = self.until(lambda: guest.channel.status is not None, 700)
        self.assertTrue(590 < took < 610, took)
        self.assertIn("Closed: no key was pressed for 600 seconds.", guest.channel.text)

    def test_a_key_keeps_the_session(self) -> None:
        guest = self.enter(self.viewer)
        for _ in range(3):
            self.run_for(400)
            guest.channel.write(b"k")
            self.run_for(0.2)
        self.assertIsNone(guest.channel.status)

    def test_a_key_that_is_taken_out_of_the_file_loses_its_console(self) -> None:
        viewer, steerer = self.enter(self.viewer), self.enter(self.steerer)
        self.write_keys(self.line(self.steerer, 'role="steer"'))
        self.until(lambda: viewer.channel.status is not None, 10.0)
        self.assertIn("what your key may do has changed", viewer.channel.text)
        self.assertIsNone(steerer.channel.status)

    def test_a_key_whose_role_changes_loses_its_console(self) -> None:
        guest = self.enter(self.steerer)
        self.write_keys(self.line(self.steerer))
        self.until(lambda: guest.channel.status is not None, 10.0)

    def test_a_console_that_fails_ends_alone(self) -> None:
        broken, other = self.enter(self.viewer), self.enter(self.viewer)
        broken.channel.write(b"!")
        self.run_for(1.0)
        self.assertEqual(broken.channel.status, 1)
        self.assertIn("The console has failed", broken.channel.text)
        other.channel.write(b"y")
        self.run_for(1.0)
        self.assertIn("keys y", other.channel.text)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_nothing_of_a_session_is_left(self) -> None:
        for _ in range(3):
            guest = self.enter(self.viewer)
            guest.channel.resize(100, 30)
            guest.channel.write(b"abq")
            self.until(lambda guest=guest: guest.lost, 8.0)
        left = [weakref.ref(one) for one in (*self.consoles, *(k.server for k in self.links))]
        self.consoles.clear()
        self.links.clear()
        gc.collect()
        self.assertEqual([one() for one in left if one() is not None], [])

    def test_a_server_that_stops_says_so(self) -> None:
        guest = self.enter(self.viewer)
        stopping = self.server.stopService()
        self.run_for(1.0)
        self.assertIn("Closed: the server stops.", guest.channel.text)
        guest.loseConnection()
        self.run_for(4.0)
        self.successResultOf(stopping)


class NotTaking(SshCase):
    """A guest who never reads."""

    def test_it_is_cut_off_and_holds_a_bounded_number_of_bytes(self) -> None:
        guest = self.enter(self.viewer)
        console = self.consoles[0]
        console.filled = True
        guest.channel.resize(200, 60)
        self.run_for(1.0)
        link = self.links[0]
        link.taking = False
        link.most = 0
        for _ in range(600):
            if not link.open:
                break
            console.show()
            self.run_for(0.1)
        self.assertFalse(link.open)
        self.assertTrue(console.stopped)
        self.assertLess(link.most, 80_000)

    def test_no_picture_is_drawn_that_nobody_takes(self) -> None:
        self.enter(self.viewer)
        console = self.consoles[0]
        console.filled = True
        self.links[0].taking = False
        for _ in range(100):
            console.show()
            self.run_for(0.1)
        drawn = console.pictures
        for _ in range(100):
            console.show()
            self.run_for(0.1)
        self.assertLess(console.pictures - drawn, 5)

    def test_the_next_picture_is_the_newest(self) -> None:
        guest = self.enter(self.viewer)
        console = self.consoles[0]
        console.filled = True
        self.links[0].taking = False
        for number in range(150):
            console.keys[:] = [f"number{number}"]
            console.show()
            self.run_for(0.1)
        before = len(guest.channel.text)
        self.links[0].taking = True
        self.run_for(2.0)
        shown = [w for w in guest.channel.text[before:].split() if w.startswith("number")]
        self.assertEqual(shown[-1], "number149")
        self.assertLess(len(set(shown)), 60)

    def test_a_terminal_that_is_held_is_ended_although_its_program_lives(self) -> None:
        guest = self.enter(self.viewer)
        console = self.consoles[0]
        console.filled = True
        # The window is not opened again: what the guest's program shows is not taken.
        guest.conn.adjustWindow = lambda _channel, _count: None
        for _ in range(900):
            if not self.links[0].open:
                break
            console.show()
            self.run_for(0.1)
        self.assertFalse(self.links[0].open)

    def test_new_keys_that_are_never_agreed_upon_end_it(self) -> None:
        guest = self.enter(self.viewer)
        guest.ssh_KEXINIT = lambda _packet: None  # the guest begins, and leaves it at that
        guest.sendKexInit()
        for _ in range(500):
            if not self.links[0].open:
                break
            self.consoles[0].show()
            self.run_for(0.1)
            waiting = self.links[0].server._blockedByKeyExchange or []
            self.assertLessEqual(len(waiting), 2)
        self.assertFalse(self.links[0].open)

    def test_what_lies_in_buffers_on_the_way_is_bounded(self) -> None:
        guest = self.enter(self.viewer)
        console = self.consoles[0]
        console.filled = True
        guest.channel.resize(200, 60)
        # The guest's program takes everything, and does not say that it got so far.
        guest.conn.ssh_GLOBAL_REQUEST = lambda _packet: None
        before = len(guest.channel.text)
        for _ in range(200):
            console.show()
            self.run_for(0.1)
        self.assertLess(len(guest.channel.text) - before, limits.CREDIT_BYTES + 1)
        self.until(lambda: guest.lost, 40.0)

    def test_answers_that_nobody_reads_are_bounded(self) -> None:
        guest = self.enter(self.viewer)
        console, link = self.consoles[0], self.links[0]
        link.taking = False
        guest.conn.ssh_REQUEST_FAILURE = lambda _packet: None
        for _ in range(5000):
            guest.sendPacket(80, NS(b"tcpip-forward") + b"\1" + NS(b"") + b"\0" * 4)
        self.run_for(15.0)
        drawn = console.pictures
        console.show()
        self.run_for(1.0)
        self.assertEqual(console.pictures, drawn)
        self.assertLess(link.most, 70_000)
        link.taking = True
        self.run_for(1.0)
        self.assertEqual(console.pictures, drawn + 1)

    def test_a_guest_who_does_not_take_the_last_bytes_is_cut_off(self) -> None:
        guest = self.enter(None, login=False)
        self.links[0].taking = False
        self.run_for(18.0)
        self.assertTrue(self.links[0].open)
        self.until(lambda: not self.links[0].open, 10.0)
        self.assertTrue(guest.lost)

    def test_the_server_stops_without_waiting_for_it(self) -> None:
        self.enter(None, login=False)
        self.links[0].taking = False
        stopping = self.server.stopService()
        self.run_for(3.5)
        self.successResultOf(stopping)

    def test_others_go_on(self) -> None:
        self.enter(self.viewer)
        other = self.enter(self.steerer)
        self.links[0].taking = False
        self.consoles[0].filled = True
        for _ in range(20):
            self.consoles[0].show()
            self.run_for(0.1)
        other.channel.write(b"w")
        self.run_for(0.3)
        self.assertIn("keys w", other.channel.text)

    def test_a_guest_whose_computer_has_gone_is_given_up(self) -> None:
        self.enter(self.viewer)
        self.links[0].taking = False
        took = self.until(lambda: not self.links[0].open, 90.0)
        self.assertGreater(took, 25.0)
