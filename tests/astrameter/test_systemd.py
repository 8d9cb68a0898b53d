"""sd_notify and the watchdog, with real datagram sockets."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from astrameter.systemd import Notifier, WatchdogService, watchdog_interval_s


class Manager:
    """The side of systemd: a bound datagram socket."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(address)

    def received(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return found


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        # The path of such a socket may have 107 bytes at most; trial's own may be longer.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "notify")
        self.manager = Manager(self.path)
        self.addCleanup(self.manager.sock.close)
        self.environ = {"NOTIFY_SOCKET": self.path}


class Notifications(Case):
    def setUp(self) -> None:
        super().setUp()
        self.notifier = Notifier.from_environment(self.environ)

    def test_states(self) -> None:
        self.notifier.ready()
        self.notifier.watchdog()
        self.notifier.stopping()
        self.assertEqual(self.manager.received(), ["READY=1", "WATCHDOG=1", "STOPPING=1"])

    def test_reloading_says_when(self) -> None:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.notifier.reloading()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        first, second = self.manager.received()[0].split("\n")
        self.assertEqual(first, "RELOADING=1")
        name, _, value = second.partition("=")
        self.assertEqual(name, "MONOTONIC_USEC")
        self.assertTrue(before <= int(value) <= after)

    def test_status_is_one_bounded_line(self) -> None:
        self.notifier.status("2 meters\nREADY=1 " + "x" * 1000)
        (message,) = self.manager.received()
        self.assertTrue(message.startswith("STATUS=2 meters READY=1 xxx"))
        self.assertLess(len(message), 520)

    def test_abstract_socket(self) -> None:
        name = f"astrameter-test-{os.getpid()}"
        manager = Manager("\0" + name)
        self.addCleanup(manager.sock.close)
        Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).ready()
        self.assertEqual(manager.received(), ["READY=1"])

    def test_environment_is_left_alone(self) -> None:
        self.assertEqual(self.environ, {"NOTIFY_SOCKET": self.path})


class Silence(Case):
    def test_without_a_manager_nothing_happens(self) -> None:
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            Notifier.from_environment(environ).ready()
        self.assertEqual(self.manager.received(), [])

    def test_absent_socket_is_mentioned_once(self) -> None:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/nonexistent/notify"})
        events: list[object] = []
        self.patch(Notifier, "_log", Logger(observer=events.append))
        notifier.ready()
        notifier.ready()
        self.assertEqual(len(events), 1)

    def test_full_queue_does_not_block(self) -> None:
        notifier = Notifier.from_environment(self.environ)
        self.patch(Notifier, "_log", Logger(observer=lambda _event: None))
        for _ in range(5000):
            notifier.watchdog()
        self.assertLess(len(self.manager.received()), 5000)

    def test_impossible_addresses(self) -> None:
        self.patch(Notifier, "_log", Logger(observer=lambda _event: None))
        for address in ("/" + "x" * 300, "/a\0b", "@" + "x" * 300):
            self.assertIsNone(Notifier.from_environment({"NOTIFY_SOCKET": address}).ready())


class Interval(SynchronousTestCase):
    def test_half_of_what_is_allowed(self) -> None:
        self.assertEqual(watchdog_interval_s({"WATCHDOG_USEC": "30000000"}, 7), 15.0)

    def test_only_for_this_process(self) -> None:
        environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
        self.assertEqual(watchdog_interval_s(environ, 7), 15.0)
        self.assertIsNone(watchdog_interval_s(environ, 8))

    def test_absent_or_senseless(self) -> None:
        self.assertIsNone(watchdog_interval_s({}, 7))
        for text in ("", "0", "-5", "soon", "²"):
            self.assertIsNone(watchdog_interval_s({"WATCHDOG_USEC": text}, 7), text)


class Watchdog(Case):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.alive = True
        self.environ["WATCHDOG_USEC"] = "30000000"
        self.service = self.make()

    def make(self) -> WatchdogService:
        notifier = Notifier.from_environment(self.environ)
        return WatchdogService(self.clock, notifier, self.environ, lambda: self.alive)

    def test_pings_at_half_the_time(self) -> None:
        self.service.startService()
        self.clock.pump([15, 15])
        self.assertEqual(self.manager.received(), ["WATCHDOG=1"] * 3)

    def test_no_ping_while_not_alive(self) -> None:
        self.alive = False
        events: list[object] = []
        self.patch(WatchdogService, "_log", Logger(observer=events.append))
        self.service.startService()
        self.clock.pump([15, 15])
        self.assertEqual(self.manager.received(), [])
        self.assertEqual(len(events), 1)
        self.alive = True
        self.clock.advance(15)
        self.assertEqual(self.manager.received(), ["WATCHDOG=1"])

    def test_broken_check_is_no_sign_of_life(self) -> None:
        def broken() -> bool:
            raise RuntimeError("no idea")

        notifier = Notifier.from_environment(self.environ)
        service = WatchdogService(self.clock, notifier, self.environ, broken)
        service.startService()
        self.clock.advance(15)
        self.assertEqual(self.manager.received(), [])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_stopping_leaves_no_timer(self) -> None:
        self.service.startService()
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.service.startService()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_without_a_watchdog_no_timer(self) -> None:
        del self.environ["WATCHDOG_USEC"]
        service = self.make()
        service.startService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        service.stopService()
