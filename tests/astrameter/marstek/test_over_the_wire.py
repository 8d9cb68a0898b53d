"""A cloud that hangs, lies, babbles and resets, over real connections: what its owner is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from astrameter.marstek import registration
from astrameter.marstek.managed import ManagedCts
from astrameter.marstek.options import MarstekOptions
from astrameter.marstek.registration import Registration
from astrameter.meters.urls import parse_url
from astrameter.services import start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.astrameter.marstek.cloud_stub import (
    ADD,
    LIST,
    LOGIN,
    MAILBOX,
    PASSWORD,
    CloudResource,
    CloudStub,
)
from tests.astrameter.meters.http_rig import (
    Device,
    Script,
    answer,
    say_nothing,
    self_signed,
    then_close,
    then_reset,
)
from tests.logged import logged

reactor: Any = _reactor
SECRETS = (MAILBOX, "user%40example.com", PASSWORD, "7d2d8cf9088238c13cd8d41b8e49c985", "TOK123")
AWAY = "Next attempt in 1 min"


class Case(TestCase):
    timeout = 240

    def register(self, base: str) -> Registration:
        """Begins at once, at the cloud whose address is ``base``."""
        options = MarstekOptions(True, parse_url(base), MAILBOX, PASSWORD)
        store = Store(reactor, None, StateOptions(), lambda: datetime.now(UTC))
        self.managed = ManagedCts(store)
        one = Registration(reactor, options, ("HME-4",), self.managed, store)
        start(store)
        start(one)

        async def end() -> None:
            await stop(one)
            await stop(store)

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))
        return one

    async def told(self, base: str) -> str:
        """The one line about an attempt that fails."""
        with logged("astrameter.marstek") as lines:
            one = self.register(base)
            while not lines:
                await deferLater(reactor, 0.01)
        self.assertTrue(one.busy)
        self.assertEqual(len(lines), 1)
        for secret in SECRETS:
            self.assertNotIn(secret, lines[0])
        return lines[0]


class Trouble(Case):
    async def check(self, script: Script, *words: str, **how: Any) -> None:
        device = Device(self, script, **how)
        line = await self.told(device.url)
        for word in words:
            self.assertIn(word, line)
        self.assertIsNone(self.managed.get("HME-4"))

    async def test_it_hangs(self) -> None:
        self.patch(registration, "ANSWER_S", 0.5)
        await self.check(say_nothing, "did not answer within 0.5 s", AWAY)

    async def test_it_is_so_slow_that_it_never_ends(self) -> None:
        self.patch(registration, "ANSWER_S", 0.5)
        begun = answer(b'{"code": "2', length=1000)
        await self.check(begun, "did not answer within 0.5 s", AWAY)

    async def test_it_hangs_up(self) -> None:
        await self.check(then_close(b""), "closed the connection", AWAY)
        await self.check(then_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), AWAY)

    async def test_it_speaks_something_else(self) -> None:
        await self.check(
            then_close(b"\0\xff\xfe SSH-2.0\r\n\r\n"), "does not answer in proper HTTP"
        )

    async def test_it_babbles(self) -> None:
        await self.check(answer(b"\xff\x00" * 5000), "something that is not JSON", AWAY)

    async def test_it_says_more_than_fits(self) -> None:
        await self.check(answer(b"[" * (3 << 20)), "answered with more than 1 MiB", AWAY)

    async def test_nesting_does_not_end_the_attempts(self) -> None:
        await self.check(answer(b"[" * 200_000), "something that is not JSON", AWAY)

    async def test_it_sends_us_around_for_ever(self) -> None:
        around = answer(status="302 Found", headers={"Location": "/api"})
        await self.check(around, "redirects more than", AWAY)

    async def test_it_sends_us_elsewhere_and_nobody_there_gets_a_secret(self) -> None:
        other = Device(self, answer({"code": "2"}))
        await self.check(answer(status="302 Found", headers={"Location": other.url}), "code 2")
        (request,) = other.received
        for secret in SECRETS:
            self.assertNotIn(secret, repr(request))

    async def test_its_certificate_is_nobodys(self) -> None:
        words = ("is not trusted", AWAY)
        device = Device(self, answer({"code": "2"}), tls=self_signed("127.0.0.1"))
        line = await self.told(device.url)
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(device.received, [])

    async def test_nobody_is_there(self) -> None:
        device = Device(self, b"")
        await device.stop()
        line = await self.told(device.url)
        self.assertIn("refused the connection", line)
        self.assertIn(f"port? {AWAY}", line)


class Success(Case):
    async def test_every_request_is_as_the_app_sends_it(self) -> None:
        cloud = CloudStub()
        site = Site(CloudResource(cloud))
        site.noisy = False
        listening = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        one = self.register(f"http://127.0.0.1:{listening.getHost().port}/")
        while one.busy:
            await deferLater(reactor, 0.01)
        self.assertEqual(cloud.paths, [LOGIN, LIST, ADD, LOGIN, LIST])
        agents = [one.headers.get("user-agent", "") for one in cloud.asked]
        dart = "Dart/2.19 (dart:io)"
        self.assertEqual([dart in agent for agent in agents], [False, True, True, False, True])
        add = cloud.asked[2]
        self.assertEqual(add.headers["token"], add.fields["token"])
        managed = self.managed.get("HME-4")
        assert managed is not None
        self.assertEqual(managed.mac, add.fields["devid"])
