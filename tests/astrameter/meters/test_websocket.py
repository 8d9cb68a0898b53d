"""A source on a websocket: connecting, staying connected, and everything a peer can do to that."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

from cryptography.x509 import DNSName
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from wsproto.connection import ConnectionState

from astrameter.backoff import FIRST_S, LONGEST_S, Backoff
from astrameter.meters.urls import parse_url
from astrameter.meters.websocket import (
    COMPLAIN_EVERY_S,
    HELD_S,
    Complaints,
    Message,
    Place,
    Trouble,
    WebSocketClient,
)
from astrameter.meters.websocket_connection import GREETING_S, PING_EVERY_S, PONG_S
from astrameter.meters.websocket_wire import (
    CLOSE_S,
    CONNECT_S,
    MAX_MESSAGE,
    TURN_BYTES,
    Wire,
)
from astrameter.tls import tls_to
from tests.astrameter.meters.websocket_rig import (
    APPLIANCE,
    PORT,
    SOURCE,
    Peer,
    Play,
    Source,
    WebSocketTestCase,
    certificate,
    pem,
    server_tls,
)

reactor: Any = _reactor

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
URL = f"http://{SOURCE}:{PORT}/api/ws"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """A frame as servers send it."""
    first = opcode | (0x80 if final else 0)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


def greet(peer: Peer) -> Iterator[Any]:
    """What a good source does."""
    peer.send({"hello": 1})
    return iter(())


def greet_and_stream(peer: Peer) -> Iterator[Any]:
    peer.send({"hello": 1})
    for i in range(100_000):
        yield 1.0
        peer.send({"n": i})


def say_nothing(_peer: Peer) -> Iterator[Any]:
    return iter(())


class Talker:
    """A dialogue that takes everything down, and is content with a hello.

    :ivar heard: ``opened``, ``closed`` and the messages.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.client: Any = None

    @property
    def messages(self) -> list[Message]:
        return [one for one in self.heard if isinstance(one, dict)]

    def stream_opened(self) -> None:
        self.heard.append("opened")

    def stream_message(self, message: Message) -> None:
        self.heard.append(message)
        if "hello" in message:
            self.client.accepted()
            self.client.delivers()
        if "bang" in message:
            raise RuntimeError(message["bang"])

    def stream_closed(self) -> None:
        self.heard.append("closed")


class Raw(Factory[Protocol]):
    """A server that speaks no websocket.

    :ivar answer: called with the transport at the client's first bytes.
    :ivar times: when clients connected.
    """

    noisy = False

    def __init__(self, clock: Any, answer: Callable[[Any], object]) -> None:
        self.answer = answer
        self.times: list[float] = []
        self.requests: list[bytes] = []
        self._clock = clock

    def buildProtocol(self, addr: object) -> Protocol:
        self.times.append(self._clock.seconds())
        return _RawConnection(self)


class _RawConnection(Protocol):
    transport: Any

    def __init__(self, factory_: Raw) -> None:
        self._raw = factory_
        self._answered = False

    def dataReceived(self, data: bytes) -> None:
        if not self._answered:
            self._answered = True
            self._raw.requests.append(data)
            self._raw.answer(self.transport)


def a_place(url: str = URL, trust: str = "") -> Place:
    """Where a test's source is; ``trust`` is the authority to believe."""
    parsed = parse_url(url)
    root = trustRootFromCertificates([Certificate.loadPEM(trust.encode())]) if trust else None
    return Place(parsed, lambda: tls_to(parsed.host, root), "do something")


class ClientTestCase(WebSocketTestCase):
    def client(self, url: str = URL, trust: str = "") -> WebSocketClient:
        self.talker = Talker()
        client = WebSocketClient(
            self.host, "SOURCE", a_place(url, trust), self.talker, random=Random(1)
        )
        self.talker.client = client
        self.addCleanup(self.stop, client)
        return client

    def started(self, url: str = URL, trust: str = "") -> WebSocketClient:
        client = self.client(url, trust)
        client.startService()
        self.world.advance(0.1)
        return client

    def raw(self, answer: Callable[[Any], object]) -> Raw:
        raw = Raw(self.there, answer)
        self.there.listenTCP(PORT, raw)
        return raw

    def connected(self) -> tuple[Source, WebSocketClient]:
        source = self.source(greet)
        client = self.started()
        self.assertEqual(self.talker.heard, ["opened", {"hello": 1}])
        return source, client

    def assert_recovers(self, source: Source, client: WebSocketClient, within_s: float) -> None:
        """After what was done to it, the client connects again and messages arrive."""
        source.play = greet
        self.talker.heard.clear()
        self.world.advance(within_s)
        self.assertEqual(self.talker.messages[:1], [{"hello": 1}])
        self.assertEqual(client.trouble, "")
        source.peer.send({"still": "there"})
        self.world.advance(0.1)
        self.assertEqual(self.talker.messages[-1], {"still": "there"})


