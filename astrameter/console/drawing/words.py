"""Times, sums and durations as text."""

from __future__ import annotations


def clock(second_of_day: float, *, seconds: bool = False) -> str:
    """``10:42``, or ``10:42:07``."""
    at_s = int(second_of_day) % 86_400
    text = f"{at_s // 3600:02d}:{at_s // 60 % 60:02d}"
    return f"{text}:{at_s % 60:02d}" if seconds else text


def money(cents: float, digits: int = 2) -> str:
    """``-1.23 ct``, or ``1.23 EUR`` for larger sums; there is no minus zero."""
    if abs(cents) >= 1000:
        return f"{cents / 100:.2f} EUR"
    return f"{round(cents, digits) + 0:.{digits}f} ct"


def age(age_s: float | None, missing: str) -> str:
    """``0.4 s``, ``12 s``, ``5 min``, ``3 h`` or ``2 d``, as exact as it matters."""
    if age_s is None:
        return missing
    age_s = max(age_s, 0.0)
    if age_s < 9.95:
        return f"{age_s:.1f} s"
    if age_s < 99.5:
        return f"{age_s:.0f} s"
    if age_s < 5970:
        return f"{age_s / 60:.0f} min"
    return f"{age_s / 3600:.0f} h" if age_s < 172_800 else f"{age_s / 86_400:.0f} d"


def span(seconds: float) -> str:
    """``0:07``, ``12:42`` or ``3:05:59``; ``2 d 03:05`` when it is days."""
    whole = max(0, int(seconds))
    if whole >= 86_400:
        return f"{whole // 86_400} d {whole // 3600 % 24:02d}:{whole // 60 % 60:02d}"
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
