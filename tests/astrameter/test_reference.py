"""The generated documentation is complete, loads, and is current."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter import reference
from astrameter.config import load_text
from astrameter.ct.options import CT002
from astrameter.general import GENERAL
from astrameter.meters import discovery
from astrameter.options import Section, options_of

ROOT = Path(reference.__file__).parents[1]


def _sections() -> list[Section[Any]]:
    return [GENERAL, CT002, *(kind.section for kind in discovery.all_kinds())]


class CurrentTests(SynchronousTestCase):
    """`make docs` was run after the last change of an option."""

    def _assert_current(self, path: Path, text: str) -> None:
        written = (ROOT / path).read_text(encoding="utf-8")
        self.assertEqual(written, text, f"{path} is out of date: run `make docs`")

    def test_reference_is_current(self) -> None:
        self._assert_current(reference.REFERENCE_PATH, reference.reference())

    def test_example_is_current(self) -> None:
        self._assert_current(reference.EXAMPLE_PATH, reference.example())

    def test_write_writes_both_files(self) -> None:
        root = Path(self.mktemp())
        reference.write(root)
        for path, text in (
            (reference.REFERENCE_PATH, reference.reference()),
            (reference.EXAMPLE_PATH, reference.example()),
        ):
            self.assertEqual((root / path).read_text(encoding="utf-8"), text)


class ExampleTests(SynchronousTestCase):
    """The commented example configuration."""

    def test_it_loads_as_it_stands_without_a_word(self) -> None:
        loaded = load_text(reference.example(), "config.ini")
        self.assertEqual(loaded.warnings, ())
        self.assertEqual([device.type for device in loaded.devices], ["ct002"])
        self.assertEqual([meter.section for meter in loaded.meters], ["JSON_HTTP"])

    def test_every_key_of_every_section_is_there(self) -> None:
        text = reference.example()
        for section in _sections():
            start = re.search(rf"^#?\[{section.name}\]$", text, re.MULTILINE)
            assert start is not None, section.name
            for option in options_of(section.options):
                there = re.search(rf"^#?{option.key} =", text, re.MULTILINE) is not None
                self.assertEqual(there, not option.no_effect, option.key)

    def test_every_line_is_a_comment_a_header_or_a_setting_of_sensible_length(self) -> None:
        for line in reference.example().splitlines():
            self.assertTrue(re.match(r"\Z|# \S|#?\[[A-Z0-9_]+\]\Z|#?[A-Z0-9_]+ =", line), line)
            self.assertLessEqual(len(line), 100, line)

    def test_each_key_alone_may_be_uncommented(self) -> None:
        section = ""
        for number, line in enumerate(lines := reference.example().splitlines()):
            header = re.match(r"#?\[(\w+)\]", line)
            section = header[1] if header else section
            if section not in ("GENERAL", "CT002", "JSON_HTTP") or not re.match(r"#\w+ = ", line):
                continue
            changed = [*lines[:number], line[1:], *lines[number + 1 :]]
            if line.startswith("#PLAUSIBILITY"):
                changed.insert(number, "PRIORITY = 1")  # it judges meters of one place
            loaded = load_text("\n".join(changed), "config.ini")
            self.assertEqual(loaded.warnings, (), line)


class ReferenceTests(SynchronousTestCase):
    """docs/reference/configuration.md."""

    def test_every_key_is_in_the_table_or_in_the_list_of_those_without_effect(self) -> None:
        text = reference.reference()
        for section in _sections():
            self.assertIn(f"# [{section.name}]", text)
            for option in options_of(section.options):
                row = f"\n| `{option.key}` |" in text
                self.assertEqual(row, not option.no_effect, option.key)
                self.assertIn(f"`{option.key}`", text)

    def test_a_row_tells_type_unit_default_and_marks(self) -> None:
        text = reference.reference()
        rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `THROTTLE")]
        general, meter = ([cell.strip("| ") for cell in row[:5]] for row in rows)
        self.assertEqual(general, ["`THROTTLE_INTERVAL`", "number", "s", "`0`", ""])
        self.assertEqual(meter, ["`THROTTLE_INTERVAL`", "number", "s", "`0`", "inherited"])
        password = next(line for line in text.splitlines() if line.startswith("| `PASSWORD`"))
        self.assertIn("| text |  | not set | secret |", password)

    def test_every_row_has_as_many_cells_as_the_head(self) -> None:
        for line in reference.reference().splitlines():
            if line.startswith("|"):
                self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), 7, line)

    def test_it_is_stable(self) -> None:
        self.assertEqual(reference.reference(), reference.reference())
        self.assertEqual(reference.example(), reference.example())