class TalkTests(ClientTestCase):
    def test_messages_go_both_ways(self) -> None:
        source, client = self.connected()
        client.send({"ä": [1, None]})
        self.world.advance(0.1)
        self.assertEqual(source.peer.received, [{"ä": [1, None]}])

    def test_the_request_names_host_port_and_path(self) -> None:
        source, _client = self.connected()
        [(path, headers)] = source.upgrades
        self.assertEqual(path, "/api/ws")
        self.assertEqual(headers["host"], f"{SOURCE}:{PORT}")

    def test_the_usual_port_is_not_named(self) -> None:
        raw = Raw(self.there, lambda transport: transport.loseConnection())
        self.there.listenTCP(80, raw)
        self.started(f"http://{SOURCE}/api/ws")
        self.assertIn(f"\r\nHost: {SOURCE}\r\n".encode(), raw.requests[0])

    def test_escaped_paths_are_sent_as_they_are(self) -> None:
        source = self.source(greet)
        self.started(f"http://{SOURCE}:{PORT}/a%20b/%C3%A4/ws")
        self.assertEqual(source.upgrades[0][0], "/a%20b/%C3%A4/ws")

    def test_by_name(self) -> None:
        self.world.name("ha_box", SOURCE)
        self.world.name("ha.home", SOURCE)
        source = self.source(greet)
        for name in ("ha_box", "ha.home"):
            self.started(f"http://{name}:{PORT}/ws")
            self.assertEqual(self.talker.messages, [{"hello": 1}])
        self.assertEqual(source.upgrades[1][1]["host"], f"ha.home:{PORT}")

    def test_a_message_in_many_pieces(self) -> None:
        source, _client = self.connected()
        source.peer.send_raw(frame(TEXT, b'{"a"', final=False))
        self.world.advance(1.0)
        source.peer.send_raw(frame(PING, b"x") + frame(0, b":", final=False) + frame(0, b"1}"))
        self.world.advance(1.0)
        self.assertEqual(self.talker.messages[-1], {"a": 1})

    def test_sending_without_a_connection_does_nothing(self) -> None:
        client = self.client()
        client.send({"a": 1})
        client.accepted()
        client.delivers()
        client.give_up(Trouble("x", "x"))
        self.assertEqual(client.trouble, "")

    def test_a_handler_that_raises_is_logged_once_and_called_again(self) -> None:
        source, client = self.connected()
        for i in range(3):
            source.peer.send({"bang": i})
        source.peer.send({"fine": 1})
        self.world.advance(0.1)
        self.assertEqual(self.talker.messages[-1], {"fine": 1})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(source.peers), 1)
        self.assertEqual(client.trouble, "")


