"""``twistd astrameter``: options and a service, nothing else."""

from __future__ import annotations

import atexit
import os
from typing import Any, ClassVar

from twisted.application import service
from twisted.python import usage

from astrameter.config import Overrides
from astrameter.daemon import Daemon, make_daemon
from astrameter.monotonic import use_monotonic_time
from astrameter.ports import PortError
from astrameter.problems import ConfigError
from astrameter.services import adopt


class Options(usage.Options):
    """Options of ``twistd astrameter``."""

    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", "config.ini", "The configuration file."],
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["skip-powermeter-test", "t", "Start without reading each meter once."],
    ]


class _Top(service.MultiService):
    """Turns what cannot be started into one line and exit status 1."""

    def __init__(self, daemon: Daemon) -> None:
        service.MultiService.__init__(self)
        adopt(self, daemon)

    def privilegedStartService(self) -> None:
        try:
            service.MultiService.privilegedStartService(self)
        except PortError as error:
            raise SystemExit(str(error)) from None


def makeService(options: Options) -> service.IService:
    """The daemon as twistd wants it.

    :raises SystemExit: the configuration cannot be used; the text names every problem.
    """
    from twisted.internet import reactor

    use_monotonic_time(reactor)

    def give_up(reason: str) -> None:
        # twistd has no way to say what its exit status is to be.
        atexit.register(os._exit, 1)
        os.write(2, f"{reason}\n".encode())
        reactor.stop()

    overrides = Overrides(skip_powermeter_test=bool(options["skip-powermeter-test"]))
    try:
        daemon = make_daemon(reactor, options["config"], overrides, give_up)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    return _Top(daemon)
