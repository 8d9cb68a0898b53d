"""The status page: one self-contained document, no scripts, readable in the dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from astrameter.web.status import BatteryStatus, DeviceStatus, MeterStatus, Status, problems
from astrameter.web.style import STYLE

REFRESH_S = 5


def render_page(status: Status) -> str:
    """The document; everything that comes from outside is escaped."""
    wrong = problems(status)
    state = '<p class="bad">Not every meter works.</p>' if wrong else "<p>Everything works.</p>"
    return _document(
        f"{state}\n<h2>Meters</h2>\n{_meters(status['meters'])}\n"
        f"<h2>Emulated meters</h2>\n{''.join(map(_device, status['devices'])) or _NOTHING}\n"
        f'<p class="quiet">AstraMeter {escape(status["version"])}, '
        f"running for {duration(status['uptime_s'])}</p>"
    )


def render_trouble() -> str:
    """The document for when the daemon cannot say how it is."""
    return _document('<p class="bad">The status is not available; the log says why.</p>')


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``3 d 4 h``, ``5 min 2 s``, ``7 s``."""
    rest = max(0, int(seconds))
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


_NOTHING = '<p class="quiet">None.</p>'


def _document(body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>AstraMeter</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>AstraMeter</h1>\n{body}\n</body>\n</html>\n"
    )


def _meters(meters: Sequence[MeterStatus]) -> str:
    rows = []
    for meter in meters:
        watts = meter["watts"]
        state = (
            f'<span class="bad">{escape(meter["error"])}</span>'
            if meter["error"] is not None
            else "works"
            if watts is not None
            else "no reading yet"
        )
        phases = "" if watts is None else " / ".join(f"{value:.0f}" for value in watts)
        total = None if watts is None else sum(watts)
        rows.append(
            _row(
                (escape(meter["section"]), False),
                (_watts(total), True),
                (phases, True),
                (_age(meter["age_s"]), True),
                (state, False),
            )
        )
    return _table(("Section", "Grid power W", "Phases W", "Age", "State"), (1, 2, 3), rows)


def _device(device: DeviceStatus) -> str:
    head = (
        f"<h3>{escape(device['type'])} <span class='quiet'>{escape(device['id'])}, "
        f"UDP port {device['port']}</span></h3>\n"
    )
    columns = ("Battery", "Type", "Phase", "Its power W", "Was told W", "Last poll")
    return head + _table(columns, (3, 4, 5), map(_battery, device["batteries"]))


def _battery(battery: BatteryStatus) -> str:
    return _row(
        (escape(battery["id"]), False),
        (escape(battery["type"]), False),
        (escape(battery["phase"]), False),
        (_watts(battery["power_w"]), True),
        (_watts(battery["reading_w"]), True),
        (_age(battery["age_s"]), True),
    )


def _table(columns: Sequence[str], numeric: Sequence[int], rows: Iterable[str]) -> str:
    body = "".join(rows)
    if not body:
        return _NOTHING
    head = "".join(
        f'<th scope="col"{_NUMBER if i in numeric else ""}>{name}</th>'
        for i, name in enumerate(columns)
    )
    return f"<table>\n<tr>{head}</tr>\n{body}</table>\n"


_NUMBER = ' class="number"'


def _row(*cells: tuple[str, bool]) -> str:
    inner = "".join(f"<td{_NUMBER if numeric else ''}>{text}</td>" for text, numeric in cells)
    return f"<tr>{inner}</tr>\n"


def _watts(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _age(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)
