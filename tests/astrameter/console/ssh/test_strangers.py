"""Whoever has no key, breaks the protocol or wants something else."""

from __future__ import annotations

import struct
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.internet.protocol import Protocol

from astrameter.console.ssh import limits
from tests.astrameter.console.ssh.rig import Guest, SshCase, ed25519
from tests.logged import logged

_SERVICE_REQUEST, _KEXINIT, _NEWKEYS = 5, 20, 21
_USERAUTH_REQUEST = 50


class Stranger(Protocol):
    """Sends bytes; keeps what comes back."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True

    def say(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class StrangerCase(SshCase):
    def stranger(self, says: bytes = b"") -> Stranger:
        one = Stranger()
        self.assertIsNotNone(self.connect(one))
        one.say(says)
        self.run_for(0.5)
        return one

    def secured(self) -> Guest:
        """A guest who has exchanged keys, and has not asked for anything yet."""
        return self.enter(None, login=False)


class BeforeTheKeys(StrangerCase):
    def test_the_greeting_says_nothing_of_the_program(self) -> None:
        one = self.stranger()
        self.assertTrue(one.received.startswith(b"SSH-2.0-console\r\n"))
        for word in (b"wisted", b"stra", b"ython"):
            self.assertNotIn(word, one.received)

    def test_only_modern_algorithms_are_offered(self) -> None:
        offered = self.stranger().received
        for name in (b"ssh-dss", b"ssh-rsa", b"sha1", b"md5", b"cbc", b"zlib", b"group"):
            self.assertNotIn(name, offered)
        for name in (b"curve25519-sha256", b"ssh-ed25519", b"aes256-ctr", b"hmac-sha2-512"):
            self.assertIn(name, offered)

    def test_what_is_not_ssh_is_hung_up_at_once(self) -> None:
        for says in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02",
            b"SSH-1.5-old\r\n",
            b"\n",
            b"x",
        ):
            self.assertTrue(self.stranger(says).lost, says)

    def test_a_line_before_the_greeting_is_hung_up(self) -> None:
        self.assertTrue(self.stranger(b"hello\r\nSSH-2.0-x\r\n").lost)

    def test_a_greeting_without_an_end_is_hung_up(self) -> None:
        self.assertTrue(self.stranger(b"SSH-2.0-" + b"x" * 300).lost)

    def test_a_greeting_that_never_comes_is_hung_up_after_the_grace_time(self) -> None:
        one = self.stranger()
        took = self.until(lambda: one.lost, 30.0)
        self.assertTrue(18 < took < 21, took)

    def test_a_greeting_that_drips_is_hung_up_after_the_grace_time(self) -> None:
        one = self.stranger()
        for byte in b"SSH-2.0-slow":
            one.say(bytes((byte,)))
            self.run_for(3.0)
            if one.lost:
                break
        self.assertTrue(one.lost)

    def test_a_packet_that_is_too_long_is_not_waited_for(self) -> None:
        one = self.stranger(b"SSH-2.0-x\r\n" + struct.pack(">LB", 900_000, 4) + b"\0" * 60_000)
        self.assertTrue(one.lost)

    def test_random_packets_are_hung_up(self) -> None:
        packet = struct.pack(">LB", 12, 4) + bytes((99,)) + b"\0" * 10
        self.assertTrue(self.stranger(b"SSH-2.0-x\r\n" + packet).lost)

    def test_keys_out_of_turn_are_hung_up(self) -> None:
        for message in (_NEWKEYS, 30, 31, 34, _SERVICE_REQUEST, _USERAUTH_REQUEST, 80, 94):
            payload = bytes((message,)) + NS(b"ssh-userauth")
            padding = 8 - (len(payload) + 5) % 8 + 8
            packet = struct.pack(">LB", len(payload) + 1 + padding, padding)
            one = self.stranger(b"SSH-2.0-x\r\n" + packet + payload + b"\0" * padding)
            self.assertTrue(one.lost, message)
            self.run_for(1.0)

    @settings(deadline=None, derandomize=True, max_examples=40)
    @given(st.binary(max_size=200), st.booleans())
    def test_whatever_comes_is_no_trouble(self, data: bytes, greeted: bool) -> None:
        one = self.stranger((b"SSH-2.0-x\r\n" if greeted else b"") + data)
        self.links[-1].cut()
        self.links.clear()
        self.run_for(1.0)
        self.assertLess(len(one.received), 4000)
        self.assertEqual(self.flushLoggedErrors(), [])


class BeforeTheLogin(StrangerCase):
    def test_the_login_comes_first(self) -> None:
        guest = self.secured()
        guest.sendPacket(_SERVICE_REQUEST, NS(b"ssh-connection"))
        self.run_for(0.5)
        self.assertTrue(guest.lost)

    def test_a_channel_before_the_login_is_hung_up(self) -> None:
        guest = self.secured()
        guest.sendPacket(90, NS(b"session") + struct.pack(">3L", 0, 1 << 20, 32768))
        self.run_for(0.5)
        self.assertTrue(guest.lost)

    def test_a_login_cannot_be_begun_anew(self) -> None:
        guest = self.secured()
        for _ in range(2):
            guest.sendPacket(_SERVICE_REQUEST, NS(b"ssh-userauth"))
        self.run_for(0.5)
        self.assertTrue(guest.lost)

    def test_new_keys_before_the_login_are_hung_up(self) -> None:
        guest = self.secured()
        guest.sendKexInit()
        self.run_for(0.5)
        self.assertTrue(guest.lost)

    def test_the_grace_time_ends_a_guest_who_only_looks_on(self) -> None:
        guest = self.secured()
        self.until(lambda: guest.lost, 25.0)

    def test_a_message_that_is_cut_short_is_hung_up_and_logs_no_trace(self) -> None:
        guest = self.secured()
        guest.sendPacket(_SERVICE_REQUEST, b"\0\0")
        self.run_for(0.5)
        self.assertTrue(guest.lost)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_flood_of_questions_is_bounded(self) -> None:
        guest = self.secured()
        guest.sendPacket(_SERVICE_REQUEST, NS(b"ssh-userauth"))
        for _ in range(100):
            request = NS(b"me") + NS(b"ssh-connection") + NS(b"none")
            guest.sendPacket(_USERAUTH_REQUEST, request)
        self.run_for(2.0)
        self.assertTrue(guest.lost)

    def test_a_flood_of_what_is_always_allowed_is_bounded(self) -> None:
        guest = self.secured()
        for _ in range(100):
            guest.sendIgnore(b"")
        self.run_for(1.0)
        self.assertTrue(guest.lost)

    def test_a_flood_is_read_no_faster_than_the_limit(self) -> None:
        guest = self.enter(self.viewer)
        ignored = 400_000
        for _ in range(ignored // 1000):
            guest.sendIgnore(b"x" * 1000)
        link = self.links[0]
        self.run_for(2.0)
        left = len(link.ends[1].value())
        self.assertGreater(left, ignored - 3 * limits.BYTES_PER_S - 65536 * 2)
        self.assertTrue(link.open)


class WithoutAKey(StrangerCase):
    def _try(self, method: bytes, rest: bytes = b"", times: int = 1) -> Guest:
        guest = self.secured()
        guest.sendPacket(_SERVICE_REQUEST, NS(b"ssh-userauth"))
        for _ in range(times):
            request = NS(b"root") + NS(b"ssh-connection") + NS(method) + rest
            guest.sendPacket(_USERAUTH_REQUEST, request)
        self.run_for(1.0)
        return guest

    def test_a_wrong_key_is_refused(self) -> None:
        guest = self.enter(ed25519())
        self.assertEqual(guest.auth.methods, [b"publickey", b"publickey"])
        self.assertEqual((guest.channels, self.consoles), ([], []))

    def test_no_key_is_refused(self) -> None:
        guest = self.enter(None)
        self.assertEqual(guest.auth.methods, [b"publickey"])

    def test_other_ways_are_refused_and_only_keys_are_named(self) -> None:
        for method, rest in (
            (b"password", b"\0" + NS(b"secret")),
            (b"keyboard-interactive", NS(b"") + NS(b"")),
            (b"hostbased", b""),
            (b"gssapi-with-mic", b""),
        ):
            guest = self._try(method, rest)
            self.assertEqual(guest.said[-1], (51, NS(b"publickey") + b"\0"), method)
            self.links.pop().cut()

    def test_six_attempts_are_enough(self) -> None:
        guest = self._try(b"password", b"\0" + NS(b"x"), times=6)
        self.assertTrue(guest.lost)
        self.assertEqual(guest.refusals, [b"too many attempts"])

    def test_the_signature_of_the_key_is_what_lets_in(self) -> None:
        guest = self._sign(self.steerer, self.steerer)
        self.assertEqual(guest.said[-1], (52, b""))

    def test_a_signature_of_another_key_is_refused(self) -> None:
        guest = self._sign(self.steerer, ed25519())
        self.assertEqual(guest.said[-1][0], 51)

    def test_a_signature_of_another_connection_is_refused(self) -> None:
        guest = self._sign(self.steerer, self.steerer, session=b"another one")
        self.assertEqual(guest.said[-1][0], 51)

    def test_a_signature_for_another_service_is_refused(self) -> None:
        guest = self._sign(self.steerer, self.steerer, service=b"ssh-userauth")
        self.assertEqual(guest.said[-1][0], 51)

    def test_rsa_signs_with_sha2_and_never_with_sha1(self) -> None:
        key = Key(generate_private_key(65537, 2048))
        self.write_keys(self.line(key))
        for algorithm, named, answer in (
            (b"rsa-sha2-256", b"rsa-sha2-256", 52),
            (b"rsa-sha2-512", b"rsa-sha2-512", 52),
            (b"ssh-rsa", b"ssh-rsa", 51),
            (b"rsa-sha2-512", b"ssh-rsa", 51),  # what the signature names is what counts
            (b"rsa-sha2-512", b"rsa-sha2-256", 51),
        ):
            guest = self._sign(key, key, algorithm=algorithm, named=named)
            self.assertEqual(guest.said[-1][0], answer, (algorithm, named))
            self.links.pop().cut()

    def test_every_kind_of_key_logs_in(self) -> None:
        kinds = [Key(ec.generate_private_key(one())) for one in (ec.SECP256R1, ec.SECP521R1)]
        for key in (*kinds, ed25519()):  # Conch signs with RSA and SHA-1 only
            self.write_keys(self.line(key))
            self.assertIn("role view", self.enter(key).channel.text)
            self.links.pop().cut()

    def _sign(
        self,
        key: Key,
        signer: Key,
        *,
        session: bytes = b"",
        service: bytes = b"ssh-connection",
        algorithm: bytes = b"",
        named: bytes = b"",
    ) -> Guest:
        guest = self.secured()
        algorithm = algorithm or key.sshType()
        assert guest.sessionID is not None
        request = NS(b"me") + NS(service) + NS(b"publickey") + b"\1" + NS(algorithm)
        request += NS(key.public().blob())
        message = NS(session or guest.sessionID) + bytes((_USERAUTH_REQUEST,)) + request
        signature = signer.sign(message, signatureType=named or algorithm)
        guest.sendPacket(_SERVICE_REQUEST, NS(b"ssh-userauth"))
        guest.sendPacket(_USERAUTH_REQUEST, request + NS(signature))
        self.run_for(1.0)
        return guest

    def test_signatures_that_make_no_sense_are_refused(self) -> None:
        blob = self.steerer.public().blob()
        for signature in (
            b"",
            NS(b""),
            NS(NS(b"ssh-ed25519")),
            NS(NS(b"ssh-ed25519") + NS(b"")),
            NS(NS(b"ssh-rsa") + NS(b"x" * 64)),
            NS(b"x" * 40),
            NS(b"\xff" * 83),
        ):
            guest = self._try(b"publickey", b"\x01" + NS(b"ssh-ed25519") + NS(blob) + signature)
            self.run_for(1.0)
            self.assertIsNone(self.links[-1].server.login, signature)
            self.links.pop().cut()
            del guest
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_refusal_is_logged_once_with_the_address(self) -> None:
        with logged() as lines:
            for _ in range(5):
                self.enter(ed25519())
                self.links.pop().cut()
        refused = [line for line in lines if "refused" in line]
        self.assertEqual(len(refused), 1)
        self.assertIn("from 192.168.1.7 was refused: its key is not in the file", refused[0])


class AfterTheLogin(StrangerCase):
    def _inside(self) -> Guest:
        return self.enter(self.steerer)

    def test_no_program_is_run(self) -> None:
        guest = self._inside()
        guest.channel.automatic = False
        for kind, data in (
            (b"exec", NS(b"id")),
            (b"subsystem", NS(b"sftp")),
            (b"shell", b""),  # a second one
            (b"env", NS(b"LD_PRELOAD") + NS(b"x")),
            (b"auth-agent-req@openssh.com", b""),
            (b"x11-req", b"\0" + NS(b"MIT-MAGIC-COOKIE-1") + NS(b"00") + b"\0\0\0\0"),
            (b"signal", NS(b"KILL")),
            (b"break", b"\0\0\0\1"),
            (b"\xff\xfe", b""),
            (b"pty-req", b""),
            (b"window-change", b"\0"),
        ):
            granted = guest.channel.ask(kind, data)
            self.run_for(0.2)
            self.assertEqual(granted, [False], kind)
        self.assertTrue(self.links[0].open)

    def test_nothing_is_forwarded(self) -> None:
        guest = self._inside()
        target = NS(b"127.0.0.1") + struct.pack(">L", 22) + NS(b"127.0.0.1") + b"\0\0\0\1"
        for kind in (b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com"):
            channel = guest.conn.open(kind, target)
            self.run_for(0.2)
            self.assertIn("nothing is forwarded here", str(channel.refused))
        refused: list[bool] = []
        for kind in (b"tcpip-forward", b"streamlocal-forward@openssh.com"):
            asked = guest.conn.sendGlobalRequest(kind, NS(b"") + b"\0\0\x27\x0f", wantReply=1)
            asked.addCallbacks(lambda _: None, lambda _: refused.append(True))
        self.run_for(0.5)
        self.assertEqual(refused, [True, True])

    def test_one_console_for_each_connection(self) -> None:
        guest = self._inside()
        second = guest.conn.open()
        self.run_for(0.5)
        self.assertFalse(second.opened)
        self.assertIn("one console for each connection", str(second.refused))
        self.assertEqual(len(self.consoles), 1)

    def test_packets_of_a_byte_are_refused(self) -> None:
        guest = self.enter(self.steerer, shell=False)
        channel = guest.conn.open(localMaxPacket=1)
        self.run_for(0.5)
        self.assertFalse(channel.opened)

    def test_no_terminal_is_one_clear_line_and_exit_1(self) -> None:
        guest = self.enter(self.steerer, shell=False)
        channel = guest.conn.open()
        self.run_for(0.2)
        channel.ask(b"shell")
        self.run_for(0.5)
        self.assertEqual(channel.status, 1)
        expected = "This is a console and needs a terminal: connect with ssh -t.\r\n"
        self.assertEqual(channel.errors, expected)
        self.assertEqual(self.consoles, [])

    def test_a_terminal_that_cannot_move_its_cursor_is_one_clear_line_and_exit_1(self) -> None:
        guest = self.enter(self.steerer, shell=False)
        channel = guest.conn.open()
        channel.terminal = b"dumb"
        self.run_for(0.2)
        channel.ask_terminal()
        channel.ask(b"shell")
        self.run_for(0.5)
        self.assertEqual(channel.status, 1)
        self.assertIn("TERM", channel.errors)

    def test_the_name_of_a_terminal_cannot_carry_anything(self) -> None:
        guest = self.enter(self.steerer, shell=False)
        channel = guest.conn.open()
        channel.terminal = b"../../x\x1b]0;y\x07" + b"z" * 500
        self.run_for(0.2)
        channel.ask_terminal()
        channel.ask(b"shell")
        self.run_for(0.5)
        term = self.consoles[0].terminal.environ["TERM"]
        self.assertTrue(len(term) <= 64 and "/" not in term and "\x1b" not in term, term)

    def test_a_guest_who_asks_for_no_console_is_hung_up(self) -> None:
        guest = self.enter(self.steerer, shell=False)
        self.until(lambda: guest.lost, 25.0)

    def test_data_beyond_the_window_closes_the_channel(self) -> None:
        guest = self._inside()
        guest.channel.remoteWindowLeft = 1 << 30
        guest.channel.remoteMaxPacket = 30_000
        guest.channel.write(b"x" * 30_000)
        self.run_for(2.0)
        self.assertTrue(guest.channel.gone)

    def test_a_message_for_no_channel_ends_the_connection_only(self) -> None:
        guest, other = self._inside(), self._inside()
        guest.sendPacket(94, struct.pack(">L", 77) + NS(b"x"))
        self.run_for(0.5)
        self.assertTrue(guest.lost)
        self.assertFalse(other.lost)
        self.assertEqual(self.flushLoggedErrors(), [])

    @settings(
        deadline=None,
        derandomize=True,
        max_examples=40,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.integers(1, 110), st.binary(max_size=64))
    def test_whatever_message_comes_is_no_trouble(self, message: int, payload: bytes) -> None:
        guest = self._inside()
        guest.sendPacket(message, payload)
        self.run_for(0.1)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.links.pop().cut()
        self.reactor.advance(30)


class ManyAtOnce(StrangerCase):
    def test_200_connections_from_one_address_get_4_places(self) -> None:
        strangers = [Stranger() for _ in range(200)]
        links = [self.connect(one) for one in strangers]
        self.assertEqual(sum(link is not None for link in links), 4)
        self.run_for(22.0)
        self.assertTrue(all(one.lost for one in strangers if one.transport is not None))
        self.assertIn("size 80x24", self.enter(self.viewer).channel.text)

    def test_200_addresses_get_12_places(self) -> None:
        links = [self.connect(Stranger(), f"10.0.0.{number}") for number in range(200)]
        self.assertEqual(sum(link is not None for link in links), 12)

    def test_a_guest_elsewhere_is_let_in_while_one_address_knocks(self) -> None:
        for _ in range(200):
            self.connect(Stranger(), "10.0.0.66")
        self.assertIn("size 80x24", self.enter(self.viewer).channel.text)

    def test_more_consoles_than_places_are_told_so(self) -> None:
        for number in range(4):
            self.enter(self.viewer)
            self.assertEqual(len(self.consoles), number + 1)
        guest = self.enter(self.viewer)
        self.assertEqual(guest.channel.status, 1)
        self.assertIn("All consoles are taken", guest.channel.errors)
        self.links[0].cut()
        self.run_for(1.0)
        self.assertIn("size 80x24", self.enter(self.viewer).channel.text)

    def test_nobody_knocks_at_any_rate(self) -> None:
        opened = 0
        for _ in range(400):
            link = self.connect(Stranger(), "10.0.0.66")
            if link is not None:
                opened += 1
                link.cut()
        self.assertEqual(opened, 20)