class LivenessTests(ClientTestCase):
    def test_pings_keep_a_silent_connection(self) -> None:
        source, client = self.connected()
        self.world.advance(3600.0)
        self.assertEqual(len(source.peers), 1)
        self.assertEqual(client.trouble, "")

    def test_a_ping_every_30_s(self) -> None:
        source, _client = self.connected()
        pings = []
        wire = source.peer.transport
        answer = wire._wsconn.receive_data
        self.patch(
            wire._wsconn,
            "receive_data",
            lambda data: (pings.append(self.world.seconds()), answer(data)),
        )
        start = self.world.seconds()
        self.world.advance(100.0)
        self.assertEqual([round(at - start + 0.1) for at in pings], [30, 60, 90])

    def test_without_a_pong_it_is_dropped(self) -> None:
        source, client = self.connected()
        self.world.cut(APPLIANCE, SOURCE)
        self.world.advance(PING_EVERY_S + PONG_S - 1.0)
        self.assertEqual(client.trouble, "")
        self.world.advance(1.0)
        self.assertIn("fallen silent", client.trouble)
        self.assertEqual(self.talker.heard[-1], "closed")
        self.world.join(APPLIANCE, SOURCE)
        self.assert_recovers(source, client, CONNECT_S + LONGEST_S)

    def test_a_server_that_streams_but_never_pongs_lives(self) -> None:
        source = self.source(greet_and_stream)
        client = self.started()
        source.peer.transport.dataReceived = lambda _data: None
        self.world.advance(300.0)
        self.assertEqual(len(source.peers), 1)
        self.assertEqual(client.trouble, "")

    def test_a_source_that_never_accepts_is_dropped(self) -> None:
        source = self.source(say_nothing)
        client = self.started()
        self.world.advance(GREETING_S - 0.2)
        self.assertEqual(client.trouble, "")
        self.world.advance(0.2)
        self.assertIn("did not accept us within 10 s", client.trouble)
        self.assert_recovers(source, client, 2.0)

    def test_a_server_that_is_silent_in_the_handshake(self) -> None:
        self.raw(lambda _transport: None)
        client = self.started()
        self.world.advance(CONNECT_S)
        self.assertIn("did not answer within 10 s", client.trouble)
        self.assertEqual(self.talker.heard, [])

    def test_an_endless_handshake(self) -> None:
        def drip(transport: Any) -> None:
            transport.write(b"HTTP/1.1 101 Switching Protocols\r\n")
            for i in range(100):
                self.there.callLater(i * 0.5, transport.write, b"X-A: b\r\n")

        self.raw(drip)
        client = self.started()
        self.world.advance(CONNECT_S)
        self.assertIn("did not answer within 10 s", client.trouble)

    def test_a_host_that_is_not_there(self) -> None:
        self.world.cut(APPLIANCE, SOURCE)
        client = self.started()
        self.world.advance(CONNECT_S)
        self.assertIn("did not accept the connection", client.trouble)
        self.assertIn("is it the right address and port?", client.trouble)

    def test_who_does_not_read_is_dropped(self) -> None:
        source, client = self.connected()
        source.peer.transport.transport.pauseProducing()
        while source.peers[0].lost is None:
            source.peer.send_raw(frame(PING) * 4000)
            self.world.advance(0.1)
        self.assertIn("does not take what it is sent", client.trouble)
        self.assert_recovers(source, client, 2.0)


class ReconnectTests(ClientTestCase):
    def test_it_is_back_within_seconds_after_a_close(self) -> None:
        source, client = self.connected()
        source.peer.close()
        self.world.advance(0.1)
        self.assertEqual(self.talker.heard[-1], "closed")
        self.assertIn("closed the connection", client.trouble)
        self.assert_recovers(source, client, FIRST_S)

    def test_it_is_back_within_seconds_after_a_reset(self) -> None:
        source, client = self.connected()
        source.peer.reset()
        self.world.advance(0.1)
        self.assert_recovers(source, client, FIRST_S)

    def test_the_source_restarts(self) -> None:
        source, client = self.connected()
        source.stop()
        self.world.advance(10.0)
        self.assertIn("refused the connection", client.trouble)
        source.start()
        self.assert_recovers(source, client, 20.0)

    def test_waits_double_up_to_a_minute_with_jitter(self) -> None:
        raw = self.raw(lambda transport: transport.loseConnection())
        self.started()
        self.world.advance(600.0)
        waits = [b - a for a, b in pairwise(raw.times)]
        for i, wait in enumerate(waits):
            longest = min(FIRST_S * 2**i, LONGEST_S)
            self.assertTrue(0.75 * longest <= wait <= longest + 0.1, (i, wait))
        self.assertEqual(len(set(waits)), len(waits))
        self.assertGreaterEqual(len(waits), 12)

    def test_a_connection_that_held_shortens_the_wait_again(self) -> None:
        source = self.source(greet)
        client = self.started()
        source.stop()
        self.world.advance(300.0)
        source.start()
        self.world.advance(LONGEST_S)
        self.world.advance(HELD_S)
        source.peer.reset()
        self.world.advance(0.1)
        self.assert_recovers(source, client, FIRST_S)

    def test_a_connection_that_does_not_hold_does_not(self) -> None:
        def greet_and_close(peer: Peer) -> Iterator[Any]:
            peer.send({"hello": 1})
            yield 1.0
            peer.close()

        source = self.source(greet_and_close)
        self.started()
        self.world.advance(600.0)
        self.assertLess(len(source.peers), 20)

    def test_patience(self) -> None:
        source, client = self.connected()
        client.give_up(Trouble("refused", "the token is wrong", patient=True))
        self.world.advance(0.75 * LONGEST_S - 1.0)
        self.assertEqual(client.trouble, "the token is wrong")
        self.assertEqual(len(source.peers), 1)
        self.assert_recovers(source, client, 0.25 * LONGEST_S + 2.0)

    def test_the_log_tells_changes_and_nothing_else(self) -> None:
        source = self.source(greet)
        self.started()
        source.stop()
        self.world.advance(300.0)
        source.start()
        self.world.advance(LONGEST_S)
        first, lost, refused, again = self.log.lines()
        self.assertEqual(first, f"[SOURCE] connected to {URL}")
        self.assertEqual(lost, f"[SOURCE] {URL} closed the connection; trying again")
        self.assertIn("refused the connection", refused)
        self.assertRegex(again, rf"^\[SOURCE\] connected to {URL} again after 3\d\d s$")


