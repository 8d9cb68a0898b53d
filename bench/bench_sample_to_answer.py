"""From a sample's publication on MQTT to the first answer of the CT that carries it."""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as paho

from bench.load import (
    broker,
    free_port,
    percentile_ms,
    polls,
    report,
    server,
    wait_for_answer,
)
from bench.servers import TOPIC

SAMPLES = 200
LOST_S = 5.0


def main() -> None:
    """The broker's part, and up to one round trip of a poll, are in the figure."""
    [request] = polls(1)
    ct_port = free_port()
    with broker() as port, tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config.ini")
        config.write_text(
            "[GENERAL]\nDEVICE_TYPE = ct002\nENABLE_WEB_SERVER = no\n"
            "WAIT_FOR_NEXT_MESSAGE = no\n"
            f"[CT002]\nUDP_PORT = {ct_port}\nACTIVE_CONTROL = no\n"
            f"[MQTT]\nBROKER = 127.0.0.1\nPORT = {port}\nTOPIC = {TOPIC}\n"
        )
        publisher = paho.Client(paho.CallbackAPIVersion.VERSION2)
        while _refused(publisher, port):
            time.sleep(0.05)
        publisher.loop_start()
        publisher.publish(TOPIC, "1000", qos=1, retain=True).wait_for_publish(5)
        with server("-m", "astrameter", "-c", str(config)):
            wait_for_answer(ct_port, request)
            time.sleep(1.0)  # what was asked before the first reading is over
            times = [_arrival(publisher, ct_port, request, 2000 + n) for n in range(SAMPLES)]
        publisher.loop_stop()
    report(
        bench="sample_to_answer",
        p50_ms=percentile_ms(times, 0.5),
        p99_ms=percentile_ms(times, 0.99),
    )


def _refused(publisher: paho.Client, port: int) -> bool:
    try:
        publisher.connect("127.0.0.1", port)
    except OSError:
        return True
    return False


def _arrival(publisher: paho.Client, ct_port: int, request: bytes, watts: int) -> float:
    wanted = b"|%d|" % watts
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", ct_port))
        sock.settimeout(1.0)
        started = time.perf_counter()
        publisher.publish(TOPIC, str(watts))
        while (elapsed := time.perf_counter() - started) < LOST_S:
            sock.send(request)
            if wanted in sock.recv(2048):
                return elapsed
    raise RuntimeError(f"{watts} W never came")


if __name__ == "__main__":
    main()
