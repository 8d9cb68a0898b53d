"""Twisted's service methods with types."""

from __future__ import annotations

from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred, maybeDeferred


def adopt(parent: service.MultiService, *children: Any) -> None:
    """Make services part of ``parent``; they start now if it runs."""
    for child in children:
        child.setServiceParent(parent)


def dismiss(child: Any) -> Deferred[Any]:
    """Take a service out of its parent; fires when it has stopped."""
    return maybeDeferred(child.disownServiceParent)


def start(child: Any) -> None:
    """Start a service as twistd would: first with privileges, then for good."""
    child.privilegedStartService()
    child.startService()


def stop(child: Any) -> Deferred[Any]:
    """Stop a service; fires when it has stopped."""
    return maybeDeferred(child.stopService)
