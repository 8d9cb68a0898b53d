"""The copy in Redis, against a real server that is stopped, frozen, emptied and restarted."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet import reactor as _reactor
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from astrameter.backoff import Backoff
from astrameter.services import start, stop
from astrameter.store import redislink, redisstore
from astrameter.store.entries import Entries, Entry
from astrameter.store.options import StateOptions
from astrameter.store.redisstore import RedisStore
from astrameter.tls import tls_to
from tests.astrameter.meters.http_rig import self_signed
from tests.logged import logged
from tests.redis_server import RedisServer

reactor: Any = _reactor
PATIENT_S = 20.0
NOON_MS = 1_767_268_800_000
ALLOWED = ("+eval", "+hget", "+hset", "+hlen", "+hgetall")
"""All that docs/state.md wants for us."""


async def until_said(lines: list[str], count: int) -> None:
    """Until there are so many lines in the log; the test's time-out ends it."""
    while len(lines) < count:
        await deferLater(reactor, 0.01)


class House:
    """One daemon's store, with only Redis behind it."""

    def __init__(self, uri: str, prefix: str = "astrameter") -> None:
        self.now_ms = NOON_MS
        self.entries = Entries(self._tick)
        self.arrived: list[list[str]] = []
        self.store = RedisStore(
            reactor,
            StateOptions(uri, prefix),
            self.entries,
            lambda keys: self.arrived.append(sorted(keys)),
            Backoff(0.02, 0.1),
        )

    def _tick(self) -> int:
        self.now_ms += 1
        return self.now_ms

    def put(self, key: str, number: int) -> Deferred[bool]:
        return self.store.offer(key, self.entries.put(key, {"n": number}))

    def known(self) -> dict[str, Any]:
        return {key: entry.document.get("n") for key, entry in self.entries.items()}

    async def connected(self, wanted: bool = True) -> None:
        """Wait for it; the test's timeout bounds it."""
        while self.store.connected is not wanted:
            await deferLater(reactor, 0.005)


class Case(TestCase):
    timeout = 240
    options: tuple[str, ...] = ()
    login = ""

    async def setUp(self) -> None:
        self.server = RedisServer(reactor, *self.options)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.server.stop()))
        await self.server.start()
        self.patch(redislink, "ANSWER_S", PATIENT_S)
        self.patch(redisstore, "CHECK_EVERY_S", 0.1)

    def freeze(self) -> None:
        """The server keeps silent, and we do not wait for long."""
        self.patch(redislink, "ANSWER_S", 0.25)
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()
        self.patch(redislink, "ANSWER_S", PATIENT_S)

    @property
    def uri(self) -> str:
        return f"redis://{self.login}127.0.0.1:{self.server.port}"

    def house(self, uri: str = "", prefix: str = "astrameter") -> House:
        house = House(uri or self.uri, prefix)
        start(house.store)
        self.addCleanup(stop, house.store)
        return house

    async def fresh(self) -> dict[str, Any]:
        """What a daemon that has just started finds."""
        house = self.house()
        await house.connected()
        return house.known()


