"""What the device types can do (battery-firmware.md section 1)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from astrameter.steering.families import charges_from_ac, needs_keep_alive


class Families(SynchronousTestCase):
    def test_who_charges_from_the_house(self) -> None:
        for name in ("HMG-50", "VNSE3-0", "VNSA-0", "VNSD-0", "", "NEW-1", "XHMA"):
            self.assertTrue(charges_from_ac(name), name)
        for name in ("HMA-1", "HMJ-2", "HMK-3", "HMN-1", "HMM-1", "JPLS-8H", " hma-1 "):
            self.assertFalse(charges_from_ac(name), name)

    def test_whose_external_inverter_falls_asleep(self) -> None:
        for name in ("HMA-1", "HMJ-2", "HMK-3", "hmj-2"):
            self.assertTrue(needs_keep_alive(name), name)
        for name in ("HMN-1", "HMM-1", "JPLS-8H", "HMG-50", "VNSE3-0", ""):
            self.assertFalse(needs_keep_alive(name), name)
