"""Which law a battery follows."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.models.bank import Bank, bank_for
from astrameter.steering.models.integer import IntegerLaw
from astrameter.steering.models.learned import LearnedLaw
from astrameter.steering.models.venus_c import VenusC

FAR_W = 10_000.0


def half(reading_w: int) -> float:
    """What none of them does."""
    return 0.5 * reading_w


class Bench:
    """A battery that is told one thing at a time, and rests in between."""

    def __init__(self, device_type: str = "VNSE3-0") -> None:
        self.bank: Bank = bank_for(device_type, 0.0)
        self.power_w = 0.0
        self.now = 0.0
        self._number = 0
        self._plant = IntegerLaw(10, 1.0)

    def as_described(self, reading_w: int) -> float:
        """The step that today's laws do."""
        self._plant.settle(self.power_w)
        self._plant.step(reading_w, self.power_w, self.now)
        return self._plant.setpoint_w - self.power_w

    def tell(
        self,
        law: Callable[[int], float],
        times: int,
        readings_w: tuple[int, ...] = (100, -90),
    ) -> None:
        for _ in range(times):
            reading_w = readings_w[self._number % len(readings_w)]
            self._number += 1
            before_w = self.power_w
            self.bank.step(reading_w, before_w, self.now)
            self.power_w += law(reading_w)
            self.now += 20.0
            self.bank.judge(self.power_w, FAR_W, before_w)
            self.bank.learn(reading_w, self.power_w - before_w, self.power_w)
            self.bank.settle(self.power_w)


class Choosing(SynchronousTestCase):
    def test_the_likeliest_law_comes_first(self) -> None:
        for device_type in ("HMG-50", "VNSE3-0", "VNSD-0", "", "something new"):
            self.assertIsInstance(bank_for(device_type, 0.0).law, IntegerLaw)
        self.assertEqual(bank_for("HMA-1", 250.0).law.setpoint_w, 250)
        self.assertGreater(bank_for("hmj-2", 0.0).law.least_w, 0)

    def test_one_that_follows_it_is_believed(self) -> None:
        bench = Bench()
        bench.tell(bench.as_described, 40)
        self.assertIsInstance(bench.bank.law, IntegerLaw)
        self.assertFalse(bench.bank.cautious)

    def test_one_that_follows_none_gets_the_learned_law(self) -> None:
        bench = Bench()
        bench.tell(half, 12, (100, -90, 140, -150))
        law = bench.bank.law
        assert isinstance(law, LearnedLaw)
        self.assertEqual((law.up.gain, law.down.gain), (0.5, 0.5))

    def test_and_goes_back_when_it_follows_a_described_one_again(self) -> None:
        bench = Bench()
        bench.tell(half, 12, (100, -90, 140, -150))
        self.assertIsInstance(bench.bank.law, LearnedLaw)
        bench.tell(bench.as_described, 40, (100, -90, 140, -150))
        self.assertIsInstance(bench.bank.law, IntegerLaw)

    def test_a_single_surprise_changes_nothing(self) -> None:
        bench = Bench()
        bench.tell(bench.as_described, 10)
        bench.tell(half, 1)
        self.assertIsInstance(bench.bank.law, IntegerLaw)

    def test_differences_in_the_noise_tell_nothing(self) -> None:
        bench = Bench()
        bench.tell(lambda reading_w: reading_w - 4.0, 200, (30, -30))
        self.assertIsInstance(bench.bank.law, IntegerLaw)

    def test_where_it_rests_all_copies_are(self) -> None:
        bank = bank_for("VNSE3-0", 0.0)
        bank.step(300, 0.0, 0.0)
        bank.settle(120.0)
        self.assertEqual({law.setpoint_w for law in bank._laws}, {120.0})

    def test_the_used_one_is_not_moved_with_the_others(self) -> None:
        bank = bank_for("VNSE3-0", 0.0)
        bank.step(300, 0.0, 0.0)
        believed_w = bank.law.setpoint_w
        bank.settle_others(120.0)
        self.assertEqual(bank.law.setpoint_w, believed_w)
        self.assertEqual({law.setpoint_w for law in bank._laws}, {believed_w, 120.0})


class Caution(SynchronousTestCase):
    def strange(self) -> Bank:
        bench = Bench()
        bench.tell(half, 12)
        self.assertIsInstance(bench.bank.law, LearnedLaw)
        return bench.bank

    def test_none_where_a_description_explains_it(self) -> None:
        bank = Bank([VenusC()], 0.0)
        bank.judge(2000.0, FAR_W, 0.0)
        self.assertFalse(bank.cautious)

    def test_none_once_the_learned_law_has_been_right(self) -> None:
        self.assertFalse(self.strange().cautious)

    def test_again_when_it_was_wrong(self) -> None:
        bank = self.strange()
        at_w = bank.law.setpoint_w
        bank.check(at_w + 500, FAR_W, at_w)
        self.assertTrue(bank.cautious)
        bank.settle(at_w)
        bank.step(80, at_w, 900.0)
        bank.learn(80, 40, at_w + 40)
        self.assertFalse(bank.cautious)

    def test_again_when_it_was_a_little_wrong_again_and_again(self) -> None:
        bank = self.strange()
        at_w = bank.law.setpoint_w
        for _ in range(3):
            bank.check(at_w + 60, FAR_W, at_w)
        self.assertFalse(bank.cautious)
        for _ in range(5):
            bank.check(at_w + 60, FAR_W, at_w)
        self.assertTrue(bank.cautious)

    def test_after_a_reading_larger_than_any_it_has_acted_on_until_it_rests(self) -> None:
        bank = self.strange()
        at_w = bank.law.setpoint_w
        bank.step(160, at_w, 900.0)
        self.assertTrue(bank.cautious)
        bank.learn(160, 80, at_w + 80)
        self.assertFalse(bank.cautious)
