"""The CTs of the Marstek account, over a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.marstek.managed import Managed, ManagedCts, firmware_number, normalize_mac
from tests.vectors import each, load

PURE = load("mqtt")["pure_functions"]


def _named(function: str) -> list[dict[str, Any]]:
    return [{**case, "name": str(i)} for i, case in enumerate(PURE[function])]


class Documents:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.arrived: Callable[[str], None] = lambda _key: None

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def put(self, key: str, document: Mapping[str, Any]) -> None:
        self.kept[key] = dict(document)

    def watch(self, prefix: str, arrived: Callable[[str], None]) -> None:
        assert prefix == "marstek/"
        self.arrived = arrived


class Functions(SynchronousTestCase):
    @each(_named("normalize_mac"))
    def macs(self, case: dict[str, Any]) -> None:
        self.assertEqual(normalize_mac(case["input"]), case["result"])

    @each(_named("ver_v_from_cloud_version"))
    def versions(self, case: dict[str, Any]) -> None:
        self.assertEqual(firmware_number(case["input"]), case["result"])

    def test_versions_that_are_no_numbers(self) -> None:
        for version in ([], {}, float("nan"), float("inf"), "9" * 5000):
            self.assertEqual(firmware_number(version), 148)


class Keeping(SynchronousTestCase):
    def setUp(self) -> None:
        self.documents = Documents()
        self.managed = ManagedCts(self.documents)
        self.told = 0
        self.managed.watch(self.tell)

    def tell(self) -> None:
        self.told += 1

    def test_a_ct_is_there_after_a_restart(self) -> None:
        self.managed.put("HME-4", Managed("02b250b71db3", 7))
        later = ManagedCts(self.documents)
        self.assertEqual(later.get("HME-4"), Managed("02b250b71db3", 7))
        self.assertIsNone(later.get("HME-3"))

    def test_watchers_are_told_of_news_only(self) -> None:
        for _ in range(3):
            self.managed.put("HME-4", Managed("02b250b71db3"))
        self.assertEqual(self.told, 1)
        self.documents.arrived("marstek/HME-4")
        self.assertEqual(self.told, 2)
        self.managed.unwatch(self.tell)
        self.managed.put("HME-4", Managed("02b250000000"))
        self.assertEqual(self.told, 2)

    def test_without_a_store_it_is_known_for_this_run(self) -> None:
        managed = ManagedCts()
        managed.put("HME-4", Managed("02b250b71db3"))
        self.assertEqual(managed.get("HME-4"), Managed("02b250b71db3"))

    def test_what_a_hand_has_written_is_checked(self) -> None:
        for entry in (None, [], {"mac": 5}, {"mac": "x"}, {}, {"version": 1}):
            self.documents.kept["marstek/HME-4"] = entry
            self.assertIsNone(self.managed.get("HME-4"))
        self.documents.kept["marstek/HME-4"] = {"mac": "02:B2:50:B7:1D:B3", "version": []}
        self.assertEqual(self.managed.get("HME-4"), Managed("02b250b71db3", 148))
