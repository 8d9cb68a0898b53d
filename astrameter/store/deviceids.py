"""Made-up identities stay what they were: Home Assistant and the batteries know them.

An id that is not configured is made of the device's place in DEVICE_TYPE. Putting another device
in front would give every one behind it a new id, so what was made up once is remembered by type.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from astrameter.devices import DeviceSpec
from astrameter.store.service import Store

_KEY = "device/"
_NUMBER = re.compile(r"[0-9]+\Z")


def with_known_ids(
    devices: Sequence[DeviceSpec], configured: Collection[str], store: Store
) -> tuple[DeviceSpec, ...]:
    """The devices with the ids they have had before; remembers those of new ones.

    :param configured: the ids that stand in DEVICE_IDS; they are left alone.
    """
    taken = set(configured)
    ids: dict[str, str] = {}
    made_up = list(dict.fromkeys(d.device_id for d in devices if d.device_id not in taken))
    for one in made_up:
        known = _known([d for d in devices if d.device_id == one], store)
        if known is not None and known not in taken:
            taken.add(known)
            ids[one] = known
    for one in made_up:
        if one not in ids:
            ids[one] = _free(one, taken)
            taken.add(ids[one])
    named = tuple(replace(d, device_id=ids.get(d.device_id, d.device_id)) for d in devices)
    for device in named:
        if device.device_id not in configured:
            store.put(_KEY + device.type, {"id": device.device_id})
    return named


def _known(devices: Sequence[DeviceSpec], store: Store) -> str | None:
    """What devices that share one identity were called."""
    for device in devices:
        found = (store.get(_KEY + device.type) or {}).get("id")
        # A hand may have been in the file; an id ends up in topics and answers.
        if isinstance(found, str) and 0 < len(found) <= 64 and found.isprintable():
            return found
    return None


def _free(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or the same with the next number that nobody has."""
    number = 1
    found = wanted
    while found in taken:
        number += 1
        found = _NUMBER.sub("", wanted) + str(number)
    return found
