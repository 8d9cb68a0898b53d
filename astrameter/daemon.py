"""The appliance as a process: it reads its file, obeys signals, and ends with an exit code.

Both entry points, ``twistd astrameter`` and ``astrameter run``, make the same service here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from astrameter.appliance import Appliance, Surroundings
from astrameter.config import Overrides, Settings, load_file
from astrameter.controlsocket.places import socket_path
from astrameter.deferreds import spawn
from astrameter.ports import PortError
from astrameter.problems import ConfigError
from astrameter.services import adopt
from astrameter.statefile import state_directory

RELOAD_SIGNALS = (signal.SIGHUP, signal.SIGUSR1)
"""SIGUSR1 restarted AstraMeter 2.x in place to re-read the file; re-reading is what it is for."""


class Daemon(service.MultiService):
    """The appliance, and what connects it to the operating system.

    :param path: the configuration file, read now and at each reload.
    :param give_up: called with one clear line when the daemon cannot do its job.
    :raises ConfigError: the file cannot be used, with everything that is wrong with it.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        path: str,
        overrides: Overrides,
        environ: Mapping[str, str],
        give_up: Callable[[str], None],
    ) -> None:
        service.MultiService.__init__(self)
        self._path = path
        self._overrides = overrides
        settings = self._load()
        self._warn(settings)
        directory = state_directory(environ)
        if directory is None:
            self._log.warn("there is no place for what survives a restart: set STATE_DIRECTORY")
        surroundings = Surroundings(
            environ,
            directory,
            partial(_in_a_thread, reactor),
            control_socket=partial(socket_path, environ=environ),
            give_up=give_up,
        )
        self.appliance = Appliance(reactor, settings, surroundings)
        adopt(self, self.appliance, Signals(reactor, self._reload_soon))

    def reload(self) -> Deferred[None]:
        """Re-read the file and become what it says; a bad file changes nothing."""
        return Deferred.fromCoroutine(self._reload())

    def _reload_soon(self) -> None:
        spawn(self._reload(), "re-reading the configuration", self._log)

    async def _reload(self) -> None:
        notifier = self.appliance.notifier
        notifier.reloading()
        try:
            settings = self._load()
            self._warn(settings)
            await self.appliance.apply(settings)
        except ConfigError as error:
            for problem in error.problems:
                self._log.error("{problem}", problem=problem)
            self._log.error("the configuration was not changed: mend the file and reload again")
        except PortError as error:
            self._log.error("the configuration was not changed: {error}", error=error)
        else:
            self._log.info("the configuration was re-read")
        finally:
            notifier.ready()

    def _load(self) -> Settings:
        return load_file(self._path, self._overrides)

    def _warn(self, settings: Settings) -> None:
        for warning in settings.warnings:
            self._log.warn("{warning}", warning=warning)


class Signals(service.Service):
    """Reloads on SIGHUP and SIGUSR1 while it runs."""

    def __init__(self, reactor: Any, reload: Callable[[], None]) -> None:
        self._reactor = reactor
        self._reload = reload
        self._before: dict[int, Any] = {}

    def startService(self) -> None:
        for number in RELOAD_SIGNALS:
            self._before[number] = signal.signal(number, self._received)
        service.Service.startService(self)

    def stopService(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        service.Service.stopService(self)

    def _received(self, _number: int, _frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload)


def _in_a_thread(reactor: Any, work: Callable[[], None]) -> Deferred[None]:
    """Waiting for a disk has no form that does not block, and batteries are not to wait for it."""
    return deferToThreadPool(reactor, reactor.getThreadPool(), work)


def make_daemon(
    reactor: Any, path: str, overrides: Overrides, give_up: Callable[[str], None]
) -> Daemon:
    """The daemon of this process, with its environment."""
    return Daemon(reactor, path, overrides, os.environ, give_up)
