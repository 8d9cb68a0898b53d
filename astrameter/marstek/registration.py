"""Creates our CTs in the owner's Marstek account, once (marstek-cloud.md part A).

2.x did this before it started, at every start, and once only. Here it happens beside the work,
is repeated with patience until it has succeeded, and is then remembered.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from astrameter.backoff import Backoff
from astrameter.deferreds import sleep, spawn
from astrameter.marstek.account import (
    LABELS,
    Account,
    CloudError,
    Listed,
    Patience,
    check_added,
    devices_of,
    document_of,
    managed_among,
    new_id,
    token_of,
)
from astrameter.marstek.managed import ManagedCts
from astrameter.marstek.options import MarstekOptions
from astrameter.meters.http import HttpClient, Request
from astrameter.reading import MeterError
from astrameter.store.service import Store

ANSWER_S = 20.0
CONNECT_S = 10.0

SOON_S = 60.0
SOON_LONGEST_S = 3600.0
LATER_S = 6 * 3600.0
LONGEST_S = 24 * 3600.0

KNOWN_WITHIN_S = 10.0

KEY = "marstek-account/"
"""By type: which account a CT was created in, and the id that it was or will be created with."""


class Registration(Service):
    """Sees to it that there is a CT of each type in the account.

    :param ct_types: ``HME-4``, ``HME-3``: those that are emulated.
    :ivar busy: something is still to be done.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        options: MarstekOptions,
        ct_types: Sequence[str],
        managed: ManagedCts,
        store: Store,
        *,
        chance: random.Random | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.busy = False
        self._reactor = reactor
        self._options = options
        self._ct_types = tuple(dict.fromkeys(ct_types))
        self._managed = managed
        self._store = store
        self._chance = chance or random.SystemRandom()
        self._backoff = backoff or Backoff(SOON_S, SOON_LONGEST_S)
        self._account = Account(
            options.base_url, options.mailbox, options.password, options.timezone
        )
        self._client: HttpClient | None = None
        self._work: Deferred[None] | None = None
        self._told = ""

    def startService(self) -> None:
        Service.startService(self)
        if self._options.enable and self._ct_types:
            self.busy = True
            self._work = spawn(self._run(), "the registration at Marstek", self._log)

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        if self._client is not None:
            await self._client.close()

    async def _run(self) -> None:
        known = self._store.when_known()
        await known.addTimeout(KNOWN_WITHIN_S, self._reactor, lambda *_: None)
        while missing := self._missing():
            if not (self._options.mailbox and self._options.password):
                self._log.warn(
                    "[MARSTEK] nothing is registered: ENABLE needs MAILBOX and PASSWORD once"
                )
                break
            wait_s = await self._try(missing)
            if wait_s is None:
                break
            await sleep(self._reactor, wait_s)
        self.busy = False

    def _missing(self) -> list[str]:
        """Types without a CT in this very account; whose account it was is of no interest any
        more when there is no password."""
        asked = bool(self._options.mailbox and self._options.password)
        fingerprint = self._account.fingerprint
        return [
            one
            for one in self._ct_types
            if self._managed.get(one) is None
            or (asked and self._notes(one).get("account") not in (None, fingerprint))
        ]

    def _notes(self, ct_type: str) -> dict[str, Any]:
        return self._store.get(KEY + ct_type) or {}

    async def _try(self, missing: Sequence[str]) -> float | None:
        """One attempt; returns how long to wait for the next one, None when there is none."""
        try:
            await self._register(missing)
        except CloudError as error:
            return self._wait_s(error)
        return None

    def _wait_s(self, error: CloudError) -> float | None:
        if error.patience is Patience.NEVER:
            self._log.error(
                "[MARSTEK] {error}. Mend MAILBOX or PASSWORD and reload the configuration; until "
                "then there is no further attempt",
                error=error,
            )
            return None
        if error.patience is Patience.SOON:
            wait_s = self._backoff.next_wait_s()
        else:
            wait_s = min(max(LATER_S, error.after_s), LONGEST_S)
        if str(error) != self._told:
            self._told = str(error)
            self._log.warn(
                "[MARSTEK] {error}{stop} Next attempt in {minutes:.0f} min",
                error=error,
                stop="" if str(error).endswith("?") else ".",
                minutes=max(1.0, wait_s / 60),
            )
        return wait_s

    async def _register(self, missing: Sequence[str]) -> None:
        token, devices = await self._look()
        created = False
        for ct_type in missing:
            if managed_among(devices, ct_type) is None:
                await self._create(token, ct_type, devices)
                created = True
        if created:
            _, devices = await self._look()
        for ct_type in missing:
            self._note(ct_type, devices)

    async def _look(self) -> tuple[str, list[Listed]]:
        """Log in and see which devices there are."""
        logged_in = await self._ask(self._account.login())
        token = token_of(logged_in)
        listed = await self._ask(self._account.device_list(token))
        return token, devices_of(logged_in, listed)

    async def _create(self, token: str, ct_type: str, devices: Sequence[Listed]) -> None:
        """Create a CT. Its id is remembered before, so that an answer that is lost, or a crash,
        makes the next attempt repeat this one and never create a second device."""
        notes, fingerprint = self._notes(ct_type), self._account.fingerprint
        devid = notes.get("devid") if notes.get("account") == fingerprint else None
        if not isinstance(devid, str):
            devid = new_id(devices, self._chance)
            await self._store.put(KEY + ct_type, {"account": fingerprint, "devid": devid})
        check_added(await self._ask(self._account.add(token, ct_type, devid)), ct_type)

    def _note(self, ct_type: str, devices: Sequence[Listed]) -> None:
        managed = managed_among(devices, ct_type)
        label = LABELS[ct_type]
        if managed is None:
            text = f"the {label} was created, but the account does not list it yet"
            raise CloudError(text, Patience.SOON)
        notes = {"account": self._account.fingerprint, "devid": managed.mac}
        self._store.put(KEY + ct_type, notes)
        self._managed.put(ct_type, managed)
        self._log.info(
            "[MARSTEK] the account has a {label} for us: {mac}. In the app, refresh the list of "
            "CTs (or log out and in), select it for each battery, and choose automatic mode; that "
            "it is shown as offline does not matter. MAILBOX and PASSWORD may be deleted now",
            label=label,
            mac=managed.mac,
        )

    async def _ask(self, request: Request) -> dict[str, Any]:
        if self._client is None:
            self._client = HttpClient(
                self._reactor, timeout_s=ANSWER_S, connect_timeout_s=CONNECT_S
            )
        try:
            answer = await self._client.send(request)
        except MeterError as error:
            raise CloudError(f"no answer from the cloud: {error}", Patience.SOON) from None
        return document_of(answer)
