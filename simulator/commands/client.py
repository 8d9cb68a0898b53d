"""``status``, ``load``, ``solar``, ``battery``, ``auto``: one request to a running simulator."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from typing import Any

from simulator.api.requests import request_of
from simulator.control import (
    MAX,
    OFF,
    Operation,
    SetAuto,
    SetMaxPower,
    SetSoc,
    SetSolar,
    ToggleLoad,
)

TIMEOUT_S = 5.0
LONGEST_ANSWER = 4 << 20


class Unreachable(Exception):  # noqa: N818  a state of the world, not an error
    """Nobody answers; ``str()`` is the reason."""


class Refused(Exception):  # noqa: N818  an answer, not an error
    """The simulator did not do it; ``str()`` is what it says."""


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """The JSON that the simulator on this machine answers.

    :raises Unreachable: nobody answers, or nobody that speaks JSON.
    :raises Refused: the request was not done.
    """
    connection = http.client.HTTPConnection("localhost", port, timeout=TIMEOUT_S)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read(LONGEST_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(reason) from None
    finally:
        connection.close()
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        message = f"what listens on port {port} is no simulator (HTTP {response.status})"
        raise Unreachable(message) from None
    if response.status != http.client.OK:
        said = document.get("error") if isinstance(document, dict) else None
        raise Refused(str(said or f"HTTP {response.status}"))
    return document


def status(options: argparse.Namespace) -> int:
    """Print the status."""
    try:
        document = ask(options.http_port, "GET", "/status")
    except (Unreachable, Refused) as error:
        sys.stdout.write(f"Cannot connect to daemon: {error}\n")
        return 1
    _print(document)
    return 0


def load(options: argparse.Namespace) -> int:
    """Switch a load."""
    return _do(options, ToggleLoad(options.index))


def solar(options: argparse.Namespace) -> int:
    """Set the sun."""
    value = options.value
    if value in (MAX, OFF):
        return _do(options, SetSolar(value))
    try:
        watts = float(value)
    except ValueError:
        return _failed(f"solar set {value}: watts, {MAX} or {OFF} is wanted")
    return _do(options, SetSolar(int(watts) if watts.is_integer() else watts))


def battery(options: argparse.Namespace) -> int:
    """Set a battery's state of charge or its power limits."""
    values, usage = options.values, "Usage: astra-sim battery <mac>"
    try:
        if options.action == "soc":
            if len(values) != 1:
                return _usage(f"{usage} soc <value>")
            return _do(options, SetSoc(options.mac, float(values[0])))
        if len(values) != 2:
            return _usage(f"{usage} max-power <charge> <discharge>")
        return _do(options, SetMaxPower(options.mac, int(values[0]), int(values[1])))
    except ValueError:
        return _failed(f"battery {options.mac} {options.action} {' '.join(values)}: no number")


def auto(options: argparse.Namespace) -> int:
    """Switch auto mode."""
    return _do(options, SetAuto(options.state == "on"))


def _do(options: argparse.Namespace, operation: Operation) -> int:
    path, body = request_of(operation)
    try:
        _print(ask(options.http_port, "POST", path, body))
    except Unreachable as error:
        return _failed(f"no simulator answers on port {options.http_port}: {error}")
    except Refused as error:
        return _failed(f"refused: {error}")
    return 0


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _usage(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 1


def _failed(text: str) -> int:
    sys.stderr.write(f"astra-sim: {text}\n")
    return 1
