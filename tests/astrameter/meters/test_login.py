from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.meters.login import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    ExpiredError,
    Login,
    RefusedError,
)
from astrameter.reading import MeterError


class NoJitter(Random):
    def random(self) -> float:
        return 0.0


class LoginTests(SynchronousTestCase):
    """With a device whose answers are numbers: sessions and failures come from lists."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.logins: list[str | MeterError] = []
        self.answers: list[int | MeterError] = []
        self.seen: list[str] = []
        self.login = self.make()

    def make(self, **more: Any) -> Login[str]:
        return Login(self.clock, self.log_in, random=NoJitter(), **more)

    async def log_in(self) -> str:
        self.seen.append("login")
        return str(self.take(self.logins))

    async def request(self, session: str) -> int:
        self.seen.append(session)
        return int(self.take(self.answers))

    def take(self, results: list[Any]) -> Any:
        result = results.pop(0)
        if isinstance(result, MeterError):
            raise result
        return result

    def ask(self) -> Deferred[int]:
        self.seen.clear()
        return Deferred.fromCoroutine(self.login.ask(self.request))

    def works(self, *seen: str) -> None:
        self.assertEqual(self.successResultOf(self.ask()), 5)
        self.assertEqual(self.seen, [*seen])

    def fails(self, expected: str, *seen: str) -> None:
        error = self.failureResultOf(self.ask(), MeterError).value
        self.assertEqual((f"{error.kind}: {error}", self.seen), (expected, [*seen]))

    def test_one_login_is_for_all_requests(self) -> None:
        self.logins, self.answers = ["s1"], [5, 5]
        self.works("login", "s1")
        self.works("s1")

    def test_a_session_to_begin_with(self) -> None:
        self.login = self.make(session="s0")
        self.answers = [5]
        self.works("s0")

    def test_an_expired_session_is_renewed_without_notice(self) -> None:
        self.logins, self.answers = ["s1", "s2"], [5, ExpiredError("gone", "gone"), 5, 5]
        self.works("login", "s1")
        self.works("s1", "login", "s2")
        self.works("s2")

    def test_other_failures_keep_the_session(self) -> None:
        self.logins, self.answers = ["s1"], [MeterError("connect", "away"), 5]
        self.fails("connect: away", "login", "s1")
        self.works("s1")

    def test_a_forgotten_session_is_renewed(self) -> None:
        self.logins, self.answers = ["s1", "s2"], [5, 5]
        self.works("login", "s1")
        self.login.forget()
        self.works("login", "s2")

    def test_logins_pause_after_a_refusal(self) -> None:
        self.logins, self.answers = [RefusedError("no"), "s1"], [5]
        self.fails("auth_failed: no", "login")
        self.fails("auth_failed: no (next login in 30 s)")
        self.clock.advance(FIRST_PAUSE_S - 0.5)
        self.fails("auth_failed: no (next login in 1 s)")
        self.clock.advance(0.5)
        self.works("login", "s1")

    def test_pauses_double_up_to_a_limit(self) -> None:
        for pause_s in (30, 60, 120, 240, 480, 900, 900):
            self.logins = [RefusedError("no")]
            self.fails("auth_failed: no", "login")
            self.fails(f"auth_failed: no (next login in {pause_s} s)")
            self.clock.advance(pause_s)
        self.assertEqual(LONGEST_PAUSE_S, 900)

    def test_after_success_pauses_are_short_again(self) -> None:
        self.test_pauses_double_up_to_a_limit()
        self.logins, self.answers = ["s1", RefusedError("no")], [5, ExpiredError("gone", "gone")]
        self.works("login", "s1")
        self.fails("auth_failed: no", "s1", "login")
        self.fails("auth_failed: no (next login in 30 s)")

    def test_pauses_are_as_long_as_the_device_wants(self) -> None:
        for blocked_s, pause_s in ((10.0, 30), (128.0, 128), (1e9, 3600)):
            self.login = self.make()
            self.logins = [RefusedError("no", blocked_s)]
            self.fails("auth_failed: no", "login")
            self.fails(f"auth_failed: no (next login in {pause_s} s)")

    def test_a_device_that_is_away_is_asked_again_at_once(self) -> None:
        self.logins, self.answers = [MeterError("connect", "away"), "s1"], [5]
        self.fails("connect: away", "login")
        self.works("login", "s1")

    def test_a_cloud_is_left_alone_after_any_failure(self) -> None:
        self.login = self.make(patient=True)
        for pause_s in (5, 10, 20, 40, 80, 160, 320, 640, 900, 900):
            self.logins = [MeterError("timeout", "slow")]
            self.fails("timeout: slow", "login")
            self.fails(f"timeout: slow (next login in {pause_s} s)")
            self.clock.advance(pause_s)
        self.logins, self.answers = ["s1"], [5]
        self.works("login", "s1")
        self.login.forget()
        self.logins = [MeterError("timeout", "slow")]
        self.fails("timeout: slow", "login")
        self.fails("timeout: slow (next login in 5 s)")

    def test_a_cloud_that_refuses_is_left_alone_for_longer(self) -> None:
        self.login = self.make(patient=True)
        self.logins = [RefusedError("no")]
        self.fails("auth_failed: no", "login")
        self.fails("auth_failed: no (next login in 30 s)")

    def test_a_fresh_session_that_has_expired_is_tried_once_more(self) -> None:
        self.logins, self.answers = ["s1", "s2"], [ExpiredError("gone", "gone"), 5]
        self.works("login", "s1", "login", "s2")

    def test_fresh_sessions_that_are_of_no_use_pause_logins(self) -> None:
        gone = ExpiredError("http_status", "gone")
        self.logins, self.answers = ["s1", "s2", "s3", "s4"], [5, gone, gone, gone, gone]
        self.works("login", "s1")
        self.fails("http_status: gone", "s1", "login", "s2")
        self.fails("http_status: gone (next login in 30 s)")
        self.clock.advance(30)
        self.fails("http_status: gone", "login", "s3", "login", "s4")
        self.fails("http_status: gone (next login in 60 s)")

    def test_pauses_have_jitter(self) -> None:
        class Half(Random):
            def random(self) -> float:
                return 0.5

        self.login = Login(self.clock, self.log_in, random=Half())
        self.logins = [RefusedError("no")]
        self.fails("auth_failed: no", "login")
        self.fails("auth_failed: no (next login in 27 s)")

    def test_no_timer_is_left(self) -> None:
        self.test_logins_pause_after_a_refusal()
        self.assertEqual(self.clock.getDelayedCalls(), [])
