"""The way into the owner's account: once, with patience, and never twice (marstek-cloud.md A)."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.backoff import Backoff
from astrameter.marstek.managed import Managed, ManagedCts
from astrameter.marstek.options import MarstekOptions
from astrameter.marstek.registration import LATER_S, LONGEST_S, Registration
from astrameter.meters.http import HttpClient
from astrameter.reading import MeterError
from astrameter.services import start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.astrameter.marstek.cloud_stub import ADD, LIST, LOGIN, MAILBOX, PASSWORD, CloudStub, said
from tests.logged import logged

ON = MarstekOptions(enable=True, mailbox=MAILBOX, password=PASSWORD)
LOOK = [LOGIN, LIST]
CREATE = [*LOOK, ADD, *LOOK]


class _NoJitter:
    def random(self) -> float:
        return 0.0


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.cloud = CloudStub()
        self.chance = random.Random(1)
        self.directory = Path(self.mktemp())
        self.patch(HttpClient, "send", self.cloud.send)
        self.restart()

    def restart(self) -> None:
        """Another life of the daemon, with what the one before has kept."""
        self.store = Store(self.clock, self.directory, StateOptions(), lambda: datetime.now(UTC))
        self.store.startService()
        self.managed = ManagedCts(self.store)

    def end(self) -> None:
        self.successResultOf(stop(self.store))

    def register(self, options: MarstekOptions = ON, *types: str) -> Registration:
        backoff = Backoff(60, 3600, _NoJitter())  # type: ignore[arg-type]
        one = Registration(
            self.clock,
            options,
            types or ("HME-4",),
            self.managed,
            self.store,
            chance=self.chance,
            backoff=backoff,
        )
        start(one)
        self.addCleanup(stop, one)
        self.clock.advance(0)  # the store writes
        return one

    def run_with(self, options: MarstekOptions = ON, *types: str) -> list[str]:
        """What is logged by one registration that comes to an end."""
        with logged("astrameter.marstek") as lines:
            one = self.register(options, *types)
        self.assertFalse(one.busy)
        return lines


class Success(Case):
    def test_a_ct_is_created_and_remembered(self) -> None:
        (line,) = self.run_with()
        self.assertEqual(self.cloud.paths, CREATE)
        (device,) = self.cloud.devices
        self.assertRegex(device["devid"], r"\A02b250[0-9a-f]{6}\Z")
        self.assertEqual(self.managed.get("HME-4"), Managed(device["devid"], 121))
        self.assertIn(f"the account has a CT002 for us: {device['devid']}", line)
        self.assertIn("MAILBOX and PASSWORD may be deleted now", line)

    def test_one_that_is_there_is_used(self) -> None:
        self.cloud.devices.append(
            {"devid": "02b250aabbcc", "mac": "02B250AABBCC", "type": "HME-4", "version": 130}
        )
        self.run_with()
        self.assertEqual(self.cloud.paths, LOOK)
        self.assertEqual(self.managed.get("HME-4"), Managed("02b250aabbcc", 130))

    def test_both_types_need_one_login_and_one_confirmation(self) -> None:
        lines = self.run_with(ON, "HME-4", "HME-3")
        self.assertEqual(self.cloud.paths, [*LOOK, ADD, ADD, *LOOK])
        self.assertEqual([one["type"] for one in self.cloud.devices], ["HME-4", "HME-3"])
        self.assertEqual(len(lines), 2)

    def test_after_a_restart_nothing_is_asked(self) -> None:
        self.run_with()
        known = self.managed.get("HME-4")
        self.end()
        self.cloud.take()
        self.restart()
        self.assertEqual(self.run_with(), [])
        self.assertEqual(self.run_with(MarstekOptions(enable=True)), [])
        self.assertEqual(self.cloud.paths, [])
        self.assertEqual(self.managed.get("HME-4"), known)

    def test_a_new_type_is_added_to_those_known(self) -> None:
        self.run_with()
        self.cloud.take()
        self.run_with(ON, "HME-4", "HME-3")
        added = [one.fields["type"] for one in self.cloud.asked if one.path == ADD]
        self.assertEqual(added, ["HME-3"])

    def test_another_account_gets_its_own(self) -> None:
        self.run_with()
        first = self.managed.get("HME-4")
        self.cloud.devices.clear()
        self.cloud.take()
        other = MarstekOptions(enable=True, mailbox="other@example.com", password=PASSWORD)
        self.cloud.instead[LOGIN] = lambda: said(
            {"code": "2", "token": "TOK123", "data": self.cloud.devices}
        )
        self.run_with(other)
        self.assertEqual(self.cloud.paths, CREATE)
        self.assertNotEqual(self.managed.get("HME-4"), first)


class Off(Case):
    """Nothing leaves the house."""

    def test_unless_it_is_switched_on(self) -> None:
        off = MarstekOptions(mailbox=MAILBOX, password=PASSWORD)
        self.assertEqual(self.run_with(off), [])
        self.assertEqual(self.run_with(MarstekOptions()), [])
        self.assertEqual(self.cloud.paths, [])

    def test_without_both_credentials(self) -> None:
        for changes in ({"mailbox": MAILBOX}, {"password": PASSWORD}, {}):
            lines = self.run_with(MarstekOptions(enable=True, **changes))  # type: ignore[arg-type]
            self.assertEqual(
                lines,
                ["warn: [MARSTEK] nothing is registered: ENABLE needs MAILBOX and PASSWORD once"],
            )
        self.assertEqual(self.cloud.paths, [])

    def test_without_a_ct(self) -> None:
        one = Registration(self.clock, ON, (), self.managed, self.store)
        start(one)
        self.assertFalse(one.busy)
        self.successResultOf(stop(one))
        self.assertEqual(self.cloud.paths, [])


class Trouble(Case):
    def refused(self, path: str, what: Any, wait_s: float, *words: str) -> None:
        """It is told once, tried again after ``wait_s`` and not before, and succeeds then."""
        self.cloud.instead[path] = what
        with logged("astrameter.marstek") as lines:
            one = self.register()
            self.assertTrue(one.busy)
            self.assertEqual(len(lines), 1)
            for word in words:
                self.assertIn(word, lines[0])
            for secret in (MAILBOX, PASSWORD, "7d2d8cf9"):
                self.assertNotIn(secret, lines[0])
            self.cloud.take()
            self.clock.advance(wait_s - 1)
            self.assertEqual(self.cloud.paths, [])
            self.clock.advance(1)
            self.assertNotEqual(self.cloud.take(), [])
            self.assertEqual(len(lines), 1)
            del self.cloud.instead[path]
            self.clock.advance(LONGEST_S)
        self.assertFalse(one.busy)
        self.assertIsNotNone(self.managed.get("HME-4"))
        self.assertEqual(len(self.cloud.devices), 1)

    def test_no_network(self) -> None:
        error = MeterError("connect", "no device is known by the name eu.hamedata.com")
        words = ("no answer from the cloud", "known by the name", "Next attempt in 1 min")
        self.refused(LOGIN, error, 60, *words)

    def test_a_server_that_fails(self) -> None:
        self.refused(LIST, said({"msg": "down"}, 500), 60, "getDeviceList answers 500", "down")

    def test_an_answer_that_is_no_json(self) -> None:
        self.refused(LOGIN, (200, b"<html>maintenance"), 60, "not JSON", "maintenance")

    def test_code_8(self) -> None:
        what = said({"code": "8", "msg": "No Access Permission"})
        words = ("code 8: No Access Permission", "Next attempt in 360 min")
        self.refused(LOGIN, what, LATER_S, *words)

    def test_code_8_for_the_second_list_creates_nothing(self) -> None:
        self.refused(LIST, said({"code": 8, "msg": "No Access"}), LATER_S, "code 8")

    def test_too_many_requests(self) -> None:
        self.refused(LOGIN, (429, b""), LATER_S, "too many requests (429)")

    def test_the_server_may_ask_for_more_patience_but_not_for_ever(self) -> None:
        self.cloud.headers["Retry-After"] = "9999999"
        self.refused(LOGIN, (429, b""), LONGEST_S, "Next attempt in 1440 min")

    def test_an_account_that_takes_no_device(self) -> None:
        words = ("the account takes no new CT002 (code 3: limit)",)
        self.refused(ADD, said({"code": "3", "msg": "limit"}), LATER_S, *words)

    def test_another_refusal_of_the_login(self) -> None:
        self.refused(LOGIN, said({"code": "6", "msg": "?"}), LATER_S, "(code 6: ?)")

    def test_a_wrong_password_is_not_tried_again(self) -> None:
        wrong = MarstekOptions(enable=True, mailbox=MAILBOX, password="falsch")
        (line,) = self.run_with(wrong)
        self.assertIn("error: [MARSTEK] the account's password is wrong (code 4: 密码错误)", line)
        self.assertIn("Mend MAILBOX or PASSWORD", line)
        self.clock.advance(10 * LONGEST_S)
        self.assertEqual(self.cloud.paths, [LOGIN])

    def test_waits_grow_while_there_is_no_network(self) -> None:
        self.cloud.instead[LOGIN] = MeterError("timeout", "no answer")
        self.register()
        tries = []
        for minute in range(1, 200):
            self.clock.advance(60)
            if self.cloud.take():
                tries.append(minute)
        self.assertEqual(tries, [1, 3, 7, 15, 31, 63, 123, 183])

    def test_a_new_trouble_is_told(self) -> None:
        self.cloud.instead[LOGIN] = MeterError("timeout", "no answer")
        with logged("astrameter.marstek") as lines:
            self.register()
            self.clock.pump([60, 120])
            self.cloud.instead[LOGIN] = (502, b"")
            self.clock.advance(240)
        self.assertEqual(len(lines), 2)


class Idempotence(Case):
    def test_an_answer_that_is_lost_never_makes_a_second_device(self) -> None:
        def taken_but_lost() -> Any:
            fields = self.cloud.asked[-1].fields
            self.cloud.devices.append(fields)
            raise MeterError("timeout", "no answer")

        self.cloud.instead[ADD] = taken_but_lost
        with logged():
            self.register()
            del self.cloud.instead[ADD]
            self.clock.advance(60)
        self.assertEqual(len(self.cloud.devices), 1)
        self.assertEqual(self.managed.get("HME-4"), Managed(self.cloud.devices[0]["devid"], 121))

    def test_an_account_that_lists_it_late_is_given_the_same_again(self) -> None:
        self.cloud.adds = False
        with logged("astrameter.marstek") as lines:
            one = self.register()
            self.assertIn("was created, but the account does not list it yet", lines[0])
            self.clock.advance(60)
            self.cloud.adds = True
            self.clock.advance(120)
        self.assertFalse(one.busy)
        ids = {asked.fields["devid"] for asked in self.cloud.asked if asked.path == ADD}
        self.assertEqual(len(ids), 1)
        self.assertEqual(len(self.cloud.devices), 1)

    def test_a_crash_between_creation_and_confirmation_neither(self) -> None:
        self.cloud.adds = False
        with logged():
            one = self.register()
            self.successResultOf(stop(one))
            self.end()
            self.restart()
            self.cloud.adds = True
            self.run_with()
        ids = {asked.fields["devid"] for asked in self.cloud.asked if asked.path == ADD}
        self.assertEqual(len(ids), 1)

    def test_the_id_is_durable_before_it_is_used(self) -> None:
        held: list[Any] = []

        def offload(work: Any) -> Deferred[None]:
            done: Deferred[None] = Deferred()
            held.append((work, done))
            return done

        self.end()
        self.store = Store(
            self.clock, self.directory, StateOptions(), lambda: datetime.now(UTC), offload
        )
        self.store.startService()
        self.managed = ManagedCts(self.store)
        one = self.register()
        self.assertEqual(self.cloud.paths, LOOK)
        while held:
            work, done = held.pop(0)
            work()
            done.callback(None)
            self.clock.advance(0)
        self.assertEqual(self.cloud.paths, CREATE)
        self.assertFalse(one.busy)


class Stopping(Case):
    def test_during_a_wait(self) -> None:
        self.cloud.instead[LOGIN] = MeterError("timeout", "no answer")
        with logged():
            one = self.register()
        self.successResultOf(stop(one))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_during_a_request(self) -> None:
        asked: list[Deferred[Any]] = []

        def send(*_arguments: Any) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(HttpClient, "send", send)
        one = self.register()
        self.assertEqual(len(asked), 1)
        self.successResultOf(stop(one))
        self.assertTrue(asked[0].called)
        self.assertEqual(self.clock.getDelayedCalls(), [])
