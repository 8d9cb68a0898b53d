"""Waits at a real broker for what the samples of AstraMeter 2.2.3 have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from astrameter.deferreds import sleep
from tests.astrameter.insights.real import RealCase, reactor
from tests.astrameter.insights.vectors import expected
from tests.mosquitto import Mosquitto


class PlayedCase(RealCase):
    """:ivar standing: what was published before the last expectation was met."""

    broker: Mosquitto

    def setUp(self) -> None:
        super().setUp()
        self.standing: dict[str, bytes] = {}

    async def expect(self, case_id: str, wanted: Sequence[dict[str, Any]] | None = None) -> None:
        """Wait for what a case expects, in its order; then forget what has come."""
        await self.wait_for(case_id, wanted)
        self.standing.update(self.got)
        self.got.clear()

    async def wait_for(self, case_id: str, wanted: Sequence[dict[str, Any]] | None = None) -> None:
        wanted = expected(case_id) if wanted is None else wanted
        self.assertNotEqual(wanted, [])
        topics = {one["topic"] for one in wanted}
        try:
            await self.until(lambda: self._have(wanted), case_id)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.about(topics)}") from None

    async def expect_nothing(self, case_id: str) -> None:
        await sleep(reactor, 0.1)
        self.assertEqual(self.got, [], case_id)

    async def kept(self, *case_ids: str) -> None:
        """What these cases expect is retained, or is not."""
        retained = await self.retained(self.broker.port)
        for case_id in case_ids:
            for one in expected(case_id):
                self.assertEqual(one["topic"] in retained, one["retain"], one["topic"])

    def about(self, topics: set[str]) -> list[Any]:
        """What has come on these topics."""
        return [one for one in self.got if one[0] in topics]

    def same(self, wanted: dict[str, Any], found: dict[str, Any]) -> bool:
        """Whether one document is what a sample has."""
        return found == wanted

    def _have(self, wanted: Sequence[dict[str, Any]]) -> bool:
        """All of it, in this order; what has not changed need not come again."""
        came = {topic for topic, _ in self.got}
        found = iter(self.got)
        return all(
            any(self._is(one, got) for got in found)
            or (one["topic"] not in came and self._stands(one))
            for one in wanted
        )

    def _stands(self, one: dict[str, Any]) -> bool:
        topic = one["topic"]
        changes = topic.endswith(("/availability", "/status")) and topic in self.standing
        return changes and self._is(one, (topic, self.standing[topic]))

    def _is(self, wanted: dict[str, Any], got: tuple[str, bytes]) -> bool:
        topic, payload = got
        if topic != wanted["topic"]:
            return False
        if "json" in wanted:
            return self.same(wanted["json"], json.loads(payload))
        return bool(payload == wanted["payload"].encode())
