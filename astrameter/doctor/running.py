"""A daemon that runs here already: what it says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from astrameter.config import Settings
from astrameter.doctor import readings
from astrameter.doctor.findings import Finding, Group, Severity
from astrameter.doctor.said import BatterySaid, DeviceSaid, MeterSaid, Said, understand
from astrameter.doctor.silence import nobody
from astrameter.meters.http import HttpClient, prepare
from astrameter.meters.options import MeterOptions
from astrameter.meters.urls import parse_url
from astrameter.reading import MeterError
from astrameter.steering.interface import INSPECTION

_SERVICE = "astrameter"

_STOP_IT = "To have them examined, stop it (systemctl stop astrameter) and run this again"
_RELOAD = "Let it re-read its file: systemctl reload astrameter, or send it SIGHUP"


class Daemon:
    """Asks the daemon of this machine over HTTP.

    ``reactor`` provides IReactorTime, IReactorTCP and a name resolver.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self._client = HttpClient(reactor)
        self._base = f"http://127.0.0.1:{port}"

    async def is_there(self) -> bool:
        """Whether an AstraMeter answers."""
        try:
            document = await self._get("/health")
        except MeterError:
            return False
        return isinstance(document, dict) and document.get("service") == _SERVICE

    async def status(self) -> Said | None:
        """What it says; None when it cannot be asked or understood (AstraMeter 2.x cannot)."""
        try:
            return understand(await self._get("/api/status"))
        except MeterError:
            return None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _get(self, path: str) -> Any:
        request = prepare(parse_url(self._base + path))
        return (await self._client.send(request)).checked().json()


# ------------------------------------------------------------------------------- judging it


def judge(said: Sequence[Said], settings: Settings, networks: Sequence[str]) -> Iterator[Finding]:
    """What a daemon's own words mean.

    :param said: what it said at several moments, in order; never empty.
    :param networks: this machine's, as people write them.
    """
    last = said[-1]
    used = ", ".join(str(device.port) for device in last.devices) or "none"
    what = f"AstraMeter {last.version} has been running here for {last.uptime}"
    yield Finding(Group.PORTS, Severity.OK, "", f"{what}, so its ports ({used}) are in use")
    yield from _other_file(last, settings)
    options = {meter.section: meter.options for meter in settings.meters}
    for meter in last.meters:
        seen = [one for moment in said for one in moment.meters if one.section == meter.section]
        yield from _of_meter(meter, seen, options.get(meter.section, MeterOptions()))
    batteries = [(device, one) for device in last.devices for one in device.batteries]
    for device, battery in batteries:
        yield _of_battery(device, battery)
    if not batteries:
        yield nobody(settings.devices, networks, (), "lately")
    what = "what the daemon ignores (other CT MAC, other port, damaged polls) is not told by it"
    yield Finding(Group.BATTERIES, Severity.NOTE, "", what, (_STOP_IT,))


def _other_file(said: Said, settings: Settings) -> Iterator[Finding]:
    runs = {(device.type, device.port) for device in said.devices}
    wanted = {(device.type, device.udp_port) for device in settings.devices}
    sections = {meter.section for meter in said.meters}
    written = {meter.section for meter in settings.meters}
    if runs != wanted or sections != written:
        what = (
            "the daemon that runs here uses other settings than this file: it emulates "
            f"{_listed(kind for kind, _ in runs)} from {_listed(f'[{x}]' for x in sections)}"
        )
        yield Finding(Group.CONFIGURATION, Severity.WARN, settings.file, what, (_RELOAD,))


def _of_meter(
    meter: MeterSaid, seen: Sequence[MeterSaid], options: MeterOptions
) -> Iterator[Finding]:
    where = f"[{meter.section}]"
    if meter.error:
        what = f"the daemon cannot read it: {meter.error}"
        yield Finding(Group.METERS, Severity.PROBLEM, where, what, (_STOP_IT,))
        return
    if meter.watts is None:
        what = "the daemon has not read it yet: it does so when a battery asks"
        yield Finding(Group.METERS, Severity.NOTE, where, what)
        return
    age = "" if meter.age_s is None else f", {meter.age_s:.0f} s old"
    what = f"the daemon reads {readings.in_words(meter.watts)}{age}"
    yield Finding(Group.METERS, Severity.OK, where, what)
    values = [one.watts for one in seen if one.watts is not None]
    # Values that nobody fetches cannot change, so nothing follows when they do not.
    yield from readings.judge(meter.section, values, 0.0, options)


def _of_battery(device: DeviceSaid, battery: BatterySaid) -> Finding:
    name = f"{battery.device_type} ({battery.name})" if battery.device_type else battery.name
    at = f"{device.type} on UDP port {device.port}"
    age = "" if battery.age_s is None else f", last {battery.age_s:.0f} s ago"
    is_ct = device.type.startswith("ct")
    if is_ct and battery.phase in ("", INSPECTION):
        what = f"{name} asks {at}{age}, but does not know its phase, so it does not regulate"
        mend = "Wait for its detection, or start it again in the Marstek app"
        return Finding(Group.BATTERIES, Severity.WARN, "", what, (mend,))
    phase = f" for phase {battery.phase}" if battery.phase else ""
    power = "" if battery.power_w is None else f", delivers {battery.power_w:.0f} W"
    what = f"{name} asks {at}{phase}{age}{power}"
    return Finding(Group.BATTERIES, Severity.OK, "", what)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
