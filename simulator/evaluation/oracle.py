"""What a controller could do that knew the house load: the share of all errors that is the plant's.

With the truth in place of an estimate from a late and noisy meter, what is left of settling time,
regret and imbalance is what the firmware laws cost. It is not a proof, as the rest of the
controller stays as it is, but no figure that is better than this can be had by a better estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from astrameter.reading import Sample
from astrameter.steering.history import PowerHistory
from astrameter.steering.observer import LoadObserver


class TrueLoad(LoadObserver):
    """An observer that need not estimate anything.

    :ivar house_w: tells the house load less generation, without its noise; given by the bench.
    """

    def __init__(self) -> None:
        super().__init__()
        self.house_w: Callable[[], float] = float
        self.noise_w = 0.0

    def observe(self, sample: Sample, histories: Collection[PowerHistory]) -> None:
        self.load_w = self.house_w()

    def advance(self, now: float) -> None:
        """It is told anew before it is asked."""

    def shift(self, by_w: float) -> None:
        """What batteries deliver is no part of the house."""