class BadInputTests(ClientTestCase):
    def test_what_is_no_json_object_is_ignored_and_said_once(self) -> None:
        source, client = self.connected()
        for bad in (
            b"garbage",
            b"",
            b"[1]",
            b"null",
            b"5",
            b'"text"',
            b"[" * 100_000,
            b'{"a": ' + b"9" * 5000 + b"}",
            b"\xef\xbb\xbf{}",
        ):
            source.peer.send_raw(frame(TEXT, bad))
        source.peer.send_raw(frame(BINARY, b'{"a": 1}') + frame(BINARY, b"\xff" * 1000))
        source.peer.send({"good": 1})
        self.world.advance(1.0)
        self.assertEqual(self.talker.messages, [{"hello": 1}, {"good": 1}])
        self.assertEqual(len(source.peers), 1)
        self.assertEqual(client.trouble, "")
        self.assertEqual(
            self.log.warnings(),
            [f"[SOURCE] {URL} sent something that is no JSON object; it is ignored"],
        )

    def test_a_row_of_good_and_bad_is_said_once_a_minute(self) -> None:
        source, _client = self.connected()
        for _ in range(int(2 * COMPLAIN_EVERY_S)):
            source.peer.send_text("x")
            source.peer.send({"good": 1})
            self.world.advance(1.0)
        self.assertEqual(len(self.log.warnings()), 2)

    def test_a_message_of_one_mebibyte_is_taken(self) -> None:
        source, _client = self.connected()
        filler = "x" * (MAX_MESSAGE - len('{"a": ""}'))
        source.peer.send({"a": filler})
        self.world.advance(1.0)
        self.assertEqual(len(self.talker.messages[-1]["a"]), len(filler))
        source.peer.send({"a": filler})
        self.world.advance(1.0)
        self.assertEqual(len(self.talker.messages), 3)
        self.assertEqual(len(source.peers), 1)

    def test_a_longer_one_ends_the_connection(self) -> None:
        for opcode in (TEXT, BINARY):
            source = Source(self.there, greet)
            source.start()
            client = self.started(f"http://{SOURCE}:{source.port}/ws")
            source.peer.send_raw(frame(opcode, b"x" * (2 * MAX_MESSAGE)))
            self.world.advance(0.5)
            self.assertIn("a message of more than 1 MiB", client.trouble)
            self.assert_recovers(source, client, 2.0)
            self.stop(client)

    def test_a_message_without_an_end(self) -> None:
        source, client = self.connected()
        source.peer.send_raw(frame(TEXT, b"x" * 1000, final=False))
        for _ in range(1200):
            source.peer.send_raw(frame(0, b"x" * 1000, final=False))
        self.world.advance(0.5)
        self.assertIn("a message of more than 1 MiB", client.trouble)

    def test_frames_that_break_the_protocol(self) -> None:
        for bad in (
            b"\xff" * 20,
            frame(TEXT, b"\xff\xfe"),
            frame(3),
            frame(0, b"x"),
            frame(TEXT, b"{", final=False) + frame(TEXT, b"}"),
            frame(PING, b"x" * 126),
            frame(CLOSE, b"\x03"),
            frame(CLOSE, b"\x00\x00"),
            b"\x81\x80abcd",
            b"\x81\x7f" + b"\xff" * 8,
        ):
            with self.subTest(bad=bad[:10]):
                source = Source(self.there, greet)
                source.start()
                client = self.started(f"http://{SOURCE}:{source.port}/ws")
                source.peer.send_raw(bad)
                self.world.advance(0.1)
                self.assertNotEqual(client.trouble, "")
                self.assertEqual(self.talker.heard[-1], "closed")
                self.assert_recovers(source, client, 2.0)
                self.stop(client)

    def test_more_after_the_end(self) -> None:
        source, client = self.connected()
        source.peer.send_raw(frame(CLOSE, b"\x03\xe8") + frame(PING) + frame(TEXT, b'{"late": 1}'))
        self.world.advance(0.1)
        self.assertNotIn({"late": 1}, self.talker.heard)
        self.assert_recovers(source, client, 2.0)

    def test_answers_that_are_no_websocket(self) -> None:
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        for answer, words in (
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "answered 404 instead"),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "has it been banned"),
            (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "answered 401"),
            (b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n", "is it https"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 99999, "answered 200"),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "answered 100"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak websocket as expected"),
            (b"\x16\x03\x01" + b"\x00" * 100 + b"\r\n\r\n", "does not speak websocket"),
            (head + b"\r\n", "Bad accept token"),
            (head + b"Sec-WebSocket-Accept: \xff\r\n\r\n", "Bad accept token"),
            (b"HTTP/1.1 101 S\r\n\r\n", "does not speak websocket"),
            (b"HTTP/1.1 101 S\r\nX: " + b"x" * 100_000, "does not speak websocket"),
        ):
            with self.subTest(answer=answer[:40]):
                raw = Raw(self.there, lambda transport, answer=answer: transport.write(answer))
                port = self.there.listenTCP(0, raw)
                client = self.started(f"http://{SOURCE}:{port.getHost().port}/ws")
                self.assertIn(words, client.trouble)
                self.assertEqual(self.talker.heard, [])
                self.stop(client)

    def test_no_attempt_waits_for_ever(self) -> None:
        self.raw(lambda transport: transport.loseConnection())
        client = self.client()
        client.startService()
        self.world.step()
        attempt = client._connection and client._connection._attempt
        assert attempt is not None
        self.world.advance(0.1)
        self.assertTrue(attempt.called)
        self.assertIn("closed the connection", client.trouble)

    def test_a_connection_that_ends_in_the_handshake(self) -> None:
        for part in (b"", b"HTTP/1.1 101 Switching"):

            def answer(transport: Any, part: bytes = part) -> None:
                transport.write(part)
                transport.loseConnection()

            raw = Raw(self.there, answer)
            port = self.there.listenTCP(0, raw)
            client = self.started(f"http://{SOURCE}:{port.getHost().port}/ws")
            self.assertIn("closed the connection before its answer was complete", client.trouble)
            self.stop(client)

    def test_it_closes_before_it_accepts(self) -> None:
        def close(peer: Peer) -> Iterator[Any]:
            peer.close()
            return iter(())

        source = self.source(close)
        client = self.started()
        self.assertIn("did not accept us: is the token right?", client.trouble)
        self.assert_recovers(source, client, 2.0)

    def test_an_unknown_name(self) -> None:
        client = self.started("http://nobody.home/ws")
        self.assertIn("no device is known by the name nobody.home", client.trouble)

    def test_a_flood_lets_others_live(self) -> None:
        source, _client = self.connected()
        count = 40_000
        seen: list[int] = []

        def tick() -> None:
            seen.append(len(self.talker.heard))
            if seen[-1] < count:
                ticking.append(self.host.callLater(0, tick))

        ticking = [self.host.callLater(0, tick)]
        source.peer.send_raw(frame(TEXT, b"{}") * count)
        self.world.advance(1.0)
        self.assertEqual(len(self.talker.messages), count + 1)
        most = max(b - a for a, b in pairwise(seen))
        self.assertLessEqual(most, TURN_BYTES / 4 + 1)

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(st.binary(max_size=200), st.booleans(), st.sampled_from([TEXT, BINARY, CLOSE, PING]))
    def test_any_bytes_are_survived(self, data: bytes, framed: bool, opcode: int) -> None:
        rig = ClientTestCase("setUp")
        rig.setUp()
        try:
            source, client = rig.connected()
            source.peer.send_raw(frame(opcode, data[:125]) if framed else data)
            rig.world.advance(0.5)
            if source.peers[0].lost is None:
                source.peer.reset()
            rig.assert_recovers(source, client, 5.0)
        finally:
            rig.doCleanups()

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(st.binary(max_size=200), st.booleans())
    def test_any_answer_to_the_handshake_is_survived(self, data: bytes, proper: bool) -> None:
        rig = ClientTestCase("setUp")
        rig.setUp()
        try:
            start = b"HTTP/1.1 101 Switching Protocols\r\n" if proper else b""
            raw = rig.raw(lambda transport: transport.write(start + data))
            client = rig.started()
            rig.world.advance(CONNECT_S + 3.0)
            rig.assertNotEqual(client.trouble, "")
            rig.assertGreaterEqual(len(raw.times), 2)
        finally:
            rig.doCleanups()


