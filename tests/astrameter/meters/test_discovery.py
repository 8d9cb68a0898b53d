"""Finding the kind of meter for a section, and importing no other."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import astrameter.meters
from astrameter.meters import discovery
from astrameter.meters.discovery import INFRASTRUCTURE, all_kinds, find, names
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.options import Option, Section, options_of

MODULES = sorted(found.name for found in pkgutil.iter_modules(astrameter.meters.__path__))


class PackageTests(SynchronousTestCase):
    """What holds for every module of the package, also for one that is written tomorrow."""

    def test_every_module_is_a_kind_or_declared_infrastructure(self) -> None:
        without = {
            name
            for name in MODULES
            if not isinstance(
                getattr(importlib.import_module(f"astrameter.meters.{name}"), "KIND", None),
                MeterKind,
            )
        }
        self.assertEqual(without, set(INFRASTRUCTURE))

    def test_every_kind_is_named_after_its_file(self) -> None:
        self.assertEqual(tuple(kind.section.name for kind in all_kinds()), names())

    def test_every_kind_declares_options_of_meters_without_repetition(self) -> None:
        for kind in all_kinds():
            self.assertTrue(issubclass(kind.section.options, MeterOptions), kind.section.name)
            keys = [option.key for option in options_of(kind.section.options)]
            self.assertEqual(len(keys), len(set(keys)), kind.section.name)

    def test_defaults_and_examples_are_values_that_a_file_can_hold(self) -> None:
        for kind in all_kinds():
            for option in options_of(kind.section.options):
                for text in self._texts(option, kind.section):
                    option.kind.parse(text)

    def _texts(self, option: Option, section: Section[Any]) -> list[str]:
        texts = [option.render(option.default), option.example]
        return [text for text in (*texts, section.example.get(option.key, "")) if text]

    def test_words_that_look_secret_are_declared_secret(self) -> None:
        for kind in all_kinds():
            for option in options_of(kind.section.options):
                if any(word in option.key for word in ("PASS", "TOKEN", "SECRET", "URI")):
                    self.assertTrue(option.secret, f"[{kind.section.name}] {option.key}")


class FindTests(SynchronousTestCase):
    """Sections and their kinds."""

    def setUp(self) -> None:
        kind = MeterKind(Section("X", MeterOptions, help=""), lambda *_: None)
        self.modules = {"mqtt": kind, "mqtt_long": kind, "mqtt_long_helper": None}
        self.imported: list[str] = []
        self.patch(discovery, "names", lambda: tuple(sorted(map(str.upper, self.modules))))
        self.patch(importlib, "import_module", self._import)

    def _import(self, name: str) -> ModuleType:
        self.imported.append(name)
        module = ModuleType(name)
        module.__dict__["KIND"] = self.modules[name.rpartition(".")[2]]
        return module

    def test_the_longest_name_wins_and_only_that_one_is_imported(self) -> None:
        self.assertIsNot(find("MQTT_LONGER"), None)
        self.assertEqual(self.imported, ["astrameter.meters.mqtt_long"])

    def test_anything_may_follow_the_name(self) -> None:
        for section in ("MQTT", "MQTT_2", "MQTTFOO"):
            self.assertIsNot(find(section), None)
        self.assertEqual(set(self.imported), {"astrameter.meters.mqtt"})

    def test_names_are_case_sensitive_and_begin_the_section(self) -> None:
        for section in ("mqtt", "Mqtt_2", "X_MQTT", "MQT", ""):
            self.assertIs(find(section), None)
        self.assertEqual(self.imported, [])

    def test_a_module_without_a_kind_is_passed_over(self) -> None:
        self.assertIsNot(find("MQTT_LONG_HELPER"), None)
        self.assertEqual(
            self.imported, ["astrameter.meters.mqtt_long_helper", "astrameter.meters.mqtt_long"]
        )


class ImportTests(SynchronousTestCase):
    """The real package."""

    def test_finding_one_kind_does_not_import_the_others(self) -> None:
        program = (
            "import sys\n"
            "from astrameter.meters import discovery\n"
            "assert discovery.find('JSON_HTTP_2').section.name == 'JSON_HTTP'\n"
            "assert 'astrameter.meters.json_http' in sys.modules\n"
            "others = ('paho', 'astrameter.mqtt', 'astrameter.meters.mqtt')\n"
            "print([name for name in sys.modules if name.startswith(others)])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(astrameter.meters.__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((done.stdout.strip(), done.stderr), ("[]", ""))
