"""The JSON file (simulator.md section 4): every problem of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.configuration.battery import read_battery, read_law
from simulator.configuration.checked import (
    Findings,
    Object,
    Problem,
    is_number,
    parse_json,
    read_text,
)
from simulator.configuration.model import (
    CT_MAC,
    CT_PORT,
    HTTP_PORT,
    LARGEST_TIME_SCALE,
    LOOPBACK,
    BatterySetup,
    LoadSetup,
    Simulation,
)
from simulator.household import PHASES

LARGEST_W = 1e6
"""No house draws more."""

LARGEST_DELAY_POLLS = 1000
_LONGEST_S = 86400.0
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Loaded:
    """A simulation, and what is odd about its file."""

    simulation: Simulation
    warnings: tuple[Problem, ...]


def load_file(path: str) -> Loaded:
    """Read a file.

    :raises ProblemsError: with everything that is wrong with it.
    """
    return load_text(read_text(path), path)


def load_text(text: str, file: str) -> Loaded:
    """Read a text; ``file`` is what to call it.

    :raises ProblemsError: with everything that is wrong with it.
    """
    findings = Findings(file)
    return load_document(parse_json(text, findings), findings)


def load_document(document: object, findings: Findings, path: str = "") -> Loaded:
    """Read what a JSON text says; ``path`` is where it stands in a larger one.

    :raises ProblemsError: with everything that is wrong, also with what was found before.
    """
    top = Object(document, path, findings)
    given: dict[str, Any] = {}
    # In this order the predecessor checked: batteries, loads, solar phases, time scale.
    ct = _ct(top.inside("ct"), given)
    _http(top.inside("http"), given)
    given["batteries"] = _batteries(top, ct)
    _powermeter(top.inside("powermeter"), given)
    _behaviour(top, given)
    top.unknown()
    findings.raise_if_any()
    return Loaded(Simulation(**given), tuple(findings.warnings))


def _ct(ct: Object, given: dict[str, Any]) -> str:
    mac = given["ct_mac"] = ct.text("mac", CT_MAC)
    given["ct_host"] = _host(ct, "host")
    given["ct_port"] = ct.integer("port", CT_PORT, 1, 65535)
    ct.unknown()
    if not mac.isascii() or not mac.isprintable() or "|" in mac or len(mac) > 30:
        ct.wrong("mac", "a CT MAC is 12 hexadecimal digits, for example 112233445566")
        return CT_MAC
    return mac


def _http(http: Object, given: dict[str, Any]) -> None:
    given["http_host"] = _host(http, "host")
    given["http_port"] = http.integer("port", HTTP_PORT, 0, 65535)
    http.unknown()


def _host(one: Object, key: str) -> str:
    host = one.text(key, LOOPBACK)
    if not host.strip() or any(c.isspace() or not c.isprintable() for c in host):
        one.wrong(key, "a host name or an address is wanted")
        return LOOPBACK
    return host


def _batteries(top: Object, ct_mac: str) -> tuple[BatterySetup, ...]:
    defaults = {
        "ct_mac": ct_mac,
        "law": read_law(top),
        "power_update_delay_polls": _delay(top),
    }
    found: dict[str, BatterySetup] = {}
    macs: set[str] = set()
    for one in top.objects("batteries"):
        mac = one.raw("mac")
        if isinstance(mac, str) and mac.upper() in macs:
            one.wrong("mac", f"Duplicate battery MAC: {mac}; each battery has its own")
        macs.add(str(mac).upper())
        setup = read_battery(one, defaults)
        if setup is not None:
            found[setup.config.mac] = setup
    return tuple(found.values())


def _delay(top: Object) -> int:
    key = "power_update_delay_ticks"
    delay = top.integer(key, 0, -LARGEST_DELAY_POLLS, LARGEST_DELAY_POLLS)
    if delay < 0:
        top.wrong(key, f"power_update_delay_ticks must be >= 0, got {delay}")
    return max(delay, 0)


def _powermeter(meter: Object, given: dict[str, Any]) -> None:
    given["base_load_w"] = _base_load(meter)
    given["base_noise_w"] = meter.number("base_noise", 20, 0, LARGEST_W)
    given["loads"] = tuple(filter(None, map(_load, meter.objects("loads"))))
    largest_w = given["solar_max_w"] = meter.number("solar_max", 2000, 0, LARGEST_W)
    given["solar_phases"] = _solar_phases(meter)
    given["solar_w"] = meter.number("solar", 0.0, 0, largest_w)
    given["meter_interval_s"] = meter.number("interval", 0.0, 0, 3600)
    given["meter_latency_s"] = meter.number("latency", 0.0, 0, 3600)
    given["import_ct_per_kwh"] = meter.number("import_ct_per_kwh", 30.0, -1e4, 1e4)
    given["export_ct_per_kwh"] = meter.number("export_ct_per_kwh", 8.0, -1e4, 1e4)
    meter.unknown()


def _base_load(meter: Object) -> tuple[float, ...]:
    values = meter.items("base_load")
    if "base_load" not in meter:
        return (100, 100, 100)
    if not all(is_number(one) and abs(one) <= LARGEST_W for one in values):
        meter.wrong("base_load", "a list of watts for phase A, B and C is wanted: [100, 100, 100]")
        return ()
    if len(values) > len(PHASES):
        meter.findings.warning(
            meter.at("base_load"), "there are three phases: what comes after is ignored", values
        )
    return tuple(values[: len(PHASES)])


def _load(one: Object) -> LoadSetup | None:
    before = len(one.findings.problems)
    for key, example in (("name", '"Fridge"'), ("power", "120"), ("phase", '"A"')):
        if key not in one:
            one.missing(key, f"a load has name, power and phase, for example {example}")
    name, phase = one.text("name", ""), one.text("phase", "A")
    power_w = one.number("power", 0, -LARGEST_W, LARGEST_W)
    active = one.flag("active", False)
    one.unknown()
    if len(name) > _LONGEST_NAME:
        one.wrong("name", f"a name has at most {_LONGEST_NAME} characters")
    if len(phase) != 1 or phase not in PHASES:
        one.wrong("phase", f"Load {name!r}: invalid phase {phase!r}; use A, B or C")
    if len(one.findings.problems) > before:
        return None
    return LoadSetup(name, power_w, phase, active)


def _solar_phases(meter: Object) -> tuple[str, ...]:
    phases = meter.items("solar_phases")
    if "solar_phases" not in meter:
        return ("A",)
    for phase in phases:
        if not isinstance(phase, str) or len(phase) != 1 or phase not in PHASES:
            meter.wrong("solar_phases", f"Invalid solar phase {phase!r}; use A, B or C")
            return ()
    return tuple(dict.fromkeys(phases))


def _behaviour(top: Object, given: dict[str, Any]) -> None:
    given["auto_mode"] = top.flag("auto_mode", False)
    given["auto_interval_s"] = _auto_interval(top)
    given["log_interval_s"] = top.number("log_interval", 5, 0.1, _LONGEST_S)
    given["packet_loss"] = top.number("packet_loss", 0.0, 0.0, 1.0)
    if "seed" in top:
        given["seed"] = top.integer("seed", 0, -(1 << 63), 1 << 63)
    scale = given["time_scale"] = top.number("time_scale", 1.0)
    if scale <= 0:
        top.wrong("time_scale", f"time_scale must be positive, got {scale}")
    elif scale > LARGEST_TIME_SCALE:
        top.wrong("time_scale", f"time_scale is at most {LARGEST_TIME_SCALE:g}; use --virtual")


def _auto_interval(top: Object) -> tuple[float, float]:
    values = top.items("auto_interval")
    if "auto_interval" not in top:
        return (10, 30)
    if (
        len(values) == 2
        and all(map(is_number, values))
        and 0 <= values[0] <= values[1] <= _LONGEST_S
        and values[1] > 0
    ):
        return (values[0], values[1])
    if isinstance(top.raw("auto_interval"), list):
        top.wrong("auto_interval", "two numbers of seconds are wanted, the smaller first: [10, 30]")
    return (10, 30)
