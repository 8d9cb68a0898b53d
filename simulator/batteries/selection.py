"""Which number of an answer a battery acts on (marstek-devices.md sections 1.3 and 1.4).

Pure functions over one answer; all Venus images agree on them.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.batteries.acceptance import Answer

UNKNOWN, COMBINED, FAILED = 0, 4, 5
"""Phase settings without a letter of their own; 1, 2, 3 are A, B, C (section 1.2)."""

_ABC = 4  # the last of the buckets x, A, B, C, ABC


class Selection(NamedTuple):
    """What an answer means to one battery.

    :ivar g: grid power to act on, + import, watts; not yet divided.
    :ivar nb: number of batteries that share it.
    :ivar charge_w: sum of the charging powers in its bucket, 0 or less.
    :ivar discharge_w: sum of the discharging powers in its bucket, 0 or more.
    :ivar inspecting: some battery is looking for its phase under load (the ``x`` sums).
    """

    g: int
    nb: int
    charge_w: int
    discharge_w: int
    inspecting: bool


def select(
    answer: Answer, phase: int, recharge_mode: int, baseline_w: int, sums_required: bool
) -> Selection | None:
    """Steps 1 to 5 of section 1.3; None when there is nothing to act on.

    :param phase: the phase setting, 0..5.
    :param recharge_mode: 1 = whole house, 0 = own phase.
    :param sums_required: a firmware that takes counts and powers only when fields 15..24 do not
        add up to 0 (step 5); +400 and -400 hide each other there.
    """
    if phase in (UNKNOWN, FAILED):
        return None
    whole_house = recharge_mode != 0
    if whole_house or phase == COMBINED:
        g = answer.total_w - baseline_w
    else:
        g = answer.phase_w[phase - 1] - baseline_w
    charge, discharge = answer.charge_w, answer.discharge_w
    if sums_required and sum(charge) + sum(discharge) == 0:
        return Selection(g, 0, 0, 0, False)
    inspecting = charge[0] != 0 or discharge[0] != 0
    if whole_house:
        nb = sum(answer.counts) & 0xFF
        return Selection(g, nb, sum(charge[1:]), sum(discharge[1:]), inspecting)
    bucket = phase if phase < COMBINED else _ABC
    nb = answer.counts[bucket - 1] & 0xFF
    return Selection(g, nb, charge[bucket], discharge[bucket], inspecting)


def conflict(selection: Selection, out_w: float, sent_w: int) -> str:
    """The condition of section 1.4 that forbids to act, ``a`` to ``d``; empty when none does.

    :param out_w: own output now.
    :param sent_w: own power as sent in the last request.
    """
    if selection.nb < 2:
        return ""
    g, _, charge_w, discharge_w, inspecting = selection
    if charge_w * discharge_w < 0:
        return "a"
    if inspecting:
        return "b"
    if abs(out_w) < 1 and (charge_w * g < 0 or discharge_w * g < 0):
        return "c"
    if sent_w * charge_w < 0 or sent_w * discharge_w < 0:
        return "d"
    return ""
