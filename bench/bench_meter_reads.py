"""Reads per second of one pooled HTTP, Modbus TCP and MQTT meter, beside the libraries alone."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import paho.mqtt.client as paho
from pymodbus.client import ModbusTcpClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater, react
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from astrameter.config import load_text
from astrameter.meters.interface import IMeter
from astrameter.monotonic import use_monotonic_time
from astrameter.reading import MeterError
from bench.load import ROOT, broker, free_port, report, server
from bench.servers import LAST_W, MESSAGES, TOPIC

SECONDS = 3.0


def meter_of(text: str) -> Any:
    """A meter as the daemon would make it."""
    [one] = load_text(text, "config.ini").meters
    return one.kind.build(reactor, one.section, one.options)


@asynccontextmanager
async def running(meter: Any) -> AsyncIterator[IMeter]:
    """The meter between start and stop, connected."""
    await maybeDeferred(meter.startService)
    await deferLater(reactor, 1.0)
    try:
        yield meter
    finally:
        await maybeDeferred(meter.stopService)


async def rate(read: Callable[[], Awaitable[object]]) -> float:
    """Reads per second, one at a time."""
    for _ in range(50):
        await read()
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        await read()
        count += 1
    return count / elapsed


async def http() -> None:
    """A meter that answers in JSON, on a connection that stays open."""
    port = free_port(socket.SOCK_STREAM)
    url = f"http://127.0.0.1:{port}/power"
    pool = HTTPConnectionPool(reactor)
    agent = Agent(reactor, pool=pool)

    async def alone() -> None:
        await readBody(await agent.request(b"GET", url.encode()))

    with server("-m", "bench.servers", "http", str(port)):
        await deferLater(reactor, 1.0)
        text = f"[JSON_HTTP]\nURL = {url}\nJSON_PATHS = $.watts[0], $.watts[1], $.watts[2]\n"
        async with running(meter_of(text)) as meter:
            ours = await rate(meter.read)
        library = await rate(alone)
        await pool.closeCachedConnections()
    report(bench="http_reads", reads_per_s=round(ours), twisted_agent_per_s=round(library))


async def modbus() -> None:
    """A meter on Modbus TCP; the library's own client blocks."""
    port = free_port(socket.SOCK_STREAM)
    with server("-m", "bench.servers", "modbus", str(port)):
        await deferLater(reactor, 1.0)
        text = f"[MODBUS]\nHOST = 127.0.0.1\nPORT = {port}\nDATA_TYPE = INT32\nADDRESS = 0\n"
        async with running(meter_of(text)) as meter:
            ours = await rate(meter.read)
        client = ModbusTcpClient("127.0.0.1", port=port)
        client.connect()

        async def alone() -> None:
            client.read_holding_registers(0, count=2, device_id=1)

        library = await rate(alone)
        client.close()
    report(bench="modbus_reads", reads_per_s=round(ours), pymodbus_per_s=round(library))


async def mqtt() -> None:
    """Messages taken in while somebody publishes as fast as the broker goes."""
    with broker() as port:
        await deferLater(reactor, 1.0)
        text = f"[MQTT]\nBROKER = 127.0.0.1\nPORT = {port}\nTOPIC = {TOPIC}\n"
        async with running(meter_of(text)) as meter:
            started = publish(port)
            while (await _watts(meter)) != LAST_W:
                await deferLater(reactor, 0.005)
            ours = MESSAGES / (time.perf_counter() - started)
        library = MESSAGES / _seconds_of_paho(port)
    report(bench="mqtt_messages", messages_per_s=round(ours), paho_per_s=round(library))


def publish(port: int) -> float:
    """Start to publish from another process; returns the time when it began."""
    command = [sys.executable, "-m", "bench.servers", "publish", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    return time.perf_counter()


async def _watts(meter: IMeter) -> float | None:
    with contextlib.suppress(MeterError):
        return (await meter.read()).watts[0]
    return None


def _seconds_of_paho(port: int) -> float:
    """How long paho takes for the same messages with a callback that does nothing."""
    last: list[bytes] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: (
        last.append(message.payload) if message.payload == str(LAST_W).encode() else None
    )
    client.connect("127.0.0.1", port)
    client.subscribe(TOPIC)
    for _ in range(20):
        client.loop(0.02)
    started = publish(port)
    while not last:
        client.loop(0.1)
    return time.perf_counter() - started


async def run() -> None:
    """One after the other, so that none disturbs another."""
    await http()
    await modbus()
    await mqtt()


if __name__ == "__main__":
    use_monotonic_time(reactor)
    react(lambda _reactor: Deferred.fromCoroutine(run()))
