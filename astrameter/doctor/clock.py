"""Whether the clock of the wall is right enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from astrameter.doctor.findings import Finding, Group, Severity

EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""Before this program was written."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)

STEP_S = 2.0
"""More than this in a few seconds is no drift: somebody set the clock."""


def judge(now: datetime, tls_sections: Sequence[str]) -> Finding:
    """Whether the time can be true.

    :param tls_sections: the meters that are reached with TLS.
    """
    if EARLIEST <= now < LATEST:
        what = f"{now:%Y-%m-%d %H:%M:%S} UTC; steering does not depend on it"
        return Finding(Group.CLOCK, Severity.OK, "", what)
    mends = ("Let this machine set its clock over the network (NTP), before AstraMeter starts",)
    what = f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, which cannot be"
    if tls_sections:
        names = ", ".join(f"[{name}]" for name in tls_sections)
        what += f"; certificates look invalid then, so {names} cannot be reached with TLS"
        return Finding(Group.CLOCK, Severity.PROBLEM, "", what, mends)
    what += "; steering does not depend on it, the times in the log do"
    return Finding(Group.CLOCK, Severity.WARN, "", what, mends)


def stepped(wall_s: float, monotonic_s: float) -> Finding | None:
    """Whether somebody set the clock while we looked.

    :param wall_s: how much time passed by the clock of the wall.
    :param monotonic_s: how much really did.
    """
    if abs(wall_s - monotonic_s) <= STEP_S:
        return None
    what = f"the clock was set by {wall_s - monotonic_s:+.0f} s during this examination"
    mend = "Nothing to do for AstraMeter: it measures time with a clock that nobody can set"
    return Finding(Group.CLOCK, Severity.NOTE, "", what, (mend,))
