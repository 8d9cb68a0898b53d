"""``run``: the daemon in the foreground."""

from __future__ import annotations

from typing import Any, TextIO

from astrameter.config import Overrides
from astrameter.daemon import make_daemon
from astrameter.monotonic import use_monotonic_time
from astrameter.ports import PortError
from astrameter.problems import ConfigError
from astrameter.services import start


def run(reactor: Any, path: str, overrides: Overrides, err: TextIO) -> int:
    """Run until a signal or a hopeless start ends it.

    :return: 0 after a signal, 1 when the configuration, a port or a meter made it give up.
    """
    use_monotonic_time(reactor)
    reasons: list[str] = []

    def give_up(reason: str) -> None:
        reasons.append(reason)
        reactor.stop()

    try:
        daemon = make_daemon(reactor, path, overrides, give_up)
        start(daemon)
    except (ConfigError, PortError) as error:
        err.write(f"{error}\n")
        return 1
    reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
    reactor.run()
    err.writelines(f"{reason}\n" for reason in reasons)
    return 1 if reasons else 0
