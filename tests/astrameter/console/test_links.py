"""The ways to a daemon: its loss and return over the socket, and the daemon itself from inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import render_text

from astrameter.console.app import ApplianceConsole
from astrameter.console.links import LONGEST_WAIT_S, InnerLink, SocketLink
from astrameter.console.model import LinkError
from astrameter.console.session import Role, Terminal
from astrameter.controlsocket.wire import ControlError
from tests.astrameter.console.rig import UTF8
from tests.astrameter.controlsocket.rig import Daemon


class FakeClient:
    """A connection to the daemon."""

    def __init__(self, lost: Any) -> None:
        self.lost = lost
        self.closed = False
        self.listener: Any = None
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def watch(self, listener: Any) -> Deferred[dict[str, Any]]:
        self.listener = listener
        return succeed({})

    def request(self, verb: str, **args: Any) -> Deferred[dict[str, Any]]:
        self.asked.append((verb, args))
        if verb == "broken":
            return fail(ControlError("refused", "no"))
        return succeed({"ok": True})

    def close(self) -> None:
        self.closed = True


class OverTheSocket(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clients: list[FakeClient] = []
        self.attempts = 0
        self.running = True
        self.pending: Deferred[Any] | None = None
        self.patched = patch("astrameter.console.links.first_running", self.first_running)
        self.patched.start()
        self.addCleanup(self.patched.stop)
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.states: list[str | None] = []
        self.link = SocketLink(self.clock, [Path("/x")], Random(1))
        self.addCleanup(self.link.stop)

    async def first_running(self, _reactor: Any, paths: Any, lost: Any) -> FakeClient:
        self.assertEqual(paths, (Path("/x"),))
        self.attempts += 1
        if self.pending is not None:
            await self.pending
        if not self.running:
            raise ControlError("not_running", "no daemon listens at /x: is it running?")
        client = FakeClient(lost)
        self.clients.append(client)
        return client

    def start(self) -> None:
        self.link.start(lambda name, data: self.told.append((name, data)), self.states.append)

    def test_it_watches(self) -> None:
        self.start()
        self.assertEqual(self.states, [None])
        self.clients[0].listener("status", {"version": "3"})
        self.assertEqual(self.told, [("status", {"version": "3"})])

    def test_it_asks(self) -> None:
        self.start()
        self.assertEqual(self.successResultOf(self.link.request("set", battery="x")), {"ok": True})
        self.assertEqual(self.clients[0].asked, [("set", {"battery": "x"})])
        refused = self.failureResultOf(self.link.request("broken"), LinkError)
        self.assertEqual(str(refused.value), "no")

    def test_a_lost_connection_is_made_again(self) -> None:
        self.start()
        self.running = False
        self.clients[0].lost(ControlError("closed", "the daemon has closed the connection"))
        self.assertEqual(self.states, [None, "the daemon has closed the connection"])
        self.failureResultOf(self.link.request("set"), LinkError)
        for _ in range(30):
            self.clock.advance(1)
        self.assertGreater(self.attempts, 3)
        self.assertEqual(set(self.states[2:]), {"no daemon listens at /x: is it running?"})
        self.running = True
        self.clock.advance(LONGEST_WAIT_S)
        self.assertIsNone(self.states[-1])
        self.assertTrue(self.clients[0].closed)
        self.assertFalse(self.clients[1].closed)
        self.successResultOf(self.link.request("set"))

    def test_after_a_long_outage_the_next_loss_is_mended_soon_again(self) -> None:
        self.running = False
        self.start()
        for _ in range(100):
            self.clock.advance(1)
        self.running = True
        self.clock.advance(LONGEST_WAIT_S)
        self.assertIsNone(self.states[-1])
        self.clients[-1].lost(ControlError("closed", "gone"))
        self.clock.advance(1)
        self.assertIsNone(self.states[-1])

    def test_attempts_get_rarer_and_stay_bounded(self) -> None:
        self.running = False
        self.start()
        for _ in range(600):
            self.clock.advance(1)
        self.assertTrue(600 / LONGEST_WAIT_S <= self.attempts <= 900 / LONGEST_WAIT_S)

    def test_it_leaves_nothing_behind(self) -> None:
        self.start()
        self.link.stop()
        self.link.stop()
        self.assertTrue(self.clients[0].closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failureResultOf(self.link.request("set"), LinkError)

    def test_it_can_be_stopped_while_it_waits_or_connects(self) -> None:
        self.running = False
        self.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.link.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pending = Deferred()
        self.start()
        self.link.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FromInside(SynchronousTestCase):
    """A console in the process of the daemon, as over SSH: the real appliance, no socket."""

    def setUp(self) -> None:
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        appliance = self.daemon.appliance
        self.link = InnerLink(
            self.daemon.clock, appliance.control.factory._desk.verbs, appliance.bus
        )
        self.console = ApplianceConsole(self.link, self.daemon.clock, Role.STEER, Terminal(UTF8))
        self.console.start(lambda: None)
        self.addCleanup(self.console.stop)

    def text(self) -> str:
        self.daemon.clock.advance(1)
        return "\n".join(render_text(self.console.widget, (200, 60)))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.console.key(key)

    def test_it_shows_the_daemon(self) -> None:
        self.assertIn("no battery has asked yet", self.text())
        self.daemon.poll()
        self.daemon.poll()
        text = self.text()
        for part in ("aabbccddee01", "ct002:12345", "METER", "It rests (0 W)."):
            self.assertIn(part, text)

    def test_it_steers_the_daemon(self) -> None:
        self.daemon.poll()
        self.text()
        self.press("m", *"250", "enter", "y")
        self.daemon.poll()
        self.assertIn("manual", self.text())
        self.assertIn("aabbccddee01 is set to 250 W by hand", self.text())
        self.press("a", "y", "p", "y", "c", "y", "r", "y")
        text = self.text()
        self.assertIn("aabbccddee01 is paused", text)
        self.assertIn("relaying the meter", text)

    def test_what_the_daemon_does_not_know_is_refused(self) -> None:
        self.failureResultOf(self.link.request("shutdown"), LinkError)
        refused = self.failureResultOf(self.link.request("set", battery="nobody"), LinkError)
        self.assertIn("settings are", str(refused.value))

    def test_a_verb_that_fails_is_told_each_time_and_logged_once(self) -> None:
        def broken(_args: Any) -> Any:
            raise ZeroDivisionError("oh")

        link = InnerLink(self.daemon.clock, {"explain": broken}, self.daemon.appliance.bus)
        for _ in range(3):
            refused = self.failureResultOf(link.request("explain"), LinkError)
            self.assertIn("ZeroDivisionError", str(refused.value))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_events_are_passed_on(self) -> None:
        self.daemon.poll()
        self.text()
        for _ in range(120):
            self.daemon.clock.advance(1)
        self.assertIn("aabbccddee01 is silent and was left out", self.text())

    def test_it_leaves_nothing_behind(self) -> None:
        self.console.stop()
        bus = self.daemon.appliance.bus
        names = {one.name for some in bus._by_type.values() for one in some}
        self.assertNotIn("a console", names)
        before = len(self.daemon.clock.getDelayedCalls())
        self.link.stop()
        self.assertEqual(len(self.daemon.clock.getDelayedCalls()), before)