class StopTests(ClientTestCase):
    """In whatever state it is stopped: nothing is left (see ``assert_nothing_left``)."""

    def stop_within(self, client: WebSocketClient, seconds: float) -> None:
        start = self.world.seconds()
        self.stop(client)
        self.assertLessEqual(self.world.seconds() - start, seconds + 0.1)
        self.assertEqual(client.trouble, "")
        self.assert_nothing_left()

    def test_at_once(self) -> None:
        self.source(greet)
        client = self.client()
        client.startService()
        self.stop_within(client, 0)

    def test_while_it_connects(self) -> None:
        self.world.cut(APPLIANCE, SOURCE)
        self.stop_within(self.started(), 0)

    def test_while_it_looks_for_the_name(self) -> None:
        self.world.cut(APPLIANCE, SOURCE)
        self.world.name("ha.home", SOURCE)
        self.stop_within(self.started(f"http://ha.home:{PORT}/ws"), 0)

    def test_in_the_handshake(self) -> None:
        self.raw(lambda _transport: None)
        self.stop_within(self.started(), 0)

    def test_before_it_is_accepted(self) -> None:
        self.source(say_nothing)
        self.stop_within(self.started(), 0)
        self.assertEqual(self.talker.heard, ["opened", "closed"])

    def test_in_good_order(self) -> None:
        source, client = self.connected()
        self.stop_within(client, 0)
        self.assertEqual(self.talker.heard[-1], "closed")
        self.world.advance(0.1)
        self.assertTrue(source.peer.lost and source.peer.lost.check(ConnectionDone))
        self.assertIs(source.peer.transport._wsconn.state, ConnectionState.CLOSED)

    def test_when_the_source_hangs(self) -> None:
        _source, client = self.connected()
        self.world.cut(APPLIANCE, SOURCE)
        self.stop_within(client, CLOSE_S)

    def test_while_a_flood_comes_in(self) -> None:
        source, client = self.connected()
        source.peer.send_raw(frame(TEXT, b"{}") * 20_000)
        self.world.step()
        self.stop_within(client, CLOSE_S)

    def test_between_attempts(self) -> None:
        client = self.started()
        self.assertIn("refused the connection", client.trouble)
        self.stop_within(client, 0)

    def test_the_next_start_is_in_no_trouble(self) -> None:
        client = self.started()
        self.world.advance(300.0)
        self.stop(client)
        client.startService()
        self.world.advance(0.1)
        source = self.source(greet)
        self.world.advance(FIRST_S)
        self.assertEqual(len(source.peers), 1)

    def test_within_a_message(self) -> None:
        source, client = self.connected()
        stopped = []
        self.talker.stream_message = (  # type: ignore[method-assign]
            lambda _message: stopped.append(client.stopService())
        )
        source.peer.send({"a": 1})
        source.peer.send({"b": 1})
        self.world.advance(CLOSE_S)
        self.assertEqual(len(stopped), 1)
        self.successResultOf(stopped[0])
        self.assert_nothing_left()

    def test_it_can_be_started_again_at_once(self) -> None:
        source, client = self.connected()
        closing = client.stopService()
        client.startService()
        self.world.advance(0.5)
        self.successResultOf(closing)
        self.assertEqual(len(source.peers), 2)
        self.assertEqual(
            self.talker.heard, ["opened", {"hello": 1}, "closed", "opened", {"hello": 1}]
        )
        self.assertEqual(self.log.warnings(), [])