class Working(Case):
    async def test_acknowledged_is_what_the_server_has(self) -> None:
        house = self.house()
        await house.connected()
        self.assertTrue(await house.put("battery/ct002/aa", 1))
        kept = await self.server.ask("HGETALL", "astrameter:state")
        self.assertEqual(kept, f'battery/ct002/aa\n{NOON_MS + 1} {{"n":1}}')
        self.assertEqual(await self.fresh(), {"battery/ct002/aa": 1})

    async def test_what_the_server_has_arrives_at_start(self) -> None:
        first = self.house()
        await first.connected()
        await first.put("a", 1)
        await first.put("b", 2)
        second = self.house()
        await second.connected()
        self.assertEqual(second.arrived, [["a", "b"]])
        self.assertEqual(second.known(), {"a": 1, "b": 2})

    async def test_changes_of_one_turn_go_together(self) -> None:
        house = self.house()
        await house.connected()
        before = await self.server.ask("INFO", "commandstats")
        self.assertNotIn("cmdstat_eval", before)
        answers = [house.put(key, n) for n in (1, 2) for key in "abc"]
        self.assertEqual([await one for one in answers], [True] * 6)
        self.assertIn("cmdstat_eval:calls=1,", await self.server.ask("INFO", "commandstats"))
        self.assertEqual(await self.fresh(), {"a": 2, "b": 2, "c": 2})

    async def test_hundreds_of_changes_and_awkward_texts(self) -> None:
        house = self.house()
        await house.connected()
        awkward = ["001", "-1.5", "ключ", "a b\r\nc", "'\"\\", "$5", "*3"]
        answers = [house.put(key, n) for n, key in enumerate(awkward)]
        answers += [house.put(f"many/{n}", n) for n in range(350)]
        self.assertEqual({await one for one in answers}, {True})
        self.assertEqual(await self.fresh(), house.known())

    async def test_what_is_as_it_was_is_not_sent_again(self) -> None:
        house = self.house()
        await house.connected()
        await house.put("a", 1)
        self.assertTrue(await house.put("a", 1))
        self.assertIn("cmdstat_eval:calls=1,", await self.server.ask("INFO", "commandstats"))

    async def test_houses_with_a_prefix_of_their_own_share_a_server(self) -> None:
        first, second = self.house(), self.house(prefix="garage")
        await first.connected()
        await second.connected()
        await first.put("a", 1)
        await second.put("a", 2)
        self.assertEqual(await self.server.ask("HLEN", "garage:state"), "1")
        self.assertEqual(await self.fresh(), {"a": 1})

    async def test_what_is_no_entry_is_left_out_and_replaced(self) -> None:
        for field, value in (
            ("a", "text"),
            ("b", "5 [1]"),
            ("c", "x {}"),
            ("d", "\xff"),
            ("e", ""),
        ):
            await self.server.ask("HSET", "astrameter:state", field, value)
        await self.server.ask("HSET", "astrameter:state", "f", '5 {"n": 6}')
        house = self.house()
        await house.connected()
        self.assertEqual(house.known(), {"f": 6})
        self.assertTrue(await house.put("a", 1))
        self.assertEqual(await self.fresh(), {"a": 1, "f": 6})

    async def test_the_last_change_before_the_end_is_sent(self) -> None:
        house = self.house()
        await house.connected()
        answer = house.put("a", 1)
        await stop(house.store)
        self.assertTrue(await answer)
        self.assertEqual(await self.fresh(), {"a": 1})


class Meeting(Case):
    """Memory and server both have something: the newer one counts."""

    async def test_newer_there(self) -> None:
        await self.server.ask("HSET", "astrameter:state", "a", f'{NOON_MS + 9000} {{"n": 2}}')
        house = House(self.uri)
        house.entries.put("a", {"n": 1})
        house.entries.put("b", {"n": 3})
        start(house.store)
        self.addCleanup(stop, house.store)
        await house.connected()
        self.assertEqual(house.arrived, [["a"]])
        self.assertEqual(house.known(), {"a": 2, "b": 3})
        self.assertEqual(await self.fresh(), {"a": 2, "b": 3})

    async def test_newer_here(self) -> None:
        await self.server.ask("HSET", "astrameter:state", "a", f'{NOON_MS - 9000} {{"n": 2}}')
        house = House(self.uri)
        house.entries.put("a", {"n": 1})
        start(house.store)
        self.addCleanup(stop, house.store)
        await house.connected()
        self.assertEqual(house.arrived, [[]])
        while await self.fresh() != {"a": 1}:
            await deferLater(reactor, 0.01)

    async def test_an_old_change_that_comes_late_replaces_nothing(self) -> None:
        """What a frozen server still finds on a connection that was given up."""
        house = self.house()
        await house.connected()
        await house.put("a", 1)
        script = redisstore._WRITE
        for at in (NOON_MS - 5, NOON_MS + 1):
            await self.server.ask("EVAL", script, "1", "astrameter:state", "a", str(at), '{"n":0}')
        self.assertEqual(await self.fresh(), {"a": 1})


