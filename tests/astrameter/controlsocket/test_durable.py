"""An order is answered when what it changed survives a crash."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.astrameter.controlsocket.rig import Daemon
from tests.astrameter.ct.rig import BATTERY

ORDER = json.dumps({"id": 1, "verb": "set", "args": {"battery": BATTERY.id, "active": False}})
QUESTION = json.dumps({"id": 2, "verb": "status"})


class Durable(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemon()
        self.addCleanup(self.daemon.stop)
        self.daemon.poll()
        self.waiting: list[Deferred[bool]] = []
        self.daemon.appliance.desk.settled = self.settled
        self.client = self.daemon.client()

    def settled(self) -> Deferred[bool]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def test_the_answer_waits_and_what_is_asked_meanwhile_follows_it(self) -> None:
        self.assertEqual(self.client.say(ORDER.encode()), [])
        self.assertEqual(self.client.say(QUESTION.encode()), [])
        self.waiting[0].callback(True)
        first, second = self.client.take()
        self.assertEqual((first["id"], second["id"]), (1, 2))
        self.assertNotIn("durable", first["result"])

    def test_what_cannot_be_kept_at_present_is_answered_so(self) -> None:
        self.client.say(ORDER.encode())
        self.waiting[0].callback(False)
        (answer,) = self.client.take()
        self.assertIs(answer["result"]["durable"], False)
        self.assertIs(answer["result"]["active"], False)

    def test_who_only_asks_waits_for_nothing(self) -> None:
        (answer,) = self.client.say(QUESTION.encode())
        self.assertEqual(answer["id"], 2)
        self.assertEqual(self.waiting, [])

    def test_who_leaves_meanwhile_is_not_answered(self) -> None:
        self.client.say(ORDER.encode())
        self.client.leave()
        self.waiting[0].callback(True)
        self.assertEqual(self.client.take(), [])
