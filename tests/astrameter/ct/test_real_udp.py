"""The CT responder over real sockets: the same bytes as the vectors for relay polls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.responder import CtResponder
from astrameter.events import Bus
from astrameter.meters.options import EVERYBODY
from astrameter.routing import Route, Routes
from astrameter.services import start, stop
from astrameter.steering.controller import Steering
from tests.astrameter.ct.rig import ScriptedMeter
from tests.vectors import load

WAIT_S = 5


def single_relay_polls() -> list[dict[str, Any]]:
    """Cases of one poll each that depend neither on time nor on the source address."""
    return [
        case
        for case in load("ct-protocol")["responder"]
        if not case["config"]["ACTIVE_CONTROL"]
        and not case.get("optional")
        and "meters" not in case["config"]
        and len(case["steps"]) == 1
        and case["steps"][0]["op"] == "poll"
        and case["steps"][0]["reply_hex"] is not None
    ]


class Client(DatagramProtocol):
    """Sends a request and waits for what comes back."""

    noisy = False

    def __init__(self) -> None:
        self._waiting: Deferred[bytes] | None = None

    def ask(self, request: bytes, port: int) -> Deferred[bytes]:
        self._waiting = Deferred()
        self.transport.write(request, ("127.0.0.1", port))
        return self._waiting.addTimeout(WAIT_S, reactor)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(datagram)


class RealUdp(TestCase):
    async def _reply(self, case: dict[str, Any]) -> bytes:
        config, step = case["config"], case["steps"][0]
        meter = ScriptedMeter(reactor)
        meter.script(step["meter"])
        routes = Routes()
        routes.replace([Route(meter, meter, EVERYBODY, False)])
        options = CtOptions(
            active_control=False,
            ct_mac=config.get("CT_MAC", ""),
            wifi_rssi=config.get("WIFI_RSSI", -50),
        )
        ct_type = "HME-3" if config.get("device") == "ct003" else "HME-4"
        ct = EmulatedCt(ct_type, options, 0.0, Steering(options))
        responder = CtResponder(
            reactor,
            "device-1",
            0,
            ct,
            routes,
            Bus(reactor),
            lambda: datetime.now(UTC),
            "127.0.0.1",
        )
        start(responder)
        client = Client()
        port = reactor.listenUDP(0, client, interface="127.0.0.1")
        try:
            target = responder.protocol.transport.getHost().port
            return await client.ask(bytes.fromhex(step["request_hex"]), target)
        finally:
            await port.stopListening()
            await stop(responder)

    async def test_relay_polls_are_answered_with_the_bytes_of_the_vectors(self) -> None:
        cases = single_relay_polls()
        self.assertGreater(len(cases), 40)
        wrong = []
        for case in cases:
            reply = await self._reply(case)
            if reply.hex() != case["steps"][0]["reply_hex"]:
                wrong.append(case["name"])
        self.assertEqual(wrong, [])

    async def test_a_battery_that_searches_is_told_ack(self) -> None:
        case = single_relay_polls()[0]
        step = {**case["steps"][0], "request_hex": b"hame".hex()}
        self.assertEqual(await self._reply({**case, "steps": [step]}), b"ack")
