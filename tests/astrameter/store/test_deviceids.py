"""Made-up identities stay what they were."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.general import DEVICE_TYPES
from astrameter.store.deviceids import with_known_ids
from astrameter.store.options import StateOptions
from astrameter.store.service import Store
from tests.astrameter.ct.rig import NOON

PORTS = "[CT003]\nUDP_PORT = 12346\n"


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store(Clock(), None, StateOptions(), lambda: NOON)

    def ids(self, types: str, configured: str = "") -> dict[str, str]:
        text = f"[GENERAL]\nDEVICE_TYPE = {types}\nDEVICE_IDS = {configured}\n{PORTS}"
        loaded = load_text(text, "config.ini")
        named = with_known_ids(loaded.devices, loaded.general.device_ids, self.store)
        return {device.type: device.device_id for device in named}

    def test_the_first_time_they_are_those_of_2x(self) -> None:
        self.assertEqual(
            self.ids("ct002, shellyemg3"),
            {"ct002": "device-1", "shellyemg3": "shellyemg3-ec4609c439c2"},
        )

    def test_another_device_in_front_changes_nothing(self) -> None:
        before = self.ids("ct002, shellyemg3")
        after = self.ids("ct003, shellyproem50, ct002, shellyemg3")
        self.assertEqual({t: after[t] for t in before}, before)
        self.assertEqual(after["ct003"], "device-2")
        self.assertEqual(after["shellyproem50"], "shellyproem50-ec4609c439c2")
        self.assertEqual(self.ids("shellyemg3, ct002"), before)

    def test_configured_ids_are_left_alone_and_not_remembered(self) -> None:
        self.assertEqual(self.ids("ct002", "mine"), {"ct002": "mine"})
        self.assertEqual(self.ids("ct002"), {"ct002": "device-1"})

    def test_a_configured_id_is_given_to_nobody_else(self) -> None:
        self.ids("ct002")
        self.assertEqual(
            self.ids("ct003, ct002", "device-1"), {"ct003": "device-1", "ct002": "device-2"}
        )

    def test_both_forms_of_a_pro_3em_stay_one(self) -> None:
        self.ids("ct002, shellyemg3")
        before = self.ids("shellypro3em")
        self.assertEqual(len(set(before.values())), 1)
        self.assertEqual(self.ids("ct002, shellypro3em") | before, self.ids("ct002, shellypro3em"))
        self.assertEqual(
            self.ids("ct002, shellypro3em_old")["shellypro3em_old"], *{*before.values()}
        )

    def test_what_a_hand_has_written_is_checked(self) -> None:
        for wrong in (5, "", "x" * 65, "a\nb", None):
            self.store.put("device/ct002", {"id": wrong})
            self.assertEqual(self.ids("ct002"), {"ct002": "device-1"})

    kinds = st.permutations(sorted(set(DEVICE_TYPES) - {"shellypro3em"}))

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(kinds, st.integers(1, 5)), max_size=5))
    def test_nobody_ever_shares_an_id(self, steps: list[tuple[list[str], int]]) -> None:
        self.setUp()
        for order, count in steps:
            now = self.ids(", ".join(order[:count]))
            self.assertEqual(len(set(now.values())), len(now))

    @settings(deadline=None, derandomize=True)
    @given(kinds, st.randoms(use_true_random=False))
    def test_nobody_changes_while_others_come(self, order: list[str], chance: Random) -> None:
        self.setUp()
        known: dict[str, str] = {}
        for count in range(1, len(order) + 1):
            present = order[:count]
            chance.shuffle(present)
            for one, device_id in self.ids(", ".join(present)).items():
                self.assertEqual(known.setdefault(one, device_id), device_id)
