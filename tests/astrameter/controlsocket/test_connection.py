"""Clients of the control socket: greeted, answered, bounded, thrown out."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter import __version__
from astrameter.controlsocket.connection import IDLE_S, MOST_EVENTS, STUCK_S
from astrameter.controlsocket.server import MOST_CLIENTS, ControlFactory
from astrameter.controlsocket.wire import MAX_REQUEST, PROTOCOL
from tests.astrameter.controlsocket.rig import Client, Daemon
from tests.logged import logged


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)


class Talking(ConnectionCase):
    def test_the_daemon_greets_with_its_version_and_its_verbs(self) -> None:
        (hello,) = Client(self.daemon.factory).take()
        self.assertEqual(hello["astrameter"], __version__)
        self.assertEqual(hello["protocol"], PROTOCOL)
        self.assertEqual(
            set(hello["verbs"]),
            {"status", "explain", "set", "rotate", "active_control", "watch", "unwatch"},
        )

    def test_requests_are_answered_in_order_with_their_own_numbers(self) -> None:
        client = self.daemon.client()
        lines = [{"id": n, "verb": "status"} for n in (3, "x", None)]
        answers = client.say(b"\n".join(json.dumps(one).encode() for one in lines))
        self.assertEqual([one["id"] for one in answers], [3, "x", None])
        self.assertTrue(all("result" in one for one in answers))

    def test_a_request_may_come_in_pieces_and_blank_lines_are_nothing(self) -> None:
        client = self.daemon.client()
        client.protocol.dataReceived(b'\n \n{"id": 1, "verb"')
        self.assertEqual(client.take(), [])
        client.protocol.dataReceived(b': "status"}\n')
        self.assertEqual(client.take()[0]["id"], 1)

    def test_what_is_no_request_gets_one_clear_error_and_the_next_is_served(self) -> None:
        client = self.daemon.client()
        for line in (b"GET / HTTP/1.1", b"{", b"[]", b'{"id": 5}', b'{"verb": 1}', b"\xff\x00"):
            (answer,) = client.say(line)
            self.assertEqual(answer["error"]["kind"], "bad_request", line)
        self.assertEqual(client.error("dance")[0], "unknown_verb")
        self.assertIn("meters", client.result("status"))
        self.assertFalse(client.transport.disconnecting)

    def test_a_line_that_is_too_long_ends_the_conversation(self) -> None:
        client = self.daemon.client()
        client.protocol.dataReceived(b"x" * (MAX_REQUEST + 1))
        (answer,) = client.take()
        self.assertIn("at most 4096 bytes", answer["error"]["text"])
        self.assertTrue(client.transport.disconnecting)
        self.assertEqual(client.say(b'{"verb": "status"}'), [])

    def test_a_defect_costs_one_answer_and_is_logged(self) -> None:
        def broken(_args: Any) -> Any:
            raise RuntimeError("oops")

        watching = self.daemon.factory._desk.watching
        verbs = {"break": broken, "nan": lambda _args: {"x": float("nan")}}
        desk = SimpleNamespace(version="1", watching=watching, verbs=verbs)
        client = Client(ControlFactory(self.daemon.clock, desk, lambda _t: 0))
        client.take()
        self.assertEqual(client.error("break")[0], "broken")
        self.assertEqual(client.error("nan")[0], "broken")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError, ValueError)), 2)


class Bounds(ConnectionCase):
    def test_a_bounded_number_of_clients_is_served(self) -> None:
        clients = [self.daemon.client() for _ in range(MOST_CLIENTS)]
        late = Client(self.daemon.factory)
        (answer,) = late.take()
        self.assertEqual(answer["error"]["kind"], "too_many")
        self.assertTrue(late.transport.disconnecting)
        late.leave()
        clients[0].leave()
        self.assertIn("astrameter", Client(self.daemon.factory).take()[0])

    def test_other_users_are_refused_and_told_of_once(self) -> None:
        daemon = Daemon(uid_of=lambda _transport: 4711)
        self.addCleanup(daemon.stop)
        with logged() as lines:
            for _ in range(50):
                client = Client(daemon.factory)
                (answer,) = client.take()
                self.assertEqual(answer["error"]["kind"], "not_allowed")
                self.assertTrue(client.transport.disconnecting)
                self.assertEqual(client.say(b'{"verb": "status"}'), [])
        self.assertEqual(lines, ["warn: user 4711 may not use the control socket"])
        self.assertEqual(len(daemon.factory.connections), 0)

    def test_root_is_served(self) -> None:
        daemon = Daemon(uid_of=lambda _transport: 0)
        self.addCleanup(daemon.stop)
        self.assertIn("meters", daemon.client().result("status"))

    def test_one_that_does_not_read_is_not_read_from(self) -> None:
        client = self.daemon.client()
        client.protocol.pauseProducing()
        self.assertEqual(client.transport.producerState, "paused")
        client.protocol.resumeProducing()
        self.assertEqual(client.transport.producerState, "producing")

    def test_one_that_never_reads_again_is_thrown_out_and_counted(self) -> None:
        client, other = self.daemon.client(), self.daemon.client()
        with logged() as lines:
            client.protocol.pauseProducing()
            self.daemon.clock.advance(STUCK_S - 1)
            self.assertFalse(client.transport.aborted)
            self.daemon.clock.advance(1)
        self.assertTrue(client.transport.aborted)
        self.assertEqual(self.daemon.factory.dropped, 1)
        self.assertEqual(len(lines), 1)
        client.leave()
        self.assertIn("meters", other.result("status"))

    def test_its_events_are_bounded_and_what_is_missing_is_told(self) -> None:
        client = self.daemon.client()
        client.protocol.pauseProducing()
        for number in range(MOST_EVENTS + 30):
            client.protocol.tell(b'{"event": "%d", "data": {}}\n' % number)
        self.assertEqual(client.take(), [])
        client.protocol.resumeProducing()
        missed, *events = client.take()
        self.assertEqual(missed, {"event": "missed", "data": {"events": 30}})
        self.assertEqual([one["event"] for one in events], [str(n) for n in range(30, 230)])
        for _ in range(2):
            client.protocol.pauseProducing()
            client.protocol.resumeProducing()
            self.assertEqual(client.take(), [])
        client.protocol.pauseProducing()
        for _ in range(MOST_EVENTS + 1):
            client.protocol.tell(b'{"event": "x", "data": {}}\n')
        client.protocol.resumeProducing()
        self.assertEqual(client.take()[0]["data"], {"events": 1})

    def test_one_that_says_nothing_for_long_goes_unless_it_watches(self) -> None:
        silent, asking, watching = (self.daemon.client() for _ in range(3))
        watching.result("watch")
        self.daemon.clock.advance(IDLE_S - 1)
        asking.result("status")
        self.daemon.clock.advance(1)
        self.assertTrue(silent.transport.aborted)
        self.assertFalse(asking.transport.aborted)
        self.assertFalse(watching.transport.aborted)

    def test_all_are_let_go_when_the_daemon_stops(self) -> None:
        clients = [self.daemon.client() for _ in range(3)]
        clients[0].result("watch")
        self.daemon.factory.stop()
        for client in clients:
            self.assertTrue(client.transport.disconnecting)
            client.leave()
        self.assertEqual(len(self.daemon.factory.connections), 0)
