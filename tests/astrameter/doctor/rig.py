"""What the doctor's tests stand on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from astrameter.config import Settings, load_text
from astrameter.ct.wire import encode
from astrameter.doctor.findings import Finding, Severity

CT_MAC = "112233445566"
IP = "192.168.1.50"
EM = b'{"id":1,"method":"EM.GetStatus","params":{"id":0}}'
METER = "[JSON_HTTP]\nURL = http://192.168.1.3/power\nJSON_PATHS = $.a\n"


def poll(
    mac: str = "02b250000001",
    phase: str = "A",
    ct_mac: str = CT_MAC,
    ct_type: str = "HME-4",
    *more: str,
) -> bytes:
    """The datagram of a Venus."""
    return encode(["VNSE3-0", mac, ct_type, ct_mac, phase, "100", *more])


def rpc(method: str) -> bytes:
    """A request to a Shelly."""
    return EM.replace(b"EM.GetStatus", method.encode())


def settings(text: str = "[GENERAL]\nDEVICE_TYPE = ct002\n" + METER) -> Settings:
    return load_text(text, "config.ini")


def with_devices(*types: str, **more: Any) -> Settings:
    """Settings that emulate ``types``."""
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return settings(f"[GENERAL]\nDEVICE_TYPE = {', '.join(types)}\n[CT002]\n{lines}{METER}")


def brief(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Severity and text of each finding, the mends behind."""
    return [
        (one.severity.value, " | ".join([f"{one.where}: {one.what}", *one.mend]))
        for one in findings
    ]


def only(findings: Iterable[Finding], severity: Severity) -> list[Finding]:
    return [one for one in findings if one.severity is severity]