class Trouble(Case):
    async def test_down_at_start_the_daemon_works_and_catches_up(self) -> None:
        await self.server.stop()
        with logged() as lines:
            house = self.house()
            self.assertFalse(await house.put("a", 1))
            await deferLater(reactor, 0.2)
            await self.server.start()
            await house.connected()
            await until_said(lines, 2)
        self.assertTrue(await house.put("b", 2))
        self.assertEqual(await self.fresh(), {"a": 1, "b": 2})
        self.assertIn("no connection to the Redis server", lines[0])
        self.assertIn("refused", lines[0])
        self.assertIn("Does it run there, and is [STATE] URI right?", lines[0])
        self.assertIn("works again", lines[-1])
        self.assertEqual(len(lines), 2)

    async def test_stopped_and_restarted_empty_everything_is_written_again(self) -> None:
        house = self.house()
        await house.connected()
        await house.put("a", 1)
        with logged() as lines:
            await self.server.stop()
            await house.connected(False)
            self.assertFalse(await house.put("b", 2))
            await self.server.start()
            await house.connected()
            self.assertTrue(await house.put("c", 3))
            await until_said(lines, 2)
        self.assertEqual(await self.fresh(), {"a": 1, "b": 2, "c": 3})
        self.assertEqual(house.store.connections, 2)
        self.assertEqual(len(lines), 2, lines)

    async def test_frozen_changes_are_not_acknowledged_and_the_last_one_wins(self) -> None:
        house = self.house()
        await house.connected()
        await house.put("a", 1)
        self.freeze()
        with logged() as lines:
            self.assertFalse(await house.put("a", 2))
            await house.connected(False)
            self.assertFalse(await house.put("a", 3))
            await deferLater(reactor, 0.6)
            self.thaw()
            await house.connected()
            await until_said(lines, 2)
        self.assertTrue(await house.put("b", 1))
        self.assertEqual(await self.fresh(), {"a": 3, "b": 1})
        self.assertIn("did not answer within 0.25 s", lines[0])
        self.assertIn("works again", lines[-1])
        self.assertEqual(len(lines), 2, lines)

    async def test_frozen_while_nothing_changes_is_noticed(self) -> None:
        house = self.house()
        await house.connected()
        self.freeze()
        await house.connected(False)
        self.thaw()
        await house.connected()

    async def test_emptied_everything_is_written_again(self) -> None:
        house = self.house()
        await house.connected()
        await house.put("a", 1)
        await house.put("b", 2)
        with logged() as lines:
            await self.server.ask("FLUSHALL")
            while await self.server.ask("HLEN", "astrameter:state") != "2":
                await deferLater(reactor, 0.01)
        self.assertEqual(len(lines), 1)
        self.assertIn("has lost what it kept", lines[0])
        self.assertEqual(await self.fresh(), {"a": 1, "b": 2})

    async def test_a_server_that_takes_no_change_is_told_about_and_tried_again(self) -> None:
        house = self.house()
        await house.connected()
        await self.server.ask("CONFIG", "SET", "maxmemory", "1")
        with logged() as lines:
            self.assertFalse(await house.put("a", 1))
            await deferLater(reactor, 0.3)
            await self.server.ask("CONFIG", "SET", "maxmemory", "0")
            while await self.server.ask("HLEN", "astrameter:state") != "1":
                await deferLater(reactor, 0.01)
        self.assertIn("OOM", lines[0])
        self.assertIn("give that server more memory", lines[0])
        self.assertLess(len(lines), 4, lines)

    async def test_a_key_that_is_not_ours_is_left_alone(self) -> None:
        await self.server.ask("SET", "astrameter:state", "mine")
        with logged() as lines:
            house = self.house()
            while not lines:
                await deferLater(reactor, 0.01)
            self.assertFalse(await house.put("a", 1))
        self.assertIn("WRONGTYPE", lines[0])
        self.assertIn("choose another PREFIX", lines[0])
        self.assertEqual(await self.server.ask("GET", "astrameter:state"), "mine")

    async def test_a_hash_of_many_fields_is_not_ours_either(self) -> None:
        self.patch(redisstore, "MAX_FIELDS", 2)
        await self.server.ask("HSET", "astrameter:state", "a", "1", "b", "2", "c", "3")
        with logged() as lines:
            self.house()
            while not lines:
                await deferLater(reactor, 0.01)
        self.assertIn("choose another PREFIX", lines[0])

    async def test_more_than_fits_is_left_there(self) -> None:
        for n in range(70):
            value = json.dumps({"x": "y" * 8000})
            await self.server.ask("HSET", "astrameter:state", str(n), f"5 {value}")
        with logged() as lines:
            house = self.house()
            await house.connected()
        self.assertLess(len(house.entries), 70)
        self.assertTrue(any("too much" in line for line in lines))

    async def test_a_stop_while_it_is_frozen_does_not_wait_for_it(self) -> None:
        self.patch(redisstore, "STOP_S", 0.1)
        house = self.house()
        await house.connected()
        self.freeze()
        answer = house.put("a", 1)
        await stop(house.store)
        self.assertFalse(await answer)

    async def test_a_stop_during_a_wait_or_an_attempt_leaves_nothing(self) -> None:
        await self.server.stop()
        house = self.house()
        await stop(house.store)
        house = self.house()
        await deferLater(reactor, 0.05)
        await stop(house.store)