class TlsTests(ClientTestCase):
    URL = f"https://ha.home:{PORT}/ws"

    def setUp(self) -> None:
        super().setUp()
        self.world.name("ha.home", SOURCE)
        self.authority = pem(certificate(["Test CA"], issuer=None))

    def test_a_trusted_certificate(self) -> None:
        self.source(greet, _tls("ha.home"))
        self.started(self.URL, self.authority)
        self.assertEqual(self.talker.messages, [{"hello": 1}])

    def test_an_untrusted_certificate_is_refused_patiently(self) -> None:
        source = self.source(greet, _tls("ha.home"))
        client = self.started(self.URL)
        text = f"the certificate of https://ha.home:{PORT}/ws is not trusted: do something"
        self.assertEqual(client.trouble, text)
        self.world.advance(300.0)
        self.assertEqual(source.peers, [])
        self.assertEqual(self.log.warnings(), [f"[SOURCE] {text}; trying again"])
        self.assertLessEqual(self.world.connections_opened, 8)

    def test_a_certificate_for_another_name_is_refused(self) -> None:
        source = self.source(greet, _tls("other.home"))
        client = self.started(self.URL, self.authority)
        self.assertIn("is for another name than ha.home", client.trouble)
        self.assertEqual(source.peers, [])

    def test_a_server_without_tls(self) -> None:
        self.raw(lambda transport: transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        client = self.started(self.URL, self.authority)
        self.assertIn("does not speak TLS as expected", client.trouble)

    def test_a_server_that_hangs_in_the_tls_handshake(self) -> None:
        self.raw(lambda _transport: None)
        client = self.started(self.URL, self.authority)
        self.world.advance(CONNECT_S)
        self.assertIn("did not answer within 10 s", client.trouble)
        self.stop(client)

    def test_a_source_that_restarts(self) -> None:
        source = self.source(greet, _tls("ha.home"))
        client = self.started(self.URL, self.authority)
        source.stop()
        self.world.advance(5.0)
        self.assertNotEqual(client.trouble, "")
        source.start()
        self.assert_recovers(source, client, 10.0)

    def test_a_hanging_source_does_not_delay_the_end(self) -> None:
        self.source(greet, _tls("ha.home"))
        client = self.started(self.URL, self.authority)
        self.world.cut(APPLIANCE, SOURCE)
        start = self.world.seconds()
        self.stop(client)
        self.assertLessEqual(self.world.seconds() - start, CLOSE_S + 0.1)

    def test_nothing_is_said_to_a_source_that_hangs_while_it_closes(self) -> None:
        source = self.source(greet, _tls("ha.home"))
        client = self.started(self.URL, self.authority)
        self.world.advance(PING_EVERY_S - 0.5)
        source.peer.send_raw(frame(CLOSE, b"\x03\xe8"))
        source.peer.transport.transport.pauseProducing()
        self.world.advance(0.2)
        client.send({"too": "late"})
        self.world.advance(CLOSE_S + 0.1)
        self.assertIn("closed the connection", client.trouble)
        self.assertEqual(self.world.errors, 0)
        self.assert_recovers(source, client, 2.0)

    def test_tls_that_cannot_be_set_up_is_trouble_and_no_crash(self) -> None:
        def fail() -> CertificateOptions:
            raise ValueError("no such certificate")

        place = Place(parse_url(self.URL), fail, "")
        client = WebSocketClient(self.host, "SOURCE", place, Talker(), random=Random(1))
        client.startService()
        self.addCleanup(self.stop, client)
        self.world.advance(300.0)
        self.assertIn("cannot be reached: no such certificate", client.trouble)
        self.assertEqual(len(self.log.warnings()), 1)


def _tls(name: str) -> Any:
    return server_tls(certificate([name], alternative=[DNSName(name)]), name)


class _Listener:
    """What a wire belongs to, in the tests of the wire alone."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.wire: Any = None
        self.heard_at = 0

    def attached(self, wire: Wire) -> None:
        self.wire = wire

    def heard(self) -> None:
        self.heard_at += 1

    def fail(self, trouble: Trouble) -> None:
        self.troubles.append(trouble.kind)
        self.wire.abort()


class _Inner:
    """Takes down what a wire hands on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.lost = 0

    def makeConnection(self, transport: Any) -> None:
        pass

    def dataReceived(self, data: bytes) -> None:
        if data == b"bad":
            raise ValueError("bad")
        self.parts.append(data)

    def connectionLost(self, _reason: object) -> None:
        self.lost += 1


class WireTests(SynchronousTestCase):
    """The guard alone: what depends on the very moment."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = _Inner()
        self.listener = _Listener()
        self.wire = Wire(self.inner, self.clock, self.listener, parse_url(URL))
        self.transport = StringTransport()
        self.transport.registerProducer(object(), True)
        self.wire.makeConnection(self.transport)

    def test_long_input_is_taken_in_turns_and_the_source_waits(self) -> None:
        self.wire.dataReceived(b"x" * (2 * TURN_BYTES + 1))
        self.assertEqual([len(part) for part in self.inner.parts], [TURN_BYTES])
        self.assertEqual(self.transport.producerState, "paused")
        self.wire.dataReceived(b"y")
        self.assertEqual(len(self.inner.parts), 1)
        self.clock.advance(0)
        self.assertEqual(self.transport.producerState, "producing")
        self.assertLessEqual(max(map(len, self.inner.parts)), TURN_BYTES)
        self.assertEqual(b"".join(self.inner.parts), b"x" * (2 * TURN_BYTES + 1) + b"y")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_between_two_turns(self) -> None:
        self.wire.dataReceived(b"x" * (2 * TURN_BYTES))
        self.wire.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((len(self.inner.parts), self.inner.lost), (1, 1))

    def test_an_abort_between_two_turns(self) -> None:
        self.wire.dataReceived(b"x" * (2 * TURN_BYTES))
        self.wire.abort()
        self.clock.advance(0)
        self.assertEqual(b"".join(self.inner.parts), b"x" * TURN_BYTES)

    def test_after_the_goodbye_nothing_is_taken_in(self) -> None:
        self.wire.loseConnection()
        self.wire.dataReceived(b"late")
        self.assertEqual((self.inner.parts, self.listener.heard_at), ([], 0))

    def test_a_goodbye_said_twice_is_enforced_once(self) -> None:
        self.wire.loseConnection()
        self.wire.loseConnection()
        [call] = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), CLOSE_S)
        self.wire.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_messages_are_counted_one_by_one(self) -> None:
        for _ in range(4):
            for _ in range(MAX_MESSAGE // TURN_BYTES):
                self.wire.dataReceived(b"x" * TURN_BYTES)
            self.wire.message_ended()
        self.assertEqual(self.listener.troubles, [])
        for _ in range(MAX_MESSAGE // TURN_BYTES + 2):
            self.wire.dataReceived(b"x" * TURN_BYTES)
        self.assertEqual(self.listener.troubles, ["too_long"])

    def test_what_the_protocol_raises_is_trouble(self) -> None:
        self.wire.dataReceived(b"bad")
        self.assertEqual(self.listener.troubles, ["protocol"])
        self.wire.dataReceived(b"x")
        self.assertEqual(self.inner.parts, [])


class ComplaintsTests(SynchronousTestCase):
    def test_each_change_is_said_but_not_too_often(self) -> None:
        clock = Clock()
        complaints = Complaints(clock)
        self.assertFalse(complaints.good())
        self.assertTrue(complaints.bad())
        self.assertFalse(complaints.bad())
        self.assertTrue(complaints.good())
        self.assertFalse(complaints.good())
        self.assertFalse(complaints.bad())
        self.assertFalse(complaints.good())
        clock.advance(COMPLAIN_EVERY_S)
        self.assertTrue(complaints.bad())
        clock.advance(COMPLAIN_EVERY_S)
        self.assertFalse(complaints.bad())


class RealNetworkTests(TestCase):
    """The same over real sockets: what the virtual world cannot be asked."""

    timeout = 240

    def source(self, play: Play, tls: Any = None) -> Source:
        source = Source(reactor, play, tls=tls, interface="127.0.0.1")
        source.start()
        self.addCleanup(source.stop)
        return source

    def started(self, url: str, trust: str = "") -> WebSocketClient:
        self.talker = Talker()
        place = a_place(url, trust)
        client = WebSocketClient(reactor, "SOURCE", place, self.talker, random=Random(1))
        self.talker.client = client
        client.startService()
        self.addCleanup(lambda: client.stopService() if client.running else None)
        return client

    async def until(self, happened: Callable[[], object]) -> None:
        """The test's timeout bounds it."""
        while not happened():
            await deferLater(reactor, 0.005)

    async def test_good_data_and_a_restart(self) -> None:
        source = self.source(greet)
        client = self.started(f"http://127.0.0.1:{source.port}/ws")
        await self.until(lambda: self.talker.messages)
        client.send({"a": 1})
        await self.until(lambda: source.peer.received)
        self.assertEqual(source.upgrades[0][1]["host"], f"127.0.0.1:{source.port}")
        await source.stop()  # type: ignore[misc]
        await self.until(lambda: "closed" in self.talker.heard)
        source.start()
        await self.until(lambda: len(self.talker.messages) == 2)
        self.assertEqual(client.trouble, "")
        await client.stopService()
        await self.until(lambda: not source.open)

    async def test_by_name_and_over_ipv6_or_4(self) -> None:
        source = self.source(greet)
        client = self.started(f"http://localhost:{source.port}/ws")
        await self.until(lambda: self.talker.messages)
        await client.stopService()

    async def test_it_closes_half_way_and_sends_too_much(self) -> None:
        plays = [
            lambda peer: peer.send_raw(frame(TEXT, b"x" * 500, final=False)) or peer.reset(),
            lambda peer: peer.send_raw(frame(TEXT, b"x" * (2 * MAX_MESSAGE))),
            lambda peer: peer.send_raw(b"\xff" * 100_000),
            lambda peer: peer.send({"hello": 1}),
        ]

        def play(peer: Peer) -> Iterator[Any]:
            plays.pop(0)(peer)
            return iter(())

        source = self.source(play)
        self.patch(Backoff, "next_wait_s", lambda *_: 0.01)
        client = self.started(f"http://127.0.0.1:{source.port}/ws")
        await self.until(lambda: self.talker.messages)
        self.assertEqual(len(source.peers), 4)
        self.assertEqual(client.trouble, "")
        await client.stopService()

    async def test_tls_trusted_and_not(self) -> None:
        source = self.source(greet, _tls("localhost"))
        url = f"https://localhost:{source.port}/ws"
        client = self.started(url, pem(certificate(["Test CA"], issuer=None)))
        await self.until(lambda: self.talker.messages)
        await client.stopService()
        refused = self.started(url)
        await self.until(lambda: refused.trouble)
        self.assertIn("is not trusted", refused.trouble)
        await refused.stopService()
        self.assertEqual(len(source.peers), 1)
