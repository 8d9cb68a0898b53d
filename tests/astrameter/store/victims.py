"""Kills processes that keep changes, and looks at what is left: ``victims DIRECTORY COUNT SEED``.

Every victim is a fork of this process, with a reactor of its own: starting a new interpreter
500 times would take minutes. It keeps changing two documents together, and notes each change
before it is made and after it has been acknowledged. At a random moment it gets a SIGKILL, and
the next victim goes on with what it left.

Prints one JSON object: how often the file was not what it had to be, and how much was going on.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.threads import deferToThreadPool

from astrameter.store.fileformat import decode
from astrameter.store.filestore import FILE_NAME
from astrameter.store.options import StateOptions
from astrameter.store.service import Store

SIGN_S = 20.0
MOST_SIGNS = 6
LONGEST_MORE_S = 0.01
"""A victim is killed up to so much later than it has been acknowledged up to so many changes."""


def suffer(directory: Path, notes: int) -> None:
    """Be a victim: change, note, be acknowledged, until the end."""
    reactor: Any = EPollReactor()

    def offload(work: Any) -> Deferred[None]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    store = Store(reactor, directory, StateOptions(), lambda: datetime.now(UTC), offload)
    number = (store.get("first") or {"n": 0})["n"]

    def change() -> None:
        nonlocal number
        number += 1
        os.write(notes, b"sent %d\n" % number)
        store.put("first", {"n": number, "ballast": "x" * random.randrange(4000)})
        store.put("second", {"n": number}).addCallback(partial(acknowledged, number))
        reactor.callLater(random.random() * 0.002, change)

    def acknowledged(what: int, durable: bool) -> None:
        if durable:
            os.write(notes, b"acknowledged %d\n" % what)

    reactor.callWhenRunning(store.startService)
    reactor.callWhenRunning(change)
    reactor.run()


def kill_one(directory: Path, chance: random.Random) -> dict[str, int]:
    """One victim from birth to death; returns what it noted last."""
    path = directory / "notes"
    notes = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    pid = os.fork()
    if pid == 0:
        try:
            suffer(directory, notes)
        finally:
            os._exit(1)
    until = time.monotonic() + SIGN_S
    signs = chance.randrange(MOST_SIGNS)
    while time.monotonic() < until:
        noted = path.read_bytes()
        if noted and noted.count(b"acknowledged") >= signs:
            break
        time.sleep(0.0005)
    time.sleep(chance.random() * LONGEST_MORE_S)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(notes)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the victim died of something else")
    last = {"sent": 0, "acknowledged": 0}
    for line in path.read_text().splitlines():
        what, _, number = line.partition(" ")
        last[what] = int(number)
    return last


def main(directory: Path, count: int, seed: int) -> None:
    """Kill ``count`` of them, one after the other."""
    chance = random.Random(seed)
    wrong: list[str] = []
    changes = acknowledged = in_flight = before = 0
    for _ in range(count):
        last = kill_one(directory, chance)
        kept = {"first": 0, "second": 0}
        file = directory / FILE_NAME
        if file.exists():
            entries, ignored = decode(file.read_bytes())
            kept = {key: entry.document["n"] for key, entry in entries.items()}
            if ignored:
                wrong.append(f"{ignored} entries are none")
        if kept["first"] != kept["second"]:
            wrong.append(f"changes of one turn were torn apart: {kept}")
        least = max(before, last["acknowledged"])
        if not least <= kept["first"] <= max(before, last["sent"]):
            wrong.append(f"{kept['first']} was kept, and {last} (before that {before})")
        changes += max(0, last["sent"] - before)
        acknowledged += max(0, last["acknowledged"] - before)
        in_flight += last["sent"] > last["acknowledged"]
        before = kept["first"]
    found = {"wrong": wrong, "changes": changes, "acknowledged": acknowledged}
    left = sorted(one.name for one in directory.iterdir())
    print(json.dumps({**found, "killed_in_flight": in_flight, "left": left}))  # noqa: T201  its result


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
