"""Client and daemon over a real socket."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from astrameter import __version__
from astrameter.controlsocket.client import ControlClient, first_running
from astrameter.controlsocket.connection import Connection
from astrameter.controlsocket.server import ControlFactory, ControlServer, peer_uid
from astrameter.controlsocket.wire import ControlError
from tests.astrameter.controlsocket.rig import Daemon
from tests.astrameter.ct.rig import BATTERY
from tests.logged import logged


class SocketCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="astrameter-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "control.sock"
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.daemon.poll()
        self.factory = ControlFactory(self.daemon.clock, self.daemon.factory._desk)

    def serve(self, path: Path | None = None) -> ControlServer:
        server = ControlServer(reactor, path or self.path, self.factory)
        server.startService()
        self.addCleanup(lambda: maybeDeferred(server.stopService))
        return server

    def client(self, path: Path | None = None) -> ControlClient:
        self.lost: Deferred[ControlError] = Deferred()
        client = ControlClient(reactor, path or self.path, self.lost.callback)
        self.addCleanup(client.close)
        return client

    async def refused(self, doing: Any) -> str:
        """The kind of the error that comes."""
        error = await self.assertFailure(doing, ControlError)
        self.error = str(error)
        return error.kind


def _held(connection: Connection) -> int:
    """Bytes that Twisted keeps for it."""
    transport = connection.transport
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class Serving(SocketCase):
    async def test_a_client_is_greeted_and_answered(self) -> None:
        self.serve()
        client = self.client()
        hello = await client.connect()
        self.assertEqual((hello.version, hello.protocol), (__version__, 1))
        self.assertEqual(client.hello, hello)
        status, explained = client.request("status"), client.request("explain")
        self.assertEqual((await status)["devices"][0]["batteries"][0]["id"], BATTERY.id)
        self.assertEqual((await explained)["batteries"][0]["id"], BATTERY.id)

    async def test_what_is_refused_comes_as_an_error_and_the_next_is_answered(self) -> None:
        self.serve()
        client = self.client()
        await client.connect()
        wrong, right = (
            client.request("set", battery="nobody", active=True),
            client.request("rotate"),
        )
        self.assertEqual(await self.refused(wrong), "unknown_battery")
        self.assertEqual(await right, {})
        self.assertEqual(await self.refused(client.request("dance")), "unknown_verb")
        self.assertEqual(await self.refused(client.request("set", x="y" * 5000)), "bad_request")

    async def test_events_reach_who_watches(self) -> None:
        self.serve()
        client = self.client()
        await client.connect()
        seen: Deferred[tuple[str, Any]] = Deferred()
        await client.watch(lambda name, data: seen.callback((name, data)), status=False)
        self.daemon.meter.reading = "error"
        self.daemon.poll()
        self.daemon.clock.advance(0)
        name, data = await seen.addTimeout(10, reactor)
        self.assertEqual((name, data["section"]), ("meter_changed", "METER"))

    async def test_a_listener_that_fails_loses_no_connection(self) -> None:
        self.serve()
        client = self.client()
        await client.connect()
        heard: Deferred[None] = Deferred()

        def listen(_name: str, _data: Any) -> None:
            reactor.callLater(0, heard.callback, None)
            raise RuntimeError("oops")

        await client.watch(listen, status=False)
        self.daemon.meter.reading = "error"
        self.daemon.poll()
        self.daemon.clock.advance(0)
        await heard.addTimeout(10, reactor)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIn("meters", await client.request("status"))

    async def test_a_large_answer_arrives_whole(self) -> None:
        for number in range(200):
            self.daemon.poll(BATTERY.but(mac=f"AABBCC{number:06X}"), 0.01)
        self.serve()
        client = self.client()
        await client.connect()
        found = await client.request("explain", decisions=20)
        self.assertEqual(len(found["batteries"]), 201)

    async def test_the_socket_is_ours_alone_and_gone_afterwards(self) -> None:
        server = self.serve()
        mode = self.path.lstat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        await server.stopService()
        self.assertFalse(self.path.exists())

    async def test_the_peer_is_known_by_its_credentials(self) -> None:
        seen: list[int] = []

        def uid_of(transport: Any) -> int:
            seen.append(peer_uid(transport))
            return 4711

        self.factory = ControlFactory(self.daemon.clock, self.daemon.factory._desk, uid_of)
        self.serve()
        with logged():
            self.assertEqual(await self.refused(self.client().connect()), "not_allowed")
        self.assertEqual(seen, [os.geteuid()])

    async def test_a_client_that_never_reads_disturbs_nobody(self) -> None:
        self.serve()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
            deaf.setblocking(False)
            deaf.connect(str(self.path))
            with self.assertRaises(BlockingIOError):
                while True:
                    deaf.send(b'{"verb": "status"}\n' * 100)
            client = self.client()
            await client.connect()
            self.assertIn("meters", await client.request("status"))
            connection = next(one for one in self.factory.connections if one.full)
            self.assertEqual(len(self.factory.connections), 2)
            self.assertLess(_held(connection), 200_000)
            with logged():
                self.daemon.clock.advance(20)
            self.assertEqual(self.factory.dropped, 1)
            self.assertTrue(connection._ended)
            self.assertIn("meters", await client.request("status"))


class Places(SocketCase):
    async def test_what_a_killed_daemon_left_behind_is_replaced(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(self.path))
        self.assertEqual(await self.refused(self.client().connect()), "not_running")
        self.assertTrue(self.serve().listening)
        await self.client().connect()

    async def test_the_second_daemon_works_without_and_the_first_keeps_its_socket(self) -> None:
        first = self.serve()
        with logged() as lines:
            second = self.serve()
        self.assertFalse(second.listening)
        self.assertEqual(len(lines), 1)
        self.assertIn("another daemon listens at", lines[0])
        await second.stopService()
        self.assertTrue(first.listening)
        await self.client().connect()

    async def test_a_socket_that_has_been_replaced_is_not_taken_away(self) -> None:
        server = self.serve()
        self.path.unlink()
        self.path.write_text("precious")
        await server.stopService()
        self.assertEqual(self.path.read_text(), "precious")

    async def test_one_that_has_been_removed_is_no_trouble(self) -> None:
        server = self.serve()
        self.path.unlink()
        await server.stopService()
        self.assertFalse(self.path.exists())

    async def test_it_moves_when_it_is_configured_elsewhere(self) -> None:
        server = self.serve()
        other = self.directory / "other.sock"
        await server.configure(other)
        self.assertFalse(self.path.exists())
        await self.client(other).connect()
        await server.configure(other)
        with logged():
            await server.configure(None)
        self.assertFalse(other.exists())
        self.assertFalse(server.listening)

    def test_where_there_is_no_place_the_daemon_works_without(self) -> None:
        with logged() as lines:
            server = ControlServer(reactor, None, self.factory)
            server.startService()
        self.assertFalse(server.listening)
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith("info: there is no control socket"))


class Asking(SocketCase):
    async def test_no_daemon(self) -> None:
        self.assertEqual(await self.refused(self.client().connect()), "not_running")
        self.assertIn(str(self.path), self.error)

    async def test_before_connecting_and_after_closing_nothing_can_be_asked(self) -> None:
        self.serve()
        client = self.client()
        self.assertEqual(await self.refused(client.request("status")), "closed")
        await client.connect()
        pending = client.request("status")
        client.close()
        self.assertEqual(await self.refused(pending), "closed")
        self.assertEqual(await self.refused(client.request("status")), "closed")
        self.assertFalse(self.lost.called)

    async def test_it_is_told_when_the_daemon_goes_and_may_connect_again(self) -> None:
        server = self.serve()
        client = self.client()
        await client.connect()
        await server.stopService()
        error = await self.lost.addTimeout(10, reactor)
        self.assertEqual(error.kind, "closed")
        self.assertIsNone(client.hello)
        self.serve()
        self.assertEqual((await client.connect()).version, __version__)

    async def test_the_first_daemon_that_runs_is_taken(self) -> None:
        self.serve()
        missing = self.directory / "missing.sock"
        client = await first_running(reactor, [missing, self.path])
        self.addCleanup(client.close)
        self.assertEqual(client.path, self.path)
        for paths, named in (([missing, missing], str(missing)), ([], "CONTROL_SOCKET")):
            work = Deferred.fromCoroutine(first_running(reactor, paths))
            self.assertEqual(await self.refused(work), "not_running")
            self.assertIn(named, self.error)

    async def test_a_socket_of_others_is_told(self) -> None:
        if os.geteuid() == 0:
            client = self.client()
            error = client._no_connection(ConnectError(13, "Permission denied"))
        else:
            self.serve()
            self.path.chmod(0)
            error = await self.assertFailure(self.client().connect(), ControlError)
        self.assertEqual(error.kind, "not_allowed")
        self.assertIn("sudo", str(error))


class OtherServers(SocketCase):
    def listen(self, says: bytes) -> None:
        class Other(Protocol):
            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.write(says)

        factory = Factory.forProtocol(Other)
        factory.noisy = False
        port = reactor.listenUNIX(str(self.path), factory)
        self.addCleanup(port.stopListening)

    async def test_another_version_is_told(self) -> None:
        self.listen(b'{"astrameter": "9.9", "protocol": 99, "verbs": []}\n')
        self.assertEqual(await self.refused(self.client().connect()), "other_version")
        self.assertIn("AstraMeter 9.9", self.error)

    async def test_it_is_not_passed_over_for_another_place(self) -> None:
        self.listen(b'{"astrameter": "9.9", "protocol": 99, "verbs": []}\n')
        looking = first_running(reactor, [self.path, self.directory / "missing.sock"])
        self.assertEqual(await self.refused(Deferred.fromCoroutine(looking)), "other_version")

    async def test_what_is_no_daemon_is_told(self) -> None:
        self.listen(b"220 mail.example.org ESMTP\r\n")
        self.assertEqual(await self.refused(self.client().connect()), "bad_request")

    async def test_garbage_in_the_middle_ends_the_connection(self) -> None:
        self.listen(b'{"astrameter": "1", "protocol": 1, "verbs": []}\ngarbage\n')
        client = self.client()
        await client.connect()
        error = await self.lost.addTimeout(10, reactor)
        self.assertEqual(error.kind, "bad_request")