class Login(Case):
    options = ("--requirepass", "geheim@1")
    login = ":geheim%401@"

    async def test_with_the_right_password(self) -> None:
        house = self.house()
        await house.connected()
        self.assertTrue(house.store.connected)

    async def test_a_user_of_his_own(self) -> None:
        admin = ["-a", "geheim@1", "--no-auth-warning"]
        user = ["meter", "on", ">pw", "~astrameter:*", *ALLOWED]
        await self.server.ask(*admin, "ACL", "SETUSER", *user)
        house = self.house(f"redis://meter:pw@127.0.0.1:{self.server.port}")
        await house.connected()
        self.assertTrue(await house.put("a", 1))

    async def refused(self, login: str) -> list[str]:
        with logged() as lines:
            house = self.house(f"redis://{login}127.0.0.1:{self.server.port}")
            while not lines:
                await deferLater(reactor, 0.01)
            await deferLater(reactor, 0.2)
        self.assertFalse(house.store.connected)
        self.assertEqual(len(lines), 1)
        return lines

    async def test_a_wrong_password_is_told_and_not_shown(self) -> None:
        (line,) = await self.refused(":falsch@")
        self.assertIn("WRONGPASS", line)
        self.assertIn("mend user and password in [STATE] URI", line)
        self.assertNotIn("falsch", line)

    async def test_no_password_is_told(self) -> None:
        (line,) = await self.refused("")
        self.assertIn("NOAUTH", line)
        self.assertIn("put its password into [STATE] URI", line)

    async def test_a_user_without_the_rights_is_told(self) -> None:
        admin = ["-a", "geheim@1", "--no-auth-warning"]
        await self.server.ask(*admin, "ACL", "SETUSER", "guest", "on", ">pw", "~*", "+hget")
        (line,) = await self.refused("guest:pw@")
        self.assertIn("NOPERM", line)
        self.assertIn("give the user the rights that docs/state.md names", line)

    async def test_a_password_that_becomes_right_is_enough(self) -> None:
        """The library gives up for good after a refused login."""
        house = self.house(f"redis://:other@127.0.0.1:{self.server.port}")
        with logged():
            await deferLater(reactor, 0.1)
            client = ["-a", "geheim@1", "--no-auth-warning"]
            await self.server.ask(*client, "CONFIG", "SET", "requirepass", "other")
            await house.connected()


class Encrypted(TestCase):
    timeout = 240

    def setUp(self) -> Deferred[None]:
        pem = Path(self.mktemp()).absolute()
        pem.write_bytes(_pem(self_signed("127.0.0.1")))
        return Deferred.fromCoroutine(self._start(pem))

    async def _start(self, pem: Path) -> None:
        self.server = RedisServer(reactor, tls=(str(pem), str(pem)))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.server.stop()))
        await self.server.start()
        self.certificate = self_signed("127.0.0.1").certificate

    async def test_a_certificate_that_is_trusted(self) -> None:
        der = self.certificate.to_cryptography().public_bytes(Encoding.DER)
        trusting = partial(tls_to, trust_root=ssl.Certificate.load(der))
        self.patch(redislink, "tls_to", trusting)
        house = House(f"rediss://127.0.0.1:{self.server.port}")
        start(house.store)
        self.addCleanup(stop, house.store)
        await house.connected()
        self.assertTrue(await house.put("a", 1))

    async def test_one_that_is_not(self) -> None:
        house = House(f"rediss://127.0.0.1:{self.server.port}")
        with logged() as lines:
            start(house.store)
            self.addCleanup(stop, house.store)
            while not lines:
                await deferLater(reactor, 0.01)
        self.assertIn("certificate verify failed", lines[0])
        self.assertFalse(house.store.connected)


def _pem(options: Any) -> bytes:
    """Key and certificate of a server as one file."""
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key: bytes = options.privateKey.to_cryptography_key().private_bytes(*form)
    certificate: bytes = options.certificate.to_cryptography().public_bytes(Encoding.PEM)
    return key + certificate


class Fields(TestCase):
    def test_an_entry_is_its_time_and_its_document(self) -> None:
        found = redisstore._entries_of(
            ["a", '5 {"n": 1}', "b", "6", 7, "8 {}", "c", b"\xff", "odd"]
        )
        self.assertEqual(found, {"a": Entry(5, '{"n":1}')})
