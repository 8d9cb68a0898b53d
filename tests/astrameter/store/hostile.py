"""A process that keeps changes where it must not: ``hostile full|readonly DIRECTORY``.

Makes a change while that is impossible, then another one when it has become possible, and prints
what was acknowledged, as one JSON list.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from astrameter.services import start, stop
from astrameter.store.options import StateOptions
from astrameter.store.service import Store

reactor: Any = _reactor
NOBODY = 65534


def fill_disk(_directory: Path) -> Callable[[], None]:
    """No file can grow any more, until the returned function is called.

    The limit of a process fails at the same place as a full disk, and needs no mount.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, most))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def lock(directory: Path) -> Callable[[], None]:
    """The directory is only to be read, until the returned function is called."""
    if os.getuid() == 0:  # whom no permission stops
        os.chown(directory, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    directory.chmod(0o555)
    return lambda: directory.chmod(0o755)


async def _suffer(how: str, directory: Path) -> list[bool]:
    def offload(work: Callable[[], None]) -> Deferred[None]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    store = Store(reactor, directory, StateOptions(), lambda: datetime.now(UTC), offload)
    start(store)
    relieve = {"full": fill_disk, "readonly": lock}[how](directory)
    acknowledged = [await store.put("first", {"n": 1})]
    relieve()
    acknowledged.append(await store.put("second", {"n": 2}))
    await stop(store)
    return acknowledged


def main(how: str, directory: Path) -> None:
    """Suffer, and tell."""
    result: list[bool] = []

    def run() -> None:
        suffering = Deferred.fromCoroutine(_suffer(how, directory))
        suffering.addCallback(result.extend).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(run)
    reactor.run()
    print(json.dumps(result))  # noqa: T201  its result


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
