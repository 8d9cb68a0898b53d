"""The CTs that were created for us in the owner's Marstek account (marstek-cloud.md section A.6).

They are stored, so that the account is needed once: afterwards its password may be deleted from
the configuration, and a start without the cloud loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

KEY = "marstek/"

DEFAULT_VERSION = 148
"""The firmware number shown where the account names none."""

_MAC = re.compile(r"[0-9a-f]{12}\Z")
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True)
class Managed:
    """One CT in the account.

    :ivar mac: 12 lower-case hexadecimal digits.
    :ivar version: the firmware number it shows.
    """

    mac: str
    version: int = DEFAULT_VERSION


def normalize_mac(text: str) -> str:
    """A MAC as 12 lower-case hexadecimal digits; empty when it is none."""
    found = text.replace(":", "").replace("-", "").strip().lower()
    return found if _MAC.match(found) else ""


def firmware_number(version: object) -> int:
    """The number to show for the account's ``version``: what is a whole number, or reads as one."""
    if isinstance(version, str) and _INTEGER.match(version.strip()):
        return int(version)
    if type(version) is int or (isinstance(version, float) and version.is_integer()):
        return int(version)
    return DEFAULT_VERSION


class Documents(Protocol):
    """What survives a restart (:class:`astrameter.store.service.Store`)."""

    def get(self, key: str) -> dict[str, Any] | None: ...
    def put(self, key: str, document: Mapping[str, Any]) -> Any: ...
    def watch(self, prefix: str, arrived: Callable[[str], None]) -> None: ...


class ManagedCts:
    """The CTs of the account by type (``HME-4``, ``HME-3``), as they were last stored.

    :param store: where they are kept; None forgets them with the process.
    """

    def __init__(self, store: Documents | None = None) -> None:
        self._store = store
        self._known: dict[str, Managed] = {}
        self._watchers: list[Callable[[], None]] = []
        if store is not None:
            store.watch(KEY, lambda _key: self._tell())

    def get(self, ct_type: str) -> Managed | None:
        """The CT of that type."""
        if self._store is None:
            return self._known.get(ct_type)
        return _managed(self._store.get(KEY + ct_type))

    def put(self, ct_type: str, managed: Managed) -> None:
        """Remember a CT, and tell those who watch when it is another one."""
        if self.get(ct_type) == managed:
            return
        if self._store is None:
            self._known[ct_type] = managed
        else:
            self._store.put(KEY + ct_type, {"mac": managed.mac, "version": managed.version})
        self._tell()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever there may be another CT."""
        self._watchers.append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Call it no more."""
        self._watchers.remove(changed)

    def _tell(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()


def _managed(entry: Any) -> Managed | None:
    """One stored CT; None when it is none: a hand may have been in the file."""
    mac = entry.get("mac") if isinstance(entry, dict) else None
    if not isinstance(mac, str) or not normalize_mac(mac):
        return None
    return Managed(normalize_mac(mac), firmware_number(entry.get("version")))
