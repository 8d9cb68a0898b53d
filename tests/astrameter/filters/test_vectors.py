"""The chain of filters against every case of the conformance vectors (filters.json)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.problems import ConfigError
from tests.astrameter.filters.rig import START, Call, Rig
from tests.vectors import each, load

VECTORS = load("filters")["vectors"]


@dataclass(frozen=True)
class Difference:
    """Where we differ from AstraMeter 2.x on purpose; in all else the case holds.

    :ivar why: what is better.
    :ivar ours: what these steps bring here.
    :ivar totals: the sum of what these steps bring here.
    :ivar phases: in these steps only the phases differ, not their sum.
    :ivar chain: the filters that are present here.
    :ivar refused: the keys about which our loader complains.
    :ivar accepted: we take what 2.x refuses, as these options.
    """

    why: str
    ours: Mapping[int, Sequence[float]] = field(default_factory=dict)
    totals: Mapping[int, float] = field(default_factory=dict)
    phases: Collection[int] = ()
    chain: Sequence[str] | None = None
    refused: Sequence[str] = ()
    accepted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> set[int]:
        return {*self.ours, *self.totals, *self.phases}


NO_LOCK_UP = "the Hampel filter lets a real change of the load pass after half the window"
BOUNDED_PHASES = "smoothing shifts no phase by more than it shifts the total"
EVERY_SAMPLE = "every new sample counts for the average, also one with equal values"
ZERO_IS_SMOOTHED = "a total of zero is smoothed like any other"

DIFFERENT_ON_PURPOSE = {
    "FT07": Difference("an empty list means not set", ours={0: [100, 200]}, chain=["health"]),
    "FT10": Difference("after numbers, comments are comments", accepted={"power_offset": (-20.0,)}),
    "FH05": Difference(
        "an outlier's stand-in is a reading that has really been there, not the outlier scaled",
        ours={4: [100, 50, 51]},
    ),
    "FH08": Difference(NO_LOCK_UP, ours={7: [1000], 8: [1000], 9: [1000]}),
    "FH15": Difference(NO_LOCK_UP, ours={step: [1000] for step in range(7, 17)}),
    "FH16": Difference(NO_LOCK_UP, ours={8: [1000]}),
    "FH17": Difference(NO_LOCK_UP, ours={7: [220], 8: [260], 9: [300], 10: [340]}),
    "FH18": Difference(NO_LOCK_UP, ours={4: [1000]}),
    "FE02": Difference(
        EVERY_SAMPLE, ours={2: [190.405], 3: [271.3645], 4: [344.27805], 5: [409.850245]}
    ),
    "FE03": Difference(BOUNDED_PHASES, phases=[2]),
    "FE07": Difference(ZERO_IS_SMOOTHED, ours={1: [200], 3: [140.5, -59.5]}),
    "FE08": Difference(BOUNDED_PHASES, phases=[1]),
    "FP03": Difference("replace reports import as import", ours={0: [500], 1: [200, 200, 200]}),
    "FP10": Difference("the sample of a moment is taken in once, whoever asks", ours={2: [64]}),
    "FP13": Difference("a word that is none refuses the file", refused=["PID_MODE"]),
    "FP15": Difference("a reset clears the PID too", ours={3: [90], 4: [80]}),
    "FR09": Difference(NO_LOCK_UP, ours={5: [900]}),
    "FC01": Difference(ZERO_IS_SMOOTHED, ours={6: [14.84375]}),
    "FC08": Difference(BOUNDED_PHASES, phases=range(1, 14)),
    "FC12": Difference(
        f"{NO_LOCK_UP}; and an outlier's stand-in is a reading that has really been there",
        totals={5: 17.378976, 6: -93.955296, 7: -203.789568},
        phases=[3],
    ),
}

AS_IN_2X = Difference("")

COMPLAINTS = {
    "bad_list_token": "POWER_OFFSET",
    "negative_n_sigma": "HAMPEL_N_SIGMA",
    "not_an_integer": "HAMPEL_WINDOW",
    "bad_pid_mode": "PID_MODE",
    "bad_pid_output_max": "PID_OUTPUT_MAX",
    "not_a_number": "DEADBAND",
}
"""The key that each reason of ``expect_config_error`` is about."""


def config_text(sections: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(lines)


def close(found: object, expected: object) -> bool:
    """Equal within the tolerance of the vectors."""
    if not isinstance(found, list) or not isinstance(expected, list):
        return found == expected
    return len(found) == len(expected) and all(
        abs(x - y) <= 1e-9 * max(1.0, abs(y)) for x, y in zip(found, expected, strict=True)
    )


class VectorTests(SynchronousTestCase):
    @each(VECTORS)
    def vector(self, case: dict[str, Any]) -> None:
        difference = DIFFERENT_ON_PURPOSE.get(case["id"], AS_IN_2X)
        refused = list(difference.refused)
        if "expect_config_error" in case and not difference.accepted:
            refused.append(COMPLAINTS[case["expect_config_error"]])
        text = config_text(case["config"])
        if refused:
            error = self.assertRaises(ConfigError, Rig, text)
            self.assertEqual([problem.key for problem in error.problems], refused)
            return
        rig = Rig(text)
        for name, value in difference.accepted.items():
            self.assertEqual(getattr(rig.options, name), value)
        if "steps" in case:
            self.assertEqual(rig.filters, difference.chain or case["chain"])
            self._check_steps(rig, case, difference)

    def _check_steps(self, rig: Rig, case: dict[str, Any], difference: Difference) -> None:
        rig.meter.reads = [
            read["error"] if isinstance(read, dict) else read for read in case["reads"]
        ]
        rig.meter.latency_s = case.get("read_latency_s", 0.0)
        calls: dict[int, Call] = {}

        def take(index: int, op: str) -> None:
            if op == "reset":
                rig.chain.reset()
            else:
                calls[index] = rig.read() if op == "get" else rig.read_raw()

        for index, step in enumerate(case["steps"]):
            rig.at(step["t"], partial(take, index, step["op"]))
        rig.run()
        read_at = [at - START for at in rig.meter.read_at]
        self.assertEqual(read_at, case["source_read_times"])
        for index, call in calls.items():
            self._check_step(index, call, case["steps"][index], difference)

    def _check_step(
        self, index: int, call: Call, step: dict[str, Any], difference: Difference
    ) -> None:
        theirs = step["expect_error"] if "expect_error" in step else step["expect"]
        says = f"step {index}: {call.result}, and {theirs} in 2.x"
        self.assertEqual(call.done_at, step["done_at"], says)
        assert call.outcome is not None
        sample = call.outcome.sample
        self.assertEqual(sample is not None and sample.watts != (), step["health_ok"], says)
        if index not in difference.steps:
            self.assertTrue(close(call.result, theirs), says)
            if step["op"] == "get" and sample is not None:
                self.assertTrue(close(list(sample.watts), step["health_last_values"]), says)
            return
        self.assertFalse(close(call.result, theirs), f"{says}: no difference any more")
        assert isinstance(call.result, list)
        if index in difference.ours:
            self.assertTrue(close(call.result, list(difference.ours[index])), says)
        else:
            total = difference.totals.get(index, sum(theirs))
            self.assertTrue(close([sum(call.result)], [total]), says)


class CompletenessTests(SynchronousTestCase):
    def test_every_difference_is_about_a_case(self) -> None:
        ids = {case["id"] for case in VECTORS}
        self.assertEqual(set(DIFFERENT_ON_PURPOSE) - ids, set())

    def test_every_difference_says_why(self) -> None:
        for name, difference in DIFFERENT_ON_PURPOSE.items():
            self.assertNotEqual(difference.why, "", name)
