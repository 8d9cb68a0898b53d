"""Script files: JSON or YAML, with every problem told at once."""

from __future__ import annotations

import os

from simulator.configuration.checked import (
    Findings,
    Object,
    Problem,
    ProblemsError,
    parse_json,
    read_text,
)
from simulator.configuration.file import Loaded, load_document, load_file
from simulator.configuration.model import Simulation
from simulator.scripts.changes import Changes
from simulator.scripts.expected import Expected
from simulator.scripts.model import Expectation, Script, Step
from simulator.scripts.names import Names, time_of

YAML_ENDINGS = (".yaml", ".yml")


def load_script(path: str, simulation: Loaded | None = None) -> tuple[Script, Loaded]:
    """A script, and what it plays in.

    :param simulation: what it plays in instead of what the script says.
    :raises ProblemsError: with everything that is wrong.
    """
    findings = Findings(path)
    document = _parsed(path, findings)
    top = Object(document, "", findings)
    loaded = simulation or _simulation(top, path, findings)
    top.raw("config")
    names = Names(loaded.simulation, not findings.problems)
    script = _script(top, os.path.basename(path), loaded.simulation, names)
    top.unknown()
    findings.raise_if_any()
    return script, Loaded(loaded.simulation, (*loaded.warnings, *findings.warnings))


def _parsed(path: str, findings: Findings) -> object:
    text = read_text(path)
    if not path.lower().endswith(YAML_ENDINGS):
        return parse_json(text, findings)
    try:
        import yaml  # noqa: PLC0415  only scripts in YAML need it
    except ModuleNotFoundError:
        message = "a script in YAML needs: pip install 'astrameter[sim]'; JSON works without"
        raise ProblemsError([Problem(path, "", "", message)]) from None
    try:
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        message = f"is not YAML: {' '.join(str(error).split())}"
        raise ProblemsError([Problem(path, "", "", message)]) from None
    return document


def _simulation(top: Object, path: str, findings: Findings) -> Loaded:
    """``config``: an object, or the name of a file beside the script."""
    given = top.raw("config")
    if isinstance(given, str):
        return load_file(os.path.join(os.path.dirname(path), given))
    if given is None:
        top.missing("config", "an object, or the name of a file, as for `astra-sim run -c`")
        return Loaded(Simulation(), ())
    try:
        return load_document(given, Findings(findings.file), "config")
    except ProblemsError as error:
        findings.problems.extend(error.problems)
        findings.warnings.extend(error.warnings)
        return Loaded(Simulation(), ())


def _script(top: Object, name: str, simulation: Simulation, names: Names) -> Script:
    """The timeline taken apart."""
    changes, expected = Changes(names), Expected(names)
    steps: list[Step] = []
    expectations: list[Expectation] = []
    title, duration_s = top.text("title", ""), time_of(top, "duration")
    if "timeline" not in top:
        top.missing("timeline", 'a list of {"at": ..., "set": ..., "expect": ...}')
    for entry in top.objects("timeline"):
        if "at" not in entry:
            entry.missing("at", "seconds since the beginning, for example 60")
        at_s = time_of(entry, "at")
        if "set" not in entry and "expect" not in entry:
            entry.findings.problem(entry.path, 'nothing happens here: give "set" or "expect"')
        if "set" in entry:
            steps.append(Step(at_s, tuple(changes.operations(entry.inside("set")))))
        expectations.extend(expected.expectations(entry, at_s))
        entry.unknown()
    steps.sort(key=lambda step: step.at_s)
    return Script(name, title, simulation, tuple(steps), tuple(expectations), duration_s)
