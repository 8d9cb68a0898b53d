"""Which meters are emulated, under which identity, on which port (web.md section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from astrameter.ct.options import CtOptions
from astrameter.general import SHELLY_TYPES, GeneralOptions

SHELLY_PORTS = {
    "shellypro3em_old": 1010,
    "shellypro3em_new": 2220,
    "shellyemg3": 2222,
    "shellyproem50": 2223,
}
"""Fixed UDP ports, because the batteries have them built in (shelly.md section 1)."""

CT_FRAME_TYPES = {"ct002": "HME-4", "ct003": "HME-3"}
"""The model that a CT calls itself in its frames (ct-protocol.md section 1)."""

_BOTH = "shellypro3em"
_MADE_UP = "ec4609c439c"


@dataclass(frozen=True)
class DeviceSpec:
    """One meter to emulate.

    :ivar type: the word of DEVICE_TYPE; ``shellypro3em`` is resolved into its two forms.
    :ivar udp_port: where the batteries ask.
    :ivar dedupe_window_s: requests closer together than this are ignored; 0 is off.
    :ivar ct: the options of a CT; None for a Shelly.
    :ivar ct_type: ``HME-4`` or ``HME-3``; empty for a Shelly.
    """

    type: str
    device_id: str
    udp_port: int
    dedupe_window_s: float
    ct: CtOptions | None = None
    ct_type: str = ""


@dataclass(frozen=True)
class Clash:
    """Devices that cannot live side by side.

    :ivar section: where the mend is.
    :ivar key: the key that brings it about.
    :ivar fatal: whether the configuration is refused; otherwise a device was left out.
    """

    section: str
    key: str
    message: str
    fatal: bool


def resolve(
    general: GeneralOptions, ct002: CtOptions, ct003: CtOptions | None
) -> tuple[tuple[DeviceSpec, ...], tuple[Clash, ...]]:
    """The devices that the options ask for, and what is wrong with them.

    :param ct003: None when the file has no ``[CT003]``; then ``[CT002]`` serves both.
    """
    pairs = _identified(general.device_type, general.device_ids)
    clashes = []
    if general.device_type.count(_BOTH) > 1:
        message = f"{_BOTH} can stand there only once"
        clashes.append(Clash("GENERAL", "DEVICE_TYPE", message, fatal=True))
    cts = {"ct002": ct002, "ct003": ct003 or ct002}
    kept: dict[int, DeviceSpec] = {}
    for kind, name in _expanded(pairs):
        spec = _spec(kind, name, general, cts.get(kind))
        other = kept.setdefault(spec.udp_port, spec)
        if other is not spec:
            clashes.append(_clash(other, spec, ct003 is not None))
    return tuple(kept.values()), tuple(clashes)


def _identified(types: Iterable[str], ids: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each type with its id, before any expansion (shelly.md section 1.1)."""
    found = []
    for position, kind in enumerate(types, 1):
        if position <= len(ids):
            name = ids[position - 1]
        elif kind in SHELLY_TYPES:
            # A B2500 refuses a Shelly whose id does not look like one.
            name = f"{kind.partition('_')[0]}-{_MADE_UP}{position}"
        else:
            name = f"device-{position}"
        found.append((kind, name))
    return found


def _expanded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """``shellypro3em`` as its old form in place and its new form at the end, of one identity.

    The predecessor gave the new form a surplus id where there was one, which made two meters
    of one (shelly.md section 1.2).
    """
    first = next((pair for pair in pairs if pair[0] == _BOTH), None)
    if first is None:
        return pairs
    others = [pair if pair is not first else (f"{_BOTH}_old", first[1]) for pair in pairs]
    kept = [pair for pair in others if pair[0] != _BOTH]
    return [*kept, (f"{_BOTH}_new", first[1])]


def _spec(kind: str, name: str, general: GeneralOptions, ct: CtOptions | None) -> DeviceSpec:
    if ct is None:
        window_s = max(0.0, general.dedupe_time_window)
        return DeviceSpec(kind, name, SHELLY_PORTS[kind], window_s)
    window_s = max(0.0, ct.dedupe_time_window)
    return DeviceSpec(kind, name, ct.udp_port, window_s, ct, CT_FRAME_TYPES[kind])


def _clash(first: DeviceSpec, second: DeviceSpec, has_ct003: bool) -> Clash:
    """Two CTs on one port are a mistake in the file; the predecessor refused them, too.

    With a Shelly among them it went on without the second, whose port was taken.
    """
    if first.ct is None or second.ct is None:
        message = (
            f"UDP port {second.udp_port} is used by {first.type}; this {second.type} is left out"
        )
        return Clash("GENERAL", "DEVICE_TYPE", message, fatal=False)
    if first.type == second.type:
        message = f"{first.type} can stand there only once; it serves all batteries"
        return Clash("GENERAL", "DEVICE_TYPE", message, fatal=True)
    message = (
        f"{first.type} and {second.type} would share UDP port {second.udp_port}; "
        "give [CT003] a UDP_PORT of its own"
    )
    if has_ct003:
        return Clash("CT003", "UDP_PORT", message, fatal=True)
    return Clash("GENERAL", "DEVICE_TYPE", message, fatal=True)
