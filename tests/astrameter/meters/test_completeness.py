"""No kind of meter without vectors, without tests of bad input, without documentation.

For a kind ``ACME`` in ``astrameter/meters/acme.py`` there has to be

* ``tests/astrameter/meters/test_acme.py``;
* in it, one test for every vector of the kind: ``tests.vectors.each`` names them as is needed.
  Vectors of ``meters.json`` that are refused on purpose are listed in ``REFUSED``, a collection
  of their ids, and tested by hand;
* in it, a test case ``BadInputTests``: inherit ``bad_input.BadHttpInput`` for a meter that reads
  JSON over HTTP, or write what the meter's own transport can do to it;
* its section in the reference, which ``make docs`` writes.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import astrameter.meters
from astrameter.meters import discovery
from astrameter.reference import REFERENCE_PATH
from tests.vectors import load

ROOT = Path(astrameter.meters.__file__).parents[2]
TESTS = "tests.astrameter.meters"
KINDS = tuple(kind.section.name for kind in discovery.all_kinds())


def shortcomings(name: str, module: ModuleType | None, reference: str) -> Iterator[str]:
    """What a kind of meter lacks, and how to mend it.

    :param module: its tests; None when there are none.
    :param reference: the text of the configuration reference.
    """
    if f"\n### [{name}]\n" not in reference:
        yield f"[{name}] is not in {REFERENCE_PATH}: run `make docs`"
    if module is None:
        yield f"[{name}] has no tests: write {TESTS.replace('.', '/')}/test_{name.lower()}.py"
        return
    where = module.__name__
    if not _tests(getattr(module, "BadInputTests", None)):
        yield f"{where} has no test case BadInputTests: see bad_input.BadHttpInput"
    run = {name.rpartition("__")[2] for name in _all_tests(module) if "__" in name}
    if not run:
        yield f"{where} runs no vectors: record a real device, see tests.vectors.each"
    wanted = set(vectors_of(name))
    refused = set(getattr(module, "REFUSED", ()))
    for vector in sorted(wanted - run - refused):
        yield f"{where} does not run the vector {vector}: see tests.vectors.each"
    for vector in sorted(refused - wanted | refused & run):
        yield f"{where} refuses the vector {vector}, which is not there to be refused"


def vectors_of(name: str) -> Iterator[str]:
    """The ids of the vectors of a kind."""
    for case in load("meters")["vectors"]:
        longest = max(
            (x for x in {*KINDS, name} if case["section"].startswith(x)), key=len, default=""
        )
        if longest == name:
            yield case["id"]


def _all_tests(module: ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        yield from _tests(value)


def _tests(value: Any) -> list[str]:
    """The names of the tests of a test case; none of anything else."""
    if isinstance(value, type) and issubclass(value, unittest.TestCase):
        return [name for name in dir(value) if name.startswith("test")]
    return []


def tests_of(name: str) -> ModuleType | None:
    """The module with the tests of a kind."""
    try:
        return importlib.import_module(f"{TESTS}.test_{name.lower()}")
    except ModuleNotFoundError as error:
        if error.name != f"{TESTS}.test_{name.lower()}":
            raise
        return None


class CompletenessTests(SynchronousTestCase):
    def test_every_kind_is_tested_and_documented(self) -> None:
        reference = (ROOT / REFERENCE_PATH).read_text(encoding="utf-8")
        lacking = [text for name in KINDS for text in shortcomings(name, tests_of(name), reference)]
        self.assertEqual(lacking, [], "\n" + "\n".join(lacking))

    def test_importing_one_kind_imports_no_other(self) -> None:
        program = (
            "import importlib, sys\n"
            "names = {f'astrameter.meters.{name.lower()}' for name in sys.argv[1:]}\n"
            "for name in sorted(names):\n"
            "    for one in names: sys.modules.pop(one, None)\n"
            "    importlib.import_module(name)\n"
            "    others = names & sys.modules.keys() - {name}\n"
            "    if others: print(name, 'imports', sorted(others))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *KINDS],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((done.stdout, done.stderr), ("", ""))


class ShortcomingTests(SynchronousTestCase):
    """That each rule is able to fail."""

    def setUp(self) -> None:
        self.vectors: dict[str, Any] = {
            "vectors": [
                {"id": "A1", "section": "ACME"},
                {"id": "A2", "section": "ACME_2"},
                {"id": "B1", "section": f"{KINDS[0]}_ACME"},
            ]
        }
        self.patch(sys.modules[__name__], "load", lambda _name: self.vectors)
        self.module = ModuleType("test_acme")
        self.add("VectorTests", "test_vector__A1", "test_vector__A2")
        self.add("BadInputTests", "test_silence")

    def add(self, name: str, *tests: str) -> None:
        methods = dict.fromkeys(tests, lambda self: None)
        setattr(self.module, name, type(name, (SynchronousTestCase,), methods))

    def found(self, reference: str = "\n### [ACME]\n") -> str:
        return "\n".join(shortcomings("ACME", self.module, reference))

    def test_nothing_is_missing(self) -> None:
        self.assertEqual(self.found(), "")

    def test_without_documentation(self) -> None:
        self.assertIn("[ACME] is not in docs", self.found("\n### [ACME_2]\n"))

    def test_without_tests(self) -> None:
        self.assertIs(tests_of("acme"), None)
        self.assertIsNot(tests_of("json_http"), None)
        [text] = shortcomings("ACME", None, "\n### [ACME]\n")
        self.assertEqual(text, "[ACME] has no tests: write tests/astrameter/meters/test_acme.py")

    def test_without_bad_input(self) -> None:
        self.add("BadInputTests", "helper")
        self.assertIn("test_acme has no test case BadInputTests", self.found())
        del self.module.__dict__["BadInputTests"]
        self.assertIn("test_acme has no test case BadInputTests", self.found())

    def test_without_a_vector(self) -> None:
        self.add("VectorTests", "test_vector__A1")
        self.assertEqual(
            self.found(), "test_acme does not run the vector A2: see tests.vectors.each"
        )
        self.module.__dict__["REFUSED"] = {"A2"}
        self.assertEqual(self.found(), "")

    def test_a_refused_vector_that_is_not_there(self) -> None:
        self.module.__dict__["REFUSED"] = ["A2", "A9"]
        self.assertEqual(
            self.found(),
            "test_acme refuses the vector A2, which is not there to be refused\n"
            "test_acme refuses the vector A9, which is not there to be refused",
        )

    def test_a_new_kind_brings_vectors_of_its_own(self) -> None:
        self.vectors["vectors"] = []
        self.add("VectorTests", "test_something")
        self.assertIn("test_acme runs no vectors", self.found())
        self.add("VectorTests", "test_vector__from_the_manual")
        self.assertEqual(self.found(), "")
