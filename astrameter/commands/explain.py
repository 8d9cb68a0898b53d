"""``explain``: why the running daemon tells the batteries what it tells them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning

from astrameter.config import load_file
from astrameter.controlsocket.client import ControlClient, first_running
from astrameter.controlsocket.places import likely_paths
from astrameter.controlsocket.wire import ControlError
from astrameter.monotonic import use_monotonic_time
from astrameter.problems import ConfigError

_SHOWN = 12
_HEADINGS = ("ago s", "grid", "age s", "house", "part", "at", "sent", "expected", "became")
_WIDTH = 9
_NOBODY = (
    "No battery has asked an emulated CT (ct002, ct003) lately. Those that ask a Shelly are shown "
    "the meter as it is."
)


@dataclass(frozen=True)
class Wanted:
    """What is to be explained.

    :ivar battery: its MAC; None is all.
    :ivar watch: each decision as it is made, until interrupted.
    """

    battery: str | None = None
    as_json: bool = False
    watch: bool = False


def places(config: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the daemon of this configuration may be found.

    Its file may be unreadable for whoever asks; then what is usual is tried.
    """
    try:
        configured = load_file(config).general.control_socket
    except ConfigError:
        configured = ""
    return likely_paths(configured, environ)


def run(reactor: Any, config: str, wanted: Wanted, out: TextIO, errors: TextIO) -> int:
    """Run the reactor until it is explained, or interrupted.

    :return: the exit status: 1 when there is no such daemon or battery.
    :raises BrokenPipeError: whoever read the output has gone.
    """
    use_monotonic_time(reactor)
    status = [0]
    broken: list[BrokenPipeError] = []

    async def work() -> None:
        try:
            paths = places(config, os.environ)
            status[0] = await explain(reactor, paths, wanted, out, errors)
        except BrokenPipeError as error:
            broken.append(error)
        except OSError as error:
            errors.write(f"cannot write: {error.strerror or error}\n")
            status[0] = 1

    done = Deferred.fromCoroutine(work())
    done.addErrback(lambda failure: failure.trap(CancelledError))

    def interrupted() -> Deferred[Any]:
        done.cancel()
        return done

    def finished(_result: object) -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    reactor.addSystemEventTrigger("before", "shutdown", interrupted)
    reactor.callWhenRunning(done.addBoth, finished)
    reactor.run()
    if broken:
        raise broken[0]
    return status[0]


async def explain(
    reactor: Any, paths: Sequence[Path], wanted: Wanted, out: TextIO, errors: TextIO
) -> int:
    """Ask the daemon, and write what it says."""
    lost: Deferred[Exception] = Deferred()
    try:
        client = await first_running(reactor, paths, lost.callback)
    except ControlError as error:
        errors.write(f"{error}\n")
        return 1
    try:
        found = await _ask(client, wanted)
        _write(found["batteries"], wanted, out)
        if wanted.watch:
            names = {one["id"] for one in found["batteries"]} if wanted.battery else None
            follow = _follower(names, wanted, out, lost.callback)
            await client.watch(follow, status=False, events=False, decisions=True)
            raise await lost
    except ControlError as error:
        errors.write(f"{error}\n")
        return 1
    finally:
        client.close()
    return 0


async def _ask(client: ControlClient, wanted: Wanted) -> dict[str, Any]:
    if wanted.battery is None:
        return await client.request("explain", decisions=1 if wanted.as_json else 0)
    return await client.request("explain", battery=wanted.battery)


def _write(batteries: Sequence[Mapping[str, Any]], wanted: Wanted, out: TextIO) -> None:
    if wanted.as_json:
        out.writelines(json.dumps(one) + "\n" for one in batteries)
    elif not batteries:
        out.write(f"{_NOBODY}\n")
    else:
        out.write("\n".join(as_text(one) for one in batteries))
    out.flush()


def _follower(
    names: set[str] | None, wanted: Wanted, out: TextIO, failed: Callable[[Exception], None]
) -> Callable[[str, Mapping[str, Any]], None]:
    """Writes the decisions about these batteries as they come; None is all.

    :param failed: told, once, when that is not possible any more.
    """

    def follow(event: str, data: Mapping[str, Any]) -> None:
        if event != "decision" or not (names is None or data["battery"] in names):
            return
        try:
            out.write((json.dumps(data) if wanted.as_json else as_line(data)) + "\n")
            out.flush()
        except OSError as error:
            failed(error)

    return follow


# ------------------------------------------------------------------------------ for people


def as_text(battery: Mapping[str, Any]) -> str:
    """A battery in sentences, and its last decisions as a table where there are some."""
    interval_s = battery["poll_interval_s"]
    often = "" if interval_s is None else f" every {interval_s:g} s"
    phase = f", phase {battery['phase']}" if battery["phase"] else ""
    title = (
        f"{battery['id']}  {battery['type']}{phase}, asks {battery['ct']} ({battery['device']})"
        f"{often}, last {battery['age_s']:.1f} s ago"
    )
    lines = [title, *(f"  {sentence}" for sentence in battery["why"])]
    if battery["decisions"]:
        lines += ["", "  The last answers, in W (+ is import, and discharge):"]
        lines += _table(battery["decisions"][-_SHOWN:], battery["now"])
    return "\n".join(map(_printable, lines)) + "\n"


def _table(decisions: Sequence[Mapping[str, Any]], now: float) -> list[str]:
    rows = [_HEADINGS, *(_row(one, now) for one in decisions)]
    notes = ["", *map(_note, decisions)]
    return [
        "  " + "".join(f"{cell:>{_WIDTH}}" for cell in row) + f"  {note}"
        for row, note in zip(rows, notes, strict=True)
    ]


def _row(decision: Mapping[str, Any], now: float) -> tuple[str, ...]:
    became = decision["became"]
    expected_w = decision["setpoint_w"] if became is None else became["expected_w"]
    return (
        f"{now - decision['at']:.1f}",
        _watts(decision["grid_w"]),
        f"{decision['sample_age_s']:.1f}",
        _watts(decision["load_w"]),
        _watts(decision["share_w"]),
        _watts(decision["power_w"]),
        _watts(decision["reading_w"]),
        _watts(expected_w),
        _watts(None if became is None else became["delivered_w"]),
    )


def as_line(data: Mapping[str, Any]) -> str:
    """One decision on one line, for a watch."""
    decision = data["decision"]
    return _printable(
        f"{data['battery']}  grid {_watts(decision['grid_w'])} ({decision['sample_age_s']:.1f} s)"
        f"  house {_watts(decision['load_w'])}  part {_watts(decision['share_w'])}"
        f"  at {_watts(decision['power_w'])}  sent {_watts(decision['reading_w'])}"
        f"  goes to {_watts(decision['setpoint_w'])}  {_note(decision)}"
    )


def _note(decision: Mapping[str, Any]) -> str:
    """What acted, in a few words; those after a colon explain, and are left out."""
    if decision["mode"] != "auto":
        return str(decision["mode"])
    acted = [
        f"{one['name'].partition(':')[0]} {_watts(one['before_w'])} > {_watts(one['after_w'])}"
        for one in decision["limits"]
    ]
    if decision["stays"]:
        acted.insert(0, f"stays ({decision['stays'].partition(':')[0]})")
    return "; ".join(acted)


def _printable(text: str) -> str:
    """What a battery says of itself is not to move the reader's cursor."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).rstrip()


def _watts(value: float | None) -> str:
    return "-" if value is None else f"{round(value):+d}" if round(value) else "0"
