"""Conch writes lines for everything a stranger does; what matters is logged by us."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer


@implementer(ILogObserver)
class _Nobody:
    def __call__(self, event: LogEvent) -> None:
        """Nothing."""


QUIET = Logger(namespace="twisted.conch", observer=_Nobody())
